/* SPDX-License-Identifier: ISC
 *
 * The simulated world itself: repeats, sockets, the disk, processes.
 */
#include "rt/sim.h"

#include "test/unit/check.h"

enum { MANY = 20000 };

static void run(uint64_t seed, err (*fn)(struct task *, void *), void *arg)
{
    struct sim_options o = { .seed = seed };

    check_ok(sim_run(&o, fn, arg, NULL));
}

/* --- sockets ------------------------------------------------------------- */

static err echo(struct task *t, void *arg)
{
    struct sock *listener = arg, *s;
    struct endpoint peer;
    char p[300];
    size_t n;

    TRY(sock_accept(t, listener, after_s(t, 60), &s, &peer));
    while (!sock_read(t, s, p, sizeof(p), NEVER, &n))
        if (sock_write_str(t, s, str_of(p, n), NEVER))
            break;
    sock_close(s);
    return OK;
}

static err send_all(struct task *t, void *arg)
{
    struct sock *s = arg;
    char p[MANY];

    for (size_t i = 0; i < MANY; i++)
        p[i] = (char)(i * 7 % 251);
    TRY(sock_write_str(t, s, str_of(p, MANY), after_s(t, 600)));
    sock_shutdown(s);
    return OK;
}

static err talk(struct task *t, void *arg)
{
    struct endpoint at;
    struct sock *listener, *s;
    struct task_group g;
    size_t got = 0, n;
    char p[500];
    err e;

    (void)arg;
    check_ok(endpoint_parse(S("192.0.2.1"), 25, &at));
    check_int(sock_connect(t, &at, NULL, after_s(t, 9), &s), ERR_PEER);
    check_ok(sock_listen(t, &at, 5, &listener));
    group_open(t, &g);
    group_go(&g, "echo", echo, listener);
    check_ok(sock_connect(t, &at, NULL, after_s(t, 9), &s));
    group_go(&g, "send", send_all, s);
    while (!(e = sock_read(t, s, p, sizeof(p), after_s(t, 60), &n)))
        for (size_t i = 0; i < n; i++, got++)
            check_int(p[i], (char)(got * 7 % 251));
    check_int(e, ERR_END);
    check_int(got, MANY);
    check_ok(group_wait(t, &g, after_s(t, 60)));
    group_close(t, &g);
    sock_close(s);
    sock_close(listener);
    return OK;
}

TEST(sim_sockets)
{
    for (uint64_t seed = 1; seed < 20; seed++)
        run(seed, talk, NULL);
}

/* --- two runs of one seed are the same ----------------------------------- */

static err chance(struct task *t, void *arg)
{
    struct file *f;

    TRY(talk(t, arg));
    check_ok(file_open(t, NULL, S("x"), FILE_CREATE | FILE_WRITE, 0600, &f));
    check_ok(file_append(t, f, S("bytes")));
    check_ok(task_sleep(t, after_ms(t, (int64_t)rt_random_below(t, 99))));
    check_ok(file_sync(t, f));
    file_close(f);
    return OK;
}

TEST(sim_repeats)
{
    struct sim_options o = { .seed = 7 };
    uint64_t one = 1, two = 2, three = 3;

    check_ok(sim_run(&o, chance, NULL, &one));
    check_ok(sim_run(&o, chance, NULL, &two));
    o.seed = 8;
    check_ok(sim_run(&o, chance, NULL, &three));
    check(one == two);
    check(one != three);
}

/* --- descriptors --------------------------------------------------------- */

static err hand_over(struct task *t, void *arg)
{
    struct file *f, *same;
    struct sock *a, *b;
    struct port *p, *q;
    struct frame got;
    char text[4];
    size_t n;
    int fd;

    (void)arg;
    check_ok(file_open(t, NULL, S("x"), FILE_CREATE | FILE_WRITE, 0600, &f));
    check_ok(file_write(t, f, 0, S("text")));
    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &p));
    check_ok(port_open(t, b, &q));
    for (int i = 0; i < 20; i++)
        check_ok(port_send(t, p, &(struct frame){
                     .type = 1, .id = (uint64_t)i, .body = S("0123456789"),
                     .fd = i % 3 ? -1 : file_fd(f) }));
    for (int i = 0; i < 20; i++) {
        check_ok(port_recv(t, q, after_s(t, 9), &got));
        check_int(got.id, i);
        check_int(got.fd < 0, i % 3 != 0);
        if (got.fd < 0)
            continue;
        check_ok(file_adopt(t, got.fd, &same));
        check_ok(file_read(t, same, 0, text, 4, &n));
        check_str(str_of(text, n), S("text"));
        file_close(same);
    }
    port_close(p);
    check_int(port_recv(t, q, after_s(t, 9), &got), ERR_END);
    port_close(q);
    file_close(f);
    return OK;
}

TEST(sim_descriptors)
{
    for (uint64_t seed = 1; seed < 20; seed++)
        run(seed, hand_over, NULL);
}

/* A port is closed under senders that wait for room. */
static err send_much(struct task *t, void *port)
{
    char *p = heap_alloc(PORT_BODY_MAX);
    err e = OK;

    for (int i = 0; i < 9 && !e; i++)
        e = port_send(t, port, &(struct frame){
                          .type = 1, .fd = -1,
                          .body = str_of(p, PORT_BODY_MAX) });
    heap_free(p);
    check_int(e, ERR_END);
    return OK;
}

