/* SPDX-License-Identifier: ISC
 *
 * Reading the actions of access(5).
 */
#include "policy/action.h"

#include <string.h>

struct name {
    str name;
    enum action_kind kind;
};

static const struct name names[] = {
    { S_INIT("OK"), ACTION_OK },
    { S_INIT("RELAY"), ACTION_OK },
    { S_INIT("DUNNO"), ACTION_DUNNO },
    { S_INIT("REJECT"), ACTION_REFUSE },
    { S_INIT("DEFER"), ACTION_REFUSE },
    { S_INIT("DEFER_IF_PERMIT"), ACTION_DEFER_IF_PERMIT },
    { S_INIT("DEFER_IF_REJECT"), ACTION_DEFER_IF_REJECT },
    { S_INIT("WARN"), ACTION_WARN },
    { S_INIT("INFO"), ACTION_INFO },
    { S_INIT("DISCARD"), ACTION_DISCARD },
    { S_INIT("HOLD"), ACTION_HOLD },
    { S_INIT("FILTER"), ACTION_FILTER },
    { S_INIT("REDIRECT"), ACTION_REDIRECT },
    { S_INIT("BCC"), ACTION_BCC },
    { S_INIT("PREPEND"), ACTION_PREPEND },
};

static bool all_digits(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* A reply from "[5.1.1] [text]". */
static struct reply reply_of(int code, str text, const char *preset)
{
    struct reply r = { .code = code, .text = S("Access denied") };
    const char *dsn = code < 500 ? "4.7.1" : "5.7.1";
    size_t n = dsn_span(text);

    memcpy(r.dsn, dsn, 6);
    if (n) {
        memcpy(r.dsn, text.p, n);
        r.dsn[n] = 0;
        text = str_trim(str_skip(text, n));
    }
    if (preset)
        r.text = str_from(preset);
    if (!str_empty(text))
        r.text = text;
    return r;
}

/* "4NN text", "5NN text". */
static bool is_reply(str word, str rest)
{
    return word.n == 3 && all_digits(word) && !str_empty(rest)
           && (word.p[0] == '4' || word.p[0] == '5');
}

struct action action_read(str text, const struct action_codes *codes)
{
    struct scan sc = scan_of(str_trim(text));
    struct action x = { .kind = ACTION_RESTRICTIONS,
                        .text = str_trim(text) };
    str word = scan_until(&sc, S(" \t"));
    str rest = str_trim(scan_rest(&sc));
    uint64_t code;

    if (all_digits(x.text) || str_empty(x.text)) {
        x.kind = ACTION_OK;
        return x;
    }
    if (is_reply(word, rest) && str_uint(word, 599, &code)) {
        x.kind = ACTION_REFUSE;
        x.reply = reply_of((int)code, rest, NULL);
        return x;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!str_ieq(word, names[i].name))
            continue;
        x.kind = names[i].kind;
        x.text = rest;
    }
    if (x.kind == ACTION_REFUSE)
        x.reply = str_ieq(word, S("REJECT"))
                      ? reply_of(codes->reject, rest, NULL)
                      : reply_of(codes->defer, rest, NULL);
    else if (x.kind == ACTION_DEFER_IF_PERMIT
             || x.kind == ACTION_DEFER_IF_REJECT)
        x.reply = reply_of(codes->defer, rest, "Service unavailable");
    return x;
}

/* "Name: value" with a name of printable characters. */
static bool is_header(str s)
{
    size_t colon = str_chr(s, ':');

    if (colon == STR_NONE || colon == 0)
        return false;
    for (size_t i = 0; i < colon; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127)
            return false;
    return true;
}

const char *action_fault(const struct action *x)
{
    switch (x->kind) {
    case ACTION_FILTER:
        if (str_empty(x->text))
            return "has FILTER entry without value";
        return str_chr(x->text, ':') == STR_NONE
                   ? "requires transport:destination" : NULL;
    case ACTION_REDIRECT:
    case ACTION_BCC:
        return str_chr(x->text, '@') == STR_NONE
                   ? "requires user@domain target" : NULL;
    case ACTION_PREPEND:
        return is_header(x->text) ? NULL : "requires header: text";
    default:
        return NULL;
    }
}
