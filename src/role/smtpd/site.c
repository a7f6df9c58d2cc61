/* SPDX-License-Identifier: ISC
 *
 * What our server answers: the one place where dialogue, policy, route, auth
 * and queue meet.
 */
#include "role/smtpd/smtpd.h"

#include "mail/host.h"

#include "role/events.h"
#include "role/tls.h"
#include "route/resolve.h"
#include "route/rewrite.h"

void visit_facts(struct visit *v, struct policy_facts *f)
{
    *f = (struct policy_facts){
        .where = str_from(smtp_verb_name(v->s.verb)),
        .client_name = v->name,
        .reverse_name = v->reverse,
        .name_status = v->name_status,
        .client_address = v->address,
        .client_port = v->peer.port,
        .server_port = v->own.port,
        .server_address = endpoint_address(&v->own, &v->s.scratch),
        .protocol = v->s.esmtp ? S("ESMTP") : S("SMTP"),
        .helo = v->s.helo,
        .esmtp = v->s.esmtp,
        .tls = conn_tls(v->s.conn),
        .sasl_method = v->sasl_method,
        .sasl_user = v->sasl_user,
        .sasl_sender = v->sasl_sender,
        .has_sender = v->s.mail,
        .sender = v->mail.sender,
        .mail_params = v->mail.params,
        .size = v->c.started ? v->c.size : v->mail.params.size,
        .n_recipients = v->rcpts.n,
        .queue_id = v->c.ticket.number ? queue_id_str(&v->c.id) : S(""),
        .instance = v->c.ticket.number ? queue_id_str(&v->c.id) : S(""),
        .pipelined = v->s.pipelined,
        .held = v->hold,
        .discarded = v->discard,
        .memory = &v->memory_of_policy,
    };
}

/* What a verdict does to the message beside its reply. */
static void take_actions(struct visit *v, const struct policy_verdict *p)
{
    struct arena *a = &v->transaction;

    v->hold |= p->hold;
    v->discard |= p->discard;
    if (!str_empty(p->filter))
        v->filter = arena_str(a, p->filter);
    if (!str_empty(p->redirect))
        v->redirect = arena_str(a, p->redirect);
    if (!str_empty(p->bcc))
        v->bcc = arena_str(a, p->bcc);
    for (size_t i = 0; i < p->prepend.n; i++)
        vec_push(a, &v->prepend, arena_str(a, p->prepend.p[i]));
}

static struct reply judge(struct task *t, struct visit *v,
                          enum policy_stage stage,
                          const struct policy_facts *f)
{
    struct policy_verdict p = { 0 };

    if (v->l->pickup)
        return (struct reply){ 0 };
    if (policy_judge(t, v->l->policy, stage, f, &v->s.scratch, &p))
        return REPLY(421, "4.3.2", "Service shutting down");
    take_actions(v, &p);
    return p.reply;
}

/* --- what is worth a line in the log -------------------------------------*/

static str escaped(struct arena *a, str s)
{
    struct buf b;

    buf_init(&b, a, 1024);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\r' || c == '\n' || c == '\t' || c == '\\')
            buf_fmt(&b, "\\%c", c == '\r' ? 'r' : c == '\n' ? 'n'
                                 : c == '\t' ? 't' : '\\');
        else if (c < 32 || c >= 127)
            buf_fmt(&b, "\\%03o", c);
        else
            buf_byte(&b, (char)c);
    }
    return buf_str(&b);
}

static const char *id_or_none(const struct visit *v)
{
    return v->c.ticket.number ? v->c.id.text : "NOQUEUE";
}

/* "Anonymous TLS connection established from ..." */
static void say_tls(struct task *t, struct visit *v)
{
    const struct tls_facts *f = conn_tls(v->s.conn);
    struct buf b;

    if (v->l->tls_loglevel < 1)
        return;
    buf_init(&b, &v->s.scratch, 1024);
    tls_facts_put(f, " ", &b);
    say(t, smtpd_tls, str_empty(f->peer_fingerprint) ? "Anonymous"
                      : f->peer_verified ? "Trusted" : "Untrusted",
        STR(v->s.peer), STR(f->protocol), STR(f->cipher), f->bits_used,
        f->bits_total, STR(buf_str(&b)));
}

