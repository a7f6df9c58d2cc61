/* SPDX-License-Identifier: ISC
 *
 * Bytes that grow, up to a maximum they are born with.  What would pass the
 * maximum is not added and sets .over, once and for all: builders check it at
 * the end, not at each step.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"

struct buf {
    char *p;
    size_t n, cap, max;
    struct arena *arena; /* NULL: on the heap, ends with buf_free */
    bool over;
};

/* An empty buffer of at most max bytes, in arena a or (a NULL) on the heap. */
void buf_init(struct buf *b, struct arena *a, size_t max);

/* Gives a heap buffer's memory back; the buffer is empty and usable. */
void buf_free(struct buf *b);

/* Empties it, keeps the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, str s);
void buf_byte(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void buf_uint(struct buf *b, uint64_t n);

/* Room for n more bytes at b->p + b->n, or NULL (and .over).  The caller
 * fills it and adds to b->n what it used. */
char *buf_room(struct buf *b, size_t n);

/* Drops the first n bytes. */
void buf_shift(struct buf *b, size_t n);

/* What is in it; valid until the next change. */
static inline str buf_str(const struct buf *b)
{
    return (str){ b->p ? b->p : "", b->n };
}

#endif
