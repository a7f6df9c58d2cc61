/* SPDX-License-Identifier: ISC
 *
 * The walk through restriction lists.  A list is a level; a class, or a list
 * that a table's action holds, is entered as a new level, and what it decides
 * is what the word that led there decides.
 *
 * warn_if_reject holds for the next word of its level, and for all that this
 * word enters.
 */
#include "policy/judge.h"

#include "route/rewrite.h"

struct level {
    const struct rule_list *list;
    size_t at;
    struct subject subject;
    bool never_permit;
    str never_why;
};

/* --- refusing ------------------------------------------------------------- */

static str printable(struct arena *a, str s)
{
    return table_printable(a, s);
}

void judge_say(struct task *t, const struct judge *j, const char *what,
               str text)
{
    const struct policy_facts *f = j->f;
    str id = str_empty(f->queue_id) ? S("NOQUEUE") : f->queue_id;
    struct buf b;

    buf_init(&b, j->a, 16 * 1024);
    if (f->has_sender)
        buf_fmt(&b, " from=<%.*s>", STR(address_external(&f->sender, j->a)));
    if (f->has_recipient)
        buf_fmt(&b, " to=<%.*s>",
                STR(address_external(&f->recipient, j->a)));
    if (!str_empty(f->protocol))
        buf_fmt(&b, " proto=%.*s", STR(f->protocol));
    if (!str_empty(f->helo))
        buf_fmt(&b, " helo=<%.*s>", STR(f->helo));
    say(t, policy_says, STR(id), what, STR(f->where),
        STR(j->client), STR(text), STR(printable(j->a, buf_str(&b))));
}

void judge_permitted(struct task *t, const struct judge *j, str action,
                     const struct subject *s, str table)
{
    if (!j->p->permit_log
        || match_list_find(t, j->p->permit_log, action, S("")))
        return;
    judge_say(t, j, "permit",
              arena_fmt(j->a, "action=%.*s for %s=%.*s %s%.*s", STR(action),
                        s->class, STR(s->name), table.n ? "from " : "",
                        STR(table)));
}

void judge_warn(struct task *t, const struct judge *j, const char *fmt, ...)
{
    va_list ap;
    str text;

    va_start(ap, fmt);
    text = arena_vfmt(j->a, fmt, ap);
    va_end(ap);
    say(t, policy_warn, arena_cstr(j->a, printable(j->a, text)));
}

/* The class of the enhanced code is that of the reply code; soft_bounce makes
 * both temporary. */
static void settle_codes(const struct judge *j, struct reply *r)
{
    if (j->p->soft_bounce && r->code >= 500)
        r->code -= 100;
    if (r->dsn[0])
        r->dsn[0] = (char)('0' + r->code / 100);
}

static enum outcome refuse(struct task *t, struct judge *j, struct reply r,
                           bool our_fault)
{
    bool warn = j->warn_depth > 0 && !our_fault;
    str text;

    if (!warn && j->if_reject.active && r.code >= 500) {
        struct policy_deferral *d = &j->if_reject;
        d->active = false;
        r = reply_fmt(j->a, d->code, d->dsn, "%.*s", (int)d->n, d->text);
    }
    settle_codes(j, &r);
    r.text = printable(j->a, str_head(r.text, 480));
    text = arena_fmt(j->a, "%d %s %.*s", r.code, r.dsn, STR(r.text));
    judge_say(t, j, warn ? "reject_warning" : "reject", text);
    if (warn)
        return OUT_DUNNO;
    j->out->reply = r;
    return OUT_REFUSED;
}

enum outcome judge_refuse(struct task *t, struct judge *j, struct reply r)
{
    return refuse(t, j, r, false);
}

struct reply judge_reply(struct judge *j, const struct subject *s, int code,
                         const char *dsn, str reason)
{
    return reply_fmt(j->a, code, dsn, "<%.*s>: %s rejected: %.*s",
                     STR(s->name), s->class, STR(reason));
}

