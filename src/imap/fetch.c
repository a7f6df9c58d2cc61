/* SPDX-License-Identifier: ISC
 *
 * FETCH: a plan, rows, items.  A slow client holds up only its own line; no
 * body is ever copied whole.  The message of a partial read stays open, so
 * that the next piece does not begin at its start.
 *
 * A body that foreign hands removed is NIL, and the command's answer says
 * EXPUNGEISSUED.
 */
#include "imap/plan.h"
#include "imap/session.h"

#include "mail/date.h"
#include "mail/structure.h"
#include "rt/world.h"

enum { PIECE = 16 * 1024 };

/* One row being answered. */
struct fetch {
    struct imap *im;
    const struct plan *plan;
    struct imap_message *m;
    uint32_t seq;
    struct arena a;             /* one item's */
    uint64_t size;
    size_t n_unknown;           /* encodings that we cannot take off */
};

/* NUL has no place in a literal (RFC 3501 section 9). */
static str without_nul(str piece, char *room)
{
    if (str_chr(piece, 0) == STR_NONE)
        return piece;
    if (piece.p != room)
        memcpy(room, piece.p, piece.n);
    for (size_t i = 0; i < piece.n; i++)
        if (!room[i])
            room[i] = (char)0x80;
    return str_of(room, piece.n);
}

/* Sends the rest of a walk as a literal; the space or "~" in front of it was
 * put. */
static err put_walk(struct task *t, struct fetch *f, struct mime_wire *w,
                    bool nul)
{
    char *room = arena_alloc(&f->a, PIECE);
    str piece;

    conn_fmt(f->im->conn, "{%" PRIu64 "}\r\n", mime_wire_left(w));
    while ((piece = mime_wire_next(w, room, PIECE)).n) {
        conn_put(f->im->conn, nul ? piece : without_nul(piece, room));
        TRY(imap_drain(t, f->im));
    }
    return OK;
}

static uint64_t max_of(const struct plan_item *it)
{
    return it->max || it->partial ? it->max : UINT64_MAX;
}

/* Bytes that are no part of the message. */
static err put_bytes(struct task *t, struct fetch *f, str bytes,
                     const struct plan_item *it)
{
    struct mime_span span = mime_span_of(bytes);
    struct mime_wire w = mime_wire_of(bytes, &span);

    mime_wire_skip(&w, it->from);
    mime_wire_limit(&w, max_of(it));
    conn_put(f->im->conn, S(" "));
    return put_walk(t, f, &w, false);
}

/* A span of the message itself. */
static err put_here(struct task *t, struct fetch *f,
                    const struct mime_span *span, const struct plan_item *it)
{
    struct mime_wire w = imap_message_wire(t, f->m, span, it->from,
                                           max_of(it));
    uint64_t end = it->from + mime_wire_left(&w);

    conn_put(f->im->conn, S(" "));
    TRY(put_walk(t, f, &w, false));
    if (it->partial && end <= mime_wire_size(span))
        imap_message_stop(f->m, span, end, &w);
    return OK;
}

struct picking {
    const struct plan_item *item;
    str header;
    struct buf out;
};

/* The fields of a header that the item names, and an empty line. */
static void pick_fields(void *arg)
{
    struct picking *p = arg;
    bool wanted = p->item->section == SECTION_FIELDS;
    str rest = p->header;
    struct mime_field field;

    while (mime_field_next(&rest, &field)) {
        bool named = map_get(p->item->fields, field.name) != NULL;
        if (named == wanted && (named || field.name.n))
            buf_add(&p->out, field.all);
    }
    if (p->out.n && p->out.p[p->out.n - 1] != '\n')
        buf_add(&p->out, S("\r\n"));
    buf_add(&p->out, S("\r\n"));
}

static err put_fields(struct task *t, struct fetch *f, str header,
                      const struct plan_item *it)
{
    struct picking p = { .item = it, .header = header };
    err e;

    buf_init(&p.out, NULL, header.n + 4);
    imap_aside(t, header.n, pick_fields, &p);
    e = put_bytes(t, f, buf_str(&p.out), it);
    buf_free(&p.out);
    return e;
}

