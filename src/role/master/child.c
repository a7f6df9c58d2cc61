/* SPDX-License-Identifier: ISC
 *
 * Role processes: starting, watching, starting again.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/service.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_FD = 3, FAST_DEATH_US = 5 * 1000 * 1000, THROTTLE_MAX_S = 60,
       RESTART_MS = 100 };

/* Who changes user ids keeps root's rights to do so, until it has made the
 * process that does. */
static bool needs_root(enum role_kind k)
{
    return k == ROLE_deliver;
}

/* Who opens password files and tables that are root's alone. */
static bool reads_all(enum role_kind k)
{
    return k == ROLE_authd || k == ROLE_lookup;
}

static err run_child(struct task *t, void *child);

/* What ps(1) shows: "smtpd", of "postfix/smtpd". */
static const char *process_title(enum role_kind k)
{
    return strrchr(role_title(k), '/') + 1;
}

static struct child *child_new(struct master *m, enum role_kind kind,
                               uint32_t number);

static err spawn_in(struct task *t, struct arena *a, struct child *c,
                    struct sock **control)
{
    struct master *m = c->m;
    const char *argv[] = { process_title(c->kind), "--role",
                           role_name(c->kind), NULL };
    const char *env[] = {
        arena_fmt(a, "MAIL_CONFIG=%s", m->o->config_dir).p,
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        arena_fmt(a, "TZ=%s", getenv("TZ") ? getenv("TZ") : "").p,
        NULL,
    };
    int fds[CONTROL_FD + 1] = { -1, -1, 2, -1 };
    struct process_plan plan = {
        .path = m->o->self, .program = m->o->program,
        .argv = argv, .env = env,
        .fds = fds, .n_fds = CONTROL_FD + 1,
        .dir = "/",
        .set_ids = m->root && !needs_root(c->kind),
        .read_all = reads_all(c->kind),
        .uid = c->kind == ROLE_reader ? c->number : m->uid,
        .gid = c->kind == ROLE_reader ? c->gid : m->gid,
    };
    int theirs;
    err e;

    if (!getenv("TZ"))
        env[2] = NULL;
    TRY(sock_pair(t, control, &theirs));
    fds[CONTROL_FD] = theirs;
    e = process_start(t, &plan, &c->process);
    fd_close(theirs);
    if (e)
        sock_close(*control);
    return e;
}

static err spawn(struct task *t, struct child *c, struct sock **control)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = spawn_in(t, &a, c, control);
    arena_reset(&a);
    return e;
}

/* A reader for a door: the one of this user id, or a new one.  A door gets
 * one for who has logged in, and never root nor a system account. */
static err on_want(struct task *t, struct child *door, str body)
{
    struct master *m = door->m;
    struct child *c;
    struct pass p;
    uint32_t uid, gid;

    if (door->kind != ROLE_imapd)
        return why(t, ERR_DENIED, "%s asks for a reader",
                   role_name(door->kind));
    TRY(pass_check(t, str_of(m->pass_key, sizeof(m->pass_key)), body, &p));
    uid = p.user.uid;
    gid = p.user.gid;
    if (uid == 0 || gid == 0
        || (m->root && uid < (uint32_t)conf_int(m->now->conf,
                                                P_virtual_minimum_uid))
        || (!m->root && uid != geteuid()))
        return why(t, ERR_DENIED, "no reader for user id %u", uid);
    list_each(l, &m->children) {
        c = container_of(l, struct child, link);
        if (c->kind == ROLE_reader && c->number == uid)
            return c->alive ? children_connect(t, c, door) : OK;
    }
    c = child_new(m, ROLE_reader, uid);
    c->gid = gid;
    c->once = true;
    group_go(&m->group, "reader", run_child, c);
    return OK;
}

/* A role tells why it ends, or why it cannot open what was offered. */
static void on_failed(struct task *t, struct child *c, str reason)
{
    struct master *m = c->m;

    reload_lost(t, c, reason);
    if (m->serving || m->failure.n)
        return;
    m->failure = arena_fmt(m->memory, "%s: %.*s", role_name(c->kind),
                           STR(reason));
    bell_ring_all(&m->changed);
}

