/* SPDX-License-Identifier: ISC
 *
 * Helper threads for what must block.  A job lies on the stack of the task
 * that waits for it; done jobs come back through an eventfd.  At most
 * HELPERS_MAX threads, made when there is work and nobody idle.
 */
#include "rt/epoll/real.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { HELPERS_MAX = 8, HELPER_STACK = 512 * 1024 };

struct job {
    struct link link;
    void (*fn)(void *);
    void *arg;
    struct task *task;
    bool done;
};

struct helpers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct link waiting, done;
    pthread_t threads[HELPERS_MAX];
    size_t n_threads, n_idle;
    bool stopping;
    int event_fd;
};

static void *helper_main(void *arg)
{
    struct helpers *h = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        struct link *l = list_pop(&h->waiting);
        if (!l) {
            h->n_idle++;
            pthread_cond_wait(&h->work, &h->lock);
            h->n_idle--;
            continue;
        }
        struct job *j = container_of(l, struct job, link);
        pthread_mutex_unlock(&h->lock);
        j->fn(j->arg);
        pthread_mutex_lock(&h->lock);
        list_add_last(&h->done, &j->link);
        (void)!write(h->event_fd, &one, sizeof(one));
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* At the start, while there are descriptors. */
void helpers_open(struct real_world *rw)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
    struct helpers *h = rw->helpers = heap_new(struct helpers);

    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->work, NULL);
    list_init(&h->waiting);
    list_init(&h->done);
    h->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(h->event_fd >= 0);
    must(epoll_ctl(rw->epoll_fd, EPOLL_CTL_ADD, h->event_fd, &ev) == 0);
}

/* Helpers take no signals: those are the main thread's. */
static void helper_start(struct helpers *h)
{
    pthread_attr_t attr;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, HELPER_STACK);
    if (pthread_create(&h->threads[h->n_threads], &attr, helper_main, h) == 0)
        h->n_threads++;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void real_offload(struct task *t, void (*fn)(void *), void *arg)
{
    struct helpers *h = real_of(t->world)->helpers;
    struct job j = { .fn = fn, .arg = arg, .task = t };

    pthread_mutex_lock(&h->lock);
    list_add_last(&h->waiting, &j.link);
    if (h->n_idle > 0)
        pthread_cond_signal(&h->work);
    else if (h->n_threads < HELPERS_MAX)
        helper_start(h);
    if (h->n_threads == 0) {    /* no more threads for us: everybody waits */
        list_del(&j.link);
        pthread_mutex_unlock(&h->lock);
        fn(arg);
        return;
    }
    pthread_mutex_unlock(&h->lock);
    /* the job lies on this stack: cancelled or not, wait for its end */
    while (!j.done)
        err_ignore(task_park_through(t, NEVER));
}

void helpers_poll(struct real_world *rw)
{
    struct helpers *h = rw->helpers;
    struct link *l;
    uint64_t count;

    (void)!read(h->event_fd, &count, sizeof(count));
    pthread_mutex_lock(&h->lock);
    while ((l = list_pop(&h->done))) {
        struct job *j = container_of(l, struct job, link);
        j->done = true;
        task_wake(j->task, OK);
    }
    pthread_mutex_unlock(&h->lock);
}

void helpers_stop(struct real_world *rw)
{
    struct helpers *h = rw->helpers;

    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_broadcast(&h->work);
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < h->n_threads; i++)
        pthread_join(h->threads[i], NULL);
    close(h->event_fd);
    heap_free(h);
    rw->helpers = NULL;
}
