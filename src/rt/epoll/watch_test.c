/* SPDX-License-Identifier: ISC
 *
 * Watches: a change wakes, a socket wakes, a hub that is not there polls.
 */
#include "rt/watch.h"
#include "test/unit/check.h"

static err touch(struct task *t, void *arg)
{
    struct dir *d = arg;

    TRY(task_sleep(t, after_ms(t, 20)));
    return file_replace(t, d, S("new"), S("x"), 0600);
}

TASK_TEST(watch_wakes)
{
    struct arena a;
    struct watch_hub *hub;
    struct watch *w, *other;
    struct task_group hubs, g;
    struct dir *d;
    struct sock *s;
    str path;
    size_t n;
    int peer;
    char c;

    arena_init(&a, 0);
    path = arena_fmt(&a, "/tmp/veredus-watch-%016" PRIx64,
                     rt_random_below(t, UINT64_MAX));
    check_ok(dir_make(t, NULL, path, 0700));
    check_ok(dir_open(t, NULL, path, &d));
    check_ok(watch_hub_open(t, &a, &hub));
    group_open(t, &hubs);
    group_open(t, &g);
    group_go(&hubs, "hub", watch_hub_run, hub);
    w = watch_new(hub);
    other = watch_new(hub);
    check_ok(watch_add(t, w, d, S(".")));
    check_ok(watch_add(t, other, d, S(".")));
    check_int(watch_wait(t, w, after_ms(t, 10)), ERR_LATE);
    group_go(&g, "touch", touch, d);
    check_ok(watch_wait(t, w, after_s(t, 5)));
    check_ok(watch_wait(t, other, after_s(t, 5)));
    watch_close(other);
    check_ok(group_wait(t, &g, NEVER));
    while (watch_changed(t, w))
        check_ok(task_sleep(t, after_ms(t, 10)));

    check_ok(sock_pair(t, &s, &peer));
    check_ok(sock_read_some(s, &c, 1, &n));     /* there is nothing */
    check_int(watch_wait_sock(t, w, s, after_ms(t, 10)), ERR_LATE);
    group_go(&g, "touch", touch, d);
    check_ok(watch_wait_sock(t, w, s, after_s(t, 5)));
    check(watch_changed(t, w));
    check_ok(group_wait(t, &g, NEVER));
    fd_close(peer);
    while (!sock_readable(s))
        check_ok(watch_wait_sock(t, w, s, after_s(t, 5)));
    sock_close(s);
    watch_close(w);
    w = watch_new(NULL);
    check_ok(watch_add(t, w, d, S(".")));
    check_int(watch_wait(t, w, after_ms(t, 10)), ERR_LATE);
    watch_close(w);
    group_close(t, &g);
    group_close(t, &hubs);
    check_ok(file_unlink(t, d, S("new")));
    dir_close(d);
    check_ok(dir_remove(t, NULL, path));
    arena_reset(&a);
}
