/* SPDX-License-Identifier: ISC
 *
 * A message's text, piece by piece from its segments.
 */
#include "role/smtpc/smtpc.h"

void text_reader_open(struct text_reader *r, struct client *c, struct work *w)
{
    *r = (struct text_reader){
        .c = c,
        .w = w,
        .memory = heap_resize(NULL, SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD),
    };
}

err text_reader_next(struct task *t, void *reader, str *piece)
{
    struct text_reader *r = reader;
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

void text_reader_close(struct text_reader *r)
{
    heap_free(r->memory);
}