enum outcome judge_refuse_subject(struct task *t, struct judge *j,
                                  const struct subject *s, int code,
                                  const char *dsn, str reason)
{
    return refuse(t, j, judge_reply(j, s, code, dsn, reason), false);
}

enum outcome judge_server_error(struct task *t, struct judge *j)
{
    return refuse(t, j, REPLY(451, "4.3.5", "Server configuration error"),
                  true);
}

enum outcome judge_table_error(struct task *t, struct judge *j, str name)
{
    if (task_stopped(t))
        j->stopped = true;
    say(t, policy_warn, task_why(t));
    return refuse(t, j, reply_fmt(j->a, 451, "4.3.0",
                                  "<%.*s>: Temporary lookup failure",
                                  STR(name)), true);
}

static void remember(struct policy_deferral *d, struct reply r)
{
    if (d->active)
        return; /* the first one counts */
    d->active = true;
    d->code = r.code;
    for (size_t i = 0; i < sizeof(d->dsn); i++)
        d->dsn[i] = r.dsn[i];
    r.text = str_head(r.text, DEFERRAL_TEXT_MAX);
    for (d->n = 0; d->n < r.text.n; d->n++)
        d->text[d->n] = r.text.p[d->n];
}

enum outcome judge_defer_if_permit(struct task *t, struct judge *j,
                                   enum tempfail how, struct reply r)
{
    if (j->warn_depth > 0 || how == TEMPFAIL_DEFER)
        return judge_refuse(t, j, r);
    remember(&j->if_permit, r);
    return OUT_DUNNO;
}

void judge_defer_if_reject(struct judge *j, struct reply r)
{
    remember(&j->if_reject, r);
}

/* --- what words look at --------------------------------------------------- */

bool judge_about(const struct judge *j, enum about about, str *text,
                 struct subject *s)
{
    const struct policy_facts *f = j->f;

    *s = j->here;
    *text = S("");
    switch (about) {
    case ABOUT_NOTHING:
        return true;
    case ABOUT_CLIENT:
        *text = f->client_name;
        *s = (struct subject){ j->client, "Client host" };
        return true;
    case ABOUT_REVERSE:
        *text = f->reverse_name;
        *s = (struct subject){ f->reverse_name, "Unverified Client host" };
        return true;
    case ABOUT_SASL:
        *text = f->sasl_user;
        *s = (struct subject){ f->sasl_user, "SASL login name" };
        return f->sasl_user.n > 0;
    case ABOUT_CCERT:
        *text = f->tls ? f->tls->peer_fingerprint : S("");
        *s = (struct subject){ f->tls ? f->tls->peer_name : S(""),
                               "Client certificate" };
        return !str_empty(*text);
    case ABOUT_HELO:
        *text = f->helo;
        *s = (struct subject){ f->helo, "Helo command" };
        return f->helo.n > 0;
    case ABOUT_SENDER:
        *text = f->sender.text;
        *s = (struct subject){ f->sender.text, "Sender address" };
        return f->has_sender;
    case ABOUT_RECIPIENT:
        *text = f->recipient.text;
        *s = (struct subject){ f->recipient.text, "Recipient address" };
        return f->has_recipient;
    case ABOUT_ETRN:
        *text = f->etrn_domain;
        *s = (struct subject){ f->etrn_domain, "Etrn command" };
        return f->etrn_domain.n > 0;
    }
    return false;
}

err judge_resolve(struct task *t, struct judge *j, bool is_sender,
                  const struct judged_address **out)
{
    struct judged_address *x = is_sender ? &j->sender : &j->recipient;
    const struct address *said = is_sender ? &j->f->sender
                                           : &j->f->recipient;

    *out = x;
    if (x->known)
        return OK;
    x->standard = rewrite_standard(j->p->route, REWRITE_LOCAL, said, j->a);
    TRY(resolve(t, j->p->route, &j->f->sender, &x->standard, j->a,
                &x->destination));
    x->known = true;
    return OK;
}

void judge_dns(struct task *t, struct judge *j, str name, enum dns_type type,
               struct dns_answer *out)
{
    err e = ERR_END;

