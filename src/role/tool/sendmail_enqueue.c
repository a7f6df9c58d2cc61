/* SPDX-License-Identifier: ISC
 *
 * Taking one message from standard input.  All of it is read before anybody
 * is spoken to, so that a slow writer holds no connection, and so that the
 * message is still whole when the system turns out to be down: then it goes
 * into maildrop.
 */
#include "role/tool/sendmail.h"

#include "mail/member.h"
#include "role/tool/caller.h"
#include "role/tool/drop.h"
#include "role/tool/submit.h"

#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

struct job {
    struct sendmail *sm;
    struct arena *a;
    str who;                /* the sender as given, or the login name */
    struct envelope env;
    struct buf raw, text;   /* on the heap */
};

static int fatal(struct job *j, int status, const char *what)
{
    tool_fatal(j->sm->args, "%.*s(%ld): %s", STR(j->who), (long)getuid(),
               what);
    return status;
}

/* What is no address is queued too, and bounces: the others get theirs. */
static void add_recipient(struct job *j, str text)
{
    struct member m = { .text = text };
    struct recipient r = { .notify = j->sm->notify, .original = text };

    if (text.n == 0)
        m.text = conf_str(j->sm->conf, P_empty_address_recipient);
    if (member_address(&m, j->a, &r.address) || address_is_null(&r.address))
        r.address = member_unusable(text, j->a);
    if (!str_is_ascii(r.address.text))
        j->env.flags |= ENVELOPE_SMTPUTF8;
    vec_push(j->a, &j->env.recipients, r);
}

/* An argument is a list as a To: field would have it. */
static void take_argument(struct job *j, str arg)
{
    struct members m = { 0 };

    members_read(arg, j->a, &m);
    if (arg.n == 0)
        add_recipient(j, arg);
    for (size_t i = 0; i < m.list.n; i++)
        if (!m.list.p[i].null)
            add_recipient(j, m.list.p[i].text);
}

/* The first of them, should it be a list. */
static void take_sender(struct job *j)
{
    struct sendmail *sm = j->sm;
    str text = sm->sender ? str_from(sm->sender) : j->who;
    struct members m = { 0 };

    j->env.sender = ADDRESS_NULL;
    members_read(text, j->a, &m);
    if (m.list.n == 0 || m.list.p[0].null)
        return;
    if (member_address(&m.list.p[0], j->a, &j->env.sender)
        || m.list.n > 1)
        tool_warn(sm->args, "-f option specified malformed sender: %.*s",
                  STR(text));
    if (!str_is_ascii(j->env.sender.text))
        j->env.flags |= ENVELOPE_SMTPUTF8;
}

static bool is_dot(const struct job *j, size_t from)
{
    str line = str_skip(buf_str(&j->raw), from);

    if (str_eq(line, S(".\n")))
        return true;
    return str_eq(line, S(".\r\n"))
           && mail_text_strips(buf_str(&j->raw), j->sm->text.fix);
}

/* Reads to the end, or to the line with a single dot: somebody may be typing
 * and leave it at that. */
static bool read_input(struct job *j)
{
    bool dots = !j->sm->text.keep_dots;
    size_t line = 0;        /* where the line begins */
    int c;

    while ((c = getc_unlocked(stdin)) != EOF) {
        buf_byte(&j->raw, (char)c);
        if (c != '\n')
            continue;
        if (dots && is_dot(j, line))
            break;
        line = j->raw.n;
    }
    return !ferror(stdin) && !j->raw.over;
}

static void set_line_ends(struct sendmail *sm)
{
    str fix = conf_str(sm->conf, P_sendmail_fix_line_endings);

    sm->text.fix = str_ieq(fix, S("never")) ? FIX_NEVER
                 : str_ieq(fix, S("strict")) ? FIX_STRICT : FIX_ALWAYS;
}

static void make_text(struct job *j, struct mail_text *made)
{
    struct sendmail *sm = j->sm;
    bool obsolete = str_ieq(conf_str(sm->conf, P_header_from_format),
                            S("obsolete"));
    const char *name = sm->full_name ? sm->full_name : sm->args->full_name;

    if (!sm->gateway)
        sm->text.from = mail_text_from(
            name ? str_from(name) : caller_full_name(j->a),
            address_external(&j->env.sender, j->a), obsolete, j->a);
    mail_text_make(buf_str(&j->raw), &sm->text, j->a, &j->text, made);
}

/* Through the helper that may write into maildrop; -1: there is none. */
static int help_aside(struct task *t, struct job *j, str file)
{
    const char *argv[] = { "postdrop", "-r", "-c",
                           arena_cstr(j->a, conf_dir(j->sm->conf)), NULL };
    FILE *f = tmpfile();
    int status = EX_TEMPFAIL;

    if (f && fwrite(file.p, 1, file.n, f) == file.n && !fflush(f)) {
        rewind(f);
        status = caller_helper(t, argv, fileno(f));
        if (status > 0)
            status = EX_TEMPFAIL;
    } else {
        fatal(j, status, strerror(errno));
    }
    if (f)
        fclose(f);
    return status;
}

