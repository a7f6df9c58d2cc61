/* SPDX-License-Identifier: ISC
 *
 * postqueue(1): what users may do with the queue.  mailq is its -p.
 */
#include "mail/host.h"
#include "role/tool/caller.h"
#include "role/tool/queue_rows.h"
#include "role/tool/queue_show.h"
#include "role/tool/queue_talk.h"
#include "table/table.h"

#include <sysexits.h>

struct postqueue {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    char mode;              /* one of "fijps", 0: none */
    const char *value;      /* of -i or -s */
    struct queue_show show;
};

static err put_row(struct task *t, void *self, const struct queue_row *row,
                   struct arena *scratch)
{
    struct postqueue *pq = self;
    struct buf b;

    buf_init(&b, scratch, 64 * 1024 * 1024);
    queue_show_row(&pq->show, row, world_zone_s(t, row->arrival_us), scratch,
                   &b);
    fwrite(b.p, 1, b.n, stdout);
    return ferror(stdout) ? why(t, ERR_IO, "write error") : OK;
}

/* Behind the list; with JSON, where it would be in the way, as warnings. */
static void put_damage(struct postqueue *pq, str lines)
{
    str one;

    while (str_cut(&lines, '\n', &one)) {
        if (str_empty(one))
            continue;
        if (pq->show.json)
            tool_warn(pq->args, "the queue's log is damaged: %.*s", STR(one));
        else
            printf("-- The queue's log is damaged: %.*s\n", STR(one));
    }
}

static int list(struct task *t, struct postqueue *pq)
{
    struct queue_damage damage = { .memory = &pq->arena };
    struct buf b;

    if (caller_allowed(t, pq->conf, P_authorized_mailq_users)) {
        tool_fatal(pq->args, "User %.*s is not allowed to view the mail "
                   "queue", STR(caller_name(&pq->arena)));
        return EX_NOPERM;
    }
    pq->show.json = pq->mode == 'j';
    pq->show.long_ids = conf_bool(pq->conf, P_enable_long_queue_ids);
    if (queue_rows_each(t, pq->args, pq->conf, put_row, pq,
                        &damage))
        return EX_UNAVAILABLE;
    buf_init(&b, &pq->arena, 256);
    queue_show_end(&pq->show, &b);
    if (b.n > 0) /* there is none in JSON */
        fwrite(b.p, 1, b.n, stdout);
    put_damage(pq, damage.lines);
    return fflush(stdout) ? EX_IOERR : EX_OK;
}

/* A domain or an address literal. */
static bool site_valid(str site)
{
    return str_starts(site, S("[")) ? host_literal(site, NULL)
                                    : host_valid(site, true);
}

/* What may be a queue id, and is one of nothing then. */
static bool is_word(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!is_alnum(text.p[i]) && text.p[i] != '_')
            return false;
    return text.n > 0;
}

static bool argument_valid(struct postqueue *pq)
{
    str value = str_from(pq->value);

    if (pq->mode == 'i' && !is_word(value)) {
        tool_fatal(pq->args, "Cannot flush queue ID - invalid name: \"%s\"",
                   pq->value);
        return false;
    }
    if (pq->mode == 's' && !site_valid(value)) {
        tool_fatal(pq->args, "Cannot flush mail queue - invalid "
                   "destination: \"%s\"", pq->value);
        return false;
    }
    return true;
}

/* fast_flush_domains says which sites may be flushed. */
static bool site_served(struct task *t, struct postqueue *pq)
{
    struct match_list *l;
    err e;

    e = match_list_open(t, tables_new(&pq->arena, pq->conf,
                                      table_opener_files()),
                        &pq->arena, conf_param(P_fast_flush_domains)->name,
                        conf_str(pq->conf, P_fast_flush_domains),
                        MATCH_DOMAIN, true, &l);
    if (!e)
        e = match_list_find(t, l, str_from(pq->value), S(""));
    if (e == ERR_ABSENT)
        tool_fatal(pq->args, "Flush service is not configured for "
                   "destination \"%s\"", pq->value);
    else if (e)
        tool_fatal(pq->args, "Cannot flush mail queue: %s", task_why(t));
    return !e;
}

static int flush(struct task *t, struct postqueue *pq)
{
    struct queue_talk q;
    uint32_t n;
    err e;

    if (!argument_valid(pq))
        return EX_UNAVAILABLE;
    if (caller_allowed(t, pq->conf, P_authorized_flush_users)) {
        tool_fatal(pq->args, "User %.*s is not allowed to flush the mail "
                   "queue", STR(caller_name(&pq->arena)));
        return EX_NOPERM;
    }
    if (pq->mode == 's' && !site_served(t, pq))
        return EX_UNAVAILABLE;
    if (queue_talk_open(t, pq->conf, &q)) {
        tool_warn(pq->args, "%s", task_why(t));
        tool_fatal(pq->args, "Cannot flush mail queue - mail system is down");
        return EX_UNAVAILABLE;
    }
    e = queue_talk_ask(t, &q, pq->mode, str_from(pq->value), NULL, NULL, &n);
    queue_talk_close(&q);
    if (e) {
        tool_fatal(pq->args, "Cannot flush mail queue: %s", task_why(t));
        return EX_UNAVAILABLE;
    }
    return EX_OK;
}

static int run(struct task *t, struct postqueue *pq)
{
    struct tool_options o = tool_options_of(pq->args, "c:fi:jps:v");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(pq->args, "postqueue", EX_UNAVAILABLE);
        if (letter == 'c') {
            dir = o.value;
        } else if (letter != 'v') {
            if (pq->mode)
                return tool_usage(pq->args, "postqueue", EX_UNAVAILABLE);
            pq->mode = (char)letter;
            pq->value = o.value;
        }
    }
    if (!pq->mode || o.at < pq->args->argc)
        return tool_usage(pq->args, "postqueue", EX_UNAVAILABLE);
    if (caller_conf(t, &pq->arena, pq->args, dir, &pq->conf))
        return EX_UNAVAILABLE;
    return pq->mode == 'p' || pq->mode == 'j' ? list(t, pq) : flush(t, pq);
}

int tool_postqueue(struct task *t, const struct tool_args *args)
{
    struct postqueue pq = { .args = args };
    int status;

    arena_init(&pq.arena, 0);
    status = run(t, &pq);
    arena_reset(&pq.arena);
    return status;
}