    *out = (struct dns_answer){ .outcome = DNS_TRY_AGAIN };
    if (j->p->dns)
        e = dns_ask(t, j->p->dns, name, type, after_s(t, DNS_WAIT_S), j->a,
                    out);
    if (e)
        *out = (struct dns_answer){ .outcome = DNS_TRY_AGAIN };
    if (e == ERR_STOPPED)
        j->stopped = true;
}

/* --- the walk ------------------------------------------------------------- */

static enum outcome on_sleep(struct task *t, struct judge *j,
                             const struct rule *r)
{
    if (task_sleep(t, after_s(t, r->seconds)))
        j->stopped = true;
    return OUT_DUNNO;
}

/* Words that need little but the facts. */
static enum outcome plain_word(struct task *t, struct judge *j,
                               const struct rule *r)
{
    const struct policy_facts *f = j->f;
    const struct conf *c = j->p->conf;
    const struct subject *s = &j->here;

    switch (r->operation) {
    case DO_PERMIT:
        return OUT_PERMIT;
    case DO_REJECT:
        return judge_refuse_subject(t, j, s, (int)conf_int(c, P_reject_code),
                                    "5.7.1", S("Access denied"));
    case DO_DEFER:
        return judge_refuse_subject(t, j, s, (int)conf_int(c, P_defer_code),
                                    "4.3.2", S("Try again later"));
    case DO_DEFER_IF_PERMIT:
        return judge_defer_if_permit(
            t, j, TEMPFAIL_DEFER_IF_PERMIT,
            judge_reply(j, s, 450, "4.7.0", S("defer_if_permit requested")));
    case DO_DEFER_IF_REJECT:
        judge_defer_if_reject(j, judge_reply(j, s, 450, "4.7.0",
                                             S("defer_if_reject "
                                               "requested")));
        return OUT_DUNNO;
    case DO_UNAUTH_PIPELINING:
        return f->pipelined
                   ? judge_refuse_subject(t, j, s, 503, "5.5.0",
                                          S("Improper use of SMTP command "
                                            "pipelining"))
                   : OUT_DUNNO;
    case DO_PLAINTEXT_SESSION:
        return f->tls && f->tls->on
                   ? OUT_DUNNO
                   : judge_refuse(t, j, reply_fmt(
                         j->a, (int)conf_int(c, P_plaintext_reject_code),
                         "4.7.1", "Session encryption is required"));
    case DO_MULTI_RECIPIENT_BOUNCE:
        if (!f->has_sender || !address_is_null(&f->sender)
            || f->n_recipients <= (str_eq(f->where, S("DATA")) ? 1 : 0))
            return OUT_DUNNO;
        return judge_refuse_subject(
            t, j, s, (int)conf_int(c, P_multi_recipient_bounce_reject_code),
            "5.5.3", S("Multi-recipient bounce"));
    default:
        return on_sleep(t, j, r);
    }
}

static enum outcome one_word(struct task *t, struct judge *j,
                             const struct rule *r)
{
    if (r->operation <= DO_MULTI_RECIPIENT_BOUNCE)
        return plain_word(t, j, r);
    switch (r->operation) {
    case DO_CLASS:
        j->enter = r->class_list;
        j->enter_as = j->here;
        return OUT_ENTER;
    case DO_ACCESS:
        return judge_access(t, j, r);
    case DO_ACCESS_A:
    case DO_ACCESS_MX:
    case DO_ACCESS_NS:
        return judge_server(t, j, r);
    case DO_RBL:
    case DO_RHSBL:
    case DO_DNSWL:
    case DO_RHSWL:
        return judge_dnslist(t, j, r);
    case DO_LOGIN_MISMATCH:
    case DO_LOGIN_AUTHENTICATED:
    case DO_LOGIN_UNAUTHENTICATED:
    case DO_LOGIN_KNOWN:
        return judge_login(t, j, r);
    case DO_PERMIT_AUTH_DESTINATION:
    case DO_PERMIT_MX_BACKUP:
    case DO_UNAUTH_DESTINATION:
    case DO_DEFER_UNAUTH_DESTINATION:
    case DO_UNLISTED:
        return judge_destination(t, j, r);
    default:
        return judge_names(t, j, r);
    }
}

