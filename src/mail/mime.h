/* SPDX-License-Identifier: ISC
 *
 * MIME: the one parser of message structure (RFC 2045, 2046, 2047, 2231,
 * 5322).  Filters, FETCH and Sieve all see the parts that this one sees.
 *
 * A message is bytes in memory whose lines end with CR LF or with a bare LF.
 * What goes over the wire has CR LF everywhere, so every span knows how many
 * bare LFs it holds: its wire size is .size + .bare.
 *
 * I1  Every input gives a tree; spans lie inside the message, a child's
 *     inside its parent's body, siblings in order and apart.
 * I2  A tree has at most MIME_PARTS_MAX parts and MIME_DEPTH_MAX levels;
 *     what goes beyond is the body of the part it stands in.
 * I3  One pass, no recursion; time is linear in the message times the open
 *     boundaries of lines that start with "--".
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/base.h"

enum { MIME_DEPTH_MAX = 100, MIME_PARTS_MAX = 10000, MIME_PARAMS_MAX = 200 };

/* A header field as it stands: name without the colon, value with its folds
 * but without its last line end, all with it.  A line that is no field has
 * an empty name. */
struct mime_field {
    str name, value, all;
};

/* Takes the next field of *rest; false at the empty line (which is left) or
 * the end. */
bool mime_field_next(str *rest, struct mime_field *out);

/* The first field with that name, its value; false if there is none. */
bool mime_field_find(str header, str name, str *value);

/* How many bytes of message are its header, the empty line included. */
size_t mime_header_size(str message);

/* A value without folds: each is one space.  Trimmed. */
str mime_unfold(struct arena *a, str value);

struct mime_span {
    size_t at, size;
    uint64_t bare;      /* LFs without CR */
    uint64_t lines;     /* LFs */
};

static inline uint64_t mime_wire_size(const struct mime_span *s)
{
    return s->size + s->bare;
}

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

struct mime_part {
    struct mime_part *parent, *first, *last, *next;
    uint32_t n;                 /* children */
    uint32_t number;            /* among its siblings, from 1 */
    enum mime_kind kind;
    bool digest;                /* its children are messages by default */
    struct mime_span header;    /* with its empty line */
    struct mime_span body;
};

/* The tree of a message, in a.  A MIME_MESSAGE part has one child: the
 * message it holds. */
struct mime_part *mime_parse(struct arena *a, str message);

/* The part that an IMAP section names ("1.2.3" as numbers): the part whose
 * body and MIME header are meant, or NULL. */
const struct mime_part *mime_part_find(const struct mime_part *root,
                                       const uint32_t *path, size_t n);

/* Next in document order, or NULL. */
const struct mime_part *mime_part_after(const struct mime_part *p);

/* A structured value: "text/plain; charset=utf-8" gives head "text",
 * sub "plain" and parameters as written, unquoted, comments removed. */
struct mime_param {
    str name, value;
};

struct mime_value {
    str head, sub;              /* sub is empty without a slash */
    const struct mime_param *params;
    size_t n;
};

/* False if there is no head; then all is empty. */
bool mime_value_parse(struct arena *a, str value, struct mime_value *out);

/* A parameter in UTF-8 with RFC 2231 (charset, continuations) and RFC 2047
 * (wrong there, but found) undone; false if there is none. */
bool mime_param_find(struct arena *a, const struct mime_value *v, str name,
                     str *out);

/* Parameters with RFC 2231 continuations joined ("name*0", "name*1" become
 * "name"), still encoded: "name*" where any piece was. */
void mime_params_join(struct arena *a, struct mime_value *v);

/* Content-Type of a header, text/plain when it is missing or broken. */
void mime_type_of(struct arena *a, str header, struct mime_value *out);

/* Appends a header value in UTF-8: folds opened, encoded words decoded. */
void mime_words_decode(struct buf *to, str value);

/* Content-Transfer-Encoding. */
enum mime_encoding { MIME_IDENTITY, MIME_BASE64, MIME_QUOTED, MIME_UNKNOWN };
enum mime_encoding mime_encoding_of(str header);

/* Decoding in pieces: lenient, every input gives bytes. */
struct mime_decoder {
    enum mime_encoding encoding;
    uint32_t bits;              /* base64: what is pending */
    int n_bits;
    bool ended;                 /* base64: padding was seen */
    char held[80];              /* quoted-printable: a start of something */
    size_t n_held;
};

static inline struct mime_decoder mime_decoder_of(enum mime_encoding e)
{
    return (struct mime_decoder){ .encoding = e };
}

void mime_decode(struct mime_decoder *d, str piece, struct buf *to);
void mime_decode_end(struct mime_decoder *d, struct buf *to);

/* A span of the message as it goes over the wire, in pieces.  The walk is a
 * value: a copy goes on from where it was. */
struct mime_wire {
    str rest;
    uint64_t left;              /* wire bytes still to give */
    bool bare;                  /* there may be bare LFs */
    bool half;                  /* a CR was given, its LF was not */
    bool after_cr;
};

struct mime_wire mime_wire_of(str message, const struct mime_span *s);

/* Leaves out the next n wire bytes, in linear time where there are bare LFs;
 * .left falls by them. */
void mime_wire_skip(struct mime_wire *w, uint64_t n);

/* Ends the walk after at most max more. */
static inline void mime_wire_limit(struct mime_wire *w, uint64_t max)
{
    if (w->left > max)
        w->left = max;
}

/* How many bytes the whole walk gives. */
static inline uint64_t mime_wire_left(const struct mime_wire *w)
{
    return w->left;
}

/* The next piece, borrowed from the message or from room (which holds
 * size >= 2 bytes); empty at the end. */
str mime_wire_next(struct mime_wire *w, char *room, size_t size);

/* Counts lines and bare LFs of bytes that stand alone. */
struct mime_span mime_span_of(str bytes);

#endif
