/* SPDX-License-Identifier: ISC
 *
 * The small commands: CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE, CHECK,
 * and those that came too late.
 */
#include "imap/session.h"

err imap_on_capability(struct task *t, struct imap *im,
                       struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    conn_put(im->conn, S("* CAPABILITY " IMAP_CAPABILITIES));
    if (im->o->message_max)
        conn_fmt(im->conn, " APPENDLIMIT=%" PRIu64, im->o->message_max);
    conn_put(im->conn, S("\r\n"));
    return imap_done(t, im, cmd, S("OK Capability completed."));
}

err imap_on_noop(struct task *t, struct imap *im, struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    return imap_done(t, im, cmd, S("OK NOOP completed."));
}

err imap_on_check(struct task *t, struct imap *im, struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    return imap_done(t, im, cmd, S("OK Check completed."));
}

err imap_on_logout(struct task *t, struct imap *im, struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    imap_unselect(im);
    im->over = true;
    conn_put(im->conn, S("* BYE Logging out\r\n"));
    return imap_done(t, im, cmd, S("OK Logout completed."));
}

err imap_on_login_again(struct task *t, struct imap *im,
                        struct imap_command *cmd)
{
    return imap_done(t, im, cmd, S("BAD Already logged in."));
}

/* RFC 2971: what the client says of itself is read and not kept. */
err imap_on_id(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct args *x = &cmd->args;

    imap_id_read(x);
    if (!args_end(x))
        return imap_bad(t, im, cmd);
    conn_fmt(im->conn, "* ID (\"name\" \"%.*s\" \"version\" \"%.*s\")\r\n",
             STR(im->o->product), STR(im->o->version));
    return imap_done(t, im, cmd, S("OK ID completed."));
}

err imap_on_enable(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct args *x = &cmd->args;
    bool condstore = false;
    str word;

    args_space(x);
    do {
        args_atom(x, &word);
        condstore |= !x->error && str_ieq(word, S("CONDSTORE"));
    } while (args_more(x));
    if (!args_end(x))
        return imap_bad(t, im, cmd);
    conn_put(im->conn, S("* ENABLED"));
    if (condstore)
        conn_put(im->conn, S(" CONDSTORE"));
    conn_put(im->conn, S("\r\n"));
    if (condstore)
        imap_use_condstore(im);
    return imap_done(t, im, cmd, S("OK Enabled."));
}

err imap_on_namespace(struct task *t, struct imap *im,
                      struct imap_command *cmd)
{
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    conn_fmt(im->conn, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n",
             store_separator(im->st));
    return imap_done(t, im, cmd, S("OK Namespace completed."));
}

/* --- quota (RFC 9208) ---------------------------------------------------- */

static err put_quota(struct task *t, struct imap *im)
{
    const char *space = "";
    struct quota q;

    TRY(store_quota(t, im->st, &q));
    conn_put(im->conn, S("* QUOTA \"User quota\" ("));
    if (q.bytes_max) {
        conn_fmt(im->conn, "STORAGE %" PRIu64 " %" PRIu64,
                 (q.bytes + 1023) / 1024, q.bytes_max / 1024);
        space = " ";
    }
    if (q.messages_max)
        conn_fmt(im->conn, "%sMESSAGE %" PRIu64 " %" PRIu64, space,
                 q.messages, q.messages_max);
    conn_put(im->conn, S(")\r\n"));
    return OK;
}

static err quota_limited(struct task *t, struct imap *im, bool *limited)
{
    struct quota q;

    TRY(store_quota(t, im->st, &q));
    *limited = q.bytes_max || q.messages_max;
    return OK;
}

err imap_on_getquota(struct task *t, struct imap *im,
                     struct imap_command *cmd)
{
    bool limited;
    str root;
    err e;

    args_space(&cmd->args);
    args_astring(&cmd->args, &root);
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    e = quota_limited(t, im, &limited);
    if (!e && (!limited || !str_eq(root, S("User quota"))))
        return imap_done(t, im, cmd,
                         S("NO [NONEXISTENT] Quota root doesn't exist."));
    if (!e)
        e = put_quota(t, im);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Getquota completed."));
}

err imap_on_getquotaroot(struct task *t, struct imap *im,
                         struct imap_command *cmd)
{
    bool limited = false;
    str name;
    err e;

    args_space(&cmd->args);
    args_astring(&cmd->args, &name);
    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    /* one need not be there: its root is known before it is made (RFC 9208
     * section 4.1.2) */
    e = store_name_valid(im->st, name) ? OK : ERR_SYNTAX;
    if (!e)
        e = quota_limited(t, im, &limited);
    if (e)
        return imap_failed(t, im, cmd, e);
    conn_put(im->conn, S("* QUOTAROOT "));
    imap_put_astring(im, name);
    conn_put(im->conn, limited ? S(" \"User quota\"\r\n") : S("\r\n"));
    if (limited)
        e = put_quota(t, im);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Getquotaroot completed."));
}

err imap_on_setquota(struct task *t, struct imap *im,
                     struct imap_command *cmd)
{
    return imap_done(t, im, cmd, S("NO [NOPERM] Permission denied"));
}
