/* SPDX-License-Identifier: ISC
 *
 * The spool alone: writers that seal, note, end and cool messages on a small
 * ring, interrupted by power losses, kills, disk errors and full disks.  The
 * ledger knows what was promised; each recovery is held against it:
 *
 * A  A message whose seal returned OK is there until its end was asked for.
 * B  One whose end is durable never comes back; nor does one that a recovery
 *    did not show.
 * C  One that was never sealed never appears.
 * D  Envelope, notes (a prefix, not less than what was flushed) and body are
 *    as they were given.
 * E  Mail of our own that goes together with the end of another: both or
 *    neither.
 * F  At the end, without faults, everything can be ended and mail comes in.
 * R  Files that were damaged meanwhile take away what lay where the damage
 *    is and nothing else; what is away, or comes back, was said; and nothing
 *    is said without damage.
 */
#include "spool/log.h"
#include "test/world/rot.h"

#include <stdio.h>

enum fate { NOT_SEALED, ASKED, HERE, END_ASKED, AWAY };

struct kept {
    uint64_t id;
    enum fate fate;
    bool end_flushed;
    uint32_t size;
    uint32_t n_notes, n_durable;
    uint64_t partner;       /* E: goes when this one comes; 0: none */
    struct spool_entry *entry; /* of this life */
    bool busy;              /* a worker has it */
    bool seen;
    bool damaged;           /* its body is not to be read */
};

struct box {
    struct run *r;
    struct arena memory;    /* the ledger's */
    vec_of(struct kept *) all;
    struct map by_id;
    uint64_t last_id;
    struct spool_options options;
    uint32_t chunk_max, life_s;
    uint64_t capacity;      /* of the disk at its best, 0: without end */
    bool calm;              /* no new mail, only ends */
    bool rots;              /* files are damaged between lives */
    struct rot rot;
    bool said;              /* in this life or an earlier one */

    struct arena *life;     /* the running process's */
    struct spool *sp;
    bool up, over;          /* recovered; its disk failed or it was stopped */
    bool stop;
    err how;
};

static struct kept *kept_find(struct box *b, uint64_t id)
{
    return map_get(&b->by_id, str_of(&id, sizeof(id)));
}

static struct kept *kept_new(struct box *b)
{
    struct kept *k = arena_new(&b->memory, struct kept);

    k->id = ++b->last_id;
    k->busy = true;
    vec_push(&b->memory, &b->all, k);
    map_put(&b->by_id, str_of(&k->id, sizeof(k->id)), k);
    return k;
}

static char byte_of(uint64_t id, uint64_t at)
{
    return (char)((id * 131 + at * 7 + at / 250) % 253);
}

/* --- a recovery against the ledger --------------------------------------- */

static void check_body(struct task *t, struct box *b, const struct kept *k,
                       const struct spool_entry *e)
{
    char *p = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    uint64_t at = 0;
    str bytes;

    for (uint32_t i = 0; i < e->n_extents; i++) {
        if (spool_read(t, spool_segment_file(b->sp, e->extents[i].segment),
                       &e->extents[i], e->id, p, &bytes)) {
            broken(b->r, "D: body of %" PRIu64 ": %s", k->id, task_why(t));
            break;
        }
        for (size_t j = 0; j < bytes.n; j++, at++)
            if (bytes.p[j] != byte_of(k->id, at)) {
                broken(b->r, "D: body of %" PRIu64 " differs at %" PRIu64,
                       k->id, at);
                heap_free(p);
                return;
            }
    }
    if (at != k->size)
        broken(b->r, "D: body of %" PRIu64 " has %" PRIu64 " bytes, not %u",
               k->id, at, k->size);
    heap_free(p);
}

/* "ID SIZE NOTES": the notes that are in it already. */
static bool envelope_read(str s, uint64_t *id, uint64_t *size, uint64_t *n)
{
    str part;

    return str_cut(&s, ' ', &part) && str_uint(part, UINT64_MAX / 2, id)
           && str_cut(&s, ' ', &part) && str_uint(part, UINT32_MAX, size)
           && str_uint(s, UINT32_MAX, n);
}

