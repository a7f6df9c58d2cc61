/* SPDX-License-Identifier: ISC
 *
 * Mail we have answered for: an append-only log of pre-zeroed segments that
 * are recycled for ever, with group commit.  One process opens a spool, and
 * within it one owner (the queue manager); see spool/record.h for the format
 * and its invariants.
 *
 * The spool knows messages by number and treats their envelopes and notes as
 * opaque bytes.  What makes it durable is spool_seal: when it returned OK the
 * message survives a power loss.  Notes and ends ride with the next batch or
 * a timer of 100 ms: after a crash mail may be delivered twice, never zero
 * times.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "spool/read.h"

struct spool;
struct spool_draft;

struct spool_options {
    uint32_t segment_size;   /* bytes, a multiple of 4096; 0: 16 MiB */
    uint32_t segments_start; /* made at the first start; 0: 4 */
    uint32_t segments_max;   /* of each log; 0: as many as the disk holds */
    uint64_t disk_free_min;  /* queue_minfree: no new segments below it */
    bool read_only;          /* look at it without writing: only found_next
                                and segment_file are allowed then */
};

/* One message in the spool, from its seal to its end. */
struct spool_entry {
    struct link link;        /* the spool's own */
    uint64_t id;
    void *owner;             /* the owner's own; NULL: not to be packed, it is
                                being sealed or ended */
    struct log *log;         /* the log that holds it now */
    uint32_t env_segment, env_size;
    uint32_t n_extents;
    struct extent *extents;
    bool moving;             /* a copy is being made */
    bool damaged;            /* no copy can be made */
    bool ended;
};

/* What the spool asks its owner, when it copies a message forward: to pack
 * the message's envelope and state as they are now. */
struct spool_owner {
    void *self;
    void (*pack)(void *self, struct spool_entry *entry, struct buf *to);
    /* Its text has turned out to be damaged: it cannot be copied, and keeps
     * its segment, until it is ended.  NULL: nobody cares. */
    void (*damaged)(void *self, struct spool_entry *entry);
};

/* Opens the spool in dir (made if missing) and recovers what is in it.
 * Everything lives in a. */
err spool_open(struct task *t, struct arena *a, struct dir *dir,
               const struct spool_options *options, struct spool_owner owner,
               struct spool **out);

/* Hands over recovered messages, oldest first; ERR_END after the last.  The
 * envelope is as sealed or as last packed, the notes follow in order; both
 * stay until the next call. */
struct spool_note { uint16_t kind; str body; };
struct spool_found {
    struct spool_entry *entry;
    str envelope;
    vec_of(struct spool_note) notes;
    bool damaged;            /* not all of its text can be read */
};
err spool_found_next(struct task *t, struct spool *sp,
                     struct spool_found *out);

/* Commits batches and keeps segments ready, until cancelled or until the
 * disk fails (ERR_IO: the role must end; nothing is retried). */
err spool_run(struct task *t, struct spool *sp);

/* Commits what is open now, and waits for it.  ERR_LIMIT: all but some ends,
 * for which there was no room. */
err spool_flush(struct task *t, struct spool *sp);

/* The same at the end, when nothing more will come: what was written last is
 * marked as whole. */
err spool_close(struct task *t, struct spool *sp);

/* A message coming in.  id must be new and greater than any before. */
struct spool_draft *spool_begin(struct spool *sp, uint64_t id);

/* Adds body bytes, at most SPOOL_CHUNK_MAX at once.  May wait for room. */
err spool_chunk(struct task *t, struct spool *sp, struct spool_draft *d,
                str bytes);

/* Whether its commit record would have room for another piece and an envelope
 * of so many bytes; one that may grow needs that room from the start. */
bool spool_draft_fits(const struct spool *sp, const struct spool_draft *d,
                      size_t envelope);

/* The commit record.  Waits until it is on disk; the draft is gone either
 * way.  ERR_LIMIT: no room; ERR_IO: unknown, the message was not accepted. */
err spool_seal(struct task *t, struct spool *sp, struct spool_draft *d,
               str envelope, struct spool_entry **out);
void spool_abort(struct spool *sp, struct spool_draft *d);

/* Makes room, so that the appends that follow without any other wait, of at
 * most bytes together, lie in one batch: all of them or none. */
err spool_together(struct task *t, struct spool *sp, size_t bytes);

/* As spool_seal, without waiting for the disk; for mail of our own that goes
 * together with the end of the mail it is about. */
err spool_seal_later(struct task *t, struct spool *sp, struct spool_draft *d,
                     str envelope, struct spool_entry **out);

/* A change of state. */
err spool_note(struct task *t, struct spool *sp, struct spool_entry *e,
               uint16_t kind, str body);

/* The end: the entry is invalid afterwards.  Where there is no room it is
 * written later: ends make room. */
err spool_end(struct task *t, struct spool *sp, struct spool_entry *e);

/* Moves a message that will stay for long into the cold log, so that the hot
 * one recycles within minutes. */
err spool_cool(struct task *t, struct spool *sp, struct spool_entry *e);

/* Whether it lies in the cold log: its records never share a batch with new
 * mail. */
bool spool_is_cold(const struct spool_entry *e);

/* Whether new mail may come in: false when the ring is nearly full and
 * cannot grow, for its bounds or the disk's.  Ends and notes are always
 * taken.  spool_gate_wait: until that may have changed. */
bool spool_open_for_mail(const struct spool *sp);
err spool_gate_wait(struct task *t, struct spool *sp);

/* A segment, for reading here. */
struct file *spool_segment_file(struct spool *sp, uint32_t segment);

/* The same opened read-only, for handing to a delivery role; the caller
 * closes it. */
err spool_segment_open(struct task *t, struct spool *sp, uint32_t segment,
                       struct file **out);

/* A message number above all that the log still knows. */
uint64_t spool_next_id(const struct spool *sp);

/* What was found damaged, now and before, a line for each; empty: nothing, or
 * the administrator has removed the list. */
err spool_damage(struct task *t, struct spool *sp, struct arena *a,
                 str *lines);

struct spool_stats {
    uint64_t n_messages, n_batches, n_copied, bytes_written;
    uint32_t n_segments, n_segments_free;
};
void spool_stats(const struct spool *sp, struct spool_stats *out);

#endif
