/* SPDX-License-Identifier: ISC
 *
 * Lists in DNS that refuse (RBL, RHSBL) or permit (DNSWL, RHSWL), and the
 * words in which a refusal is put (default_rbl_reply, rbl_reply_maps).
 *
 * Values of the client's, such as its HELO name, stand in such texts only
 * with the bytes of smtpd_expansion_filter, and are not expanded again.
 */
#include "policy/judge.h"

#include "conf/macro.h"
#include "mail/host.h"

/* --- asking --------------------------------------------------------------- */

/* Whether the list has an entry that counts. */
static bool listed(struct task *t, struct judge *j, const struct zone *z,
                   str query, bool *failed)
{
    struct dns_answer x;

    judge_dns(t, j, query, DNS_A, &x);
    *failed = dns_temporary(&x);
    if (*failed)
        judge_warn(t, j, "%.*s: RBL lookup error: Host or domain name not "
                         "found. Name service error for name=%.*s type=A: "
                         "Host not found, try again", STR(query),
                   STR(query));
    for (size_t i = 0; dns_found(&x) && i < x.n; i++)
        if (x.p[i].type == DNS_A && x.p[i].address.kind == ENDPOINT_IP4
            && zone_matches(z, x.p[i].address.ip))
            return true;
    return false;
}

/* What the list says about its entry. */
static str reason_of(struct task *t, struct judge *j, str query)
{
    struct dns_answer x;

    judge_dns(t, j, query, DNS_TXT, &x);
    return dns_found(&x) && x.n > 0 ? table_printable(j->a, x.p[0].data)
                                    : S("");
}

/* --- the reply ------------------------------------------------------------ */

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

struct listing {
    const struct rule *rule;
    const struct subject *subject;
    str what, reason;
};

static str expanded(struct judge *j, const struct listing *l, str text)
{
    struct conf_scope scope = { 0 };
    struct attributes x = {
        .a = j->a,
        .filter = unescape(j->a, conf_raw(j->p->conf,
                                          P_smtpd_expansion_filter)),
    };
    str out, complaint;
    err e;

    map_init(&x.map, false);
    x.p = arena_array(j->a, struct conf_entry, ATTRIBUTES_MAX);
    put_facts(&x, j->f);
    put(&x, "rbl_code", conf_raw(j->p->conf, P_maps_rbl_reject_code));
    put(&x, "rbl_domain", l->rule->zone.domain);
    put(&x, "rbl_class", str_from(l->subject->class));
    put(&x, "rbl_what", l->what);
    put(&x, "rbl_reason", l->reason);
    put(&x, "rbl_txt", l->reason);
    scope.overrides = &x.map;
    e = macro_expand(&scope, j->a, text, &out, &complaint);
    map_free(&x.map);
    return e ? S("") : out;
}

static enum outcome refuse(struct task *t, struct judge *j,
                           const struct listing *l)
{
    str text = conf_raw(j->p->conf, P_default_rbl_reply), own = S("");
    struct reply r;
    err e = ERR_ABSENT;

    if (maps_any(&j->p->rbl_replies))
        e = maps_find(t, &j->p->rbl_replies, l->rule->argument, j->a, &own);
    if (e == OK)
        text = own;
    text = expanded(j, l, text);
    if (!reply_parse(text, &r) || r.code < 400) {
        judge_warn(t, j, "rbl response code configuration error: %.*s",
                   STR(text));
        r = REPLY(450, "4.7.1", "Service unavailable");
    }
    if (!r.dsn[0])
        r = reply_fmt(j->a, r.code, r.code < 500 ? "4.7.1" : "5.7.1", "%.*s",
                      STR(r.text));
    if (str_empty(r.text))
        r.text = S("Service unavailable");
    dsn_fix(r.dsn, l->subject->class);
    return judge_refuse(t, j, r);
}

/* --- the words ------------------------------------------------------------ */

/* The domain of a name or address that a list can be asked about. */
static bool askable(str what, str *domain)
{
    size_t at = str_rchr(what, '@');
    size_t dot;

    *domain = at == STR_NONE ? what : str_skip(what, at + 1);
    dot = str_rchr(*domain, '.');
    return host_valid(*domain, true)
           && str_span(dot == STR_NONE ? *domain : str_skip(*domain, dot + 1),
                       S("0123456789")) != STR_NONE;
}

/* The name to ask for; false: there is nothing to ask. */
static bool query_of(struct judge *j, const struct rule *r, str text,
                     str *query)
{
    bool by_address = r->operation == DO_RBL || r->operation == DO_DNSWL;
    struct endpoint client;
    str domain;

    if (by_address) {
        if (endpoint_parse(j->f->client_address, 0, &client))
            return false;
        *query = dns_reverse_name(&client, r->zone.domain, j->a);
        return true;
    }
    if (str_ieq(text, S("unknown")) || !askable(text, &domain))
        return false;
    *query = arena_fmt(j->a, "%.*s.%.*s", STR(domain), STR(r->zone.domain));
    return true;
}

/* A permitting list does not open a relay. */
static enum outcome permit(struct task *t, struct judge *j,
                           const struct rule *r, str query)
{
    bool failed, ours = true;
    enum outcome out = OUT_DUNNO;

    if (j->f->has_recipient)
        out = judge_auth_destination(t, j, &ours);
    if (out != OUT_DUNNO || !ours)
        return out;
    if (listed(t, j, &r->zone, query, &failed))
        return OUT_PERMIT;
    if (failed)
        judge_defer_if_reject(
            j, reply_fmt(j->a, 450, "4.7.1",
                         "<%.*s>: %.*s: %s lookup error",
                         STR(query), STR(r->word),
                         r->operation == DO_DNSWL ? "DNSWL" : "RHSWL"));
    return OUT_DUNNO;
}

enum outcome judge_dnslist(struct task *t, struct judge *j,
                           const struct rule *r)
{
    struct listing l = { .rule = r };
    struct subject s;
    str text, query;
    bool failed;

    if (!judge_about(j, r->about, &text, &s) || str_empty(text)
        || !query_of(j, r, text, &query))
        return OUT_DUNNO;
    if (r->operation == DO_DNSWL || r->operation == DO_RHSWL)
        return permit(t, j, r, query);
    if (!listed(t, j, &r->zone, query, &failed))
        return OUT_DUNNO;
    l.subject = &s;
    l.what = r->operation == DO_RBL ? j->f->client_address : text;
    l.reason = reason_of(t, j, query);
    return refuse(t, j, &l);
}