static void check_notes(struct box *b, struct kept *k,
                        const struct spool_found *f)
{
    uint64_t id = 0, size = 0, n = 0, one;

    if (!envelope_read(f->envelope, &id, &size, &n) || id != k->id
        || size != k->size) {
        broken(b->r, "D: envelope of %" PRIu64 ": %.*s", k->id,
               STR(f->envelope));
        return;
    }
    for (size_t i = 0; i < f->notes.n; i++, n++) {
        if (!str_uint(f->notes.p[i].body, UINT32_MAX, &one)
            || (b->rot.n ? one <= n : one != n + 1))
            broken(b->r, "D: note %zu of %" PRIu64 " is %.*s, not %" PRIu64,
                   i, k->id, STR(f->notes.p[i].body), n + 1);
        n = one - 1;
    }
    if ((n < k->n_durable && !b->rot.n) || n > k->n_notes)
        broken(b->r, "D: %" PRIu64 " notes of %" PRIu64 ", not %u to %u", n,
               k->id, k->n_durable, k->n_notes);
    k->n_notes = k->n_durable = (uint32_t)n;
}

/* Whether something is damaged and the spool says so. */
static bool was_said(const struct box *b)
{
    return b->rot.n > 0
           && (b->sp->damage.n > 0 || b->said); /* a file that was put aside */
}

static void check_found(struct task *t, struct box *b,
                        const struct spool_found *f)
{
    struct kept *k = kept_find(b, f->entry->id);

    if (!k || k->fate == NOT_SEALED) {
        broken(b->r, "C: %" PRIu64 " was never sealed", f->entry->id);
        return;
    }
    if (k->seen)
        broken(b->r, "B: %" PRIu64 " is there twice", k->id);
    if ((k->fate == AWAY || k->end_flushed) && !was_said(b))
        broken(b->r, "B: %" PRIu64 " has come back", k->id);
    if (f->damaged && !(rot_hit(&b->rot, k->id) && was_said(b)))
        broken(b->r, "R: %" PRIu64 " is damaged", k->id);
    k->damaged = f->damaged;
    k->end_flushed = false;
    k->seen = true;
    k->entry = f->entry;
    f->entry->owner = k;
    check_notes(b, k, f);
    if (!k->damaged)
        check_body(t, b, k, f->entry);
}

static void check_missing(struct box *b)
{
    for (size_t i = 0; i < b->all.n; i++) {
        struct kept *k = b->all.p[i];
        struct kept *p = k->partner ? kept_find(b, k->partner) : NULL;
        if (!k->seen && k->fate == HERE && !rot_hit(&b->rot, k->id))
            broken(b->r, "A: %" PRIu64 " is lost", k->id);
        if (!k->seen && k->fate == HERE && !was_said(b))
            broken(b->r, "R: nobody heard of the loss of %" PRIu64, k->id);
        if (p && k->fate == ASKED && k->seen == p->seen && !b->rot.n)
            broken(b->r, "E: %" PRIu64 " and %" PRIu64 " are both %s", k->id,
                   p->id, k->seen ? "there" : "away");
    }
    for (size_t i = 0; i < b->all.n; i++) {
        struct kept *k = b->all.p[i];
        k->fate = k->seen ? HERE : k->fate == NOT_SEALED ? NOT_SEALED : AWAY;
        k->partner = 0;
    }
}

static err recover(struct task *t, struct box *b)
{
    struct spool_found f;
    err e;

    for (size_t i = 0; i < b->all.n; i++) {
        b->all.p[i]->seen = b->all.p[i]->busy = false;
        b->all.p[i]->entry = NULL;
    }
    if (b->sp->damage.n > 0 && !b->rot.n)
        broken(b->r, "R: said without damage: %.*s",
               STR(b->sp->damage.p[0]));
    while (!(e = spool_found_next(t, b->sp, &f)))
        check_found(t, b, &f);
    check_missing(b);
    b->said |= b->sp->damage.n > 0;
    b->r->tally->recoveries++;
    return e == ERR_END ? OK : e;
}

/* --- work ---------------------------------------------------------------- */

static void pack(void *self, struct spool_entry *e, struct buf *to)
{
    struct box *b = self;
    struct kept *k = kept_find(b, e->id);

    buf_fmt(to, "%" PRIu64 " %u %u", k->id, k->size, k->n_notes);
}

static err put_chunks(struct task *t, struct box *b, struct kept *k,
                      struct spool_draft *d, uint32_t size)
{
    char *p = heap_alloc(b->chunk_max);
    err e = OK;

    while (k->size < size && !e) {
        uint32_t left = size - k->size;
        uint32_t n = 1 + (uint32_t)below(t, left < b->chunk_max
                                                ? left : b->chunk_max);
        for (uint32_t i = 0; i < n; i++)
            p[i] = byte_of(k->id, k->size + i);
        e = spool_chunk(t, b->sp, d, str_of(p, n));
        if (!e)
            k->size += n;
        if (!e && one_in(t, 4))
            e = task_sleep(t, after_ms(t, (int64_t)below(t, 40)));
    }
    heap_free(p);
    return e;
}

