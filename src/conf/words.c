/* SPDX-License-Identifier: ISC
 *
 * Closed sets of words.  A word that is not understood must not become a
 * lesser one by being passed over.
 */
#include "conf/words.h"

#include "conf/value.h"

enum form { FORM_ONE, FORM_ANY, FORM_BITS, FORM_OPEN, FORM_PROTOCOLS,
            FORM_FEEDBACK };
enum state { STATE_BUILT, STATE_NOT_BUILT, STATE_ENCRYPT };

enum set_index {
#define SET(set, form, tone) SET_##set,
#define WORD(set, word, state)
#define USE(param, set)
#include "conf/words.def"
#undef SET
#undef WORD
#undef USE
};

static const struct word_set {
    enum form form;
    str tone;
} sets[] = {
#define SET(set, form, tone) [SET_##set] = { FORM_##form, S_INIT(tone) },
#define WORD(set, word, state)
#define USE(param, set)
#include "conf/words.def"
#undef SET
#undef WORD
#undef USE
};

static const struct word {
    enum set_index set;
    str word;
    enum state state;
} words[] = {
#define SET(set, form, tone)
#define WORD(set, word, state) { SET_##set, S_INIT(word), STATE_##state },
#define USE(param, set)
#include "conf/words.def"
#undef SET
#undef WORD
#undef USE
};

static const struct {
    enum param param;
    enum set_index set;
} uses[] = {
#define SET(set, form, tone)
#define WORD(set, word, state)
#define USE(param, set) { P_##param, SET_##set },
#include "conf/words.def"
#undef SET
#undef WORD
#undef USE
};

#define N(array) (sizeof(array) / sizeof(*(array)))

static bool set_of(enum param p, enum set_index *set)
{
    for (size_t i = 0; i < N(uses); i++)
        if (uses[i].param == p) {
            *set = uses[i].set;
            return true;
        }
    return false;
}

bool words_closed(enum param p)
{
    enum set_index set;

    return set_of(p, &set);
}

bool words_next(enum param p, size_t *at, str *word)
{
    enum set_index set;

    if (!set_of(p, &set))
        return false;
    while (*at < N(words)) {
        const struct word *w = &words[(*at)++];
        if (w->set != set || w->state != STATE_BUILT || w->word.n == 0)
            continue;
        *word = w->word;
        return true;
    }
    return false;
}

static const struct word *word_find(enum set_index set, str text)
{
    for (size_t i = 0; i < N(words); i++)
        if (words[i].set == set && str_ieq(words[i].word, text))
            return &words[i];
    return NULL;
}

/* "none, may or encrypt". */
static str choice(struct arena *a, enum set_index set)
{
    struct buf b;
    size_t last = 0;

    buf_init(&b, a, 1024);
    for (size_t i = 0; i < N(words); i++)
        if (words[i].set == set && words[i].state == STATE_BUILT)
            last = i;
    for (size_t i = 0; i < N(words); i++) {
        if (words[i].set != set || words[i].state != STATE_BUILT
            || words[i].word.n == 0)
            continue;
        if (b.n)
            buf_add(&b, i == last ? S(" or ") : S(", "));
        buf_add(&b, words[i].word);
    }
    return b.n ? arena_fmt(a, "use %.*s", STR(buf_str(&b)))
               : S("leave it empty");
}

/* "0.5": whether the text begins as a number, and what follows it. */
static bool amount(str text, str *rest)
{
    str digits = str_head(text, str_span(text, S("0123456789.")));
    size_t dot = str_chr(digits, '.');

    *rest = str_skip(text, digits.n);
    return digits.n > 0 && digits.n <= 20
           && (dot == STR_NONE
               || (digits.n > 1
                   && str_chr(str_skip(digits, dot + 1), '.') == STR_NONE));
}

/* What may stand in a set of this form beside its words. */
static bool beside(enum form form, str item)
{
    uint64_t n;
    str rest;

    switch (form) {
    case FORM_FEEDBACK:
        return amount(item, &rest)
               && (rest.n == 0 || str_ieq(rest, S("/concurrency"))
                   || str_ieq(rest, S("/sqrt_concurrency"))
                   || (str_starts(rest, S("/"))
                       && amount(str_skip(rest, 1), &rest) && rest.n == 0));
    case FORM_BITS:
        return str_istarts(item, S("0x"))
               && str_hex(str_skip(item, 2), UINT64_MAX, &n);
    case FORM_OPEN:
        return str_chr(item, ':') != STR_NONE;
    case FORM_PROTOCOLS: /* ">=" alone: as low as the library goes */
        return item.n == 0
               || (str_hex(item, 0x0304, &n) && n >= 0x0300 && item.n == 4);
    default:
        return false;
    }
}

/* Without the mark of a protocol. */
static str unmarked(str item)
{
    if (str_starts(item, S(">=")) || str_starts(item, S("<=")))
        return str_skip(item, 2);
    return str_starts(item, S("!")) ? str_skip(item, 1) : item;
}

static enum words_verdict judge_item(struct arena *a, enum param p,
                                     enum set_index set, str item, str text,
                                     str *complaint)
{
    const struct word_set *ws = &sets[set];
    str name = conf_param(p)->name;
    const struct word *w;

    if (ws->form == FORM_PROTOCOLS)
        item = unmarked(item);
    w = word_find(set, item);
    if (!w && beside(ws->form, item))
        return WORDS_FIT;
    if (w && w->state == STATE_BUILT)
        return WORDS_FIT;
    if (w && w->state == STATE_ENCRYPT) {
        *complaint = arena_fmt(a, "unsupported TLS level \"%.*s\", using "
                               "\"encrypt\"", STR(item));
        return WORDS_DOUBT;
    }
    if (w)
        *complaint = arena_fmt(a, "\"%.*s\" is not built in (%.*s)",
                               STR(item), STR(choice(a, set)));
    else if (str_eq(ws->tone, S("unknown")))
        *complaint = arena_fmt(a, "unknown %.*s value \"%.*s\" in \"%.*s\" "
                               "(%.*s)", STR(name), STR(item), STR(text),
                               STR(choice(a, set)));
    else
        *complaint = arena_fmt(a, "%.*s \"%.*s\" (%.*s)", STR(ws->tone),
                               STR(item), STR(choice(a, set)));
    return WORDS_BAD;
}

enum words_verdict words_judge(struct arena *a, enum param p, str text,
                               str *complaint)
{
    enum words_verdict worst = WORDS_FIT;
    enum set_index set;
    str rest = text, item, seps = CONF_LIST_SEPS;

    if (!set_of(p, &set))
        return WORDS_FIT;
    if (sets[set].form == FORM_ONE || sets[set].form == FORM_FEEDBACK)
        return judge_item(a, p, set, text, text, complaint);
    if (sets[set].form == FORM_PROTOCOLS)
        seps = S(", \t\r\n:");
    while (worst == WORDS_FIT && value_token(&rest, seps, &item))
        worst = judge_item(a, p, set, item, text, complaint);
    return worst;
}
