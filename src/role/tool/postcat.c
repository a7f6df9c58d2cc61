/* SPDX-License-Identifier: ISC
 *
 * postcat(1): shows messages of the queue, or files of maildrop.
 */
#include "role/tool/caller.h"
#include "role/tool/drop.h"
#include "role/tool/queue_file.h"
#include "role/tool/queue_rows.h"
#include "role/tool/queue_talk.h"

#include <errno.h>
#include <stdio.h>

enum { OFFSET_MAX = 0x7fffffff };

struct postcat {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    int show;
    bool queue;             /* -q */
    uint64_t from;          /* -s */
};

/* The message that is shown now. */
struct shown {
    struct postcat *pc;
    struct arena *a;
    str id;
    bool found;
    struct envelope envelope;
    str queue;
    bool *done;
    struct buf text;        /* on the heap */
};

static int fatal(struct postcat *pc, const char *fmt, const char *name)
    __attribute__((format(printf, 2, 0)));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int fatal(struct postcat *pc, const char *fmt, const char *name)
{
    tool_fatal(pc->args, fmt, name);
    return 1;
}
#pragma GCC diagnostic pop

static void print(struct task *t, struct shown *s, str name)
{
    struct queue_file f = { .name = name, .envelope = &s->envelope,
                            .done = s->done, .text = buf_str(&s->text) };
    struct buf b;

    buf_init(&b, NULL, STR_NONE / 2);
    queue_file_put(&f, s->pc->show, s->pc->from,
                   world_zone_s(t, s->envelope.arrival_us), &b);
    if (b.n > 0)
        fwrite(b.p, 1, b.n, stdout);
    buf_free(&b);
}

/* --- a running system ----------------------------------------------------- */

static err on_part(struct task *t, void *self, str part)
{
    struct shown *s = self;
    str body = str_skip(part, 1);

    if (str_empty(part))
        return why(t, ERR_PEER, "an empty row");
    if (part.p[0] == 'b') {
        buf_add(&s->text, body);
        return OK;
    }
    if (part.p[0] == 's')
        return OK;          /* the listing says it with the queue's name */
    s->found = true;
    if (envelope_unpack(arena_str(s->a, body), s->a, &s->envelope))
        return why(t, ERR_PEER, "an envelope that does not unpack");
    return OK;
}

/* Which queue it is in, and which recipients are done: those that the
 * listing does not have. */
static err on_row(struct task *t, void *self, str packed)
{
    struct shown *s = self;
    struct queue_row row;

    if (queue_row_unpack(packed, s->a, &row))
        return why(t, ERR_PEER, "a row that cannot be read");
    if (!str_eq(row.id, s->id))
        return OK;
    s->queue = arena_str(s->a, row.queue);
    s->done = arena_array(s->a, bool, s->envelope.recipients.n);
    for (size_t i = 0, at = 0; i < s->envelope.recipients.n; i++) {
        str text = s->envelope.recipients.p[i].address.text;
        s->done[i] = at == row.n_rcpts
                     || !str_eq(row.rcpts[at].address, text);
        at += !s->done[i];
    }
    return OK;
}

static err find_running(struct task *t, struct shown *s, struct queue_talk *q)
{
    uint32_t n;
    err e = queue_talk_ask(t, q, 'c', s->id, on_part, s, &n);

    if (!e && s->found)
        e = queue_talk_ask(t, q, 'l', S(""), on_row, s, &n);
    if (str_empty(s->queue))
        s->queue = S("active"); /* it went while we looked */
    queue_talk_close(q);
    return e;
}

/* --- a stopped system ----------------------------------------------------- */

static err read_extents(struct task *t, struct shown *s, struct spool *sp,
                        const struct spool_entry *entry)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    err e = OK;

    for (uint32_t i = 0; i < entry->n_extents && !e; i++) {
        const struct extent *x = &entry->extents[i];
        str bytes;
        e = spool_read(t, spool_segment_file(sp, x->segment), x, entry->id,
                       memory, &bytes);
        if (!e)
            buf_add(&s->text, bytes);
    }
    heap_free(memory);
    return e;
}

static err on_found(struct task *t, void *self, struct spool *sp,
                    const struct spool_found *f, const struct queue_state *q)
{
    struct shown *s = self;
    size_t n = q->envelope.recipients.n;

    if (!str_eq(queue_id_str(&q->id), s->id))
        return OK;
    s->found = true;
    envelope_copy(&q->envelope, s->a, &s->envelope);
    s->queue = queue_state_queue(q, rt_wall(t));
    s->done = arena_array(s->a, bool, n);
    for (size_t i = 0; i < n; i++)
        s->done[i] = q->rcpts[i].status == QUEUE_RCPT_DONE;
    TRY(read_extents(t, s, sp, f->entry));
    return ERR_END; /* no need to look further */
}

/* --- files ---------------------------------------------------------------- */

static err take_file(struct shown *s, str file)
{
    str text;

    TRY(drop_unpack(file, s->a, &s->envelope, &text));
    buf_add(&s->text, text);
    s->found = true;
    return OK;
}

