/* SPDX-License-Identifier: ISC
 *
 * The machine under test: smtpd, qmgr and smtpc, and a stand-in for deliver,
 * as simulated processes, wired as master does it, and restarted by the
 * scenario.
 */
#include "test/world/mail.h"

static const char main_cf[] =
    "compatibility_level = 3.7\n"
    "myhostname = relay.sim.test\n"
    "mydestination =\n"
    "alias_maps =\n"
    "local_recipient_maps =\n"
    "mynetworks = 0.0.0.0/0\n"
    "relayhost = [192.0.2.25]:25\n"
    "smtpd_peername_lookup = no\n"
    "smtpd_tls_security_level = none\n"
    "smtp_tls_security_level = none\n"
    "smtpd_timeout = 60s\n"
    "queue_minfree = 0\n"
    "minimal_backoff_time = 15s\n"
    "maximal_backoff_time = 60s\n"
    "smtp_connect_timeout = 20s\n"
    "smtp_helo_timeout = 20s\n"
    "smtp_mail_timeout = 20s\n"
    "smtp_rcpt_timeout = 20s\n"
    "smtp_data_init_timeout = 20s\n"
    "smtp_data_xfer_timeout = 20s\n"
    "smtp_data_done_timeout = 40s\n"
    "transport_maps = inline:{ {other.test = second:[192.0.2.26]:25},"
    " {box.test = virtual:} }\n";

/* What a reload changes. */
static const struct {
    const char *more;
    bool no_second;         /* transport */
} variants[] = {
    { "", false },
    { "smtp_destination_recipient_limit = 1\n"
      "second_destination_concurrency_limit = 1\n"
      "smtp_connection_cache_on_demand = no\n", false },
    { "default_destination_concurrency_limit = 2\n"
      "second_destination_rate_delay = 1s\n"
      "virtual_destination_recipient_limit = 1\n", false },
    { "", true },
};
enum { N_VARIANTS = sizeof(variants) / sizeof(*variants) };

static const char master_cf[] =
    "smtp      inet  n       -       n       -       -       smtpd\n"
    "qmgr      unix  n       -       n       300     1       qmgr\n"
    "smtp      unix  -       -       n       -       -       smtp\n"
    "virtual   unix  -       n       n       -       -       virtual\n"
    "relay     unix  -       -       n       -       -       smtp\n"
    "error     unix  -       -       n       -       -       error\n"
    "retry     unix  -       -       n       -       -       error\n"
    "discard   unix  -       -       n       -       -       discard\n";
static const char master_cf_second[] =
    "second    unix  -       -       n       -       -       smtp\n";

static void configure(struct machine_role *mr)
{
    unsigned v = mr->w->variant;
    struct edition *e = edition_new(++mr->n_editions);
    struct conf_source src = {
        .dir = S("/etc/postfix"),
        .main_cf = arena_fmt(&e->memory, "%s%s", main_cf, variants[v].more),
        .master_cf = arena_fmt(&e->memory, "%s%s", master_cf,
                               variants[v].no_second ? ""
                                                     : master_cf_second),
        .facts = { .hostname = S("relay.sim.test"),
                   .process_name = S("sim"), .process_id = S("1") },
    };
    struct conf_findings findings = { .list = { 0 } };

    e->first = mr->n_editions == 1;
    if (conf_read(&e->memory, &src, &findings, &e->conf))
        broken(mr->w->r, "the configuration cannot be read");
    role_offer(&mr->role, e);
}

/* Whoever dispatches and relays has a new configuration. */
void machine_reload(struct task *t, struct world_mail *w, unsigned variant)
{
    w->variant = variant % N_VARIANTS;
    sim_say(t, "--- reload, variant %u", w->variant);
    for (int i = 0; i < N_PROCESSES; i++) {
        struct machine_role *mr = &w->roles[i];
        if (!mr->process || mr->ended
            || (mr->kind != ROLE_qmgr && mr->kind != ROLE_smtpc))
            continue;
        configure(mr);
    }
}

static struct machine_role *role_of(struct world_mail *w, enum role_kind kind)
{
    for (int i = 0; i < N_PROCESSES; i++)
        if (w->roles[i].kind == kind)
            return &w->roles[i];
    must_not_reach();
}

/* One end of a pair becomes a port of mr's. */
static void give_port(struct task *t, struct machine_role *mr,
                      enum role_kind peer, struct sock *s, int fd)
{
    struct role_port *p = arena_new(mr->memory, struct role_port);
    uint32_t was = sim_act_as(t, mr->process);
    err e = OK;

