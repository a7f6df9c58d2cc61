/* SPDX-License-Identifier: ISC
 *
 * MAIL and RCPT: syntax, order and limits; the rest the site decides.
 */
#include "smtp/server.h"

#include "mail/host.h"

void smtp_transaction_end(struct task *t, struct smtp_session *s)
{
    if (s->mail)
        s->site->reset(t, s);
    s->mail = false;
    s->n_rcpts = s->n_rcpts_over = 0;
    s->bdat = SMTP_BDAT_NONE;
    s->n_bytes = 0;
    s->too_big = false;
}

/* "FROM:" and the path; what follows is the parameters. */
static bool path_after(str rest, str word, struct scan *out)
{
    struct scan sc = scan_of(rest);

    if (!scan_iword(&sc, word) || !scan_byte(&sc, ':'))
        return false;
    scan_blanks(&sc);
    *out = sc;
    return true;
}

static int path_flags(const struct smtp_session *s)
{
    return s->o.strict_paths ? ADDRESS_STRICT : 0;
}

/* A domain that can be one: a host name, or an address in brackets.  Where
 * SMTPUTF8 is not offered local parts are what they always were, any bytes
 * that their own system understands, but names of domains are ASCII. */
static bool domain_good(const struct smtp_session *s, const struct address *x)
{
    if (!s->o.offer_utf8 && !str_is_ascii(x->domain))
        return false;
    if (str_starts(x->domain, S("[")))
        return host_literal(x->domain, NULL);
    return str_empty(x->domain) || host_valid(x->domain, true)
           || (str_ends(x->domain, S("."))
               && host_valid(str_head(x->domain, x->domain.n - 1), true));
}

/* "-x" would be an option to commands that get addresses as arguments. */
static bool user_good(const struct smtp_session *s, const struct address *x)
{
    return s->o.min_user || !str_starts(x->local, S("-"));
}

/* The path at the cursor; *text is what was written. */
static bool read_path(struct task *t, struct smtp_session *s,
                      struct scan *sc, struct address *out, str *text)
{
    size_t from = sc->at;
    str whole = str_trim(scan_rest(sc)), shown = whole;
    size_t end = str_any(whole, S(" "));

    if (!address_path(sc, &s->scratch, path_flags(s), out)
        && (s->o.any_address || (domain_good(s, out) && user_good(s, out)))) {
        *text = str_trim(str_head(str_skip(sc->in, from), sc->at - from));
        return true;
    }
    if (end != STR_NONE && str_chr(whole, '<') == STR_NONE)
        shown = str_head(whole, end);
    smtp_note(t, s, SMTP_NOTE_ADDRESS, shown);
    return false;
}

/* RFC 6531 section 3.4: such an address needs the keyword. */
static bool undeclared(const struct smtp_session *s, const struct address *x,
                       bool smtputf8)
{
    return s->o.offer_utf8 && s->o.strict_utf8 && !smtputf8
           && !str_is_ascii(x->text);
}

struct reply smtp_on_mail(struct task *t, struct smtp_session *s, str rest)
{
    struct smtp_mail m = { 0 };
    struct scan sc;
    struct reply r;

    if (s->o.helo_required && str_empty(s->helo))
        return REPLY(503, "5.5.1", "Error: send HELO/EHLO first");
    if (s->mail)
        return REPLY(503, "5.5.1", "Error: nested MAIL command");
    if (s->bdat != SMTP_BDAT_NONE)
        return REPLY(503, "5.5.1", "Error: MAIL after BDAT");
    if (!path_after(rest, S("FROM"), &sc) || str_empty(scan_rest(&sc)))
        return REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (!read_path(t, s, &sc, &m.sender, &m.text))
        return REPLY(501, "5.1.7", "Bad sender address syntax");
    if (!esmtp_mail(scan_rest(&sc), smtp_offer_flags(s), &s->scratch,
                    &m.params, &r))
        return r;
    if (undeclared(s, &m.sender, m.params.smtputf8))
        return REPLY(553, "5.6.7",
                     "Must declare SMTPUTF8 to send unicode address");
    if (s->o.size_max && m.params.size > s->o.size_max) {
        r = REPLY(552, "5.3.4", "Message size exceeds fixed limit");
        s->refused_sender = &m.sender;
        smtp_note(t, s, SMTP_NOTE_MAIL_SIZE, r.text);
        return r;
    }
    s->smtputf8 = m.params.smtputf8;
    r = s->site->mail(t, s, &m);
    s->mail = r.code < 400;
    return r;
}

struct reply smtp_on_rcpt(struct task *t, struct smtp_session *s, str rest)
{
    struct smtp_rcpt m = { 0 };
    struct scan sc;
    struct reply r;

    if (!s->mail)
        return REPLY(503, "5.5.1", "Error: need MAIL command");
    if (s->bdat != SMTP_BDAT_NONE)
        return REPLY(503, "5.5.1", "Error: RCPT after BDAT");
    if (!path_after(rest, S("TO"), &sc) || str_empty(scan_rest(&sc)))
        return REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>");
    if (!read_path(t, s, &sc, &m.address, &m.text))
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    if (address_is_null(&m.address)) {
        smtp_note(t, s, SMTP_NOTE_ADDRESS, m.text);
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    }
    if (undeclared(s, &m.address, s->smtputf8))
        return REPLY(553, "5.6.7",
                     "Must declare SMTPUTF8 to send unicode address");
    if (!esmtp_rcpt(scan_rest(&sc), smtp_offer_flags(s), &s->scratch,
                    &m.params, &r))
        return r;
    if (s->n_rcpts >= s->o.rcpts_max) {
        if (s->n_rcpts_over++ < s->o.rcpts_over_max && s->n_errors > 0)
            s->n_errors--; /* some overshoot is no error of the client's */
        return REPLY(452, "4.5.3", "Error: too many recipients");
    }
    r = s->site->rcpt(t, s, &m);
    if (r.code < 400)
        s->n_rcpts++;
    return r;
}
