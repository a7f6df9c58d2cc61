/* SPDX-License-Identifier: ISC
 *
 * The index of a mailbox: what a Maildir cannot say itself (UIDs, modseqs,
 * keyword names, wire sizes, dates), as an append-only log beside it.  This
 * is the pure part: bytes in, rows out.
 *
 * FILE, little-endian:
 *   header  0 "VRDSIDX1"  8 u32 uidvalidity  12 u32 crc32c of the other 60
 *           16 u64 generation (anew at each rewrite)  24 i64 made (us)
 *           32 16 bytes mailbox id
 *           48 u32 floor: no UID below it is given out any more; 0: not said
 *           52 zeros  64
 *   frames  u32 size of body, u32 crc32c of body, body: records (index.c)
 *
 * I1  A frame counts whole or not at all; the file ends before the first
 *     frame that is not right, and the next writer cuts it there.  The first
 *     frame was on stable storage before the file had its name: where it is
 *     not right, nothing that the file says counts.
 * I2  Rows are in the order of their UIDs, and only grow at the end.  A row
 *     that is gone stays, ROW_LOST, while its place in the sequence is known
 *     to the client: below n_seen.
 * I3  Modseqs never go back, not even when the end of a file is lost: each
 *     is at least the wall clock in milliseconds.
 * I4  Reading is total: every input gives a state.
 * I5  A file that is cut or damaged anywhere gives the UIDs that it gave, the
 *     same or none, and none of them to another message: the floor and what
 *     may have stood behind the last right frame stay unused.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/maildir.h"

enum {
    INDEX_HEADER_SIZE = 64,
    INDEX_FRAME_MAX = 512 << 20,
    INDEX_ROW_MIN = 40,         /* no record of a message is shorter */
    INDEX_KEYWORDS_MAX = 64,
    KEYWORD_NAME_MAX = 200,
    UIDL_MAX = 70,              /* RFC 1939 */
};

enum row_bits {
    ROW_IN_NEW = 1,     /* its file is still in new/ */
    ROW_PLAIN = 2,      /* in cur/ its name is maildir_name_put of the kept
                           one; else it is the kept one */
    ROW_SAVED = 3,      /* what is written to the file */
    ROW_LOST = 4,       /* gone, not yet announced */
    ROW_CHANGED = 8,    /* flags not yet announced */
    ROW_MARKED = 16,    /* for one computation */
};

struct row {
    uint32_t uid;
    uint8_t flags, bits;
    uint16_t name_size;
    uint64_t keywords;
    uint64_t modseq;
    uint64_t size;      /* on the wire; 0: not yet known */
    int64_t date_s;     /* INTERNALDATE */
    uint64_t name_at;   /* where its name stands in the file */
};

struct rows {
    struct row *p;      /* heap */
    size_t n, cap;
};

/* What the directories looked like when they were last compared. */
struct index_stamp {
    int64_t new_us, cur_us;     /* mtimes; -1: never */
    int64_t checked_us;         /* wall clock of the comparison */
};

struct index_word {
    uint64_t at;
    size_t n;
};

/* What POP3 clients know a message by, where another server said so. */
struct index_uidl {
    uint32_t uid;
    uint64_t at;
    size_t n;
};

struct index_state {
    uint32_t uid_validity, uid_next, recent_from;
    uint32_t uid_floor;         /* as the header has it */
    uint64_t modseq, generation;
    char id[16];
    struct rows rows;
    size_t n_seen;              /* rows the client knows of */
    size_t n_lost;
    size_t n_in_new;            /* rows with ROW_IN_NEW, not lost */
    bool changed;               /* some row may have ROW_CHANGED */
    struct index_word *words;   /* keywords' names; heap */
    size_t n_words;
    struct index_uidl *uidls;   /* by UID; heap */
    size_t n_uidls;
    struct index_stamp stamp;
    size_t applied;             /* bytes of the file that are in here */
    size_t torn;                /* bytes behind them that are no frame */
    size_t live;                /* about how long a rewritten file is */
};

/* The state of a new, empty mailbox; its header. */
void index_state_init(struct index_state *s, uint32_t uid_validity,
                      uint64_t generation, const char id[16]);
void index_state_free(struct index_state *s);
void index_header_put(struct buf *to, const struct index_state *s,
                      int64_t made_us);

/* Reads a header: state of the mailbox before its first frame.
 * ERR_CORRUPT if it is none of ours. */
err index_header_read(str file, struct index_state *s);

/* Takes the frames after s->applied in; s->uid_next passes over what may have
 * stood in bytes that are none. */
void index_replay(struct index_state *s, str file);

/* A whole file: its header and its frames.  ERR_CORRUPT: I1 does not hold for
 * the first frame, or there is no header. */
err index_read(str file, struct index_state *s);

/* After a rewrite of the file: fresh holds its rows, old those that the
 * client knows.  fresh gets the marks and lost rows of old, whose rows are
 * freed. */
void index_merge(struct index_state *fresh, struct index_state *old);

/* Forgets rows that are lost and not below n_seen. */
void index_sweep(struct index_state *s);

/* The row with that UID, lost or not, or NULL; the first row at or after
 * it, as an index. */
struct row *index_row(const struct index_state *s, uint32_t uid);
size_t index_row_at(const struct index_state *s, uint32_t uid);

/* Kept name of a row, its UIDL (or empty), a keyword's name; borrowed from the
 * file's bytes. */
str index_name(str file, const struct row *r);
str index_uidl(str file, const struct index_state *s, uint32_t uid);
str index_word(str file, const struct index_state *s, size_t i);

/* Builds frames.  A frame is open between begin and end. */
void index_frame_begin(struct buf *to);
void index_frame_end(struct buf *to);
void index_put_row(struct buf *to, const struct row *r, str name);
/* name empty: the kept one goes on. */
void index_put_flags(struct buf *to, const struct row *r, str name);
void index_put_gone(struct buf *to, uint32_t uid, uint64_t modseq);
void index_put_size(struct buf *to, uint32_t uid, uint64_t size);
void index_put_uidl(struct buf *to, uint32_t uid, str uidl);
void index_put_word(struct buf *to, str name);
void index_put_other_word(struct buf *to, size_t bit, str name);
void index_put_stamp(struct buf *to, const struct index_stamp *stamp);
void index_put_recent(struct buf *to, uint32_t from);
void index_put_next(struct buf *to, uint32_t uid_next, uint64_t modseq);

/* A whole file without history: header and one frame.  file: the bytes that
 * s was read from. */
void index_put_all(struct buf *to, const struct index_state *s, str file,
                   int64_t made_us);

#endif