/* Sections of the whole message need no tree. */
static err put_whole(struct task *t, struct fetch *f,
                     const struct plan_item *it)
{
    str header = imap_message_header(f->m);
    struct mime_span all, part;

    if (it->section == SECTION_FIELDS || it->section == SECTION_FIELDS_NOT)
        return put_fields(t, f, header, it);
    all = imap_message_whole(t, f->m);
    if (it->section == SECTION_ALL)
        return put_here(t, f, &all, it);
    part = mime_span_of(header);
    if (it->section == SECTION_TEXT)
        part = (struct mime_span){ header.n, all.size - header.n,
                                   all.bare - part.bare,
                                   all.lines - part.lines };
    return put_here(t, f, &part, it);
}

static err put_part(struct task *t, struct fetch *f,
                    const struct plan_item *it)
{
    const struct mime_part *p = mime_part_find(imap_message_tree(t, f->m),
                                               it->path, it->n_path);
    const struct mime_part *inner;

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
    return put_fields(t, f, str_head(str_skip(f->m->message.bytes,
                                              inner->header.at),
                                     inner->header.size), it);
}

/* BINARY[] and BINARY.SIZE[], with their label (RFC 3516). */
static err put_binary(struct task *t, struct fetch *f,
                      const struct plan_item *it, str space)
{
    const struct mime_part *p = mime_part_find(imap_message_tree(t, f->m),
                                               it->path, it->n_path);
    const struct message_binary *b = NULL;
    struct conn *c = f->im->conn;
    struct mime_wire w;

    if (p)
        b = imap_message_binary(t, f->m, p, it->n_path == 0);
    if (b && b->unknown) {
        f->n_unknown++;
        return OK;
    }
    conn_put(c, space);
    conn_put(c, it->label);
    if (it->kind == ITEM_BINARY_SIZE) {
        conn_fmt(c, " %zu", b ? b->bytes.n : (size_t)0);
        return OK;
    }
    if (!b)
        return put_bytes(t, f, S(""), it);
    conn_put(c, b->decoded || b->has_nul ? S(" ~") : S(" "));
    w = mime_wire_of(buf_str(&b->bytes), &b->span);
    mime_wire_skip(&w, it->from);
    mime_wire_limit(&w, max_of(it));
    return put_walk(t, f, &w, true);
}

struct shaping {
    const struct imap_message *m;
    struct arena *a;
    enum item_kind kind;
    struct buf out;
};

static void shape(void *arg)
{
    struct shaping *s = arg;

    if (s->kind == ITEM_ENVELOPE)
        structure_envelope(&s->out, s->a, imap_message_header(s->m));
    else
        structure_body(&s->out, s->a, s->m->message.bytes, s->m->root,
                       s->kind == ITEM_BODYSTRUCTURE);
}

/* ENVELOPE, BODY and BODYSTRUCTURE; where the text is longer than anybody
 * needs, as of an empty message. */
static err put_shape(struct task *t, struct fetch *f, enum item_kind kind)
{
    struct shaping s = { .m = f->m, .a = &f->a, .kind = kind };
    size_t size = f->m->message.bytes.n;
    str text;

    buf_init(&s.out, NULL, STRUCTURE_TEXT_MAX);
    if (kind != ITEM_ENVELOPE)
        imap_message_tree(t, f->m);
    if (!f->m->message.lost)
        imap_aside(t, size, shape, &s);
    text = buf_str(&s.out);
    if (f->m->message.lost || s.out.over)
        text = kind == ITEM_ENVELOPE
                   ? S("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
                   : S("(\"text\" \"plain\" (\"charset\" \"us-ascii\") "
                       "NIL NIL \"7bit\" 0 0)");
    conn_put(f->im->conn, S(" "));
    conn_put(f->im->conn, text);
    buf_free(&s.out);
    return imap_drain(t, f->im);
}

static err put_section(struct task *t, struct fetch *f,
                       const struct plan_item *it)
{
    if (f->m->message.lost) {
        conn_put(f->im->conn, S(" NIL"));
        return OK;
    }
    return it->n_path ? put_part(t, f, it) : put_whole(t, f, it);
}

/* The value of an item whose label was put. */
static err put_value(struct task *t, struct fetch *f,
                     const struct plan_item *it)
{
    const struct row *r = view_row(f->im->view, f->seq);
    struct conn *c = f->im->conn;
    int64_t wall = r->date_s * 1000000;

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
    case ITEM_BODY_SHAPE:
    case ITEM_BODYSTRUCTURE:
        return put_shape(t, f, it->kind);
    default:
        return put_section(t, f, it);
    }
    return OK;
}

