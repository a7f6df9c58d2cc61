/* SPDX-License-Identifier: ISC
 *
 * A message as Postfix' queue files would hold it: typed records, with the
 * offsets they would have.  The log has none such; postcat(1) shows messages
 * in this form because scripts know it.  Pure.
 */
#ifndef ROLE_TOOL_QUEUE_FILE_H
#define ROLE_TOOL_QUEUE_FILE_H

#include "mail/envelope.h"

struct queue_file {
    str name;               /* "deferred/0C3F54A1B2" */
    const struct envelope *envelope;
    const bool *done;       /* recipients that are, or NULL: none */
    str text;               /* CR LF line ends */
};

enum queue_file_show {
    SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4,
    SHOW_TYPES = 8,         /* -d */
    SHOW_OFFSETS = 16,      /* -o */
    SHOW_NAMES = 32,        /* -v: of text records too */
};

/* Appends what show asks for, of the records at offset from and on. */
void queue_file_put(const struct queue_file *f, int show, uint64_t from,
                    int zone_s, struct buf *to);

#endif
