/* SPDX-License-Identifier: ISC
 *
 * Eras of memory.  An arena belongs to a session, a transaction, a command;
 * what is allocated in it lives until the era's edge, where one arena_reset
 * takes everything back.  Allocation cannot fail and zeroes.  Limits are on
 * the era, not on the allocation: an arena over its limit says so by
 * arena_over(), and its session ends politely.
 *
 * I1  Owned objects are closed last in, first out, before any memory goes.
 * I2  An arena that was initialised and never used holds no memory.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena_chunk;
struct arena_owned;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    struct arena_owned *owned;
    char *next, *end;
    size_t used;                /* bytes handed out since the last reset */
    size_t limit;               /* 0: none */
};

/* Prepares an arena; takes no memory yet.  limit in bytes, 0 for none. */
void arena_init(struct arena *a, size_t limit);

/* Closes owned objects and gives all memory back; the arena stays usable. */
void arena_reset(struct arena *a);

/* True once more than the limit was handed out. */
bool arena_over(const struct arena *a);

/* Zeroed memory, aligned for any object; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size)
    __attribute__((malloc, returns_nonnull, alloc_size(2)));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count)                                           \
    ((type *)arena_calloc((a), (count), sizeof(type)))

void *arena_calloc(struct arena *a, size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* A copy of s.  The copy is followed by a NUL, so that .p is libc's too. */
str arena_str(struct arena *a, str s);
char *arena_cstr(struct arena *a, str s);

/* Formatted text, bounded by 64 KiB. */
str arena_fmt(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
str arena_vfmt(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* a and b joined. */
str arena_cat(struct arena *a, str left, str right);

/* An ASCII lower-case copy. */
str arena_lower(struct arena *a, str s);

/* close(object) is called at the next reset. */
void arena_own(struct arena *a, void (*close)(void *), void *object);

/* Takes an object that was owned back; must have been owned. */
void arena_disown(struct arena *a, void *object);

/* Arrays that grow in an arena:  vec_of(str) list = {0};
 * vec_push(a, &list, S("x"));  list.p[i], list.n. */
#define vec_of(type) struct { type *p; size_t n, cap; }
#define vec_push(a, v, x)                                                     \
    ((v)->p = vec_room((a), (v)->p, (v)->n, &(v)->cap, sizeof(*(v)->p)),      \
     (v)->p[(v)->n++] = (x))
void *vec_room(struct arena *a, void *p, size_t n, size_t *cap, size_t size);

/* Objects with lives of their own (a queued message, a connection): base is
 * the only place that says malloc.  Zeroed; cannot fail. */
void *heap_alloc(size_t size)
    __attribute__((malloc, returns_nonnull, alloc_size(1)));
void heap_free(void *p);
#define heap_new(type) ((type *)heap_alloc(sizeof(type)))

/* Grows or shrinks; new bytes are not zeroed. */
void *heap_resize(void *p, size_t size) __attribute__((returns_nonnull));

#endif
