/* SPDX-License-Identifier: ISC
 *
 * The commands outside of a transaction.
 */
#include "smtp/server.h"

int smtp_offer_flags(const struct smtp_session *s)
{
    int flags = ESMTP_SIZE | ESMTP_8BITMIME | ESMTP_AUTH;

    if (s->o.offer_dsn)
        flags |= ESMTP_DSN;
    if (s->o.offer_utf8)
        flags |= ESMTP_UTF8;
    return flags;
}

static str mechs(const struct smtp_session *s)
{
    return conn_tls(s->conn)->on ? s->o.auth_mechs_tls : s->o.auth_mechs;
}

static bool auth_offered(const struct smtp_session *s)
{
    return s->o.offer_auth && !s->o.hide_auth && !str_empty(mechs(s))
           && (!s->o.auth_needs_tls || conn_tls(s->conn)->on);
}

static bool starttls_offered(const struct smtp_session *s)
{
    return s->o.offer_starttls && !conn_tls(s->conn)->on;
}

str smtp_offers(struct smtp_session *s)
{
    struct buf b;

    buf_init(&b, &s->scratch, 4096);
    buf_add(&b, s->o.hostname);
    if (s->o.offer_pipelining)
        buf_add(&b, S("\nPIPELINING"));
    if (s->o.offer_size && s->o.size_max)
        buf_fmt(&b, "\nSIZE %" PRIu64, s->o.size_max);
    else if (s->o.offer_size)
        buf_add(&b, S("\nSIZE"));
    if (s->o.offer_vrfy)
        buf_add(&b, S("\nVRFY"));
    if (s->o.offer_etrn && !s->o.lmtp)
        buf_add(&b, S("\nETRN"));
    if (starttls_offered(s))
        buf_add(&b, S("\nSTARTTLS"));
    if (auth_offered(s)) {
        buf_fmt(&b, "\nAUTH %.*s", STR(mechs(s)));
        if (s->o.broken_auth_clients)
            buf_fmt(&b, "\nAUTH=%.*s", STR(mechs(s)));
    }
    if (s->o.offer_codes)
        buf_add(&b, S("\nENHANCEDSTATUSCODES"));
    if (s->o.offer_8bitmime)
        buf_add(&b, S("\n8BITMIME"));
    if (s->o.offer_dsn)
        buf_add(&b, S("\nDSN"));
    if (s->o.offer_utf8)
        buf_add(&b, S("\nSMTPUTF8"));
    if (s->o.offer_chunking)
        buf_add(&b, S("\nCHUNKING"));
    return buf_str(&b);
}

/* A name as it is kept and logged: bytes that mean something in addresses are
 * question marks. */
static str clean_name(struct arena *a, str name)
{
    char *p = arena_cstr(a, name);

    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)p[i] < 32 || p[i] == 127
            || str_chr(S(" <>()\\\";@"), p[i]) != STR_NONE)
            p[i] = '?';
    return str_of(p, name.n);
}

static struct reply on_helo(struct task *t, struct smtp_session *s,
                            enum smtp_verb v, str name)
{
    struct reply r;

    if (str_empty(name))
        return reply_fmt(&s->scratch, 501, "", "Syntax: %s hostname",
                         smtp_verb_name(v));
    smtp_transaction_end(t, s);
    name = clean_name(&s->scratch, str_head(name, 2048));
    s->esmtp = v != VERB_HELO;
    r = s->site->helo(t, s, name);
    if (r.code >= 400)
        return r;
    s->helo = arena_str(s->memory, name);
    return (struct reply){ .code = 250, .text = s->esmtp ? smtp_offers(s)
                                                         : s->o.hostname };
}

static struct reply on_starttls(struct task *t, struct smtp_session *s,
                                str rest)
{
    struct tls_context *ctx = NULL;
    struct reply r;

    if (!str_empty(rest))
        return REPLY(501, "5.5.4", "Syntax: STARTTLS");
    if (conn_tls(s->conn)->on)
        return REPLY(554, "5.5.1", "Error: TLS already active");
    if (!s->o.offer_starttls)
        return REPLY(502, "5.5.1", "Error: command not implemented");
    r = s->site->starttls(t, s, &ctx);
    if (r.code >= 400)
        return r;
    smtp_transaction_end(t, s);
    conn_discard(s->conn);
    conn_put(s->conn, S("220 2.0.0 Ready to start TLS\r\n"));
    s->where = "STARTTLS";
    if (smtp_tls_start(t, s, ctx)) {
        s->over = true;
        return (struct reply){ .code = 0 };
    }
    /* a new start: nothing that was said in clear counts */
    s->helo = S("");
    s->esmtp = false;
    s->authenticated = false;
    return (struct reply){ .code = 0 };
}

