/* SPDX-License-Identifier: ISC
 *
 * local(8): aliases, .forward, mailboxes, commands, mail that is sent on.
 */
#include "role/deliver/queue_fixture.h"

#define MAIL S("Subject: hi\r\n\r\nFrom here\r\nlast\r\n")

#define USERS                                                                 \
    "lookup_local_users = inline:{ "                                          \
    "{ann=ann:x:$test_uid:$test_gid::$test_home/ann:/bin/sh}, "               \
    "{bob=bob:x:$test_uid:$test_gid::$test_home/bob:/bin/sh}, "               \
    "{wheel=wheel:x:0:0::$test_home/wheel:/bin/sh} }\n"                       \
    "myorigin = example.com\nrecipient_delimiter = +\n"                       \
    "mail_spool_directory = $test_home\nlocal_transport = local\n"            \
    "default_privs = $test_uid:$test_gid\nmail_owner = root\n"

#define MASTER "local unix - n n - - local\nother unix - n n - - lmtp\n"

#define ALIASES(list) "alias_maps = inline:{ " list " }\n"

static struct result_rcpt to(struct task *t, struct stage *s,
                             const char *address)
{
    return stage_deliver(t, s, "local", address, "a@b.example", MAIL);
}

TASK_TEST(deliver_local_mailbox)
{
    struct stage s;
    struct result_rcpt x;
    str text;

    stage_open(t, &s, USERS, MASTER);
    x = to(t, &s, "Ann+Ext@example.com");
    check_int(x.outcome, OUTCOME_SENT);
    check_str(x.text, S("delivered to mailbox"));
    check_str(str_from(x.dsn), S("2.0.0"));
    check_str(x.relay, S("local"));
    text = stage_file(t, &s, "home/ann");
    check(str_starts(text, S("From a@b.example  ")));
    check(str_ends(text, S("\nReturn-Path: <a@b.example>\n"
                           "X-Original-To: Ann+Ext@example.com\n"
                           "Delivered-To: Ann+Ext@example.com\n"
                           "Subject: hi\n\n>From here\nlast\n\n")));
    x = to(t, &s, "nosuch+x@example.com");
    check_int(x.outcome, OUTCOME_BOUNCED);
    check_str(str_from(x.dsn), S("5.1.1"));
    check_str(x.text, S("unknown user: \"nosuch\""));
    x = to(t, &s, "postmaster@example.com");
    check_str(x.text, S("discarded"));
    x = stage_deliver(t, &s, "local", "ann@example.com", "a@b.example",
                      S("Delivered-To: ANN@example.com\r\n\r\n"));
    check_str(x.text, S("mail forwarding loop for ann@example.com"));
    check_str(str_from(x.dsn), S("5.4.6"));
    stage_close(t, &s);
}

TASK_TEST(deliver_local_maildir)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, USERS "home_mailbox = Maildir/\n", MASTER);
    x = to(t, &s, "ann@example.com");
    check_str(x.text, S("delivered to maildir"));
    check_str(stage_only_file(t, &s, "home/ann/Maildir/new"),
              S("Return-Path: <a@b.example>\nX-Original-To: ann@example.com\n"
                "Delivered-To: ann@example.com\nSubject: hi\n\nFrom here\n"
                "last\n"));
    stage_close(t, &s);
}

/* Expansions inside this host. */
TASK_TEST(deliver_local_aliases)
{
    struct stage s;
    struct result_rcpt x;
    str text;
    size_t n = 0;

    stage_open(t, &s, USERS ALIASES(
        "{list=ann, bob, more}, {more=ann, list2}, {list2=\\bob}, "
        "{self=self, ann}, {a=b}, {b=a}, {ann+x=bob}, "
        "{mix=ann, nosuch, none2}, "
        "{none=\"|false\", ann}")
        "allow_mail_to_commands =\n", MASTER);
    x = to(t, &s, "list@example.com");
    check_int(x.outcome, OUTCOME_SENT);
    text = stage_file(t, &s, "home/ann");
    for (size_t at; (at = str_find(text, S("Delivered-To: list@"))) !=
                    STR_NONE; n++)
        text = str_skip(text, at + 1);
    check_int(n, 1);            /* no duplicates */
    check(stage_file(t, &s, "home/bob").n > 0);
    x = to(t, &s, "a@example.com");
    check_int(x.outcome, OUTCOME_BOUNCED);
    check_str(x.text, S("alias database loop for b"));
    x = to(t, &s, "self@example.com");
    check_str(x.text, S("unknown user: \"self\""));
    n = stage_file(t, &s, "home/bob").n;
    to(t, &s, "ann+x@example.com");
    check(stage_file(t, &s, "home/bob").n > n);
    x = to(t, &s, "mix@example.com");
    check_int(x.outcome, OUTCOME_BOUNCED);
    check_str(x.text, S("unknown user: \"nosuch\"; "
                        "unknown user: \"none2\""));
    x = to(t, &s, "none@example.com");
    check_str(x.text, S("mail to command is restricted"));
    check_str(str_from(x.dsn), S("5.7.1"));
    stage_close(t, &s);
}

