/* SPDX-License-Identifier: ISC
 *
 * SRV records, by which mail programs find a domain's services: _imap, _pop3,
 * _submission (RFC 6186), and with TLS from the start _imaps, _pop3s,
 * _submissions (RFC 8314).
 */
#include "role/tool/records.h"

#include "role/service.h"

enum { SMTP_PORT = 25 };

static const struct {
    str command;
    enum param wrapped;         /* TLS from the start */
    const char *plain, *tls;
} kinds[] = {
    { S_INIT("imapd"), P_imapd_tls_wrappermode, "_imap", "_imaps" },
    { S_INIT("pop3d"), P_pop3d_tls_wrappermode, "_pop3", "_pop3s" },
    { S_INIT("smtpd"), P_smtpd_tls_wrappermode, "_submission",
      "_submissions" },
};

enum { N_KINDS = sizeof(kinds) / sizeof(*kinds) };

/* The name of a service as SRV has it; NULL: none of those that clients look
 * for. */
static const char *label_of(struct records *r, const struct service *s,
                            uint16_t port)
{
    struct conf_findings findings = { 0 };
    struct conf *own;
    size_t k = 0;

    while (k < N_KINDS && !str_eq(kinds[k].command, s->command))
        k++;
    if (k == N_KINDS || conf_of_service(r->a, r->conf, s, &findings, &own))
        return NULL;
    if (str_eq(s->command, S("smtpd"))
        && (port == SMTP_PORT || !conf_bool(own, P_smtpd_sasl_auth_enable)))
        return NULL;
    return conf_bool(own, kinds[k].wrapped) ? kinds[k].tls : kinds[k].plain;
}

static bool is_listed(const struct records *r, str name)
{
    for (size_t i = 0; i < r->list.n; i++)
        if (str_eq(r->list.p[i].name, name))
            return true;
    return false;
}

static void look_at(struct task *t, struct records *r, str name,
                    uint16_t port)
{
    struct record x = { .type = "SRV", .name = name };
    struct dns_answer said;

    x.wanted = arena_fmt(r->a, "0 1 %u %.*s.", port, STR(r->host));
    if (records_ask(t, r, name, DNS_SRV, &said, &x.state)) {
        x.state = RECORD_DIFFERS;
        for (size_t i = 0; i < said.n; i++) {
            const struct dns_record *d = &said.p[i];
            x.found = arena_fmt(r->a, "%.*s%s%u %u %u %.*s.", STR(x.found),
                                x.found.n ? ", " : "", d->preference,
                                d->weight, d->port, STR(d->name));
            if (d->port == port && str_ieq(d->name, r->host))
                x.state = RECORD_OK;
        }
    }
    records_add(r, x);
}

void records_of_services(struct task *t, struct records *r, str domain)
{
    struct services all = conf_services(r->conf);

    for (size_t i = 0; i < all.n; i++) {
        struct service_address at;
        const char *label;
        str name;
        if (all.p[i].type != SERVICE_INET
            || !service_address(&all.p[i], r->a, &at))
            continue;
        label = label_of(r, &all.p[i], at.port);
        if (!label)
            continue;
        name = arena_fmt(r->a, "%s._tcp.%.*s", label, STR(domain));
        if (!is_listed(r, name))
            look_at(t, r, name, at.port);
    }
}
