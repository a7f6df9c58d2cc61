/* SPDX-License-Identifier: ISC
 *
 * MAIL and RCPT: syntax, order and limits; the rest the site decides.
 */
#include "smtp/server.h"

void smtp_transaction_end(struct task *t, struct smtp_session *s)
{
    if (s->mail)
        s->site->reset(t, s);
    s->mail = false;
    s->n_rcpts = s->n_rcpts_refused = 0;
    s->n_bytes = 0;
    s->too_big = false;
}

/* "FROM:" and the path; what follows is the parameters. */
static bool path_after(str rest, str word, struct scan *out)
{
    struct scan sc = scan_of(rest);

    if (!scan_iword(&sc, word))
        return false;
    scan_blanks(&sc);
    if (!scan_byte(&sc, ':'))
        return false;
    *out = sc;
    return true;
}

static int path_flags(const struct smtp_session *s)
{
    return (s->o.strict_paths ? ADDRESS_STRICT : 0)
           | (s->o.offer_utf8 ? 0 : ADDRESS_ASCII);
}

struct reply smtp_on_mail(struct task *t, struct smtp_session *s, str rest)
{
    struct smtp_mail m = { 0 };
    struct scan sc;
    struct reply r;
    size_t from;

    if (s->o.helo_required && str_empty(s->helo))
        return REPLY(503, "5.5.1", "Error: send HELO/EHLO first");
    if (s->mail)
        return REPLY(503, "5.5.1", "Error: nested MAIL command");
    if (!path_after(rest, S("FROM"), &sc))
        return REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    from = sc.at;
    if (address_path(&sc, &s->scratch, path_flags(s), &m.sender))
        return REPLY(501, "5.1.7", "Bad sender address syntax");
    m.text = str_trim(str_head(str_skip(rest, from), sc.at - from));
    if (!esmtp_mail(scan_rest(&sc), s->esmtp ? smtp_offer_flags(s) : 0,
                    &s->scratch, &m.params, &r))
        return r;
    if (s->o.size_max && m.params.size > s->o.size_max)
        return REPLY(552, "5.3.4", "Message size exceeds fixed limit");
    r = s->site->mail(t, s, &m);
    s->mail = r.code < 400;
    return r;
}

struct reply smtp_on_rcpt(struct task *t, struct smtp_session *s, str rest)
{
    struct smtp_rcpt m = { 0 };
    struct scan sc;
    struct reply r;
    size_t from;

    if (!s->mail)
        return REPLY(503, "5.5.1", "Error: need MAIL command");
    if (!path_after(rest, S("TO"), &sc))
        return REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>");
    from = sc.at;
    if (address_path(&sc, &s->scratch, path_flags(s), &m.address)
        || address_is_null(&m.address))
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    m.text = str_trim(str_head(str_skip(rest, from), sc.at - from));
    if (!esmtp_rcpt(scan_rest(&sc), s->esmtp ? smtp_offer_flags(s) : 0,
                    &s->scratch, &m.params, &r))
        return r;
    if (s->n_rcpts >= s->o.rcpts_max) {
        if (s->n_rcpts_refused++ < s->o.rcpts_over_max && s->n_errors > 0)
            s->n_errors--; /* some overshoot is no error of the client's */
        return REPLY(452, "4.5.3", "Error: too many recipients");
    }
    r = s->site->rcpt(t, s, &m);
    if (r.code < 400)
        s->n_rcpts++;
    return r;
}
