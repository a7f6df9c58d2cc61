/* SPDX-License-Identifier: ISC
 *
 * postkick(1): a wake-up for a service.  Only the services that take one do
 * anything: the queue manager flushes, pickup looks into maildrop; the others
 * look by themselves, so that being there is enough.
 */
#include "role/tool/caller.h"
#include "role/tool/queue_talk.h"

enum { CONNECT_S = 10 };

struct postkick {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    const char *class, *service, *request;
};

static int fail(struct postkick *pk)
{
    tool_warn(pk->args, "Cannot contact class %s service %s - perhaps the "
              "mail system is down", pk->class, pk->service);
    return 1;
}

static int kick_queue(struct task *t, struct postkick *pk)
{
    struct queue_talk q;
    uint32_t n;
    err e;

    if (queue_talk_open(t, pk->conf, &q)) {
        tool_warn(pk->args, "unable to look up public/qmgr: %s",
                  task_why(t));
        return fail(pk);
    }
    e = queue_talk_ask(t, &q, 'f', S(""), NULL, NULL, &n);
    queue_talk_close(&q);
    return e ? fail(pk) : 0;
}

static int kick_pickup(struct task *t, struct postkick *pk)
{
    const char *argv[] = { "pickup", "-c",
                           arena_cstr(&pk->arena, conf_dir(pk->conf)), NULL };

    return caller_run(t, pk->conf, tool_pickup, argv) ? 1 : 0;
}

static int kick_other(struct task *t, struct postkick *pk)
{
    struct endpoint at;
    struct sock *s;
    str path = arena_fmt(&pk->arena, "%s/%s", pk->class, pk->service);

    if (endpoint_unix(queue_path(pk->conf, &pk->arena, path), &at)
        || sock_connect(t, &at, NULL, after_s(t, CONNECT_S), &s)) {
        tool_warn(pk->args, "unable to look up %.*s: %s", STR(path),
                  task_why(t));
        return fail(pk);
    }
    sock_close(s);
    return 0;
}

static int run(struct task *t, struct postkick *pk)
{
    struct tool_options o = tool_options_of(pk->args, "c:v");
    const char *dir = NULL;
    bool good = true;
    int letter;

    while ((letter = tool_option(&o))) {
        good &= letter != '?';
        if (letter == 'c')
            dir = o.value;
    }
    if (!good || o.at + 3 != pk->args->argc)
        return tool_usage(pk->args, "postkick", 1);
    pk->class = pk->args->argv[o.at];
    pk->service = pk->args->argv[o.at + 1];
    pk->request = pk->args->argv[o.at + 2];
    if (tool_conf(t, &pk->arena, pk->args, dir, &pk->conf))
        return 1;
    if (str_eq(str_from(pk->class), S("public"))) {
        if (str_eq(str_from(pk->service), S("qmgr")))
            return kick_queue(t, pk);
        if (str_eq(str_from(pk->service), S("pickup")))
            return kick_pickup(t, pk);
    }
    return kick_other(t, pk);
}

int tool_postkick(struct task *t, const struct tool_args *args)
{
    struct postkick pk = { .args = args };
    int status;

    arena_init(&pk.arena, 0);
    status = run(t, &pk);
    arena_reset(&pk.arena);
    return status;
}
