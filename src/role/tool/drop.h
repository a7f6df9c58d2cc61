/* SPDX-License-Identifier: ISC
 *
 * Files of maildrop: mail that was submitted here and that no queue manager
 * has answered for yet.
 *
 *   "VRDSDRP1" | u32 size of the envelope | u64 size of the text | packed
 *   envelope | text, CR LF line ends | u32 crc32c of all before | "COMPLETE"
 *
 * D1  A file is written under a name that begins with "tmp." and mode 0600,
 *     synced, given mode 0644, renamed to its own name and synced again: what
 *     has a name without "tmp." is whole, or was damaged later.
 * D2  The file's owner is who submitted it: postdrop runs with its caller's
 *     user id.
 * D3  A file is removed only after the server has answered 250 for it.
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

/* Writes a file into $queue_directory/maildrop (D1); *name is its name there,
 * in a. */
err drop_write(struct task *t, const struct conf *c, str file,
               struct arena *a, str *name);

/* The longest file that message_size_limit allows; 0: no limit. */
uint64_t drop_size_max(const struct conf *c);

#endif
