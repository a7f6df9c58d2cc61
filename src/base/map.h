/* SPDX-License-Identifier: ISC
 *
 * Maps from byte strings (or numbers) to pointers.  Keyed SipHash, so that a
 * client cannot choose colliding keys; walking goes in order of insertion, so
 * that behaviour never depends on the seed.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_item {
    str key;          /* borrowed: must live as long as the item */
    void *value;      /* NULL: a deleted item */
    uint64_t hash;
};

struct map {
    struct map_item *items; /* in order of insertion, with gaps */
    size_t n_items, cap_items;
    uint32_t *slots;        /* index + 1 into items, 0 empty */
    size_t n_slots;
    size_t n;               /* living items */
    bool fold;              /* keys compare without regard to ASCII case */
};

/* An empty map; takes no memory until the first put.  Ends with map_free. */
void map_init(struct map *m, bool fold);
void map_free(struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, str key);

/* Stores or replaces; value must not be NULL; key is borrowed.  Returns the
 * value that was there before, or NULL (then the new key is kept). */
void *map_put(struct map *m, str key, void *value);

/* Removes and returns the value, or NULL. */
void *map_del(struct map *m, str key);

/* Walks in order of insertion; *at starts at 0.  The map may not grow
 * meanwhile; deleting is allowed. */
bool map_next(const struct map *m, size_t *at, str *key, void **value);

/* A map in an arena: freed at its edge. */
struct arena;
struct map *map_new(struct arena *a, bool fold);

/* Sets the key of all hashes; once, before the first map (rt does it). */
void map_seed(uint64_t k0, uint64_t k1);

/* SipHash-1-3 of s under that key. */
uint64_t str_hash(str s, bool fold);

#endif
