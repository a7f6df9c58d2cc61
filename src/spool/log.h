/* SPDX-License-Identifier: ISC
 *
 * Inside spool only: one log, a ring of segments and the batch that is open.
 * The spool has two, hot and cold.
 */
#ifndef SPOOL_LOG_H
#define SPOOL_LOG_H

#include "spool/record.h"
#include "spool/spool.h"

enum {
    LOG_HOT, LOG_COLD, N_LOGS,
    SEGMENT_RESERVE = 3,    /* the last free ones: two for notes and ends, one
                               that copying needs on its way */
    SEGMENT_COLD = 0x40000000, /* added to the numbers of the cold log */
};

/* Before the names of segments that were put aside, and of the list. */
#define DAMAGED "damaged-"
#define DAMAGE_FILE DAMAGED "list"

/* Who wants room: the later, the more of the reserve they may use. */
enum log_need { NEED_MAIL /* waits while there is hope */, NEED_COOL,
                NEED_COPY, NEED_END };

struct segment {
    struct link link;       /* log->segments, oldest generation first */
    uint32_t number;
    uint32_t live;          /* records of living messages in it */
    uint64_t live_bytes;
    uint64_t generation;    /* 0: never written, or not to be known */
    struct file *file;
    uint64_t first;         /* recovery: its first batch's number; 0: ? */
    uint32_t n_unreadable;  /* pages, when it was read */
    bool headless;          /* its first page is lost */
    bool damaged;           /* never to be written again (R6) */
};

struct batch {
    char *p;
    uint32_t n, cap;
    struct segment *segment; /* NULL: nothing is open */
    uint32_t at;            /* its place in the segment */
    uint32_t n_records, heads_crc;
    uint64_t number;        /* counts batches of this log since the start */
    when since;             /* when its first record came */
    bool wanted;            /* somebody waits for it */
    bool has_mail;          /* an ENV */
};

struct log {
    struct spool *sp;
    int which;              /* LOG_HOT, LOG_COLD */
    struct link segments;
    uint32_t n_segments, next_number;
    struct segment *tail;   /* the one being written, or NULL */
    uint32_t tail_at;
    uint64_t sequence;      /* of the last batch */
    struct batch open;
    char *spare;            /* the other buffer, NULL while in flight */
    uint64_t n_synced;      /* number of the last batch that is on disk */
    struct bell work, synced, room;
    err failed;             /* I3: ERR_IO for ever */
    vec_of(uint64_t) owed;  /* ends that found no room */
    bool salvaging;         /* what is replayed comes from a hole, */
    bool doubtful;          /* in which a torn end may lie too */
    bool opening;           /* the tail's lap has not begun on the disk */
    bool unclosed;          /* the last batch brought mail (R3) */
    bool close_now;
    bool stuck;             /* neither copying nor growing would make room */
    when committed;         /* the last time */
    bool used;              /* the cold log has segments from its first use */
};

struct spool {
    struct arena *arena;
    struct dir *dir;
    struct spool_options options;
    struct spool_owner owner;
    struct log logs[N_LOGS];
    uint64_t generation;    /* the highest given out, over both logs */
    uint64_t id_max;        /* the highest message number ever seen */
    struct map entries;     /* recovery: message number -> struct found */
    struct link live;       /* all entries, about as old as their ENVs */
    struct link drafts;
    struct link found;      /* recovery: what is not handed over yet */
    struct found *handed;
    struct bell keep;       /* segments are wanted: keep_ring */
    bool keep_asked;
    struct bell gate;       /* spool_open_for_mail has changed */
    bool gate_shut;
    const char *full_why;   /* why the ring cannot grow */
    vec_of(str) damage;     /* lines of what was found damaged */
    size_t n_damage_kept;   /* those that are in the file */
    str failed_why;         /* p NULL: all is well */
    uint32_t record_max, batch_max;
    struct spool_stats stats;
};

/* Makes sure that bytes fit into the open batch; may wait.  ERR_LIMIT when
 * there is no room and none will come soon. */
