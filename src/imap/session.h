/* SPDX-License-Identifier: ISC
 *
 * Inside imap only: a session after login, and its commands.
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include "imap/command.h"
#include "imap/imap.h"
#include "imap/message.h"

struct imap {
    struct conn *conn;
    struct store *st;
    const struct reading_options *o;
    struct view *view;          /* NULL: nothing is selected */
    struct arena scratch;       /* one command's */
    struct imap_message message;    /* of the last partial FETCH, or none */
    bool condstore;             /* FETCH responses carry MODSEQ */
    bool over;
    bool bare;                  /* this command may not be told expunges */
    uint64_t words;             /* keywords the client knows of, hashed */
    uint32_t n_recent;          /* as the client was told last */
    uint32_t n_bad;
    /* the saved search result of SEARCHRES: UIDs, on the heap */
    uint32_t *saved;
    size_t n_saved;
};

typedef err imap_fn(struct task *t, struct imap *im,
                    struct imap_command *cmd);

#define COMMAND(name, fn, selected, bare) imap_fn imap_##fn;
#include "imap/commands.def"
#undef COMMAND

when imap_until(struct task *t, const struct imap *im);

/* conn_drain; an error ends the session. */
err imap_drain(struct task *t, struct imap *im);

/* The tagged answer, after what there is to tell of the selected mailbox. */
err imap_done(struct task *t, struct imap *im, struct imap_command *cmd,
              str text);

/* The answer to arguments that are none. */
err imap_bad(struct task *t, struct imap *im, struct imap_command *cmd);

/* The answer to an error of the store, or the error itself if the session
 * cannot go on. */
err imap_failed(struct task *t, struct imap *im, struct imap_command *cmd,
                err e);

/* Tells what changed in the selected mailbox. */
err imap_tell(struct task *t, struct imap *im, bool expunges);

/* "* 3 FETCH (FLAGS (\Seen))", with UID and MODSEQ as asked. */
void imap_put_flags_row(struct imap *im, uint32_t seq, bool uid);
void imap_put_flags(struct imap *im, const struct row *r);
void imap_put_flag_names(struct imap *im, bool permanent);

/* FLAGS, if there are keywords that the client was not told of: before
 * anything shows them. */
void imap_tell_words(struct imap *im);

/* "* 2 RECENT" */
void imap_put_recent(struct imap *im);

/* From now on FETCH responses carry MODSEQ (RFC 7162 section 3.1). */
void imap_use_condstore(struct imap *im);

/* An IMAP string to the client. */
void imap_put_string(struct imap *im, str s);
void imap_put_astring(struct imap *im, str s);

/* "MAILBOXID (Fabc)" (RFC 8474). */
void imap_put_box_id(struct imap *im, str id);

/* "Mabc-12": of a message in the selected mailbox. */
str imap_email_id(struct imap *im, struct arena *a, uint32_t uid);

/* "1:3,7" of growing numbers. */
void imap_put_set(struct imap *im, const uint32_t *p, size_t n);

/* The sequence numbers that a set of numbers (or UIDs) names in the view.
 * False when a sequence number is out of range. */
bool imap_seqs(struct imap *im, const struct set *set, bool uid,
               struct seqs *out);

/* Saves a search result (growing sequence numbers). */
void imap_save(struct imap *im, const uint32_t *seqs, size_t n);

/* Closes the selected mailbox. */
void imap_unselect(struct imap *im);

/* STATUS items, and the response without "* ". */
enum status_items { STATUS_MESSAGES = 1, STATUS_RECENT = 2, STATUS_UIDNEXT = 4,
                    STATUS_UIDVALIDITY = 8, STATUS_UNSEEN = 16,
                    STATUS_MODSEQ = 32, STATUS_SIZE = 64,
                    STATUS_APPENDLIMIT = 128, STATUS_DELETED = 256,
                    STATUS_ID = 512 };
bool imap_status_items(struct args *x, int *items);
err imap_put_status(struct task *t, struct imap *im, str name, int items);

#endif