static void on_refused(struct task *t, struct child *c, uint32_t number,
                       str reason)
{
    on_failed(t, c, reason);
    c->refused = number;
    if (!c->m->serving || number != c->m->now->number)
        return;
    say(t, master_lags, role_name(c->kind), c->process.pid);
    child_kill(c); /* what is in force by now was refused too late */
}

static err on_answer(struct task *t, struct child *c, const struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    uint32_t number = f->type == CONTROL_FAILED ? 0 : unpack_u32(&u);
    str reason = f->type == CONTROL_FAILED || f->type == CONTROL_REFUSED
                     ? unpack_str(&u, 4000) : S("");

    if (!unpack_end(&u))
        return why(t, ERR_PEER, "bad answer of %s", role_name(c->kind));
    if (f->type == CONTROL_READY) {
        c->ready = number;
        if (number == c->m->now->number)
            TRY(child_step(t, c, CONTROL_TAKE, number));
    } else if (f->type == CONTROL_TAKEN) {
        c->taken = number;
    } else if (f->type == CONTROL_REFUSED) {
        on_refused(t, c, number, reason);
    } else {
        on_failed(t, c, reason);
    }
    bell_ring_all(&c->m->changed);
    return OK;
}

static err listen_to(struct task *t, struct child *c)
{
    struct frame f;
    err e;

    while (!(e = port_recv(t, c->control, NEVER, &f))) {
        fd_close(f.fd);
        if (f.type >= CONTROL_READY && f.type <= CONTROL_FAILED)
            e = on_answer(t, c, &f);
        else if (f.type == CONTROL_WANT)
            e = on_want(t, c, f.body);
        if (e)
            say(t, role_warn, task_why(t));
    }
    return e;
}

static void say_death(struct task *t, const struct child *c, int status)
{
    if (WIFSIGNALED(status))
        say(t, master_child_died, role_name(c->kind), c->process.pid,
            "killed by signal", WTERMSIG(status));
    else if (WEXITSTATUS(status) || !c->m->stopping)
        say(t, master_child_died, role_name(c->kind), c->process.pid,
            "exit status", WEXITSTATUS(status));
}

/* One life of a child. */
static err live(struct task *t, struct child *c)
{
    struct sock *control;
    int status = 0;
    err e;

    TRY(spawn(t, c, &control));
    TRY(port_open(t, control, &c->control));
    c->started = rt_now(t);
    c->alive = true;
    c->turn = 0;
    c->ready = c->refused = c->taken = 0;
    e = child_hand_all(t, c, c->begins ? c->begins : c->m->now);
    if (!e)
        e = listen_to(t, c);
    c->alive = false;
    if (e == ERR_STOPPED)
        return e;
    reload_lost(t, c, S("it ended while it opened the configuration"));
    c->ending = true;
    err_ignore(process_wait(t, &c->process, after_s(t, 10), &status));
    c->ending = false;
    say_death(t, c, status);
    port_close(c->control);
    c->control = NULL;
    bell_ring_all(&c->m->changed);
    return OK;
}

static err run_child(struct task *t, void *arg)
{
    struct child *c = arg;
    int64_t pause_ms = RESTART_MS;

    while (!c->m->stopping && !c->unwanted) {
        err e = live(t, c);
        if (e == ERR_STOPPED)
            return e;
        if (e) {
            say(t, role_error, task_why(t));
            on_failed(t, c, str_from(task_why(t)));
        }
        if (c->m->stopping || c->once || c->unwanted)
            break;
        if (rt_now(t) - c->started < FAST_DEATH_US) {
            pause_ms = pause_ms * 2 > THROTTLE_MAX_S * 1000
                           ? THROTTLE_MAX_S * 1000 : pause_ms * 2;
            if (pause_ms >= 1000)
                say(t, master_throttled, role_name(c->kind));
        } else {
            pause_ms = RESTART_MS;
        }
        TRY(task_sleep(t, after_ms(t, pause_ms)));
    }
    if (c->once) {
        list_del(&c->link);
        bell_ring_all(&c->m->changed);
        heap_free(c);
    }
    return OK;
}