err log_room(struct task *t, struct log *lg, uint32_t bytes,
             enum log_need need);

/* Appends a record; log_room was asked before, without a wait since.
 * Returns the offset of the record in lg->open.segment. */
uint32_t log_append(struct task *t, struct log *lg, enum record_type type,
                    uint64_t message, str first, str second);

/* An end that finds no room is remembered: it costs nothing to have ended, and
 * what ends makes room.  After a crash meanwhile the message is there again. */
void log_owe(struct log *lg, uint64_t message);

/* Waits until the batch with this number is on disk. */
err log_synced(struct task *t, struct log *lg, uint64_t number);

/* Goes on to the next segment. */
err log_roll(struct task *t, struct log *lg);

/* Nothing follows: closes the log at once (R3). */
err log_close(struct task *t, struct log *lg);

/* Commits for ever. */
err log_run(struct task *t, struct log *lg);

/* Segments that can be taken next, oldest first, before a live one; and that
 * one, NULL if there is none but the tail. */
uint32_t log_free(const struct log *lg);
struct segment *log_oldest_live(const struct log *lg);

void segment_live_add(struct segment *s, uint32_t bytes);
void segment_live_del(struct segment *s, uint32_t bytes);
struct segment *segment_find(struct spool *sp, uint32_t number);

/* Something has ended, or room is wanted. */
void keep_ring(struct spool *sp);

/* segment.c: the files. */
err segments_load(struct task *t, struct log *lg);
str segment_name(struct arena *a, const struct log *lg, uint32_t number);
err segment_make(struct task *t, struct log *lg);

/* The list of their names: what it has and the directory has not is said. */
err ring_write(struct task *t, struct spool *sp);
err ring_check(struct task *t, struct spool *sp);

/* keep.c: growth and copying. */
err spool_keeper(struct task *t, void *sp);

/* recover.c, replay.c */
err log_recover(struct task *t, struct log *lg);
void log_replay(struct task *t, struct log *lg, struct segment *s,
                const struct record *r);
void found_drop(struct spool *sp, struct found *f);

/* survey.c: memory has room for a segment.  What lap it is in; its bytes,
 * zeroes where the disk gives none; the place of the next batch that counts,
 * or bytes.n. */
err segment_survey(struct task *t, struct log *lg, struct segment *s,
                   char *memory);
err segment_bytes(struct task *t, struct log *lg, struct segment *s,
                  char *memory, str *out);
size_t batch_next(str bytes, size_t at, const struct segment *s,
                  struct batch_head *head);

/* damage.c: what is damaged is said, written down, and put aside.  line lives
 * in the spool's arena. */
void damage_note(struct task *t, struct spool *sp, str line);
err damage_keep(struct task *t, struct spool *sp);
err damage_check(struct task *t, struct spool *sp);
bool segment_to_put_aside(const struct log *lg);
err segment_put_aside(struct task *t, struct log *lg);

/* A message coming in. */
struct spool_draft {
    struct link link;       /* spool->drafts */
    uint64_t id;
    vec_of(struct extent) extents;
    bool lost;              /* its text is no more */
    struct arena arena;
};
void draft_drop_text(struct spool *sp, struct spool_draft *d);

/* A message found by recovery. */
struct found {
    struct link link;
    struct arena arena;     /* envelope and notes */
    struct spool_found f;
    /* pieces are missing: perhaps a later ENV has them, perhaps it has ended;
     * their segments are in another lap, or damaged */
    enum found_state { FOUND_WHOLE, FOUND_RECYCLED, FOUND_DAMAGED } state;
};

/* entry.c: entries and what they keep alive. */
struct env_place {
    uint32_t segment, size; /* of the record */
};
struct spool_entry *entry_new(struct log *lg, uint64_t id,
                              struct env_place env, const struct extent *x,
                              uint32_t n);
void entry_drop(struct spool *sp, struct spool_entry *e);

/* Exchanges where two entries of one message lie. */
void entry_swap(struct spool_entry *a, struct spool_entry *b);

#endif
