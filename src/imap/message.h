/* SPDX-License-Identifier: ISC
 *
 * A message being read: its bytes, its structure and what was found out about
 * both, each when it is first asked for.
 *
 * Work over the bytes of a large message is done aside, on a helper thread:
 * this process serves others too, and parsers do not wait.
 */
#ifndef IMAP_MESSAGE_H
#define IMAP_MESSAGE_H

#include "mail/mime.h"
#include "store/store.h"

/* Where the last partial read of a span stopped, so that the next goes on
 * from there. */
struct message_spot {
    struct mime_span span;
    uint64_t at;            /* wire bytes given so far */
    struct mime_wire wire;
};

/* A part without its transfer encodings (RFC 3516), as it goes over the
 * wire. */
struct message_binary {
    const struct mime_part *part;   /* NULL: none */
    bool whole;             /* with its header */
    bool decoded;           /* something was encoded */
    bool unknown;           /* by an encoding that we do not know */
    struct buf bytes;       /* on the heap */
    struct mime_span span;  /* all of it, nothing bare */
    bool has_nul;
};

struct imap_message {
    uint32_t uid;           /* 0: none is open */
    struct message message;
    struct arena a;         /* the tree's */
    const struct mime_part *root;   /* NULL: not asked for yet */
    struct mime_span whole; /* if counted */
    bool counted;
    struct message_spot spot;
    struct message_binary binary;
};

/* Runs fn(arg), which is pure: here if size bytes are soon looked at, else
 * aside.  Others may run meanwhile. */
void imap_aside(struct task *t, size_t size, void (*fn)(void *), void *arg);

/* Makes m the message of that row; what it was before is closed unless it is
 * the same.  m->message.lost: its file is gone, .bytes are empty. */
err imap_message_open(struct task *t, struct view *v, uint32_t seq,
                      struct imap_message *m);
void imap_message_close(struct imap_message *m);

/* Whether it is large enough to be kept open between partial reads. */
bool imap_message_is_large(const struct imap_message *m);

const struct mime_part *imap_message_tree(struct task *t,
                                          struct imap_message *m);
str imap_message_header(const struct imap_message *m);

/* The whole, counted. */
struct mime_span imap_message_whole(struct task *t, struct imap_message *m);

/* The walk over a span of it, begun at the last one's end where that helps;
 * max wire bytes at most.  What was walked is noted with imap_message_stop. */
struct mime_wire imap_message_wire(struct task *t, struct imap_message *m,
                                   const struct mime_span *span,
                                   uint64_t from, uint64_t max);
void imap_message_stop(struct imap_message *m, const struct mime_span *span,
                       uint64_t at, const struct mime_wire *w);

/* A part, with its header or not, decoded; kept until another is asked for. */
const struct message_binary *imap_message_binary(struct task *t,
                                                 struct imap_message *m,
                                                 const struct mime_part *p,
                                                 bool whole);

#endif
