/* SPDX-License-Identifier: ISC
 *
 * Delivery to one mailbox, Maildir or mbox, for local(8) and virtual(8).
 */
#ifndef ROLE_DELIVER_MAILBOX_H
#define ROLE_DELIVER_MAILBOX_H

#include "role/deliver/deliver.h"

/* How mailboxes are locked and how large they may be. */
struct mailbox_rules {
    str host;
    uint64_t size_max;
    uint64_t quota;         /* of whom no source gives one; 0: none */
    uint32_t lock_s;
    bool dotlock, fcntl_lock;
};
err mailbox_rules_read(struct task *t, const struct conf *c,
                       enum param lock, enum param limit,
                       struct mailbox_rules *out);

struct mailbox {
    const struct mailbox_rules *rules;
    struct owner owner;
    str path;               /* ends with a slash: a Maildir */
    str user;               /* for messages */
    uint64_t quota;         /* as delivery_options say; of a Maildir */
    const struct address *sender; /* NULL: the envelope's */
    struct address delivered_to;
    str original;
    bool delivered;         /* put a Delivered-To: field */
    bool own;               /* an mbox must be the owner's */
    bool make_dirs;
    bool is_file;           /* "/file" of an alias: other words in the log */
    bool strict;            /* what may not be written to bounces */
};

/* Delivers to it; the verdict is in the run. */
struct result_rcpt mailbox_deliver(struct task *t, struct run *r,
                                   const struct mailbox *box);

/* Whether a message of that size may be delivered to it; true as well where
 * nobody can tell. */
bool mailbox_room(struct task *t, struct run *r, const struct mailbox *box,
                  uint64_t size);

/* What is written before a message. */
struct marks {
    const struct address *sender; /* NULL: the envelope's */
    str null, null_path;    /* for no sender: in From_, in Return-Path */
    str original;
    const struct address *delivered_to;
};
/* With LF, as asked for by which: F a From_ line, R Return-Path:, O
 * X-Original-To:, D Delivered-To:. */
str mailbox_head(struct task *t, struct run *r, const char *which,
                 const struct marks *m);

/* The sender in external form, or what stands for none. */
str mailbox_sender(struct run *r, const struct address *sender, str none);

#endif
