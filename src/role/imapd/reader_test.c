/* SPDX-License-Identifier: ISC
 *
 * What a door that strangers took over can get from a reader.
 */
#include "role/imapd/imapd.h"

#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const str key = S_INIT("0123456789abcdef0123456789abcdef");

/* A reader, and the door's end of its port. */
struct place {
    struct arena a;
    char dir[40];
    struct role role;
    struct task_group group;
    struct port *door;
    struct reader_start start;  /* as an honest door sends it */
    struct auth_user joe;
};

static struct conf *conf_make(struct place *p)
{
    struct conf_source src = {
        .dir = S("/nonexistent"),
        .main_cf = arena_fmt(&p->a, "mailstore_home = %s/%%n\n", p->dir),
        .master_cf = arena_fmt(&p->a, "imap inet n - n - - imapd\n"
                               "pop3 inet n - n - - pop3d\n"
                               " -o mailstore_home=%s/pop/%%u\n", p->dir),
    };
    struct conf_findings findings = { { 0 } };
    struct conf *c = NULL;

    check_ok(conf_read(&p->a, &src, &findings, &c));
    return c;
}

static err run(struct task *t, void *role)
{
    return role_reader_run(t, role);
}

static void place_make(struct task *t, struct place *p)
{
    struct role_port *port;
    struct edition *e;
    struct sock *a, *b;
    int fd;

    memset(p, 0, sizeof(*p));
    arena_init(&p->a, 0);
    memcpy(p->dir, "/tmp/reader-test-XXXXXX", 24);
    check(mkdtemp(p->dir) != NULL);
    role_init(&p->role, ROLE_reader, &p->a);
    e = edition_new(1);
    e->conf = conf_make(p);
    role_offer(&p->role, e);
    memcpy(p->role.pass_key, key.p, key.n);
    port = arena_new(&p->a, struct role_port);
    port->peer = ROLE_imapd;
    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &p->door));
    check_ok(port_open(t, b, &port->port));
    list_add_last(&p->role.ports, &port->link);
    p->joe = (struct auth_user){ .name = S("joe@example.com"),
                                 .has_ids = true, .uid = geteuid(),
                                 .gid = getegid() };
    p->start = (struct reader_start){
        .tag = S("a"), .home = arena_fmt(&p->a, "%s/%%n", p->dir),
        .location = conf_raw(e->conf, P_mailstore_location),
        .client = S("192.0.2.1"), .idle_s = 60, .message_max = 1 << 20,
    };
    group_open(t, &p->group);
    group_go(&p->group, "reader", run, &p->role);
}

static void place_drop(struct task *t, struct place *p)
{
    const char *argv[] = { "rm", "-rf", p->dir, NULL };
    struct process process;
    int status;

    group_close(t, &p->group);
    port_close(p->door);
    check_ok(process_start(t, &(struct process_plan){ .path = "/bin/rm",
                               .argv = argv }, &process));
    check_ok(process_wait(t, &process, after_s(t, 60), &status));
    arena_reset(&p->a);
}

/* Whether the session begins; else the stream just ends. */
static bool opens(struct task *t, struct place *p,
                  const struct reader_start *start)
{
    char answer[512];
    struct sock *s;
    size_t n = 0;
    struct buf b;
    int theirs;
    err e;

    check_ok(sock_pair(t, &s, &theirs));
    buf_init(&b, &p->a, PORT_BODY_MAX);
    reader_start_pack(start, &b);
    check_ok(port_send(t, p->door, &(struct frame){
                 .type = READER_SESSION, .body = buf_str(&b),
                 .fd = theirs }));
    fd_close(theirs);
    e = sock_read(t, s, answer, sizeof(answer), after_s(t, 60), &n);
    check(e == OK || e == ERR_END);
    sock_close(s);
    return !e && str_starts(str_of(answer, n), S("a OK "));
}

static struct reader_start with_pass(struct task *t, struct place *p, str k,
                                     const struct auth_user *user)
{
    struct reader_start s = p->start;

    s.pass = pass_issue(t, k, user, &p->a);
    return s;
}

TASK_TEST(reader_takes_a_pass_once)
{
    struct reader_start s;
    struct place p;

    place_make(t, &p);
    s = with_pass(t, &p, key, &p.joe);
    check(opens(t, &p, &s));
    check(!opens(t, &p, &s));
    s = with_pass(t, &p, key, &p.joe);
    check(opens(t, &p, &s));
    place_drop(t, &p);
}

TASK_TEST(reader_refuses_what_authd_did_not_say)
{
    struct auth_user other;
    struct reader_start s;
    struct place p;

    place_make(t, &p);
    s = p.start;
    check(!opens(t, &p, &s));                           /* no pass */
    s.pass = S("joe@example.com");
    check(!opens(t, &p, &s));
    s = with_pass(t, &p, S("................................"), &p.joe);
    check(!opens(t, &p, &s));                           /* a forged one */
    other = p.joe;
    other.uid++;
    s = with_pass(t, &p, key, &other);
    check(!opens(t, &p, &s));                           /* another's */
    s = with_pass(t, &p, key, &p.joe);
    s.home = arena_fmt(&p.a, "%s/ann", p.dir);
    check(!opens(t, &p, &s));                           /* another place */
    s = with_pass(t, &p, key, &p.joe);
    s.location = arena_fmt(&p.a, "maildir:%s/ann/Maildir", p.dir);
    check(!opens(t, &p, &s));
    s = with_pass(t, &p, key, &p.joe);
    s.home = arena_fmt(&p.a, "%s/pop/%%u", p.dir);      /* of a service */
    check(opens(t, &p, &s));
    place_drop(t, &p);
}

/* What the pass names counts, whatever the door says beside it. */
TASK_TEST(reader_goes_where_the_pass_says)
{
    struct reader_start s;
    struct file_stat st;
    struct place p;

    place_make(t, &p);
    p.joe.home = arena_fmt(&p.a, "%s/own", p.dir);
    p.joe.mailbox = S("maildir:~/Box");
    s = with_pass(t, &p, key, &p.joe);
    s.home = arena_fmt(&p.a, "%s/ann", p.dir);
    s.location = S("maildir:~/Maildir");
    check(opens(t, &p, &s));
    check_ok(file_stat_path(t, NULL, arena_fmt(&p.a, "%s/own/Box", p.dir),
                            &st));
    check_int(file_stat_path(t, NULL, s.home, &st), ERR_ABSENT);
    place_drop(t, &p);
}
