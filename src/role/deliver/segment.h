/* SPDX-License-Identifier: ISC
 *
 * Segments of the spool that the queue manager gave over a port.
 */
#ifndef ROLE_DELIVER_SEGMENT_H
#define ROLE_DELIVER_SEGMENT_H

#include "role/deliver/deliver.h"

struct segment {
    uint32_t number;
    struct file *file;
};

/* NULL: it was not given. */
struct file *segment_file(const struct jobs_port *p, uint32_t number);

#endif