static int put_aside(struct task *t, struct job *j)
{
    struct buf file;
    str name;
    int status;

    buf_init(&file, NULL, STR_NONE / 2);
    drop_pack(&j->env, buf_str(&j->text), &file);
    status = help_aside(t, j, buf_str(&file));
    if (status < 0) {
        status = EX_OK;
        if (drop_write(t, j->sm->conf, buf_str(&file), j->a, &name)) {
            tool_warn(j->sm->args, "maildrop: %s", task_why(t));
            status = fatal(j, EX_TEMPFAIL,
                           "the message could not be queued");
        }
    }
    buf_free(&file);
    return status;
}

static int outcome(struct task *t, struct job *j,
                   const struct submit_result *r)
{
    switch (r->outcome) {
    case SUBMIT_TAKEN:
        for (size_t i = 0; i < r->refused.n; i++)
            tool_warn(j->sm->args, "recipient refused: %.*s",
                      STR(j->env.recipients.p[r->refused.p[i]].address.text));
        return r->refused.n ? EX_DATAERR : EX_OK;
    case SUBMIT_REFUSED:
        return fatal(j, EX_UNAVAILABLE,
                     r->reply.code == 552
                         ? "message file too big"
                         : arena_fmt(j->a, "%d %s %.*s", r->reply.code,
                                     r->reply.dsn, STR(r->reply.text)).p);
    default:
        return put_aside(t, j);
    }
}

static int send_it(struct task *t, struct job *j)
{
    struct submit_mail m = { .envelope = &j->env,
                             .text = buf_str(&j->text) };
    struct submit_result r;
    int status;

    submit(t, j->sm->conf, &m, j->a, &r);
    status = outcome(t, j, &r);
    if (status == EX_OK && j->sm->report) {
        printf("Mail Delivery Status Report will be mailed to <%.*s>.\n",
               STR(j->env.sender.text));
        fflush(stdout);
    }
    return status;
}

static int build_and_send(struct task *t, struct job *j)
{
    struct sendmail *sm = j->sm;
    uint64_t limit = (uint64_t)conf_int(sm->conf, P_message_size_limit);
    struct mail_text made;

    set_line_ends(sm);
    if (!read_input(j))
        return fatal(j, EX_TEMPFAIL, j->raw.over ? "message file too big"
                                                 : strerror(errno));
    make_text(j, &made);
    if (j->text.over || (limit && j->text.n > limit))
        return fatal(j, EX_UNAVAILABLE, "message file too big");
    for (size_t i = 0; i < made.recipients.n; i++)
        add_recipient(j, made.recipients.p[i]);
    if (j->env.recipients.n == 0)
        return fatal(j, EX_TEMPFAIL,
                     "No recipient addresses found in message header");
    j->env.size = j->text.n;
    if (made.eightbit || sm->body == BODY_8BITMIME)
        j->env.flags |= ENVELOPE_8BIT;
    return send_it(t, j);
}

static void envelope_start(struct task *t, struct job *j)
{
    struct sendmail *sm = j->sm;

    if (sm->report && !sm->notify)
        sm->notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
    j->env = (struct envelope){
        .arrival_us = rt_wall(t),
        .flags = ENVELOPE_LOCAL | (sm->gateway ? ENVELOPE_NO_REWRITE : 0),
        .ret = sm->ret,
        .envid = str_from(sm->envid),
    };
    take_sender(j);
}

static int enqueue(struct task *t, struct job *j)
{
    struct sendmail *sm = j->sm;

    j->who = caller_name(j->a);
    if (str_empty(j->who)) {
        tool_fatal(sm->args, "unable to find userid %ld in the user "
                   "database", (long)getuid());
        return EX_OSERR;
    }
    if (caller_allowed(t, sm->conf, P_authorized_submit_users)) {
        tool_fatal(sm->args, "User %.*s(%ld) is not allowed to submit mail",
                   STR(j->who), (long)getuid());
        return EX_NOPERM;
    }
    envelope_start(t, j);
    if (sm->sender)
        j->who = str_from(sm->sender);
    for (int i = sm->rest; i < sm->args->argc; i++)
        take_argument(j, str_from(sm->args->argv[i]));
    if (j->env.recipients.n == 0 && !sm->text.take_recipients)
        return fatal(j, EX_TEMPFAIL, "Recipient addresses must be specified "
                     "on the command line or via the -t option");
    return build_and_send(t, j);
}

int sendmail_enqueue(struct task *t, struct sendmail *sm)
{
    struct job j = { .sm = sm, .a = &sm->arena };
    int status;

    buf_init(&j.raw, NULL, STR_NONE / 2);
    buf_init(&j.text, NULL, STR_NONE / 2);
    status = enqueue(t, &j);
    buf_free(&j.raw);
    buf_free(&j.text);
    return status;
}
