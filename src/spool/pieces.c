/* SPDX-License-Identifier: ISC
 *
 * Reading a job's text.  A piece that fails is asked for; it is damaged if it
 * fails again at the same place.
 */
#include "spool/pieces.h"

enum { ANSWER_S = 300, MOVES_MAX = 20 };

void pieces_open(struct pieces *p, const struct pieces_from *from,
                 const struct job *job, const uint64_t *id)
{
    *p = (struct pieces){ .from = *from, .job = job, .id = id,
                          .x = job->extents, .n = job->n_known };
}

void pieces_close(struct pieces *p)
{
    heap_free(p->told);
    heap_free(p->memory);
    p->told = NULL;
    p->memory = NULL;
}

static bool is_known(const struct pieces *p, uint32_t i)
{
    return i >= p->first && i - p->first < p->n;
}

static err read_known(struct task *t, struct pieces *p,
                      const struct extent *x, str *out)
{
    struct file *f = p->from.file(p->from.self, x->segment);

    if (!f)
        return why(t, ERR_CORRUPT, "segment %u was not passed", x->segment);
    if (!p->memory)
        p->memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    return spool_read(t, f, x, p->job->message, p->memory, out);
}

static err ask(struct task *t, struct pieces *p, uint32_t i)
{
    when until = after_s(t, ANSWER_S);
    struct port *port = p->from.port(p->from.self);
    struct buf b;
    err e = OK;

    if (!port)
        return why(t, ERR_IO, "the queue manager is gone");
    buf_init(&b, NULL, 16);
    pack_u32(&b, i);
    p->answered = false;
    list_add_last(p->from.asking, &p->link);
    port_answer(port, &(struct frame){ .type = FACE_PLACES, .id = *p->id,
                                       .body = buf_str(&b), .fd = -1 });
    buf_free(&b);
    while (!e && !p->answered && p->from.port(p->from.self) == port)
        e = bell_wait(t, &p->came, until);
    if (!p->answered)
        list_del(&p->link);
    if (e == ERR_LATE)
        return why(t, ERR_CORRUPT, "the queue manager does not say where it "
                   "is");
    TRY(e);
    return p->answered ? OK : why(t, ERR_IO, "the queue manager is gone");
}

static bool same_place(const struct extent *a, const struct extent *b)
{
    return a->segment == b->segment && a->offset == b->offset
           && a->generation == b->generation;
}

err pieces_read(struct task *t, struct pieces *p, uint32_t i, str *out)
{
    struct extent tried = { 0 };
    bool any = false;

    for (int n = 0; n < MOVES_MAX; n++) {
        if (is_known(p, i)) {
            const struct extent *x = &p->x[i - p->first];
            bool again = any && same_place(&tried, x);
            err e = read_known(t, p, x, out);
            if (e != ERR_CORRUPT || again)
                return e;
            tried = *x;
            any = true;
        }
        TRY(ask(t, p, i));
    }
    return why(t, ERR_CORRUPT, "the message is moved all the time");
}

/* Whoever asked for these gets them. */
static void give(struct link *asking, uint64_t id, uint32_t first,
                 const struct extent *x, uint32_t n)
{
    list_each(l, asking) {
        struct pieces *p = container_of(l, struct pieces, link);
        if (*p->id != id)
            continue;
        list_del(l);
        if (!p->told)
            p->told = heap_alloc(PLACES_MAX * sizeof(*p->told));
        memcpy(p->told, x, n * sizeof(*x));
        p->x = p->told;
        p->first = first;
        p->n = n;
        p->answered = true;
        bell_ring(&p->came);
    }
}

err pieces_came(struct task *t, struct link *asking, const struct frame *f)
{
    struct extent x[PLACES_MAX];
    struct unpack u = unpack_of(f->body);
    uint32_t first = unpack_u32(&u);
    uint32_t n = unpack_count(&u, EXTENT_PACKED);

    if (n > PLACES_MAX)
        return why(t, ERR_PEER, "%u places at once", n);
    for (uint32_t i = 0; i < n; i++) {
        extent_unpack(&u, &x[i]);
        if (x[i].size > SPOOL_CHUNK_MAX)
            return why(t, ERR_PEER, "a piece of %u bytes", x[i].size);
    }
    if (!unpack_end(&u))
        return why(t, ERR_PEER, "places that do not unpack");
    give(asking, f->id, first, x, n);
    return OK;
}

void pieces_wake(struct link *asking)
{
    list_each(l, asking)
        bell_ring(&container_of(l, struct pieces, link)->came);
}

err places_asked(const struct frame *f, uint32_t *first)
{
    struct unpack u = unpack_of(f->body);

    *first = unpack_u32(&u);
    return unpack_end(&u) ? OK : ERR_PEER;
}

void places_pack(struct buf *b, const struct extent *x, uint32_t total,
                 uint32_t first)
{
    uint32_t n = total - first < PLACES_MAX ? total - first : PLACES_MAX;

    pack_u32(b, first);
    pack_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        extent_pack(b, &x[first + i]);
}
