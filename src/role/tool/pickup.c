/* SPDX-License-Identifier: ISC
 *
 * veredus pickup: hands what lies in maildrop to the running system, oldest
 * first, and ends.  Master runs it at the start and every minute.
 *
 * P1  A file never stops the others: what is put off or refused is logged,
 *     and the next one is tried.  Only when nobody takes mail at all the rest
 *     waits for another time.
 * P2  Who dropped it was told that it is taken.  Mail that is refused now goes
 *     back to its sender as a report; what is no mail, or cannot even be
 *     reported, goes to corrupt/ with a line in the log.
 * P3  Nothing in corrupt/ is ever replaced: who owns a file may give its name
 *     to another.
 * P4  One of us works at a time: else mail would be submitted twice.
 */
#include "role/events.h"
#include "role/tool/drop.h"
#include "role/tool/foreign.h"
#include "role/tool/queue_talk.h"
#include "role/tool/submit.h"
#include "role/tool/tool.h"
#include "role/tool/tool_log.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, FOREIGN_ROOM = 16 * 1024 * 1024,
       FOREIGN_MAX = 256 * 1024 * 1024,
       BOUNCED_TEXT_MAX = 50000, NAMES_TRIED = 8, LOG_FD = 3, TURN_S = 300 };

struct pickup {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    struct dir *queue, *drops;
    uint64_t text_max;      /* message_size_limit */
    bool down;              /* nobody takes mail now: another time */
};

/* A file while it is handed over. */
struct picked {
    str name;
    struct arena *a;
    struct drop_file drop;
    char *piece;
    uint64_t at;            /* of the text, how much was given on */
    struct submit_mail mail;
};

static void warn(struct task *t, struct pickup *p, str name,
                 const char *reason, const char *then)
{
    str line = arena_fmt(&p->arena, "%.*s: %s: %s", STR(name), reason, then);

    tool_warn(p->args, "%.*s", STR(line));
    say(t, role_warn, arena_cstr(&p->arena, line));
}

/* P3 */
static err set_aside(struct task *t, struct pickup *p, str name)
{
    str to = arena_fmt(&p->arena, "corrupt/%.*s", STR(name));
    struct file_stat st;

    for (int i = 0; i < NAMES_TRIED; i++) {
        uint32_t chance;
        if (file_stat_path(t, p->queue, to, &st) == ERR_ABSENT)
            return file_rename(t, p->drops, name, p->queue, to);
        rt_random(t, &chance, sizeof(chance));
        to = arena_fmt(&p->arena, "corrupt/%.*s.%08x",
                       STR(str_head(name, 200)), chance);
    }
    return why(t, ERR_DENIED, "no name is left in corrupt");
}

static void put_away(struct task *t, struct pickup *p, str name,
                     const char *reason)
{
    const char *why_not = arena_cstr(&p->arena, str_from(reason));
    err e = set_aside(t, p, name);

    if (e == ERR_ABSENT)
        return; /* postsuper was here, or its owner */
    if (e && !dir_remove(t, p->drops, name)) /* others' do not move */
        warn(t, p, name, why_not, "removed");
    else
        warn(t, p, name, why_not, e ? task_why(t) : "moved to corrupt");
}

static err next_piece(struct task *t, void *self, str *piece)
{
    struct picked *x = self;
    uint64_t left = x->mail.source_size - x->at;
    size_t n = left < PIECE ? (size_t)left : PIECE, got;

    if (n == 0)
        return ERR_END;
    TRY(file_read(t, x->drop.file, x->drop.text_at + x->at, x->piece, n,
                  &got));
    if (got < n)
        return why(t, ERR_IO, "the file was cut short");
    x->at += n;
    *piece = str_of(x->piece, n);
    return OK;
}

static void finished(struct task *t, struct pickup *p, str name)
{
    err e = file_unlink(t, p->drops, name); /* D3 */

    if (e && e != ERR_ABSENT) /* it would be delivered again and again */
        put_away(t, p, name, task_why(t));
}

