/* SPDX-License-Identifier: ISC
 *
 * Parsing SEARCH (RFC 3501 section 6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC
 * 7162): iteratively, with a stack of what is open.
 */
#include "imap/search.h"

#include "mail/charset.h"
#include "store/maildir.h"

/* What is open: a group, or an operator that waits for operands. */
struct open_key {
    size_t at;              /* its node */
    int wants;              /* operands still missing; -1: until ')' or end */
};

struct searching {
    struct args *x;
    vec_of(struct search_key) keys;
    vec_of(struct open_key) stack;
    str charset;
    bool modseq;
};

enum argument { NO_ARGUMENT, FLAG_ARGUMENT, DATE_ARGUMENT, NUMBER_ARGUMENT,
                TEXT_ARGUMENT, FIELD_ARGUMENT, HEADER_ARGUMENT, SET_ARGUMENT,
                WORD_ARGUMENT, MODSEQ_ARGUMENT };

static const struct known {
    str name;
    enum key_kind kind;
    enum argument argument;
    uint64_t n;
} known[] = {
    { S_INIT("ALL"), KEY_ALL, NO_ARGUMENT, 0 },
    { S_INIT("ANSWERED"), KEY_FLAG, FLAG_ARGUMENT, FLAG_ANSWERED },
    { S_INIT("BCC"), KEY_ADDRESS, FIELD_ARGUMENT, 0 },
    { S_INIT("BEFORE"), KEY_BEFORE, DATE_ARGUMENT, 0 },
    { S_INIT("BODY"), KEY_BODY, TEXT_ARGUMENT, 0 },
    { S_INIT("CC"), KEY_ADDRESS, FIELD_ARGUMENT, 0 },
    { S_INIT("DELETED"), KEY_FLAG, FLAG_ARGUMENT, FLAG_DELETED },
    { S_INIT("DRAFT"), KEY_FLAG, FLAG_ARGUMENT, FLAG_DRAFT },
    { S_INIT("EMAILID"), KEY_EMAILID, WORD_ARGUMENT, 0 },
    { S_INIT("FLAGGED"), KEY_FLAG, FLAG_ARGUMENT, FLAG_FLAGGED },
    { S_INIT("FROM"), KEY_ADDRESS, FIELD_ARGUMENT, 0 },
    { S_INIT("HEADER"), KEY_HEADER, HEADER_ARGUMENT, 0 },
    { S_INIT("KEYWORD"), KEY_KEYWORD, WORD_ARGUMENT, 0 },
    { S_INIT("LARGER"), KEY_LARGER, NUMBER_ARGUMENT, 0 },
    { S_INIT("MODSEQ"), KEY_MODSEQ, MODSEQ_ARGUMENT, 0 },
    { S_INIT("NEW"), KEY_NEW, NO_ARGUMENT, 0 },
    { S_INIT("OLD"), KEY_OLD, NO_ARGUMENT, 0 },
    { S_INIT("OLDER"), KEY_OLDER, NUMBER_ARGUMENT, 0 },
    { S_INIT("ON"), KEY_ON, DATE_ARGUMENT, 0 },
    { S_INIT("RECENT"), KEY_RECENT, NO_ARGUMENT, 0 },
    { S_INIT("SEEN"), KEY_FLAG, FLAG_ARGUMENT, FLAG_SEEN },
    { S_INIT("SENTBEFORE"), KEY_SENT_BEFORE, DATE_ARGUMENT, 0 },
    { S_INIT("SENTON"), KEY_SENT_ON, DATE_ARGUMENT, 0 },
    { S_INIT("SENTSINCE"), KEY_SENT_SINCE, DATE_ARGUMENT, 0 },
    { S_INIT("SINCE"), KEY_SINCE, DATE_ARGUMENT, 0 },
    { S_INIT("SMALLER"), KEY_SMALLER, NUMBER_ARGUMENT, 0 },
    { S_INIT("SUBJECT"), KEY_HEADER, FIELD_ARGUMENT, 0 },
    { S_INIT("TEXT"), KEY_TEXT, TEXT_ARGUMENT, 0 },
    { S_INIT("THREADID"), KEY_THREADID, WORD_ARGUMENT, 0 },
    { S_INIT("TO"), KEY_ADDRESS, FIELD_ARGUMENT, 0 },
    { S_INIT("UID"), KEY_UID, SET_ARGUMENT, 0 },
    { S_INIT("UNANSWERED"), KEY_NOT_FLAG, FLAG_ARGUMENT, FLAG_ANSWERED },
    { S_INIT("UNDELETED"), KEY_NOT_FLAG, FLAG_ARGUMENT, FLAG_DELETED },
    { S_INIT("UNDRAFT"), KEY_NOT_FLAG, FLAG_ARGUMENT, FLAG_DRAFT },
    { S_INIT("UNFLAGGED"), KEY_NOT_FLAG, FLAG_ARGUMENT, FLAG_FLAGGED },
    { S_INIT("UNKEYWORD"), KEY_NOT_KEYWORD, WORD_ARGUMENT, 0 },
    { S_INIT("UNSEEN"), KEY_NOT_FLAG, FLAG_ARGUMENT, FLAG_SEEN },
    { S_INIT("YOUNGER"), KEY_YOUNGER, NUMBER_ARGUMENT, 0 },
};

