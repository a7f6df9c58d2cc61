/* SPDX-License-Identifier: ISC
 *
 * The operator: now and then lists, flushes, holds, releases, requeues and
 * deletes mail through qmgr's admin port.
 */
#include "test/world/mail.h"

#include "role/queue_row.h"
#include "spool/face.h"

enum { PATIENCE_S = 30, ID_MAX = 40 };

/* One row of a listing, drawn with the same chance for all. */
struct drawn {
    uint32_t n_rows;
    char id[ID_MAX];
    struct letter *letter;  /* NULL: a report, or none */
};

static void ask(struct port *p, char verb, str argument)
{
    struct buf b;

    buf_init(&b, NULL, 2048);
    pack_u8(&b, (uint8_t)verb);
    if (argument.n)
        pack_str(&b, argument);
    port_answer(p, &(struct frame){ .type = FACE_ADMIN, .body = buf_str(&b),
                                    .fd = -1 });
    buf_free(&b);
}

static void on_row(struct task *t, struct world_mail *w, str row,
                   struct drawn *d)
{
    struct queue_row r;
    struct arena a;
    uint64_t id = 0;
    str number;

    arena_init(&a, 0);
    if (queue_row_unpack(row, &a, &r) || r.id.n >= ID_MAX) {
        broken(w->r, "a row of the queue does not unpack");
    } else if (one_in(t, ++d->n_rows)) {
        memset(d->id, 0, sizeof(d->id));
        memcpy(d->id, r.id.p, r.id.n);
        number = str_skip(r.sender, 1); /* "s12@origin.test" */
        number = str_head(number, str_chr(number, '@') == STR_NONE
                                      ? 0 : str_chr(number, '@'));
        d->letter = str_uint(number, UINT32_MAX, &id) ? letter_find(w, id)
                                                      : NULL;
    }
    arena_reset(&a);
}

/* Until the end of the answer. */
static err hear(struct task *t, struct world_mail *w, struct port *p,
                struct drawn *d)
{
    when until = after_s(t, PATIENCE_S);
    struct frame f;

    for (;;) {
        TRY(port_recv(t, p, until, &f));
        fd_close(f.fd);
        if (f.type == FACE_ROWS_END)
            return OK;
        if (f.type == FACE_ROW)
            on_row(t, w, f.body, d);
    }
}

static err do_one(struct task *t, struct world_mail *w, struct port *p,
                  char verb, str argument)
{
    struct drawn d = { 0 };

    ask(p, verb, argument);
    return hear(t, w, p, &d);
}

static err list_and_change(struct task *t, struct world_mail *w,
                           struct port *p)
{
    static const char verbs[] = "dhHri";
    struct drawn d = { 0 };
    char verb = verbs[below(t, sizeof(verbs) - 1)];

    ask(p, 'l', S(""));
    TRY(hear(t, w, p, &d));
    if (!d.id[0] || w->calm || (verb == 'd' && !d.letter))
        return OK;
    if (verb == 'd')
        d.letter->deleted = true;
    sim_say(t, "operator: %c %s", verb, d.id);
    return do_one(t, w, p, verb, str_from(d.id));
}

static err change_all(struct task *t, struct world_mail *w, struct port *p)
{
    static const char verbs[] = "fhHr";
    char verb = w->calm ? 'f' : verbs[below(t, sizeof(verbs) - 1)];

    sim_say(t, "operator: %c all", verb);
    return do_one(t, w, p, verb, verb == 'f' ? S("") : S("ALL"));
}

static err reach(struct task *t, struct world_mail *w, struct port **p)
{
    struct sock *s;

    TRY(sock_connect(t, &w->admin_at, NULL, after_s(t, PATIENCE_S), &s));
    return port_open(t, s, p);
}

err operator_release(struct task *t, struct world_mail *w)
{
    struct port *p;
    err e;

    TRY(reach(t, w, &p));
    e = do_one(t, w, p, 'H', S("ALL"));
    if (!e)
        e = do_one(t, w, p, 'f', S(""));
    port_close(p);
    return e;
}

err operator_run(struct task *t, void *arg)
{
    struct world_mail *w = arg;

    while (!w->closing) {
        struct port *p;
        err e;
        TRY(task_sleep(t, after_ms(t, 500 + (int64_t)below(t, 6000))));
        e = reach(t, w, &p);
        if (!e) {
            e = one_in(t, 6) ? change_all(t, w, p) : list_and_change(t, w, p);
            port_close(p);
        }
        if (e == ERR_STOPPED)
            return e;
    }
    return OK;
}
