/* SPDX-License-Identifier: ISC
 *
 * Asking the lookup role for names, and being asked.
 *
 *     question  u8 version | u8 what | u16 type | u32 patience in ms | then
 *               str name, or (client) u8 endpoint kind, str ip
 *     answer    u8 version | u8 err | str why | if that is OK an answer, or
 *               (client) str name, str reverse, u8 status
 *
 * Answers are kept here as well, so that the thirty recipients of a message,
 * or the thirty messages of a client, ask once.
 *
 * R1  At most KEPT_MAX answers are kept, none longer than KEPT_S; failures
 *     are not kept.
 */
#include "net/dns_local.h"

enum { VERSION = 1, PATIENCE_MAX_MS = 120 * 1000, KEPT_MAX = 4096,
       KEPT_S = 300, KEPT_RECORDS_MAX = 64, WHY_MAX = 500,
       ERR_LAST = ERR_PEER };

enum what { ASK, HOST, CLIENT };

struct kept {
    struct arena arena;
    struct link link;       /* remote->kept, oldest first */
    str key;
    struct dns_answer answer;
    when until;
};

struct remote {
    struct dns base;
    struct calls *calls;
    struct map by_key;      /* of struct kept * */
    struct link kept;
};

/* --- what is kept -------------------------------------------------------- */

static void kept_drop(struct remote *r, struct kept *k)
{
    map_del(&r->by_key, k->key);
    list_del(&k->link);
    arena_reset(&k->arena);
    heap_free(k);
}

static str key_of(enum what what, enum dns_type type, str name,
                  struct arena *a)
{
    return arena_fmt(a, "%d %d %.*s", what, type,
                     STR(arena_lower(a, name)));
}

static bool kept_find(struct task *t, struct remote *r, str key,
                      struct arena *a, struct dns_answer *out)
{
    struct kept *k = map_get(&r->by_key, key);

    if (k && k->until <= rt_now(t)) {
        kept_drop(r, k);
        k = NULL;
    }
    if (k)
        dns_answer_copy(&k->answer, a, out);
    return k;
}

static void kept_put(struct task *t, struct remote *r, str key,
                     const struct dns_answer *x)
{
    struct kept *k = map_get(&r->by_key, key);

    if (dns_temporary(x) || x->ttl == 0 || x->n > KEPT_RECORDS_MAX)
        return;
    if (k)
        kept_drop(r, k); /* somebody else asked at the same time */
    if (r->by_key.n >= KEPT_MAX)
        kept_drop(r, container_of(r->kept.next, struct kept, link));
    k = heap_new(struct kept);
    arena_init(&k->arena, 0);
    k->key = arena_str(&k->arena, key);
    k->until = after_s(t, x->ttl < KEPT_S ? x->ttl : KEPT_S);
    dns_answer_copy(x, &k->arena, &k->answer);
    list_add_last(&r->kept, &k->link);
    map_put(&r->by_key, k->key, k);
}

static void remote_close(void *remote)
{
    struct remote *r = remote;

    while (!list_empty(&r->kept))
        kept_drop(r, container_of(r->kept.next, struct kept, link));
    map_free(&r->by_key);
}

/* --- asking -------------------------------------------------------------- */

static void pack_head(struct task *t, struct buf *b, enum what what,
                      enum dns_type type, when until)
{
    int64_t ms = until == NEVER ? PATIENCE_MAX_MS
               : (until - rt_now(t)) / 1000;

    pack_u8(b, VERSION);
    pack_u8(b, (uint8_t)what);
    pack_u16(b, (uint16_t)type);
    pack_u32(b, ms < 0 ? 0 : ms > PATIENCE_MAX_MS ? PATIENCE_MAX_MS
                                                  : (uint32_t)ms);
}

static err bad_answer(struct task *t)
{
    return why(t, ERR_PEER, "a bad answer about DNS");
}

/* Sends the question; *u is what follows an OK. */
static err exchange(struct task *t, struct remote *r, str question,
                    when until, struct arena *a, struct unpack *u)
{
    struct frame f;
    uint8_t e;
    str reason;

    TRY(call(t, r->calls, DNS_FRAME, question, until, a, &f));
    fd_close(f.fd); /* none was asked for */
    *u = unpack_of(f.body);
    if (unpack_u8(u) != VERSION)
        return bad_answer(t);
    e = unpack_u8(u);
    reason = unpack_str(u, WHY_MAX);
    if (u->bad || e > ERR_LAST)
        return bad_answer(t);
    if (e) /* a stop over there is none of ours */
        return why(t, e == ERR_STOPPED ? ERR_END : (err)e, "%.*s",
                   STR(reason));
    return OK;
}

struct wanted {
    enum what what;
    enum dns_type type;
    str name;
};

static err remote_find(struct task *t, struct dns *d,
                       const struct wanted *w, when until, struct arena *a,
                       struct dns_answer *out)
{
    struct remote *r = container_of(d, struct remote, base);
    str key = key_of(w->what, w->type, w->name, a);
    struct unpack u;
    struct buf b;

