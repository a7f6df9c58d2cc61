/* SPDX-License-Identifier: ISC
 *
 * Whole dialogues over a socket and a small mailbox: the first byte says
 * which, the rest is what the client sends before it leaves.  IMAP before and
 * after login (SEARCH, FETCH and the rest run over real messages), and POP3
 * from its greeting on.
 */
#include "auth/sasl.h"
#include "imap/imap.h"
#include "imap/login.h"
#include "rt/world.h"
#include "store/deliver.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX = 8192 };

struct dialogue {
    str input;
    uint8_t kind;
    int theirs;
    struct sock *ours;
};

static const char *const mails[] = {
    "Subject: one\nFrom: a@b.c\nTo: d@e.f\nDate: Mon, 1 Jan 2024 00:00:00 "
    "+0000\n\nbody\n",
    "Subject: =?utf-8?q?=C3=84?=\nContent-Type: multipart/mixed; boundary=b"
    "\n\n--b\n\ntext\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n"
    "--b\nContent-Type: a/b\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--"
    "\n",
    "no header here\n\n.\n..\nlast without end",
};

static str root_of(char room[64])
{
    snprintf(room, 64, "/tmp/veredus-fuzz-%d", (int)getpid());
    return str_from(room);
}

static int drop(const char *path, const struct stat *st, int kind,
                struct FTW *f)
{
    (void)st;
    (void)kind;
    (void)f;
    return remove(path);
}

static void clean(void)
{
    char room[64];

    nftw(root_of(room).p, drop, 16, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return atexit(clean);
}

static err check(struct task *t, struct login *l, str user, str secret,
                 str *name)
{
    (void)t;
    if (!str_eq(user, secret))
        return ERR_DENIED;
    *name = arena_str(l->memory, user);
    return OK;
}

static err sasl(struct task *t, struct login *l, str mech, const str *initial,
                str *name)
{
    enum sasl_mech m = sasl_find(mech, 0);
    struct sasl s;
    str challenge, line;
    enum sasl_step step;

    if (m == SASL_NONE)
        return ERR_ABSENT;
    step = sasl_begin_base64(&s, m, &l->scratch, initial, &challenge);
    while (step == SASL_MORE) {
        TRY(login_challenge(t, l, challenge, &line));
        step = sasl_answer_base64(&s, line, &challenge);
    }
    return step == SASL_BAD ? ERR_SYNTAX
                            : check(t, l, s.user, s.secret, name);
}

static err fill(struct task *t, struct arena *a, str root)
{
    struct delivery_options o = { .host = S("h") };

    for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
        struct delivery *d;
        TRY(maildir_deliver(t, a, NULL, root, &o, &d));
        TRY(delivery_write(t, d, str_from(mails[i])));
        TRY(delivery_finish(t, d));
    }
    return OK;
}

static err read_mail(struct task *t, struct dialogue *d, struct arena *a,
                     struct conn *c, struct login *l)
{
    char room[64];
    struct store_options so = { .host = S("h"), .user = S("u") };
    struct reading_options o = { .tag = l->tag, .user = S("u"),
                                 .product = S("V"), .version = S("0"),
                                 .idle_s = 2, .message_max = 4096 };
    struct box_status status;
    struct store *st;

    so.location = arena_cat(a, S("maildir:"), root_of(room));
    TRY(store_open(t, a, &so, &st));
    TRY(store_status(t, st, S("INBOX"), false, &status));
    if (status.messages < 3)
        TRY(fill(t, a, root_of(room)));
    return d->kind % 3 == 1 ? pop3_session(t, c, st, &o)
                            : imap_session(t, c, st, &o);
}

static err serve(struct task *t, struct dialogue *d, struct arena *a)
{
    struct door door = { .check = check, .sasl = sasl,
                         .mechanisms = S("PLAIN LOGIN"),
                         .plaintext_allowed = true };
    struct conn *c = conn_new(a, d->ours);
    struct login l = { .door = &door, .conn = c, .memory = a,
                       .product = S("V"), .version = S("0"), .idle_s = 2,
                       .failures_max = 3, .tag = S("") };

    if (d->kind % 3 == 1)
        TRY(pop3_greet(t, &l, false));
    else if (d->kind % 3 == 2)
        TRY(imap_greet(t, &l, false));
    return read_mail(t, d, a, c, &l);
}

/* The client: what it sends is in the socket, what it hears is thrown away. */
static err hear(struct task *t, void *arg)
{
    struct dialogue *d = arg;
    struct sock *s;
    char bytes[4096];
    size_t n;
    err e;

    TRY(sock_adopt(t, d->theirs, &s));
    do
        e = sock_read(t, s, bytes, sizeof(bytes), NEVER, &n);
    while (!e);
    sock_close(s);
    return OK;
}

static err run(struct task *t, void *arg)
{
    struct dialogue *d = arg;
    struct task_group g;
    struct arena a;

    TRY(sock_pair(t, &d->ours, &d->theirs));
    if (send(d->theirs, d->input.p, d->input.n, 0) < 0 && d->input.n)
        abort();
    shutdown(d->theirs, SHUT_WR);
    group_open(t, &g);
    group_go(&g, "hear", hear, d);
    arena_init(&a, 0);
    err_ignore(serve(t, d, &a));        /* it may end in any way */
    arena_reset(&a);
    err_ignore(group_wait(t, &g, NEVER));
    group_close(t, &g);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialogue d = { 0 };

    if (size < 1 || size > INPUT_MAX)
        return 0;
    d.kind = data[0];
    d.input = str_of((const char *)data + 1, size - 1);
    must(world_run("fuzz", run, &d) == OK);
    return 0;
}
