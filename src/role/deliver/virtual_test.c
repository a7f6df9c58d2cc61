/* SPDX-License-Identifier: ISC
 *
 * Virtual mailboxes: tables, ownership, formats, many at a time.
 */
#include "role/deliver/fixture.h"

#define MAIL S("Subject: hi\r\n\r\nFrom here\r\nlast\r\n")

#define MAIN                                                                  \
    "virtual_mailbox_base = $test_home\n"                                     \
    "virtual_mailbox_maps = inline:{ u@v.example=v/u/, b@v.example=v/box, "   \
    "noid@v.example=v/noid/, low@v.example=v/low/, @all.example=all/ }\n"     \
    "virtual_uid_maps = inline:{ noid@v.example=x, low@v.example=7, "         \
    "@v.example=$test_uid, @all.example=$test_uid }\n"                        \
    "virtual_gid_maps = static:$test_gid\n"

#define MASTER "virtual unix - n n - - virtual\n"

TASK_TEST(deliver_virtual_maildir)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, MAIN, MASTER);
    x = stage_deliver(t, &s, "virtual", "U@V.example", "a@b.example", MAIL);
    check_int(x.outcome, OUTCOME_SENT);
    check_str(x.text, S("delivered to maildir"));
    check_str(x.relay, S("virtual"));
    check_str(str_from(x.dsn), S("2.0.0"));
    check_str(stage_only_file(t, &s, "home/v/u/new"),
              S("Return-Path: <a@b.example>\nX-Original-To: U@V.example\n"
                "Delivered-To: U@V.example\nSubject: hi\n\nFrom here\n"
                "last\n"));
    x = stage_deliver(t, &s, "virtual", "any+x@all.example", "", MAIL);
    check_int(x.outcome, OUTCOME_SENT);
    check(str_starts(stage_only_file(t, &s, "home/all/new"),
                     S("Return-Path: <>\nX-Original-To: any+x@all.")));
    stage_close(t, &s);
}

TASK_TEST(deliver_virtual_mbox)
{
    struct stage s;
    struct result_rcpt x;
    str text;

    stage_open(t, &s, MAIN, MASTER);
    x = stage_deliver(t, &s, "virtual", "b@v.example", "a@b.example", MAIL);
    check_int(x.outcome, OUTCOME_SENT);
    check_str(x.text, S("delivered to mailbox"));
    text = stage_file(t, &s, "home/v/box");
    check(str_starts(text, S("From a@b.example  ")));
    check(str_ends(text, S("\nReturn-Path: <a@b.example>\n"
                           "X-Original-To: b@v.example\n"
                           "Delivered-To: b@v.example\n"
                           "Subject: hi\n\n>From here\nlast\n\n")));
    stage_close(t, &s);
}

TASK_TEST(deliver_virtual_refusals)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, MAIN "virtual_mailbox_limit = 2000\n", MASTER);
    x = stage_deliver(t, &s, "virtual", "nobody@v.example", "a@b.c", MAIL);
    check_int(x.outcome, OUTCOME_BOUNCED);
    check_str(str_from(x.dsn), S("5.1.1"));
    check_str(x.text, S("unknown user: \"nobody@v.example\""));
    x = stage_deliver(t, &s, "virtual", "noid@v.example", "a@b.c", MAIL);
    check_int(x.outcome, OUTCOME_DEFERRED);
    check_str(x.text, S("mail system configuration error"));
    x = stage_deliver(t, &s, "virtual", "low@v.example", "a@b.c", MAIL);
    check_int(x.outcome, OUTCOME_DEFERRED);
    check_str(str_from(x.dsn), S("4.3.5"));
    char *big = arena_alloc(&s.a, 4000);
    memset(big, 'x', 4000);
    x = stage_deliver(t, &s, "virtual", "u@v.example", "a@b.c",
                      arena_cat(&s.a, MAIL, str_of(big, 4000)));
    check_int(x.outcome, OUTCOME_BOUNCED);
    check_str(str_from(x.dsn), S("5.2.2"));
    x = stage_deliver(t, &s, "nosuch", "u@v.example", "a@b.c", MAIL);
    check_str(x.text, S("mail transport unavailable"));
    stage_close(t, &s);
}

/* More at a time than one sync can take, and a body of several windows. */
TASK_TEST(deliver_virtual_many)
{
    enum { N = 60, BIG = 60 * 1024 };
    static const char *const to[] = { "u@v.example", "b@v.example", NULL };
    struct stage s;
    str text;
    bool seen[N + 1] = { false };

    stage_open(t, &s, MAIN, MASTER);
    for (int i = 0; i < N; i++) {
        char *big = heap_alloc(BIG);
        memset(big, 'a' + i % 20, BIG - 2);
        memcpy(big + BIG - 2, "\r\n", 2);
        stage_send(t, &s, "virtual", to, "a@b.example",
                   str_of(big, BIG));
        heap_free(big);
    }
    for (int i = 0; i < N; i++) {
        uint64_t id = 0;
        struct result r = stage_result(t, &s, &id);
        check(id <= N && !seen[id]);
        seen[id <= N ? id : 0] = true;
        check_int(r.n_rcpts, 2);
        for (uint32_t k = 0; k < r.n_rcpts; k++)
            check_int(r.rcpts[k].outcome, OUTCOME_SENT);
    }
    struct names names = { 0 };
    struct dir *d;
    check_ok(dir_open(t, NULL, arena_cat(&s.a, s.home, S("/v/u/new")), &d));
    check_ok(dir_list(t, d, &s.a, &names));
    check_int(names.n, N);
    dir_close(d);
    check_ok(file_load(t, NULL, arena_cat(&s.a, s.home, S("/v/box")), &s.a,
                       10 << 20, &text));
    check(text.n > (size_t)N * BIG);
    stage_close(t, &s);
}
