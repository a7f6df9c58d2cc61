/* SPDX-License-Identifier: ISC
 *
 * FETCH: a plan, rows, items.  A slow client holds up only its own line; no
 * body is ever copied whole.
 *
 * A body that foreign hands removed is sent as empty, and the command's
 * answer says EXPUNGEISSUED.
 */
#include "imap/plan.h"
#include "imap/session.h"

#include "mail/date.h"
#include "mail/structure.h"
#include "rt/world.h"

enum { TEXT_MAX = 16 << 20, PIECE = 16 * 1024 };

/* One row being answered. */
struct fetch {
    struct imap *im;
    const struct plan *plan;
    uint32_t seq;
    struct arena a;             /* this row's */
    struct message message;
    const struct mime_part *root;
    uint64_t size;
    bool lost;                  /* some message was not there */
};

static str slice(str s, size_t at, size_t n)
{
    return str_head(str_skip(s, at), n);
}

/* Sends bytes of a span as a literal, CR LF at all line ends; the space or
 * "~" in front of it was put. */
static err put_span(struct task *t, struct fetch *f, str bytes,
                    const struct mime_span *span, const struct plan_item *it)
{
    struct mime_wire w = mime_wire_of(bytes, span, it->from, it->max
                                      ? it->max : UINT64_MAX);
    char *room = arena_alloc(&f->a, PIECE);
    str piece;

    if (it->partial && !it->max)
        w.left = 0;
    conn_fmt(f->im->conn, "{%" PRIu64 "}\r\n", mime_wire_left(&w));
    while ((piece = mime_wire_next(&w, room, PIECE)).n) {
        conn_put(f->im->conn, piece);
        TRY(imap_drain(t, f->im));
    }
    return OK;
}

static err put_bytes(struct task *t, struct fetch *f, str bytes,
                     const struct plan_item *it)
{
    struct mime_span span = mime_span_of(bytes);

    conn_put(f->im->conn, S(" "));
    return put_span(t, f, bytes, &span, it);
}

/* The fields of a header that the item names, and an empty line. */
static str pick_fields(struct fetch *f, str header,
                       const struct plan_item *it)
{
    bool wanted = it->section == SECTION_FIELDS;
    struct mime_field field;
    struct buf b;

    buf_init(&b, &f->a, header.n + 2);
    while (mime_field_next(&header, &field)) {
        bool named = false;
        for (size_t i = 0; i < it->n_fields && !named; i++)
            named = str_ieq(field.name, it->fields[i]);
        if (named == wanted && (named || field.name.n))
            buf_add(&b, field.all);
    }
    if (b.n && b.p[b.n - 1] != '\n')
        buf_add(&b, S("\r\n"));
    buf_add(&b, S("\r\n"));
    return buf_str(&b);
}

/* Sections of the whole message need no tree. */
static err put_whole(struct task *t, struct fetch *f,
                     const struct plan_item *it)
{
    str m = f->message.bytes;
    size_t n = mime_header_size(m);

    switch (it->section) {
    case SECTION_HEADER:
        return put_bytes(t, f, str_head(m, n), it);
    case SECTION_FIELDS:
    case SECTION_FIELDS_NOT:
        return put_bytes(t, f, pick_fields(f, str_head(m, n), it), it);
    case SECTION_TEXT:
        return put_bytes(t, f, str_skip(m, n), it);
    default:
        return put_bytes(t, f, m, it);
    }
}

/* A span of the message itself. */
static err put_here(struct task *t, struct fetch *f,
                    const struct mime_span *span, const struct plan_item *it)
{
    conn_put(f->im->conn, S(" "));
    return put_span(t, f, f->message.bytes, span, it);
}

static err put_part(struct task *t, struct fetch *f,
                    const struct plan_item *it)
{
    const struct mime_part *p = mime_part_find(f->root, it->path, it->n_path);
    const struct mime_part *inner;
    str m = f->message.bytes;

    if (!p)
        return put_bytes(t, f, S(""), it);
    inner = p->kind == MIME_MESSAGE ? p->first : NULL;
    if (it->section == SECTION_ALL)
        return put_here(t, f, &p->body, it);
    if (it->section == SECTION_MIME)
        return put_here(t, f, &p->header, it);
    /* HEADER and TEXT are those of the message that the part holds */
    if (!inner)
        return put_bytes(t, f, S(""), it);
    if (it->section == SECTION_HEADER)
        return put_here(t, f, &inner->header, it);
    if (it->section == SECTION_TEXT)
        return put_here(t, f, &inner->body, it);
    return put_bytes(t, f, pick_fields(f, slice(m, inner->header.at,
                                                inner->header.size), it), it);
}

