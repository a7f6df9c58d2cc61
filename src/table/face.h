/* SPDX-License-Identifier: ISC
 *
 * Tables between roles.  A sandboxed role (table/client.c) opens no path: it
 * asks the lookup role (table/serve.c) for a descriptor of what a table is
 * made of, or, for types that live in the process that may open them, for the
 * value of each key.
 *
 *     TABLE_OPEN    u8 version | str spec
 *         answer    u8 version | u8 err | str why | u64 stamp | str path,
 *                   with the descriptor of a file open for reading
 *     TABLE_FIND    u8 version | str spec | u32 flags | str key
 *         answer    u8 version | u8 err | str why | str value
 *     TABLE_STAMPS  u8 version | u32 n | n times str spec
 *         answer    u8 version | u32 n | n times u64 stamp
 *
 * A stamp is another number whenever the file at that path has been changed
 * or replaced; 0: there is none now.
 *
 * F1  Only what the configuration names is opened: a spec is served if it
 *     stands as such in a parameter's value, or in a file of list items that
 *     such a value names.  Password tables of the authentication role are
 *     not, those of the SMTP client are for that role only.
 * F2  The asking role is not believed: every field is bounded and checked.
 */
#ifndef TABLE_FACE_H
#define TABLE_FACE_H

#include "table/table.h"

enum table_frame { TABLE_OPEN = 120, TABLE_FIND, TABLE_STAMPS };

enum { TABLE_FACE_VERSION = 1, TABLE_SPEC_MAX = 16 * 1024,
       TABLE_WHY_MAX = 1000, TABLE_STAMPS_MAX = 1000 };

/* --- asking -------------------------------------------------------------- */

/* An opener for tables_new() that asks over calls.  Tables that are open stay
 * so while nobody answers. */
struct table_opener table_opener_remote(struct arena *a, struct calls *calls);

/* --- being asked --------------------------------------------------------- */

/* What one configuration allows to be opened and asked, with the tables that
 * are asked here; in a, and closed with it. */
struct table_grant;
err table_grant_open(struct task *t, struct arena *a, const struct conf *c,
                     struct table_grant **out);

/* Those that count at the moment: the first is the configuration in force.
 * What came before it stays allowed for sessions that began with it, what is
 * to come for who is getting ready for it. */
enum { TABLE_GRANTS_MAX = 3 };
struct table_grants {
    struct table_grant *p[TABLE_GRANTS_MAX];
    size_t n;
};

/* Whether a frame's type is one of ours. */
bool table_frame_is(uint16_t type);

/* Answers a question; *answer, born with PORT_BODY_MAX, gets the body, *file
 * a file whose descriptor goes with it or NULL (the caller closes it).  The
 * grants must live until then.  client: the SMTP client asks.  ERR_PEER: no
 * question. */
err table_serve(struct task *t, const struct table_grants *grants,
                uint16_t type, str question, bool client, struct buf *answer,
                struct file **file);

#endif
