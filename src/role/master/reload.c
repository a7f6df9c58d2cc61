/* SPDX-License-Identifier: ISC
 *
 * A reload, from the files to the answer for who asked.
 *
 *     load      read and examine; bind what is new; open the new log
 *     prepare   lookup opens its tables, then all others, who ask it for
 *               theirs, open what they need
 *     take      all can: the new configuration is in force, everywhere
 *     drop      somebody cannot: nothing has changed, anywhere
 *
 * R1  One reload at a time; who comes meanwhile waits for its turn.
 * R2  A role that is lost while it opens, or does not answer in time, is a
 *     failure of the reload.  One that does not take in time what it said it
 *     could is ended, and starts again with what is in force.
 * R3  Every wait has its end: a reload takes less than RELOAD_S.
 */
#include "role/master/master.h"

#include "role/events.h"

#include <sys/stat.h>

enum { LOOKUP_S = 20, PREPARE_S = 30, TAKE_S = 10 };

struct reload {
    struct master *m;
    struct buf *out;        /* for who asked, or NULL */
    uint32_t number;        /* of the edition */
    bool failed;
};

static void fail(struct task *t, struct reload *r, str line)
{
    r->failed = true;
    report_line(t, r->out, REPORT_ERROR, line);
}

static void fail_role(struct task *t, struct reload *r, enum role_kind k,
                      str text)
{
    struct buf b;

    buf_init(&b, NULL, 8192);
    buf_fmt(&b, "%s: %.*s", role_name(k), STR(text));
    fail(t, r, buf_str(&b));
    buf_free(&b);
}

void reload_lost(struct task *t, struct child *c, str text)
{
    struct reload *r = c->m->reload;

    if (r && c->offered == r->number && c->refused != r->number
        && c->m->coming)
        fail_role(t, r, c->kind, text);
}

/* --- prepare -------------------------------------------------------------- */

/* Whether c has yet to say whether it can. */
static bool is_open_question(const struct reload *r, const struct child *c)
{
    if (c->begins && !c->alive)
        return true;        /* it is being started */
    return c->alive && c->offered == r->number && c->ready != r->number
           && c->refused != r->number;
}

/* Waits for the answers; all that fails is said, not the first alone. */
static void await_answers(struct task *t, struct reload *r, int64_t patience_s)
{
    struct master *m = r->m;
    when until = after_s(t, patience_s);
    bool waiting = true;

    while (waiting) {
        waiting = false;
        list_each(l, &m->children)
            waiting |= is_open_question(r, container_of(l, struct child,
                                                        link));
        if (waiting && bell_wait(t, &m->changed, until))
            break;
    }
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (waiting && is_open_question(r, c))
            fail_role(t, r, c->kind, S("no answer in time"));
    }
}

static void offer(struct task *t, struct reload *r, bool to_lookup)
{
    struct master *m = r->m;

    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (!c->alive || (c->kind == ROLE_lookup) != to_lookup
            || c->kind == ROLE_reader || c->offered == r->number)
            continue; /* a reader opens nothing: it hears of it at the end */
        if (child_hand_edition(t, c, m->coming))
            fail_role(t, r, c->kind, str_from(task_why(t)));
    }
    await_answers(t, r, to_lookup ? LOOKUP_S : PREPARE_S);
}

/* What a running system cannot change. */
static void look_at_fixed(struct task *t, struct reload *r,
                          const struct edition *e)
{
    static const enum param fixed[] = { P_queue_directory, P_data_directory,
                                        P_mail_owner };
    const struct conf *old = r->m->now->conf;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        struct arena a;
        if (str_eq(conf_str(e->conf, fixed[i]), conf_str(old, fixed[i])))
            continue;
        arena_init(&a, 0);
        fail(t, r, arena_fmt(&a, "%.*s: a reload cannot change it: stop the "
                             "mail system and start it again",
                             STR(conf_param(fixed[i])->name)));
        arena_reset(&a);
    }
}

/* All that can go wrong, in this order; what was made for it is in m->coming,
 * in *log and among the bounds. */
