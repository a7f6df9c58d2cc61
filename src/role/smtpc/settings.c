/* SPDX-License-Identifier: ISC
 *
 * What a client's line in master.cf means: its parameters, once for each
 * configuration.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"
#include "role/tls.h"

enum { SMTP_PORT = 25, LMTP_PORT = 24 };

/* smtp_NAME or lmtp_NAME. */
#define OWN(name) (s->lmtp ? P_lmtp_##name : P_smtp_##name)

struct client_settings *settings_find(const struct client *c, str transport)
{
    const struct link *all = c->role->now->self;

    list_each(l, all) {
        struct client_settings *s = container_of(l, struct client_settings,
                                                 link);
        if (str_eq(s->name, transport))
            return s;
    }
    return NULL;
}

struct client_settings *settings_hold(struct client_settings *l)
{
    edition_hold(l->edition);
    return l;
}

void settings_leave(struct client_settings *l)
{
    edition_leave(l->edition);
}

static uint32_t limit(const struct conf *c, enum param p)
{
    int64_t n = conf_int(c, p);

    return n > 0 && n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void set_timeouts(struct client_settings *s)
{
    const struct conf *c = s->conf;
    enum param helo = s->lmtp ? P_lmtp_lhlo_timeout : P_smtp_helo_timeout;

    s->timeouts = (struct smtp_timeouts){
        .greeting_s = conf_seconds(c, helo),
        .helo_s = conf_seconds(c, helo),
        .starttls_s = conf_seconds(c, OWN(starttls_timeout)),
        .mail_s = conf_seconds(c, OWN(mail_timeout)),
        .rcpt_s = conf_seconds(c, OWN(rcpt_timeout)),
        .data_init_s = conf_seconds(c, OWN(data_init_timeout)),
        .data_text_s = conf_seconds(c, OWN(data_xfer_timeout)),
        .data_done_s = conf_seconds(c, OWN(data_done_timeout)),
        .rset_s = conf_seconds(c, OWN(rset_timeout)),
        .quit_s = conf_seconds(c, OWN(quit_timeout)),
    };
    s->connect_s = conf_seconds(c, OWN(connect_timeout));
    if (s->connect_s == 0)
        s->connect_s = 24 * 3600; /* as long as the kernel tries */
}

static void set_cache(struct client_settings *s)
{
    const struct conf *c = s->conf;
    int64_t uses = conf_int(c, OWN(connection_reuse_count_limit));

    s->keep = conf_bool(c, OWN(connection_cache_on_demand));
    s->kept = conf_items(c, OWN(connection_cache_destinations));
    s->idle_s = conf_seconds(c, OWN(connection_cache_time_limit));
    s->use_s = conf_seconds(c, OWN(connection_reuse_time_limit));
    s->uses_max = uses > 0 ? (uint32_t)uses : 0;
}

static size_t line_max(int64_t n)
{
    return n <= 0 ? 0 : n < 12 ? 12 : (size_t)n;
}

static void set_manners(struct client_settings *s)
{
    const struct conf *c = s->conf;
    struct conf_items off = conf_items(c, s->lmtp
                                              ? P_lmtp_discard_lhlo_keywords
                                              : P_smtp_discard_ehlo_keywords);

    s->manners = (struct smtp_manners){
        .pipeline = true,
        .ehlo_always = s->lmtp || conf_bool(c, P_smtp_always_send_ehlo),
        .ehlo_never = !s->lmtp && conf_bool(c, P_smtp_never_send_ehlo),
        .ignored = off.p,
        .n_ignored = off.n,
        .line_max = line_max(conf_int(c, OWN(line_length_limit))),
        .quote = conf_bool(c, OWN(quote_rfc821_envelope)),
    };
    s->helo = conf_str(c, s->lmtp ? P_lmtp_lhlo_name : P_smtp_helo_name);
    s->skip_5xx_greeting = conf_bool(c, OWN(skip_5xx_greeting));
    s->soft_bounce = conf_bool(c, P_soft_bounce);
    s->convert = !conf_bool(c, P_disable_mime_output_conversion);
    s->is_final = s->lmtp && conf_bool(c, P_lmtp_assume_final);
}

static uint16_t port_of(str text, uint16_t preset)
{
    uint64_t n;

    if (str_uint(text, 65535, &n) && n > 0)
        return (uint16_t)n;
    return str_ieq(text, S("submission")) ? 587 : preset;
}

static void set_targets(struct client_settings *s)
{
    const struct conf *c = s->conf;
    str prefer = conf_str(c, OWN(address_preference));
    struct conf_items families = conf_items(c, P_inet_protocols);

    s->port = port_of(conf_str(c, OWN(tcp_port)),
                      s->lmtp ? LMTP_PORT : SMTP_PORT);
    s->addresses_max = limit(c, OWN(mx_address_limit));
    s->sessions_max = limit(c, OWN(mx_session_limit));
    s->prefer = str_ieq(prefer, S("ipv4")) ? ADDRESS_IP4
              : str_ieq(prefer, S("ipv6")) ? ADDRESS_IP6 : ADDRESS_ANY;
    s->shuffle = conf_bool(c, OWN(randomize_addresses));
    s->no_dns = conf_bool(c, P_disable_dns_lookups);
    s->defer_no_address = conf_bool(c, OWN(defer_if_no_mx_address_found));
    s->fallback = conf_str(c, OWN(fallback_relay));
    for (size_t i = 0; i < families.n; i++) {
        bool all = str_ieq(families.p[i], S("all"));
        s->ip4 |= all || str_ieq(families.p[i], S("ipv4"));
        s->ip6 |= all || str_ieq(families.p[i], S("ipv6"));
    }
    s->n_own = route_own_addresses(s->memory, c, &s->own);
    if (endpoint_parse(conf_str(c, OWN(bind_address)), 0, &s->bind4))
        s->bind4.kind = ENDPOINT_NONE;
    if (endpoint_parse(conf_str(c, OWN(bind_address6)), 0, &s->bind6))
        s->bind6.kind = ENDPOINT_NONE;
}

static enum tls_wish wish_of(const struct client_settings *s)
{
    static const struct { str word; enum tls_wish wish; } levels[] = {
        { S_INIT("none"), TLS_NONE }, { S_INIT("may"), TLS_MAY },
        { S_INIT("encrypt"), TLS_ENCRYPT }, { S_INIT("verify"), TLS_VERIFY },
        { S_INIT("secure"), TLS_SECURE },
    };
    const struct conf *c = s->conf;
    str level = conf_str(c, OWN(tls_security_level));

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        if (str_ieq(level, levels[i].word))
            return levels[i].wish;
    if (!str_empty(level))
        return TLS_SECURE; /* nothing less than what was meant */
    if (conf_bool(c, OWN(enforce_tls)))
        return conf_bool(c, OWN(tls_enforce_peername)) ? TLS_VERIFY
                                                       : TLS_ENCRYPT;
    return conf_bool(c, OWN(use_tls)) ? TLS_MAY : TLS_NONE;
}

static err set_tls(struct task *t, struct client_settings *s, uint32_t index)
{
    struct tls_plan p = {
        .edition = s->edition, .conf = s->conf, .service = index,
        .lmtp = s->lmtp,
    };
    uint64_t loglevel;

    s->tls = wish_of(s);
    s->tls_match = conf_items(s->conf, s->tls == TLS_SECURE
                                           ? OWN(tls_secure_cert_match)
                                           : OWN(tls_verify_cert_match));
    s->tls_name = conf_str(s->conf, OWN(tls_servername));
    s->tls_note_offer = conf_bool(s->conf, OWN(tls_note_starttls_offer));
    if (str_uint(conf_str(s->conf, OWN(tls_loglevel)), 4, &loglevel))
        s->tls_loglevel = (int)loglevel;
    p.verifies = s->tls >= TLS_VERIFY;
    p.need = s->tls >= TLS_ENCRYPT ? TLS_MANDATORY : TLS_OPPORTUNISTIC;
    p.demanded = s->tls >= TLS_ENCRYPT;
    if (s->tls == TLS_NONE)
        return OK;
    return role_tls_client(t, s->memory, &p, &s->tls_context);
}

static void set_auth(struct task *t, struct client *c,
                     struct client_settings *s)
{
    struct tables *tables;

    s->auth = conf_bool(s->conf, OWN(sasl_auth_enable));
    if (!s->auth)
        return;
    tables = tables_new(s->memory, s->conf, c->opener);
    s->auth_soft = conf_bool(s->conf, OWN(sasl_auth_soft_bounce));
    s->auth_options = conf_items(s->conf, OWN(sasl_security_options));
    s->auth_tls_options = conf_items(s->conf,
                                     OWN(sasl_tls_security_options));
    s->auth_broken = maps_open(t, tables, s->memory,
                               conf_param(OWN(sasl_password_maps))->name,
                               conf_str(s->conf, OWN(sasl_password_maps)),
                               &s->passwords) != OK;
    if (s->auth_broken)
        say(t, role_error, task_why(t));
}

static err fill(struct task *t, struct client *c, struct client_settings *s,
                const struct service *sv, uint32_t index)
{
    struct conf_findings findings = { 0 };
    struct conf *conf;
    int64_t most;

    TRY(conf_of_service(s->memory, s->edition->conf, sv, &findings, &conf));
    s->name = sv->name;
    s->conf = conf;
    s->lmtp = str_eq(sv->command, S("lmtp"));
    s->log_name = arena_fmt(s->memory, "%.*s/%s",
                            STR(conf_str(conf, P_syslog_name)),
                            s->lmtp ? "lmtp" : "smtp").p;
    most = conf_transport_int(conf, sv->name,
                              S("_destination_concurrency_limit"),
                              P_default_destination_concurrency_limit);
    s->connections_max = most > 0 && most < UINT32_MAX ? (uint32_t)most
                                                       : UINT32_MAX;
    set_timeouts(s);
    set_cache(s);
    set_manners(s);
    set_targets(s);
    TRY(set_tls(t, s, index));
    set_auth(t, c, s);
    return OK;
}

err settings_open(struct task *t, void *client, struct edition *e)
{
    struct services all = conf_services(e->conf);
    struct link *list = arena_new(&e->memory, struct link);

    list_init(list);
    e->self = list;
    for (size_t i = 0; i < all.n; i++) {
        struct client_settings *s;
        if (all.p[i].type == SERVICE_INET
            || (!str_eq(all.p[i].command, S("smtp"))
                && !str_eq(all.p[i].command, S("lmtp"))))
            continue;
        s = arena_new(&e->memory, struct client_settings);
        s->edition = e;
        s->memory = &e->memory;
        list_add_last(list, &s->link);
        TRY(fill(t, client, s, &all.p[i], (uint32_t)i));
    }
    return OK;
}
