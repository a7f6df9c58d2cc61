/* SPDX-License-Identifier: ISC
 *
 * check_..._access: which keys are looked up (access(5)), and what the
 * actions do.
 */
#include "policy/judge.h"

/* --- enhanced codes ------------------------------------------------------- */

struct dsn_pair {
    const char *from, *to;
};

static void replace(char dsn[12], const struct dsn_pair *pairs, size_t n)
{
    str detail = str_skip(str_from(dsn), 2);

    for (size_t i = 0; i < n; i++) {
        if (!str_eq(detail, str_from(pairs[i].from)))
            continue;
        for (size_t k = 0; k < 3; k++)
            dsn[2 + k] = pairs[i].to[k];
        return;
    }
}

void dsn_fix(char dsn[12], const char *class)
{
    static const struct dsn_pair sender[] = {
        { "1.1", "1.7" }, { "1.2", "1.8" }, { "1.3", "1.7" },
        { "1.4", "1.0" }, { "1.5", "1.0" }, { "1.6", "1.0" },
    }, recipient[] = {
        { "1.7", "1.3" }, { "1.8", "1.2" },
    }, neither[] = {
        { "1.0", "0.0" }, { "1.1", "0.0" }, { "1.2", "0.0" },
        { "1.3", "0.0" }, { "1.4", "0.0" }, { "1.5", "0.0" },
        { "1.6", "0.0" }, { "1.7", "0.0" }, { "1.8", "0.0" },
        { "4.4", "0.0" },
    };

    if (str_eq(str_from(class), S("Sender address")))
        replace(dsn, sender, sizeof(sender) / sizeof(*sender));
    else if (str_eq(str_from(class), S("Recipient address")))
        replace(dsn, recipient, sizeof(recipient) / sizeof(*recipient));
    else
        replace(dsn, neither, sizeof(neither) / sizeof(*neither));
}

/* --- actions -------------------------------------------------------------- */

static struct reply reply_for(struct judge *j, const struct subject *s,
                              const struct action *x)
{
    struct reply r = judge_reply(j, s, x->reply.code, x->reply.dsn,
                                 x->reply.text);

    dsn_fix(r.dsn, s->class);
    return r;
}

/* "<NAME>: CLASS triggers HOLD action", or the administrator's own words. */
static void say_action(struct task *t, struct judge *j,
                       const struct subject *s, const char *what, str text)
{
    judge_say(t, j, what, arena_fmt(j->a, "<%.*s>: %s %.*s", STR(s->name),
                                    s->class, STR(text)));
}

static str or_else(str text, str preset)
{
    return str_empty(text) ? preset : text;
}

static str kept(struct judge *j, str text)
{
    return arena_str(j->a, text);
}

/* Actions that change the message; mail goes on. */
static enum outcome change(struct task *t, struct judge *j,
                           const struct subject *s, const struct action *x)
{
    struct arena *a = j->a;

    switch (x->kind) {
    case ACTION_HOLD:
        if (j->hold)
            return OUT_DUNNO;
        j->hold = j->out->hold = true;
        say_action(t, j, s, "hold",
                   or_else(x->text, S("triggers HOLD action")));
        break;
    case ACTION_FILTER:
        j->out->filter = kept(j, x->text);
        say_action(t, j, s, "filter",
                   arena_cat(a, S("triggers FILTER "), x->text));
        break;
    case ACTION_REDIRECT:
        j->out->redirect = kept(j, x->text);
        say_action(t, j, s, "redirect",
                   arena_cat(a, S("triggers REDIRECT "), x->text));
        break;
    case ACTION_BCC:
        j->out->bcc = kept(j, x->text);
        say_action(t, j, s, "bcc",
                   arena_cat(a, S("triggers BCC "), x->text));
        break;
    default:
        vec_push(a, &j->out->prepend, kept(j, x->text));
        break;
    }
    return OUT_DUNNO;
}

static enum outcome discard(struct task *t, struct judge *j,
                            const struct subject *s, const struct action *x)
{
    say_action(t, j, s, "discard",
               or_else(x->text, S("triggers DISCARD action")));
    j->discard = j->out->discard = true;
    return OUT_PERMIT;
}

