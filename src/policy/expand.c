/* SPDX-License-Identifier: ISC
 *
 * Texts with $client_name and its like in them: replies of DNS lists, and
 * what is added to refusals (smtpd_reject_footer).
 *
 * Values of the client's, such as its HELO name, stand in such texts only
 * with the bytes of smtpd_expansion_filter, and are not expanded again.
 */
#include "policy/judge.h"

#include "conf/macro.h"

struct attributes {
    struct arena *a;
    str filter;
    struct map map;
    struct conf_entry *p;
    size_t n;
};

enum { ATTRIBUTES_MAX = 32 };

static void put(struct attributes *x, const char *name, str value)
{
    struct buf b;

    buf_init(&b, x->a, 8 * 1024);
    for (size_t i = 0; i < value.n; i++) {
        char c = str_chr(x->filter, value.p[i]) == STR_NONE ? '_'
                                                            : value.p[i];
        if (c == '$')
            buf_byte(&b, '$');
        buf_byte(&b, c);
    }
    must(x->n < ATTRIBUTES_MAX);
    x->p[x->n] = (struct conf_entry){ .name = str_from(name),
                                      .value = buf_str(&b) };
    map_put(&x->map, x->p[x->n].name, &x->p[x->n]);
    x->n++;
}

static void put_address(struct attributes *x, const char *const names[3],
                        const struct address *who)
{
    put(x, names[0], address_is_null(who) ? S("<>") : who->text);
    put(x, names[1], who->local);
    put(x, names[2], who->domain);
}

static void put_facts(struct attributes *x, const struct policy_facts *f)
{
    static const char *const sender[] = { "sender", "sender_name",
                                          "sender_domain" };
    static const char *const recipient[] = { "recipient", "recipient_name",
                                             "recipient_domain" };

    put(x, "client", arena_fmt(x->a, "%.*s[%.*s]", STR(f->client_name),
                               STR(f->client_address)));
    put(x, "client_address", f->client_address);
    put(x, "client_port", arena_fmt(x->a, "%u", f->client_port));
    put(x, "client_name", f->client_name);
    put(x, "reverse_client_name", f->reverse_name);
    put(x, "helo_name", f->helo);
    put(x, "server_address", f->server_address);
    if (f->has_sender)
        put_address(x, sender, &f->sender);
    if (f->has_recipient)
        put_address(x, recipient, &f->recipient);
}

/* "\040" and its like in smtpd_expansion_filter. */
static str unescape(struct arena *a, str s)
{
    struct buf b;
    struct scan sc = scan_of(s);

    buf_init(&b, a, 4096);
    while (!scan_done(&sc)) {
        int c = scan_next(&sc), value = 0, n = 0;
        if (c != '\\') {
            buf_byte(&b, (char)c);
            continue;
        }
        while (n < 3 && scan_peek(&sc) >= '0' && scan_peek(&sc) <= '7') {
            value = value * 8 + scan_next(&sc) - '0';
            n++;
        }
        if (n == 0 && (c = scan_next(&sc)) >= 0)
            value = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        buf_byte(&b, (char)value);
    }
    return buf_str(&b);
}

static str expand(const struct policy *p, const struct policy_facts *f,
                  struct arena *a, str text, const struct policy_word *own,
                  size_t n)
{
    struct conf_scope scope = { 0 };
    struct attributes x = {
        .a = a,
        .filter = unescape(a, conf_raw(p->conf, P_smtpd_expansion_filter)),
    };
    str out, complaint;
    err e;

    map_init(&x.map, false);
    x.p = arena_array(a, struct conf_entry, ATTRIBUTES_MAX);
    put_facts(&x, f);
    put(&x, "server_name", conf_str(p->conf, P_myhostname));
    for (size_t i = 0; i < n; i++)
        put(&x, own[i].name, own[i].value);
    scope.overrides = &x.map;
    e = macro_expand(&scope, a, text, &out, &complaint);
    map_free(&x.map);
    return e ? S("") : out;
}

str judge_expand(struct judge *j, str text, const struct policy_word *own,
                 size_t n)
{
    return expand(j->p, j->f, j->a, text, own, n);
}

/* "\\n" begins a line. */
static str lines_of(struct arena *a, str text)
{
    struct buf b;

    buf_init(&b, a, 8 * 1024);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == 'n') {
            buf_byte(&b, '\n');
            i++;
        } else {
            buf_byte(&b, text.p[i]);
        }
    }
    return buf_str(&b);
}

bool policy_has_footer(const struct policy *p)
{
    return maps_any(&p->footers)
           || !str_empty(conf_raw(p->conf, P_smtpd_reject_footer));
}

struct reply policy_footer(struct task *t, const struct policy *p,
                           const struct policy_facts *f, struct arena *a,
                           struct reply r)
{
    str text = conf_raw(p->conf, P_smtpd_reject_footer), own = S("");
    bool same_line;

    if (maps_any(&p->footers)
        && !maps_find(t, &p->footers,
                      arena_fmt(a, "%d %s %.*s", r.code, r.dsn, STR(r.text)),
                      a, &own))
        text = own;
    if (str_empty(text))
        return r;
    same_line = str_starts(text, S("\\c"));
    text = lines_of(a, same_line ? str_skip(text, 2) : text);
    text = expand(p, f, a, text, NULL, 0);
    r.text = arena_fmt(a, "%.*s%s%.*s", STR(r.text), same_line ? "" : "\n",
                       STR(text));
    return r;
}
