/* SPDX-License-Identifier: ISC
 *
 * The runtime: tasks, groups, bells, deadlines, sockets, ports, files.
 */
#include "rt/rt.h"

#include "test/unit/check.h"

#include <stdatomic.h>
#include <unistd.h>

static err add_one(struct task *t, void *arg)
{
    TRY(task_yield(t));
    ++*(int *)arg;
    return OK;
}

TASK_TEST(rt_group_runs_children)
{
    struct task_group g;
    int n = 0;

    group_open(t, &g);
    for (int i = 0; i < 100; i++)
        group_go(&g, "child", add_one, &n);
    check_ok(group_wait(t, &g, NEVER));
    check_int(n, 100);
    group_close(t, &g);
}

static err sleeper(struct task *t, void *arg)
{
    *(err *)arg = task_sleep(t, NEVER);
    return OK;
}

TASK_TEST(rt_group_close_cancels)
{
    struct task_group g;
    err how = OK;

    group_open(t, &g);
    group_go(&g, "sleeper", sleeper, &how);
    check_ok(task_yield(t));
    group_close(t, &g);
    check_int(how, ERR_STOPPED);
}

TASK_TEST(rt_deadline_passes)
{
    struct bell b = { 0 };
    when before = rt_now(t);

    check_int(bell_wait(t, &b, after_ms(t, 20)), ERR_LATE);
    check(rt_now(t) - before >= 20000);
    check(!bell_waited(&b));
}

static void double_it(void *arg)
{
    usleep(1000);
    *(int *)arg *= 2;
}

TASK_TEST(rt_offload)
{
    int n = 21;

    offload(t, double_it, &n);
    check_int(n, 42);
}

struct slow {
    atomic_bool done;
    err after;
};

static void be_done(void *arg)
{
    struct slow *s = arg;

    atomic_store(&s->done, true);
}

static err offload_and_sleep(struct task *t, void *arg)
{
    struct slow *s = arg;

    offload(t, be_done, s);
    s->after = task_sleep(t, after_s(t, 5));
    return OK;
}

/* A stop that comes when the work is done, and who waits for it has been woken
 * and not had its turn yet, counts for the next wait. */
TASK_TEST(rt_offload_stopped_at_its_end)
{
    /* a turn has some rounds, and only then the helpers are heard */
    for (int yields = 0; yields < 20; yields++) {
        struct task_group g;
        struct slow s = { .after = OK };

        group_open(t, &g);
        group_go(&g, "slow", offload_and_sleep, &s);
        check_ok(task_yield(t));
        while (!atomic_load(&s.done))
            usleep(100);
        usleep(20000); /* the helper has told of it; nobody has looked */
        for (int i = 0; i < yields; i++)
            check_ok(task_yield(t));
        group_close(t, &g);
        check_int(s.after, ERR_STOPPED);
    }
}

static err spin(struct task *t, void *arg)
{
    bool *over = arg;

    while (!*over) {
        task_breathe(t);
        if (task_stopped(t))
            return ERR_STOPPED;
    }
    return OK;
}

/* Who computes for long lets timers and the network have their turn. */
TASK_TEST(rt_breathe)
{
    struct task_group g;
    bool over = false;

    group_open(t, &g);
    for (int i = 0; i < 3; i++)
        group_go(&g, "spin", spin, &over);
    for (int i = 0; i < 5; i++)
        check_ok(task_sleep(t, after_ms(t, 1)));
    over = true;
    check_ok(group_wait(t, &g, after_s(t, 60)));
    group_close(t, &g);
    /* one that was cancelled is let through to its end */
    over = false;
    group_open(t, &g);
    group_go(&g, "spin", spin, &over);
    check_ok(task_yield(t));
    group_close(t, &g);
}

struct echo {
    struct sock *listener;
    int served;
};

static err echo_serve(struct task *t, void *arg)
{
    struct echo *e = arg;
    struct sock *s;
    struct endpoint peer;
    char bytes[100];
    size_t n;

    TRY(sock_accept(t, e->listener, after_s(t, 5), &s, &peer));
    while (sock_read(t, s, bytes, sizeof(bytes), after_s(t, 5), &n) == OK) {
        TRY(sock_write_str(t, s, str_of(bytes, n), after_s(t, 5)));
        e->served++;
    }
    sock_close(s);
    return OK;
}