static err find_drop(struct task *t, struct shown *s)
{
    str path = arena_fmt(s->a, "%.*s/%.*s",
                         STR(queue_path(s->pc->conf, s->a, S("maildrop"))),
                         STR(s->id)), file;
    int64_t limit = conf_int(s->pc->conf, P_message_size_limit);
    struct drop_file d;
    err e;

    /* its owner may have made it any size: its sizes must agree first */
    e = drop_open(t, NULL, path, (uint64_t)limit, s->a, &d);
    drop_close(&d);
    if (e || file_load(t, NULL, path, s->a, d.stat.size, &file))
        return OK; /* not there, not for us, or not a message */
    s->queue = S("maildrop");
    return take_file(s, file);
}

static err find(struct task *t, struct shown *s)
{
    struct queue_talk q;
    err e;

    if (!queue_id_valid(s->id))
        return OK;
    e = queue_talk_open(t, s->pc->conf, &q);
    if (e == ERR_DENIED)
        return e;
    e = e ? spool_list(t, s->pc->conf, on_found, s, NULL)
          : find_running(t, s, &q);
    if (e == ERR_END && s->found)
        e = OK;
    if (!e && !s->found)
        e = find_drop(t, s);
    return e;
}

static int show_queued(struct task *t, struct postcat *pc, const char *id)
{
    struct shown s = { .pc = pc, .a = &pc->arena, .id = str_from(id) };
    err e;

    buf_init(&s.text, NULL, STR_NONE / 2);
    e = find(t, &s);
    if (e)
        tool_fatal(pc->args, "open queue file %s: %s", id, task_why(t));
    else if (s.found)
        print(t, &s, arena_fmt(s.a, "%.*s/%.*s", STR(s.queue), STR(s.id)));
    else
        fatal(pc, "open queue file %s: No such file or directory", id);
    buf_free(&s.text);
    return !e && s.found ? 0 : 1;
}

/* The whole of standard input (path NULL) or of a file. */
static err read_whole(struct task *t, const char *path, struct buf *to)
{
    struct file *f = NULL;
    size_t n = 1;

    if (path)
        TRY(file_open(t, NULL, str_from(path), FILE_READ | FILE_FOLLOW, 0,
                      &f));
    while (n > 0) {
        char *room = buf_room(to, SPOOL_CHUNK_MAX);
        err e = OK;

        if (!f)
            n = fread(room, 1, SPOOL_CHUNK_MAX, stdin);
        else
            e = file_read(t, f, to->n, room, SPOOL_CHUNK_MAX, &n);
        if (e) {
            file_close(f);
            return e;
        }
        to->n += n;
    }
    file_close(f);
    return OK;
}

/* path NULL: standard input. */
static int show_file(struct task *t, struct postcat *pc, const char *path)
{
    struct shown s = { .pc = pc, .a = &pc->arena };
    struct buf file;

    buf_init(&file, s.a, STR_NONE / 2);
    buf_init(&s.text, NULL, STR_NONE / 2);
    if (read_whole(t, path, &file)) {
        tool_fatal(pc->args, "%s", task_why(t));
        return 1;
    }
    if (file.n == 0)
        return 0;
    if (take_file(&s, buf_str(&file)))
        tool_warn(pc->args, "%s: input is not a valid queue file",
                  path ? path : "stdin");
    else
        print(t, &s, path ? str_from(path) : S("stdin"));
    buf_free(&s.text);
    return s.found ? 0 : 1;
}

static int show_all(struct task *t, struct postcat *pc, int at)
{
    int status = 0;

    if (at == pc->args->argc)
        return pc->queue ? 0 : show_file(t, pc, NULL);
    for (; at < pc->args->argc && status == 0; at++)
        status = pc->queue ? show_queued(t, pc, pc->args->argv[at])
                           : show_file(t, pc, pc->args->argv[at]);
    return fflush(stdout) ? 1 : status;
}

static bool take(struct postcat *pc, int letter, const char *value)
{
    switch (letter) {
    case 'b': pc->show |= SHOW_BODY; break;
    case 'd': pc->show |= SHOW_TYPES; break;
    case 'e': pc->show |= SHOW_ENVELOPE; break;
    case 'h': pc->show |= SHOW_HEADER; break;
    case 'o': pc->show |= SHOW_OFFSETS; break;
    case 'v': pc->show |= SHOW_NAMES; break;
    case 'q': pc->queue = true; break;
    case 's': return str_uint(str_from(value), OFFSET_MAX, &pc->from);
    case '?': return false;
    default: break; /* -f, -n, -r: records stand in order anyway */
    }
    return true;
}

static int run(struct task *t, struct postcat *pc)
{
    struct tool_options o = tool_options_of(pc->args, "bc:defhnoqrs:v");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == 'c')
            dir = o.value;
        else if (!take(pc, letter, o.value))
            return tool_usage(pc->args, "postcat", 1);
    }
    if (!(pc->show & (SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY)))
        pc->show |= SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;
    if (tool_conf(t, &pc->arena, pc->args, dir, &pc->conf))
        return 1;
    return show_all(t, pc, o.at);
}

int tool_postcat(struct task *t, const struct tool_args *args)
{
    struct postcat pc = { .args = args };
    int status;

    arena_init(&pc.arena, 0);
    status = run(t, &pc);
    arena_reset(&pc.arena);
    return status;
}