static err close_early(struct task *t, void *arg)
{
    struct task_group g;
    struct sock *a, *b;
    struct port *p;
    int fd;

    (void)arg;
    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &p));
    group_open(t, &g);
    group_go(&g, "send", send_much, p);
    group_go(&g, "send", send_much, p);
    check_ok(task_sleep(t, after_ms(t, 50)));
    check_int(g.n, 2);
    port_close(p);
    check_ok(group_wait(t, &g, after_s(t, 9)));
    group_close(t, &g);
    sock_close(b);
    return OK;
}

TEST(sim_port_closed_under_senders)
{
    for (uint64_t seed = 1; seed < 5; seed++)
        run(seed, close_early, NULL);
}

/* --- the disk ------------------------------------------------------------ */

struct after_crash {
    int kept, lost, garbage, no_name;
};

static bool all(str s, char c)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != c)
            return false;
    return true;
}

static err crash(struct task *t, void *arg)
{
    struct after_crash *sum = arg;
    struct file *f;
    char p[8192];
    size_t n;

    memset(p, 'a', sizeof(p));
    check_ok(file_open(t, NULL, S("old"), FILE_CREATE, 0600, &f));
    check_ok(file_write(t, f, 0, str_of(p, sizeof(p))));
    check_ok(file_sync(t, f));
    file_close(f);
    sim_power_loss(t);
    if (file_open(t, NULL, S("old"), 0, 0, &f)) {
        sum->no_name++; /* the directory was not synced */
        return OK;
    }
    memset(p, 'b', sizeof(p));
    check_ok(file_write(t, f, 0, str_of(p, sizeof(p))));
    sim_power_loss(t);
    check_ok(file_read(t, f, 0, p, sizeof(p), &n));
    check_int(n, sizeof(p));
    for (size_t i = 0; i < n; i += 512) {
        str s = str_of(p + i, 512);
        all(s, 'b') ? sum->kept++ : all(s, 'a') ? sum->lost++
                                                : sum->garbage++;
    }
    file_close(f);
    return OK;
}

TEST(sim_power_loss_keeps_some)
{
    struct after_crash sum = { 0 };

    for (uint64_t seed = 1; seed < 60; seed++)
        run(seed, crash, &sum);
    check(sum.kept > 100 && sum.lost > 100 && sum.garbage > 20);
    check(sum.no_name > 5 && sum.no_name < 55);
}

static err write_hurt(struct task *t, void *arg)
{
    int *n_differs = arg;
    struct file *f;
    char p[8192], q[8192];
    size_t n;
    err e;

    memset(p, 'a', sizeof(p));
    TRY(file_open(t, NULL, S("f"), FILE_CREATE, 0600, &f));
    TRY(file_write(t, f, 0, str_of(p, sizeof(p))));
    sim_faults(t)->sync_fails = 1000000;
    check_int(file_sync(t, f), ERR_IO);
    TRY(file_read(t, f, 0, q, sizeof(q), &n));
    check(memcmp(p, q, n) == 0); /* the cache still shows it */
    sim_faults(t)->sync_fails = 0;
    check_ok(file_reread(t, f));
    TRY(file_read(t, f, 0, q, sizeof(q), &n));
    *n_differs += memcmp(p, q, n) != 0;
    sim_faults(t)->capacity = 16384;
    e = file_write(t, f, 8192, str_of(p, 4096));
    check_ok(e);
    check_int(file_write(t, f, 12288, str_of(p, 8192)), ERR_LIMIT);
    file_close(f);
    return OK;
}

static err hurt(struct task *t, void *arg)
{
    struct task_group g;

    group_open(t, &g);
    sim_process_go(t, &g, sim_process_new(t), "hurt", write_hurt, arg);
    check_ok(group_wait(t, &g, after_s(t, 99)));
    check_ok(g.first);
    group_close(t, &g);
    return OK;
}

TEST(sim_disk_faults)
{
    int n_differs = 0;

    for (uint64_t seed = 1; seed < 10; seed++)
        run(seed, hurt, &n_differs);
    check(n_differs > 5);
}

/* --- processes ----------------------------------------------------------- */

static err child(struct task *t, void *arg)
{
    (void)arg;
    return task_sleep(t, after_s(t, 1000));
}

static err parent(struct task *t, void *arg)
{
    struct task_group g;

    TRY(sock_write_str(t, arg, S("here"), after_s(t, 9)));
    group_open(t, &g);
    group_go(&g, "child", child, NULL);
    err_ignore(group_wait(t, &g, NEVER)); /* it is killed meanwhile */
    check(!"never comes here");
    return OK;
}

static void nothing(void *arg)
{
    (void)arg;
}

static err killer(struct task *t, void *arg)
{
    uint32_t process = sim_process_new(t);
    struct task_group g;
    struct turn_hook hook;
    struct sock *a, *b;
    char p[9];
    size_t n;
    int fd;

    (void)arg;
    group_open(t, &g);
    check_ok(sock_pair(t, &a, &fd));
    sim_act_as(t, process);
    check_ok(sock_adopt(t, fd, &b));
    turn_hook_add(t, &hook, 1, nothing, NULL);
    sim_act_as(t, 0);
    sim_process_go(t, &g, process, "parent", parent, b);
    check_ok(sock_read(t, a, p, sizeof(p), after_s(t, 9), &n));
    sim_process_kill(t, process);
    while (!sock_read(t, a, p, sizeof(p), after_s(t, 9), &n))
        continue;
    check_int(sock_read(t, a, p, sizeof(p), after_s(t, 9), &n), ERR_END);
    check_int(g.n, 0);
    check(!link_on(&hook.link));
    group_close(t, &g);
    sock_close(a);
    return OK;
}

TEST(sim_processes)
{
    for (uint64_t seed = 1; seed < 10; seed++)
        run(seed, killer, NULL);
}