/* A part without its transfer encoding (RFC 3516). */
static err put_binary(struct task *t, struct fetch *f,
                      const struct plan_item *it)
{
    const struct mime_part *p = mime_part_find(f->root, it->path, it->n_path);
    enum mime_encoding encoding = MIME_IDENTITY;
    str m = f->message.bytes, bytes;
    struct mime_decoder d;
    struct mime_span span;
    struct buf b;

    if (!p) {
        conn_put(f->im->conn, it->kind == ITEM_BINARY ? S(" \"\"")
                                                      : S(" 0"));
        return OK;
    }
    if (p->kind == MIME_LEAF && it->n_path)
        encoding = mime_encoding_of(slice(m, p->header.at, p->header.size));
    d = mime_decoder_of(encoding);
    buf_init(&b, &f->a, p->body.size + 1);
    mime_decode(&d, it->n_path ? slice(m, p->body.at, p->body.size) : m, &b);
    mime_decode_end(&d, &b);
    bytes = buf_str(&b);
    span = mime_span_of(bytes);
    if (encoding == MIME_BASE64)
        span.bare = 0;          /* its LFs are no line ends */
    if (it->kind == ITEM_BINARY_SIZE) {
        conn_fmt(f->im->conn, " %" PRIu64, mime_wire_size(&span));
        return OK;
    }
    conn_put(f->im->conn, str_chr(bytes, 0) == STR_NONE ? S(" ") : S(" ~"));
    return put_span(t, f, bytes, &span, it);
}

static void put_text(struct fetch *f, struct buf *b)
{
    conn_put(f->im->conn, S(" "));
    conn_put(f->im->conn, b->over ? S("NIL") : buf_str(b));
}

static err put_item(struct task *t, struct fetch *f,
                    const struct plan_item *it)
{
    const struct row *r = view_row(f->im->view, f->seq);
    struct conn *c = f->im->conn;
    int64_t wall = r->date_s * 1000000;
    struct buf b;

    conn_put(c, it->label);
    buf_init(&b, &f->a, TEXT_MAX);
    switch (it->kind) {
    case ITEM_UID:
        conn_fmt(c, " %" PRIu32, r->uid);
        break;
    case ITEM_FLAGS:
        conn_put(c, S(" "));
        imap_put_flags(f->im, r);
        break;
    case ITEM_DATE:
        conn_fmt(c, " \"%.*s\"", STR(date_imap(&f->a, wall,
                                               world_zone_s(t, wall))));
        break;
    case ITEM_SIZE:
        conn_fmt(c, " %" PRIu64, f->size);
        break;
    case ITEM_MODSEQ:
        conn_fmt(c, " (%" PRIu64 ")", r->modseq);
        break;
    case ITEM_EMAILID:
        conn_fmt(c, " (%.*s)", STR(imap_email_id(f->im, &f->a, r->uid)));
        break;
    case ITEM_THREADID:
        conn_put(c, S(" NIL"));     /* RFC 8474: where threads are unknown */
        break;
    case ITEM_ENVELOPE:
        structure_envelope(&b, &f->a, str_head(f->message.bytes,
                                     mime_header_size(f->message.bytes)));
        put_text(f, &b);
        break;
    case ITEM_BODY_SHAPE:
    case ITEM_BODYSTRUCTURE:
        structure_body(&b, &f->a, f->message.bytes, f->root,
                       it->kind == ITEM_BODYSTRUCTURE);
        put_text(f, &b);
        break;
    case ITEM_SECTION:
        return it->n_path ? put_part(t, f, it) : put_whole(t, f, it);
    case ITEM_BINARY:
    case ITEM_BINARY_SIZE:
        return put_binary(t, f, it);
    }
    return OK;
}

/* What the items of this row stand on. */
static err prepare(struct task *t, struct fetch *f)
{
    const struct row *r = view_row(f->im->view, f->seq);

    f->size = r->size;
    if (f->plan->needs & NEED_SIZE)
        TRY(view_size(t, f->im->view, f->seq, &f->size));
    if (f->plan->needs & NEED_MESSAGE) {
        TRY(view_message(t, f->im->view, f->seq, &f->message));
        f->lost |= f->message.lost;
    }
    if (f->plan->needs & NEED_TREE)
        f->root = mime_parse(&f->a, f->message.bytes);
    return OK;
}