TASK_TEST(rt_sockets_echo)
{
    struct endpoint at;
    struct echo e = { 0 };
    struct task_group g;
    struct sock *s;
    char bytes[100];
    size_t n;

    check_ok(endpoint_parse(S("127.0.0.1"), 0, &at));
    check_ok(sock_listen(t, &at, 10, &e.listener));
    check_ok(sock_local(e.listener, &at));
    group_open(t, &g);
    group_go(&g, "echo", echo_serve, &e);
    check_ok(sock_connect(t, &at, NULL, after_s(t, 5), &s));
    for (int i = 0; i < 50; i++) {
        check_ok(sock_write_str(t, s, S("hello"), after_s(t, 5)));
        check_ok(sock_read(t, s, bytes, sizeof(bytes), after_s(t, 5), &n));
        check_str(str_of(bytes, n), S("hello"));
    }
    sock_close(s);
    check_ok(group_wait(t, &g, after_s(t, 5)));
    check_int(e.served, 50);
    group_close(t, &g);
    sock_close(e.listener);
}

static err port_echo(struct task *t, void *arg)
{
    struct port *p = arg;
    struct frame f;

    while (port_recv(t, p, NEVER, &f) == OK) {
        port_answer(p, &f);
        fd_close(f.fd);
    }
    return OK;
}

/* Who does not read is told so much and no more. */
TASK_TEST(rt_port_of_a_sleeper)
{
    struct sock *a, *b;
    struct port *p;
    struct frame f = { .type = 1, .fd = -1 };
    int fd;
    char *large = heap_alloc(PORT_BODY_MAX);

    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &p));
    f.body = str_of(large, PORT_BODY_MAX);
    for (int i = 0; i < 200; i++)
        port_answer(p, &f);
    check(port_backlog(p) < (size_t)100 * PORT_BODY_MAX);
    check_int(port_recv(t, p, after_s(t, 5), &f), ERR_PEER);
    check_int(port_send(t, p, &f), ERR_END);
    port_close(p);
    sock_close(b);
    heap_free(large);
}

/* A descriptor that cannot be doubled costs the port nothing; an answer that is
 * too large ends it, and nothing else. */
TASK_TEST(rt_port_breaks_alone)
{
    struct sock *a, *b;
    struct port *p;
    struct frame f = { .type = 1, .fd = 1000000 };
    int fd;
    char *large = heap_alloc(PORT_BODY_MAX + 1);

    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &p));
    check_int(port_send(t, p, &f), ERR_LIMIT);
    f.fd = -1;
    check_ok(port_send(t, p, &f));
    f.body = (str){ large, PORT_BODY_MAX + 1 };
    check_int(port_send(t, p, &f), ERR_LIMIT);
    port_answer(p, &f);
    check_int(port_recv(t, p, after_s(t, 5), &f), ERR_PEER);
    check_int(port_send(t, p, &f), ERR_END);
    port_close(p);
    sock_close(b);
    heap_free(large);
}

TASK_TEST(rt_ports_and_calls)
{
    struct sock *a, *b;
    struct port *pa, *pb;
    struct task_group g;
    struct arena mem;
    struct calls *c;
    struct frame answer;
    int fd;
    char *large = heap_alloc(300000);

    arena_init(&mem, 0);
    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &pa));
    check_ok(port_open(t, b, &pb));
    group_open(t, &g);
    group_go(&g, "echo", port_echo, pb);
    c = calls_new(&mem);
    {
        struct frame f = { .type = 7, .id = 1, .body = S("x"), .fd = 0 };
        struct frame got;
        check_ok(port_send(t, pa, &(struct frame){ .type = 1, .fd = -1 }));
        check_ok(port_send(t, pa, &f));
        check_ok(port_send(t, pa, &f));
        check_ok(port_recv(t, pa, after_s(t, 5), &got));
        check_int(got.fd, -1);
        for (int i = 0; i < 2; i++) {
            check_ok(port_recv(t, pa, after_s(t, 5), &got));
            check(got.fd > 0);
            check_str(got.body, S("x"));
            fd_close(got.fd);
        }
    }
    struct task_group g2;
    group_open(t, &g2);
    calls_serve(&g2, c, pa);
    for (int i = 0; i < 20; i++) {
        check_ok(call(t, c, 3, str_of(large, 300000), after_s(t, 5), &mem,
                      &answer));
        check_int(answer.body.n, 300000);
    }
    group_close(t, &g2);
    group_close(t, &g);
    port_close(pb);
    heap_free(large);
    arena_reset(&mem);
}

