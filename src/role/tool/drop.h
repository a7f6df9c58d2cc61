/* SPDX-License-Identifier: ISC
 *
 * Files of maildrop: mail that was submitted here and that no queue manager
 * has answered for yet.
 *
 *   "VRDSDRP1" | u32 size of the envelope | u64 size of the text | packed
 *   envelope | text, CR LF line ends | u32 crc32c of all before | "COMPLETE"
 *
 * D1  A file is written under a name that begins with "tmp.", synced, renamed
 *     to its own name and synced again: what has a name without "tmp." is
 *     whole, or was damaged later.
 * D2  The file's owner is who submitted it: postdrop runs with its caller's
 *     user id.
 * D3  A file is removed only after the server has answered 250 for it.
 * D4  It is readable for its owner alone: pickup may read all files.  Only
 *     where the system runs without root's rights, as one of the users, it
 *     has to be readable for that user.
 * D5  Its owner may change it at any time and may have written anything into
 *     it: it is read in pieces, and no further than what it says is allowed.
 */
#ifndef ROLE_TOOL_DROP_H
#define ROLE_TOOL_DROP_H

#include "conf/conf.h"
#include "mail/envelope.h"
#include "rt/rt.h"

enum { DROP_HEAD = 8 + 4 + 8, DROP_TAIL = 4 + 8 };
#define DROP_TMP S("tmp.")

/* Appends the whole file. */
void drop_pack(const struct envelope *e, str text, struct buf *to);

/* Reads it back; the envelope's strings and *text point into file.
 * ERR_END: it is cut short.  ERR_CORRUPT: it is no such file. */
err drop_unpack(str file, struct arena *a, struct envelope *out, str *text);

/* A file that is being read: its envelope is in memory, its text is not. */
struct drop_file {
    struct file *file;
    struct file_stat stat;
    struct envelope envelope;   /* in the arena */
    uint64_t text_at, text_size;
};

/* Opens one, checked as far as its envelope; drop_check() reads the text
 * too.  ERR_ABSENT: it is gone.  ERR_LIMIT: a text over text_max (0: none).
 * ERR_CORRUPT, ERR_END: as drop_unpack; ERR_DENIED, ERR_SYNTAX: not to be
 * read, or no ordinary file.  why() says more. */
err drop_open(struct task *t, struct dir *dir, str name, uint64_t text_max,
              struct arena *a, struct drop_file *out);
err drop_check(struct task *t, struct drop_file *d);
void drop_close(struct drop_file *d);

/* Opens any file of maildrop, if it is an ordinary one. */
err drop_open_any(struct task *t, struct dir *dir, str name,
                  struct file **file, struct file_stat *st);

/* Writes a file into $queue_directory/maildrop (D1); *name is its name there,
 * in a. */
err drop_write(struct task *t, const struct conf *c, str file,
               struct arena *a, str *name);

/* The same in two steps: between them the file is on the disk and nobody else
 * looks at it.  drop_show gives it its name, drop_forget removes it. */
err drop_hide(struct task *t, const struct conf *c, str file,
              struct arena *a, str *name);
err drop_show(struct task *t, const struct conf *c, str name);
void drop_forget(struct task *t, const struct conf *c, str name);

/* What an envelope takes at most. */
enum { DROP_ENVELOPE_MAX = 256 * 1024 * 1024 };

#endif
