/* SPDX-License-Identifier: ISC
 *
 * The bytes of a message: read from the spool's segments, where lines end
 * with CR LF, and given on as mailboxes and commands want them.
 */
#include "role/deliver/deliver.h"

#include "role/deliver/segment.h"
#include "spool/pieces.h"

enum { SLICE = 4096, SEND_AT = 32 * 1024, OUT_MAX = 1 << 20 };

#define FROM S("From ")

/* --- lines: pure ---------------------------------------------------------- */

void body_lines_init(struct body_lines *l, const struct body_style *style)
{
    *l = (struct body_lines){ .style = *style, .last = '\n' };
    if (str_empty(l->style.eol))
        l->style.eol = S("\n");
}

static void start_given(struct body_lines *l, struct buf *to)
{
    buf_add(to, str_head(FROM, l->matched));
    l->matched = 0;
}

/* A byte at a line's start or inside what may become "From ". */
static bool held_back(struct body_lines *l, char c, struct buf *to)
{
    if (l->style.dots && c == '.' && l->matched == 0) {
        buf_byte(to, '.');
        return false;
    }
    if (!l->style.quote_from || c != FROM.p[l->matched]) {
        start_given(l, to);
        return false;
    }
    if (++l->matched == FROM.n) {
        buf_byte(to, '>');
        start_given(l, to);
        l->in_line = true;
    }
    return true;
}

static void emit(struct body_lines *l, char c, struct buf *to)
{
    l->last = c;
    if (!l->in_line && held_back(l, c, to))
        return;
    l->in_line = c != '\n';
    if (c == '\n')
        buf_add(to, l->style.eol);
    else
        buf_byte(to, c);
}

/* A CR counts once it is known that no LF follows. */
static void add_byte(struct body_lines *l, char c, struct buf *to)
{
    if (l->cr && c != '\n')
        emit(l, '\r', to);
    l->cr = c == '\r';
    if (!l->cr)
        emit(l, c, to);
}

/* Most mail: nothing to do but to drop the CR of each CR LF. */
static str drop_cr(struct body_lines *l, str piece, struct buf *to)
{
    while (piece.n > 0 && !l->cr) {
        size_t cr = str_chr(piece, '\r');
        str part = cr == STR_NONE ? piece : str_head(piece, cr);
        buf_add(to, part);
        if (part.n)
            l->last = part.p[part.n - 1];
        piece = str_skip(piece, part.n);
        if (cr == STR_NONE)
            break;
        if (piece.n == 1 || piece.p[1] != '\n')
            break;              /* what a CR means is seen byte by byte */
        buf_byte(to, '\n');
        l->last = '\n';
        piece = str_skip(piece, 2);
    }
    return piece;
}

void body_lines_add(struct body_lines *l, str piece, struct buf *to)
{
    bool simple = !l->style.dots && !l->style.quote_from
                  && str_eq(l->style.eol, S("\n"));

    while (piece.n > 0) {
        if (simple)
            piece = drop_cr(l, piece, to);
        if (piece.n == 0)
            return;
        add_byte(l, piece.p[0], to);
        piece = str_skip(piece, 1);
    }
}

void body_lines_end(struct body_lines *l, struct buf *to)
{
    if (l->cr)
        emit(l, '\r', to);
    start_given(l, to);
    if (l->last != '\n')
        buf_add(to, l->style.eol);
    if (l->style.blank_end)
        buf_add(to, l->style.eol);
}

/* --- reading -------------------------------------------------------------- */

static struct port *port_of(void *jobs_port)
{
    const struct jobs_port *p = jobs_port;

    return p->ended ? NULL : p->port;
}

static struct file *file_of(void *jobs_port, uint32_t segment)
{
    return segment_file(jobs_port, segment);
}

err body_each(struct task *t, struct run *r,
              err (*each)(struct task *t, void *self, str piece), void *self)
{
    struct pieces_from from = { r->from, port_of, file_of,
                                &r->from->asking };
    struct pieces p;
    str bytes;
    err e = OK;

    pieces_open(&p, &from, &r->job, &r->id);
    for (uint32_t i = 0; i < r->job.n_extents && !e; i++) {
        e = pieces_read(t, &p, i, &bytes);
        if (!e)
            e = each(t, self, bytes);
    }
    pieces_close(&p);
    return e;
}

struct writing {
    struct body_lines lines;
    struct buf out;
    struct hand_body *to;
};

static err write_piece(struct task *t, void *self, str piece)
{
    struct writing *w = self;

    while (piece.n > 0) {
        body_lines_add(&w->lines, str_head(piece, SLICE), &w->out);
        piece = str_skip(piece, SLICE);
        if (w->out.n < SEND_AT)
            continue;
        TRY(hand_body_add(t, w->to, buf_str(&w->out)));
        buf_clear(&w->out);
    }
    return OK;
}

static err body_write(struct task *t, void *self, struct hand_body *to)
{
    struct body *b = self;
    struct writing w = { .to = to };
    err e;

    buf_init(&w.out, NULL, OUT_MAX);
    body_lines_init(&w.lines, &b->style);
    buf_add(&w.out, b->style.head);
    e = body_each(t, b->run, write_piece, &w);
    if (!e) {
        body_lines_end(&w.lines, &w.out);
        e = w.out.over ? why(t, ERR_LIMIT, "a header is too large")
                       : hand_body_add(t, to, buf_str(&w.out));
    }
    buf_free(&w.out);
    return e;
}

struct hand_source body_source(struct body *b)
{
    return (struct hand_source){ b, body_write };
}

/* --- the header ----------------------------------------------------------- */

enum { HEADER_MAX = 100 * 1024, DELIVERED_MAX = 1000 };

struct heading {
    struct run *run;
    struct arena scratch;
    struct header_reader reader;
};

static void keep_delivered(struct run *r, str value)
{
    str text = header_unfold(value, &r->memory);

    if (r->delivered_to.n < DELIVERED_MAX)
        vec_push(&r->memory, &r->delivered_to,
                 arena_lower(&r->memory, str_trim(text)));
}

static err read_heading(struct task *t, void *self, str piece)
{
    struct heading *h = self;
    struct header_field f;

    (void)t;
    for (;;) {
        switch (header_read(&h->reader, &piece, &f)) {
        case HEADER_MORE:
            return OK;
        case HEADER_FIELD:
            if (str_ieq(f.name, S("Delivered-To")))
                keep_delivered(h->run, f.value);
            break;
        default:
            return ERR_END;
        }
    }
}

err body_was_delivered_to(struct task *t, struct run *r, str address,
                          bool *was)
{
    struct heading h = { .run = r };
    str lower_case = arena_lower(&r->memory, address);
    err e = OK;

    if (!r->has_header) {
        arena_init(&h.scratch, 0);
        header_reader_init(&h.reader, &h.scratch, HEADER_MAX);
        e = body_each(t, r, read_heading, &h);
        arena_reset(&h.scratch);
        if (e && e != ERR_END)
            return e;
        r->has_header = true;
    }
    *was = false;
    for (size_t i = 0; i < r->delivered_to.n; i++)
        *was |= str_eq(r->delivered_to.p[i], lower_case);
    return OK;
}
