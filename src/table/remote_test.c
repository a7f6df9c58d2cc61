/* SPDX-License-Identifier: ISC
 *
 * Tables over a port: what is handed over, what is asked there, what is
 * refused, what is noticed.
 */
#include "table/face.h"
#include "test/unit/check.h"

struct remote_test {
    struct arena a;
    struct conf *conf;
    struct table_grants grants;
    struct port *ours, *theirs;
    struct calls *calls;
    struct tables *tables;
    struct task_group group;
    size_t n_questions;
    bool client;
    str dir;
};

static err serve(struct task *t, void *arg)
{
    struct remote_test *x = arg;
    struct file *file;
    struct frame f;
    struct buf b;

    for (;;) {
        TRY(port_recv(t, x->theirs, NEVER, &f));
        x->n_questions++;
        buf_init(&b, NULL, PORT_BODY_MAX);
        check(table_frame_is(f.type));
        check_ok(table_serve(t, &x->grants, f.type, f.body, x->client, &b,
                             &file));
        f.body = buf_str(&b);
        f.fd = file ? file_fd(file) : -1;
        port_answer(x->theirs, &f);
        file_close(file);
        buf_free(&b);
    }
}

static str path(struct remote_test *x, const char *name)
{
    return arena_fmt(&x->a, "%.*s/%s", STR(x->dir), name);
}

static void put(struct task *t, struct remote_test *x, const char *name,
                const char *text)
{
    check_ok(file_replace(t, NULL, path(x, name), str_from(text), 0644));
}

static struct conf *conf_of(struct remote_test *x, const char *main_cf)
{
    struct conf_findings findings = { { 0 } };
    struct conf_source src = {
        .dir = S("/nonexistent"),
        .facts = { .hostname = S("mx.example.com"),
                   .process_name = S("test"), .process_id = S("1") },
        .main_cf = arena_fmt(&x->a, "dir = %.*s\nmynetworks_style = host\n%s",
                             STR(x->dir), main_cf),
    };
    struct conf *c = NULL;

    check_ok(conf_read(&x->a, &src, &findings, &c));
    return c;
}

static void begin(struct task *t, struct remote_test *x, const char *main_cf)
{
    struct sock *one, *two;
    uint64_t n;
    int fd;

    *x = (struct remote_test){ 0 };
    arena_init(&x->a, 0);
    rt_random(t, &n, sizeof(n));
    x->dir = arena_fmt(&x->a, "/tmp/remote-test-%" PRIx64, n);
    check_ok(dir_make(t, NULL, x->dir, 0700));
    x->conf = conf_of(x, main_cf);
        check_ok(table_grant_open(t, &x->a, x->conf, &x->grants.p[0]));
    x->grants.n = 1;
    check_ok(sock_pair(t, &one, &fd));
    check_ok(sock_adopt(t, fd, &two));
    check_ok(port_open(t, one, &x->ours));
    check_ok(port_open(t, two, &x->theirs));
    x->calls = calls_new(&x->a);
    group_open(t, &x->group);
    group_go(&x->group, "serve", serve, x);
    calls_serve(&x->group, x->calls, x->ours);
    x->tables = tables_new(&x->a, x->conf,
                           table_opener_remote(&x->a, x->calls));
}

static void end(struct task *t, struct remote_test *x)
{
    group_close(t, &x->group);
    for (const char *const *p = (const char *const[]){
             "access", "access.db", "list", "hosts", NULL }; *p; p++)
        err_ignore(file_unlink(t, NULL, path(x, *p)));
    err_ignore(dir_remove(t, NULL, x->dir));
    arena_reset(&x->a);
    port_close(x->theirs);
}

static str found(struct task *t, struct remote_test *x, const char *spec,
                 const char *key)
{
    struct table *tb;
    str value, full;
    err e;

    check_ok(conf_expand(x->conf, &x->a, str_from(spec), &full));
    e = tables_get(t, x->tables, full, &tb);
    if (!e)
        e = table_find(t, tb, str_from(key), &x->a, &value);
    return e == ERR_ABSENT ? S("absent")
         : e ? arena_str(&x->a, str_from(task_why(t))) : value;
}

