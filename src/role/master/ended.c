/* SPDX-License-Identifier: ISC
 *
 * Users whose sessions end: they were deleted, disabled, renamed, or have
 * another password.  The command that did it writes the name into pid/ended,
 * a line a name, and sends SIGUSR1, which a master of 0.1.0 survives; master
 * tells who serves sessions.  Nobody but root, or who runs the whole system,
 * writes there.
 */
#include "role/master/master.h"

#include "role/ended.h"
#include "role/events.h"

static void tell(struct master *m, str user)
{
    list_each(l, &m->children) {
        struct child *c = container_of(l, struct child, link);
        if (c->alive && (c->kind == ROLE_reader || c->kind == ROLE_smtpd))
            port_answer(c->control, &(struct frame){
                            .type = CONTROL_USER_ENDED, .body = user,
                            .fd = -1 });
    }
}

bool ended_tell(struct task *t, struct master *m)
{
    bool any = false;
    str text = S(""), user;
    struct arena a;

    arena_init(&a, 0);
    if (ended_take(t, conf_str(m->now->conf, P_queue_directory), &a, &text))
        say(t, role_error, task_why(t));
    while (str_cut(&text, '\n', &user))
        if (!str_empty(user) && user.n <= AUTH_NAME_MAX) {
            tell(m, user);
            any = true;
        }
    arena_reset(&a);
    return any;
}
