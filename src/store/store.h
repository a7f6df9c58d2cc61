/* SPDX-License-Identifier: ISC
 *
 * One user's mailboxes: Maildir++ directories with an index beside each.
 *
 * A view is a snapshot of one mailbox: its rows and bodies stay until it
 * moves on (view_refresh, then view_change_next until there is nothing more
 * to say).  A body that foreign hands removed reads as empty; its row counts
 * as lost.  Rows are numbered from 1, as the client numbers them.
 *
 * Rights are checked here: a view or a store knows what its holder may do,
 * and what he may not gives ERR_DENIED whatever the command.
 *
 * Mailbox names are as IMAP has them: modified UTF-7 (RFC 3501 section
 * 5.1.3), "INBOX" in any case, levels separated by store_separator.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "rt/rt.h"
#include "rt/watch.h"
#include "store/index.h"

struct store;
struct view;

enum store_right {
    RIGHT_LOOKUP = 1,
    RIGHT_READ = 2,
    RIGHT_SEEN = 4,
    RIGHT_WRITE = 8,        /* flags other than \Seen and \Deleted */
    RIGHT_INSERT = 16,
    RIGHT_CREATE = 32,
    RIGHT_DELETE_BOX = 64,
    RIGHT_DELETE = 128,     /* \Deleted */
    RIGHT_EXPUNGE = 256,
    RIGHT_OWNER = 511,
    RIGHT_READER = 3,
};

enum box_attribute {
    BOX_NOSELECT = 1,       /* a level without a mailbox */
    BOX_ABSENT = 2,         /* subscribed, but not there */
    BOX_CHILDREN = 4,
    BOX_SUBSCRIBED = 8,
    BOX_CHILD_SUBSCRIBED = 16,
    BOX_ALL = 32, BOX_ARCHIVE = 64, BOX_DRAFTS = 128, BOX_FLAGGED = 256,
    BOX_JUNK = 512, BOX_SENT = 1024, BOX_TRASH = 2048,
    BOX_SPECIAL = 4064,
};

struct store_special {
    str name;               /* "Sent" */
    int attribute;          /* BOX_SENT */
};

struct store_options {
    str location;           /* "maildir:~/Maildir", with ~ %h %u %n %d */
    str home, user;
    str host;               /* in names of new messages */
    char separator;         /* 0: '.' */
    int rights;             /* 0: RIGHT_OWNER */
    const struct store_special *specials; /* NULL: the usual names */
    size_t n_specials;
    uint64_t quota_bytes, quota_messages; /* 0: none; deliveries learn it */
    struct watch_hub *watches;  /* NULL: changes are looked for by polling */
};

/* Opens the store, making INBOX if nothing is there; everything is in a and
 * ends with it.  ERR_SYNTAX with why(): a location that is not supported. */
err store_open(struct task *t, struct arena *a,
               const struct store_options *o, struct store **out);
char store_separator(const struct store *st);

/* Whether store_open() would understand a location; ERR_SYNTAX with why(). */
err store_location_check(struct task *t, str location);

/* Gives back what a store keeps only to be quick. */
void store_doze(struct store *st);

struct box {
    str name;
    int attributes;
};
struct boxes {
    struct box *p;
    size_t n;
};

/* All mailboxes and levels, and what is subscribed, by name. */
err store_list(struct task *t, struct store *st, struct arena *a,
               struct boxes *out);

/* ERR_SYNTAX: no name for a mailbox; ERR_DENIED: there is one already (or
 * no right); ERR_ABSENT: there is none. */
err store_create(struct task *t, struct store *st, str name);
err store_delete(struct task *t, struct store *st, str name);
err store_rename(struct task *t, struct store *st, str from, str to);
err store_subscribe(struct task *t, struct store *st, str name, bool on);
err store_exists(struct task *t, struct store *st, str name);
bool store_name_valid(const struct store *st, str name);

struct box_status {
    uint32_t messages, recent, unseen, deleted, uid_next, uid_validity;
    uint64_t modseq, size;
    char id[16];            /* as view_id */
};
err store_status(struct task *t, struct store *st, str name, bool want_size,
                 struct box_status *out);

struct quota {
    uint64_t bytes, messages, bytes_max, messages_max;
};
err store_quota(struct task *t, struct store *st, struct quota *out);

/* --- views --------------------------------------------------------------- */

err view_open(struct task *t, struct store *st, str name, bool read_only,
              struct view **out);
