/* SPDX-License-Identifier: ISC
 *
 * pipe(8): messages as commands get them, verdicts, lines that cannot be set
 * up.
 */
#include "role/deliver/fixture.h"

#define MAIL S("Subject: hi\r\n\r\nFrom here\r\n.last\r\n")
static struct arena arena;

static struct result_rcpt run(struct task *t, const char *attributes,
                              const char *script, const char *to,
                              str *written)
{
    struct stage s;
    struct result_rcpt x;
    str master;

    master = arena_fmt(&arena, "p unix - n n - - pipe\n  user=%u:%u %s argv="
                       "/bin/sh -c { %s } x ${sender} ${recipient}\n",
                       geteuid() ? geteuid() : 65534,
                       geteuid() ? getegid() : 65534, attributes, script);
    stage_open(t, &s, "mail_owner = root\ncommand_time_limit = 5s\n"
               "p_time_limit = 1s\n", arena_cstr(&arena, master));
    x = stage_deliver(t, &s, "p", to, "", MAIL);
    x.relay = arena_str(&arena, x.relay);
    x.text = arena_str(&arena, x.text);
    *written = x.text;
    stage_close(t, &s);
    return x;
}

TASK_TEST(deliver_pipe_message)
{
    struct result_rcpt x;
    str said;

    arena_init(&arena, 0);
    x = run(t, "", "tr -d '\\n'; echo .$$#,$$2", "u@p.example", &said);
    check_int(x.outcome, OUTCOME_SENT);
    check_str(x.relay, S("p"));
    check_str(said, S("delivered via p service "
                      "(Subject: hiFrom here.last.2,u@p.example)"));
    x = run(t, "flags=FROD null_sender=", "tr '\\n' : | cut -d: -f4-9",
            "u@p.example", &said);
    check_str(said, S("delivered via p service (Return-Path: <>:"
                      "X-Original-To: u@p.example:"
                      "Delivered-To: u@p.example)"));
    x = run(t, "flags=B.> eol=\\174", "cat", "u@p.example", &said);
    check_str(said, S("delivered via p service "
                      "(Subject: hi||>From here|..last||)"));
    x = run(t, "", "exit 0 <&-", "u@p.example", &said);
    check_str(said, S("delivered via p service"));
    arena_reset(&arena);
}

TASK_TEST(deliver_pipe_verdicts)
{
    struct result_rcpt x;
    str said;

    arena_init(&arena, 0);
    x = run(t, "size=10", "cat", "u@p.example", &said);
    check_str(said, S("message too large"));
    check_str(str_from(x.dsn), S("5.2.3"));
    x = run(t, "", "echo 4.7.9 later; exit 67", "u@p.example", &said);
    check_int(x.outcome, OUTCOME_DEFERRED);
    check_str(str_from(x.dsn), S("4.7.9"));
    check_str(said, S("later"));
    x = run(t, "", "exit 67", "u@p.example", &said);
    check_str(said, S("user unknown"));
    x = run(t, "directory=/nonexistent", "cat", "u@p.example", &said);
    check_str(said, S("temporary failure"));
    check_int(x.outcome, OUTCOME_DEFERRED);
    x = run(t, "", "sleep 30", "u@p.example", &said);
    check(str_starts(said, S("Command time limit exceeded: ")));
    x = run(t, "flags=Z", "cat", "u@p.example", &said);
    check_str(said, S("mail system configuration error"));
    x = run(t, "user=root", "cat", "u@p.example", &said);
    check_str(said, S("mail system configuration error"));
    arena_reset(&arena);
}
