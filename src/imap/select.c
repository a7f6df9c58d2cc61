/* SPDX-License-Identifier: ISC
 *
 * SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 section 6.3.1, RFC 3691,
 * CONDSTORE of RFC 7162).
 */
#include "imap/session.h"

/* "(CONDSTORE)" after the name. */
static bool parse_parameters(struct imap *im, struct args *x)
{
    str word;

    if (!args_more(x))
        return args_end(x);     /* some clients leave a blank there */
    args_begin(x);
    do {
        if (!args_atom(x, &word))
            return false;
        if (!str_ieq(word, S("CONDSTORE")))
            return args_fail(x, "Unknown SELECT parameter");
        im->condstore = true;
    } while (args_more(x));
    args_finish(x);
    return args_end(x);
}

static void put_id(struct imap *im)
{
    conn_put(im->conn, S("* OK ["));
    imap_put_box_id(im, view_id(im->view));
    conn_put(im->conn, S("] Mailbox identifier\r\n"));
}

static void put_selected(struct imap *im)
{
    uint32_t count = view_count(im->view), unseen = 0;

    imap_put_flag_names(im, true);
    conn_fmt(im->conn, "* %" PRIu32 " EXISTS\r\n", count);
    imap_put_recent(im);
    for (uint32_t i = 1; i <= count && !unseen; i++)
        if (!(view_row(im->view, i)->flags & FLAG_SEEN))
            unseen = i;
    if (unseen)
        conn_fmt(im->conn, "* OK [UNSEEN %" PRIu32 "] First unseen.\r\n",
                 unseen);
    conn_fmt(im->conn, "* OK [UIDVALIDITY %" PRIu32 "] UIDs valid\r\n",
             view_uid_validity(im->view));
    conn_fmt(im->conn, "* OK [UIDNEXT %" PRIu32 "] Predicted next UID\r\n",
             view_uid_next(im->view));
    conn_fmt(im->conn, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n",
             view_modseq(im->view));
    put_id(im);
}

static err open_box(struct task *t, struct imap *im,
                    struct imap_command *cmd, bool read_only)
{
    struct args *x = &cmd->args;
    struct view *view;
    str name;
    err e;

    args_space(x);
    args_astring(x, &name);
    if (x->error || !parse_parameters(im, x))
        return imap_bad(t, im, cmd);
    if (im->view) {
        imap_unselect(im);
        conn_put(im->conn, S("* OK [CLOSED] Previous mailbox closed.\r\n"));
    }
    e = view_open(t, im->st, name, read_only, &view);
    if (e)
        return imap_failed(t, im, cmd, e);
    im->view = view;
    put_selected(im);
    /* nothing may be told between these lines and the answer */
    conn_fmt(im->conn, "%.*s OK [READ-%s] %s completed.\r\n",
             STR(cmd->tag), view_read_only(view) ? "ONLY" : "WRITE",
             read_only ? "Examine" : "Select");
    return OK;
}

err imap_on_select(struct task *t, struct imap *im, struct imap_command *cmd)
{
    return open_box(t, im, cmd, false);
}

err imap_on_examine(struct task *t, struct imap *im,
                    struct imap_command *cmd)
{
    return open_box(t, im, cmd, true);
}

err imap_on_close(struct task *t, struct imap *im, struct imap_command *cmd)
{
    err e = OK;

    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    if (!view_read_only(im->view) && (view_rights(im->view) & RIGHT_EXPUNGE))
        e = view_expunge(t, im->view, (struct seqs){ NULL, 0 });
    imap_unselect(im);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Close completed."));
}

err imap_on_unselect(struct task *t, struct imap *im,
                     struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    imap_unselect(im);
    return imap_done(t, im, cmd, S("OK Unselect completed."));
}
