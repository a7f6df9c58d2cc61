/* SPDX-License-Identifier: ISC
 *
 * What a configuration means for each listener, opened once.
 */
#include "role/smtpd/smtpd.h"

#include "auth/sasl.h"
#include "role/tls.h"

enum { HELLO_S = 20 };

static uint32_t u32(const struct conf *c, enum param p)
{
    int64_t n = conf_int(c, p);

    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int sasl_flags(const struct conf *c, enum param p)
{
    struct conf_items list = conf_items(c, p);

    for (size_t i = 0; i < list.n; i++)
        if (str_ieq(list.p[i], S("noplaintext")))
            return SASL_NO_PLAINTEXT;
    return sasl_flags_of(c);
}

static bool mandatory_tls(const struct conf *c)
{
    return role_tls_demanded(conf_str(c, P_smtpd_tls_security_level))
           || conf_bool(c, P_smtpd_enforce_tls)
           || conf_bool(c, P_smtpd_tls_wrappermode);
}

static void set_options(struct listener_settings *l, struct arena *a)
{
    const struct conf *c = l->conf;
    struct smtp_options *o = &l->options;
    (void)a;
    *o = (struct smtp_options){
        .hostname = conf_str(c, P_myhostname),
        .helo_required = conf_bool(c, P_smtpd_helo_required),
        .min_user = conf_bool(c, P_allow_min_user),
        .strict_paths = conf_bool(c, P_strict_rfc821_envelopes),
        .strict_utf8 = conf_bool(c, P_strict_smtputf8),
        .no_vrfy = conf_bool(c, P_disable_vrfy_command),
        .soft_bounce = conf_bool(c, P_soft_bounce),
        .offer_starttls = l->tls && !l->wrapped,
        .offer_auth = conf_bool(c, P_smtpd_sasl_auth_enable),
        .auth_needs_tls = conf_bool(c, P_smtpd_tls_auth_only),
        .tls_required = mandatory_tls(c) && !l->wrapped,
        .auth_mechs = sasl_offer(l->sasl_flags),
        .auth_mechs_tls = sasl_offer(l->sasl_flags_tls),
        .forbid_pipelining = conf_bool(c, P_smtpd_forbid_unauth_pipelining),
        .broken_auth_clients = conf_bool(c, P_broken_sasl_auth_clients),
        .offer_size = true,
        .offer_pipelining = true,
        .offer_vrfy = !conf_bool(c, P_disable_vrfy_command),
        .offer_etrn = true,
        .offer_dsn = true,
        .offer_8bitmime = true,
        .offer_utf8 = conf_bool(c, P_smtputf8_enable),
        .offer_chunking = true,
        .offer_codes = true,
        .timeout_s = conf_seconds(c, P_smtpd_timeout),
        .starttls_timeout_s = conf_seconds(c, P_smtpd_starttls_timeout),
        .size_max = (uint64_t)conf_int(c, P_message_size_limit),
        .rcpts_max = u32(c, P_smtpd_recipient_limit),
        .rcpts_over_max = u32(c, P_smtpd_recipient_overshoot_limit),
        .errors_soft = u32(c, P_smtpd_soft_error_limit),
        .errors_hard = u32(c, P_smtpd_hard_error_limit),
        .junk_max = u32(c, P_smtpd_junk_command_limit),
        .error_sleep_s = conf_seconds(c, P_smtpd_error_sleep_time),
        .line_max = u32(c, P_line_length_limit),
    };
}

static err open_tls(struct task *t, struct smtpd *d, struct edition *e,
                    struct listener_settings *l)
{
    struct tls_plan p = {
        .edition = e, .tickets = &d->role->tickets, .conf = l->conf,
        .service = l->index, .demanded = mandatory_tls(l->conf),
        .need = mandatory_tls(l->conf) ? TLS_MANDATORY : TLS_OPPORTUNISTIC,
        .label = S("smtpd"), .smtp = true,
    };

    if (l->pickup)
        return OK;
    return role_tls_server(t, &e->memory, &p, &l->tls);
}

static int tls_loglevel(const struct conf *c)
{
    uint64_t n;

    return str_uint(conf_str(c, P_smtpd_tls_loglevel), 4, &n) ? (int)n : 0;
}

static const char *log_name(struct arena *a, const struct conf *c,
                            const struct service *s)
{
    str syslog = conf_str(c, P_syslog_name);

    if (str_eq(s->command, S("pickup")))
        return arena_fmt(a, "%.*s/pickup", STR(syslog)).p;
    return arena_fmt(a, "%.*s/smtpd", STR(syslog)).p;
}

static struct listener_set *set_of(struct edition *e)
{
    return e->self;
}

/* Only the tables among the words of smtpd_forbidden_commands. */
static err open_maps(struct task *t, struct edition *e,
                     struct listener_settings *l)
{
    struct conf_items list = conf_items(l->conf, P_smtpd_forbidden_commands);
    struct tables *tables = set_of(e)->tables;
    struct buf b;

    buf_init(&b, &e->memory, 64 * 1024);
    for (size_t i = 0; i < list.n; i++)
        if (str_chr(list.p[i], ':') != STR_NONE)
            buf_fmt(&b, "%.*s ", STR(list.p[i]));
    TRY(maps_open(t, tables, &e->memory, S("smtpd_forbidden_commands"),
                  buf_str(&b), &l->forbidden));
    TRY(match_list_open(t, tables, &e->memory, S("fast_flush_domains"),
                        conf_str(l->conf, P_fast_flush_domains),
                        MATCH_DOMAIN, true, &l->flush_domains));
    TRY(match_list_open(t, tables, &e->memory,
                        S("smtpd_sasl_exceptions_networks"),
                        conf_str(l->conf, P_smtpd_sasl_exceptions_networks),
                        MATCH_ADDRESS, false, &l->sasl_exceptions));
    return maps_open(t, tables, &e->memory,
                     S("smtpd_discard_ehlo_keyword_address_maps"),
                     conf_str(l->conf,
                              P_smtpd_discard_ehlo_keyword_address_maps),
                     &l->keywords);
}

static err bad_overlay(struct task *t, struct edition *e,
                       const struct service *s,
                       const struct conf_findings *findings)
{
    str text = S("bad options");

    for (size_t i = 0; i < findings->list.n; i++)
        if (findings->list.p[i].fatal)
            text = conf_finding_text(&e->memory, &findings->list.p[i]);
    return why(t, ERR_SYNTAX, "service \"%.*s\": %.*s", STR(s->name),
               STR(text));
}

static err open_listener(struct task *t, struct smtpd *d, struct edition *e,
                         struct listener_settings *l)
{
    struct conf_findings findings = { 0 };
    const struct conf *c;
    struct conf *own;

    l->pickup = str_eq(l->service->command, S("pickup"));
    if (conf_of_service(&e->memory, e->conf, l->service, &findings,
                        &own))
        return bad_overlay(t, e, l->service, &findings);
    l->conf = own;
    c = l->conf;
    l->log_name = log_name(&e->memory, c, l->service);
    l->cleanup_name = arena_fmt(&e->memory, "%.*s/cleanup",
        STR(conf_str(e->conf, P_syslog_name))).p;
    l->wrapped = conf_bool(c, P_smtpd_tls_wrappermode);
    l->banner = conf_str(c, P_smtpd_banner);
    l->auth_header = conf_bool(c, P_smtpd_sasl_authenticated_header);
    l->tls_header = conf_bool(c, P_smtpd_tls_received_header);
    l->demands_cert = mandatory_tls(c)
                      && conf_bool(c, P_smtpd_tls_req_ccert);
    l->tls_loglevel = tls_loglevel(c);
    l->single_from = conf_bool(c, P_smtpd_sasl_single_from);
    l->add_missing = conf_bool(c, P_always_add_missing_headers);
    l->drop_headers = conf_items(c, P_message_drop_headers);
    l->header_max = (size_t)conf_int(c, P_header_size_limit);
    l->hops_max = (size_t)conf_int(c, P_hopcount_limit);
    l->sasl_flags = sasl_flags(c, P_smtpd_sasl_security_options);
    l->sasl_flags_tls = sasl_flags(c, P_smtpd_sasl_tls_security_options);
    listener_room(l);
    TRY(open_tls(t, d, e, l));
    set_options(l, &e->memory);
    if (l->pickup) {
        l->options.rcpts_max = ENVELOPE_RECIPIENTS_MAX;
        l->options.hello_timeout_s = HELLO_S; /* programs do not dream */
        l->options.any_address = true; /* a bounce, not a refusal */
        l->options.strict_paths = false;
        l->options.offer_starttls = l->options.offer_auth = false;
        l->options.tls_required = l->options.helo_required = false;
    }
    TRY(open_maps(t, e, l));
    TRY(route_open(t, &e->memory, c, set_of(e)->tables, &l->route));
    if (policy_open(t, &e->memory, c, set_of(e)->tables, l->route, d->dns,
                    &l->policy))
        return why(t, ERR_SYNTAX, "service \"%.*s\": %s",
                   STR(l->service->name),
                   arena_cstr(&e->memory, str_from(task_why(t))));
    return OK;
}

static bool ours(const struct service *s)
{
    return str_eq(s->command, S("smtpd"))
           || str_eq(s->command, S("pickup"));
}

err listeners_open(struct task *t, void *smtpd, struct edition *e)
{
    struct smtpd *d = smtpd;
    struct services all = conf_services(e->conf);
    struct listener_set *set = arena_new(&e->memory, struct listener_set);

    e->self = set;
    set->n = all.n;
    set->tables = tables_new(&e->memory, e->conf, d->opener);
    set->of = arena_array(&e->memory, struct listener_settings, all.n);
    for (size_t i = 0; i < all.n; i++) {
        set->of[i].service = &all.p[i];
        set->of[i].index = (uint32_t)i;
        if (ours(&all.p[i]))
            TRY(open_listener(t, d, e, &set->of[i]));
    }
    return OK;
}
