/* SPDX-License-Identifier: ISC
 *
 * Structured header values: "type/subtype; name=value", with the comments and
 * quotes of RFC 5322, the parameters of RFC 2231, and the leniency that real
 * mail needs (unquoted blanks end a value, a missing quote ends with the
 * text).
 */
#include "mail/mime.h"

#include "mail/charset.h"

enum { COMMENT_DEPTH_MAX = 50, PARAM_TEXT_MAX = 64 * 1024,
       JOINED_MAX = 20 };       /* parameters that come in pieces */

/* Skips blanks, line ends and nested comments. */
static void skip_space(struct scan *s)
{
    int depth = 0;

    for (int c; (c = scan_peek(s)) >= 0; s->at++) {
        if (c == '(' && depth < COMMENT_DEPTH_MAX)
            depth++;
        else if (depth > 0 && c == ')')
            depth--;
        else if (depth > 0 && c == '\\')
            s->at++;
        else if (depth == 0 && !is_space((char)c))
            break;
    }
    if (s->at > s->in.n)
        s->at = s->in.n;
}

static bool is_token_char(char c)
{
    return (unsigned char)c > ' ' && c != 127
           && str_chr(S("()<>@,;:\\\"/[]?="), c) == STR_NONE;
}

/* Values are often written without the quotes they need. */
static bool is_value_char(char c)
{
    return !is_space(c) && c != ';' && c != '"' && c != '(';
}

/* The inside of a quoted string; the opening quote was taken. */
static str quoted(struct scan *s, struct arena *a)
{
    struct buf b;
    int c;

    buf_init(&b, a, s->in.n + 1);
    while ((c = scan_next(s)) >= 0 && c != '"') {
        if (c == '\\' && scan_peek(s) >= 0)
            c = scan_next(s);
        if (c != '\r' && c != '\n')
            buf_byte(&b, (char)c);
    }
    return buf_str(&b);
}

static bool param_next(struct scan *s, struct arena *a,
                       struct mime_param *out)
{
    for (;;) {
        str skipped = scan_until(s, S(";"));

        (void)skipped; /* what stands between value and semicolon */
        if (!scan_byte(s, ';'))
            return false;
        skip_space(s);
        out->name = scan_class(s, is_token_char);
        skip_space(s);
        if (out->name.n && scan_byte(s, '='))
            break;
    }
    skip_space(s);
    if (scan_byte(s, '"'))
        out->value = quoted(s, a);
    else
        out->value = scan_class(s, is_value_char);
    return true;
}

bool mime_value_parse(struct arena *a, str value, struct mime_value *out)
{
    struct scan s = scan_of(value);
    vec_of(struct mime_param) params = { 0 };
    struct mime_param p;

    *out = (struct mime_value){ .head = S(""), .sub = S("") };
    skip_space(&s);
    out->head = scan_class(&s, is_token_char);
    if (!out->head.n)
        return false;
    skip_space(&s);
    if (scan_byte(&s, '/')) {
        skip_space(&s);
        out->sub = scan_class(&s, is_token_char);
    }
    while (params.n < MIME_PARAMS_MAX && param_next(&s, a, &p))
        vec_push(a, &params, p);
    out->params = params.p;
    out->n = params.n;
    return true;
}

void mime_type_of(struct arena *a, str header, struct mime_value *out)
{
    str value;

    if (mime_field_find(header, S("Content-Type"), &value)
        && mime_value_parse(a, value, out) && out->sub.n)
        return;
    *out = (struct mime_value){ .head = S("text"), .sub = S("plain") };
}

static const struct mime_param *param_named(const struct mime_value *v,
                                            str name)
{
    for (size_t i = 0; i < v->n; i++)
        if (str_ieq(v->params[i].name, name))
            return &v->params[i];
    return NULL;
}

static void percent_decode(struct buf *to, str s)
{
    while (s.n) {
        uint64_t byte;

        if (s.p[0] == '%' && s.n >= 3
            && str_hex(str_head(str_skip(s, 1), 2), 255, &byte)) {
            buf_byte(to, (char)byte);
            s = str_skip(s, 3);
        } else {
            buf_byte(to, s.p[0]);
            s = str_skip(s, 1);
        }
    }
}

/* Takes "charset'language'" off an extended value. */
static str charset_take(str *value)
{
    str rest = *value, charset, language;

    if (!str_cut(&rest, '\'', &charset) || !rest.p
        || !str_cut(&rest, '\'', &language) || !rest.p)
        return S("");
    *value = rest;
    return charset;
}

/* name*0, name*0*, name*1 ... joined; false if there is no first one. */
static bool param_joined(struct arena *a, const struct mime_value *v,
                         str name, struct buf *raw, str *charset)
{
    for (unsigned i = 0; i < MIME_PARAMS_MAX; i++) {
        const struct mime_param *p;
        str value;

        p = param_named(v, arena_fmt(a, "%.*s*%u", STR(name), i));
        if (p) {
            buf_add(raw, p->value);
            continue;
        }
        p = param_named(v, arena_fmt(a, "%.*s*%u*", STR(name), i));
        if (!p)
            return i > 0;
        value = p->value;
        if (i == 0)
            *charset = charset_take(&value);
        percent_decode(raw, value);
    }
    return true;
}