static bool push_key(struct searching *s, struct search_key key)
{
    if (s->keys.n == SEARCH_NODES_MAX)
        return args_fail(s->x, "Too many search keys");
    key.size = 1;
    vec_push(s->x->a, &s->keys, key);
    return true;
}

static bool open_push(struct searching *s, enum key_kind kind, int wants)
{
    struct open_key open = { s->keys.n, wants };

    vec_push(s->x->a, &s->stack, open);
    return push_key(s, (struct search_key){ .kind = kind });
}

/* A key is complete: operators that waited for it may be too. */
static void key_done(struct searching *s)
{
    while (s->stack.n) {
        struct open_key *o = &s->stack.p[s->stack.n - 1];

        if (o->wants < 0)
            return;
        if (--o->wants > 0)
            return;
        s->keys.p[o->at].size = s->keys.n - o->at;
        s->stack.n--;
    }
}

static bool take_argument(struct searching *s, const struct known *k,
                          struct search_key *key)
{
    struct args *x = s->x;
    int64_t days;
    str text;

    if (k->argument == NO_ARGUMENT || k->argument == FLAG_ARGUMENT)
        return true;
    if (k->argument == FIELD_ARGUMENT)
        key->name = k->name;
    args_space(x);
    switch (k->argument) {
    case DATE_ARGUMENT:
        if (!args_date(x, &days))
            return false;
        key->n = (uint64_t)days;
        return true;
    case NUMBER_ARGUMENT:
        if (!args_number(x, INT64_MAX, &key->n))
            return false;
        return key->n || (key->kind != KEY_OLDER && key->kind != KEY_YOUNGER)
               || args_fail(x, "Invalid search interval");
    case SET_ARGUMENT:
        return args_set(x, &key->set);
    case WORD_ARGUMENT:
        return args_atom(x, &key->name);
    case MODSEQ_ARGUMENT:
        s->modseq = true;
        if (args_peek(x) == '"'     /* entry and type: all are one here */
            && (!args_string(x, &text) || !args_space(x)
                || !args_atom(x, &text) || !args_space(x)))
            return false;
        return args_number(x, INT64_MAX, &key->n);
    case HEADER_ARGUMENT:
        if (!args_astring(x, &key->name) || !args_space(x))
            return false;
        break;
    default:
        break;
    }
    if (!args_astring(x, &text))
        return false;
    key->needle = mime_needle_of(x->a, text, s->charset);
    return true;
}

static const struct known *known_find(str name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_ieq(known[i].name, name))
            return &known[i];
    return NULL;
}

/* One key, or the beginning of one; *whole: it needs nothing more. */
static bool take_key(struct searching *s, bool *whole)
{
    struct search_key key = { 0 };
    struct args *x = s->x;
    const struct known *k;
    str name;
    int c = args_peek(x);

    *whole = true;
    if (c == '*' || c == '$' || is_digit((char)c)) {
        key.kind = KEY_SEQ;
        return args_set(x, &key.set) && push_key(s, key);
    }
    if (args_open(x)) {
        *whole = false;
        return open_push(s, KEY_AND, -1);
    }
    if (!args_atom(x, &name))
        return false;
    if (str_ieq(name, S("NOT")) || str_ieq(name, S("OR"))) {
        bool not = str_ieq(name, S("NOT"));
        *whole = false;
        return open_push(s, not ? KEY_NOT : KEY_OR, not ? 1 : 2)
               && args_space(x);
    }
    k = known_find(name);
    if (!k)
        return args_fail(x, "Unknown search key");
    key.kind = k->kind;
    key.n = k->n;
    return take_argument(s, k, &key) && push_key(s, key);
}

