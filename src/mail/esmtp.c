/* SPDX-License-Identifier: ISC
 *
 * ESMTP parameters.
 */
#include "mail/esmtp.h"

/* One "NAME=value"; the value is NULL when there is no "=". */
struct param {
    str word;
    str name;
    str value;
    bool has_value;
};

static bool next_param(str *rest, struct param *out)
{
    size_t eq;

    if (!str_token(rest, S(" \t"), &out->word))
        return false;
    eq = str_chr(out->word, '=');
    out->has_value = eq != STR_NONE;
    out->name = str_head(out->word, eq == STR_NONE ? out->word.n : eq);
    out->value = str_skip(out->word, out->name.n + 1);
    return true;
}

/* Whether this is parameter NAME=, and offered. */
static bool is(const struct param *p, str name, bool offered)
{
    return offered && p->has_value && str_ieq(p->name, name);
}

static bool printable(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 32 || s.p[i] > 126)
            return false;
    return s.n > 0;
}

static bool unknown(const struct param *p, struct arena *a,
                    struct reply *fault)
{
    str word = str_head(p->word, 100);
    struct buf b;

    buf_init(&b, a, word.n + 1);
    for (size_t i = 0; i < word.n; i++) {
        unsigned char c = (unsigned char)word.p[i];
        buf_byte(&b, c < 32 || c > 126 ? '?' : (char)c);
    }
    *fault = reply_fmt(a, 555, "5.5.4", "Unsupported option: %.*s",
                       STR(buf_str(&b)));
    return false;
}

void xtext_encode(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > 32 && c < 127 && c != '+' && c != '=')
            buf_byte(to, (char)c);
        else
            buf_fmt(to, "+%02X", c);
    }
}

bool xtext_decode(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint64_t n = (unsigned char)s.p[i];
        if (n == '+') {
            if (s.n - i < 3 || !str_hex((str){ s.p + i + 1, 2 }, 255, &n))
                return false;
            i += 2;
        } else if (n <= 32 || n >= 127 || n == '=') {
            return false;
        }
        buf_byte(to, (char)n);
    }
    return true;
}

/* utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 section 3): \x{HEX} for a
 * code point, 8-bit bytes as they are. */
static bool unitext_decode(struct buf *to, str s)
{
    while (s.n) {
        size_t end;
        uint64_t code;
        if (!str_starts(s, S("\\x{"))) {
            if ((unsigned char)s.p[0] <= 32 || s.p[0] == 127)
                return false;
            buf_byte(to, s.p[0]);
            s = str_skip(s, 1);
            continue;
        }
        s = str_skip(s, 3);
        end = str_chr(s, '}');
        if (end == STR_NONE || end > 6 ||
            !str_hex(str_head(s, end), 0x10ffff, &code))
            return false;
        utf8_put(to, (uint32_t)code);
        s = str_skip(s, end + 1);
    }
    return true;
}

static void unitext_encode(struct buf *to, str s)
{
    uint32_t code;

    while (s.n) {
        if (!utf8_next(&s, &code))
            code = 0xfffd;
        if (code > 32 && code < 127 && code != '\\' && code != '+' &&
            code != '=')
            buf_byte(to, (char)code);
        else
            buf_fmt(to, "\\x{%02" PRIX32 "}", code);
    }
}

static bool is_utf8_type(str type)
{
    return str_ieq(type, S("utf-8"));
}

void orcpt_encode(struct buf *to, str orcpt)
{
    size_t semi = str_chr(orcpt, ';');
    str type = str_head(orcpt, semi == STR_NONE ? 0 : semi);
    str address = semi == STR_NONE ? orcpt : str_skip(orcpt, semi + 1);

    buf_add(to, type.n ? type : S("rfc822"));
    buf_byte(to, ';');
    if (is_utf8_type(type))
        unitext_encode(to, address);
    else
        xtext_encode(to, address);
}

static bool read_envid(str value, struct arena *a, str *out)
{
    struct buf b;

    buf_init(&b, a, ENVID_MAX);
    if (value.n == 0 || !xtext_decode(&b, value) || b.over ||
        !printable(buf_str(&b)))
        return false;
    *out = buf_str(&b);
    return true;
}

static bool read_auth(str value, struct arena *a, str *out)
{
    struct buf b;

    buf_init(&b, a, ORCPT_MAX);
    if (value.n == 0 || !xtext_decode(&b, value) || b.over)
        return false;
    *out = str_eq(buf_str(&b), S("<>")) ? S("") : buf_str(&b);
    return out->n == 0 || printable(*out);
}

static bool fault_is(struct reply *fault, struct reply r)
{
    *fault = r;
    return false;
}

#define FAULT(code, text)                                                     \
    fault_is(fault, REPLY(code, "5.5.4", text))

/* A parameter of RFC 3461. */
static bool dsn_word(const struct param *p)
{
    return p->has_value
           && (str_ieq(p->name, S("RET")) || str_ieq(p->name, S("ENVID"))
               || str_ieq(p->name, S("NOTIFY"))
               || str_ieq(p->name, S("ORCPT")));
}