static void prepare(struct task *t, struct reload *r, struct log_target *log)
{
    struct master *m = r->m;

    look_at_fixed(t, r, m->coming);
    if (!r->failed && master_log_find(t, m->coming->conf, log))
        fail(t, r, str_from(task_why(t)));
    if (r->failed)
        return;
    if (bounds_prepare(t, m)) {
        fail(t, r, str_from(task_why(t)));
        return;
    }
    offer(t, r, true);
    if (!r->failed) {
        children_add(m);
        offer(t, r, false);
    }
}

/* --- take or drop --------------------------------------------------------- */

/* A role that was started meanwhile, or was busy for too long. */
static bool lags(const struct master *m, const struct child *c)
{
    return c->alive && !c->once && c->taken != m->now->number;
}

static void await_taken(struct task *t, struct master *m)
{
    when until = after_s(t, TAKE_S);
    bool waiting = true;

    while (waiting) {
        waiting = false;
        list_each(l, &m->children)
            waiting |= lags(m, container_of(l, struct child, link));
        if (waiting && bell_wait(t, &m->changed, until))
            break;
    }
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (waiting && lags(m, c)) {
            say(t, master_lags, role_name(c->kind), c->process.pid);
            child_kill(c);
        }
    }
}

static void take(struct task *t, struct reload *r,
                 const struct log_target *log)
{
    struct master *m = r->m;
    struct edition *before = m->now;

    m->now = m->coming;
    m->coming = NULL;
    before->old = true;
    bounds_take(m);
    master_log_take(t, m, log);
    say(t, master_reload, STR(str_from(VEREDUS_VERSION)),
        STR(conf_dir(m->now->conf)));
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (c->begins) {
            c->begins = NULL;
            c->once = false;
        }
        if (!c->alive)
            continue;
        if (child_hand_log(t, c)
            || (c->ready == r->number
                    ? child_step(t, c, CONTROL_TAKE, r->number)
                    : child_hand_edition(t, c, m->now)))
            say(t, role_error, task_why(t)); /* it starts again */
    }
    children_remove(m);
    await_taken(t, m);
    edition_leave(before);
}

static void drop(struct task *t, struct reload *r, struct log_target *log)
{
    struct master *m = r->m;
    struct edition *e = m->coming;

    m->coming = NULL;
    bounds_drop(m);
    fd_close(log->fd);
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (c->begins) {
            c->begins = NULL;
            c->unwanted = true;
            child_kill(c);
        } else if (c->alive && c->offered == r->number) {
            if (child_step(t, c, CONTROL_DROP, r->number))
                say(t, role_error, task_why(t)); /* it starts again */
            c->offered = m->now->number;
        }
    }
    edition_leave(e);
}

/* --- the whole ------------------------------------------------------------ */

/* Roles are started from the program as it was (I4); who has put another one
 * in its place learns how it comes into use. */
static void look_at_program(struct task *t, struct reload *r)
{
    struct stat ours, there;

    if (fstat(r->m->o->program, &ours) || stat(r->m->o->self, &there)
        || (ours.st_dev == there.st_dev && ours.st_ino == there.st_ino))
        return;
    report_line(t, r->out, REPORT_WARNING,
                S("another version of the program was installed: the one that "
                  "runs goes on, until the mail system is stopped and started "
                  "again"));
}

static err run(struct task *t, struct reload *r)
{
    struct log_target log = { .fd = -1 };
    struct master *m = r->m;

    if (master_load(t, m, r->out, &m->coming))
        fail(t, r, str_from(task_why(t)));
    if (!r->failed) {
        r->number = m->coming->number;
        prepare(t, r, &log);
        if (r->failed)
            drop(t, r, &log);
    }
    if (r->failed) {
        say(t, master_no_reload);
        return ERR_DENIED;
    }
    take(t, r, &log);
    look_at_program(t, r);
    return OK;
}

err master_reload(struct task *t, struct master *m, struct buf *out)
{
    struct reload r = { .m = m, .out = out };
    err e;

    while (m->reload)
        TRY(bell_wait(t, &m->reloaded, NEVER)); /* R1 */
    m->reload = &r;
    e = run(t, &r);
    m->reload = NULL;
    bell_ring(&m->reloaded);
    return e;
}
