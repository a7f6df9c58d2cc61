/* SPDX-License-Identifier: ISC
 *
 * Commands.  Exit statuses are those of sysexits.h; an enhanced status code
 * at the head of what the command said takes precedence (pipe(8), local(8)).
 */
#include "role/deliver/command.h"

static const struct {
    uint32_t status;
    char dsn[8];
    str text;
} statuses[] = {
    { 64, "5.3.0", S_INIT("command line usage error") },
    { 65, "5.6.0", S_INIT("data format error") },
    { 66, "5.3.0", S_INIT("cannot open input") },
    { 67, "5.1.1", S_INIT("user unknown") },
    { 68, "5.1.2", S_INIT("host name unknown") },
    { 69, "5.3.0", S_INIT("service unavailable") },
    { 70, "5.3.0", S_INIT("internal software error") },
    { 71, "4.3.0", S_INIT("system resource problem") },
    { 72, "5.3.0", S_INIT("critical OS file missing") },
    { 73, "5.2.0", S_INIT("can't create user output file") },
    { 74, "5.3.0", S_INIT("input/output error") },
    { 75, "4.3.0", S_INIT("temporary failure") },
    { 76, "5.5.0", S_INIT("remote error in protocol") },
    { 77, "5.7.0", S_INIT("permission denied") },
    { 78, "5.3.5", S_INIT("local configuration error") },
};

/* A verdict whose outcome its code tells. */
static struct result_rcpt by_code(struct run *r, const char *dsn, str text)
{
    return run_verdict(r, dsn[0] == '4' ? OUTCOME_DEFERRED
                                        : OUTCOME_BOUNCED, dsn, text);
}

static str with_output(struct run *r, str text, str output)
{
    return str_empty(output) ? text
        : arena_fmt(&r->memory, "%.*s. Command output: %.*s", STR(text),
                    STR(output));
}

static struct result_rcpt exited(struct run *r, const struct hand_done *d,
                                 str command)
{
    size_t span = dsn_span(d->text);
    char dsn[12] = { 0 };

    if (span && span < sizeof(dsn)
        && (d->text.p[0] == '4' || d->text.p[0] == '5')) {
        memcpy(dsn, d->text.p, span);
        return by_code(r, dsn, str_trim(str_skip(d->text, span)));
    }
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        if (statuses[i].status == d->status)
            return by_code(r, statuses[i].dsn,
                           with_output(r, statuses[i].text, d->text));
    return by_code(r, "5.3.0",
                   with_output(r, arena_fmt(&r->memory, "Command died with "
                                            "status %u: \"%.*s\"", d->status,
                                            STR(command)), d->text));
}

struct result_rcpt command_verdict(struct run *r, const struct hand_done *d,
                                   str command)
{
    struct arena *a = &r->memory;

    switch (d->end) {
    case HAND_SENT:
        return run_verdict(r, OUTCOME_SENT, "2.0.0", d->text);
    case HAND_EXITED:
        return exited(r, d, command);
    case HAND_KILLED:
        return by_code(r, "4.3.0", with_output(r,
            arena_fmt(a, "Command died with signal %u: \"%.*s\"", d->status,
                      STR(command)), d->text));
    case HAND_TIMEOUT:
        return by_code(r, "5.3.0", with_output(r,
            arena_fmt(a, "Command time limit exceeded: \"%.*s\"",
                      STR(command)), d->text));
    case HAND_NO_DIR:
        return by_code(r, "4.3.0", S("temporary failure"));
    default:                    /* it did not begin, or cannot be judged */
        return by_code(r, "4.3.0", with_output(r, S("temporary failure"),
                                               d->text));
    }
}

struct result_rcpt command_run(struct task *t, struct run *r,
                               const struct owner *owner,
                               const struct hand_work *w, struct body *body)
{
    struct hand_source source = body_source(body);
    struct hand_done done;
    struct hand *h;
    err e;

    if (hand_take(t, r->deliver, owner, &h))
        return run_no_hand(t, r);
    e = hand_do(t, h, w, &source, &r->memory, &done);
    hand_give(h);
    if (!e && done.end == HAND_NO_DIR)
        run_warn(t, r, done.text);
    return e ? run_no_hand(t, r) : command_verdict(r, &done, w->path);
}

/* --- splitting ------------------------------------------------------------ */

static bool needs_shell(str line)
{
    static const char plain[] = "1234567890!@%-_=+:,./ \t"
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    str word = str_head(line, str_any(line, S(" \t")));

    if (str_span(line, str_from(plain)) != STR_NONE)
        return true;
    /* a name without a path is the shell's to find: it may be built in */
    return str_chr(word, '/') == STR_NONE;
}

struct command_words command_split(str line, str shell, struct arena *a)
{
    vec_of(str) words = { 0 };
    str rest = str_trim(line), word;

    if (shell.n || needs_shell(rest)) {
        str with = shell.n ? shell : S("/bin/sh -c");
        while (str_token(&with, S(" \t"), &word))
            vec_push(a, &words, word);
        vec_push(a, &words, line);
    } else {
        while (str_token(&rest, S(" \t"), &word))
            vec_push(a, &words, word);
    }
    return (struct command_words){ words.p, (uint32_t)words.n };
}