static void try_later(struct task *t, struct pickup *p,
                      const struct picked *x, const struct submit_result *r)
{
    const char *reason = r->reply.code
        ? arena_fmt(x->a, "%d %s %.*s", r->reply.code, r->reply.dsn,
                    STR(r->reply.text)).p
        : arena_cstr(x->a, r->reason);

    if (r->outcome == SUBMIT_DOWN || r->outcome == SUBMIT_DENIED)
        p->down = true;
    warn(t, p, x->name, reason, "tried again later");
}

/* P2: the same mail, for its sender to hear why. */
static void send_back(struct task *t, struct pickup *p, struct picked *x,
                      struct reply reply)
{
    struct submit_result r;
    str reason = arena_fmt(x->a, "%s %.*s", reply.dsn[0] ? reply.dsn : "5.0.0",
                           STR(reply.text));

    x->mail.bounce = reason;
    x->at = 0;
    if (x->mail.source_size > BOUNCED_TEXT_MAX)
        x->mail.source_size = BOUNCED_TEXT_MAX;
    x->mail.text = str_head(x->mail.text, BOUNCED_TEXT_MAX);
    submit(t, p->conf, &x->mail, x->a, &r);
    if (r.outcome == SUBMIT_TAKEN && r.refused.n == 0) {
        warn(t, p, x->name, arena_cstr(x->a, reason),
             "returned to its sender");
        finished(t, p, x->name);
    } else if (r.outcome == SUBMIT_REFUSED || r.outcome == SUBMIT_TAKEN) {
        put_away(t, p, x->name, arena_fmt(x->a, "refused: %.*s",
                                          STR(reason)).p);
    } else {
        try_later(t, p, x, &r);
    }
}

/* The others have it: what is left is for those that were refused. */
static void send_back_some(struct task *t, struct pickup *p,
                           struct picked *x, const struct submit_result *r)
{
    struct envelope env = *x->mail.envelope;

    env.recipients.p = NULL;
    env.recipients.n = env.recipients.cap = 0;
    for (size_t i = 0; i < r->refused.n; i++)
        vec_push(x->a, &env.recipients,
                 x->mail.envelope->recipients.p[r->refused.p[i]]);
    x->mail.envelope = &env;
    send_back(t, p, x, r->refused_with);
}

static void hand_over(struct task *t, struct pickup *p, struct picked *x)
{
    struct submit_result r;

    if (x->mail.uid == 0 || x->mail.uid == geteuid()) /* postsuper -r */
        x->mail.since_us = x->mail.envelope->arrival_us;

    submit(t, p->conf, &x->mail, x->a, &r);
    if (r.outcome == SUBMIT_REFUSED)
        send_back(t, p, x, r.reply);
    else if (r.outcome != SUBMIT_TAKEN)
        try_later(t, p, x, &r);
    else if (r.refused.n > 0)
        send_back_some(t, p, x, &r);
    else
        finished(t, p, x->name);
}

/* What a Postfix before us left: it is small, or not a message. */
static void try_foreign(struct task *t, struct pickup *p, struct picked *x)
{
    uint64_t max = p->text_max ? p->text_max + FOREIGN_ROOM : FOREIGN_MAX;
    struct foreign_mail m;
    str file;

    if (drop_open_any(t, p->drops, x->name, &x->drop.file, &x->drop.stat)) {
        put_away(t, p, x->name, task_why(t));
        return;
    }
    drop_close(&x->drop);
    if (x->drop.stat.size > max
        || file_load(t, p->drops, x->name, x->a, (size_t)max, &file)
        || foreign_read(file, x->a, &m) || m.envelope.recipients.n == 0) {
        put_away(t, p, x->name, "not a message");
        return;
    }
    x->mail.envelope = &m.envelope;
    x->mail.text = m.text;
    x->mail.uid = x->drop.stat.uid;
    hand_over(t, p, x);
}

