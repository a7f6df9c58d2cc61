/* SPDX-License-Identifier: ISC
 *
 * For the tests of this room: the role, with a queue manager at the other end
 * of its ports that the test plays.  Real processes, real directories.
 * Started by root, deliveries are done as nobody; else as who runs the test.
 */
#ifndef ROLE_DELIVER_FIXTURE_H
#define ROLE_DELIVER_FIXTURE_H

#include "role/deliver/deliver.h"
#include "spool/record.h"
#include "test/unit/check.h"

#include <unistd.h>

struct stage {
    struct arena a;
    str path;               /* a directory of the test's */
    str home;               /* one in it that belongs to uid */
    uint32_t uid, gid;
    struct role role;
    struct task_group group;
    struct port *jobs, *queue;
    struct file *segment;
    uint64_t segment_at, next;
};

static inline err stage_role(struct task *t, void *role)
{
    return role_deliver_run(t, role);
}

static inline struct port *stage_port(struct task *t, struct stage *s,
                                      uint32_t number)
{
    struct role_port *p = arena_new(&s->a, struct role_port);
    struct sock *ours, *theirs;
    struct port *port = NULL;
    int fd;

    check_ok(sock_pair(t, &ours, &fd));
    check_ok(sock_adopt(t, fd, &theirs));
    check_ok(port_open(t, theirs, &p->port));
    check_ok(port_open(t, ours, &port));
    p->peer = ROLE_qmgr;
    p->number = number;
    list_add_last(&s->role.ports, &p->link);
    return port;
}

/* %s in main_cf is the directory's path, twice at most. */
static inline void stage_open(struct task *t, struct stage *s,
                              const char *main_cf, const char *master_cf)
{
    struct conf_source src = {
        .dir = S("/nonexistent"),
        .facts = { .hostname = S("mx.example.com"),
                   .process_name = S("test"), .process_id = S("1") },
    };
    struct conf_findings findings = { { 0 } };
    struct edition *e;
    struct dir *d;

    *s = (struct stage){ 0 };
    arena_init(&s->a, 0);
    s->uid = geteuid() ? geteuid() : 65534;
    s->gid = geteuid() ? getegid() : 65534;
    s->path = arena_fmt(&s->a, "/tmp/veredus-deliver-%016" PRIx64,
                        rt_random_below(t, UINT64_MAX));
    s->home = arena_cat(&s->a, s->path, S("/home"));
    check_ok(dir_make(t, NULL, s->path, 0755));
    check_ok(dir_make(t, NULL, s->home, 0700));
    check_ok(dir_open(t, NULL, s->home, &d));
    if (geteuid() == 0)
        check_int(fchown(dir_fd(d), s->uid, s->gid), 0);
    dir_close(d);
    check_ok(file_open(t, NULL, arena_cat(&s->a, s->path, S("/segment")),
                       FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
                       &s->segment));
    role_init(&s->role, ROLE_deliver, &s->a);
    src.main_cf = arena_fmt(&s->a, "compatibility_level = 3.7\n"
                            "myhostname = mx.example.com\n"
                            "mydestination = example.com\n"
                            "alias_maps =\ntest_home = %.*s\n"
                            "test_path = %.*s\ntest_uid = %u\n"
                            "test_gid = %u\n%s\n", STR(s->home),
                            STR(s->path), s->uid, s->gid, main_cf);
    src.master_cf = str_from(master_cf);
    e = edition_new(1);
    e->first = true;
    check_ok(conf_read(&e->memory, &src, &findings, &e->conf));
    for (size_t i = 0; i < findings.list.n; i++)
        if (findings.list.p[i].fatal)
            check_str(findings.list.p[i].text, S("no findings"));
    role_offer(&s->role, e);
    s->jobs = stage_port(t, s, 0);
    s->queue = stage_port(t, s, ROLE_SUBMISSIONS);
    group_open(t, &s->group);
    group_go(&s->group, "deliver", stage_role, &s->role);
}

static inline void stage_remove(struct task *t, struct dir *at, str path)
{
    struct arena a;
    struct names names;
    struct dir *d;

    arena_init(&a, 0);
    if (!dir_open(t, at, path, &d)) {
        check_ok(dir_list(t, d, &a, &names));
        for (size_t i = 0; i < names.n; i++)
            if (file_unlink(t, d, names.p[i]))
                stage_remove(t, d, names.p[i]);
        dir_close(d);
        check_ok(dir_remove(t, at, path));
    }
    arena_reset(&a);
}

static inline void stage_close(struct task *t, struct stage *s)
{
    port_close(s->jobs);
    port_close(s->queue);
    s->role.stop = true;
    role_changed(&s->role);
    check_ok(group_wait(t, &s->group, after_s(t, 10)));
    group_close(t, &s->group);
    file_close(s->segment);
    stage_remove(t, NULL, s->path);
    arena_reset(&s->a);
}