/* A list of restrictions as an action. */
static enum outcome enter(struct task *t, struct judge *j,
                          const struct rule *r, const struct subject *s,
                          str text)
{
    struct list_place place = { .title = r->argument, .in_action = true };
    struct rule_list *list = arena_new(j->a, struct rule_list);
    str complaint;

    if (str_chr(text, ':') != STR_NONE) {
        judge_warn(t, j, "access table %.*s has entry with lookup table: "
                         "%.*s", STR(r->argument), STR(text));
        judge_warn(t, j, "do not specify lookup tables inside SMTPD access "
                         "maps");
        judge_warn(t, j, "define a restriction class and specify its name "
                         "instead.");
        return judge_server_error(t, j);
    }
    if (rule_list_read(j->a, &place, &j->p->classes, text, list,
                       &complaint)) {
        judge_warn(t, j, "%.*s", STR(complaint));
        return judge_server_error(t, j);
    }
    j->enter = list;
    j->enter_as = *s;
    return OUT_ENTER;
}

static str first_word(str value)
{
    struct scan sc = scan_of(str_trim(value));

    return scan_until(&sc, S(" \t"));
}

/* What is done to a message cannot be said before there is one. */
static bool too_early(struct task *t, struct judge *j, const struct rule *r,
                      const struct subject *s, str value)
{
    str class = str_from(s->class), action = first_word(value);

    if (j->p->delay_reject || (!str_eq(class, S("Client host"))
                               && !str_eq(class, S("Helo command"))))
        return false;
    judge_warn(t, j, "access table %.*s: with smtpd_delay_reject=no, action "
                     "%.*s is always skipped in Client host or Helo command "
                     "restrictions", STR(r->argument),
               STR(action));
    return true;
}

static enum outcome do_action(struct task *t, struct judge *j,
                              const struct rule *r, const struct subject *s,
                              str value)
{
    struct action x = action_read(kept(j, value), &j->p->codes);
    enum outcome discarded;
    const char *fault = action_fault(&x);

    if ((x.kind == ACTION_DISCARD || x.kind == ACTION_HOLD
         || (x.kind >= ACTION_FILTER && x.kind <= ACTION_PREPEND))
        && too_early(t, j, r, s, value))
        return OUT_DUNNO;
    if (x.kind == ACTION_PREPEND && j->end_of_data) {
        judge_warn(t, j, "access table %.*s: action PREPEND must be used "
                         "before smtpd_end_of_data_restrictions",
                   STR(r->argument));
        return OUT_DUNNO;
    }
    if (fault) {
        judge_warn(t, j, "access table %.*s entry \"%.*s\" %s",
                   STR(r->argument), STR(s->name), fault);
        return OUT_DUNNO;
    }
    switch (x.kind) {
    case ACTION_OK:
        value = first_word(value);
        judge_permitted(t, j, value, s, r->argument);
        return OUT_PERMIT;
    case ACTION_DUNNO:
        return OUT_DUNNO;
    case ACTION_REFUSE:
        return judge_refuse(t, j, reply_for(j, s, &x));
    case ACTION_DEFER_IF_PERMIT:
        return judge_defer_if_permit(t, j, TEMPFAIL_DEFER_IF_PERMIT,
                                     reply_for(j, s, &x));
    case ACTION_DEFER_IF_REJECT:
        judge_defer_if_reject(j, reply_for(j, s, &x));
        return OUT_DUNNO;
    case ACTION_WARN:
        judge_say(t, j, "warn", x.text);
        return OUT_DUNNO;
    case ACTION_INFO:
        judge_say(t, j, "info", x.text);
        return OUT_DUNNO;
    case ACTION_DISCARD:
        discarded = discard(t, j, s, &x);
        value = first_word(value);
        judge_permitted(t, j, value, s, r->argument);
        return discarded;
    case ACTION_RESTRICTIONS:
        return enter(t, j, r, s, x.text);
    default:
        return change(t, j, s, &x);
    }
}

/* --- searching ------------------------------------------------------------ */

/* What a search of the table gave. */
static enum outcome take(struct task *t, struct judge *j,
                         const struct rule *r, const struct subject *s,
                         err e, str value, bool *found)
{
    *found = e != ERR_ABSENT;
    if (e == ERR_ABSENT)
        return OUT_DUNNO;
    if (e == ERR_STOPPED)
        j->stopped = true;
    if (e) {
        judge_warn(t, j, "%.*s lookup error for \"%.*s\"",
                   STR(r->argument), STR(s->name));
        value = S("451 4.3.5 Server configuration error");
    }
    return do_action(t, j, r, s, value);
}

