/* SPDX-License-Identifier: ISC
 *
 * POP3 after login (RFC 1939, 2449): a snapshot of INBOX, numbered once.
 * Messages marked with DELE go at QUIT and not before; a message that foreign
 * hands removed answers "-ERR" and is no error at QUIT.
 *
 * The unique id of a message is its UID and the mailbox's UIDVALIDITY in
 * hexadecimal, as Dovecot's default %08Xu%08Xv has it, so that clients fetch
 * nothing twice after a move.
 */
#include "imap/imap.h"

#include "mail/mime.h"

enum { LINE_LEN_MAX = 512, PIECE = 16 * 1024, BAD_MAX = 20, DOZE_S = 5 };

struct pop3 {
    struct conn *conn;
    const struct reading_options *o;
    struct view *view;
    struct arena scratch;
    bool *deleted;              /* heap: by sequence number - 1 */
    uint32_t n, n_deleted, last;
    uint32_t n_bad;
    bool over, quit;
};

static when until_of(struct task *t, const struct pop3 *p)
{
    return after_s(t, p->o->idle_s);
}

static void tell(struct pop3 *p, str text)
{
    conn_put(p->conn, text);
    conn_put(p->conn, S("\r\n"));
}

/* The same, as the last word of a command. */
static err put(struct pop3 *p, str text)
{
    tell(p, text);
    return OK;
}

/* A message number; false, with the answer given, if it is none. */
static bool take_number(struct pop3 *p, str *rest, uint32_t *seq)
{
    uint64_t n;
    str word;

    if (!str_token(rest, S(" "), &word) || !str_uint(word, UINT32_MAX, &n)) {
        tell(p, S("-ERR Invalid message number."));
        return false;
    }
    if (n < 1 || n > p->n) {
        tell(p, S("-ERR There's no message with that number."));
        return false;
    }
    if (p->deleted[n - 1]) {
        tell(p, S("-ERR Message is deleted."));
        return false;
    }
    *seq = (uint32_t)n;
    return true;
}

/* The same, where the number is the only argument. */
static bool take_only_number(struct pop3 *p, str rest, uint32_t *seq)
{
    if (!take_number(p, &rest, seq))
        return false;
    if (str_trim(rest).n)
        tell(p, S("-ERR Too many arguments."));
    return !str_trim(rest).n;
}

static err totals(struct task *t, struct pop3 *p, uint64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 1; i <= p->n; i++) {
        uint64_t size;
        if (p->deleted[i - 1])
            continue;
        TRY(view_size(t, p->view, i, &size));
        *bytes += size;
        task_breathe(t);
    }
    return view_sizes_keep(t, p->view);
}

static err on_stat(struct task *t, struct pop3 *p, str rest)
{
    uint64_t bytes;

    (void)rest;
    TRY(totals(t, p, &bytes));
    conn_fmt(p->conn, "+OK %" PRIu32 " %" PRIu64 "\r\n",
             p->n - p->n_deleted, bytes);
    return OK;
}

static err on_list(struct task *t, struct pop3 *p, str rest)
{
    uint64_t size;
    uint32_t seq;

    if (str_trim(rest).n) {
        if (!take_only_number(p, rest, &seq))
            return OK;
        TRY(view_size(t, p->view, seq, &size));
        conn_fmt(p->conn, "+OK %" PRIu32 " %" PRIu64 "\r\n", seq, size);
        return view_sizes_keep(t, p->view);
    }
    conn_fmt(p->conn, "+OK %" PRIu32 " messages:\r\n", p->n - p->n_deleted);
    for (seq = 1; seq <= p->n; seq++) {
        if (p->deleted[seq - 1])
            continue;
        TRY(view_size(t, p->view, seq, &size));
        conn_fmt(p->conn, "%" PRIu32 " %" PRIu64 "\r\n", seq, size);
        TRY(conn_drain(t, p->conn, until_of(t, p)));
    }
    TRY(view_sizes_keep(t, p->view));
    return put(p, S("."));
}

static void put_uidl(struct pop3 *p, const char *head, uint32_t seq)
{
    str kept = view_uidl(p->view, seq);

    if (kept.n)
        conn_fmt(p->conn, "%s%" PRIu32 " %.*s\r\n", head, seq, STR(kept));
    else
        conn_fmt(p->conn, "%s%" PRIu32 " %08" PRIx32 "%08" PRIx32 "\r\n",
                 head, seq, view_row(p->view, seq)->uid,
                 view_uid_validity(p->view));
}

