/* SPDX-License-Identifier: ISC
 *
 * Issuing and taking passes.
 */
#include "auth/pass.h"

#include "net/digest.h"

#include <string.h>

enum { VERSION = 1, MAC_SIZE = 32, TAKEN_MAX = 1 << 18 };

str pass_issue(struct task *t, str key, const struct auth_user *user,
               struct arena *a)
{
    char nonce[PASS_NONCE_SIZE];
    struct digest mac;
    struct buf b;

    must(key.n == PASS_KEY_SIZE && user->has_ids);
    rt_random(t, nonce, sizeof(nonce));
    buf_init(&b, a, PASS_SIZE_MAX);
    pack_u8(&b, VERSION);
    pack_str(&b, user->name);
    pack_str(&b, user->home);
    pack_str(&b, user->mailbox);
    pack_u32(&b, user->uid);
    pack_u32(&b, user->gid);
    pack_u64(&b, user->quota);
    pack_i64(&b, after_s(t, PASS_LIFE_S));
    pack_str(&b, str_of(nonce, sizeof(nonce)));
    mac = digest_hmac(DIGEST_SHA256, key, buf_str(&b));
    buf_add(&b, digest_str(&mac));
    return b.over ? S("") : buf_str(&b);
}

err pass_check(struct task *t, str key, str packed, struct pass *out)
{
    struct pass p = { .user = { .has_ids = true } };
    struct digest mac;
    struct unpack u;
    str body;

    must(key.n == PASS_KEY_SIZE);
    if (packed.n <= MAC_SIZE || packed.n > PASS_SIZE_MAX)
        return why(t, ERR_DENIED, "no pass of authd's");
    body = str_head(packed, packed.n - MAC_SIZE);
    mac = digest_hmac(DIGEST_SHA256, key, body);
    if (!secret_eq(digest_str(&mac), str_skip(packed, body.n)))
        return why(t, ERR_DENIED, "no pass of authd's");
    u = unpack_of(body);
    if (unpack_u8(&u) != VERSION)
        u.bad = true;
    p.user.name = unpack_str(&u, AUTH_TEXT_MAX);
    p.user.home = unpack_str(&u, AUTH_TEXT_MAX);
    p.user.mailbox = unpack_str(&u, AUTH_TEXT_MAX);
    p.user.uid = unpack_u32(&u);
    p.user.gid = unpack_u32(&u);
    p.user.quota = unpack_u64(&u);
    p.until = unpack_i64(&u);
    p.nonce = unpack_str(&u, PASS_NONCE_SIZE);
    if (!unpack_end(&u) || p.nonce.n != PASS_NONCE_SIZE)
        return why(t, ERR_DENIED, "a pass of another version");
    if (rt_now(t) >= p.until)
        return why(t, ERR_DENIED, "the pass of %.*s is over",
                   STR(p.user.name));
    *out = p;
    return OK;
}

/* --- each once ----------------------------------------------------------- */

struct taken {
    struct link link;           /* in the order in which they end */
    when until;
    char nonce[PASS_NONCE_SIZE];
};

struct passes {
    struct map by_nonce;
    struct link taken;
};

struct passes *passes_new(void)
{
    struct passes *ps = heap_new(struct passes);

    map_init(&ps->by_nonce, false);
    list_init(&ps->taken);
    return ps;
}

/* Forgets those that are over at now. */
static void forget(struct passes *ps, when now)
{
    while (!list_empty(&ps->taken)) {
        struct taken *x = container_of(ps->taken.next, struct taken, link);
        if (x->until > now)
            return;
        map_del(&ps->by_nonce, str_of(x->nonce, PASS_NONCE_SIZE));
        list_pop(&ps->taken);
        heap_free(x);
    }
}

void passes_free(struct passes *ps)
{
    forget(ps, NEVER);
    map_free(&ps->by_nonce);
    heap_free(ps);
}

err passes_take(struct task *t, struct passes *ps, const struct pass *p)
{
    struct taken *x;

    must(p->nonce.n == PASS_NONCE_SIZE);
    forget(ps, rt_now(t));
    if (map_get(&ps->by_nonce, p->nonce))
        return why(t, ERR_DENIED, "the pass of %.*s was shown twice",
                   STR(p->user.name));
    if (ps->by_nonce.n == TAKEN_MAX)
        return why(t, ERR_LIMIT, "more than %d logins in a minute",
                   TAKEN_MAX);
    x = heap_new(struct taken);
    memcpy(x->nonce, p->nonce.p, PASS_NONCE_SIZE);
    /* one that came late may end before those ahead of it: it stays longer */
    x->until = p->until;
    map_put(&ps->by_nonce, str_of(x->nonce, PASS_NONCE_SIZE), x);
    list_add_last(&ps->taken, &x->link);
    return OK;
}
