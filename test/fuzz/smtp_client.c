/* SPDX-License-Identifier: ISC
 *
 * The SMTP and LMTP client before a server that says anything: the first byte
 * is the manner, the rest what the server writes, a byte 255 where it first
 * waits for something from us.  Whatever it says, a message counts as taken
 * only if its end had left before the answer to it came.  The clock is a
 * simulated one, so that no limit of time has to be waited for.
 */
#include "rt/sim.h"
#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 8192, LMTP = 1, TURNS = 2, PAUSE = 255 };

struct dialogue {
    str input;
    uint8_t kind;
    int theirs;
    struct sock *ours;
};

/* The server. */
static err speak(struct task *t, void *arg)
{
    struct dialogue *d = arg;
    str rest = d->input, words;
    char bytes[4096];
    struct sock *s;
    size_t n;
    err e = OK;

    TRY(sock_adopt(t, d->theirs, &s));
    while (!e && str_cut(&rest, (char)PAUSE, &words)) {
        e = sock_write_str(t, s, words, NEVER);
        if (!e && rest.n > 0)
            e = sock_read(t, s, bytes, sizeof(bytes), NEVER, &n);
    }
    sock_shutdown(s);
    while (!e)
        e = sock_read(t, s, bytes, sizeof(bytes), NEVER, &n);
    sock_close(s);
    return OK;
}

static err next(struct task *t, void *self, str *piece)
{
    int *n = self;

    (void)t;
    *piece = S("Subject: x\r\n\r\n.dot\r\n");
    return (*n)++ < 2 ? OK : ERR_END;
}

static err mail(struct task *t, struct smtp_peer *p, struct arena *a)
{
    struct recipient to[3] = { 0 };
    const struct recipient *list[] = { &to[0], &to[1], &to[2] };
    struct envelope e = { 0 };
    int n = 0;
    struct smtp_transaction x = {
        .envelope = &e, .rcpts = list, .n_rcpts = 3, .arena = a,
        .text = { &n, next },
    };
    bool taken = false;
    err got;

    for (size_t i = 0; i < 3; i++)
        to[i].address.text = S("a@b");
    smtp_send_envelope(p, &x);
    got = smtp_read_envelope(t, p, &x);
    if (!got)
        got = smtp_send_text(t, p, &x);
    if (!got)
        got = smtp_read_end(t, p, &x);
    for (size_t i = 0; i < 3; i++)
        taken |= x.ends[i].reply.code / 100 == 2;
    taken |= x.end.reply.code / 100 == 2;
    must(!taken || (x.is_ended && x.data.reply.code / 100 == 3));
    must(got != ERR_PEER || p->broken);
    return got;
}

static err client(struct task *t, struct dialogue *d, struct arena *a)
{
    struct smtp_peer p = {
        .conn = conn_new(a, d->ours), .memory = a, .helo = S("h"),
        .lmtp = d->kind & LMTP,
        .timeouts = { 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 },
        .manners = { .pipeline = !(d->kind & TURNS), .ehlo_always = true },
    };
    struct smtp_answer answer;

    TRY(smtp_read_greeting(t, &p, a, &answer));
    TRY(smtp_say_helo(t, &p, a, &answer));
    if (smtp_knows_auth(&p))
        TRY(smtp_say_auth(t, &p, S("u"), S("p"), a, &answer));
    for (int i = 0; i < 3 && smtp_is_quiet(&p); i++)
        TRY(mail(t, &p, a));
    smtp_quit(t, &p, true);
    return OK;
}

static err run(struct task *t, void *arg)
{
    struct dialogue *d = arg;
    struct task_group g;
    struct arena a;

    TRY(sock_pair(t, &d->ours, &d->theirs));
    group_open(t, &g);
    group_go(&g, "server", speak, d);
    arena_init(&a, 0);
    err_ignore(client(t, d, &a));       /* it may end in any way */
    arena_reset(&a);
    err_ignore(group_wait(t, &g, NEVER));
    group_close(t, &g);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_options o = { .seed = 1 };
    struct dialogue d = { 0 };

    if (size < 1 || size > INPUT_MAX)
        return 0;
    d.kind = data[0];
    d.input = str_of((const char *)data + 1, size - 1);
    must(sim_run(&o, run, &d, NULL) == OK);
    return 0;
}
