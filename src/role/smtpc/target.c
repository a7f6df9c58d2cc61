/* SPDX-License-Identifier: ISC
 *
 * Where a next hop is: "[host]:port" the host itself, "[192.0.2.1]" an
 * address, "domain" its mail exchangers by preference, else the domain itself
 * (RFC 5321 section 5.1; null MX: RFC 7505); "unix:path" for LMTP.
 */
#include "role/smtpc/smtpc.h"

#include "mail/host.h"

enum { DNS_WAIT_S = 60, SMTP_PORT = 25, LMTP_PORT = 24, SECURE_PORT = 465,
       SUBMISSION_PORT = 587 };

struct hop_name {
    str host;
    bool brackets;
    uint16_t port;
};

static bool port_of(str text, uint16_t *port)
{
    uint64_t n;

    if (str_uint(text, 65535, &n) && n > 0) {
        *port = (uint16_t)n;
        return true;
    }
    *port = str_ieq(text, S("smtp")) ? SMTP_PORT
          : str_ieq(text, S("lmtp")) ? LMTP_PORT
          : str_ieq(text, S("submission")) ? SUBMISSION_PORT
          : str_ieq(text, S("smtps")) || str_ieq(text, S("submissions"))
                ? SECURE_PORT : 0;
    return *port != 0;
}

static bool hop_parse(str nexthop, uint16_t preset, struct hop_name *out)
{
    str rest = nexthop;
    size_t end;

    *out = (struct hop_name){ .port = preset };
    if (str_starts(rest, S("inet:")))
        rest = str_skip(rest, 5);
    if (rest.n && rest.p[0] == '[') {
        end = str_chr(rest, ']');
        if (end == STR_NONE)
            return false;
        out->brackets = true;
        out->host = str_head(str_skip(rest, 1), end - 1);
        rest = str_skip(rest, end + 1);
        if (rest.n == 0)
            return out->host.n > 0;
        return rest.p[0] == ':' && port_of(str_skip(rest, 1), &out->port);
    }
    end = str_rchr(rest, ':');
    if (end != STR_NONE && !port_of(str_skip(rest, end + 1), &out->port))
        return false;
    out->host = str_head(rest, end);
    return out->host.n > 0;
}

static void nothing(struct targets *out, bool permanent, const char *dsn,
                    str reason)
{
    out->permanent = permanent;
    memcpy(out->dsn, dsn, 6);
    out->reason = reason;
}

static void add(struct arena *a, struct targets *out, str host,
                const struct endpoint *at, uint16_t port)
{
    struct target tg = { .host = host, .at = *at };

    tg.at.port = port;
    vec_push(a, &out->list, tg);
}

/* All addresses of a host. */
static err add_host(struct task *t, struct client *c, str host, uint16_t port,
                    struct arena *a, struct targets *out,
                    enum dns_outcome *outcome)
{
    struct dns_answer found = { 0 };
    err e = dns_host(t, c->dns, host, after_s(t, DNS_WAIT_S), a, &found);

    if (e == ERR_STOPPED)
        return e;
    *outcome = e ? DNS_TRY_AGAIN : found.outcome;
    for (size_t i = 0; !e && i < found.n; i++)
        add(a, out, host, &found.p[i].address, port);
    return OK;
}

static void no_host(struct arena *a, struct targets *out, str host,
                    enum dns_outcome outcome)
{
    bool permanent = outcome == DNS_NO_NAME || outcome == DNS_NO_DATA;

    nothing(out, permanent, permanent ? "5.4.4" : "4.4.3",
            arena_fmt(a, permanent
                             ? "Host or domain name not found. Name service "
                               "error for name=%.*s type=A: Host not found"
                             : "Host or domain name not found. Name service "
                               "error for name=%.*s type=A: Host not found, "
                               "try again", STR(host)));
}