TASK_TEST(rt_files)
{
    struct arena a;
    struct dir *tmp, *d;
    struct names names;
    str text;

    arena_init(&a, 0);
    check_ok(dir_open(t, NULL, S("/tmp"), &tmp));
    str name = arena_fmt(&a, "veredus-test-%d", (int)getpid());
    check_ok(dir_make(t, tmp, name, 0700));
    check_ok(dir_open(t, tmp, name, &d));
    check_ok(file_replace(t, d, S("one"), S("text"), 0600));
    check_ok(file_load(t, d, S("one"), &a, 100, &text));
    check_str(text, S("text"));
    check_int(file_load(t, d, S("one"), &a, 3, &text), ERR_LIMIT);
    check_int(file_load(t, d, S("two"), &a, 3, &text), ERR_ABSENT);
    check_ok(dir_list(t, d, &a, &names));
    check_int(names.n, 1);
    check_ok(file_unlink(t, d, S("one")));
    dir_close(d);
    check_ok(dir_remove(t, tmp, name));
    dir_close(tmp);
    arena_reset(&a);
}

TASK_TEST(rt_process)
{
    const char *argv[] = { "/bin/sh", "-c", "exit 3", NULL };
    const char *env[] = { NULL };
    int fds[] = { -1, -1, -1 };
    struct process_plan plan = { .argv = argv, .env = env, .fds = fds,
                                 .n_fds = 3 };
    struct process p;
    int status;

    check_ok(process_start(t, &plan, &p));
    check_ok(process_wait(t, &p, after_s(t, 10), &status));
    check_int(status >> 8, 3);
    argv[0] = "/nonexistent";
    check_int(process_start(t, &plan, &p), ERR_ABSENT);
}

TEST(rt_endpoints)
{
    struct endpoint e;
    struct arena a;

    arena_init(&a, 0);
    check_ok(endpoint_parse(S("[::1]"), 25, &e));
    check_str(endpoint_text(&e, &a), S("[::1]:25"));
    check_ok(endpoint_parse(S("192.0.2.1"), 25, &e));
    check_str(endpoint_address(&e, &a), S("192.0.2.1"));
    check_int(endpoint_parse(S("host.example"), 25, &e), ERR_SYNTAX);
    arena_reset(&a);
}

TASK_TEST(rt_wait_either)
{
    struct sock *ends[2][2];
    char byte;
    size_t n;

    for (int i = 0; i < 2; i++) {
        int fd;
        check_ok(sock_pair(t, &ends[i][0], &fd));
        check_ok(sock_adopt(t, fd, &ends[i][1]));
        check_ok(sock_read_some(ends[i][0], &byte, 1, &n)); /* it is new */
    }
    check_int(sock_wait_either(t, ends[0][0], ends[1][0], after_ms(t, 20)),
              ERR_LATE);
    for (int i = 0; i < 2; i++) {
        check_ok(sock_write_str(t, ends[i][1], S("x"), after_s(t, 5)));
        check_ok(sock_wait_either(t, ends[0][0], ends[1][0], after_s(t, 5)));
        check_ok(sock_read(t, ends[i][0], &byte, 1, after_s(t, 5), &n));
    }
    sock_shutdown(ends[1][1]);
    check_ok(sock_wait_either(t, ends[0][0], ends[1][0], after_s(t, 5)));
    check_int(sock_read(t, ends[1][0], &byte, 1, after_s(t, 5), &n), ERR_END);
    for (int i = 0; i < 4; i++)
        sock_close(ends[i / 2][i % 2]);
}