static err on_uidl(struct task *t, struct pop3 *p, str rest)
{
    uint32_t seq;

    if (str_trim(rest).n) {
        if (take_only_number(p, rest, &seq))
            put_uidl(p, "+OK ", seq);
        return OK;
    }
    tell(p, S("+OK"));
    for (seq = 1; seq <= p->n; seq++) {
        if (p->deleted[seq - 1])
            continue;
        put_uidl(p, "", seq);
        TRY(conn_drain(t, p->conn, until_of(t, p)));
    }
    return put(p, S("."));
}

/* One line of a message, its dot doubled; without its line end. */
static err put_line(struct task *t, struct pop3 *p, str line)
{
    if (str_starts(line, S(".")))
        conn_put(p->conn, S("."));
    while (line.n) {
        str piece = str_head(line, PIECE);
        conn_put(p->conn, piece);
        line = str_skip(line, piece.n);
        TRY(conn_drain(t, p->conn, until_of(t, p)));
    }
    conn_put(p->conn, S("\r\n"));
    return conn_drain(t, p->conn, until_of(t, p));
}

/* The message; body_lines bounds the lines after the header. */
static err put_message(struct task *t, struct pop3 *p, str m,
                       uint64_t body_lines)
{
    str header = str_head(m, mime_header_size(m));
    str rest = header, line;

    for (int part = 0; part < 2; part++) {
        while (rest.n && (part == 0 || body_lines > 0)) {
            size_t lf = str_chr(rest, '\n');
            line = str_head(rest, lf);
            rest = str_skip(rest, lf == STR_NONE ? rest.n : lf + 1);
            if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
            TRY(put_line(t, p, line));
            body_lines -= part == 1;
        }
        rest = str_skip(m, header.n);
    }
    return put(p, S("."));
}

static err mark_seen(struct task *t, struct pop3 *p, uint32_t seq)
{
    struct flag_change change = { .operation = FLAGS_ADD, .flags = FLAG_SEEN,
                                  .unchanged_since = UINT64_MAX };
    struct seqs failed;

    if (view_row(p->view, seq)->flags & FLAG_SEEN)
        return OK;
    return view_flags(t, p->view, (struct seqs){ &seq, 1 }, &change,
                      &p->scratch, &failed);
}

static err retrieve(struct task *t, struct pop3 *p, uint32_t seq,
                    uint64_t body_lines)
{
    struct message m;
    uint64_t size;
    err e;

    TRY(view_size(t, p->view, seq, &size));
    TRY(view_message(t, p->view, seq, &m));
    if (m.lost)
        return put(p, S("-ERR [SYS/PERM] Message is gone."));
    if (body_lines == UINT64_MAX)
        conn_fmt(p->conn, "+OK %" PRIu64 " octets\r\n", size);
    else
        tell(p, S("+OK"));
    e = put_message(t, p, m.bytes, body_lines);
    message_close(&m);
    return e;
}

static err on_retr(struct task *t, struct pop3 *p, str rest)
{
    uint32_t seq;

    if (!take_only_number(p, rest, &seq))
        return OK;
    TRY(retrieve(t, p, seq, UINT64_MAX));
    if (seq > p->last)
        p->last = seq;
    return mark_seen(t, p, seq);
}

static err on_top(struct task *t, struct pop3 *p, str rest)
{
    uint64_t lines;
    uint32_t seq;
    str word;

    if (!take_number(p, &rest, &seq))
        return OK;
    if (!str_token(&rest, S(" "), &word)
        || !str_uint(word, UINT32_MAX, &lines))
        return put(p, S("-ERR Invalid line count."));
    return retrieve(t, p, seq, lines);
}

static err on_dele(struct task *t, struct pop3 *p, str rest)
{
    uint32_t seq;

    (void)t;
    if (!take_only_number(p, rest, &seq))
        return OK;
    p->deleted[seq - 1] = true;
    p->n_deleted++;
    return put(p, S("+OK Marked to be deleted."));
}

static err on_rset(struct task *t, struct pop3 *p, str rest)
{
    (void)t;
    (void)rest;
    memset(p->deleted, 0, p->n);
    p->n_deleted = 0;
    p->last = 0;
    return put(p, S("+OK"));
}

static err on_noop(struct task *t, struct pop3 *p, str rest)
{
    (void)t;
    (void)rest;
    return put(p, S("+OK"));
}

static err on_last(struct task *t, struct pop3 *p, str rest)
{
    (void)t;
    (void)rest;
    conn_fmt(p->conn, "+OK %" PRIu32 "\r\n", p->last);
    return OK;
}

