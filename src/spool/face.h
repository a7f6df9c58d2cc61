/* SPDX-License-Identifier: ISC
 *
 * What roles say to the queue manager and it to them.  The frames of each
 * pair of roles are listed here, with their packed bodies; base/pack.h is the
 * codec.  The receiving side validates everything.
 *
 *  submission (smtpd -> qmgr), id = a number the client chose for the message
 *     FACE_DATA    bytes, at most SPOOL_CHUNK_MAX
 *     FACE_END     u64 message number, envelope
 *     FACE_ABORT   -
 *     FACE_MORE    - (give me message numbers)
 *     FACE_FLUSH   str site: try its mail now (ETRN); there is no answer
 *  answers (qmgr -> smtpd)
 *     FACE_ACK     u8 status (enum face_status), same id
 *     FACE_NUMBERS u64 first, u32 count: message numbers to use
 *     FACE_PAUSE   u8: 1 = no room for mail, 0 = room again
 *
 *  delivery (qmgr -> smtpc, deliver), id = the job
 *     FACE_SEGMENT u32 segment, with a read-only descriptor
 *     FACE_JOB     struct job
 *     FACE_PLACES  u32 first, u32 count, extents: where a job's pieces are now
 *  answers
 *     FACE_RESULT  struct result, same id
 *     FACE_PLACES  u32 first: where are the job's pieces from this one on?
 */
#ifndef SPOOL_FACE_H
#define SPOOL_FACE_H

#include "mail/envelope.h"
#include "mail/reply.h"
#include "spool/read.h"

enum face_frame {
    FACE_DATA = 1, FACE_END, FACE_ABORT, FACE_MORE,
    FACE_ACK, FACE_NUMBERS, FACE_PAUSE, FACE_FLUSH,
    FACE_SEGMENT = 20, FACE_JOB, FACE_RESULT, FACE_PLACES,
    FACE_ADMIN = 40, FACE_ROW, FACE_ROWS_END,
    FACE_DAMAGE,            /* with a list: lines about the log */
};

enum face_status { FACE_TAKEN, FACE_NO_ROOM, FACE_FAILED, FACE_BAD,
                   FACE_TOO_LARGE };

enum { PLACES_MAX = 256 };  /* extents of one frame */

/* One piece of work: a message to some recipients over one transport. */
struct job {
    uint64_t message;
    str queue_id;
    str transport;          /* "smtp", "relay", "local", "virtual", "error" */
    str nexthop;            /* "[192.0.2.1]:25", "example.com", ... */
    int64_t dispatch_us;    /* wall time when it left the queue */
    uint32_t attempts;      /* deferrals so far */
    uint32_t connections;   /* to this next hop at once, at most */
    struct envelope envelope; /* its recipients are those of this job */
    const struct extent *extents; /* the first n_known (spool/pieces.h) */
    uint32_t n_extents, n_known;
};

void job_pack(const struct job *j, struct buf *to);
err job_unpack(str packed, struct arena *a, struct job *out);

/* What became of a recipient of a job. */
enum outcome { OUTCOME_SENT, OUTCOME_DEFERRED, OUTCOME_BOUNCED,
               OUTCOME_FORWARDED, OUTCOME_RETRY /* at once: not tried */,
               OUTCOME_PASS /* to the transport that text names */ };
/* Who will tell the sender of a success, if that was asked for (RFC 3461). */
enum sent_how {
    SENT_DELIVERED,         /* we: it is in a mailbox */
    SENT_RELAYED,           /* we: it went where DSN is not known */
    SENT_PASSED,            /* the next host */
};
struct result_rcpt {
    enum outcome outcome;
    enum sent_how how;      /* of OUTCOME_SENT */
    char dsn[12];
    str text;               /* the reason, or the server's reply */
    str relay;              /* "mx.example.com[192.0.2.1]:25", or "none" */
    str remote_mta;         /* for the report; empty if there was none */
    str diagnostic;         /* "smtp; 550 ..." without the type, or empty */
    str report_to;          /* who hears of a failure instead of the sender:
                               a list's owner; an address, or empty */
};
/* Mail that a delivery made: aliases, .forward. */
struct result {
    bool destination_dead;  /* the host cannot be reached: no more for now */
    str dead_reason;
    const struct result_rcpt *rcpts; /* as many as the job's */
    uint32_t n_rcpts;
};
void result_pack(const struct result *r, struct buf *to);
err result_unpack(str packed, struct arena *a, struct result *out);

#endif
