/* SPDX-License-Identifier: ISC
 *
 * A queue file of Postfix, read only.
 *
 * A file is a row of records: a type byte, the length of what follows in
 * groups of seven bits (the lowest first, the highest bit set where more
 * follow), the bytes.  The envelope comes first, then 'M', the lines of the
 * message ('N' a line, 'L' a piece of one that goes on), 'X', what was found
 * in its header, and 'E'.  'p' says where reading goes on (ASCII digits): mail
 * filters changed the file.
 */
#ifndef ROLE_TOOL_FOREIGN_H
#define ROLE_TOOL_FOREIGN_H

#include "mail/envelope.h"

struct foreign_mail {
    struct envelope envelope;   /* recipients that are done are left out */
    str text;                   /* CR LF line ends */
};

/* Pure.  Everything in a.  ERR_CORRUPT: no such file, or not a whole one. */
err foreign_read(str file, struct arena *a, struct foreign_mail *out);

#endif
