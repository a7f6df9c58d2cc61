/* SPDX-License-Identifier: ISC
 *
 * The authentication role.  Powers: reads password tables.  Answers yes or no
 * with a user's attributes to the roles that ask over ports; never sees mail.
 */
#include "auth/auth.h"
#include "role/role.h"

#include "role/events.h"


struct authd {
    struct role *role;
    struct auth *auth;          /* of what is in force */
    struct task_group group;
};

struct asker {
    struct authd *d;
    struct port *port;
    str pass_key;       /* empty: not one of the doors that need passes */
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

static err serve_port(struct task *t, void *arg)
{
    struct asker *a = arg;
    err e = auth_serve(t, &a->d->auth, a->pass_key, a->port);

    if (e == ERR_PEER)
        say(t, role_error, task_why(t));
    port_close(a->port);
    heap_free(a);
    return OK;
}

static void hold(void *edition)
{
    edition_hold(edition);
}

static void leave(void *edition)
{
    edition_leave(edition);
}

/* Sources that are asked when the next configuration comes are closed by the
 * last who asks. */
static err open_sources(struct task *t, void *authd, struct edition *e)
{
    struct auth_settings s = auth_settings_of(e->conf);
    struct auth *auth;

    (void)authd;
    TRY(auth_open(t, &e->memory, &s, &auth));
    auth_own(auth, &(struct auth_owner){ e, hold, leave });
    e->self = auth;
    return OK;
}

static void take(struct task *t, void *authd, struct edition *before)
{
    struct authd *d = authd;

    (void)t;
    d->auth = d->role->now->self;
    if (before)
        auth_follow(d->auth, before->self);
}

static void take_ports(struct authd *d)
{
    for (enum role_kind k = 0; k < N_ROLES; k++) {
        struct role_port *p;
        while ((p = role_port_take(d->role, k))) {
            struct asker *a = heap_new(struct asker);
            *a = (struct asker){ d, p->port,
                                 k == ROLE_imapd ? role_pass_key(d->role)
                                                 : S("") };
            group_go(&d->group, "asker", serve_port, a);
        }
    }
}

static err serve(struct task *t, struct authd *d)
{
    static const struct edition_user user = { open_sources, take };
    uint64_t seen = 0;

    while (!d->role->stop) {
        TRY(role_turn(t, d->role, &user, d));
        if (d->auth)
            take_ports(d);
        TRY(role_wait(t, d->role, &seen, NEVER));
    }
    return OK;
}

err role_authd_run(struct task *t, struct role *r)
{
    struct authd *d = arena_new(r->memory, struct authd);
    err e;

    d->role = r;
    group_open(t, &d->group);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->group);
    role_end(r);
    return e;
}
