/* SPDX-License-Identifier: ISC
 *
 * Sessions that a client may resume, in memory: the newest of each server,
 * SESSIONS_MAX servers at most, the longest unused of them go first.
 *
 * I1  Every session in the map is on the list, and the other way round.
 * I2  A session belongs to one context: what was verified by it was verified
 *     with its authorities.
 */
#include "net/context.h"

enum { SESSIONS_MAX = 2000 };

struct kept {
    struct link link;       /* most recently used first */
    str key;                /* heap */
    SSL_SESSION *session;
};

struct tls_sessions {
    struct map by_key;
    struct link recent;
    size_t n;
};

static void drop(struct tls_sessions *s, struct kept *k)
{
    list_del(&k->link);
    map_del(&s->by_key, k->key);
    SSL_SESSION_free(k->session);
    heap_free((char *)(uintptr_t)k->key.p);
    heap_free(k);
    s->n--;
}

static void sessions_free(void *arg)
{
    struct tls_sessions *s = arg;

    while (!list_empty(&s->recent))
        drop(s, container_of(s->recent.next, struct kept, link));
    map_free(&s->by_key);
}

static struct kept *find(struct tls_sessions *s, str key)
{
    struct kept *k = map_get(&s->by_key, key);

    if (k) {
        list_del(&k->link);
        list_add_first(&s->recent, &k->link);
    }
    return k;
}

static struct kept *add(struct tls_sessions *s, str key)
{
    struct kept *k = heap_new(struct kept);
    char *copy = heap_alloc(key.n + 1);

    memcpy(copy, key.p, key.n);
    k->key = str_of(copy, key.n);
    list_add_first(&s->recent, &k->link);
    map_put(&s->by_key, k->key, k);
    if (++s->n > SESSIONS_MAX)
        drop(s, container_of(s->recent.prev, struct kept, link));
    return k;
}

/* The library has a session that can be resumed: with TLS 1.3 some time after
 * the handshake.  1: it is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const str *key = SSL_get_app_data(ssl);
    struct kept *k;

    if (!key)
        return 0;
    k = find(c->sessions, *key);
    if (!k)
        k = add(c->sessions, *key);
    else
        SSL_SESSION_free(k->session);
    k->session = session;
    return 1;
}

void tls_use_sessions(struct tls_context *c, struct arena *a,
                      int64_t session_s)
{
    if (session_s <= 0) {
        SSL_CTX_set_session_cache_mode(c->ssl_ctx, SSL_SESS_CACHE_OFF);
        return;
    }
    c->sessions = arena_new(a, struct tls_sessions);
    list_init(&c->sessions->recent);
    map_init(&c->sessions->by_key, false);
    arena_own(a, sessions_free, c->sessions);
    SSL_CTX_set_timeout(c->ssl_ctx, (long)session_s);
    SSL_CTX_set_session_cache_mode(c->ssl_ctx,
                                   SSL_SESS_CACHE_CLIENT
                                       | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ssl_ctx, on_session);
}

void tls_resume(struct tls_context *c, SSL *ssl, const str *key)
{
    struct kept *k;

    if (!c->sessions)
        return;
    SSL_set_app_data(ssl, (void *)(uintptr_t)key);
    k = find(c->sessions, *key);
    if (!k)
        return;
    if (SSL_SESSION_is_resumable(k->session))
        SSL_set_session(ssl, k->session);
    else
        drop(c->sessions, k);
}
