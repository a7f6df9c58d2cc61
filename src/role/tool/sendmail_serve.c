/* SPDX-License-Identifier: ISC
 *
 * sendmail -bs: a program speaks SMTP on our standard input and output; the
 * server behind public/pickup answers.
 */
#include "role/tool/sendmail.h"

#include "role/tool/submit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE = 16 * 1024, IDLE_S = 3600 };

struct way {
    struct sock *from, *to;
};

static err copy(struct task *t, void *arg)
{
    struct way *w = arg;
    char piece[PIECE];
    size_t n;

    for (;;) {
        err e = sock_read(t, w->from, piece, sizeof(piece),
                          after_s(t, IDLE_S), &n);
        if (e == ERR_END) {
            sock_shutdown(w->to);
            return OK;
        }
        TRY(e);
        TRY(sock_write_str(t, w->to, str_of(piece, n), after_s(t, IDLE_S)));
    }
}

/* A regular file, which cannot be waited for: all of it at once. */
static err copy_file(struct task *t, struct sock *to)
{
    char piece[PIECE];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
        TRY(sock_write_str(t, to, str_of(piece, n), after_s(t, IDLE_S)));
    sock_shutdown(to);
    return OK;
}

static err put_out(struct task *t, struct sock *from)
{
    char piece[PIECE];
    size_t n;
    err e;

    while (!(e = sock_read(t, from, piece, sizeof(piece), after_s(t, IDLE_S),
                           &n)))
        if (fwrite(piece, 1, n, stdout) != n || fflush(stdout))
            return why(t, ERR_IO, "write error");
    return e == ERR_END ? OK : e;
}

static bool can_wait_for(int fd)
{
    struct stat st;

    return !fstat(fd, &st) && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)
                               || isatty(fd));
}

static err converse(struct task *t, struct sock *server)
{
    struct way in = { .to = server };
    struct task_group g;
    int flags = fcntl(0, F_GETFL);
    int fd;
    err e;

    if (!can_wait_for(0)) {
        TRY(copy_file(t, server));
        return put_out(t, server);
    }
    fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return why(t, ERR_LIMIT, "too many open files");
    TRY(sock_adopt(t, fd, &in.from));
    group_open(t, &g);
    group_go(&g, "input", copy, &in);
    e = put_out(t, server);
    group_close(t, &g);
    sock_close(in.from);
    fcntl(0, F_SETFL, flags); /* others may have the same file open */
    return e;
}

int sendmail_serve(struct task *t, struct sendmail *sm)
{
    struct sock *server;
    err e;

    if (submit_connect(t, sm->conf, &server)) {
        tool_fatal(sm->args, "%s -- the mail system is down", task_why(t));
        return EX_TEMPFAIL;
    }
    e = converse(t, server);
    sock_close(server);
    if (e)
        tool_fatal(sm->args, "%s", task_why(t));
    return e ? EX_TEMPFAIL : EX_OK;
}
