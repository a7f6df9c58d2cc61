/* SPDX-License-Identifier: ISC
 *
 * From the queue back to maildrop.
 *
 * R1  The message is in maildrop, on the disk, before it leaves the queue: a
 *     crash between the two doubles it.
 */
#include "role/tool/requeue.h"

#include "role/tool/drop.h"

static err move(struct task *t, const struct conf *c, struct queue_edit *e,
                str id, struct queue_content *m, struct arena *a)
{
    struct buf file;
    uint32_t n;
    str name;
    err result;

    if (!(m->envelope.flags & ENVELOPE_LOCAL))
        m->envelope.flags |= ENVELOPE_NO_REWRITE; /* of its headers */
    buf_init(&file, NULL, STR_NONE / 2);
    drop_pack(&m->envelope, buf_str(&m->text), &file);
    result = drop_write(t, c, buf_str(&file), a, &name);
    buf_free(&file);
    TRY(result);
    return queue_edit_change(t, e, 'd', id, &n); /* R1 */
}

err requeue(struct task *t, const struct conf *c, struct queue_edit *e,
            str id, uint32_t *n)
{
    struct queue_content m = { .found = false };
    struct arena a;
    uint32_t held;
    err result;

    *n = 0;
    arena_init(&a, 0);
    result = queue_edit_change(t, e, 'h', id, &held); /* nobody begins now */
    if (!result)
        result = queue_edit_read(t, e, id, &a, &m);
    if (!result && m.found && !m.active && m.envelope.recipients.n > 0) {
        result = move(t, c, e, id, &m, &a);
        *n = !result;
    } else if (!result && m.found && held) {
        result = queue_edit_change(t, e, 'H', id, &held);
    }
    buf_free(&m.text);
    arena_reset(&a);
    return result;
}
