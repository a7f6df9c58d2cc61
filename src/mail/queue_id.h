/* SPDX-License-Identifier: ISC
 *
 * Queue ids: the names of messages that people and log analysers see.
 *
 * short  microseconds of the arrival as five hexadecimal digits, then the
 *        message number in hexadecimal, upper case: "0C3F54A1B2"
 * long   (enable_long_queue_ids) seconds of the arrival in base 52, at least
 *        six digits; microseconds in base 52, four digits; "z"; the message
 *        number in base 51, so that "z" stands only once: "4FgTdq3rLnz2bT"
 *
 * Base 52 digits are 0-9 and the consonants, upper case before lower.
 *
 * I1  The number can be read back from both; a short id never looks like a
 *     long one.
 */
#ifndef MAIL_QUEUE_ID_H
#define MAIL_QUEUE_ID_H

#include "base/base.h"

enum { QUEUE_ID_MAX = 40 };

struct queue_id {
    char text[QUEUE_ID_MAX + 1]; /* NUL-ended */
};

/* number > 0; wall_us is the arrival. */
struct queue_id queue_id_make(uint64_t number, int64_t wall_us, bool longer);

static inline str queue_id_str(const struct queue_id *id)
{
    return str_from(id->text);
}

/* Reads the number back; false if it is not an id of either form. */
bool queue_id_number(str text, uint64_t *number);

/* Letters and digits only, of a length an id may have: what may be part of a
 * file name or a log line. */
bool queue_id_valid(str text);

#endif