static void on_note(struct task *t, struct smtp_session *s, enum smtp_note n,
                    str text)
{
    struct visit *v = visit_of(s);
    const char *verb = smtp_verb_name(s->verb);

    str why_not = text;

    text = n == SMTP_NOTE_PIPELINING
               ? escaped(&s->scratch, text)
               : table_printable(&s->scratch, str_head(text, 2000));
    switch (n) {
    case SMTP_NOTE_ADDRESS:
        say(t, smtpd_bad_address, STR(s->peer), verb, STR(text));
        break;
    case SMTP_NOTE_PIPELINING:
        say(t, smtpd_pipelining, verb, STR(s->peer), STR(text));
        break;
    case SMTP_NOTE_BAD_COMMAND:
        say(t, smtpd_non_smtp, STR(s->peer), STR(str_head(text, 100)));
        break;
    case SMTP_NOTE_LONG_LINE:
        say(t, smtpd_long_line, STR(s->peer), s->o.line_max, STR(text));
        break;
    case SMTP_NOTE_BDAT:
        say(t, smtpd_bad_bdat, id_or_none(v), STR(s->peer),
            STR(str_head(text, 100)));
        break;
    case SMTP_NOTE_BDAT_NULL:
        say(t, smtpd_null_bdat, id_or_none(v), STR(s->peer));
        break;
    case SMTP_NOTE_BDAT_SIZE:
        say(t, smtpd_big_bdat, id_or_none(v), STR(s->peer));
        break;
    case SMTP_NOTE_TOO_BIG:
        say(t, smtpd_too_big, id_or_none(v));
        break;
    case SMTP_NOTE_ERRORS:
        say(t, smtpd_too_many_errors, verb, STR(s->peer));
        break;
    case SMTP_NOTE_TLS:
        say_tls(t, v);
        break;
    case SMTP_NOTE_TLS_FAILED:
        say(t, smtpd_tls_failed, STR(s->peer), STR(role_tls_outcome(why_not)));
        role_tls_complain(t, why_not);
        break;
    case SMTP_NOTE_MAIL_SIZE:
        say(t, smtpd_mail_size, STR(s->peer), STR(text),
            STR(s->refused_sender->text), s->esmtp ? "ESMTP" : "SMTP",
            STR(s->helo));
        break;
    }
}

/* --- the session ---------------------------------------------------------- */

/* smtpd_tls_req_ccert: without a certificate of somebody trusted the first
 * command after the handshake is the last one. */
static struct reply certificate_demanded(struct task *t, struct visit *v)
{
    const struct tls_facts *f = conn_tls(v->s.conn);
    const char *fault = str_empty(f->peer_fingerprint)
                            ? "No client certificate presented"
                        : !f->peer_verified ? "Client certificate not trusted"
                                            : NULL;

    if (!v->l->demands_cert || !f->on || !fault)
        return (struct reply){ 0 };
    say(t, smtpd_tls_abort, STR(v->s.peer), fault);
    return reply_fmt(&v->s.scratch, 421, "4.7.1", "%.*s Error: %s",
                     STR(v->s.o.hostname), fault);
}

static struct reply on_greet(struct task *t, struct smtp_session *s)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
    f.where = S("CONNECT");
    r = judge(t, v, POLICY_CLIENT, &f);
    if (r.code)
        return r;
    return (struct reply){ .code = 220, .text = v->l->banner };
}

static struct reply on_helo(struct task *t, struct smtp_session *s, str name)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;

    if (s->esmtp && !str_empty(v->hidden))
        say(t, smtpd_hidden, STR(v->hidden));
    visit_facts(v, &f);
    f.helo = name;
    return judge(t, v, POLICY_HELO, &f);
}

static struct reply queue_away(struct visit *v)
{
    if (queue_link_open(v->d->queue))
        return (struct reply){ 0 };
    return REPLY(452, "4.3.1", "Insufficient system storage");
}

static void keep_mail(struct visit *v, const struct smtp_mail *m)
{
    struct arena *a = &v->transaction;

    v->mail = *m;
    if (address_of(m->sender.text, a, &v->mail.sender))
        must_not_reach(); /* it was checked */
    v->mail.text = arena_str(a, m->text);
    v->mail.params.envid = arena_str(a, m->params.envid);
    v->mail.params.auth = arena_str(a, m->params.auth);
}

/* What was an address as it was written may be none once the routes in it
 * are undone: a%@here.  Tables that fail are asked again, and answer then. */
static bool is_nobody(struct task *t, struct visit *v,
                      const struct address *x, str shown)
{
    const struct route *r = v->l->route;
    struct arena *a = &v->s.scratch;
    struct address y = rewrite_standard(r, REWRITE_LOCAL, x, a);
    bool bad;

    if (v->l->pickup || address_is_null(x)
        || resolve_syntax(t, r, &y, a, &bad) || !bad)
        return false;
    on_note(t, &v->s, SMTP_NOTE_ADDRESS, shown);
    return true;
}