static bool push(struct judge *j, struct level *levels, size_t *n)
{
    if (*n == LEVELS_MAX)
        return false;
    levels[(*n)++] = (struct level){ j->enter, 0, j->enter_as,
                                     j->never_permit, j->never_why };
    j->never_permit = false;
    return true;
}

/* What a word, or the level it entered, decides for the level around it.
 * never: its permission is not believed. */
static enum outcome believed(struct task *t, struct judge *j,
                             enum outcome out, bool never, str why_not)
{
    if (out != OUT_PERMIT || !never)
        return out;
    if (str_empty(why_not))
        return OUT_DUNNO;
    judge_warn(t, j, "restriction %.*s", STR(why_not));
    judge_warn(t, j, "this is not allowed for security reasons");
    judge_warn(t, j, "use DUNNO instead of OK if you want to make an "
                     "exception");
    return judge_server_error(t, j);
}

static bool over(const struct judge *j, const struct level *f,
                 enum outcome out)
{
    return out != OUT_DUNNO || j->discard || j->stopped
           || f->at == f->list->n
           || (j->if_permit.active && j->if_reject.active);
}

/* Words behind one that decides everything. */
static void warn_useless(struct task *t, const struct judge *j,
                         const struct level *f)
{
    const struct rule *r = &f->list->p[f->at - 1];

    if (f->at == f->list->n
        || (r->operation != DO_PERMIT && r->operation != DO_REJECT
            && r->operation != DO_DEFER)
        || (r->operation != DO_PERMIT && j->warn_depth > 0))
        return;
    judge_warn(t, j, "restriction `%.*s' after `%.*s' is ignored",
               STR(r[1].word), STR(r->word));
}

static void permitted(struct task *t, const struct judge *j,
                      const struct rule *r)
{
    struct subject s;
    str text;

    if (judge_about(j, r->about, &text, &s))
        judge_permitted(t, j, r->word, &s, S(""));
}

/* The next word of the level that is on top. */
static enum outcome step(struct task *t, struct judge *j, struct level *f,
                         size_t depth)
{
    const struct rule *r = &f->list->p[f->at++];
    enum outcome out;

    if (r->operation == DO_WARN_IF_REJECT) {
        if (j->warn_depth == 0)
            j->warn_depth = depth;
        return OUT_DUNNO;
    }
    j->here = f->subject;
    j->never_permit = false;
    j->never_why = S("");
    warn_useless(t, j, f);
    out = one_word(t, j, r);
    if (out == OUT_ENTER)
        return out;
    if (out == OUT_PERMIT
        && (r->operation < DO_ACCESS || r->operation > DO_ACCESS_NS))
        permitted(t, j, r);
    out = believed(t, j, out, j->never_permit, j->never_why);
    if (j->warn_depth >= depth)
        j->warn_depth = 0;
    return out;
}

enum outcome judge_list(struct task *t, struct judge *j,
                        const struct rule_list *list, struct subject s)
{
    struct level *levels = arena_array(j->a, struct level, LEVELS_MAX);
    enum outcome out = OUT_DUNNO;
    size_t n = 0;

    j->enter = list;
    j->enter_as = s;
    j->never_permit = false;
    push(j, levels, &n);
    while (n > 0) {
        struct level *f = &levels[n - 1];
        if (!over(j, f, out)) {
            out = step(t, j, f, n);
            if (out != OUT_ENTER)
                continue;
            out = OUT_DUNNO;
            if (!push(j, levels, &n)) {
                judge_warn(t, j, "unreasonable recursion of restrictions");
                out = judge_server_error(t, j);
            }
            continue;
        }
        if (j->warn_depth >= n)
            j->warn_depth = 0;
        n--;
        out = believed(t, j, out, f->never_permit, f->never_why);
        if (n > 0 && j->warn_depth >= n)
            j->warn_depth = 0;
    }
    return out;
}
