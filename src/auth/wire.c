/* SPDX-License-Identifier: ISC
 *
 * Questions and answers between roles.
 *
 * Question: u8 version | str service | str client | str user | str secret.
 * Answer:   u8 version | u8 err | str why | and if err is OK: str name |
 *           str home | str mailbox | u8 has_ids | u32 uid | u32 gid |
 *           u64 quota | str pass.
 */
#include "auth/auth_local.h"
#include "auth/pass.h"

enum { WIRE_VERSION = 2, BODY_MAX = 32 * 1024, CLIENT_MAX = 256,
       WORKERS_MAX = 1000, ERR_LAST = ERR_PEER };

enum face {
#define FACE(name, number) FACE_##name = (number),
#include "auth/face.def"
#undef FACE
};

static void pack_user(const struct auth_user *u, struct buf *to)
{
    pack_str(to, u->name);
    pack_str(to, u->home);
    pack_str(to, u->mailbox);
    pack_u8(to, u->has_ids);
    pack_u32(to, u->uid);
    pack_u32(to, u->gid);
    pack_u64(to, u->quota);
    pack_str(to, u->pass);
}

static void unpack_user(struct unpack *u, struct auth_user *out)
{
    out->name = unpack_str(u, AUTH_TEXT_MAX);
    out->home = unpack_str(u, AUTH_TEXT_MAX);
    out->mailbox = unpack_str(u, AUTH_TEXT_MAX);
    out->has_ids = unpack_u8(u) == 1;
    out->uid = unpack_u32(u);
    out->gid = unpack_u32(u);
    out->quota = unpack_u64(u);
    out->pass = unpack_str(u, PASS_SIZE_MAX);
}

err auth_ask(struct task *t, struct auth *au, bool find,
             const struct auth_question *q, when until, struct arena *a,
             struct auth_user *out)
{
    struct auth_user user = { { 0 } };
    struct frame answer;
    struct unpack u;
    struct buf b;
    uint8_t result;
    str reason;

    buf_init(&b, a, BODY_MAX);
    pack_u8(&b, WIRE_VERSION);
    pack_str(&b, q->service);
    pack_str(&b, q->client);
    pack_str(&b, q->user);
    pack_str(&b, q->secret);
    if (b.over)
        return ERR_DENIED;
    TRY(call(t, au->calls, find ? FACE_auth_find : FACE_auth_check,
             buf_str(&b), until, a, &answer));
    u = unpack_of(answer.body);
    if (unpack_u8(&u) != WIRE_VERSION)
        u.bad = true;
    result = unpack_u8(&u);
    reason = unpack_str(&u, AUTH_TEXT_MAX);
    if (result == OK)
        unpack_user(&u, &user);
    if (!unpack_end(&u) || result > ERR_LAST)
        return why(t, ERR_PEER, "bad answer from authd");
    if (result)
        return why(t, (err)result, "%.*s", STR(reason));
    *out = user;
    return OK;
}

/* One question on its way to an answer; on the heap, its task frees it. */
struct job {
    struct auth *au;
    struct port *port;
    struct arena a;
    uint64_t id;
    bool find;
    str pass_key;
    struct auth_question q;
};

static err answer(struct task *t, void *arg)
{
    struct job *j = arg;
    struct frame f = { .type = j->find ? FACE_auth_find : FACE_auth_check,
                       .id = j->id, .fd = -1 };
    struct auth_user user = { { 0 } };
    struct buf b;
    err e;

    e = j->find ? auth_find(t, j->au, &j->q, NEVER, &j->a, &user)
                : auth_check(t, j->au, &j->q, NEVER, &j->a, &user);
    if (!e && !j->find && !str_empty(j->pass_key) && user.has_ids)
        user.pass = pass_issue(t, j->pass_key, &user, &j->a);
    if (e != ERR_STOPPED) {
        buf_init(&b, &j->a, BODY_MAX);
        pack_u8(&b, WIRE_VERSION);
        pack_u8(&b, (uint8_t)e);
        pack_str(&b, e && e != ERR_DENIED ? str_head(str_from(task_why(t)),
                                                     500) : S(""));
        if (!e)
            pack_user(&user, &b);
        f.body = buf_str(&b);
        port_answer(j->port, &f);
    }
    arena_reset(&j->a);
    if (j->au->owner.self)
        j->au->owner.leave(j->au->owner.self);
    heap_free(j);
    return OK;
}

static bool unpack_question(str body, struct arena *a,
                            struct auth_question *q)
{
    struct unpack u = unpack_of(arena_str(a, body));

    if (unpack_u8(&u) != WIRE_VERSION)
        u.bad = true;
    q->service = unpack_str(&u, CLIENT_MAX);
    q->client = unpack_str(&u, CLIENT_MAX);
    q->user = unpack_str(&u, AUTH_TEXT_MAX);
    q->secret = unpack_str(&u, AUTH_TEXT_MAX);
    return unpack_end(&u);
}

static err start(struct task *t, struct task_group *g, struct auth *au,
                 str pass_key, struct port *p, const struct frame *f)
{
    struct job *j;

    if (f->fd >= 0 || f->body.n > BODY_MAX ||
        (f->type != FACE_auth_check && f->type != FACE_auth_find))
        return why(t, ERR_PEER, "auth: unknown question %d", f->type);
    must(!au->calls);
    j = heap_new(struct job);
    arena_init(&j->a, 0);
    j->au = au;
    j->port = p;
    j->id = f->id;
    j->find = f->type == FACE_auth_find;
    j->pass_key = pass_key;
    if (!unpack_question(f->body, &j->a, &j->q)) {
        arena_reset(&j->a);
        heap_free(j);
        return why(t, ERR_PEER, "auth: broken question");
    }
    if (au->owner.self)
        au->owner.hold(au->owner.self);
    group_go(g, "auth question", answer, j);
    return OK;
}

err auth_serve(struct task *t, struct auth *const *au, str pass_key,
               struct port *p)
{
    struct task_group g;
    struct frame f;
    err e = OK;

    group_open(t, &g);
    while (!e) {
        e = group_wait_below(t, &g, WORKERS_MAX, NEVER);
        if (!e)
            e = port_recv(t, p, NEVER, &f);
        if (!e)
            e = start(t, &g, *au, pass_key, p, &f);
    }
    group_close(t, &g);
    return e;
}