static int by_preference(const void *a, const void *b)
{
    const struct dns_record *x = *(const struct dns_record *const *)a,
                            *y = *(const struct dns_record *const *)b;

    return (int)x->preference - (int)y->preference;
}

static err add_exchangers(struct task *t, struct client *c,
                          const struct dns_answer *mx, uint16_t port,
                          struct arena *a, struct targets *out)
{
    const struct dns_record **order =
        arena_array(a, const struct dns_record *, mx->n);
    enum dns_outcome outcome = DNS_TRY_AGAIN;

    for (size_t i = 0; i < mx->n; i++) { /* equal ones in any order */
        size_t j = (size_t)rt_random_below(t, i + 1);
        order[i] = order[j];
        order[j] = &mx->p[i];
    }
    qsort(order, mx->n, sizeof(*order), by_preference);
    for (size_t i = 0; i < mx->n && out->list.n < 20; i++)
        TRY(add_host(t, c, order[i]->name, port, a, out, &outcome));
    if (out->list.n == 0)
        no_host(a, out, order[0]->name, outcome);
    return OK;
}

static err by_mail_exchanger(struct task *t, struct client *c,
                             const struct hop_name *name, struct arena *a,
                             struct targets *out)
{
    struct dns_answer mx = { 0 };
    enum dns_outcome outcome;
    err e = dns_ask(t, c->dns, name->host, DNS_MX, after_s(t, DNS_WAIT_S), a,
                    &mx);

    if (e == ERR_STOPPED)
        return e;
    if (e || mx.outcome == DNS_TRY_AGAIN || mx.outcome == DNS_BOGUS) {
        nothing(out, false, "4.4.3",
                arena_fmt(a, "Host or domain name not found. Name service "
                          "error for name=%.*s type=MX: Host not found, try "
                          "again", STR(name->host)));
        return OK;
    }
    if (mx.outcome == DNS_FOUND && mx.n == 1
        && (str_empty(mx.p[0].name) || str_eq(mx.p[0].name, S(".")))) {
        out->null_mx = true;
        nothing(out, true, "5.1.0",
                arena_fmt(a, "Domain %.*s does not accept mail (nullMX)",
                          STR(name->host)));
        return OK;
    }
    if (mx.outcome == DNS_FOUND && mx.n > 0)
        return add_exchangers(t, c, &mx, name->port, a, out);
    TRY(add_host(t, c, name->host, name->port, a, out, &outcome));
    if (out->list.n == 0)
        no_host(a, out, name->host, outcome);
    return OK;
}

err targets_find(struct task *t, struct client *c,
                 const struct client_settings *l, str nexthop,
                 struct arena *a, struct targets *out)
{
    struct hop_name name;
    struct endpoint at;
    enum dns_outcome outcome;

    *out = (struct targets){ 0 };
    if (str_starts(nexthop, S("unix:"))) {
        str path = str_skip(nexthop, 5);
        if (path.p[0] != '/')
            path = arena_fmt(a, "%.*s/%.*s",
                             STR(conf_str(l->conf, P_queue_directory)),
                             STR(path));
        if (endpoint_unix(path, &at))
            nothing(out, false, "4.3.5", S("bad socket name"));
        else
            add(a, out, conf_str(l->conf, P_myhostname), &at, 0);
        return OK;
    }
    if (!hop_parse(nexthop, l->lmtp ? LMTP_PORT : SMTP_PORT, &name)) {
        nothing(out, false, "4.3.5",
                arena_fmt(a, "invalid next-hop destination: %.*s",
                          STR(nexthop)));
        return OK;
    }
    if (!endpoint_parse(name.host, name.port, &at)) {
        add(a, out, endpoint_address(&at, a), &at, name.port);
        return OK;
    }
    if (!name.brackets && !l->lmtp)
        return by_mail_exchanger(t, c, &name, a, out);
    TRY(add_host(t, c, name.host, name.port, a, out, &outcome));
    if (out->list.n == 0)
        no_host(a, out, name.host, outcome);
    return OK;
}