static uint32_t size_of_mail(struct task *t, const struct box *b)
{
    uint64_t kind = below(t, 8);

    return kind < 3 ? (uint32_t)below(t, 60)
         : kind < 7 ? (uint32_t)below(t, 4000)
                    : (uint32_t)below(t, b->options.segment_size / 3);
}

static str envelope_of(const struct kept *k, char text[64])
{
    int n = snprintf(text, 64, "%" PRIu64 " %u 0", k->id, k->size);

    return str_of(text, (size_t)n);
}

/* A message from begin to seal. */
static err put(struct task *t, struct box *b)
{
    struct kept *k = kept_new(b);
    struct spool_draft *d = spool_begin(b->sp, k->id);
    char text[64];
    err e = put_chunks(t, b, k, d, size_of_mail(t, b));

    if (e || one_in(t, 10)) {
        spool_abort(b->sp, d);
        return e;
    }
    k->fate = ASKED;
    e = spool_seal(t, b->sp, d, envelope_of(k, text), &k->entry);
    if (e == ERR_LIMIT)
        k->fate = NOT_SEALED;
    if (e)
        return e;
    k->entry->owner = k;
    k->fate = HERE;
    k->busy = false;
    sim_say(t, "sealed %" PRIu64, k->id);
    b->r->tally->sealed++;
    return OK;
}

static struct kept *some(struct task *t, struct box *b)
{
    size_t n = b->all.n, from;

    if (n == 0)
        return NULL;
    from = below(t, n);
    for (size_t i = 0; i < n; i++) {
        struct kept *k = b->all.p[(from + i) % n];
        if (k->fate == HERE && k->entry && !k->busy)
            return k;
    }
    return NULL;
}

static err note(struct task *t, struct box *b, struct kept *k)
{
    char text[16];
    int n;
    err e;

    k->busy = true;
    n = snprintf(text, sizeof(text), "%u", k->n_notes + 1);
    e = spool_note(t, b->sp, k->entry, 1, str_of(text, (size_t)n));
    if (!e)
        k->n_notes++;
    k->busy = false;
    return e;
}

static err end(struct task *t, struct box *b, struct kept *k)
{
    err e;

    k->busy = true;
    e = spool_end(t, b->sp, k->entry);
    k->busy = false;
    if (e)
        return e;
    sim_say(t, "ended %" PRIu64, k->id);
    k->fate = END_ASKED;
    k->entry = NULL;
    b->r->tally->ended++;
    return OK;
}

/* E: a small message takes the place of k. */
static err replace(struct task *t, struct box *b, struct kept *k)
{
    struct kept *new = kept_new(b);
    struct spool_draft *d;
    char text[64];
    err e;

    k->busy = true;
    e = spool_together(t, b->sp, 1024);
    if (e || k->entry->log->which == LOG_COLD) { /* not one batch then */
        k->busy = false;
        return e;
    }
    d = spool_begin(b->sp, new->id);
    new->size = 40;
    for (uint32_t i = 0; i < new->size; i++)
        text[i] = byte_of(new->id, i);
    e = spool_chunk(t, b->sp, d, str_of(text, new->size));
    if (e) {
        broken(b->r, "E: no room after spool_together");
        spool_abort(b->sp, d);
        return e;
    }
    new->fate = ASKED;
    new->partner = k->id;
    TRY(spool_seal_later(t, b->sp, d, envelope_of(new, text), &new->entry));
    new->entry->owner = new;
    return end(t, b, k); /* new stays busy: its seal is not known durable */
}

/* What was asked before a flush is durable after it. */
static err flush(struct task *t, struct box *b)
{
    struct arena a;
    vec_of(struct kept *) ends = { 0 }, seals = { 0 };
    uint32_t *notes;
    size_t n = b->all.n;
    err e;

    arena_init(&a, 0);
    notes = arena_array(&a, uint32_t, n);
    for (size_t i = 0; i < n; i++) {
        struct kept *k = b->all.p[i];
        notes[i] = k->n_notes;
        if (k->fate == END_ASKED)
            vec_push(&a, &ends, k);
        if (k->fate == ASKED && k->partner)
            vec_push(&a, &seals, k);
    }
    e = spool_flush(t, b->sp);
    sim_say(t, "flushed: %s", err_name(e));
    for (size_t i = 0; i < n && !e; i++)
        b->all.p[i]->n_durable = notes[i];
    for (size_t i = 0; i < ends.n && !e; i++)
        ends.p[i]->end_flushed = true;
    for (size_t i = 0; i < seals.n && !e; i++) {
        if (seals.p[i]->fate != ASKED)
            continue; /* another flush was faster, and it has ended since */
        seals.p[i]->fate = HERE;
        seals.p[i]->partner = 0;
        seals.p[i]->busy = false;
    }
    arena_reset(&a);
    return e;
}

