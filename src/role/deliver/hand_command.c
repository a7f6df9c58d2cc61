/* SPDX-License-Identifier: ISC
 *
 * A hand runs a command: the message on its standard input, what it says on
 * both outputs kept up to OUTPUT_MAX bytes, its exit status told.  The
 * command has a session of its own; when its time is up, or the message
 * cannot be finished, the whole session's group is killed.
 *
 * A command that ends without having read everything is judged by its exit
 * status alone.
 */
#include "role/deliver/piece.h"

#include <fcntl.h>
#include <paths.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 2048, LINGER_MS = 500 };

struct running {
    struct piece *piece;
    struct process process;
    struct sock *in, *out;      /* our ends */
    struct buf said;
    bool dropped;
};

static err feed(struct task *t, void *arg)
{
    struct running *r = arg;
    str bytes;
    err e;

    while (!(e = piece_next(t, r->piece, &bytes)))
        if (sock_write_str(t, r->in, bytes, NEVER))
            return OK;          /* it reads no more */
    if (e == ERR_PEER) {
        r->dropped = true;
        kill(-r->process.pid, SIGKILL);
    }
    sock_close(r->in);
    r->in = NULL;
    return OK;
}

static err listen_to(struct task *t, void *arg)
{
    struct running *r = arg;
    char part[512];
    size_t n;

    while (!sock_read(t, r->out, part, sizeof(part), NEVER, &n))
        buf_add(&r->said, str_head(str_of(part, n),
                                   OUTPUT_MAX - r->said.n));
    return OK;
}

/* --- starting it ---------------------------------------------------------- */

/* The program's file: a name without a slash is looked for where the system
 * keeps its programs. */
static str find_program(struct task *t, struct arena *a, str name)
{
    str path = S(_PATH_DEFPATH), part;
    struct file_stat st;

    if (str_chr(name, '/') != STR_NONE)
        return name;
    while (str_cut(&path, ':', &part)) {
        str file = arena_fmt(a, "%.*s/%.*s", STR(part), STR(name));
        if (!file_stat_path(t, NULL, file, &st) && st.is_regular
            && (st.mode & 0111))
            return file;
    }
    return name;
}

static const char *const *strings(struct arena *a, const str *list,
                                  uint32_t n)
{
    const char **out = arena_array(a, const char *, (size_t)n + 1);

    for (uint32_t i = 0; i < n; i++)
        out[i] = arena_cstr(a, list[i]);
    return out;
}

static err pipe_pair(struct task *t, int fds[2])
{
    return pipe2(fds, O_CLOEXEC) ? why(t, ERR_LIMIT, "no more pipes") : OK;
}

static err execute(struct task *t, struct piece *p, struct running *r,
                   int in, int out)
{
    struct arena *a = &p->memory;
    int fds[3] = { in, out, out };
    const char *const *argv = strings(a, p->work.argv, p->work.n_argv);
    struct process_plan plan = {
        .argv = argv,
        .env = strings(a, p->work.env, p->work.n_env),
        .fds = fds,
        .n_fds = 3,
        .dir = p->work.dir.n ? arena_cstr(a, p->work.dir) : "/",
        .new_session = true,
        .file_size_max = p->work.size_max,
    };

    ((const char **)(uintptr_t)argv)[0] =
        arena_cstr(a, find_program(t, a, p->work.argv[0]));
    return process_start(t, &plan, &r->process);
}

static err start(struct task *t, struct piece *p, struct running *r)
{
    int in[2], out[2];
    err e;

    TRY(pipe_pair(t, in));
    e = pipe_pair(t, out);
    if (e) {
        fd_close(in[0]);
        fd_close(in[1]);
        return e;
    }
    e = execute(t, p, r, in[0], out[1]);
    fd_close(in[0]);
    fd_close(out[1]);
    if (!e)
        e = sock_adopt(t, in[1], &r->in);
    if (!e)
        e = sock_adopt(t, out[0], &r->out);
    if (e) {
        fd_close(in[1]);
        fd_close(out[0]);
    }
    return e;
}

/* --- judging it ----------------------------------------------------------- */

static str output_of(struct running *r, struct arena *a)
{
    struct buf b;

    buf_init(&b, a, OUTPUT_MAX * 2);
    for (size_t i = 0; i < r->said.n; i++) {
        unsigned char c = (unsigned char)r->said.p[i];
        buf_byte(&b, c == '\n' || c == '\t' ? ' ' : c < 32 || c == 127
                         ? '_' : (char)c);
    }
    return str_trim(buf_str(&b));
}

static void judge(struct running *r, int status, err e,
                  struct hand_done *done)
{
    done->text = output_of(r, &r->piece->memory);
    if (e == ERR_LATE) {
        done->end = HAND_TIMEOUT;
    } else if (r->dropped || e) {
        done->end = HAND_LATER;
        done->text = S("the message could not be read");
    } else if (WIFSIGNALED(status)) {
        done->end = HAND_KILLED;
        done->status = (uint32_t)WTERMSIG(status);
    } else {
        done->end = WEXITSTATUS(status) ? HAND_EXITED : HAND_SENT;
        done->status = (uint32_t)WEXITSTATUS(status);
    }
}

static void attend(struct task *t, struct piece *p, struct running *r,
                   struct hand_done *done)
{
    struct task_group feeder, listener;
    int status = 0, late_status;
    err e;

    group_open(t, &feeder);
    group_open(t, &listener);
    group_go(&listener, "output", listen_to, r);
    group_go(&feeder, "input", feed, r);
    e = process_wait(t, &r->process, after_s(t, p->work.time_limit_s),
                     &status);
    if (e) {                    /* its time is up */
        kill(-r->process.pid, SIGKILL);
        err_ignore(process_wait(t, &r->process, NEVER, &late_status));
    }
    group_close(t, &feeder);
    /* what it left running may hold its output open */
    err_ignore(group_wait(t, &listener, after_ms(t, LINGER_MS)));
    group_close(t, &listener);
    judge(r, status, e, done);
}

void piece_command(struct task *t, struct piece *p, struct hand_done *done)
{
    struct running r = { .piece = p };
    struct file_stat st;

    if (p->work.n_argv == 0) {
        *done = (struct hand_done){ .end = HAND_NO_EXEC,
                                    .text = S("empty command") };
        return;
    }
    if (p->work.dir.n && (file_stat_path(t, NULL, p->work.dir, &st)
                          || !st.is_dir)) {
        *done = (struct hand_done){
            .end = HAND_NO_DIR,
            .text = arena_fmt(&p->memory, "cannot change directory to "
                              "\"%.*s\"", STR(p->work.dir)) };
        return;
    }
    if (start(t, p, &r)) {
        *done = piece_failed(t, p, HAND_NO_EXEC);
        return;
    }
    buf_init(&r.said, &p->memory, OUTPUT_MAX);
    attend(t, p, &r, done);
    sock_close(r.in);
    sock_close(r.out);
}