static struct child *child_new(struct master *m, enum role_kind kind,
                               uint32_t number)
{
    struct child *c = heap_new(struct child);

    c->m = m;
    c->kind = kind;
    c->number = number;
    c->process.pidfd = -1;
    list_add_last(&m->children, &c->link);
    return c;
}

static uint32_t n_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > 16 ? 16 : (uint32_t)n;
}

/* Doors are only there when a line of master.cf asks for one. */
static bool wanted(const struct conf *c, enum role_kind k)
{
    struct services all = conf_services(c);

    if (k != ROLE_imapd)
        return k != ROLE_reader;
    for (size_t i = 0; i < all.n; i++) {
        const struct service_kind *sk = service_kind(all.p[i].command);
        if (sk && sk->role == k)
            return true;
    }
    return false;
}

static bool has_child(const struct master *m, enum role_kind k)
{
    list_each(l, &m->children) {
        const struct child *c = container_of(l, struct child, link);
        if (c->kind == k && !c->once)
            return true;
    }
    return false;
}

/* Those of a kind that e wants, if there are none. */
static void add_kind(struct master *m, enum role_kind k, struct edition *e)
{
    uint32_t copies = k == ROLE_smtpd ? n_processors() : 1;

    if (!role_built(k) || !wanted(e->conf, k) || has_child(m, k))
        return;
    for (uint32_t i = 0; i < copies; i++) {
        struct child *c = child_new(m, k, i);
        c->offered = e->number;
        if (e != m->now) {
            c->begins = e;
            c->once = true; /* until that one is in force */
        }
        group_go(&m->group, "child", run_child, c);
    }
}

void children_start(struct master *m)
{
    for (enum role_kind k = 0; k < N_ROLES; k++)
        add_kind(m, k, m->now);
}

void children_add(struct master *m)
{
    for (enum role_kind k = 0; k < N_ROLES; k++)
        add_kind(m, k, m->coming);
}

void children_remove(struct master *m)
{
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (c->once || wanted(m->now->conf, c->kind))
            continue;
        c->once = true;
        if (c->alive)
            port_answer(c->control, &(struct frame){ .type = CONTROL_STOP,
                                                     .fd = -1 });
    }
}

str children_awaited(const struct master *m, struct arena *a)
{
    str names = S("");

    list_each(l, &m->children) {
        const struct child *c = container_of(l, struct child, link);
        if (c->taken != m->now->number)
            names = arena_fmt(a, "%.*s%s%s", STR(names),
                              names.n ? ", " : "", role_name(c->kind));
    }
    return names;
}

bool children_ready(const struct master *m)
{
    list_each(l, &m->children)
        if (container_of(l, struct child, link)->taken != m->now->number)
            return false;
    return true;
}

void child_kill(struct child *c)
{
    if (c->alive)
        err_ignore(process_signal(&c->process, SIGKILL)); /* may be gone */
}

void children_tell(struct master *m, enum control_frame what)
{
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (c->alive)
            port_answer(c->control, &(struct frame){ .type = (uint16_t)what,
                                                     .fd = -1 });
    }
}

/* Those that only end still hold their listeners: a system that is started
 * right after this one must find its ports free. */
static bool any_left(const struct master *m)
{
    list_each(l, &m->children) {
        const struct child *c = container_of(l, struct child, link);
        if (c->alive || c->ending)
            return true;
    }
    return false;
}

void children_stop(struct task *t, struct master *m, int64_t patience_s)
{
    when until = after_s(t, patience_s);

    children_tell(m, CONTROL_STOP);
    while (any_left(m) && !bell_wait(t, &m->changed, until))
        continue;
    list_each(l, &m->children)
        child_kill(container_of(l, struct child, link));
}
