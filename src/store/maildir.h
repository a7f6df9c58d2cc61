/* SPDX-License-Identifier: ISC
 *
 * Names of messages in a Maildir, as pure text:
 *
 *     1732418710.M123456P4711Q3.host,S=1234,W=1260:2,FSab
 *     base ------------------------------------------ info
 *
 * The base never changes while a message lives; S= is its size in the file,
 * W= with CR LF at all line ends.  After ":2," stand the flags: D draft,
 * F flagged, R answered, S seen, T deleted, small letters for keywords, in
 * byte order.  Letters that mean nothing here are kept.
 */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include "base/base.h"

enum message_flag {
    FLAG_SEEN = 1,
    FLAG_ANSWERED = 2,
    FLAG_FLAGGED = 4,
    FLAG_DELETED = 8,
    FLAG_DRAFT = 16,
    FLAG_ALL = 31,
};

enum { MAILDIR_NAME_MAX = 255, MAILDIR_LETTERS = 26 };

struct maildir_name {
    str base;
    bool has_info;
    uint8_t flags;
    uint64_t keywords;          /* bit 0 is letter a */
    bool has_size, has_wire;
    uint64_t size, wire;
};

/* False for what is no message: empty, hidden (".x"), too long, or with a
 * byte that no name should hold. */
bool maildir_name_parse(str name, struct maildir_name *out);

/* When a message arrived, as its name says: the seconds in front and the
 * microseconds of ".M123456" behind them, with leading zeros or without;
 * nought where it does not. */
void maildir_arrival(str name, uint64_t *seconds, uint32_t *us);

/* The wire size that a name tells of a file of that size; 0: none that can be
 * believed. */
uint64_t maildir_wire_size(const struct maildir_name *n, uint64_t size);

/* Appends a base with other sizes in it, or with these where there were
 * none. */
void maildir_base_sized(struct buf *to, str base, uint64_t size,
                        uint64_t wire);

/* Only the base, for any name. */
str maildir_base(str name);

/* Appends the name that a message now named so has in cur/ with these flags;
 * keywords past the last letter are not in it. */
void maildir_name_put(struct buf *to, str name, uint8_t flags,
                      uint64_t keywords);

/* Appends a host name as it may stand in a base: '/' and ':' escaped. */
void maildir_host_put(struct buf *to, str host);

#endif
