/* SPDX-License-Identifier: ISC
 *
 * Open addressing over a dense array of items.  Deleted items leave a gap
 * (value NULL) that the next rebuild closes; slots of deleted items stay, so
 * that probing needs no tombstones.
 */
#include "base/map.h"

#include "base/arena.h"
#include "base/must.h"

#include <string.h>

static uint64_t seed0 = 0x0706050403020100, seed1 = 0x0f0e0d0c0b0a0908;

void map_seed(uint64_t k0, uint64_t k1)
{
    seed0 = k0;
    seed1 = k1;
}

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0]; v[0] = rotl(v[0], 32);
    v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2];
    v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0];
    v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2]; v[2] = rotl(v[2], 32);
}

uint64_t str_hash(str s, bool fold)
{
    uint64_t v[4] = { seed0 ^ 0x736f6d6570736575, seed1 ^ 0x646f72616e646f6d,
                      seed0 ^ 0x6c7967656e657261, seed1 ^ 0x7465646279746573 };
    uint64_t word = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = fold ? lower(s.p[i]) : s.p[i];
        word |= (uint64_t)(unsigned char)c << (8 * (i & 7));
        if ((i & 7) == 7) {
            v[3] ^= word;
            sip_round(v);
            v[0] ^= word;
            word = 0;
        }
    }
    word |= (uint64_t)s.n << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, bool fold)
{
    *m = (struct map){ .fold = fold };
}

void map_free(struct map *m)
{
    heap_free(m->items);
    heap_free(m->slots);
    map_init(m, m->fold);
}

static void map_close(void *m)
{
    map_free(m);
}

struct map *map_new(struct arena *a, bool fold)
{
    struct map *m = arena_new(a, struct map);

    map_init(m, fold);
    arena_own(a, map_close, m);
    return m;
}

/* The slot that leads to key, or the empty slot where it would go. */
static size_t slot_of(const struct map *m, str key, uint64_t hash)
{
    size_t mask = m->n_slots - 1;
    size_t at = hash & mask;

    for (; m->slots[at]; at = (at + 1) & mask) {
        const struct map_item *it = &m->items[m->slots[at] - 1];
        if (it->hash == hash && it->value
            && (m->fold ? str_ieq(it->key, key) : str_eq(it->key, key)))
            break;
    }
    return at;
}

static void rebuild(struct map *m)
{
    size_t n = 0;
    size_t cap = m->n < 6 ? 8 : m->n * 2;

    for (size_t i = 0; i < m->n_items; i++)
        if (m->items[i].value)
            m->items[n++] = m->items[i];
    must(n == m->n);
    m->n_items = n;
    m->items = heap_resize(m->items, cap * sizeof(*m->items));
    m->cap_items = cap;
    m->n_slots = 16;
    while (m->n_slots < cap * 2)
        m->n_slots *= 2;
    heap_free(m->slots);
    m->slots = heap_alloc(m->n_slots * sizeof(*m->slots));
    for (size_t i = 0; i < n; i++) {
        size_t at = m->items[i].hash & (m->n_slots - 1);
        while (m->slots[at])
            at = (at + 1) & (m->n_slots - 1);
        m->slots[at] = (uint32_t)i + 1;
    }
}

void *map_get(const struct map *m, str key)
{
    size_t at;

    if (m->n == 0)
        return NULL;
    at = slot_of(m, key, str_hash(key, m->fold));
    return m->slots[at] ? m->items[m->slots[at] - 1].value : NULL;
}

void *map_put(struct map *m, str key, void *value)
{
    uint64_t hash = str_hash(key, m->fold);
    size_t at;

    must(value != NULL);
    if (m->n_items == m->cap_items)
        rebuild(m);
    at = slot_of(m, key, hash);
    if (m->slots[at]) {
        struct map_item *it = &m->items[m->slots[at] - 1];
        void *before = it->value;
        it->value = value;
        return before;
    }
    m->items[m->n_items++] = (struct map_item){ key, value, hash };
    m->slots[at] = (uint32_t)m->n_items;
    m->n++;
    return NULL;
}

void *map_del(struct map *m, str key)
{
    size_t at;
    void *before;

    if (m->n == 0)
        return NULL;
    at = slot_of(m, key, str_hash(key, m->fold));
    if (!m->slots[at])
        return NULL;
    before = m->items[m->slots[at] - 1].value;
    m->items[m->slots[at] - 1].value = NULL;
    m->items[m->slots[at] - 1].key = (str){ NULL, 0 };
    m->n--;
    return before;
}

bool map_next(const struct map *m, size_t *at, str *key, void **value)
{
    while (*at < m->n_items) {
        const struct map_item *it = &m->items[(*at)++];
        if (it->value) {
            *key = it->key;
            *value = it->value;
            return true;
        }
    }
    return false;
}