static void one(struct task *t, struct pickup *p, str name)
{
    struct arena a;
    struct picked x = { .name = name, .a = &a, .mail.for_other = true };
    err e;

    arena_init(&a, 0);
    e = drop_open(t, p->drops, name, p->text_max, &a, &x.drop);
    if (!e || e == ERR_LIMIT) {
        x.piece = arena_alloc(&a, PIECE);
        x.mail.envelope = &x.drop.envelope;
        x.mail.source = (struct smtp_text){ &x, next_piece };
        x.mail.source_size = x.drop.text_size;
        x.mail.uid = x.drop.stat.uid; /* D2 */
    }
    if (e == ERR_LIMIT)
        send_back(t, p, &x, REPLY(552, "5.3.4", "message file too big"));
    else if (!e && drop_check(t, &x.drop))
        put_away(t, p, name, task_why(t));
    else if (!e)
        hand_over(t, p, &x);
    else if (e == ERR_CORRUPT)
        try_foreign(t, p, &x);
    else if (e != ERR_ABSENT)
        put_away(t, p, name, task_why(t));
    drop_close(&x.drop);
    arena_reset(&a);
}

struct dropped {
    str name;
    int64_t mtime_us;
};

static int by_age(const void *a, const void *b)
{
    const struct dropped *x = a, *y = b;

    if (x->mtime_us != y->mtime_us)
        return x->mtime_us < y->mtime_us ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static void hand_over_all(struct task *t, struct pickup *p,
                          const struct names *names)
{
    vec_of(struct dropped) list = { 0 };

    for (size_t i = 0; i < names->n; i++) {
        struct dropped d = { .name = names->p[i] };
        struct file_stat st;
        if (str_starts(d.name, DROP_TMP)) /* D1 */
            continue;
        if (!file_stat_path(t, p->drops, d.name, &st))
            d.mtime_us = st.mtime_us;
        vec_push(&p->arena, &list, d);
    }
    if (list.n > 0)
        qsort(list.p, list.n, sizeof(*list.p), by_age);
    for (size_t i = 0; i < list.n && !p->down; i++)
        one(t, p, list.p[i].name);
}

/* P4.  The lock file is the mail system's, whoever of us makes it. */
static err take_turn(struct task *t, struct pickup *p)
{
    struct file_stat st;
    struct file *f;

    TRY(file_stat_path(t, p->queue, S("private"), &st));
    TRY(file_open(t, p->queue, S("private/pickup.lock"),
                  FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f));
    arena_own(&p->arena, file_close_any, f);
    if (geteuid() == 0)
        TRY(file_owner_set(t, f, st.uid, st.gid));
    return file_lock(t, f, true, after_s(t, TURN_S));
}

static int all(struct task *t, struct pickup *p)
{
    struct names names;

    p->text_max = (uint64_t)conf_int(p->conf, P_message_size_limit);
    if (dir_open(t, NULL, conf_str(p->conf, P_queue_directory), &p->queue)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    arena_own(&p->arena, dir_close_any, p->queue);
    if (take_turn(t, p) || dir_open(t, p->queue, S("maildrop"), &p->drops)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    arena_own(&p->arena, dir_close_any, p->drops);
    if (dir_list(t, p->drops, &p->arena, &names)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    hand_over_all(t, p, &names);
    return p->down ? EX_TEMPFAIL : EX_OK;
}

static int run(struct task *t, struct pickup *p)
{
    struct tool_options o = tool_options_of(p->args, "c:lv");
    const char *dir = NULL;
    bool has_log = false;   /* from master */
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(p->args, "pickup", EX_USAGE);
        if (letter == 'c')
            dir = o.value;
        has_log |= letter == 'l';
    }
    if (tool_conf(t, &p->arena, p->args, dir, &p->conf))
        return EX_CONFIG;
    if (has_log)
        tool_log_adopt(t, p->conf, &p->arena, S("pickup"), LOG_FD);
    else
        tool_log_open(t, p->conf, &p->arena, S("pickup"));
    return all(t, p);
}

int tool_pickup(struct task *t, const struct tool_args *args)
{
    struct pickup p = { .args = args };
    int status;

    arena_init(&p.arena, 0);
    status = run(t, &p);
    arena_reset(&p.arena);
    return status;
}