TASK_TEST(table_remote_finds)
{
    struct remote_test x;
    struct table_writer *w;

    begin(t, &x, "alias_maps = texthash:$dir/access, hash:$dir/access\n"
                 "canonical_maps = pipemap:{texthash:$dir/access, "
                 "regexp:$dir/hosts}\nother = proxy:unix:passwd.byname\n");
    put(t, &x, "access", "one two\n");
    put(t, &x, "hosts", "/^t(wo)/ got $1\n");
    check_ok(table_writer_open(t, &x.a, &(struct table_env){
                 .conf = x.conf, .opener = table_opener_files() },
                 arena_fmt(&x.a, "hash:%.*s/access", STR(x.dir)), 0,
                 TABLE_WRITE_NEW, 0644, &w));
    check_ok(table_writer_put(t, w, S("three"), S("four")));
    check_ok(table_writer_commit(t, w));

    check_str(found(t, &x, "texthash:$dir/access", "one"), S("two"));
    check_str(found(t, &x, "texthash:$dir/access", "two"), S("absent"));
    check_str(found(t, &x, "hash:$dir/access", "three"), S("four"));
    check_str(found(t, &x, "pipemap:{texthash:$dir/access, "
                           "regexp:$dir/hosts}", "one"), S("got wo"));
    check_str(found(t, &x, "proxy:unix:passwd.byname", "nobody here"),
              S("absent"));
    check(str_starts(found(t, &x, "proxy:unix:passwd.byname", "root"),
                     S("root:x:0:0:")));
    end(t, &x);
}

TASK_TEST(table_remote_refuses)
{
    struct remote_test x;
    str said;

    begin(t, &x, "alias_maps = texthash:$dir/access\n"
                 "smtp_sasl_password_maps = texthash:$dir/hosts\n"
                 "auth_sources = sqlite:$dir/hosts\n");
    put(t, &x, "access", "one two\n");
    put(t, &x, "hosts", "one secret\n");
    said = found(t, &x, "texthash:$dir/hosts", "one");
    check(str_ends(said, S("cannot be opened")));
    said = found(t, &x, "sqlite:$dir/hosts", "one");
    check(str_ends(said, S("is not named by the configuration")));
    said = found(t, &x, "texthash:/etc/passwd", "one");
    check(str_ends(said, S("cannot be opened")));
    check_str(found(t, &x, "texthash:$dir/access", "one"), S("two"));
    end(t, &x);

    begin(t, &x, "smtp_sasl_password_maps = texthash:$dir/hosts\n");
    put(t, &x, "hosts", "one secret\n");
    x.client = true;
    check_str(found(t, &x, "texthash:$dir/hosts", "one"), S("secret"));
    end(t, &x);
}

TASK_TEST(table_remote_notices)
{
    struct remote_test x;
    size_t before;

    begin(t, &x, "alias_maps = texthash:$dir/access\n");
    put(t, &x, "access", "one two\n");
    check_str(found(t, &x, "texthash:$dir/access", "one"), S("two"));
    before = x.n_questions;
    check_str(found(t, &x, "texthash:$dir/access", "one"), S("two"));
    check_int(x.n_questions, before);
    put(t, &x, "access", "one three\n");
    check_ok(task_sleep(t, after_ms(t, 1100)));
    check_str(found(t, &x, "texthash:$dir/access", "one"), S("three"));
    check_int(x.n_questions, before + 2); /* stamps, and open */
    end(t, &x);
}

TASK_TEST(table_remote_lists)
{
    struct match_list *l;
    struct remote_test x;

    begin(t, &x, "relay_domains = $dir/list\n");
    put(t, &x, "list", arena_fmt(&x.a, "a.example\ntexthash:%.*s/access\n",
                                 STR(x.dir)).p);
    put(t, &x, "access", "b.example x\n");
    check_ok(match_list_open(t, x.tables, &x.a, S("relay_domains"),
                             conf_str(x.conf, P_relay_domains), MATCH_DOMAIN,
                             false, &l));
    check_ok(match_list_find(t, l, S("a.example"), S("")));
    check_ok(match_list_find(t, l, S("b.example"), S("")));
    check_int(match_list_find(t, l, S("c.example"), S("")), ERR_ABSENT);
    end(t, &x);
}

TASK_TEST(table_serve_checks)
{
    struct remote_test x;
    struct file *file;
    struct buf b;

    begin(t, &x, "");
    buf_init(&b, &x.a, PORT_BODY_MAX);
    check_int(table_serve(t, &x.grants, TABLE_OPEN, S(""), false, &b, &file),
              ERR_PEER);
    check_int(table_serve(t, &x.grants, TABLE_OPEN, S("\1\5\0\0\0ab"), false,
                          &b, &file), ERR_PEER);
    check_int(table_serve(t, &x.grants, TABLE_STAMPS,
                          S("\1\377\377\377\377"), false, &b, &file),
              ERR_PEER);
    check_int(table_serve(t, &x.grants, 99, S("\1"), false, &b, &file),
              ERR_PEER);
    check(!file);
    end(t, &x);
}
