/* SPDX-License-Identifier: ISC
 *
 * Inside store only: what a store and a view are made of.
 *
 * On disk (Maildir++): the root is INBOX; mailbox "a.b" is the directory
 * ".a.b" beside its cur/, new/ and tmp/; `subscriptions` and
 * `veredus-uidvalidity` stand in the root, `veredus-index` in each mailbox.
 */
#ifndef STORE_BOX_H
#define STORE_BOX_H

#include "store/scan.h"
#include "store/store.h"

enum { BOX_NAME_MAX = 240, LOCK_WAIT_S = 60, RANGES_MAX = 32 };

struct store {
    struct arena *a;
    struct dir *root;
    str path;                   /* of root */
    str host;
    char separator;
    int rights;
    uint32_t file_mode, dir_mode;
    const struct store_special *specials;
    size_t n_specials;
    uint64_t quota_bytes, quota_messages;
    struct file *quota_lock;    /* while it is held */
    struct watch_hub *watches;
    uint32_t n_named;           /* names given out */
    /* the mailbox last copied or appended to, kept open */
    struct target *target;      /* heap, or NULL */
};

struct target {
    struct index ix;
};

struct uid_range {
    uint32_t from, to;          /* to is not in it */
};

struct view {
    struct store *st;
    char *name;                 /* heap */
    size_t name_n;
    struct index ix;
    struct watch *watch;
    bool read_only;
    int rights;
    struct uid_range recent[RANGES_MAX];
    size_t n_recent;
    size_t walk;                /* view_change_next: rows still to look at */
    int phase;
    struct buf sizes;           /* uid, size pairs counted, not yet kept */
};

/* name.c */

/* The directory of a mailbox below the root ("." for INBOX), in a; false if
 * the name is not valid. */
bool box_path(const struct store *st, struct arena *a, str name, str *path);

/* The same for a mailbox that may be there under a name that we would not have
 * given it.  ERR_ABSENT: the name is not valid. */
err box_find(struct task *t, const struct store *st, struct arena *a,
             str name, str *path);

/* The other way; false for what is no mailbox's directory. */
bool box_name(const struct store *st, struct arena *a, str path, str *name);
bool box_is_inbox(str name);

/* Valid, and fit to be made. */
bool box_name_good(const struct store *st, str name);

/* INBOX in capitals, else as it is. */
str box_canonical(const struct store *st, struct arena *a, str name);

/* open.c */

/* A mailbox's directory by its path below the root, which may be a symbolic
 * link: somebody with the user's rights made it. */
err box_dir_open(struct task *t, const struct store *st, str path,
                 struct dir **out);

/* A mailbox's index, made if it has none yet. */
err box_open(struct task *t, struct store *st, str name, struct index *out);

/* cur/, new/ and tmp/, as far as they are missing. */
err box_dirs_make(struct task *t, struct store *st, struct dir *box);

/* A new UIDVALIDITY, never given out before. */
err box_uid_validity(struct task *t, struct store *st, uint32_t *out);

/* Locks an index and makes sure that nothing in the directories is unknown,
 * so that a stamp of ours hides nothing. */
err box_lock(struct task *t, struct index *ix, bool take);

/* Ends what box_lock began, keeping the first error. */
err box_unlock(struct task *t, struct index *ix, err e);

/* The mailbox to copy or append to, kept open from last time.  v: if it is
 * the one selected, its own index is used. */
err box_target(struct task *t, struct store *st, struct view *v, str name,
               struct index **out);
void box_target_close(struct store *st);

/* A unique base for a new message, in a. */
str box_fresh_name(struct task *t, struct store *st, struct arena *a);

/* Whether the name leads to the mailbox whose index that is: somebody may have
 * renamed it, and made another. */
bool box_is_named(struct task *t, const struct store *st,
                  const struct index *ix, str name);

/* Bits for keyword names; make: new ones are recorded.  ix is locked. */
err box_keywords(struct task *t, struct index *ix, const str *names,
                 size_t n, bool make, uint64_t *bits);

/* change.c: removes rows, those \Deleted or (all) each of them. */
err view_remove(struct task *t, struct view *v, struct seqs rows, bool all);

/* quota.c: what a row's file takes, as far as its name tells. */
uint64_t quota_row_size(str map, const struct row *r);

/* Takes the limits that stand in the Maildir, if st has none of its own. */
void quota_learn(struct task *t, struct store *st);

/* Writes the limits of st there, for those who take them from there; without
 * any, what stood there goes. */
err quota_tell(struct task *t, struct store *st);

/* Held from the check to the change and what is added for it; nothing where
 * there is no quota.  Comes before the lock of an index. */
err quota_lock(struct task *t, struct store *st);
void quota_unlock(struct store *st);

/* ERR_LIMIT with why() if so much more must not be. */
err quota_check(struct task *t, struct store *st, uint64_t bytes,
                uint64_t messages);

/* Usage has changed by so much. */
void quota_add(struct task *t, struct store *st, int64_t bytes,
               int64_t messages);

/* It has changed by what nobody counted. */
void quota_forget(struct task *t, struct store *st);

static inline str view_name(const struct view *v)
{
    return str_of(v->name, v->name_n);
}

#endif
