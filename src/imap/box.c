/* SPDX-License-Identifier: ISC
 *
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
 */
#include "imap/session.h"

static bool one_name(struct imap_command *cmd, str *name)
{
    args_space(&cmd->args);
    args_astring(&cmd->args, name);
    return args_end(&cmd->args);
}

static err failed(struct task *t, struct imap *im, struct imap_command *cmd,
                  err e, str name)
{
    if (e == ERR_DENIED && !store_exists(t, im->st, name))
        return imap_done(t, im, cmd,
                         S("NO [ALREADYEXISTS] Mailbox already exists"));
    return imap_failed(t, im, cmd, e);
}

err imap_on_create(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct box_status status;
    str name;
    err e;

    args_space(&cmd->args);
    args_astring(&cmd->args, &name);
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    /* a trailing separator says that children will follow */
    if (name.n > 1 && name.p[name.n - 1] == store_separator(im->st))
        name.n--;
    e = store_create(t, im->st, name);
    if (!e)
        e = store_status(t, im->st, name, false, &status);
    if (e)
        return failed(t, im, cmd, e, name);
    if (im->view)
        TRY(imap_tell(t, im, true));
    conn_fmt(im->conn, "%.*s OK [", STR(cmd->tag));
    imap_put_box_id(im, str_of(status.id, sizeof(status.id)));
    conn_put(im->conn, S("] Create completed.\r\n"));
    return OK;
}

err imap_on_delete(struct task *t, struct imap *im, struct imap_command *cmd)
{
    str name;
    err e;

    if (!one_name(cmd, &name))
        return imap_bad(t, im, cmd);
    if (str_ieq(name, S("INBOX")))
        return imap_done(t, im, cmd,
                         S("NO [CANNOT] INBOX can't be deleted."));
    if (im->view && view_is(im->view, im->st, name)) {
        imap_unselect(im);
        conn_put(im->conn, S("* OK [CLOSED] Previous mailbox closed.\r\n"));
    }
    e = store_delete(t, im->st, name);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Delete completed."));
}

err imap_on_rename(struct task *t, struct imap *im, struct imap_command *cmd)
{
    str from, to;
    err e;

    args_space(&cmd->args);
    args_astring(&cmd->args, &from);
    args_space(&cmd->args);
    args_astring(&cmd->args, &to);
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    e = store_rename(t, im->st, from, to);
    return e ? failed(t, im, cmd, e, to)
             : imap_done(t, im, cmd, S("OK Rename completed."));
}

err imap_on_subscribe(struct task *t, struct imap *im,
                      struct imap_command *cmd)
{
    str name;
    err e;

    if (!one_name(cmd, &name))
        return imap_bad(t, im, cmd);
    e = store_exists(t, im->st, name);
    if (!e)
        e = store_subscribe(t, im->st, name, true);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Subscribe completed."));
}

err imap_on_unsubscribe(struct task *t, struct imap *im,
                        struct imap_command *cmd)
{
    str name;
    err e;

    if (!one_name(cmd, &name))
        return imap_bad(t, im, cmd);
    e = store_subscribe(t, im->st, name, false);
    /* that it was not subscribed is what was wanted */
    return e && e != ERR_ABSENT
               ? imap_failed(t, im, cmd, e)
               : imap_done(t, im, cmd, S("OK Unsubscribe completed."));
}
