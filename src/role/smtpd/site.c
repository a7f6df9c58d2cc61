/* SPDX-License-Identifier: ISC
 *
 * What our server answers: the one place where dialogue, policy, route, auth
 * and queue meet.
 */
#include "role/smtpd/smtpd.h"

#include "role/events.h"
#include "route/rewrite.h"

void visit_facts(struct visit *v, struct policy_facts *f)
{
    *f = (struct policy_facts){
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
        .sender_shown = v->mail.text,
        .mail_params = v->mail.params,
        .size = v->c.started ? v->c.size : v->mail.params.size,
        .n_recipients = v->rcpts.n,
        .queue_id = v->c.ticket.number ? queue_id_str(&v->c.id) : S(""),
        .instance = v->c.ticket.number ? queue_id_str(&v->c.id) : S(""),
        .pipelined = conn_pending(v->s.conn),
    };
}

/* What a verdict does to the message beside its reply. */
static void take_actions(struct task *t, struct visit *v,
                         const struct policy_verdict *p)
{
    struct arena *a = &v->transaction;

    v->hold |= p->hold;
    v->discard |= p->discard;
    if (!str_empty(p->filter))
        v->filter = arena_str(a, p->filter);
    if (!str_empty(p->redirect))
        v->redirect = arena_str(a, p->redirect);
    for (size_t i = 0; i < p->bcc.n; i++)
        vec_push(a, &v->bcc, arena_str(a, p->bcc.p[i]));
    for (size_t i = 0; i < p->prepend.n; i++)
        vec_push(a, &v->prepend, arena_str(a, p->prepend.p[i]));
    for (size_t i = 0; i < p->warn.n; i++)
        say(t, smtpd_policy_text, v->c.ticket.number ? v->c.id.text : "NOQUEUE",
            STR(p->warn.p[i]));
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
    take_actions(t, v, &p);
    return p.reply;
}

/* --- the session ---------------------------------------------------------- */

static struct reply on_greet(struct task *t, struct smtp_session *s)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
    r = judge(t, v, POLICY_CLIENT, &f);
    if (r.code)
        return r;
    return (struct reply){ .code = 220, .text = v->l->banner };
}

static struct reply on_helo(struct task *t, struct smtp_session *s, str name)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;

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

static struct reply on_mail(struct task *t, struct smtp_session *s,
                            const struct smtp_mail *m)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r = queue_away(v);

    if (r.code)
        return r;
    arena_reset(&v->transaction);
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
    vec_push(a, &v->rcpts, r);
}

static struct reply on_rcpt(struct task *t, struct smtp_session *s,
                            const struct smtp_rcpt *m)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
    f.has_recipient = true;
    f.recipient_shown = m->text;
    f.recipient = rewrite_standard(v->l->route, REWRITE_LOCAL, &m->address,
                                   &s->scratch);
    r = judge(t, v, POLICY_RECIPIENT, &f);
    if (r.code >= 400)
        return r;
    if (content_id(t, v))
        return REPLY(451, "4.3.0", "Error: queue file write error");
    say_client(t, v);
    keep_rcpt(v, m);
    return r.code ? r : REPLY(250, "2.1.5", "Ok");
}

static struct reply on_data(struct task *t, struct smtp_session *s)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
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
    r = judge(t, v, POLICY_END_OF_DATA, &f);
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
    v->bcc.p = v->prepend.p = NULL;
    v->bcc.n = v->bcc.cap = v->prepend.n = v->prepend.cap = 0;
    v->hold = v->discard = v->id_said = false;
    v->filter = v->redirect = S("");
}

static struct reply on_vrfy(struct task *t, struct smtp_session *s, str text)
{
    struct visit *v = visit_of(s);
    struct smtp_rcpt m = { .text = text };
    struct policy_facts f;
    struct reply r;

    if (address_parse(text, &s->scratch, 0, &m.address)
        || address_is_null(&m.address))
        return REPLY(501, "5.1.3", "Bad recipient address syntax");
    visit_facts(v, &f);
    f.has_recipient = true;
    f.recipient_shown = text;
    f.recipient = rewrite_standard(v->l->route, REWRITE_LOCAL, &m.address,
                                   &s->scratch);
    r = judge(t, v, POLICY_RECIPIENT, &f);
    if (r.code >= 400)
        return r;
    return reply_fmt(&s->scratch, 252, "2.0.0", "%.*s", STR(text));
}

static struct reply on_etrn(struct task *t, struct smtp_session *s,
                            str domain)
{
    struct visit *v = visit_of(s);
    struct policy_facts f;
    struct reply r;

    visit_facts(v, &f);
    f.etrn_domain = domain;
    r = judge(t, v, POLICY_ETRN, &f);
    if (r.code >= 400)
        return r;
    return reply_fmt(&s->scratch, 458, "", "Unable to queue messages for "
                     "node %.*s", STR(domain));
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

static void on_refused(struct task *t, struct smtp_session *s, str command,
                       struct reply r)
{
    struct visit *v = visit_of(s);
    struct buf b;

    if (!s->mail && s->verb != VERB_MAIL && s->verb != VERB_RCPT
        && s->verb != VERB_HELO && s->verb != VERB_EHLO
        && s->verb != VERB_ETRN)
        return;
    buf_init(&b, &s->scratch, 8192);
    if (v->mail.sender.text.p)
        buf_fmt(&b, " from=<%.*s>", STR(v->mail.sender.text));
    buf_fmt(&b, " proto=%s", s->esmtp ? "ESMTP" : "SMTP");
    if (!str_empty(s->helo))
        buf_fmt(&b, " helo=<%.*s>", STR(s->helo));
    say(t, smtpd_reject, v->c.ticket.number ? v->c.id.text : "NOQUEUE",
        STR(command), STR(v->name), STR(v->address), r.code, r.dsn,
        STR(r.text), STR(buf_str(&b)));
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
    .refused = on_refused,
};