void view_close(struct view *v); /* NULL is fine */

/* Looks for what is new.  Rows that the client knows stay; changes wait for
 * view_change_next.  ERR_CORRUPT: the mailbox was deleted or made anew. */
err view_refresh(struct task *t, struct view *v);

enum view_change_kind { CHANGE_EXPUNGE, CHANGE_EXISTS, CHANGE_FLAGS };
struct view_change {
    enum view_change_kind kind;
    uint32_t n;             /* sequence number, or how many there are */
};

/* The next thing to tell the client; the view moves on by it.  False when
 * there is nothing more.  Without expunges, lost rows wait. */
bool view_change_next(struct view *v, bool expunges,
                      struct view_change *out);

/* Waits until something may have changed, which view_changed then tells, or
 * s has input. */
err view_wait(struct task *t, struct view *v, struct sock *s, when until);
bool view_changed(struct task *t, struct view *v);

/* Gives the memory of rows, and what the store keeps, back until the next
 * use of v. */
void view_doze(struct view *v);
err view_wake(struct task *t, struct view *v);

uint32_t view_count(const struct view *v);
const struct row *view_row(const struct view *v, uint32_t seq);
bool view_row_recent(const struct view *v, const struct row *r);
uint32_t view_recent(const struct view *v);

/* The sequence number of the first row at or after that UID; count + 1 if
 * there is none. */
uint32_t view_seq_from(const struct view *v, uint32_t uid);

uint32_t view_uid_validity(const struct view *v);
uint32_t view_uid_next(const struct view *v);
uint64_t view_modseq(const struct view *v);
bool view_read_only(const struct view *v);
int view_rights(const struct view *v);
bool view_is(const struct view *v, const struct store *st, str name);
/* What POP3 clients know a message by since another server had it; or empty. */
str view_uidl(const struct view *v, uint32_t seq);
str view_id(const struct view *v);  /* 16 bytes, unlike any other's */
size_t view_n_keywords(const struct view *v);
str view_keyword(const struct view *v, size_t i);
/* Its bit, or 0. */
uint64_t view_keyword_bit(const struct view *v, str name);

struct message {
    str bytes;              /* as stored; mapped */
    bool lost;
};
err view_message(struct task *t, struct view *v, uint32_t seq,
                 struct message *out);
void message_close(struct message *m);

/* The wire size, counted if need be and remembered by view_sizes_keep. */
err view_size(struct task *t, struct view *v, uint32_t seq, uint64_t *size);
err view_sizes_keep(struct task *t, struct view *v);

/* --- changes ------------------------------------------------------------- */

struct seqs {
    const uint32_t *p;      /* sequence numbers, growing */
    size_t n;
};

enum flag_operation { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };
struct flag_change {
    enum flag_operation operation;
    uint8_t flags;
    const str *keywords;
    size_t n_keywords;
    uint64_t unchanged_since;   /* CONDSTORE; UINT64_MAX: whatever */
};

/* Changes flags; view_change_next tells which rows changed.  *failed, in a:
 * rows that changed after unchanged_since. */
err view_flags(struct task *t, struct view *v, struct seqs rows,
               const struct flag_change *change, struct arena *a,
               struct seqs *failed);

/* Removes messages that are \Deleted, of rows or (rows.p NULL) of all. */
err view_expunge(struct task *t, struct view *v, struct seqs rows);

struct copied {
    uint32_t uid_validity;
    const uint32_t *from, *to;  /* UIDs, in pairs */
    size_t n;
};

/* Copies (moves) into another mailbox: all of them or none. */
err view_copy(struct task *t, struct view *v, struct seqs rows, str to,
              bool move, struct arena *a, struct copied *out);

/* Appending: begin, pieces, end for each message; commit shows all of them
 * at once.  Without a commit nothing of it is left. */
struct append;
struct append_plan {
    uint8_t flags;
    const str *keywords;
    size_t n_keywords;
    int64_t date_s;         /* 0: now */
    uint64_t size;          /* as announced, for the quota; 0: unknown */
};
err append_open(struct task *t, struct store *st, str name, struct arena *a,
                struct append **out);
err append_begin(struct task *t, struct append *ap,
                 const struct append_plan *plan);
err append_piece(struct task *t, struct append *ap, str bytes);
err append_end(struct task *t, struct append *ap);
err append_commit(struct task *t, struct append *ap, struct copied *out);
void append_cancel(struct task *t, struct append *ap); /* NULL is fine */

#endif