/* What leads elsewhere is new mail; it is done when that is in the queue. */
TASK_TEST(deliver_local_forwards)
{
    static const char *const list[] = { "out@example.com", NULL };
    struct stage s;
    struct envelope env;
    struct result r;
    uint64_t number;
    str body;

    stage_open(t, &s, USERS ALIASES(
        "{out=X@far.example, ann, y@far.example, x@far.example}, "
        "{own=z@far.example}, {owner-own=boss@far.example}")
        "propagate_unmatched_extensions = alias\n", MASTER);
    stage_numbers(t, &s, 4096, 100);
    stage_send(t, &s, "local", list, "a@b.example", MAIL);
    number = stage_submission(t, &s, &env, &body);
    check_int(number, 4096);
    check_str(env.sender.text, S("a@b.example"));
    check_int(env.recipients.n, 2);
    check_str(env.recipients.p[0].address.text, S("X@far.example"));
    check_str(env.recipients.p[0].original, S("out@example.com"));
    check(str_starts(body, S("Received: by mx.example.com (Postfix)\r\n"
                             "\tid ")));
    check(str_ends(body, S("\r\nDelivered-To: out@example.com\r\n"
                           "Subject: hi\r\n\r\nFrom here\r\nlast\r\n")));
    check(stage_file(t, &s, "home/ann").n > 0);
    stage_ack(t, &s, number, FACE_TAKEN);
    r = stage_result(t, &s, NULL);
    check_int(r.rcpts[0].outcome, OUTCOME_SENT);
    stage_send(t, &s, "local", list, "a@b.example", MAIL);
    number = stage_submission(t, &s, &env, &body);
    stage_ack(t, &s, number, FACE_NO_ROOM);
    r = stage_result(t, &s, NULL);
    check_int(r.rcpts[0].outcome, OUTCOME_DEFERRED);
    check_str(r.rcpts[0].text, S("unable to forward message"));
    const char *own[] = { "own+x@example.com", NULL };
    stage_send(t, &s, "local", own, "a@b.example", MAIL);
    number = stage_submission(t, &s, &env, &body);
    check_str(env.sender.text, S("owner-own@example.com"));
    check_str(env.recipients.p[0].address.text, S("z+x@far.example"));
    check_str(env.recipients.p[0].original, S("z+x@far.example"));
    stage_ack(t, &s, number, FACE_TAKEN);
    check(str_starts(stage_result(t, &s, NULL).rcpts[0].text,
                     S("forwarded as ")));
    stage_close(t, &s);
}

TASK_TEST(deliver_local_dot_forward)
{
    static const char *const ann[] = { "ann+e@example.com", NULL };
    struct stage s;
    struct result_rcpt x;
    struct envelope env;
    uint64_t number;
    str body;

    stage_open(t, &s, USERS
               "forward_path = $home.f+$extension, $home.f\n", MASTER);
    stage_numbers(t, &s, 4096, 100);
    stage_put(t, &s, "home/ann.f", "# mine\n\\ann\n\"|cat > $HOME.out\"\n"
                                   "/dev/null\n");
    x = to(t, &s, "ann@example.com");
    check_int(x.outcome, OUTCOME_SENT);
    check(stage_file(t, &s, "home/ann").n > 0);
    check(str_find(stage_file(t, &s, "home/ann.out"),
                   S("Delivered-To: ann@example.com\nSubject: hi\n\nFrom"))
          != STR_NONE);
    stage_put(t, &s, "home/ann.f+e", "bob\n");
    stage_send(t, &s, "local", ann, "a@b.example", MAIL);
    number = stage_submission(t, &s, &env, &body);
    check_str(env.recipients.p[0].address.text, S("bob@example.com"));
    check_str(env.sender.text, S("a@b.example"));
    stage_ack(t, &s, number, FACE_TAKEN);
    stage_result(t, &s, NULL);
    stage_put(t, &s, "home/bob.f", "\n");
    x = to(t, &s, "bob@example.com");
    check_str(x.text, S("delivered to mailbox"));
    stage_close(t, &s);
}

