/* SPDX-License-Identifier: ISC
 *
 * STORE (RFC 3501 section 6.4.6, UNCHANGEDSINCE of RFC 7162), EXPUNGE, COPY
 * and MOVE (RFC 4315, RFC 6851).
 */
#include "imap/session.h"

struct store_plan {
    struct flag_change change;
    bool silent, conditional;
};

/* "(UNCHANGEDSINCE 123) " */
static bool take_condition(struct args *x, struct store_plan *p)
{
    str word;

    p->change.unchanged_since = UINT64_MAX;
    if (!args_open(x))
        return true;
    if (!args_atom(x, &word) || !str_ieq(word, S("UNCHANGEDSINCE")))
        return args_fail(x, "Unknown STORE modifier");
    args_space(x);
    args_number(x, INT64_MAX, &p->change.unchanged_since);
    args_finish(x);
    p->conditional = true;
    return args_space(x);
}

static bool take_plan(struct args *x, struct store_plan *p)
{
    struct flag_list flags;
    str item;

    if (!take_condition(x, p))
        return false;
    p->change.operation = args_maybe(x, '+') ? FLAGS_ADD
                        : args_maybe(x, '-') ? FLAGS_REMOVE : FLAGS_SET;
    if (!args_word(x, &item))
        return false;
    p->silent = str_iends(item, S(".SILENT"));
    if (p->silent)
        item.n -= 7;
    if (!str_ieq(item, S("FLAGS")))
        return args_fail(x, "Invalid STORE item");
    args_space(x);
    if (!args_flags(x, &flags))
        return false;
    p->change.flags = flags.flags;
    p->change.keywords = flags.keywords;
    p->change.n_keywords = flags.n_keywords;
    return args_end(x);
}

/* "MODSEQ 5" alone where SILENT keeps the flags back. */
static void put_row(struct imap *im, uint32_t seq, bool uid, bool silent)
{
    const struct row *r = view_row(im->view, seq);

    if (r->bits & ROW_LOST)
        return;
    if (!silent) {
        imap_put_flags_row(im, seq, uid);
    } else if (im->condstore) {
        conn_fmt(im->conn, "* %" PRIu32 " FETCH (", seq);
        if (uid)
            conn_fmt(im->conn, "UID %" PRIu32 " ", r->uid);
        conn_fmt(im->conn, "MODSEQ (%" PRIu64 "))\r\n", r->modseq);
    }
}

err imap_on_store(struct task *t, struct imap *im, struct imap_command *cmd)
{
    bool uid = str_starts(cmd->name, S("UID"));
    struct args *x = &cmd->args;
    struct store_plan plan = { 0 };
    struct seqs rows, failed;
    struct set set;
    err e;

    args_space(x);
    args_set(x, &set);
    args_space(x);
    if (x->error || !take_plan(x, &plan))
        return imap_bad(t, im, cmd);
    if (!imap_seqs(im, &set, uid, &rows)) {
        args_fail(x, "Invalid messageset");
        return imap_bad(t, im, cmd);
    }
    if (plan.conditional)
        imap_use_condstore(im);
    e = view_flags(t, im->view, rows, &plan.change, &im->scratch, &failed);
    if (e == ERR_DENIED)
        return imap_done(t, im, cmd, S("NO [READ-ONLY] Mailbox is "
                                       "read-only"));
    if (e)
        return imap_failed(t, im, cmd, e);
    for (size_t i = 0, f = 0; i < rows.n; i++) {
        if (f < failed.n && failed.p[f] == rows.p[i]) {
            f++;                /* both grow */
            continue;
        }
        put_row(im, rows.p[i], uid, plan.silent);
        TRY(imap_drain(t, im));
    }
    if (failed.n) {
        uint32_t *n = arena_array(&im->scratch, uint32_t, failed.n);
        for (size_t i = 0; i < failed.n; i++)
            n[i] = uid ? view_row(im->view, failed.p[i])->uid : failed.p[i];
        TRY(imap_tell(t, im, !im->bare));
        conn_fmt(im->conn, "%.*s OK [MODIFIED ", STR(cmd->tag));
        imap_put_set(im, n, failed.n);
        conn_put(im->conn, S("] Conditional store failed.\r\n"));
        return OK;
    }
    return imap_done(t, im, cmd, S("OK Store completed."));
}

