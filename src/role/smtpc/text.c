/* SPDX-License-Identifier: ISC
 *
 * A message's text, piece by piece from its segments.  One that must be
 * converted to seven bits is taken into memory for it, if it is not too large.
 */
#include "role/smtpc/smtpc.h"

#include "mail/downgrade.h"

enum { CONVERT_MAX = 64 * 1024 * 1024, PIECE = 32 * 1024 };

void text_reader_open(struct text_reader *r, struct client *c, struct work *w,
                      bool downgrade)
{
    *r = (struct text_reader){
        .c = c,
        .w = w,
        .downgrade = downgrade && w->job.envelope.size < CONVERT_MAX,
        .memory = heap_resize(NULL, SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD),
    };
    arena_init(&r->converted, 0);
}

static err read_next(struct task *t, struct text_reader *r, str *piece)
{
    const struct job *j = &r->w->job;
    const struct extent *x;
    struct segment *s;

    if (r->at == j->n_extents)
        return ERR_END;
    x = &j->extents[r->at++];
    s = map_get(&r->c->segments, str_of(&x->segment, sizeof(x->segment)));
    if (!s)
        return why(t, ERR_CORRUPT, "segment %u was not passed", x->segment);
    return spool_read(t, s->file, x, j->message, r->memory, piece);
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
    heap_free(r->memory);
}
