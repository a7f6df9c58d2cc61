/* SPDX-License-Identifier: ISC
 *
 * The message: DATA and BDAT.  Nothing of it is held: pieces go to the site
 * as they come.  A message that grows too large is read to its end and then
 * refused, because that is the only place where a client listens.
 */
#include "smtp/server.h"

#include <stdio.h>

enum { PIECE_MAX = 32 * 1024 };

static struct reply may_start(struct smtp_session *s, str rest, str syntax)
{
    if (s->bdat != SMTP_BDAT_NONE)
        return reply_fmt(&s->scratch, 503, "5.5.1", "Error: %.*s after BDAT",
                         STR(syntax));
    if (!s->mail || s->n_rcpts == 0) {
        if (s->mail)
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
    if (s->o.size_max && s->n_bytes > s->o.size_max && !s->too_big) {
        s->too_big = true;
        smtp_note(t, s, SMTP_NOTE_TOO_BIG, S(""));
    }
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
    s->n_junk = 0;
    s->after_message = true;
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

/* --- BDAT: a chunk a command --------------------------------------------- */

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

static err read_chunk(struct task *t, struct smtp_session *s, uint64_t size)
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
        TRY(decode(t, s, &s->chunks, piece, &left));
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

/* The chunk is refused; so are those that follow it. */
static err refuse_chunk(struct task *t, struct smtp_session *s,
                        uint64_t size, bool last, struct reply r)
{
    TRY(skip_chunk(t, s, size));
    if (r.code == 0)
        r = reply_fmt(&s->scratch, 551, "5.0.0",
                      "Discarded %" PRIu64 " bytes after earlier error",
                      size);
    s->bdat = SMTP_BDAT_FAILED;
    smtp_say(t, s, r);
    if (last)
        smtp_transaction_end(t, s);
    return OK;
}

/* Whether the first chunk may come. */
static struct reply first_chunk(struct task *t, struct smtp_session *s)
{
    struct reply r = may_start(s, S(""), S("BDAT"));

    if (r.code < 400)
        r = s->site->data(t, s);
    if (r.code >= 400)
        return r;
    s->n_bytes = 0;
    s->chunks = (struct dot_decoder){ DOT_LINE, true };
    s->bdat = SMTP_BDAT_OPEN;
    return (struct reply){ 0 };
}

static err bdat_chunk(struct task *t, struct smtp_session *s, uint64_t size,
                      bool last)
{
    TRY(read_chunk(t, s, size));
    if (!last) {
        smtp_say(t, s, reply_fmt(&s->scratch, 250, "2.0.0",
                                 "Ok: %" PRIu64 " bytes", size));
        return OK;
    }
    TRY(to_site(t, s, dot_finish(&s->chunks)));
    finish(t, s);
    return OK;
}

/* How many bytes follow is unknown: the session ends. */
static err bad_bdat(struct task *t, struct smtp_session *s, str rest)
{
    smtp_note(t, s, SMTP_NOTE_BDAT,
              arena_fmt(&s->scratch, "BDAT%s%.*s", rest.n ? " " : "",
                        STR(rest)));
    smtp_say(t, s, REPLY(521, "5.5.4", "Syntax: BDAT count [LAST]"));
    return OK;
}

err smtp_on_bdat(struct task *t, struct smtp_session *s, str rest)
{
    struct reply r = { 0 };
    uint64_t size;
    bool last;

    if (!s->o.offer_chunking) {
        smtp_say(t, s, REPLY(521, "5.5.1", "Error: command not implemented"));
        return OK;
    }
    if (!bdat_parse(rest, &size, &last))
        return bad_bdat(t, s, rest);
    if (size == 0 && !last) {
        smtp_note(t, s, SMTP_NOTE_BDAT_NULL, S(""));
        return refuse_chunk(t, s, 0, false,
                            REPLY(551, "5.7.1", "Null BDAT request"));
    }
    if (s->bdat == SMTP_BDAT_FAILED)
        return refuse_chunk(t, s, size, last, r);
    if (s->bdat == SMTP_BDAT_NONE)
        r = first_chunk(t, s);
    if (r.code)
        return refuse_chunk(t, s, size, last, r);
    if (s->o.size_max && size > s->o.size_max) {
        smtp_note(t, s, SMTP_NOTE_BDAT_SIZE, S(""));
        return refuse_chunk(t, s, size, last,
                            REPLY(552, "5.3.4",
                                  "Chunk exceeds message size limit"));
    }
    return bdat_chunk(t, s, size, last);
}