static err fetch_row(struct task *t, struct fetch *f, bool told_flags)
{
    struct conn *c = f->im->conn;
    const char *space = "";
    err e = prepare(t, f);

    if (e)
        return e;
    conn_fmt(c, "* %" PRIu32 " FETCH (", f->seq);
    if (told_flags && !f->plan->flags) {
        conn_put(c, S("FLAGS "));
        imap_put_flags(f->im, view_row(f->im->view, f->seq));
        space = " ";
    }
    for (size_t i = 0; !e && i < f->plan->n; i++) {
        bool again = i > 0 && f->plan->p[0].kind == ITEM_UID
                     && f->plan->p[i].kind == ITEM_UID;
        if (again)
            continue;
        conn_put(c, str_from(space));
        space = " ";
        e = put_item(t, f, &f->plan->p[i]);
    }
    if (!f->plan->modseq_item
        && (f->plan->changed_since || (f->im->condstore && told_flags)))
        conn_fmt(c, " MODSEQ (%" PRIu64 ")",
                 view_row(f->im->view, f->seq)->modseq);
    conn_put(c, S(")\r\n"));
    return e ? e : imap_drain(t, f->im);
}

/* BODY[] without PEEK sets \Seen, for all rows at once; *told gets the rows
 * whose flags changed by it. */
static err set_seen(struct task *t, struct imap *im, struct seqs rows,
                    bool *told)
{
    struct flag_change change = { .operation = FLAGS_ADD, .flags = FLAG_SEEN,
                                  .unchanged_since = UINT64_MAX };
    uint32_t *unseen = arena_array(&im->scratch, uint32_t, rows.n + 1);
    struct seqs failed;
    size_t n = 0;

    if (view_read_only(im->view) || !(view_rights(im->view) & RIGHT_SEEN))
        return OK;
    for (size_t i = 0; i < rows.n; i++) {
        told[i] = !(view_row(im->view, rows.p[i])->flags & FLAG_SEEN);
        if (told[i])
            unseen[n++] = rows.p[i];
    }
    if (!n)
        return OK;
    return view_flags(t, im->view, (struct seqs){ unseen, n }, &change,
                      &im->scratch, &failed);
}

static struct seqs changed_only(struct imap *im, struct seqs rows,
                                uint64_t since)
{
    uint32_t *p = arena_array(&im->scratch, uint32_t, rows.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < rows.n; i++)
        if (view_row(im->view, rows.p[i])->modseq > since)
            p[n++] = rows.p[i];
    return (struct seqs){ p, n };
}

static err fetch_rows(struct task *t, struct imap *im,
                      const struct plan *plan, struct seqs rows, bool *lost)
{
    bool *told = arena_array(&im->scratch, bool, rows.n + 1);
    err e = OK;

    if (im->n_words != view_n_keywords(im->view))
        imap_put_flag_names(im, true);
    if (plan->needs & SETS_SEEN)
        TRY(set_seen(t, im, rows, told));
    for (size_t i = 0; !e && i < rows.n; i++) {
        struct fetch f = { .im = im, .plan = plan, .seq = rows.p[i] };

        arena_init(&f.a, 0);
        e = fetch_row(t, &f, told[i]);
        message_close(&f.message);
        arena_reset(&f.a);
        *lost |= f.lost;
    }
    return e ? e : view_sizes_keep(t, im->view);
}

err imap_on_fetch(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct args *x = &cmd->args;
    bool uid = str_starts(cmd->name, S("UID")), lost = false;
    struct plan plan;
    struct seqs rows;
    struct set set;
    err e;

    args_space(x);
    args_set(x, &set);
    args_space(x);
    if (x->error || !plan_parse(x, uid, &plan))
        return imap_bad(t, im, cmd);
    if (plan.modseq)
        imap_use_condstore(im);
    if (!imap_seqs(im, &set, uid, &rows)) {
        args_fail(x, "Invalid messageset");
        return imap_bad(t, im, cmd);
    }
    if (plan.changed_since)
        rows = changed_only(im, rows, plan.changed_since);
    e = fetch_rows(t, im, &plan, rows, &lost);
    if (e)
        return imap_failed(t, im, cmd, e);
    return imap_done(t, im, cmd,
                     lost ? S("OK [EXPUNGEISSUED] Some messages were already "
                              "expunged.") : S("OK Fetch completed."));
}