TASK_TEST(deliver_local_programs)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, USERS ALIASES(
        "{e0=\"|exit 0\"}, {e1=\"|exit 1\"}, {e75=\"|echo no; exit 75\"}, "
        "{e67=\"|exit 67\"}, {dsn=\"|echo 4.2.9 x; exit 1\"}, "
        "{slow=\"|sleep 30\"}, "
        "{file=$test_home/kept}, {inc=:include:$test_home/list}, "
        "{two=ann, \"|exit 75\"}, {gone=\"|/nonexistent x\"}")
        "command_time_limit = 1s\n", MASTER);
    x = to(t, &s, "e0@example.com");
    check_str(x.text, S("delivered to command: exit 0"));
    x = to(t, &s, "e1@example.com");
    check_str(x.text, S("Command died with status 1: \"exit 1\""));
    check_str(str_from(x.dsn), S("5.3.0"));
    x = to(t, &s, "e75@example.com");
    check_int(x.outcome, OUTCOME_DEFERRED);
    check_str(x.text, S("temporary failure. Command output: no"));
    x = to(t, &s, "e67@example.com");
    check_str(str_from(x.dsn), S("5.1.1"));
    x = to(t, &s, "dsn@example.com");
    check_str(str_from(x.dsn), S("4.2.9"));
    check_str(x.text, S("x"));
    x = to(t, &s, "slow@example.com");
    check_str(x.text, S("Command time limit exceeded: \"sleep 30\""));
    x = to(t, &s, "gone@example.com");
    check_int(x.outcome, OUTCOME_DEFERRED);
    x = to(t, &s, "file@example.com");
    check(str_starts(x.text, S("delivered to file: ")));
    check(str_find(stage_file(t, &s, "home/kept"), S(">From here"))
          != STR_NONE);
    x = to(t, &s, "two@example.com");
    check_int(x.outcome, OUTCOME_DEFERRED);
    x = to(t, &s, "inc@example.com");
    check_str(x.text, S("mail system configuration error"));
    check_int(x.outcome, OUTCOME_BOUNCED);
    stage_put(t, &s, "home/list", "\"|exit 0\"\n");
    x = to(t, &s, "inc@example.com");
    check_str(x.text, S("mail to command is restricted"));
    stage_close(t, &s);
}

/* Other transports, and commands as mailboxes. */
TASK_TEST(deliver_local_elsewhere)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, USERS
               "mailbox_transport_maps = inline:{ {ann=other:[h]:24} }\n"
               "mailbox_command = cat > $HOME.cmd\n"
               "fallback_transport = other:\n", MASTER);
    x = to(t, &s, "ann@example.com");
    check_int(x.outcome, OUTCOME_PASS);
    check_str(x.text, S("other:[h]:24"));
    x = to(t, &s, "bob@example.com");
    check_str(x.text, S("delivered to command: cat > $HOME.cmd"));
    check(stage_file(t, &s, "home/bob.cmd").n > 0);
    x = to(t, &s, "nosuch@example.com");
    check_int(x.outcome, OUTCOME_PASS);
    stage_close(t, &s);
}

/* A user with root's id is served with default_privs, never as root. */
TASK_TEST(deliver_local_root)
{
    struct stage s;
    struct result_rcpt x;

    stage_open(t, &s, USERS "mailbox_command = id -u > "
               "$HOME\n", MASTER);
    x = to(t, &s, "wheel@example.com");
    check_int(x.outcome, OUTCOME_SENT);
    check_str(str_trim(stage_file(t, &s, "home/wheel")),
              arena_fmt(&s.a, "%u", s.uid));
    stage_close(t, &s);
}
