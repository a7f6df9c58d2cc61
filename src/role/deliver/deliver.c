/* SPDX-License-Identifier: ISC
 *
 * The deliver role: its rights go first, then it serves.
 */
#include "role/deliver/deliver.h"

#include "auth/auth.h"
#include "role/deliver/room.h"
#include "role/deliver/spawner.h"
#include "role/events.h"
#include "role/sandbox.h"
#include "table/face.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

/* Together less than master's patience. */
enum { END_PATIENCE_S = 4, HANDS_PATIENCE_S = 5 };

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

/* From here on this process is mail_owner: only the spawner can do more. */
static err drop_rights(struct task *t, const struct conf *c)
{
    struct arena a;
    struct passwd *pw;
    err e = OK;

    if (geteuid() != 0)
        return OK;
    arena_init(&a, 0);
    pw = getpwnam(arena_cstr(&a, conf_str(c, P_mail_owner)));
    if (!pw || pw->pw_uid == 0)
        e = why(t, ERR_DENIED, "mail_owner: no such user, or it is root");
    else if (setgroups(0, NULL) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
        e = why(t, ERR_DENIED, "cannot become mail_owner");
    arena_reset(&a);
    return e;
}

static void take(struct task *t, void *deliver, struct edition *before)
{
    (void)t, (void)deliver, (void)before; /* a job goes by what is in force */
}

static void take_ports(struct task *t, struct deliver *d)
{
    struct role_port *p;

    while ((p = role_port_take(d->role, ROLE_smtpd)))
        room_port(d, p->port);
    while ((p = role_port_take(d->role, ROLE_qmgr))) {
        struct jobs_port *j;
        if (p->number == ROLE_SUBMISSIONS) {
            submitter_port(t, d->submitter, p->port);
            continue;
        }
        j = heap_new(struct jobs_port);
        j->deliver = d;
        j->port = p->port;
        map_init(&j->segments, false);
        list_init(&j->asking);
        group_go(&d->group, "jobs", jobs_run, j);
    }
}

static err serve(struct task *t, struct deliver *d)
{
    static const struct edition_user user = { setup_open, take };
    uint64_t seen = 0;

    while (!d->role->stop) {
        TRY(role_turn(t, d->role, &user, d));
        if (d->role->now)
            take_ports(t, d);
        TRY(role_wait(t, d->role, &seen, NEVER));
    }
    return OK;
}

/* Deliveries under way may finish: what is cut off is done twice. */
static void let_finish(struct task *t, struct deliver *d)
{
    when until = after_s(t, END_PATIENCE_S);

    while (d->n_runs > 0 && rt_now(t) < until)
        if (task_sleep(t, after_ms(t, 20)))
            return;
}

static err run_deliver(struct task *t, struct deliver *d)
{
    err e = role_wait_complete(t, d->role);

    if (e)
        return e;
    if (d->role->control) {     /* a test keeps its rights */
        TRY(drop_rights(t, d->role->coming->conf));
        TRY(sandbox_enter(t, d->role));
    }
    e = serve(t, d);
    let_finish(t, d);
    hands_end(t, d, after_s(t, HANDS_PATIENCE_S));
    return e;
}

err role_deliver_run(struct task *t, struct role *r)
{
    struct deliver *d = arena_new(r->memory, struct deliver);
    err e;

    d->role = r;
    d->plain = geteuid() != 0;
    list_init(&d->hands);
    TRY(spawner_start(t, hand_serve, &d->spawner));
    group_open(t, &d->group);
    d->opener = role_opener(r, role_calls(r, &d->group, ROLE_lookup));
    if (r->control)
        d->auth = auth_remote(r->memory,
                              role_calls(r, &d->group, ROLE_authd));
    d->submitter = submitter_new(d);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = run_deliver(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->group);
    hands_close(t, d);
    role_end(r);
    return e;
}
