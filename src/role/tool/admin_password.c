/* SPDX-License-Identifier: ISC
 *
 * New passwords: asking for them, judging them, hashing them.
 */
#include "role/tool/admin.h"

#include "auth/password.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { LEAST = 8, TRIES = 3, GENERATED = 16, CANCEL = 3 };

/* Words that everybody tries first, and what begins with them. */
static const str known[] = {
    S_INIT("password"), S_INIT("passw0rd"), S_INIT("12345678"),
    S_INIT("87654321"), S_INIT("qwertyui"), S_INIT("qwertz"),
    S_INIT("11111111"), S_INIT("00000000"), S_INIT("letmein"),
    S_INIT("changeme"), S_INIT("iloveyou"),
};

err admin_password_judge(struct task *t, str address, str password)
{
    size_t at = str_rchr(address, '@');
    uint32_t code;
    size_t n = 0;

    if (str_empty(password))
        return why(t, ERR_DENIED, "the password is empty");
    for (str rest = password; rest.n > 0; n++)
        utf8_next(&rest, &code);
    if (n < LEAST)
        return why(t, ERR_DENIED, "the password is too short: %d characters "
                   "are the least", LEAST);
    if (password.n > PASSWORD_MAX)
        return why(t, ERR_DENIED, "the password is longer than %d bytes",
                   PASSWORD_MAX);
    for (size_t i = 0; i < password.n; i++)
        if ((unsigned char)password.p[i] < ' ' || password.p[i] == 127)
            return why(t, ERR_DENIED, "the password holds a control "
                       "character");
    if (str_ieq(password, address)
        || str_ieq(password, str_head(address, at))
        || str_ieq(password, admin_domain_of(address)))
        return why(t, ERR_DENIED, "the password is part of the address");
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (str_istarts(password, known[i]) && n < known[i].n + 4)
            return why(t, ERR_DENIED, "the password is among the first "
                       "that anybody would try");
    return OK;
}

/* One line of standard input without its end; false at the end of it. */
static bool get_line(struct buf *line)
{
    int c;

    buf_clear(line);
    while ((c = getchar()) != EOF && c != '\n' && c != CANCEL)
        buf_byte(line, (char)c);
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return c == '\n' || (c == EOF && line->n > 0);
}

/* Asks once, without echo.  The terminal's interrupt key ends the line
 * instead of the program, so that the echo always comes back. */
static err ask(struct task *t, const char *prompt, struct buf *line)
{
    struct termios before, quiet;
    bool got;

    fflush(stdout);
    fprintf(stderr, "%s: ", prompt);
    if (tcgetattr(0, &before))
        return why(t, ERR_IO, "the terminal does not answer");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    quiet.c_cc[VEOL] = CANCEL;
    tcsetattr(0, TCSAFLUSH, &quiet);
    got = get_line(line);
    tcsetattr(0, TCSAFLUSH, &before);
    fprintf(stderr, "\n");
    return got ? OK : why(t, ERR_STOPPED, "no password given");
}

static err ask_twice(struct task *t, struct admin *ad, str address,
                     struct buf *line)
{
    struct buf again;

    if (!isatty(0))
        return why(t, ERR_DENIED, "standard input is not a terminal: say "
                   "--stdin to take the password from it");
    buf_init(&again, &ad->memory, PASSWORD_MAX + 1);
    for (int i = 0; i < TRIES; i++) {
        TRY(ask(t, "New password", line));
        if (admin_password_judge(t, address, buf_str(line))) {
            tool_warn(ad->args, "%s", task_why(t));
            continue;
        }
        TRY(ask(t, "Again", &again));
        if (str_eq(buf_str(line), buf_str(&again)))
            return OK;
        tool_warn(ad->args, "the two are not the same");
    }
    return why(t, ERR_DENIED, "no password set");
}

/* Letters that are not taken for one another. */
static str generate(struct task *t, struct arena *a)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz"
                                  "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    char text[GENERATED];

    for (int i = 0; i < GENERATED; i++)
        text[i] = letters[rt_random_below(t, sizeof(letters) - 1)];
    return arena_str(a, str_of(text, sizeof(text)));
}

/* Made elsewhere: by doveadm pw, or in the system that the user comes from. */
static err take_hash(struct task *t, struct admin *ad, str *stored)
{
    *stored = str_from(admin_value(ad, ADMIN_hash));
    if (!password_known(*stored))
        return why(t, ERR_SYNTAX, "--hash: not the stored form of a password "
                   "in a scheme that is known");
    return OK;
}

struct hashing {
    str password, salt;
    struct arena *a;
    str stored;
    err e;
};

static void hash(void *arg)
{
    struct hashing *h = arg;

    h->e = password_make(h->password, h->salt, h->a, &h->stored);
}

err admin_password(struct task *t, struct admin *ad, str address,
                   str *stored)
{
    struct hashing h = { .a = &ad->memory };
    char salt[PASSWORD_SALT_SIZE];
    struct buf line;

    if (ad->given[ADMIN_stdin] + ad->given[ADMIN_generate]
        + ad->given[ADMIN_hash] > 1)
        return why(t, ERR_SYNTAX, "--stdin, --generate and --hash exclude "
                   "each other");
    if (ad->given[ADMIN_hash])
        return take_hash(t, ad, stored);
    buf_init(&line, &ad->memory, PASSWORD_MAX + 1);
    if (ad->given[ADMIN_generate]) {
        buf_add(&line, generate(t, &ad->memory));
        printf("password: %.*s\n", STR(buf_str(&line)));
    } else if (ad->given[ADMIN_stdin]) {
        if (!get_line(&line))
            return why(t, ERR_DENIED, "the password is empty");
        TRY(admin_password_judge(t, address, buf_str(&line)));
    } else {
        TRY(ask_twice(t, ad, address, &line));
    }
    rt_random(t, salt, sizeof(salt));
    h.password = buf_str(&line);
    h.salt = str_of(salt, sizeof(salt));
    offload(t, hash, &h);
    if (h.e)
        return why(t, h.e, "the password cannot be hashed");
    *stored = h.stored;
    return OK;
}