bool mime_param_find(struct arena *a, const struct mime_value *v, str name,
                     str *out)
{
    const struct mime_param *plain = param_named(v, name);
    const struct mime_param *extended;
    str charset = S(""), value;
    struct buf raw, text;

    buf_init(&raw, a, PARAM_TEXT_MAX);
    buf_init(&text, a, PARAM_TEXT_MAX);
    extended = v->n ? param_named(v, arena_fmt(a, "%.*s*", STR(name)))
                    : NULL;
    if (extended) {
        value = extended->value;
        charset = charset_take(&value);
        percent_decode(&raw, value);
    } else if (plain) {
        mime_words_decode(&text, plain->value);
        *out = buf_str(&text);
        return true;
    } else if (!v->n || !param_joined(a, v, name, &raw, &charset)) {
        return false;
    }
    charset_to_utf8(charset, buf_str(&raw), &text);
    *out = buf_str(&text);
    return true;
}

/* "name*3*" gives "name"; false if it is no continuation's name. */
static bool piece_name(str name, str *head, uint64_t *n, bool *encoded)
{
    str rest = name, digits;

    if (!str_cut(&rest, '*', head) || !rest.p || !head->n)
        return false;
    str_cut(&rest, '*', &digits);
    *encoded = rest.p != NULL;
    return str_uint(digits, MIME_PARAMS_MAX, n) && (!rest.p || !rest.n);
}

static void percent_encode(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_token_char(s.p[i]) && c < 127
            && str_chr(S("*'%"), s.p[i]) == STR_NONE)
            buf_byte(to, s.p[i]);
        else
            buf_fmt(to, "%%%02X", c);
    }
}

/* A parameter's name, read once. */
struct piece {
    str head;
    uint64_t number;
    bool continued, encoded;
};

/* The pieces of one parameter from number 0 on, joined. */
static struct mime_param join_one(struct arena *a, const struct mime_value *v,
                                  const struct piece *pieces, size_t first)
{
    const struct mime_param *found[MIME_PARAMS_MAX] = { NULL };
    bool coded[MIME_PARAMS_MAX] = { false }, any = false;
    str head = pieces[first].head;
    struct buf b;

    for (size_t i = 0; i < v->n; i++) {
        uint64_t n = pieces[i].number;
        if (pieces[i].continued && n < MIME_PARAMS_MAX
            && str_ieq(pieces[i].head, head)) {
            found[n] = &v->params[i];
            coded[n] = pieces[i].encoded;
        }
    }
    buf_init(&b, a, PARAM_TEXT_MAX);
    for (size_t i = 0; i < MIME_PARAMS_MAX && found[i]; i++)
        any |= coded[i];
    for (size_t i = 0; i < MIME_PARAMS_MAX && found[i]; i++) {
        if (any && !coded[i])
            percent_encode(&b, found[i]->value);
        else
            buf_add(&b, found[i]->value);
    }
    return (struct mime_param){ any ? arena_cat(a, head, S("*")) : head,
                                buf_str(&b) };
}

void mime_params_join(struct arena *a, struct mime_value *v)
{
    struct mime_param *p = arena_array(a, struct mime_param, v->n + 1);
    struct piece *pieces = arena_array(a, struct piece, v->n + 1);
    size_t n = 0, bytes = 0, heads = 0;

    for (size_t i = 0; i < v->n; i++) {
        struct piece *x = &pieces[i];
        x->continued = piece_name(v->params[i].name, &x->head, &x->number,
                                  &x->encoded);
    }
    for (size_t i = 0; i < v->n; i++) {
        if (!pieces[i].continued) {
            p[n++] = v->params[i];
        } else if (pieces[i].number == 0 && bytes < PARAM_TEXT_MAX
                   && heads < JOINED_MAX) {
            p[n] = join_one(a, v, pieces, i);
            bytes += p[n++].value.n;    /* bounds many of many pieces */
            heads++;
        }
    }
    v->params = p;
    v->n = n;
}

enum mime_encoding mime_encoding_of(str header)
{
    str value, word;
    struct scan s;

    if (!mime_field_find(header, S("Content-Transfer-Encoding"), &value))
        return MIME_IDENTITY;
    s = scan_of(value);
    skip_space(&s);
    word = scan_class(&s, is_token_char);
    if (str_ieq(word, S("base64")))
        return MIME_BASE64;
    if (str_ieq(word, S("quoted-printable")))
        return MIME_QUOTED;
    if (!word.n || str_ieq(word, S("7bit")) || str_ieq(word, S("8bit"))
        || str_ieq(word, S("binary")))
        return MIME_IDENTITY;
    return MIME_UNKNOWN;
}
