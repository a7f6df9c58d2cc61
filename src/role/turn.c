/* SPDX-License-Identifier: ISC
 *
 * A role's steps from one edition to the next (role/edition.h), and its
 * listeners on the way.
 */
#include "role/role.h"

#include "role/events.h"
#include "role/sandbox.h"

enum { WHY_MAX = 2000 };

/* --- listeners ------------------------------------------------------------ */

void role_listener_add(struct role *r, uint32_t number, uint32_t service,
                       struct sock *s)
{
    struct role_listener *l = heap_new(struct role_listener);

    must(r->coming);
    l->number = number;
    l->service_next = service;
    l->edition = r->coming->number;
    l->sock = s;
    list_add_last(&r->listeners, &l->link);
}

bool role_listener_over(const struct role *r, const struct role_listener *l)
{
    return l->served && l->edition < r->now->number;
}

void role_listener_close(struct role_listener *l)
{
    list_del(&l->link);
    sock_close(l->sock);
    heap_free(l);
}

/* Whose bodies serve listeners close those that are over. */
static void take_listeners(struct role *r)
{
    list_each(l, &r->listeners) {
        struct role_listener *li = container_of(l, struct role_listener,
                                                link);
        if (!r->control) /* nobody names them again */
            li->edition = r->now->number;
        if (li->edition != r->now->number)
            continue;
        li->service = li->service_next;
        li->served = true;
    }
}

void role_forget_coming(struct role *r)
{
    edition_leave(r->coming);
    r->coming = NULL;
    r->complete = r->opened = false;
    list_each(l, &r->listeners) {
        struct role_listener *li = container_of(l, struct role_listener,
                                                link);
        if (!li->served)
            role_listener_close(li);
    }
}

/* --- what master hears ---------------------------------------------------- */

static void tell(struct role *r, enum control_frame type, uint32_t number,
                 const char *text)
{
    struct buf b;

    if (!r->control)
        return;
    buf_init(&b, NULL, 2 * WHY_MAX);
    pack_u32(&b, number);
    if (text)
        pack_str(&b, str_head(str_from(text), WHY_MAX));
    port_answer(r->control, &(struct frame){ .type = (uint16_t)type,
                                             .body = buf_str(&b),
                                             .fd = -1 });
    buf_free(&b);
}

/* --- steps ---------------------------------------------------------------- */

err role_wait_complete(struct task *t, struct role *r)
{
    while (!r->complete && !r->stop)
        TRY(bell_wait(t, &r->changed, NEVER));
    return r->stop ? ERR_STOPPED : OK;
}

err role_wait_first(struct task *t, struct role *r)
{
    TRY(role_wait_complete(t, r));
    return r->control ? sandbox_enter(t, r) : OK;
}

/* While it is being opened master may drop it, or another one may come. */
static err open_coming(struct task *t, struct role *r,
                       const struct edition_user *u, void *self)
{
    struct edition *e = edition_hold(r->coming);
    err failed = u->open(t, self, e);
    bool wanted = r->coming == e;

    if (wanted && failed == OK)
        r->opened = true;
    if (wanted && failed && failed != ERR_STOPPED) {
        tell(r, CONTROL_REFUSED, e->number, task_why(t));
        role_forget_coming(r);
    } else if (r->opened) {
        tell(r, CONTROL_READY, e->number, NULL);
    }
    edition_leave(e);
    return r->now && failed != ERR_STOPPED ? OK : failed;
}

static void take_coming(struct task *t, struct role *r,
                        const struct edition_user *u, void *self)
{
    struct edition *before = r->now;

    must(!before || before->number < r->coming->number); /* edition.h, I2 */
    r->now = r->coming;
    r->coming = NULL;
    r->complete = r->opened = false;
    take_listeners(r);
    if (before)
        before->old = true;
    u->take(t, self, before);
    edition_leave(before);
    tell(r, CONTROL_TAKEN, r->now->number, NULL);
}

err role_turn(struct task *t, struct role *r, const struct edition_user *u,
              void *self)
{
    if (r->coming && r->complete && !r->opened)
        TRY(open_coming(t, r, u, self));
    if (r->coming && r->opened && r->take == r->coming->number)
        take_coming(t, r, u, self);
    return OK;
}

void role_offer(struct role *r, struct edition *e)
{
    must(!r->control);
    edition_leave(r->coming);
    r->coming = e;
    r->complete = true;
    r->opened = false;
    r->take = e->number;
    role_changed(r);
}

void role_end(struct role *r)
{
    list_each(l, &r->listeners)
        role_listener_close(container_of(l, struct role_listener, link));
    edition_leave(r->coming);
    edition_leave(r->now);
    r->coming = r->now = NULL;
}