    p->peer = peer;
    if (!s)
        e = sock_adopt(t, fd, &s);
    if (!e)
        e = port_open(t, s, &p->port);
    must(!e);
    sim_act_as(t, was);
    list_add_last(&mr->role.ports, &p->link);
    role_changed(&mr->role);
}

static void connect_roles(struct task *t, struct machine_role *a,
                          struct machine_role *b)
{
    uint32_t was = sim_act_as(t, a->process);
    struct sock *s;
    int fd;
    err e = sock_pair(t, &s, &fd);

    must(!e);
    sim_act_as(t, was);
    give_port(t, a, b->kind, s, -1);
    give_port(t, b, a->kind, NULL, fd);
}

static void give_listener(struct task *t, struct machine_role *mr,
                          const struct endpoint *at)
{
    uint32_t was = sim_act_as(t, mr->process);
    struct sock *s;
    err e = sock_listen(t, at, 100, &s);

    must(!e);
    sim_act_as(t, was);
    role_listener_add(&mr->role, 1, 0, s);
}

static err run_role(struct task *t, void *arg)
{
    struct machine_role *mr = arg;
    err e;

    log_name_set(t, role_title(mr->kind));
    e = mr->kind == ROLE_smtpd ? role_smtpd_run(t, &mr->role)
      : mr->kind == ROLE_qmgr ? role_qmgr_run(t, &mr->role)
      : mr->kind == ROLE_smtpc ? role_smtpc_run(t, &mr->role)
                               : deliverer_run(t, mr);
    (void)e;
    mr->ended = true; /* what is left of it goes when it is started again */
    return OK;
}

void role_start_one(struct task *t, struct world_mail *w,
                    struct machine_role *mr)
{
    struct machine_role *qmgr = role_of(w, ROLE_qmgr);

    mr->process = sim_process_new(t);
    mr->ended = false;
    mr->memory = heap_new(struct arena);
    arena_init(mr->memory, 0);
    role_init(&mr->role, mr->kind, mr->memory);
    mr->n_editions = 0;
    configure(mr);
    mr->role.dirs[ROLE_DIR_SPOOL] = w->spool_dir;
    if (mr->kind == ROLE_smtpd)
        give_listener(t, mr, &w->relay_at);
    if (mr->kind == ROLE_qmgr)
        give_listener(t, mr, &w->admin_at);
    for (int i = 0; i < N_PROCESSES; i++) {
        struct machine_role *other = &w->roles[i];
        if (other != mr && other->process && !other->ended
            && (mr == qmgr || other == qmgr)) {
            connect_roles(t, mr, other);
            if (one_in(t, 4)) /* both were started at once */
                connect_roles(t, mr, other);
        }
    }
    sim_process_go(t, &w->machine, mr->process, role_name(mr->kind),
                   run_role, mr);
}

void machine_start(struct task *t, struct world_mail *w)
{
    static const enum role_kind kinds[N_PROCESSES] = {
        ROLE_qmgr, ROLE_smtpc, ROLE_smtpd, ROLE_deliver,
    };

    for (int i = 0; i < N_PROCESSES; i++) {
        w->roles[i] = (struct machine_role){ .w = w, .kind = kinds[i] };
        role_start_one(t, w, &w->roles[i]);
    }
}

void role_kill(struct task *t, struct machine_role *mr)
{
    if (mr->process)
        sim_process_kill(t, mr->process);
    mr->process = 0;
}

void machine_lost(struct world_mail *w)
{
    for (int i = 0; i < N_PROCESSES; i++)
        w->roles[i].process = 0;
}

/* Whoever comes by the admin port is the operator. */
err __wrap_sock_peer_uid(struct sock *sock, uint32_t *uid);

err __wrap_sock_peer_uid(struct sock *sock, uint32_t *uid)
{
    (void)sock;
    *uid = 0;
    return OK;
}

/* Small segments, so that the ring turns within a seed. */
err __real_spool_open(struct task *t, struct arena *a, struct dir *dir,
                      const struct spool_options *options,
                      struct spool_owner owner, struct spool **out);
err __wrap_spool_open(struct task *t, struct arena *a, struct dir *dir,
                      const struct spool_options *options,
                      struct spool_owner owner, struct spool **out);

err __wrap_spool_open(struct task *t, struct arena *a, struct dir *dir,
                      const struct spool_options *options,
                      struct spool_owner owner, struct spool **out)
{
    struct spool_options o = *options;

    if (!o.segment_size) {
        o.segment_size = 512 * 1024;
        o.segments_start = 3;
        o.segments_max = 9;
    }
    return __real_spool_open(t, a, dir, &o, owner, out);
}
