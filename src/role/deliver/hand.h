/* SPDX-License-Identifier: ISC
 *
 * Between the planner and a hand.  A hand is a process that has become one
 * user for good: it writes that user's mailboxes, reads that user's .forward
 * and runs that user's commands.  The planner, which decides all that, reads
 * the mail and holds the ports, is the mail system's own user.  Many
 * deliveries run in one hand at a time.
 *
 *  planner -> hand, id = a number the planner chose for the piece of work
 *     HAND_READ    struct hand_read: read the first of these files
 *     HAND_WORK    struct hand_work: a delivery; its bytes follow
 *     HAND_DATA    bytes of the message, lines as they shall be
 *     HAND_END     all bytes were sent
 *     HAND_DROP    forget this work, nothing of it may be seen
 *  hand -> planner
 *     HAND_WANT    u32: so many bytes were used, send as many more
 *     HAND_TEXT    struct hand_text: the answer to HAND_READ
 *     HAND_DONE    struct hand_done: what became of a work
 *
 * I1  The planner has at most HAND_WINDOW bytes of a work under way.
 * I2  HAND_DONE comes once for each work, HAND_TEXT once for each READ; after
 *     HAND_DONE the planner sends nothing more with that id.
 * I3  Neither side believes the other: what does not unpack ends the port.
 */
#ifndef ROLE_DELIVER_HAND_H
#define ROLE_DELIVER_HAND_H

#include "base/base.h"

enum hand_frame {
    HAND_READ = 1, HAND_WORK, HAND_DATA, HAND_END, HAND_DROP,
    HAND_WANT = 20, HAND_TEXT, HAND_DONE,
};

enum { HAND_WINDOW = 256 * 1024, HAND_DATA_MAX = 64 * 1024,
       HAND_TEXT_MAX = 900 * 1024, HAND_LIST_MAX = 10000 };

struct hand_read {
    const str *paths;
    uint32_t n;
    bool follow;            /* symbolic links; else they are no files */
};

enum hand_kind {
    HAND_MAILDIR,
    HAND_MBOX,
    HAND_COMMAND,
    HAND_ROOM,              /* delivers nothing: has the Maildir room for
                               size_max more bytes? */
    N_HAND_KINDS
};

/* What to do; fields that a kind has no use for are empty. */
struct hand_work {
    enum hand_kind kind;
    str path;               /* the mailbox; a command's program */
    str host;               /* Maildir: in file names */
    str sender;             /* mbox: in the From_ line */
    uint64_t size_max;      /* of an mbox file, a Maildir message, a file that
                               a command writes; 0: none */
    uint64_t quota;         /* as delivery_options say; Maildir only */
    uint32_t lock_s;        /* mbox: how long to try for locks */
    bool dotlock, fcntl_lock;
    bool own;               /* an mbox must belong to this user */
    bool make_dirs;         /* an mbox: make the directories above it */
    uint32_t time_limit_s;  /* command */
    str dir;                /* command: where it runs; empty: "/" */
    const str *argv;
    uint32_t n_argv;
    const str *env;         /* "NAME=value" */
    uint32_t n_env;
};

/* How a piece of work ended.  What the texts mean is the planner's: it knows
 * whose mailbox it was. */
enum hand_end {
    HAND_SENT,
    HAND_LATER,     /* may be better next time: locks, space, rights */
    HAND_REFUSED,   /* not there, or its user may not: not by waiting */
    HAND_FULL,      /* the mailbox would pass its limit, or the quota */
    HAND_EXITED,    /* command: its status is not 0 */
    HAND_KILLED,    /* command: by a signal */
    HAND_TIMEOUT,   /* command */
    HAND_NO_EXEC,   /* command: could not be started */
    HAND_NO_DIR,    /* command: its directory could not be entered */
    N_HAND_ENDS
};
struct hand_done {
    enum hand_end end;
    uint32_t status;        /* exit status or signal */
    str text;               /* why; or what the command said */
};

enum hand_found { HAND_FOUND, HAND_NONE, HAND_FAILED, N_HAND_FOUND };
struct hand_text {
    enum hand_found found;
    uint32_t index;         /* which path it was */
    str text;               /* of the file; HAND_FAILED: why */
    str complaint;          /* a file that was passed over, or empty */
    uint32_t uid;           /* whose it is */
};

void hand_read_pack(const struct hand_read *r, struct buf *to);
err hand_read_unpack(str packed, struct arena *a, struct hand_read *out);
void hand_work_pack(const struct hand_work *w, struct buf *to);
err hand_work_unpack(str packed, struct arena *a, struct hand_work *out);
void hand_done_pack(const struct hand_done *d, struct buf *to);
err hand_done_unpack(str packed, struct arena *a, struct hand_done *out);
void hand_text_pack(const struct hand_text *x, struct buf *to);
err hand_text_unpack(str packed, struct arena *a, struct hand_text *out);

/* The life of a hand, in its own process: serves the planner at the other end
 * of the socket until it is closed. */
void hand_serve(int fd);

#endif