static err cool(struct task *t, struct box *b, struct kept *k)
{
    err e;

    k->busy = one_in(t, 2); /* or it is noted and ended meanwhile */
    e = spool_cool(t, b->sp, k->entry);
    k->busy = false;
    sim_say(t, "cooled %" PRIu64 ": %s", k->id, err_name(e));
    if (!e)
        b->r->tally->cooled++;
    return e;
}

static err work_once(struct task *t, struct box *b)
{
    uint64_t what = below(t, 20);
    struct kept *k = some(t, b);

    if (!b->calm && (!k || what < 8))
        return put(t, b);
    if (!k)
        return OK;
    if (b->calm || what < 13)
        return end(t, b, k);
    if (what < 17)
        return note(t, b, k);
    if (what == 17)
        return cool(t, b, k);
    if (what == 18)
        return replace(t, b, k);
    return flush(t, b);
}

static err worker(struct task *t, void *arg)
{
    struct box *b = arg;
    err e = OK;

    while (!e || e == ERR_LIMIT) {
        e = work_once(t, b);
        b->r->tally->full += e == ERR_LIMIT;
        TRY(task_sleep(t, after_ms(t, 1 + (int64_t)below(t, 60))));
    }
    return e;
}

/* --- one life of the process --------------------------------------------- */

static err run_spool(struct task *t, void *arg)
{
    struct box *b = arg;
    err e = spool_run(t, b->sp);

    b->how = e;
    b->over = true;
    return e;
}

static err live(struct task *t, struct box *b)
{
    struct spool_owner owner = { b, pack };
    struct task_group g;
    struct dir *dir;
    err e;

    TRY(dir_open(t, NULL, S("spool"), &dir));
    arena_own(b->life, dir_close_any, dir);
    TRY(spool_open(t, b->life, dir, &b->options, owner, &b->sp));
    TRY(recover(t, b));
    b->up = true;
    group_open(t, &g);
    group_go(&g, "spool", run_spool, b);
    for (int i = 0; i < 6; i++)
        group_go(&g, "worker", worker, b);
    while (!b->stop && !b->over)
        TRY(task_sleep(t, after_ms(t, 50)));
    if (b->stop && !b->over) {
        e = flush(t, b);
        err_ignore(e); /* its disk failed just now */
    }
    group_close(t, &g);
    return b->over ? b->how : OK;
}

static err process(struct task *t, void *arg)
{
    struct box *b = arg;
    err e = live(t, b);

    b->how = e;
    b->over = true;
    return OK; /* what it says is not the test's */
}

static void set_faults(struct task *t, struct box *b, bool calm)
{
    struct sim_faults *f = sim_faults(t);

    *f = (struct sim_faults){ .sync_lies = b->r->mutant == MUTANT_EARLY_ACK,
                              .capacity = b->capacity };
    if (calm)
        return;
    f->sync_slow = one_in(t, 3) ? 20000 : 0;
    f->sync_fails = one_in(t, 3) ? 2000 : 0;
    f->write_fails = one_in(t, 5) ? 2000 : 0;
    if (one_in(t, 3) && !b->capacity)
        f->capacity = b->options.segment_size * (5 + below(t, 8));
}

static void interrupt(struct task *t, struct box *b, uint32_t process_number)
{
    uint64_t how = below(t, 8);

    if (how < 4) {
        sim_power_loss(t);
        b->r->tally->crashes++;
    } else if (how < 7) {
        sim_process_kill(t, process_number);
        b->r->tally->kills++;
    } else {
        b->stop = true;
        for (int i = 0; i < 4000 && !b->over; i++)
            err_ignore(task_sleep(t, after_ms(t, 20)));
        if (!b->over)
            broken(b->r, "F: it does not stop");
        sim_process_kill(t, process_number);
        b->r->tally->kills++;
    }
}

/* While nobody runs. */
static void maybe_rot(struct task *t, struct box *b)
{
    struct dir *dir;

    /* of what a failed sync leaves behind nobody knows which batch is last */
    if (!b->rots || b->over || one_in(t, 4)
        || dir_open(t, NULL, S("spool"), &dir))
        return;
    rot_once(t, &b->rot, dir, b->options.segment_size);
    dir_close(dir);
    b->r->tally->rotted++;
}

