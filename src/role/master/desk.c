/* SPDX-License-Identifier: ISC
 *
 * The socket by which `postfix reload' asks and hears the outcome.  It lies
 * where only root may make files; only root, or who runs the system, is
 * listened to, and says one word.
 *
 *     -> reload
 *     <- warning: TEXT        any number of these
 *     <- error: TEXT
 *     <- in force             or "refused", then the end
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/places.h"

#include <unistd.h>

enum { WORD_S = 5, TELL_S = 10, REPORT_MAX = 256 * 1024, BACKLOG = 8,
       PAUSE_MS = 100 };

err desk_open(struct task *t, struct master *m, struct sock **out)
{
    struct endpoint at;
    struct arena a;
    err e;
    int fd;

    arena_init(&a, 0);
    e = endpoint_unix(place_command(m->now->conf, &a), &at);
    if (!e)
        e = sock_listen_fd(t, &at, BACKLOG, 0600, &fd);
    if (!e)
        e = sock_adopt(t, fd, out);
    if (e)
        e = why(t, e, "%.*s: %s", STR(place_command(m->now->conf, &a)),
                arena_cstr(&a, str_from(task_why(t))));
    arena_reset(&a);
    return e;
}

static err read_word(struct task *t, struct sock *s)
{
    static const char word[] = "reload\n";
    char text[sizeof(word)];
    when until = after_s(t, WORD_S);
    size_t n = 0, more;

    while (n < sizeof(word) - 1) {
        TRY(sock_read(t, s, text + n, sizeof(word) - 1 - n, until, &more));
        n += more;
    }
    return str_eq(str_of(text, n), str_from(word)) ? OK : ERR_PEER;
}

static err serve(struct task *t, struct master *m, struct sock *s)
{
    uint32_t uid = 0;
    struct buf out;
    err e;

    if (sock_peer_uid(s, &uid) || (uid != 0 && uid != geteuid()))
        return ERR_DENIED;
    TRY(read_word(t, s));
    buf_init(&out, NULL, REPORT_MAX);
    e = master_reload(t, m, &out);
    if (e != ERR_STOPPED) {
        err told = sock_write_str(t, s, buf_str(&out), after_s(t, TELL_S));
        if (!told)
            told = sock_write_str(t, s, e ? S("refused\n") : S("in force\n"),
                                  after_s(t, TELL_S));
        e = told;
    }
    buf_free(&out);
    return e;
}

err desk_run(struct task *t, void *arg)
{
    struct desk *d = arg;

    for (;;) {
        struct endpoint peer;
        struct sock *s;
        err e = sock_accept(t, d->listener, NEVER, &s, &peer);
        if (e == ERR_STOPPED)
            return e;
        if (e) {
            TRY(task_sleep(t, after_ms(t, PAUSE_MS)));
            continue;
        }
        e = serve(t, d->m, s); /* who went away hears nothing */
        sock_close(s);
        if (e == ERR_STOPPED)
            return e;
    }
}
