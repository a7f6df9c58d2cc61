/* SPDX-License-Identifier: ISC
 *
 * Arenas over malloc.  Chunks double from 512 bytes to 32 KiB, so that an
 * idle session costs little and a busy one few calls; a request larger than
 * a chunk gets a chunk of its own.
 */
#include "base/arena.h"

#include "base/must.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MIN = 512, CHUNK_MAX = 32 * 1024, FMT_MAX = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of the bytes after this head */
    alignas(max_align_t) char bytes[];
};

struct arena_owned {
    struct arena_owned *older;
    void (*close)(void *);
    void *object;
};

void *heap_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p)
        must_failed("out of memory", __FILE__, __LINE__);
    return p;
}

void *heap_resize(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (!p)
        must_failed("out of memory", __FILE__, __LINE__);
    return p;
}

void heap_free(void *p)
{
    free(p);
}

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){ .limit = limit };
}

void arena_reset(struct arena *a)
{
    while (a->owned) {
        struct arena_owned *o = a->owned;
        a->owned = o->older;
        if (o->close)
            o->close(o->object);
    }
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->older;
        free(c);
    }
    a->next = a->end = NULL;
    a->used = 0;
}

bool arena_over(const struct arena *a)
{
    return a->limit && a->used > a->limit;
}

static void chunk_add(struct arena *a, size_t need)
{
    size_t size = a->chunks ? a->chunks->size * 2 : CHUNK_MIN;
    struct arena_chunk *c;

    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    if (size < need)
        size = need;
    c = malloc(sizeof(*c) + size);
    if (!c)
        must_failed("out of memory", __FILE__, __LINE__);
    c->size = size;
    c->older = a->chunks;
    a->chunks = c;
    a->next = c->bytes;
    a->end = c->bytes + size;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = (size + alignof(max_align_t) - 1)
                  & ~(alignof(max_align_t) - 1);
    char *p;

    must(need >= size);
    if ((size_t)(a->end - a->next) < need || !a->next)
        chunk_add(a, need);
    p = a->next;
    a->next += need;
    a->used += need;
    return memset(p, 0, need);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    must(!__builtin_mul_overflow(count, size, &bytes));
    return arena_alloc(a, bytes);
}

char *arena_cstr(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

str arena_str(struct arena *a, str s)
{
    return (str){ arena_cstr(a, s), s.n };
}

str arena_cat(struct arena *a, str left, str right)
{
    char *p = arena_alloc(a, left.n + right.n + 1);

    if (left.n)
        memcpy(p, left.p, left.n);
    if (right.n)
        memcpy(p + left.n, right.p, right.n);
    return (str){ p, left.n + right.n };
}

str arena_lower(struct arena *a, str s)
{
    char *p = arena_cstr(a, s);

    for (size_t i = 0; i < s.n; i++)
        p[i] = lower(p[i]);
    return (str){ p, s.n };
}

str arena_vfmt(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    int n;
    char *p;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    must(n >= 0);
    if ((size_t)n < sizeof(small)) {
        va_end(again);
        return arena_str(a, (str){ small, (size_t)n });
    }
    if (n > FMT_MAX)
        n = FMT_MAX;
    p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){ p, (size_t)n };
}

str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    str s;

    va_start(ap, fmt);
    s = arena_vfmt(a, fmt, ap);
    va_end(ap);
    return s;
}

void arena_own(struct arena *a, void (*close)(void *), void *object)
{
    struct arena_owned *o = arena_new(a, struct arena_owned);

    *o = (struct arena_owned){ a->owned, close, object };
    a->owned = o;
}

void arena_disown(struct arena *a, void *object)
{
    struct arena_owned *o = a->owned;

    while (o && o->object != object)
        o = o->older;
    must(o != NULL);
    o->close = NULL;
}

void *vec_room(struct arena *a, void *p, size_t n, size_t *cap, size_t size)
{
    size_t cap_new = *cap ? *cap * 2 : 4;
    void *grown;

    if (n < *cap)
        return p;
    grown = arena_calloc(a, cap_new, size);
    if (n)
        memcpy(grown, p, n * size);
    *cap = cap_new;
    return grown;
}