static err on_capa(struct task *t, struct pop3 *p, str rest)
{
    (void)t;
    (void)rest;
    return put(p, S("+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
                    "PIPELINING\r\nAUTH-RESP-CODE\r\n."));
}

static err on_quit(struct task *t, struct pop3 *p, str rest)
{
    struct flag_change change = { .operation = FLAGS_ADD,
                                  .flags = FLAG_DELETED,
                                  .unchanged_since = UINT64_MAX };
    uint32_t *seqs = arena_array(&p->scratch, uint32_t, p->n_deleted + 1);
    struct seqs rows = { seqs, 0 }, failed;
    err e = OK;

    (void)rest;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->deleted[i])
            seqs[rows.n++] = i + 1;
    if (rows.n)
        e = view_flags(t, p->view, rows, &change, &p->scratch, &failed);
    if (!e && rows.n)
        e = view_expunge(t, p->view, rows);
    p->over = true;
    if (e)
        return put(p, S("-ERR [SYS/TEMP] Some messages were not deleted."));
    return put(p, rows.n ? S("+OK Logging out, messages deleted.")
                         : S("+OK Logging out."));
}

static const struct verb {
    str name;
    err (*fn)(struct task *t, struct pop3 *p, str rest);
} verbs[] = {
    { S_INIT("STAT"), on_stat }, { S_INIT("LIST"), on_list },
    { S_INIT("UIDL"), on_uidl }, { S_INIT("RETR"), on_retr },
    { S_INIT("TOP"), on_top }, { S_INIT("DELE"), on_dele },
    { S_INIT("RSET"), on_rset }, { S_INIT("NOOP"), on_noop },
    { S_INIT("LAST"), on_last }, { S_INIT("CAPA"), on_capa },
    { S_INIT("QUIT"), on_quit },
};

static err one_line(struct task *t, struct pop3 *p, str line)
{
    str verb = str_head(line, str_chr(line, ' '));
    str rest = arena_str(&p->scratch, str_skip(line, verb.n + 1));

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (str_ieq(verb, verbs[i].name))
            return verbs[i].fn(t, p, rest);
    if (++p->n_bad >= BAD_MAX)
        p->over = true;
    return put(p, S("-ERR Unknown command."));
}

static err wait_line(struct task *t, struct pop3 *p)
{
    when end = until_of(t, p), doze = after_s(t, DOZE_S);
    err e = conn_pending(p->conn) ? OK
          : conn_wait(t, p->conn, doze < end ? doze : end);

    if (e != ERR_LATE || rt_now(t) >= end)
        return e;
    view_doze(p->view);
    return conn_wait(t, p->conn, end);
}

static err serve(struct task *t, struct pop3 *p)
{
    while (!p->over) {
        enum line_end end;
        str line;

        arena_reset(&p->scratch);
        TRY(wait_line(t, p));
        TRY(conn_line(t, p->conn, LINE_LEN_MAX, until_of(t, p), &line,
                      &end));
        TRY(view_wake(t, p->view));
        if (end == LINE_CUT)
            return put(p, S("-ERR Line is too long."));
        TRY(one_line(t, p, line));
    }
    return OK;
}

void pop3_refuse(struct conn *c)
{
    conn_put(c, S("-ERR [SYS/TEMP] Mailbox cannot be opened.\r\n"));
}

err pop3_session(struct task *t, struct conn *c, struct store *st,
                 const struct reading_options *o)
{
    struct pop3 p = { .conn = c, .o = o };
    err e = view_open(t, st, S("INBOX"), false, &p.view);

    if (e) {
        pop3_refuse(c);
        err_ignore(conn_flush(t, c, after_s(t, 5))); /* it ends anyway */
        return e;
    }
    arena_init(&p.scratch, 0);
    p.n = view_count(p.view);
    p.deleted = heap_alloc(p.n + 1);
    tell(&p, S("+OK Logged in."));
    e = serve(t, &p);
    if (e == ERR_LATE)
        tell(&p, S("-ERR Disconnected for inactivity."));
    else if (e && e != ERR_END)
        tell(&p, S("-ERR [SYS/TEMP] Internal error occurred. Refer to server "
                   "log for more information."));
    if (e != ERR_END)   /* the first error is the one that counts */
        err_ignore(conn_flush(t, c, after_s(t, e ? 5 : o->idle_s)));
    arena_reset(&p.scratch);
    heap_free(p.deleted);
    view_close(p.view);
    return e;
}
