/* SPDX-License-Identifier: ISC
 *
 * A message's text, piece by piece from its segments.  One that must be
 * converted to seven bits is taken into memory for it, if it is not too large.
 */
#include "role/smtpc/smtpc.h"

#include "mail/downgrade.h"

enum { CONVERT_MAX = 64 * 1024 * 1024, PIECE = 32 * 1024 };

static struct port *port_of(void *reader)
{
    const struct text_reader *r = reader;

    return work_port(r->c, r->w);
}

static struct file *file_of(void *reader, uint32_t segment)
{
    const struct text_reader *r = reader;
    const struct segment *s = map_get(&r->c->segments,
                                      str_of(&segment, sizeof(segment)));

    return s ? s->file : NULL;
}

void text_reader_open(struct text_reader *r, struct client *c, struct work *w,
                      bool downgrade)
{
    struct pieces_from from = { r, port_of, file_of, &c->asking };

    *r = (struct text_reader){
        .c = c,
        .w = w,
        .downgrade = downgrade && w->job.envelope.size < CONVERT_MAX,
    };
    pieces_open(&r->pieces, &from, &w->job, &w->id);
    arena_init(&r->converted, 0);
}

static err read_next(struct task *t, struct text_reader *r, str *piece)
{
    if (r->at == r->w->job.n_extents)
        return ERR_END;
    return pieces_read(t, &r->pieces, r->at++, piece);
}

static err convert(struct task *t, struct text_reader *r)
{
    struct buf whole, out;
    str piece;
    err e;

    buf_init(&whole, NULL, 2 * (size_t)CONVERT_MAX);
    while (!(e = read_next(t, r, &piece)))
        buf_add(&whole, piece);
    if (e == ERR_END) {
        buf_init(&out, &r->converted, 8 * (size_t)CONVERT_MAX);
        mime_downgrade(buf_str(&whole), &r->converted, &out);
        r->rest = buf_str(&out);
        e = whole.over || out.over
                ? why(t, ERR_LIMIT, "too large to be converted") : OK;
    }
    buf_free(&whole);
    r->is_converted = true;
    return e;
}

err text_reader_next(struct task *t, void *reader, str *piece)
{
    struct text_reader *r = reader;

    if (!r->downgrade)
        return read_next(t, r, piece);
    if (!r->is_converted)
        TRY(convert(t, r));
    if (r->rest.n == 0)
        return ERR_END;
    *piece = str_head(r->rest, PIECE);
    r->rest = str_skip(r->rest, piece->n);
    return OK;
}

void text_reader_close(struct text_reader *r)
{
    arena_reset(&r->converted);
    pieces_close(&r->pieces);
}