enum outcome access_domain(struct task *t, struct judge *j,
                           const struct rule *r, str domain,
                           const struct subject *s, bool *found)
{
    str value = S("");
    err e = maps_find_domain(t, &r->table, domain, j->p->table_parents, j->a,
                             &value);

    return take(t, j, r, s, e, value, found);
}

enum outcome access_address(struct task *t, struct judge *j,
                            const struct rule *r, str address,
                            const struct subject *s, bool *found)
{
    str value = S("");
    err e = maps_find_ip(t, &r->table, address, j->a, &value);

    return take(t, j, r, s, e, value, found);
}

static enum outcome by_client(struct task *t, struct judge *j,
                              const struct rule *r, str name,
                              const struct subject *s)
{
    bool found;
    enum outcome out = access_domain(t, j, r, name, s, &found);

    return found ? out : access_address(t, j, r, j->f->client_address, s,
                                        &found);
}

static enum outcome by_key(struct task *t, struct judge *j,
                           const struct rule *r, str key,
                           const struct subject *s)
{
    str value = S("");
    bool found;
    err e = maps_find(t, &r->table, key, j->a, &value);

    return take(t, j, r, s, e, value, &found);
}

static enum outcome by_certificate(struct task *t, struct judge *j,
                                   const struct rule *r,
                                   const struct subject *s)
{
    const struct tls_facts *f = j->f->tls;
    str value = S("");
    bool found;
    err e = maps_find(t, &r->table, f->peer_fingerprint, j->a, &value);

    if (e == ERR_ABSENT)
        e = maps_find(t, &r->table, f->peer_key_fingerprint, j->a, &value);
    return take(t, j, r, s, e, value, &found);
}

static enum outcome by_address(struct task *t, struct judge *j,
                               const struct rule *r, bool is_sender,
                               const struct subject *s)
{
    const struct judged_address *x;
    str value = S("");
    bool found;
    err e;

    if (judge_resolve(t, j, is_sender, &x))
        return judge_table_error(t, j, s->name);
    if (str_empty(x->destination.recipient.domain))
        return OUT_DUNNO;
    e = maps_find_address(t, &r->table, x->destination.recipient.text,
                          j->p->route->delimiters,
                          MAPS_FULL | MAPS_DOMAIN | MAPS_USER_AT
                              | j->p->table_parents,
                          j->a, &value, NULL);
    /* a recipient that names a further site may not be what it looks like */
    j->never_permit = !is_sender && x->destination.routed
                      && !j->p->untrusted_route;
    return take(t, j, r, s, e, value, &found);
}

/* A login name as a key: no bytes that mean something elsewhere. */
static str neutered(struct judge *j, str name)
{
    str copy = arena_str(j->a, name);
    char *p = arena_cstr(j->a, copy);

    for (size_t i = 0; i < copy.n; i++)
        if (str_chr(S(" <>()\\\";@"), p[i]) != STR_NONE || p[i] < ' '
            || p[i] == 127)
            p[i] = '_';
    return str_of(p, copy.n);
}

enum outcome judge_access(struct task *t, struct judge *j,
                          const struct rule *r)
{
    struct subject s;
    bool found;
    str text;

    if (!judge_about(j, r->about, &text, &s))
        return OUT_DUNNO;
    switch (r->about) {
    case ABOUT_CLIENT:
        return by_client(t, j, r, text, &s);
    case ABOUT_REVERSE:
        j->never_permit = true;
        j->never_why = arena_fmt(j->a, "%.*s returns OK for %.*s",
                                 STR(r->word), STR(text));
        return by_client(t, j, r, text, &s);
    case ABOUT_SENDER:
        if (str_empty(text))
            return by_key(t, j, r, j->p->null_key, &s);
        return by_address(t, j, r, true, &s);
    case ABOUT_RECIPIENT:
        return str_empty(text) ? OUT_DUNNO
                               : by_address(t, j, r, false, &s);
    case ABOUT_CCERT:
        return by_certificate(t, j, r, &s);
    case ABOUT_SASL:
        return by_key(t, j, r, neutered(j, text), &s);
    default:
        return access_domain(t, j, r, text, &s, &found);
    }
}