err imap_on_expunge(struct task *t, struct imap *im,
                    struct imap_command *cmd)
{
    struct args *x = &cmd->args;
    struct seqs rows = { NULL, 0 };
    struct set set;
    err e;

    if (str_starts(cmd->name, S("UID"))) {
        args_space(x);
        args_set(x, &set);
        if (!x->error)
            imap_seqs(im, &set, true, &rows);
    }
    if (!args_end(x))
        return imap_bad(t, im, cmd);
    e = view_expunge(t, im->view, rows);
    if (e == ERR_DENIED)
        return imap_done(t, im, cmd, S("NO [READ-ONLY] Mailbox is "
                                       "read-only"));
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Expunge completed."));
}

static void put_copyuid(struct imap *im, const struct copied *done)
{
    conn_fmt(im->conn, "[COPYUID %" PRIu32 " ", done->uid_validity);
    imap_put_set(im, done->from, done->n);
    conn_put(im->conn, S(" "));
    imap_put_set(im, done->to, done->n);
    conn_put(im->conn, S("] "));
}

static err copy_failed(struct task *t, struct imap *im,
                       struct imap_command *cmd, err e, str name)
{
    if (e == ERR_ABSENT && !store_exists(t, im->st, name))
        return imap_done(t, im, cmd,
                         S("NO [EXPUNGEISSUED] Some of the requested "
                           "messages no longer exist."));
    if (e == ERR_ABSENT && store_name_valid(im->st, name))
        return imap_done(t, im, cmd,
                         arena_fmt(&im->scratch, "NO [TRYCREATE] Mailbox "
                                   "doesn't exist: %.*s", STR(name)));
    if (e == ERR_ABSENT)
        e = ERR_SYNTAX;
    return imap_failed(t, im, cmd, e);
}

static err copy(struct task *t, struct imap *im, struct imap_command *cmd,
                bool move)
{
    bool uid = str_starts(cmd->name, S("UID"));
    struct args *x = &cmd->args;
    struct copied done = { 0 };
    struct seqs rows;
    struct set set;
    str name;
    err e;

    args_space(x);
    args_set(x, &set);
    args_space(x);
    args_astring(x, &name);
    if (!args_end(x))
        return imap_bad(t, im, cmd);
    if (!imap_seqs(im, &set, uid, &rows)) {
        args_fail(x, "Invalid messageset");
        return imap_bad(t, im, cmd);
    }
    if (!rows.n) {
        e = store_exists(t, im->st, name);
        return e ? copy_failed(t, im, cmd, e, name)
                 : imap_done(t, im, cmd, S("OK No messages found."));
    }
    e = view_copy(t, im->view, rows, name, move, &im->scratch, &done);
    if (e)
        return copy_failed(t, im, cmd, e, name);
    if (move) {
        /* the UIDs come before the messages go (RFC 6851 section 4.3) */
        conn_put(im->conn, S("* OK "));
        put_copyuid(im, &done);
        conn_put(im->conn, S("Moved UIDs.\r\n"));
        return imap_done(t, im, cmd, S("OK Move completed."));
    }
    TRY(imap_tell(t, im, !im->bare));
    conn_fmt(im->conn, "%.*s OK ", STR(cmd->tag));
    put_copyuid(im, &done);
    conn_put(im->conn, S("Copy completed.\r\n"));
    return OK;
}

err imap_on_copy(struct task *t, struct imap *im, struct imap_command *cmd)
{
    return copy(t, im, cmd, false);
}

err imap_on_move(struct task *t, struct imap *im, struct imap_command *cmd)
{
    return copy(t, im, cmd, true);
}