static bool take_keys(struct searching *s)
{
    struct args *x = s->x;
    bool whole;

    if (!open_push(s, KEY_AND, -1))
        return false;
    for (;;) {
        if (!take_key(s, &whole))
            return false;
        if (!whole)
            continue;
        key_done(s);
        /* groups that end here */
        while (s->stack.n > 1 && s->stack.p[s->stack.n - 1].wants < 0
               && args_close(x)) {
            struct open_key *o = &s->stack.p[--s->stack.n];
            s->keys.p[o->at].size = s->keys.n - o->at;
            key_done(s);
        }
        if (!args_more(x))
            break;
    }
    s->keys.p[0].size = s->keys.n;
    return s->stack.n == 1 ? args_end(x)
                         : args_fail(x, "Missing search argument");
}

static bool take_return(struct args *x, struct search_plan *out)
{
    static const struct {
        str name;
        int option;
    } options[] = {
        { S_INIT("MIN"), RETURN_MIN }, { S_INIT("MAX"), RETURN_MAX },
        { S_INIT("COUNT"), RETURN_COUNT }, { S_INIT("ALL"), RETURN_ALL },
        { S_INIT("SAVE"), RETURN_SAVE },
    };
    bool more;
    str word;

    out->extended = true;
    args_space(x);
    args_begin(x);
    if (x->error)
        return false;
    for (more = !args_close(x); more; more = args_more(x)) {
        size_t i = 0;
        if (!args_atom(x, &word))
            return false;
        while (i < 5 && !str_ieq(word, options[i].name))
            i++;
        if (i == 5)
            return args_fail(x, "Unknown SEARCH return option");
        out->returns |= options[i].option;
    }
    if (out->returns)
        args_finish(x);
    if (!out->returns)
        out->returns = RETURN_ALL;
    return args_space(x);
}

/* Takes word and the space after it if it is next. */
static bool maybe_word(struct args *x, str word)
{
    struct scan before = x->in;

    if (scan_iword(&x->in, word) && scan_peek(&x->in) == ' ')
        return true;
    x->in = before;
    return false;
}

static bool is_inner(enum key_kind kind)
{
    return kind == KEY_AND || kind == KEY_OR || kind == KEY_NOT;
}

static bool leaf_is_cheap(enum key_kind kind)
{
    return kind < KEY_SENT_BEFORE || kind == KEY_OLDER || kind == KEY_YOUNGER
           || kind == KEY_MODSEQ || kind == KEY_EMAILID
           || kind == KEY_THREADID;
}

/* The operands of one node in turn, those that need no file first. */
static void link_operands(struct search_key *p, size_t at)
{
    enum key_kind kind = p[at].kind;
    size_t end = at + p[at].size, before = at;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = at + 1; i < end; i += p[i].size) {
            if (p[i].cheap != (pass == 0))
                continue;
            if (before == at)
                p[at].first = i;
            else if (kind == KEY_OR)
                p[before].no = i;
            else
                p[before].yes = i;
            p[i].yes = kind == KEY_NOT ? p[at].no : p[at].yes;
            p[i].no = kind == KEY_NOT ? p[at].yes : p[at].no;
            before = i;
        }
    }
}

/* Says of each key where to go on.  Nodes stand before their operands, so
 * that one walk backwards and one forwards do. */
static void link_keys(struct search_key *p, size_t n)
{
    for (size_t at = n; at-- > 0;) {
        p[at].cheap = is_inner(p[at].kind) || leaf_is_cheap(p[at].kind);
        if (!is_inner(p[at].kind))
            continue;
        for (size_t i = at + 1; i < at + p[at].size; i += p[i].size)
            p[at].cheap &= p[i].cheap;
    }
    p[0].yes = SEARCH_HIT;
    p[0].no = SEARCH_MISS;
    for (size_t at = 0; at < n; at++)
        if (is_inner(p[at].kind))
            link_operands(p, at);
}

bool search_parse(struct args *x, struct search_plan *out)
{
    struct searching s = { .x = x, .charset = S("utf-8") };

    *out = (struct search_plan){ 0 };
    args_space(x);
    if (maybe_word(x, S("RETURN")) && !take_return(x, out))
        return false;
    if (maybe_word(x, S("CHARSET"))) {
        args_space(x);
        if (!args_astring(x, &s.charset) || !args_space(x))
            return false;
        out->bad_charset = !charset_known(s.charset);
    }
    if (!take_keys(&s))
        return false;
    link_keys(s.keys.p, s.keys.n);
    out->p = s.keys.p;
    out->n = s.keys.n;
    out->modseq = s.modseq;
    return true;
}
