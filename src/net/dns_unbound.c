/* SPDX-License-Identifier: ISC
 *
 * The only door to libunbound, which resolves on a thread of its own.
 *
 * Three parties: tasks, which ask; our thread, the only one that calls the
 * library (it wants a deep stack, and some of its calls read files); the
 * library's thread, of which we see a descriptor. A question goes from a task
 * to our thread over the list `asked` and comes back over `answered`; dns_run
 * takes it from there and rings its bell.
 *
 * U1  A question is on exactly one of the lists asked, flying, held,
 *     answered, or has been taken by dns_run; the lists asked and answered
 *     are touched under the lock only, flying and held by our thread only.
 * U2  Its fields done and abandoned belong to the tasks' side, all others to
 *     whoever has it.  A question that nobody waits for any more is freed by
 *     dns_run.
 * U3  A library context is made from one state of resolv.conf; when that file
 *     changes, a new one is made and what was flying is asked again.
 * U4  A bogus answer is held until it is known whether the name servers pass
 *     signatures on at all: the root's keys are asked for.  If those cannot
 *     be validated, a context without trust anchor takes over.
 *
 * A crash of the library is a crash of the role: nothing here is worth
 * keeping.
 */
#include "net/dns_local.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unbound.h>

enum { FLYING_MAX = 2000, THREAD_STACK = 1 << 20, LOOK_EVERY_S = 5,
       TRUST_AGAIN_S = 3600, ASKS_MAX = 3, TYPE_DNSKEY = 48, CLASS_IN = 1,
       TTL_MAX = 86400 };

struct question {
    struct link link;
    struct real *real;
    char *name;
    int type;
    int asks;                   /* how often the library was asked */
    struct ub_result *result;   /* NULL: it failed */
    bool done, abandoned;       /* U2 */
    struct bell bell;
};

struct real {
    struct dns base;
    char *resolv_conf, *root_key, *server;

    pthread_mutex_t lock;
    struct link asked, answered;
    bool stopping;
    int wake_fd;                /* tasks ring, our thread waits */
    int ring_fd;                /* our thread rings ... */
    struct sock *rings;         /* ... dns_run waits: the same counter */
    pthread_t thread;
    size_t n_questions;         /* not yet freed; the tasks' side */

    /* Our thread's own. */
    struct ub_ctx *ctx;
    struct link flying, held;
    struct stat conf_stat;
    int64_t look_next, trust_next;
    bool anchored, proven, distrust, probing;
};

/* --- our thread ---------------------------------------------------------- */

/* In seconds. */
static int64_t thread_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts); /* tidy: no task here */
    return ts.tv_sec;
}

static void answer(struct real *r, struct question *q)
{
    pthread_mutex_lock(&r->lock);
    list_add_last(&r->answered, &q->link);
    pthread_mutex_unlock(&r->lock);
    must(eventfd_write(r->ring_fd, 1) == 0);
}

static void option(struct ub_ctx *ctx, const char *name, const char *value)
{
    must(ub_ctx_set_option(ctx, name, value) == 0);
}

static struct ub_ctx *context_new(struct real *r)
{
    struct ub_ctx *ctx = ub_ctx_create();
    struct stat st;

    must(ctx);
    option(ctx, "do-not-query-localhost:", "no");
    option(ctx, "unblock-lan-zones:", "yes");
    option(ctx, "insecure-lan-zones:", "yes");
    option(ctx, "cache-max-ttl:", "86400");
    option(ctx, "cache-max-negative-ttl:", "3600");
    option(ctx, "outgoing-range:", "512");
    option(ctx, "num-queries-per-thread:", "2048");
    option(ctx, "msg-cache-size:", "4m");
    option(ctx, "rrset-cache-size:", "8m");
    ub_ctx_debugout(ctx, NULL);
    if (r->server)
        must(ub_ctx_set_fwd(ctx, r->server) == 0);
    else /* no such file: from the root servers downwards */
        (void)ub_ctx_resolvconf(ctx, r->resolv_conf);
    /* a file that is not there would fail every question */
    r->anchored = !r->distrust && stat(r->root_key, &st) == 0
               && ub_ctx_add_ta_file(ctx, r->root_key) == 0;
    must(ub_ctx_async(ctx, 1) == 0);
    (void)ub_ctx_zone_remove(ctx, "test."); /* private networks use it */
    (void)ub_ctx_zone_remove(ctx, "127.in-addr.arpa."); /* these as well */
    return ctx;
}

static void context_drop(struct real *r)
{
    struct link *l;

    if (r->ctx)
        ub_ctx_delete(r->ctx);
    r->ctx = NULL;
    r->probing = false;
    pthread_mutex_lock(&r->lock);
    while ((l = list_pop_last(&r->flying)) || (l = list_pop_last(&r->held)))
        list_add_first(&r->asked, l);
    pthread_mutex_unlock(&r->lock);
}