/* Puts a body into the segment. */
static inline struct extent stage_body(struct task *t, struct stage *s,
                                       uint64_t message, str body)
{
    struct extent x = { .segment = 7, .offset = (uint32_t)s->segment_at,
                        .size = (uint32_t)body.n, .generation = 3 };
    struct record r = { .type = RECORD_CHUNK, .generation = 3,
                        .message = message };
    size_t size = record_size(body.n);
    char *memory = heap_alloc(size);

    record_put(memory, &r, body, S(""));
    check_ok(file_write(t, s->segment, s->segment_at, str_of(memory, size)));
    heap_free(memory);
    s->segment_at += size;
    return x;
}

static inline void stage_recipient(struct arena *a, struct envelope *env,
                                   const char *address, const char *original)
{
    struct recipient r = { .original = str_from(original) };

    check_ok(address_of(str_from(address), a, &r.address));
    vec_push(a, &env->recipients, r);
}

/* Sends a job over the transport; returns its id. */
static inline uint64_t stage_send(struct task *t, struct stage *s,
                                  const char *transport,
                                  const char *const *to, const char *sender,
                                  str body)
{
    uint64_t id = ++s->next;
    struct extent x = stage_body(t, s, id, body);
    struct job j = {
        .message = id, .queue_id = S("4F00D1"),
        .transport = str_from(transport), .nexthop = S("Example.COM"),
        .dispatch_us = rt_wall(t), .extents = &x, .n_extents = 1,
        .n_known = 1,
        .envelope = { .arrival_us = rt_wall(t), .size = body.n },
    };
    struct buf b;

    buf_init(&b, &s->a, PORT_BODY_MAX);
    if (id == 1) {
        pack_u32(&b, 7);
        check_ok(port_send(t, s->jobs, &(struct frame){
                     .type = FACE_SEGMENT, .body = buf_str(&b),
                     .fd = file_fd(s->segment) }));
        buf_clear(&b);
    }
    if (*sender)
        check_ok(address_of(str_from(sender), &s->a, &j.envelope.sender));
    else
        j.envelope.sender = ADDRESS_NULL;
    for (; *to; to++)
        stage_recipient(&s->a, &j.envelope, *to, *to);
    job_pack(&j, &b);
    check_ok(port_send(t, s->jobs, &(struct frame){
                 .type = FACE_JOB, .id = id, .body = buf_str(&b),
                 .fd = -1 }));
    return id;
}

/* The next result; *id is its job. */
static inline struct result stage_result(struct task *t, struct stage *s,
                                         uint64_t *id)
{
    struct frame f = { .fd = -1 };
    struct result r = { 0 };
    err e = port_recv(t, s->jobs, after_s(t, 20), &f);

    check_ok(e);
    if (e)
        return r;
    check_int(f.type, FACE_RESULT);
    check_ok(result_unpack(arena_str(&s->a, f.body), &s->a, &r));
    if (id)
        *id = f.id;
    return r;
}

/* One recipient, one result. */
static inline struct result_rcpt stage_deliver(struct task *t,
                                               struct stage *s,
                                               const char *transport,
                                               const char *to,
                                               const char *sender, str body)
{
    const char *list[] = { to, NULL };
    struct result r;

    stage_send(t, s, transport, list, sender, body);
    r = stage_result(t, s, NULL);
    check_int(r.n_rcpts, 1);
    return r.n_rcpts ? r.rcpts[0] : (struct result_rcpt){ 0 };
}

/* A file below the test's directory; empty if it is not there. */
static inline str stage_file(struct task *t, struct stage *s,
                             const char *name)
{
    str text = S("");
    str path = arena_fmt(&s->a, "%.*s/%s", STR(s->path), name);

    if (file_load(t, NULL, path, &s->a, 1 << 20, &text))
        return S("");
    return text;
}

/* The only file in a directory below the test's. */
static inline str stage_only_file(struct task *t, struct stage *s,
                                  const char *name)
{
    struct names names = { 0 };
    struct dir *d;
    str path = arena_fmt(&s->a, "%.*s/%s", STR(s->path), name);

    if (dir_open(t, NULL, path, &d))
        return S("no directory");
    check_ok(dir_list(t, d, &s->a, &names));
    dir_close(d);
    check_int(names.n, 1);
    if (names.n != 1)
        return S("");
    return stage_file(t, s, arena_fmt(&s->a, "%s/%.*s", name,
                                      STR(names.p[0])).p);
}

/* Writes a file of the user's. */
static inline void stage_put(struct task *t, struct stage *s,
                             const char *name, const char *text)
{
    str path = arena_fmt(&s->a, "%.*s/%s", STR(s->path), name);
    struct file *f;

    check_ok(file_open(t, NULL, path, FILE_WRITE | FILE_CREATE
                                          | FILE_TRUNCATE, 0644, &f));
    check_ok(file_write(t, f, 0, str_from(text)));
    if (geteuid() == 0)
        check_int(fchown(file_fd(f), s->uid, s->gid), 0);
    file_close(f);
}

#endif