static struct reply on_mail(struct task *t, struct smtp_session *s,
                            const struct smtp_mail *m)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r = queue_away(v);

    if (r.code)
        return r;
    if (!str_empty(v->sasl_user)
        && ended_is(v->d->role->ended, v->sasl_user, v->sasl_at))
        return REPLY(421, "4.7.0", "Error: the account was changed, "
                     "authenticate again");
    if (is_nobody(t, v, &m->sender, m->text))
        return REPLY(501, "5.1.7", "Bad sender address syntax");
    keep_mail(v, m);
    visit_facts(v, &f);
    f.has_sender = true;
    r = judge(t, v, POLICY_SENDER, &f);
    if (r.code >= 400)
        return r;
    return r.code ? r : REPLY(250, "2.1.0", "Ok");
}

static void say_client(struct task *t, struct visit *v)
{
    struct buf b;

    if (v->id_said)
        return;
    v->id_said = true;
    if (v->l->pickup) {
        say(t, pickup_mail, STR(queue_id_str(&v->c.id)), v->uid,
            STR(v->mail.sender.text));
        return;
    }
    buf_init(&b, &v->s.scratch, 2048);
    if (v->s.authenticated)
        buf_fmt(&b, ", sasl_method=%.*s, sasl_username=%.*s",
                STR(v->sasl_method), STR(v->sasl_user));
    say(t, smtpd_client, STR(queue_id_str(&v->c.id)), STR(v->name),
        STR(v->address), STR(buf_str(&b)));
}

static void keep_rcpt(struct visit *v, const struct smtp_rcpt *m)
{
    struct arena *a = &v->transaction;
    struct recipient r = {
        .original = arena_str(a, m->address.text),
        .orcpt = arena_str(a, m->params.orcpt),
        .notify = m->params.notify,
    };

    if (address_of(m->address.text, a, &r.address))
        must_not_reach(); /* it was checked */
    if (v->since_us > 0 && str_istarts(r.orcpt, S("rfc822;")))
        r.original = str_skip(r.orcpt, S("rfc822;").n);
    if (v->bounce.n > 0)
        r.transport = arena_cat(a, S("error:"), v->bounce);
    vec_push(a, &v->rcpts, r);
}

static struct reply on_rcpt(struct task *t, struct smtp_session *s,
                            const struct smtp_rcpt *m)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r, full;

    if (is_nobody(t, v, &m->address, m->text))
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    visit_facts(v, &f);
    f.has_recipient = true;
    f.recipient = m->address;
    r = judge(t, v, POLICY_RECIPIENT, &f);
    if (r.code >= 400)
        return r;
    full = visit_room(t, v, &m->address, v->mail.params.size);
    if (full.code)
        return full;
    if (content_id(t, v))
        return REPLY(451, "4.3.0", "Error: queue file write error");
    say_client(t, v);
    keep_rcpt(v, m);
    return r.code ? r : REPLY(250, "2.1.5", "Ok");
}

/* What is decided for all recipients names one only if there is just one. */
static void only_recipient(const struct visit *v, struct policy_facts *f)
{
    if (v->rcpts.n != 1)
        return;
    f->has_recipient = true;
    f->recipient = v->rcpts.p[0].address;
}

static struct reply on_data(struct task *t, struct smtp_session *s)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
    only_recipient(v, &f);
    r = judge(t, v, POLICY_DATA, &f);
    if (r.code)
        return r;
    if (content_begin(t, v))
        return REPLY(451, "4.3.0", "Error: queue file write error");
    return (struct reply){ 0 };
}

static err on_body(struct task *t, struct smtp_session *s, str bytes)
{
    return content_bytes(t, visit_of(s), bytes);
}

static struct reply on_end(struct task *t, struct smtp_session *s, size_t i)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    (void)i;
    visit_facts(v, &f);
    f.where = S("END-OF-MESSAGE");
    only_recipient(v, &f);
    r = judge(t, v, POLICY_END_OF_DATA, &f);
    if (!r.code)
        r = visit_room_end(t, v);
    if (r.code)
        return r;
    return content_end(t, v);
}

static void on_reset(struct task *t, struct smtp_session *s)
{
    struct visit *v = visit_of(s);

    (void)t;
    content_drop(v);
    arena_reset(&v->transaction);
    v->mail = (struct smtp_mail){ 0 };
    v->rcpts.p = NULL;
    v->rcpts.n = v->rcpts.cap = 0;
    v->prepend.p = NULL;
    v->prepend.n = v->prepend.cap = 0;
    v->hold = v->discard = v->id_said = false;
    v->filter = v->redirect = v->bcc = S("");
}

