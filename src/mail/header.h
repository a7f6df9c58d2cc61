/* SPDX-License-Identifier: ISC
 *
 * The header of a message: reading it while the message flows by in pieces,
 * and writing fields.  RFC 5322 section 2.2.
 *
 * A field is kept with its line ends as they came (CR LF or LF), so that what
 * is not changed goes out byte for byte.
 *
 * I1  A reader holds at most its limit of one field; what is longer is cut
 *     at the limit, at a line's end where one fits, and .cut is set.
 * I2  The raw bytes of all fields, of .end or .body, and of what the caller
 *     has left of its pieces, are together the input, except what was cut,
 *     and what names the lines of mbox files that stand before all fields.
 * I3  A written field contains no CR, LF or NUL but its own folds and end.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/base.h"

enum header_class {
    HEADER_HAS_SENDER = 1,      /* holds sender addresses */
    HEADER_HAS_RECIPIENT = 2,
    HEADER_IS_RESENT = 4,
    HEADER_IS_MIME = 8,
    HEADER_IS_SECRET = 16,     /* must not leave: Bcc, Return-Path, ... */
};

enum header_id {
    HEADER_OTHER,
#define HEADER(id, name, class) HEADER_##id,
#include "mail/headers.def"
#undef HEADER
    N_HEADERS
};

/* What a name is, in any case; its usual spelling; the classes it is in. */
enum header_id header_find(str name);
str header_name(enum header_id id);
int header_classes(enum header_id id);

struct header_field {
    enum header_id id;
    str name;       /* without the colon and blanks before it */
    str value;      /* after the colon and blanks, without the last line end;
                       folds are in it */
    str raw;        /* all of it */
    bool cut;
};

enum header_event {
    HEADER_MORE,    /* the piece is used up */
    HEADER_FIELD,   /* *field holds one, until the next call */
    HEADER_END,     /* the empty line was taken; the body follows.  field.raw
                       is that line */
    HEADER_BODY,    /* there is no empty line: field.raw is the start of the
                       body, which the piece goes on with */
};

struct header_reader {
    struct buf held;    /* the field so far */
    size_t max;
    size_t line;        /* where its last line begins */
    bool started;       /* a field's name and colon were seen */
    bool blank;         /* a blank after the name */
    bool cut;           /* the rest of the field is thrown away */
    bool at_line;       /* the next byte begins a line */
    bool give;          /* held was handed out: empty it first */
    bool over;
    bool mbox_lines;    /* "From " lines before the first field become
                           X-Mailbox-Line fields; the owner sets it */
};

/* max: header_size_limit.  Its memory is a's; field text lives in it. */
void header_reader_init(struct header_reader *r, struct arena *a, size_t max);

/* Takes bytes from *piece until there is an event. */
enum header_event header_read(struct header_reader *r, str *piece,
                              struct header_field *field);

/* The input has ended: HEADER_FIELD (the last one; ask again), HEADER_BODY
 * (bytes that are no field) or HEADER_END (nothing is left, raw is empty). */
enum header_event header_finish(struct header_reader *r,
                                struct header_field *field);

/* Splits raw field text at its colon; false if it is not a field. */
bool header_split(str raw, struct header_field *field);

/* The value with its folds opened: line ends gone, one space for each run of
 * white space around them. */
str header_unfold(str value, struct arena *a);

/* Appends "Name: value" CR LF, folded at blanks after 78 columns.  CR, LF and
 * NUL in the value become spaces; a name that is not one is a programming
 * error. */
void header_put(struct buf *to, str name, str value);
void header_fmt(struct buf *to, str name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether a field name may be written: printable ASCII but the colon. */
bool header_name_valid(str name);

#endif
