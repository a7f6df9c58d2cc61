/* SPDX-License-Identifier: ISC
 *
 * Growing bytes.
 */
#include "base/buf.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, struct arena *a, size_t max)
{
    must(max > 0);
    *b = (struct buf){ .arena = a, .max = max };
}

void buf_free(struct buf *b)
{
    must(!b->arena);
    heap_free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->over = false;
}

char *buf_room(struct buf *b, size_t n)
{
    size_t cap;

    if (n > b->max || b->n > b->max - n) {
        b->over = true;
        return NULL;
    }
    if (b->cap - b->n >= n && b->p)
        return b->p + b->n;
    cap = b->cap ? b->cap * 2 : 64;
    if (cap < b->n + n)
        cap = b->n + n;
    if (cap > b->max)
        cap = b->max;
    if (b->arena) {
        char *grown = arena_alloc(b->arena, cap);
        if (b->n)
            memcpy(grown, b->p, b->n);
        b->p = grown;
    } else {
        b->p = heap_resize(b->p, cap);
    }
    b->cap = cap;
    return b->p + b->n;
}

void buf_add(struct buf *b, str s)
{
    char *to;

    if (s.n == 0 || b->over || !(to = buf_room(b, s.n)))
        return;
    memcpy(to, s.p, s.n);
    b->n += s.n;
}

void buf_byte(struct buf *b, char c)
{
    buf_add(b, (str){ &c, 1 });
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    int n;
    char *to;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    must(n >= 0);
    if ((size_t)n < sizeof(small))
        buf_add(b, (str){ small, (size_t)n });
    else if (!b->over && (to = buf_room(b, (size_t)n + 1))) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vfmt(b, fmt, ap);
    va_end(ap);
}

void buf_uint(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t i = sizeof(digits);

    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, (str){ digits + i, sizeof(digits) - i });
}

void buf_shift(struct buf *b, size_t n)
{
    must(n <= b->n);
    b->n -= n;
    if (n && b->n)
        memmove(b->p, b->p + n, b->n);
}
