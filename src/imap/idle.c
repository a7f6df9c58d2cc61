/* SPDX-License-Identifier: ISC
 *
 * IDLE (RFC 2177): waits for a change or a line, whichever comes, in one
 * task.  After a while without either the view dozes.
 */
#include "imap/session.h"

enum { DOZE_S = 2, STILL_S = 120, LINE_LEN_MAX = 1024 };

/* "OK Still here", so that connections stay open through address
 * translators. */
static err still_here(struct task *t, struct imap *im)
{
    conn_put(im->conn, S("* OK Still here\r\n"));
    return conn_flush(t, im->conn, imap_until(t, im));
}

/* Waits once; *input: there is a line to read. */
static err wait_once(struct task *t, struct imap *im, when until,
                     bool *input)
{
    err e;

    *input = conn_pending(im->conn);
    if (*input)
        return OK;
    TRY(conn_flush(t, im->conn, imap_until(t, im)));
    if (!im->view) {
        e = conn_wait(t, im->conn, until);
        *input = !e;
        return e;
    }
    e = view_wait(t, im->view, conn_sock(im->conn), until);
    if (e || view_changed(t, im->view))
        return e;
    /* not the view, so perhaps the client: look without waiting */
    e = conn_wait(t, im->conn, rt_now(t));
    *input = !e;
    return e == ERR_LATE ? OK : e;
}

static err idle(struct task *t, struct imap *im)
{
    when end = imap_until(t, im), still = after_s(t, STILL_S);
    bool dozing = false, input = false;

    imap_message_close(&im->message);   /* nobody goes on reading it now */
    while (!input) {
        when until = !dozing ? after_s(t, DOZE_S) : still;
        err e;

        if (im->view && !dozing)
            TRY(imap_tell(t, im, true));
        e = wait_once(t, im, until < end ? until : end, &input);
        if (e && e != ERR_LATE)
            return e;
        if (e == ERR_LATE && rt_now(t) >= end)
            return e;
        if (e == ERR_LATE && rt_now(t) >= still) {
            TRY(still_here(t, im));
            still = after_s(t, STILL_S);
        }
        if (e == ERR_LATE && im->view)
            view_doze(im->view);
        dozing = e == ERR_LATE;
    }
    return OK;
}

err imap_on_idle(struct task *t, struct imap *im, struct imap_command *cmd)
{
    enum line_end end;
    str line;

    if (!args_end(&cmd->args))
        return imap_bad(t, im, cmd);
    conn_put(im->conn, S("+ idling\r\n"));
    TRY(idle(t, im));
    TRY(conn_line(t, im->conn, LINE_LEN_MAX, imap_until(t, im), &line, &end));
    if (im->view)
        TRY(view_wake(t, im->view));
    if (end == LINE_CUT || !str_ieq(str_trim(line), S("DONE"))) {
        im->n_bad++;
        return imap_done(t, im, cmd, S("BAD Expected DONE."));
    }
    return imap_done(t, im, cmd, S("OK Idle completed."));
}