static bool file_same(const struct stat *x, const struct stat *y)
{
    return x->st_ino == y->st_ino && x->st_size == y->st_size
        && x->st_mtim.tv_sec == y->st_mtim.tv_sec
        && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

/* U3, and another chance for the trust anchor now and then. */
static void look(struct real *r)
{
    int64_t now = thread_now();
    struct stat st = { 0 };

    if (now < r->look_next)
        return;
    r->look_next = now + LOOK_EVERY_S;
    if (!r->server && stat(r->resolv_conf, &st))
        st = (struct stat){ 0 };
    if (file_same(&st, &r->conf_stat)
        && !(r->distrust && now >= r->trust_next))
        return;
    r->conf_stat = st;
    r->distrust = r->proven = false;
    context_drop(r);
}

static void distrust(struct real *r)
{
    r->distrust = true;
    r->trust_next = thread_now() + TRUST_AGAIN_S;
}

static void on_answer(void *question, int error, struct ub_result *result);

static void ask_library(struct real *r, struct question *q)
{
    if (!r->ctx)
        r->ctx = context_new(r);
    list_add_last(&r->flying, &q->link);
    if (++q->asks <= ASKS_MAX
        && ub_resolve_async(r->ctx, q->name, q->type, CLASS_IN, q, on_answer,
                            NULL) == 0)
        return;
    list_del(&q->link);
    if (r->anchored && !r->proven)
        distrust(r); /* perhaps the anchor cannot be read */
    answer(r, q);
}

static void release_held(struct real *r)
{
    struct link *l;

    while ((l = list_pop(&r->held)))
        answer(r, container_of(l, struct question, link));
}

static void on_probe(void *real, int error, struct ub_result *result)
{
    struct real *r = real;
    bool good = !error && result->secure;

    ub_resolve_free(result);
    r->probing = false;
    if (good) {
        r->proven = true;
        release_held(r);
    } else {
        distrust(r);
    }
}

/* U4 */
static void hold(struct real *r, struct question *q)
{
    list_add_last(&r->held, &q->link);
    if (r->probing)
        return;
    r->probing = ub_resolve_async(r->ctx, ".", TYPE_DNSKEY, CLASS_IN, r,
                                  on_probe, NULL) == 0;
    if (!r->probing)
        release_held(r);
}

static void on_answer(void *question, int error, struct ub_result *result)
{
    struct question *q = question;
    struct real *r = q->real;

    list_del(&q->link);
    ub_resolve_free(q->result); /* of an earlier context */
    q->result = error ? NULL : result;
    if (q->result && q->result->bogus && r->anchored && !r->proven)
        hold(r, q);
    else
        answer(r, q);
}

static struct question *next_asked(struct real *r, bool *stopping)
{
    struct link *l;

    pthread_mutex_lock(&r->lock);
    *stopping = r->stopping;
    l = list_pop(&r->asked);
    pthread_mutex_unlock(&r->lock);
    return l ? container_of(l, struct question, link) : NULL;
}

static void *thread_main(void *real)
{
    struct real *r = real;
    struct question *q;
    bool stopping = false;
    eventfd_t count;

    while (!stopping) {
        look(r);
        while ((q = next_asked(r, &stopping)))
            ask_library(r, q);
        struct pollfd wait[2] = {
            { .fd = r->wake_fd, .events = POLLIN },
            { .fd = r->ctx ? ub_fd(r->ctx) : -1, .events = POLLIN },
        };
        if (stopping || poll(wait, 2, -1) < 0) /* tidy: no task here */
            continue;
        if (wait[0].revents)
            (void)!eventfd_read(r->wake_fd, &count);
        if (wait[1].revents)
            (void)!ub_process(r->ctx);
        if (r->distrust && r->anchored) {
            context_drop(r); /* the next one has no anchor */
            r->anchored = false;
        }
    }
    context_drop(r);
    return NULL;
}

/* --- the tasks' side ----------------------------------------------------- */

static void question_free(struct question *q)
{
    q->real->n_questions--;
    ub_resolve_free(q->result);
    heap_free(q->name);
    heap_free(q);
}

err dns_run(struct task *t, void *dns)
{
    struct real *r = container_of(dns, struct real, base);
    char count[sizeof(eventfd_t)];
    struct link *l;
    size_t n;

    for (;;) {
        TRY(sock_read(t, r->rings, count, sizeof(count), NEVER, &n));
        for (;;) {
            pthread_mutex_lock(&r->lock);
            l = list_pop(&r->answered);
            pthread_mutex_unlock(&r->lock);
            if (!l)
                break;
            struct question *q = container_of(l, struct question, link);
            q->done = true;
            if (q->abandoned)
                question_free(q);
            else
                bell_ring(&q->bell);
        }
    }
}

static char *heap_text(str s)
{
    char *p = heap_alloc(s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static struct question *question_new(struct real *r, str name,
                                     enum dns_type type)
{
    struct question *q = heap_new(struct question);

    q->real = r;
    q->name = heap_text(name);
    q->type = (int)type;
    r->n_questions++;
    pthread_mutex_lock(&r->lock);
    list_add_last(&r->asked, &q->link);
    pthread_mutex_unlock(&r->lock);
    must(eventfd_write(r->wake_fd, 1) == 0);
    return q;
}

static void read_result(const struct ub_result *res, enum dns_type type,
                        struct arena *a, struct dns_answer *out)
{
    struct dns_answer x = { .secure = res->secure };
    struct dns_record *p;
    size_t n = 0;

    while (res->havedata && n < DNS_RECORDS_MAX && res->data[n])
        n++;
    p = arena_array(a, struct dns_record, n);
    x.ttl = res->ttl < 0 ? 0 : res->ttl > TTL_MAX ? TTL_MAX
                                                  : (uint32_t)res->ttl;
    for (size_t i = 0; i < n; i++)
        if (dns_record_read(type, str_of(res->data[i], (size_t)res->len[i]),
                            a, &p[x.n]))
            p[x.n++].ttl = x.ttl;
    x.p = p;
    x.outcome = res->bogus ? DNS_BOGUS
              : x.n > 0 ? DNS_FOUND
              : res->nxdomain ? DNS_NO_NAME
              : res->rcode == 0 ? DNS_NO_DATA : DNS_TRY_AGAIN;
    if (x.outcome != DNS_FOUND)
        x.n = 0;
    *out = x;
}

static err ask(struct task *t, struct dns *d, str name, enum dns_type type,
               when until, struct arena *a, struct dns_answer *out)
{
    struct real *r = container_of(d, struct real, base);
    struct question *q;
    err e = OK;

    if (r->n_questions >= FLYING_MAX)
        return why(t, ERR_LIMIT, "too many questions to DNS at once");
    q = question_new(r, name, type);
    while (!q->done && !e)
        e = bell_wait(t, &q->bell, until);
    if (!q->done) {
        q->abandoned = true;
        return e == ERR_LATE ? why(t, e, "no answer from DNS for %.*s",
                                   STR(name)) : e;
    }
    *out = (struct dns_answer){ .outcome = DNS_TRY_AGAIN };
    if (q->result)
        read_result(q->result, type, a, out);
    question_free(q);
    return e == ERR_STOPPED ? e : OK;
}

static void drop_list(struct link *head)
{
    struct link *l;

    while ((l = list_pop(head)))
        question_free(container_of(l, struct question, link));
}

static void real_close(void *real)
{
    struct real *r = real;

    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_mutex_unlock(&r->lock);
    must(eventfd_write(r->wake_fd, 1) == 0);
    pthread_join(r->thread, NULL);
    drop_list(&r->asked);
    drop_list(&r->answered);
    must(r->n_questions == 0);
    sock_close(r->rings);
    fd_close(r->wake_fd);
    pthread_mutex_destroy(&r->lock);
}

/* It takes no signals: those are the main thread's. */
static bool thread_start(struct real *r)
{
    pthread_attr_t attr;
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    started = pthread_create(&r->thread, &attr, thread_main, r) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static const char *path_or(struct arena *a, str path, const char *preset)
{
    return arena_cstr(a, str_empty(path) ? str_from(preset) : path);
}

err dns_open(struct task *t, struct arena *a, const struct dns_settings *s,
             struct dns **out)
{
    static const struct dns_ops ops = { ask, NULL, NULL };
    struct real *r = arena_new(a, struct real);
    const struct endpoint *at = &s->server;

    r->base = (struct dns){ DNS_MAGIC, &ops,
                            hosts_new(a, str_from(path_or(a, s->hosts,
                                                          "/etc/hosts"))) };
    r->resolv_conf = arena_cstr(a, str_from(path_or(a, s->resolv_conf,
                                                    "/etc/resolv.conf")));
    r->root_key = arena_cstr(a, str_from(path_or(
        a, s->root_key, "/usr/share/dns/root.key")));
    if (at->kind != ENDPOINT_NONE)
        r->server = arena_cstr(a, arena_fmt(
            a, "%.*s@%u", STR(endpoint_address(at, a)),
            at->port ? at->port : 53u));
    list_init(&r->asked);
    list_init(&r->answered);
    list_init(&r->flying);
    list_init(&r->held);
    pthread_mutex_init(&r->lock, NULL);
    r->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(r->ring_fd >= 0 && r->wake_fd >= 0);
    TRY(sock_adopt(t, r->ring_fd, &r->rings));
    if (!thread_start(r)) {
        sock_close(r->rings);
        fd_close(r->wake_fd);
        return why(t, ERR_IO, "cannot start a thread for DNS");
    }
    arena_own(a, real_close, r);
    *out = &r->base;
    return OK;
}