static bool all_ended(const struct box *b)
{
    for (size_t i = 0; i < b->all.n; i++) {
        const struct kept *k = b->all.p[i];
        if (k->fate == HERE)
            return false;
    }
    return true;
}

/* What stands where, for who has to find out why. */
static void show_ring(struct task *t, const struct box *b)
{
    for (int i = 0; b->sp && i < N_LOGS; i++) {
        const struct log *lg = &b->sp->logs[i];
        sim_say(t, "log %d: %u free, tail at %u, open %u+%u", i,
                log_free(lg), lg->tail_at, lg->open.n, lg->open.cap);
        list_each(l, &lg->segments) {
            const struct segment *s = container_of(l, struct segment, link);
            sim_say(t, "  segment %x generation %" PRIu64 ": %u alive, %"
                    PRIu64 " bytes%s", s->number, s->generation, s->live,
                    s->live_bytes, s == lg->tail ? ", tail" : "");
        }
    }
}

/* F: everything ends, and then mail comes in. */
static void wait_calm(struct task *t, struct box *b)
{
    when until = after_s(t, 120);
    uint64_t before;

    while (!(b->up && all_ended(b)) && rt_now(t) < until && !b->over)
        err_ignore(task_sleep(t, after_ms(t, 100)));
    if (b->over)
        broken(b->r, "F: the spool failed without a fault: %s",
               err_name(b->how));
    else if (!all_ended(b))
        broken(b->r, "F: not everything could be ended");
    show_ring(t, b);
    before = b->r->tally->sealed;
    b->calm = false;
    until = after_s(t, 60);
    while (b->r->tally->sealed == before && rt_now(t) < until && !b->over)
        err_ignore(task_sleep(t, after_ms(t, 100)));
    if (b->r->tally->sealed == before)
        broken(b->r, "F: no mail comes in any more");
    b->calm = true;
}

static void one_life(struct task *t, struct box *b, bool last)
{
    struct arena life;
    struct task_group g;
    uint32_t number = sim_process_new(t);
    struct spool_stats stats;

    arena_init(&life, 0);
    b->life = &life;
    b->sp = NULL;
    b->up = b->over = b->stop = false;
    b->calm = last;
    set_faults(t, b, last);
    group_open(t, &g);
    sim_process_go(t, &g, number, "spool", process, b);
    if (last) {
        wait_calm(t, b);
        sim_process_kill(t, number);
    } else {
        when until = after_ms(t, (int64_t)below(t, b->life_s * 1000));
        while (rt_now(t) < until && !b->over)
            err_ignore(task_sleep(t, after_ms(t, 1 + (int64_t)below(t, 30))));
        b->r->tally->io_errors += b->over;
        interrupt(t, b, number);
    }
    group_close(t, &g);
    if (b->sp) {
        spool_stats(b->sp, &stats);
        b->r->tally->copied += stats.n_copied;
    }
    /* its memory is left as it was: this process ends with the seed */
}

err spool_scenario(struct task *t, void *arg)
{
    static const uint32_t sizes[] = { 65536, 131072, 262144 };
    struct box *b = heap_new(struct box);
    uint64_t n_lives;
    struct dir *root;

    b->r = arg;
    arena_init(&b->memory, 0);
    map_init(&b->by_id, false);
    map_init(&b->rot.hit, false);
    arena_init(&b->rot.memory, 0);
    b->rots = !one_in(t, 3);
    b->options.segment_size = sizes[below(t, 3)];
    b->options.segments_start = 3 + (uint32_t)below(t, 3);
    b->options.segments_max = 6 + (uint32_t)below(t, 4);
    if (one_in(t, 3)) { /* the disk is the bound */
        b->options.segments_max = 0;
        b->options.disk_free_min = b->options.segment_size * 2;
        b->capacity = b->options.segment_size * (14 + below(t, 10));
    }
    b->chunk_max = b->options.segment_size / 8;
    b->life_s = 2 + (uint32_t)below(t, 10);
    TRY(dir_make(t, NULL, S("spool"), 0700));
    TRY(dir_open(t, NULL, S("/"), &root));
    TRY(dir_sync(t, root));
    dir_close(root);
    n_lives = 2 + below(t, 5);
    for (uint64_t i = 0; i < n_lives; i++) {
        one_life(t, b, false);
        maybe_rot(t, b);
    }
    one_life(t, b, true);
    one_life(t, b, true); /* and what was ended stays ended */
    b->r->tally->virtual_s += (uint64_t)rt_now(t) / 1000000;
    return OK;
}
