/* SPDX-License-Identifier: ISC
 *
 * Constant databases.
 */
#include "table/cdb.h"

struct cdb_slot {
    uint32_t hash, at;
};

struct cdb_maker {
    struct arena *arena;
    struct buf out;
    vec_of(struct cdb_slot) slots;
};

static uint32_t u32_at(str b, uint64_t at)
{
    const unsigned char *p = (const unsigned char *)b.p + at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16
         | (uint32_t)p[3] << 24;
}

static uint32_t cdb_hash(str key)
{
    uint32_t h = 5381;

    for (size_t i = 0; i < key.n; i++)
        h = ((h << 5) + h) ^ (unsigned char)key.p[i];
    return h;
}

/* Where records end: at the first hash table. */
static uint64_t records_end(str b)
{
    uint64_t end = b.n;

    for (int i = 0; i < 256; i++) {
        uint32_t at = u32_at(b, 8 * (uint64_t)i);
        if (at < end)
            end = at;
    }
    return end;
}

bool cdb_plausible(str b)
{
    if (b.n < CDB_HEADER_SIZE)
        return false;
    for (int i = 0; i < 256; i++) {
        uint64_t at = u32_at(b, 8 * (uint64_t)i);
        uint64_t slots = u32_at(b, 8 * (uint64_t)i + 4);
        if (at < CDB_HEADER_SIZE || at + 8 * slots > b.n)
            return false;
    }
    return true;
}

/* The record at a place; false if it does not lie within b. */
static bool record_at(str b, uint64_t at, str *key, str *value)
{
    if (at < CDB_HEADER_SIZE || at + 8 > b.n)
        return false;
    uint64_t key_size = u32_at(b, at), value_size = u32_at(b, at + 4);
    if (at + 8 + key_size + value_size > b.n)
        return false;
    *key = str_of(b.p + at + 8, key_size);
    *value = str_of(b.p + at + 8 + key_size, value_size);
    return true;
}

err cdb_find(str b, str key, str *value)
{
    uint32_t h = cdb_hash(key);
    str found, data;

    if (b.n < CDB_HEADER_SIZE)
        return ERR_CORRUPT;
    uint64_t table = u32_at(b, 8 * (h % 256));
    uint64_t slots = u32_at(b, 8 * (h % 256) + 4);
    if (slots == 0)
        return ERR_ABSENT;
    if (table + 8 * slots > b.n)
        return ERR_CORRUPT;

    uint64_t slot = (h >> 8) % slots;
    for (uint64_t i = 0; i < slots; i++) {
        uint64_t entry = table + 8 * slot;
        uint32_t at = u32_at(b, entry + 4);
        if (at == 0)
            return ERR_ABSENT;
        if (u32_at(b, entry) == h) {
            if (!record_at(b, at, &found, &data))
                return ERR_CORRUPT;
            if (str_eq(found, key)) {
                *value = data;
                return OK;
            }
        }
        slot = slot + 1 == slots ? 0 : slot + 1;
    }
    return ERR_ABSENT;
}

err cdb_walk(str b, uint64_t *at, str *key, str *value)
{
    if (b.n < CDB_HEADER_SIZE)
        return ERR_CORRUPT;
    if (*at == 0)
        *at = CDB_HEADER_SIZE;
    if (*at >= records_end(b))
        return ERR_END;
    if (!record_at(b, *at, key, value))
        return ERR_CORRUPT;
    *at += 8 + key->n + value->n;
    return OK;
}

static void maker_close(void *maker)
{
    struct cdb_maker *m = maker;

    buf_free(&m->out);
}

struct cdb_maker *cdb_make(struct arena *a)
{
    static const char zeros[CDB_HEADER_SIZE];
    struct cdb_maker *m = arena_new(a, struct cdb_maker);

    m->arena = a;
    buf_init(&m->out, NULL, UINT32_MAX);
    arena_own(a, maker_close, m);
    buf_add(&m->out, str_of(zeros, sizeof(zeros)));
    return m;
}

void cdb_add(struct cdb_maker *m, str key, str value)
{
    struct cdb_slot slot = { cdb_hash(key), (uint32_t)m->out.n };

    if (key.n > UINT32_MAX || value.n > UINT32_MAX) {
        m->out.over = true;
        return;
    }
    pack_u32(&m->out, (uint32_t)key.n);
    pack_u32(&m->out, (uint32_t)value.n);
    buf_add(&m->out, key);
    buf_add(&m->out, value);
    vec_push(m->arena, &m->slots, slot);
}

/* Appends hash table number i; by_table are the slots grouped by table. */
static void finish_table(struct cdb_maker *m, int i,
                         const struct cdb_slot *by_table, uint32_t n)
{
    uint32_t n_slots = n * 2; /* half of them empty: short probes */
    struct cdb_slot *table = arena_array(m->arena, struct cdb_slot, n_slots);

    pack_u32_at(&m->out, 8 * (size_t)i, (uint32_t)m->out.n);
    pack_u32_at(&m->out, 8 * (size_t)i + 4, n_slots);
    for (uint32_t j = 0; j < n; j++) {
        uint32_t slot = (by_table[j].hash >> 8) % n_slots;
        while (table[slot].at)
            slot = slot + 1 == n_slots ? 0 : slot + 1;
        table[slot] = by_table[j];
    }
    for (uint32_t j = 0; j < n_slots; j++) {
        pack_u32(&m->out, table[j].hash);
        pack_u32(&m->out, table[j].at);
    }
}

err cdb_finish(struct cdb_maker *m, str *bytes)
{
    struct cdb_slot *sorted;
    uint32_t start[257] = { 0 }, next[256];

    if (m->out.over || m->slots.n > UINT32_MAX / 32)
        return ERR_LIMIT;
    sorted = arena_array(m->arena, struct cdb_slot, m->slots.n);
    for (size_t i = 0; i < m->slots.n; i++)
        start[m->slots.p[i].hash % 256 + 1]++;
    for (int i = 0; i < 256; i++) {
        start[i + 1] += start[i];
        next[i] = start[i];
    }
    for (size_t i = 0; i < m->slots.n; i++)
        sorted[next[m->slots.p[i].hash % 256]++] = m->slots.p[i];
    for (int i = 0; i < 256; i++)
        finish_table(m, i, sorted + start[i], start[i + 1] - start[i]);
    if (m->out.over)
        return ERR_LIMIT;
    *bytes = buf_str(&m->out);
    return OK;
}