static bool mail_param(const struct param *p, int offers, struct arena *a,
                       struct mail_params *m, struct reply *fault)
{
    if (!(offers & ESMTP_DSN) && dsn_word(p))
        return fault_is(fault, REPLY(501, "5.7.1",
                                     "DSN support is disabled"));
    if (is(p, S("SIZE"), offers & ESMTP_SIZE)) {
        if (p->value.n > 18
            && str_span(p->value, S("0123456789")) == STR_NONE)
            return fault_is(fault, REPLY(552, "5.3.4",
                                         "Message size exceeds file system "
                                         "imposed limit"));
        if (!str_uint(p->value, INT64_MAX, &m->size))
            return FAULT(501, "Bad message size syntax");
    } else if (is(p, S("BODY"), offers & ESMTP_8BITMIME)) {
        m->body = str_ieq(p->value, S("8BITMIME")) ? BODY_8BITMIME
                  : str_ieq(p->value, S("7BIT"))   ? BODY_7BIT
                                                   : BODY_UNSAID;
        if (m->body == BODY_UNSAID)
            return unknown(p, a, fault);
    } else if (is(p, S("RET"), offers & ESMTP_DSN)) {
        if (m->ret != RET_UNSAID)
            return FAULT(501, "Bad RET parameter syntax");
        m->ret = str_ieq(p->value, S("FULL"))   ? RET_FULL
                 : str_ieq(p->value, S("HDRS")) ? RET_HDRS
                                                : RET_UNSAID;
        if (m->ret == RET_UNSAID)
            return FAULT(501, "Bad RET parameter syntax");
    } else if (is(p, S("ENVID"), offers & ESMTP_DSN)) {
        if (m->envid.n || !read_envid(p->value, a, &m->envid))
            return FAULT(501, "Bad ENVID parameter syntax");
    } else if (is(p, S("AUTH"), offers & ESMTP_AUTH)) {
        if (m->has_auth)
            return FAULT(503, "Error: multiple AUTH= options");
        if (!read_auth(p->value, a, &m->auth))
            return FAULT(501, "Bad AUTH parameter syntax");
        m->has_auth = true;
    } else if ((offers & ESMTP_UTF8) && str_ieq(p->word, S("SMTPUTF8"))) {
        m->smtputf8 = true;
    } else {
        return unknown(p, a, fault);
    }
    return true;
}

bool esmtp_mail(str text, int offers, struct arena *a,
                struct mail_params *out, struct reply *fault)
{
    struct mail_params m = { 0 };
    struct param p;

    while (next_param(&text, &p))
        if (!mail_param(&p, offers, a, &m, fault))
            return false;
    *out = m;
    return true;
}

static bool read_notify(str value, int *out)
{
    int notify = 0;
    str word;

    while (str_cut(&value, ',', &word)) {
        int one = str_ieq(word, S("SUCCESS"))   ? NOTIFY_SUCCESS
                  : str_ieq(word, S("FAILURE")) ? NOTIFY_FAILURE
                  : str_ieq(word, S("DELAY"))   ? NOTIFY_DELAY
                  : str_ieq(word, S("NEVER"))   ? NOTIFY_NEVER
                                                : 0;
        if (!one || (notify & one))
            return false;
        notify |= one;
    }
    if (!notify || ((notify & NOTIFY_NEVER) && notify != NOTIFY_NEVER))
        return false;
    *out = notify;
    return true;
}

static bool is_address_type(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return s.n > 0;
}

static bool read_orcpt(str value, struct arena *a, str *out)
{
    size_t semi = str_chr(value, ';');
    str type, address;
    struct buf b;
    bool good;

    if (semi == STR_NONE)
        return false;
    type = str_head(value, semi);
    address = str_skip(value, semi + 1);
    if (!is_address_type(type) || address.n == 0)
        return false;
    buf_init(&b, a, ORCPT_MAX);
    buf_add(&b, type);
    buf_byte(&b, ';');
    good = is_utf8_type(type) ? unitext_decode(&b, address)
                              : xtext_decode(&b, address);
    if (!good || b.over || !utf8_valid(buf_str(&b)))
        return false;
    for (size_t i = 0; i < b.n; i++)
        if ((unsigned char)b.p[i] < 32 || b.p[i] == 127)
            return false;
    *out = buf_str(&b);
    return true;
}

bool esmtp_rcpt(str text, int offers, struct arena *a,
                struct rcpt_params *out, struct reply *fault)
{
    struct rcpt_params r = { 0 };
    struct param p;

    while (next_param(&text, &p)) {
        if (!(offers & ESMTP_DSN) && dsn_word(&p))
            return fault_is(fault, REPLY(501, "5.7.1",
                                         "DSN support is disabled"));
        if (is(&p, S("NOTIFY"), offers & ESMTP_DSN)) {
            if (r.notify || !read_notify(p.value, &r.notify))
                return FAULT(501, "Error: Bad NOTIFY parameter syntax");
        } else if (is(&p, S("ORCPT"), offers & ESMTP_DSN)) {
            if (r.orcpt.n || !read_orcpt(p.value, a, &r.orcpt))
                return FAULT(501, "Error: Bad ORCPT parameter syntax");
        } else {
            return unknown(&p, a, fault);
        }
    }
    *out = r;
    return true;
}
