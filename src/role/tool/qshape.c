/* SPDX-License-Identifier: ISC
 *
 * qshape(1): how old the mail in the queue is, and for whom.
 */
#include "role/tool/qshape_table.h"

#include "role/tool/queue_rows.h"

#include <stdio.h>

struct qshape_command {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    struct qshape_options o;
    struct qshape table;
    bool senders;           /* -s */
    vec_of(str) queues;
    int64_t now_us;
};

static int usage(const struct tool_args *args)
{
    fprintf(stderr, "Usage: %s %s\n", args->argv[0],
            tool_synopsis(S("qshape")));
    return 1;
}

static str domain_of(str address)
{
    size_t at = str_rchr(address, '@');

    return at == STR_NONE ? address : str_skip(address, at + 1);
}

static err on_row(struct task *t, void *self, const struct queue_row *row,
                  struct arena *scratch)
{
    struct qshape_command *q = self;
    int64_t age_s = (q->now_us - row->arrival_us) / 1000000;
    bool wanted = false;

    (void)t, (void)scratch;
    for (size_t i = 0; i < q->queues.n; i++)
        wanted |= str_eq(row->queue, q->queues.p[i]);
    if (!wanted)
        return OK;
    if (q->senders) {
        qshape_add(&q->table, domain_of(row->sender), age_s);
        return OK;
    }
    for (uint32_t i = 0; i < row->n_rcpts; i++)
        qshape_add(&q->table, domain_of(row->rcpts[i].address), age_s);
    return OK;
}

static bool take_number(const char *text, uint64_t max, uint32_t *out)
{
    uint64_t n;

    if (!str_uint(str_from(text), max, &n) || n == 0)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool take(struct qshape_command *q, int letter, const char *value)
{
    uint32_t unused;

    switch (letter) {
    case 's': q->senders = true; return true;
    case 'p': q->o.parents = true; return true;
    case 'l': q->o.linear = true; return true;
    case 'm': return take_number(value, 1000000, &q->o.subdomains_min);
    case 'b': return take_number(value, QSHAPE_BUCKETS_MAX,
                                 &q->o.n_buckets);
    case 't': return take_number(value, 1000000, &q->o.minutes);
    case 'w': return take_number(value, 10000, &q->o.width);
    case 'N':
    case 'n': return take_number(value, 1u << 30, &unused);
    default: return false;
    }
}

static int run(struct task *t, struct qshape_command *q)
{
    struct tool_options o = tool_options_of(q->args, "slpm:b:t:w:c:N:n:");
    const char *dir = NULL;
    struct buf b;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == 'c')
            dir = o.value;
        else if (!take(q, letter, o.value))
            return usage(q->args);
    }
    for (; o.at < q->args->argc; o.at++)
        vec_push(&q->arena, &q->queues, str_from(q->args->argv[o.at]));
    if (q->queues.n == 0) {
        vec_push(&q->arena, &q->queues, S("incoming"));
        vec_push(&q->arena, &q->queues, S("active"));
    }
    if (tool_conf(t, &q->arena, q->args, dir, &q->conf))
        return 1;
    q->now_us = rt_wall(t);
    qshape_init(&q->table, &q->o, &q->arena);
    if (queue_rows_each(t, q->args, q->conf, on_row, q, NULL)) {
        qshape_free(&q->table);
        return 1;
    }
    buf_init(&b, &q->arena, STR_NONE / 2);
    qshape_put(&q->table, &b);
    qshape_free(&q->table);
    fwrite(b.p, 1, b.n, stdout);
    return fflush(stdout) ? 1 : 0;
}

int tool_qshape(struct task *t, const struct tool_args *args)
{
    struct qshape_command q = {
        .args = args,
        .o = { .n_buckets = 10, .minutes = 5, .subdomains_min = 5,
               .width = 80 },
    };
    int status;

    arena_init(&q.arena, 0);
    status = run(t, &q);
    arena_reset(&q.arena);
    return status;
}
