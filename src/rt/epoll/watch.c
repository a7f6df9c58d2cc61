/* SPDX-License-Identifier: ISC
 *
 * Watches over inotify.  One descriptor a process; one kernel watch a path,
 * a "spot", shared by all watches on it.
 *
 * I1  A spot lives while at least one watch is on it.
 * I2  A watch whose paths the kernel would not take, or that has no hub,
 *     polls: it wakes every POLL_S seconds.
 */
#include "rt/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

enum { POLL_S = 15, PATHS_MAX = 4, EVENTS_SIZE = 4096 };

struct spot {
    int wd;
    struct link watchers;       /* struct perch.link */
};

/* One path of one watch. */
struct perch {
    struct link link;
    struct spot *spot;
    struct watch *watch;
};

struct watch_hub {
    struct sock *sock;
    int fd;
    struct map spots;           /* by wd's bytes */
};

struct watch {
    struct watch_hub *hub;
    struct bell bell;
    struct perch perches[PATHS_MAX];
    size_t n;
    bool changed, polls;
    when polled_at;
};

static void hub_close(void *object)
{
    struct watch_hub *hub = object;

    must(hub->spots.n == 0);    /* watches end before their hub */
    map_free(&hub->spots);
    sock_close(hub->sock);
}

err watch_hub_open(struct task *t, struct arena *a, struct watch_hub **out)
{
    struct watch_hub *hub = arena_new(a, struct watch_hub);

    hub->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (hub->fd < 0)
        return why(t, ERR_LIMIT, "inotify: no more instances");
    TRY(sock_adopt(t, hub->fd, &hub->sock));
    map_init(&hub->spots, false);
    arena_own(a, hub_close, hub);
    *out = hub;
    return OK;
}

static void watch_ring(struct watch *w)
{
    w->changed = true;
    bell_ring_all(&w->bell);
}

static void spot_changed(struct watch_hub *hub, int wd)
{
    struct spot *spot = map_get(&hub->spots, str_of(&wd, sizeof(wd)));

    if (!spot)
        return;     /* an event from before the spot was left */
    list_each(l, &spot->watchers)
        watch_ring(container_of(l, struct perch, link)->watch);
}

/* The kernel lost events: everything may have changed. */
static void all_changed(struct watch_hub *hub)
{
    size_t at = 0;
    str key;
    void *value;

    while (map_next(&hub->spots, &at, &key, &value))
        spot_changed(hub, ((struct spot *)value)->wd);
}

err watch_hub_run(struct task *t, void *arg)
{
    struct watch_hub *hub = arg;
    char room[EVENTS_SIZE]
        __attribute__((aligned(__alignof__(struct inotify_event))));

    for (;;) {
        size_t n, at = 0;

        TRY(sock_read(t, hub->sock, room, sizeof(room), NEVER, &n));
        while (at + sizeof(struct inotify_event) <= n) {
            struct inotify_event e;
            memcpy(&e, room + at, sizeof(e));
            at += sizeof(e) + e.len;
            if (e.mask & IN_Q_OVERFLOW)
                all_changed(hub);
            else
                spot_changed(hub, e.wd);
        }
    }
}

struct watch *watch_new(struct watch_hub *hub)
{
    struct watch *w = heap_new(struct watch);

    w->hub = hub;
    w->polls = hub == NULL;
    return w;
}

static void perch_leave(struct watch_hub *hub, struct perch *p)
{
    struct spot *spot = p->spot;

    list_del(&p->link);
    if (!list_empty(&spot->watchers))
        return;
    inotify_rm_watch(hub->fd, spot->wd);
    map_del(&hub->spots, str_of(&spot->wd, sizeof(spot->wd)));
    heap_free(spot);
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        perch_leave(w->hub, &w->perches[i]);
    heap_free(w);
}

err watch_add(struct task *t, struct watch *w, struct dir *dir, str path)
{
    const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
                          | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF;
    struct perch *p = &w->perches[w->n];
    struct spot *spot;
    struct arena a;
    int wd;

    (void)t;
    must(w->n < PATHS_MAX);
    if (!w->hub)
        return OK;
    arena_init(&a, 0);
    wd = inotify_add_watch(w->hub->fd,
                           arena_fmt(&a, "/proc/self/fd/%d/%.*s",
                                     dir_fd(dir), STR(path)).p, mask);
    arena_reset(&a);
    if (wd < 0) {
        w->polls = true;    /* I2 */
        return OK;
    }
    spot = map_get(&w->hub->spots, str_of(&wd, sizeof(wd)));
    if (!spot) {
        spot = heap_new(struct spot);
        spot->wd = wd;
        list_init(&spot->watchers);
        map_put(&w->hub->spots, str_of(&spot->wd, sizeof(wd)), spot);
    }
    *p = (struct perch){ .spot = spot, .watch = w };
    list_add_last(&spot->watchers, &p->link);
    w->n++;
    return OK;
}

/* When a polling watch wakes next. */
static when poll_at(struct task *t, struct watch *w, when until)
{
    if (!w->polls)
        return until;
    if (!w->polled_at)
        w->polled_at = after_s(t, POLL_S);
    return w->polled_at < until ? w->polled_at : until;
}

bool watch_changed(struct task *t, struct watch *w)
{
    bool changed = w->changed;

    if (w->polls && w->polled_at && rt_now(t) >= w->polled_at) {
        w->polled_at = 0;
        changed = true;
    }
    w->changed = false;
    return changed;
}

/* A poll's deadline is no deadline of the caller's. */
static err poll_end(struct task *t, err e, when until)
{
    return e == ERR_LATE && rt_now(t) < until ? OK : e;
}

err watch_wait(struct task *t, struct watch *w, when until)
{
    while (!watch_changed(t, w))
        TRY(poll_end(t, bell_wait(t, &w->bell, poll_at(t, w, until)),
                     until));
    return OK;
}

err watch_wait_sock(struct task *t, struct watch *w, struct sock *s,
                    when until)
{
    if (w->changed)
        return OK;
    return poll_end(t, sock_wait_bell(t, s, &w->bell,
                                      poll_at(t, w, until)), until);
}