    if (kept_find(t, r, key, a, out))
        return OK;
    buf_init(&b, a, DNS_FRAME_MAX);
    pack_head(t, &b, w->what, w->type, until);
    pack_str(&b, w->name);
    TRY(exchange(t, r, buf_str(&b), until, a, &u));
    if (!dns_answer_unpack(&u, a, out) || !unpack_end(&u))
        return bad_answer(t);
    kept_put(t, r, key, out);
    return OK;
}

static err remote_ask(struct task *t, struct dns *d, str name,
                      enum dns_type type, when until, struct arena *a,
                      struct dns_answer *out)
{
    return remote_find(t, d, &(struct wanted){ ASK, type, name }, until, a,
                       out);
}

static err remote_host(struct task *t, struct dns *d, str name, when until,
                       struct arena *a, struct dns_answer *out)
{
    return remote_find(t, d, &(struct wanted){ HOST, DNS_A, name }, until, a,
                       out);
}

static err remote_client(struct task *t, struct dns *d,
                         const struct endpoint *e, when until,
                         struct arena *a, struct dns_names *out)
{
    struct remote *r = container_of(d, struct remote, base);
    size_t size = e->kind == ENDPOINT_IP4 ? 4 : 16;
    struct unpack u;
    struct buf b;
    str n, v;
    int s;

    buf_init(&b, a, DNS_FRAME_MAX);
    pack_head(t, &b, CLIENT, DNS_PTR, until);
    pack_u8(&b, (uint8_t)e->kind);
    pack_str(&b, str_of(e->ip, size));
    TRY(exchange(t, r, buf_str(&b), until, a, &u));
    n = unpack_str(&u, DNS_NAME_MAX);
    v = unpack_str(&u, DNS_NAME_MAX);
    s = unpack_u8(&u);
    if (!unpack_end(&u) || (s != 0 && s != 4 && s != 5) || n.n == 0
        || v.n == 0)
        return bad_answer(t);
    *out = (struct dns_names){ arena_str(a, n), arena_str(a, v), s };
    return OK;
}

struct dns *dns_remote(struct arena *a, struct calls *calls)
{
    static const struct dns_ops ops = { remote_ask, remote_host,
                                        remote_client };
    struct remote *r = arena_new(a, struct remote);

    r->base = (struct dns){ DNS_MAGIC, &ops, NULL };
    r->calls = calls;
    map_init(&r->by_key, false);
    list_init(&r->kept);
    arena_own(a, remote_close, r);
    return &r->base;
}

/* --- being asked --------------------------------------------------------- */

struct asked {
    enum what what;
    enum dns_type type;
    when until;
    str name;
    struct endpoint client;
};

static bool unpack_question(struct task *t, str question, struct asked *q)
{
    struct unpack u = unpack_of(question);
    uint8_t version = unpack_u8(&u);
    uint32_t ms;
    str ip;

    *q = (struct asked){ .what = (enum what)unpack_u8(&u) };
    q->type = (enum dns_type)unpack_u16(&u);
    ms = unpack_u32(&u);
    q->until = after_ms(t, ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS);
    if (q->what != CLIENT) {
        q->name = unpack_str(&u, DNS_NAME_MAX);
    } else {
        q->client.kind = (enum endpoint_kind)unpack_u8(&u);
        ip = unpack_str(&u, 16);
        if ((q->client.kind != ENDPOINT_IP4 || ip.n != 4)
            && (q->client.kind != ENDPOINT_IP6 || ip.n != 16))
            return false;
        memcpy(q->client.ip, ip.p, ip.n);
    }
    return unpack_end(&u) && version == VERSION && q->what <= CLIENT;
}

static void pack_result(struct task *t, err e, struct buf *answer)
{
    pack_u8(answer, VERSION);
    pack_u8(answer, (uint8_t)e);
    pack_str(answer, e ? str_head(str_from(task_why(t)), WHY_MAX) : S(""));
}

static err serve_client(struct task *t, struct dns *d, const struct asked *q,
                        struct arena *a, struct buf *answer)
{
    struct dns_names n;

    TRY(dns_client(t, d, &q->client, q->until, a, &n));
    pack_result(t, OK, answer);
    pack_str(answer, n.name);
    pack_str(answer, n.reverse);
    pack_u8(answer, (uint8_t)n.status);
    return OK;
}

err dns_serve(struct task *t, struct dns *d, str question, struct buf *answer)
{
    struct dns_answer found;
    struct arena a;
    struct asked q;
    err e;

    if (!unpack_question(t, question, &q))
        return why(t, ERR_PEER, "a bad question about DNS");
    arena_init(&a, 0);
    if (q.what == CLIENT) {
        e = serve_client(t, d, &q, &a, answer);
    } else {
        e = q.what == HOST
                ? dns_host(t, d, q.name, q.until, &a, &found)
                : dns_ask(t, d, q.name, q.type, q.until, &a, &found);
        pack_result(t, e, answer);
        if (!e)
            dns_answer_pack(&found, answer);
    }
    arena_reset(&a);
    if (e == ERR_STOPPED)
        return e;
    must(!answer->over);
    return OK;
}
