/* SPDX-License-Identifier: ISC
 *
 * `veredus --role NAME` and `veredus --master`: where a process becomes what
 * it is.  The control port is descriptor 3.
 */
#include "role/start.h"

#include "net/tls.h"

#include <sys/prctl.h>

enum { CONTROL_FD = 3 };

/* Roles that this build does not have are NULL. */
#define ROLE(name, title)                                                     \
    extern err role_##name##_run(struct task *t, struct role *r)              \
        __attribute__((weak));
#include "role/roles.def"
#undef ROLE

typedef err role_fn(struct task *t, struct role *r);

static role_fn *body(enum role_kind k)
{
    static role_fn *const bodies[] = {
#define ROLE(name, title) role_##name##_run,
#include "role/roles.def"
#undef ROLE
    };
    return k < N_ROLES ? bodies[k] : NULL;
}

bool role_built(enum role_kind k)
{
    return body(k) != NULL;
}

/* Libraries read these files at their first use, when the sandbox stands. */
static void prepare(struct task *t)
{
    (void)world_zone_s(t, rt_wall(t));
    tls_prepare();
}

/* Tells master why this role ends: at the start it tells the administrator. */
static void confess(struct task *t, struct role *r)
{
    struct buf b;

    buf_init(&b, NULL, 4096);
    pack_str(&b, str_head(str_from(task_why(t)), 2000));
    port_answer(r->control, &(struct frame){ .type = CONTROL_FAILED,
                                             .body = buf_str(&b),
                                             .fd = -1 });
    buf_free(&b);
    err_ignore(task_sleep(t, after_ms(t, 1))); /* it leaves meanwhile */
}

/* What ps(1) calls it: it was started by a name that says nothing. */
static void name_process(enum role_kind k)
{
    prctl(PR_SET_NAME, strrchr(role_title(k), '/') + 1, 0, 0, 0);
}

static err run(struct task *t, void *arg)
{
    enum role_kind kind = *(enum role_kind *)arg;
    struct arena memory;
    struct role r;
    struct sock *s;
    err e;

    name_process(kind);
    arena_init(&memory, 0);
    role_init(&r, kind, &memory);
    e = sock_adopt(t, CONTROL_FD, &s);
    if (!e)
        e = port_open(t, s, &r.control);
    if (!e) {
        prepare(t);
        e = body(kind)(t, &r);
        if (e && e != ERR_STOPPED)
            confess(t, &r);
        port_close(r.control);
    }
    arena_reset(&memory);
    return e;
}

int role_start(str name)
{
    enum role_kind kind = role_find(name);

    if (!body(kind))
        return 1;
    return world_run(role_title(kind), run, &kind) ? 1 : 0;
}

static err run_master(struct task *t, void *options)
{
    return role_master_run(t, options);
}

int master_start(const struct master_options *o)
{
    struct master_options copy = *o;

    return world_run("postfix/master", run_master, &copy) ? 1 : 0;
}