static struct reply on_auth(struct task *t, struct smtp_session *s, str rest)
{
    struct scan sc = scan_of(rest);
    str mech = scan_until(&sc, S(" "));
    str initial;

    scan_blanks(&sc);
    initial = scan_rest(&sc);
    if (s->o.helo_required && str_empty(s->helo))
        return REPLY(503, "5.5.1", "Error: send HELO/EHLO first");
    if (!s->o.offer_auth)
        return REPLY(503, "5.5.1", "Error: authentication not enabled");
    if (s->mail)
        return REPLY(503, "5.5.1", "Error: MAIL transaction in progress");
    if (str_empty(mech) || str_chr(initial, ' ') != STR_NONE)
        return REPLY(501, "5.5.4", "Syntax: AUTH mechanism");
    if (s->authenticated)
        return REPLY(503, "5.5.1", "Error: already authenticated");
    if (s->o.auth_needs_tls && !conn_tls(s->conn)->on)
        return REPLY(503, "5.5.1", "Error: authentication not enabled");
    return s->site->auth(t, s, mech, initial, initial.n > 0);
}

static struct reply on_vrfy(struct task *t, struct smtp_session *s, str rest)
{
    if (s->o.no_vrfy)
        return REPLY(502, "5.5.1", "VRFY command is disabled");
    if (str_empty(rest))
        return reply_fmt(&s->scratch, 501, "5.5.4", "Syntax: VRFY address%s",
                         s->o.offer_utf8 ? " [SMTPUTF8]" : "");
    return s->site->vrfy(t, s, rest);
}

static struct reply on_etrn(struct task *t, struct smtp_session *s, str rest)
{
    if (s->o.helo_required && str_empty(s->helo))
        return REPLY(503, "", "Error: send HELO/EHLO first");
    if (s->mail)
        return REPLY(503, "", "Error: MAIL transaction in progress");
    if (str_empty(rest) || str_chr(rest, ' ') != STR_NONE)
        return REPLY(500, "", "Syntax: ETRN domain");
    return s->site->etrn(t, s, rest);
}

static struct reply on_rset(struct task *t, struct smtp_session *s, str rest)
{
    if (!str_empty(rest))
        return REPLY(501, "5.5.4", "Syntax: RSET");
    smtp_transaction_end(t, s);
    return REPLY(250, "2.0.0", "Ok");
}

static struct reply on_unknown(void)
{
    return REPLY(500, "5.5.2", "Error: command not recognized");
}

/* Commands that may come before STARTTLS when TLS is required. */
static bool fine_without_tls(enum smtp_verb v)
{
    return v == VERB_EHLO || v == VERB_HELO || v == VERB_STARTTLS
           || v == VERB_NOOP || v == VERB_QUIT || v == VERB_HELP
           || v == N_VERBS;
}

bool smtp_needs_tls(const struct smtp_session *s, enum smtp_verb v)
{
    return s->o.tls_required && !conn_tls(s->conn)->on
           && !fine_without_tls(v);
}

struct reply smtp_command(struct task *t, struct smtp_session *s,
                          enum smtp_verb v, str rest)
{
    switch (v) {
    case VERB_HELO:
    case VERB_EHLO:
        return s->o.lmtp ? on_unknown() : on_helo(t, s, v, rest);
    case VERB_LHLO:
        return s->o.lmtp ? on_helo(t, s, v, rest) : on_unknown();
    case VERB_STARTTLS:
        return on_starttls(t, s, rest);
    case VERB_AUTH:
        return on_auth(t, s, rest);
    case VERB_MAIL:
        return smtp_on_mail(t, s, rest);
    case VERB_RCPT:
        return smtp_on_rcpt(t, s, rest);
    case VERB_RSET:
        return on_rset(t, s, rest);
    case VERB_NOOP:
        return REPLY(250, "2.0.0", "Ok");
    case VERB_VRFY:
        return on_vrfy(t, s, rest);
    case VERB_ETRN:
        return on_etrn(t, s, rest);
    case VERB_QUIT:
        return REPLY(221, "2.0.0", "Bye");
    default:
        return on_unknown();
    }
}
