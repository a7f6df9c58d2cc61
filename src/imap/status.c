/* SPDX-License-Identifier: ISC
 *
 * STATUS (RFC 3501 section 6.3.10, RFC 7162, RFC 8438), also as part of LIST
 * (RFC 5819).
 */
#include "imap/session.h"

static const struct {
    str name;
    int item;
} items_known[] = {
    { S_INIT("MESSAGES"), STATUS_MESSAGES },
    { S_INIT("RECENT"), STATUS_RECENT },
    { S_INIT("UIDNEXT"), STATUS_UIDNEXT },
    { S_INIT("UIDVALIDITY"), STATUS_UIDVALIDITY },
    { S_INIT("UNSEEN"), STATUS_UNSEEN },
    { S_INIT("HIGHESTMODSEQ"), STATUS_MODSEQ },
    { S_INIT("SIZE"), STATUS_SIZE },
    { S_INIT("APPENDLIMIT"), STATUS_APPENDLIMIT },
    { S_INIT("DELETED"), STATUS_DELETED },
    { S_INIT("MAILBOXID"), STATUS_ID },
};

enum { N_ITEMS = sizeof(items_known) / sizeof(items_known[0]) };

static int item_of(str word)
{
    for (size_t i = 0; i < N_ITEMS; i++)
        if (str_ieq(word, items_known[i].name))
            return items_known[i].item;
    return 0;
}

bool imap_status_items(struct args *x, int *items)
{
    str word;

    *items = 0;
    args_begin(x);
    do {
        int item;
        if (!args_atom(x, &word))
            return false;
        item = item_of(word);
        if (!item)
            return args_fail(x, "Unknown status item");
        *items |= item;
    } while (args_more(x));
    return args_finish(x);
}

void imap_put_box_id(struct imap *im, str id)
{
    struct buf b;

    buf_init(&b, &im->scratch, 64);
    hex_encode(&b, id);
    conn_fmt(im->conn, "MAILBOXID (F%.*s)", STR(buf_str(&b)));
}

str imap_email_id(struct imap *im, struct arena *a, uint32_t uid)
{
    struct buf b;

    buf_init(&b, a, 64);
    buf_byte(&b, 'M');
    hex_encode(&b, view_id(im->view));
    buf_fmt(&b, "-%" PRIu32, uid);
    return buf_str(&b);
}

static uint64_t value_of(const struct box_status *s, int item,
                         const struct imap *im)
{
    switch (item) {
    case STATUS_MESSAGES: return s->messages;
    case STATUS_RECENT: return s->recent;
    case STATUS_UIDNEXT: return s->uid_next;
    case STATUS_UIDVALIDITY: return s->uid_validity;
    case STATUS_UNSEEN: return s->unseen;
    case STATUS_MODSEQ: return s->modseq;
    case STATUS_SIZE: return s->size;
    case STATUS_DELETED: return s->deleted;
    default: return im->o->message_max;
    }
}

static void put_item(struct imap *im, const struct box_status *s, size_t i)
{
    int item = items_known[i].item;

    if (item == STATUS_ID) {
        imap_put_box_id(im, str_of(s->id, sizeof(s->id)));
        return;
    }
    conn_fmt(im->conn, "%.*s ", STR(items_known[i].name));
    if (item == STATUS_APPENDLIMIT && !im->o->message_max)
        conn_put(im->conn, S("NIL"));
    else
        conn_fmt(im->conn, "%" PRIu64, value_of(s, item, im));
}

err imap_put_status(struct task *t, struct imap *im, str name, int items)
{
    struct box_status s;
    const char *space = "";

    TRY(store_status(t, im->st, name, (items & STATUS_SIZE) != 0, &s));
    conn_put(im->conn, S("* STATUS "));
    imap_put_astring(im, name);
    conn_put(im->conn, S(" ("));
    for (size_t i = 0; i < N_ITEMS; i++) {
        if (!(items & items_known[i].item))
            continue;
        conn_put(im->conn, str_from(space));
        put_item(im, &s, i);
        space = " ";
    }
    conn_put(im->conn, S(")\r\n"));
    return imap_drain(t, im);
}

err imap_on_status(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct args *x = &cmd->args;
    int items = 0;
    str name;
    err e;

    args_space(x);
    args_astring(x, &name);
    args_space(x);
    if (!x->error)
        imap_status_items(x, &items);
    if (!args_end(x))
        return imap_bad(t, im, cmd);
    if (items & STATUS_MODSEQ)
        imap_use_condstore(im);   /* RFC 7162: it enables */
    e = imap_put_status(t, im, name, items);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Status completed."));
}