static err put_item(struct task *t, struct fetch *f,
                    const struct plan_item *it, str space)
{
    bool binary = it->kind == ITEM_BINARY || it->kind == ITEM_BINARY_SIZE;
    err e;

    if (binary && !f->m->message.lost) {
        e = put_binary(t, f, it, space);
    } else {
        conn_put(f->im->conn, space);
        conn_put(f->im->conn, it->label);
        if (it->kind == ITEM_BINARY_SIZE)
            conn_put(f->im->conn, S(" 0"));
        e = it->kind == ITEM_BINARY_SIZE ? OK : put_value(t, f, it);
    }
    arena_reset(&f->a);
    return e;
}

/* What the items of this row stand on. */
static err prepare(struct task *t, struct fetch *f)
{
    const struct row *r = view_row(f->im->view, f->seq);

    f->size = r->size;
    if (f->plan->needs & NEED_SIZE)
        TRY(view_size(t, f->im->view, f->seq, &f->size));
    if (f->plan->needs & NEED_MESSAGE)
        TRY(imap_message_open(t, f->im->view, f->seq, f->m));
    imap_tell_words(f->im);     /* both may have looked around */
    return OK;
}

static err fetch_row(struct task *t, struct fetch *f, bool told_flags)
{
    struct conn *c = f->im->conn;
    str space = S("");
    err e = prepare(t, f);

    if (e)
        return e;
    conn_fmt(c, "* %" PRIu32 " FETCH (", f->seq);
    if (told_flags && !f->plan->flags) {
        conn_put(c, S("FLAGS "));
        imap_put_flags(f->im, view_row(f->im->view, f->seq));
        space = S(" ");
    }
    for (size_t i = 0; !e && i < f->plan->n; i++) {
        bool again = i > 0 && f->plan->p[0].kind == ITEM_UID
                     && f->plan->p[i].kind == ITEM_UID;
        size_t before = f->n_unknown;
        if (again)
            continue;
        e = put_item(t, f, &f->plan->p[i], space);
        if (f->n_unknown == before)
            space = S(" ");
    }
    if (!space.n)       /* nothing that was asked for could be said */
        conn_fmt(c, "UID %" PRIu32, view_row(f->im->view, f->seq)->uid);
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

struct fetched {
    bool lost;                  /* some message was not there */
    bool unknown;               /* a part's encoding, and it ended there */
};

static err fetch_rows(struct task *t, struct imap *im,
                      const struct plan *plan, struct seqs rows,
                      struct fetched *out)
{
    bool *told = arena_array(&im->scratch, bool, rows.n + 1);
    err e = OK;

    if (plan->needs & SETS_SEEN)
        TRY(set_seen(t, im, rows, told));
    for (size_t i = 0; !e && !out->unknown && i < rows.n; i++) {
        struct fetch f = { .im = im, .plan = plan, .seq = rows.p[i],
                           .m = &im->message };

        arena_init(&f.a, 0);
        e = fetch_row(t, &f, told[i]);
        arena_reset(&f.a);
        out->lost |= (plan->needs & NEED_MESSAGE) && f.m->message.lost;
        out->unknown = f.n_unknown > 0;
    }
    if (!plan->partial || !imap_message_is_large(&im->message))
        imap_message_close(&im->message);
    return e ? e : view_sizes_keep(t, im->view);
}

err imap_on_fetch(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct args *x = &cmd->args;
    bool uid = str_starts(cmd->name, S("UID"));
    struct fetched done = { 0 };
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
    e = fetch_rows(t, im, &plan, rows, &done);
    if (e)
        return imap_failed(t, im, cmd, e);
    if (done.unknown)
        return imap_done(t, im, cmd, S("NO [UNKNOWN-CTE] Unknown "
                                       "Content-Transfer-Encoding"));
    return imap_done(t, im, cmd,
                     done.lost ? S("OK [EXPUNGEISSUED] Some messages were "
                                   "already expunged.")
                               : S("OK Fetch completed."));
}
