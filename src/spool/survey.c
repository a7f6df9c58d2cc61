/* SPDX-License-Identifier: ISC
 *
 * Looking at a segment of which nothing is sure: its bytes, as far as the
 * disk gives them, the lap that it is in, and where batches are.
 *
 * Which lap it is in (its generation) is taken only from places that nobody
 * who sends mail can write to: the head of the page it begins with, the page
 * behind that, where the first batch with records begins, and, in a segment
 * of 0.1.0, the first record behind the head.  Then all else in it is known
 * by that generation (I0).
 */
#include "spool/log.h"

static bool head_at(str bytes, size_t at, struct record *r,
                    struct batch_head *head)
{
    str there = str_skip(bytes, at);

    if (there.n < SPOOL_RECORD_HEAD || get_u32(there.p) != RECORD_MAGIC)
        return false;
    return !record_get(there, get_u64(there.p + 16), true, r)
           && !batch_head_get(r, head);
}

static bool all_zero(str s)
{
    return s.n == 0 || (s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0);
}

/* A page that cannot be read is taken as zeroes: what was on it is missed. */
static err read_by_page(struct task *t, struct segment *s, char *memory,
                        size_t size)
{
    for (size_t at = 0; at < size; at += BATCH_ALIGN) {
        size_t n = 0;
        err e = file_read(t, s->file, at, memory + at, BATCH_ALIGN, &n);
        if (e == ERR_STOPPED)
            return e;
        if (e)
            s->n_unreadable++;
        memset(memory + at + (e ? 0 : n), 0, BATCH_ALIGN - (e ? 0 : n));
    }
    return OK;
}

err segment_bytes(struct task *t, struct log *lg, struct segment *s,
                  char *memory, str *out)
{
    size_t size = lg->sp->options.segment_size, n = 0;
    err e = file_read(t, s->file, 0, memory, size, &n);

    s->n_unreadable = 0;
    if (e == ERR_STOPPED)
        return e;
    if (e)
        TRY(read_by_page(t, s, memory, size));
    else
        memset(memory + n, 0, size - n);
    *out = str_of(memory, size);
    return OK;
}

/* Whether a batch was ever begun here: else nothing was on the disk, and what
 * there is comes from a lap that was torn at its beginning. */
static bool any_head(str bytes)
{
    struct record r;
    struct batch_head head;

    for (size_t at = 0; at < bytes.n; at += BATCH_ALIGN)
        if (head_at(bytes, at, &r, &head))
            return true;
    return false;
}

/* The head is not to be read.  In a segment of 0.1.0 that begins with an empty
 * page the lap may have changed there (I4), so that nothing behind it can be
 * trusted. */
static void lap_of_headless(struct segment *s, str bytes)
{
    struct record r;
    struct batch_head head;
    str first = str_skip(bytes, record_size(BATCH_PAYLOAD));

    if (all_zero(bytes))
        return;
    s->headless = true;
    if (head_at(bytes, BATCH_ALIGN, &r, &head)
        && (head.n_segments || !all_zero(str_head(bytes, BATCH_ALIGN)))) {
        s->generation = r.generation;
        s->first = head.n_segments ? head.sequence - 1 : 0;
    } else if (get_u32(first.p) == RECORD_MAGIC
               && !record_get(first, get_u64(first.p + 16), true, &r)) {
        s->generation = r.generation;
    } else {
        s->damaged = any_head(bytes);
    }
}

err segment_survey(struct task *t, struct log *lg, struct segment *s,
                   char *memory)
{
    char start[SPOOL_RECORD_HEAD + BATCH_PAYLOAD];
    struct record r;
    struct batch_head head;
    str bytes;
    size_t n = 0;
    err e = file_read(t, s->file, 0, start, sizeof(start), &n);

    s->generation = s->first = 0;
    s->headless = false;
    if (e == ERR_STOPPED)
        return e;
    if (!e && head_at(str_of(start, n), 0, &r, &head)) {
        s->generation = r.generation;
        s->first = head.sequence;
    } else {
        TRY(segment_bytes(t, lg, s, memory, &bytes));
        lap_of_headless(s, bytes);
    }
    if (s->generation > lg->sp->generation)
        lg->sp->generation = s->generation;
    return OK;
}

/* Whether the batch's records are as they were written. */
static bool records_valid(str bytes, uint64_t generation,
                          const struct batch_head *head)
{
    uint32_t crc = 0;
    struct record r;

    bytes = str_skip(bytes, record_size(BATCH_PAYLOAD));
    for (uint32_t n = 0; n < head->n_records; n++) {
        if (record_get(bytes, generation, true, &r))
            return false;
        crc = crc32c(crc, str_head(bytes, SPOOL_RECORD_HEAD));
        bytes = str_skip(bytes, record_size(r.payload.n));
    }
    return crc == head->heads_crc;
}

/* Whether a batch that counts is at the start of bytes. */
static bool batch_get(str bytes, uint64_t generation, struct batch_head *head)
{
    struct record r;

    return !record_get(bytes, generation, true, &r)
           && !batch_head_get(&r, head) && head->size <= bytes.n
           && records_valid(str_head(bytes, head->size), generation, head);
}

size_t batch_next(str bytes, size_t at, const struct segment *s,
                  struct batch_head *head)
{
    for (; at < bytes.n; at += BATCH_ALIGN)
        if (batch_get(str_skip(bytes, at), s->generation, head))
            break;
    return at;
}