static struct reply on_vrfy(struct task *t, struct smtp_session *s, str text)
{
    struct visit *v = visit_of(s);
    struct smtp_rcpt m = { .text = text };
    struct policy_facts f;
    struct reply r;

    if (address_parse(text, &s->scratch, 0, &m.address)
        || address_is_null(&m.address)
        || (!s->o.min_user && str_starts(m.address.local, S("-")))) {
        on_note(t, s, SMTP_NOTE_ADDRESS, text);
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    }
    if (is_nobody(t, v, &m.address, text))
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    visit_facts(v, &f);
    f.has_recipient = true;
    f.recipient = m.address;
    r = judge(t, v, POLICY_RECIPIENT, &f);
    if (r.code >= 400)
        return r;
    return reply_fmt(&s->scratch, 252, "2.0.0", "%.*s", STR(text));
}

/* "domain", "@domain", "#queue": only names of hosts, or an address. */
static bool etrn_syntax(str name)
{
    return host_valid(name, false) || host_literal(name, NULL);
}

static struct reply on_etrn(struct task *t, struct smtp_session *s,
                            str domain)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;
    err e;

    if (domain.p[0] == '@' || domain.p[0] == '#')
        domain = str_skip(domain, 1);
    visit_facts(v, &f);
    f.etrn_domain = domain;
    r = judge(t, v, POLICY_ETRN, &f);
    if (r.code >= 400)
        return r;
    if (!etrn_syntax(domain))
        return REPLY(501, "", "Error: invalid parameter syntax");
    e = match_list_find(t, v->l->flush_domains, domain, S(""));
    if (e == ERR_ABSENT) {
        say(t, smtpd_no_etrn, STR(table_printable(&s->scratch,
                                                  str_head(domain, 100))),
            STR(s->peer));
        return reply_fmt(&s->scratch, 459, "",
                         "<%.*s>: service unavailable", STR(domain));
    }
    if (e || !queue_link_flush(v->d->queue, domain))
        return REPLY(458, "", "Unable to queue messages");
    return REPLY(250, "", "Queuing started");
}

static struct reply on_starttls(struct task *t, struct smtp_session *s,
                                struct tls_context **ctx)
{
    struct visit *v = visit_of(s);

    (void)t;
    if (!v->l->tls)
        return REPLY(454, "4.7.0", "TLS not available due to local problem");
    *ctx = v->l->tls;
    return REPLY(220, "2.0.0", "Ready to start TLS");
}

static struct reply on_footer(struct task *t, struct smtp_session *s,
                              struct reply r)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;

    if (v->l->pickup || !policy_has_footer(v->l->policy))
        return r;
    visit_facts(v, &f);
    return policy_footer(t, v->l->policy, &f, &s->scratch, r);
}

static bool listed(const struct conf *c, enum param p, str verb)
{
    struct conf_items items = conf_items(c, p);

    for (size_t i = 0; i < items.n; i++)
        if (str_ieq(items.p[i], verb))
            return true;
    return false;
}

static struct reply on_special(struct task *t, struct smtp_session *s,
                               str verb, str line)
{
    struct visit *v = visit_of(s);
    struct reply r = certificate_demanded(t, v);
    str value;

    if (r.code)
        return r;
    if (v->l->pickup && str_ieq(verb, S("XPICKUP")))
        return pickup_whose(v, str_skip(line, verb.n));
    if (listed(v->l->conf, P_smtpd_noop_commands, verb))
        return REPLY(250, "2.0.0", "Ok");
    if (s->verb < N_VERBS)
        return (struct reply){ 0 };
    if (str_ieq(verb, S("XCLIENT")) || str_ieq(verb, S("XFORWARD")))
        return REPLY(550, "5.7.0", "Error: insufficient authorization");
    if (listed(v->l->conf, P_smtpd_forbidden_commands, verb)
        || str_ends(verb, S(":"))
        || maps_find(t, &v->l->forbidden, line, &s->scratch, &value) == OK)
        return REPLY(221, "2.7.0",
                     "Error: I can break rules, too. Goodbye.");
    return (struct reply){ 0 };
}

const struct smtp_site smtpd_site = {
    .greet = on_greet,
    .helo = on_helo,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .data = on_data,
    .body = on_body,
    .end = on_end,
    .reset = on_reset,
    .vrfy = on_vrfy,
    .etrn = on_etrn,
    .starttls = on_starttls,
    .auth = visit_auth,
    .special = on_special,
    .note = on_note,
    .footer = on_footer,
};
