/* SPDX-License-Identifier: ISC
 *
 * Encodings of bytes as text: base64 (RFC 4648), hexadecimal, UTF-8.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

/* Appends the base64 of s, no line breaks. */
void base64_encode(struct buf *to, str s);

/* Appends the decoded bytes; false (with what was decoded so far appended)
 * if s is not strict base64 with its padding. */
bool base64_decode(struct buf *to, str s);

/* Appends lower-case hexadecimal. */
void hex_encode(struct buf *to, str s);

/* Takes the next code point; false at an ill-formed sequence (one byte is
 * taken then) or at the end. */
bool utf8_next(str *s, uint32_t *code);

/* Whether all of s is well-formed UTF-8 (RFC 3629). */
bool utf8_valid(str s);

/* Appends a code point; ill-formed ones as U+FFFD. */
void utf8_put(struct buf *to, uint32_t code);

/* Whether all bytes are below 128. */
bool str_is_ascii(str s);

#endif
