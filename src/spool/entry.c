/* SPDX-License-Identifier: ISC
 *
 * Entries: which records of a message are alive, and where.
 */
#include "spool/log.h"

static void count(struct spool *sp, const struct spool_entry *e, bool add)
{
    void (*change)(struct segment *, uint32_t) =
        add ? segment_live_add : segment_live_del;

    change(segment_find(sp, e->env_segment), e->env_size);
    for (uint32_t i = 0; i < e->n_extents; i++)
        change(segment_find(sp, e->extents[i].segment),
               (uint32_t)record_size(e->extents[i].size));
}

struct spool_entry *entry_new(struct log *lg, uint64_t id,
                              struct env_place env, const struct extent *x,
                              uint32_t n)
{
    struct spool_entry *e = heap_new(struct spool_entry);

    e->id = id;
    e->log = lg;
    e->env_segment = env.segment;
    e->env_size = env.size;
    e->n_extents = n;
    e->extents = heap_alloc(n * sizeof(*x));
    if (n)
        memcpy(e->extents, x, n * sizeof(*x));
    list_add_last(&lg->sp->live, &e->link);
    count(lg->sp, e, true);
    lg->sp->stats.n_messages++;
    return e;
}

void entry_drop(struct spool *sp, struct spool_entry *e)
{
    list_del(&e->link);
    count(sp, e, false);
    sp->stats.n_messages--;
    keep_ring(sp);
    heap_free(e->extents);
    heap_free(e);
}

void entry_swap(struct spool_entry *a, struct spool_entry *b)
{
    struct spool_entry was = *a;

    must(a->id == b->id);
    a->log = b->log;
    a->env_segment = b->env_segment;
    a->env_size = b->env_size;
    a->n_extents = b->n_extents;
    a->extents = b->extents;
    b->log = was.log;
    b->env_segment = was.env_segment;
    b->env_size = was.env_size;
    b->n_extents = was.n_extents;
    b->extents = was.extents;
}

void found_drop(struct spool *sp, struct found *f)
{
    uint64_t id = f->f.entry->id;

    map_del(&sp->entries, str_of(&id, sizeof(id)));
    list_del(&f->link);
    entry_drop(sp, f->f.entry);
    arena_reset(&f->arena);
    heap_free(f);
}
