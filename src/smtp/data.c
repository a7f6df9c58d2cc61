/* SPDX-License-Identifier: ISC
 *
 * The message: DATA and BDAT.  Nothing of it is held: pieces go to the site
 * as they come.  A message that grows too large is read to its end and then
 * refused, because that is the only place where a client listens.
 */
#include "smtp/server.h"

#include "smtp/dot.h"

#include <stdio.h>

enum { PIECE_MAX = 32 * 1024 };

static struct reply may_start(struct smtp_session *s, str rest, str syntax)
{
    if (!s->mail || s->n_rcpts == 0) {
        if (s->mail && s->n_rcpts_refused + s->n_errors > 0 && s->esmtp)
            return REPLY(554, "5.5.1", "Error: no valid recipients");
        return REPLY(503, "5.5.1", "Error: need RCPT command");
    }
    if (!str_empty(rest))
        return reply_fmt(&s->scratch, 501, "5.5.4", "Syntax: %.*s",
                         STR(syntax));
    return REPLY(250, "", "");
}

static err to_site(struct task *t, struct smtp_session *s, str bytes)
{
    s->n_bytes += bytes.n;
    if (s->o.size_max && s->n_bytes > s->o.size_max)
        s->too_big = true;
    return s->too_big || bytes.n == 0 ? OK : s->site->body(t, s, bytes);
}

static err decode(struct task *t, struct smtp_session *s,
                  struct dot_decoder *d, str piece, str *left)
{
    str out;

    while ((out = dot_decode(d, &piece)).n > 0)
        TRY(to_site(t, s, out));
    *left = piece;
    return OK;
}

/* "DATA (1234 bytes)" for the line that says where a client was lost. */
static void note_place(struct smtp_session *s)
{
    s->where = arena_fmt(s->memory, "%s (%" PRIu64 " bytes)",
                         smtp_verb_name(s->verb), s->n_bytes).p;
}

/* The answer (LMTP: the answers) to the end of the message. */
static void finish(struct task *t, struct smtp_session *s)
{
    size_t n = s->o.lmtp ? s->n_rcpts : 1;

    for (size_t i = 0; i < n; i++)
        smtp_say(t, s, s->too_big
                           ? REPLY(552, "5.3.4",
                                   "Error: message file too big")
                           : s->site->end(t, s, i));
    smtp_transaction_end(t, s);
}

err smtp_on_data(struct task *t, struct smtp_session *s, str rest)
{
    struct dot_decoder d = { DOT_LINE, false };
    struct reply r = may_start(s, rest, S("DATA"));
    str piece, left;

    if (r.code >= 400 || (r = s->site->data(t, s)).code >= 400) {
        smtp_say(t, s, r);
        return OK;
    }
    conn_put(s->conn, S("354 End data with <CR><LF>.<CR><LF>\r\n"));
    s->n_bytes = 0;
    do {
        err e = conn_piece(t, s->conn, PIECE_MAX, smtp_until(t, s), &piece);
        if (e) {
            note_place(s);
            return e;
        }
        TRY(decode(t, s, &d, piece, &left));
    } while (d.state != DOT_END);
    conn_unread(s->conn, left.n);
    finish(t, s);
    return OK;
}

/* Reads a chunk without looking at it, to stay in step with the client. */
static err skip_chunk(struct task *t, struct smtp_session *s, uint64_t size)
{
    while (size > 0) {
        str piece;
        TRY(conn_piece(t, s->conn, size < PIECE_MAX ? size : PIECE_MAX,
                       smtp_until(t, s), &piece));
        size -= piece.n;
    }
    return OK;
}

static err read_chunk(struct task *t, struct smtp_session *s, uint64_t size,
                      struct dot_decoder *d)
{
    while (size > 0) {
        str piece, left;
        err e = conn_piece(t, s->conn, size < PIECE_MAX ? size : PIECE_MAX,
                           smtp_until(t, s), &piece);
        if (e) {
            note_place(s);
            return e;
        }
        size -= piece.n;
        TRY(decode(t, s, d, piece, &left));
    }
    return OK;
}

static bool bdat_parse(str rest, uint64_t *size, bool *last)
{
    struct scan sc = scan_of(rest);

    if (!scan_uint(&sc, UINT64_MAX >> 1, size))
        return false;
    *last = scan_blanks(&sc) > 0 && scan_iword(&sc, S("LAST"));
    return scan_done(&sc);
}

/* The next command of a message in chunks: BDAT, or what gives it up. */
static err next_bdat(struct task *t, struct smtp_session *s, uint64_t *size,
                     bool *last, bool *given_up)
{
    str line, rest;
    enum line_end end;

    for (;;) {
        TRY(conn_line(t, s->conn, s->o.line_max, smtp_until(t, s), &line,
                      &end));
        if (str_istarts(line, S("BDAT "))
            && bdat_parse(str_trim(str_skip(line, 5)), size, last)) {
            *given_up = false;
            return OK;
        }
        rest = str_trim(line);
        *given_up = true;
        if (str_ieq(rest, S("RSET"))) {
            s->verb = VERB_RSET;
            smtp_say(t, s, REPLY(250, "2.0.0", "Ok"));
            return OK;
        }
        if (str_ieq(rest, S("QUIT"))) {
            s->verb = VERB_QUIT;
            smtp_say(t, s, REPLY(221, "2.0.0", "Bye"));
            return OK;
        }
        if (str_ieq(rest, S("NOOP")))
            smtp_say(t, s, REPLY(250, "2.0.0", "Ok"));
        else
            smtp_say(t, s, REPLY(503, "5.5.1",
                                 "Error: BDAT transaction in progress"));
        if (s->n_errors >= s->o.errors_hard)
            return ERR_PEER;
    }
}

err smtp_on_bdat(struct task *t, struct smtp_session *s, str rest)
{
    struct dot_decoder d = { DOT_LINE, true };
    uint64_t size;
    bool last, given_up;
    struct reply r;

    if (!s->o.offer_chunking) {
        smtp_say(t, s, REPLY(502, "5.5.1", "Error: command not implemented"));
        return OK;
    }
    if (!bdat_parse(rest, &size, &last)) {
        smtp_say(t, s, REPLY(501, "5.5.4", "Syntax: BDAT count [LAST]"));
        s->over = true; /* how many bytes follow is unknown */
        return OK;
    }
    r = may_start(s, S(""), S("BDAT"));
    if (r.code < 400)
        r = s->site->data(t, s);
    if (r.code >= 400) {
        TRY(skip_chunk(t, s, size));
        smtp_say(t, s, r);
        return OK;
    }
    s->n_bytes = 0;
    for (;;) {
        TRY(read_chunk(t, s, size, &d));
        if (last)
            break;
        smtp_say(t, s, reply_fmt(&s->scratch, 250, "2.0.0",
                                 "Ok: %" PRIu64 " bytes", size));
        TRY(next_bdat(t, s, &size, &last, &given_up));
        if (given_up) {
            smtp_transaction_end(t, s);
            return OK;
        }
        s->verb = VERB_BDAT;
    }
    TRY(to_site(t, s, dot_finish(&d)));
    finish(t, s);
    return OK;
}
