/* SPDX-License-Identifier: ISC
 *
 * The SMTP client.  Powers: connections to the outside, read-only descriptors
 * of spool segments that qmgr passes, a port to lookup.  Never sees the spool
 * directory.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

struct client_settings *settings_find(struct client *c, str transport)
{
    list_each(l, &c->settings) {
        struct client_settings *s = container_of(l, struct client_settings,
                                                 link);
        if (str_eq(s->name, transport))
            return s;
    }
    return NULL;
}

static void set_timeouts(struct client_settings *s)
{
    const struct conf *c = s->conf;
    bool lmtp = s->lmtp;

#define SECONDS(name) conf_seconds(c, lmtp ? P_lmtp_##name : P_smtp_##name)
    s->timeouts = (struct smtp_timeouts){
        .greeting_s = lmtp ? conf_seconds(c, P_lmtp_lhlo_timeout)
                           : conf_seconds(c, P_smtp_helo_timeout),
        .helo_s = lmtp ? conf_seconds(c, P_lmtp_lhlo_timeout)
                       : conf_seconds(c, P_smtp_helo_timeout),
        .starttls_s = SECONDS(starttls_timeout),
        .mail_s = SECONDS(mail_timeout),
        .rcpt_s = SECONDS(rcpt_timeout),
        .data_init_s = SECONDS(data_init_timeout),
        .data_text_s = SECONDS(data_xfer_timeout),
        .data_done_s = SECONDS(data_done_timeout),
        .rset_s = SECONDS(rset_timeout),
        .quit_s = SECONDS(quit_timeout),
    };
    s->connect_s = SECONDS(connect_timeout);
    s->idle_s = SECONDS(connection_cache_time_limit);
#undef SECONDS
}

static void set_tls(struct task *t, struct client *c,
                    struct client_settings *s)
{
    str level = conf_str(s->conf, s->lmtp ? P_lmtp_tls_security_level
                                          : P_smtp_tls_security_level);
    struct tls_options o = {
        .protocols = conf_str(s->conf, P_smtp_tls_protocols),
    };

    s->tls = str_ieq(level, S("may")) ? TLS_MAY
           : str_ieq(level, S("encrypt")) ? TLS_ENCRYPT : TLS_NONE;
    if (s->tls != TLS_NONE
        && tls_client_new(t, c->role->memory, &o, &s->tls_context)) {
        say(t, role_warn, task_why(t));
        s->tls_context = NULL;
    }
}

static err load_one(struct task *t, struct client *c,
                    const struct service *sv)
{
    struct arena *a = c->role->memory;
    struct client_settings *s = arena_new(a, struct client_settings);
    struct conf_findings findings = { 0 };
    struct conf *conf;
    int64_t limit;

    TRY(conf_of_service(a, c->role->conf, sv, &findings, &conf));
    s->name = sv->name;
    s->conf = conf;
    s->lmtp = str_eq(sv->command, S("lmtp"));
    s->log_name = arena_fmt(a, "%.*s/%s", STR(conf_str(conf, P_syslog_name)),
                            s->lmtp ? "lmtp" : "smtp").p;
    limit = conf_transport_int(conf, sv->name,
                               S("_destination_concurrency_limit"),
                               P_default_destination_concurrency_limit);
    s->connections_max = limit > 0 ? (uint32_t)limit : UINT32_MAX;
    set_timeouts(s);
    set_tls(t, c, s);
    s->helo = conf_str(conf, s->lmtp ? P_lmtp_lhlo_name : P_smtp_helo_name);
    s->may_pipeline = true;
    s->skip_5xx_greeting = conf_bool(conf, P_smtp_skip_5xx_greeting);
    list_add_first(&c->settings, &s->link); /* newer ones come first */
    return OK;
}

err settings_load(struct task *t, struct client *c)
{
    struct services all = conf_services(c->role->conf);

    for (size_t i = 0; i < all.n; i++)
        if (all.p[i].type != SERVICE_INET
            && (str_eq(all.p[i].command, S("smtp"))
                || str_eq(all.p[i].command, S("lmtp"))))
            TRY(load_one(t, c, &all.p[i]));
    return OK;
}

struct port_task {
    struct client *c;
    struct port *port;
};

static err queue_port(struct task *t, void *arg)
{
    struct port_task *p = arg;
    struct client *c = p->c;

    err_ignore(client_queue_run(t, c, p->port)); /* master sends another */
    heap_free(p);
    return OK;
}

static err calls_port(struct task *t, void *calls)
{
    err_ignore(calls_run(t, calls)); /* those who wait hear of it */
    return OK;
}

static void take_ports(struct client *c)
{
    struct role_port *p;

    while ((p = role_port_take(c->role, ROLE_qmgr))) {
        struct port_task *pt = heap_new(struct port_task);
        *pt = (struct port_task){ c, p->port };
        group_go(&c->group, "queue", queue_port, pt);
    }
    while ((p = role_port_take(c->role, ROLE_lookup))) {
        c->lookup = calls_new(c->role->memory, p->port);
        c->dns = dns_remote(c->role->memory, c->lookup);
        group_go(&c->group, "lookup", calls_port, c->lookup);
    }
}

static err serve(struct task *t, struct client *c)
{
    uint32_t epoch = 0;

    while (!c->role->stop) {
        if (c->role->go && epoch != c->role->epoch) {
            TRY(settings_load(t, c));
            epoch = c->role->epoch;
            role_ready(c->role);
        }
        take_ports(c);
        TRY(bell_wait(t, &c->role->changed, NEVER));
    }
    return OK;
}

err role_smtpc_run(struct task *t, struct role *r)
{
    struct client *c = arena_new(r->memory, struct client);
    err e;

    c->role = r;
    list_init(&c->settings);
    list_init(&c->queues);
    map_init(&c->hops, false);
    map_init(&c->segments, false);
    group_open(t, &c->group);
    if (r->control)
        group_go(&c->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e)
        e = serve(t, c);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &c->group);
    return e;
}
