/* SPDX-License-Identifier: ISC
 *
 * Asking the sources.
 */
#include "auth/auth.h"

#include "auth/auth_local.h"
#include "auth/events.h"
#include "auth/password.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

enum { CANDIDATES_MAX = 2, WAIT_MAX_MS = 1000 };

struct auth_settings auth_settings_of(const struct conf *c)
{
    return (struct auth_settings){
        .sources = conf_raw(c, P_auth_sources),
        .realm = conf_str(c, str_empty(conf_str(c, P_auth_default_domain))
                                 ? P_smtpd_sasl_local_domain
                                 : P_auth_default_domain),
        .failure_ms = conf_seconds(c, P_auth_failure_delay) * 1000,
        .format = conf_raw(c, P_auth_username_format),
        .owner = conf_str(c, P_mailstore_uid),
        .group = conf_str(c, P_mailstore_gid),
        .uid_min = (uint32_t)conf_int(c, P_auth_first_valid_uid),
    };
}

static err find_ids(struct task *t, struct arena *a, struct auth *au,
                    const struct auth_settings *s)
{
    const struct passwd *pw;
    const struct group *gr;
    uint64_t n;

    au->has_ids = !str_empty(s->owner);
    if (str_uint(s->owner, UINT32_MAX - 1, &n)) {
        au->uid = au->gid = (uint32_t)n;
    } else if (au->has_ids) {
        pw = getpwnam(arena_cstr(a, s->owner));
        if (!pw)
            return why(t, ERR_SYNTAX, "mailstore_uid: no user \"%.*s\"",
                       STR(s->owner));
        au->uid = pw->pw_uid;
        au->gid = pw->pw_gid;
    }
    if (str_uint(s->group, UINT32_MAX - 1, &n)) {
        au->gid = (uint32_t)n;
    } else if (!str_empty(s->group)) {
        gr = getgrnam(arena_cstr(a, s->group));
        if (!gr)
            return why(t, ERR_SYNTAX, "mailstore_gid: no group \"%.*s\"",
                       STR(s->group));
        au->gid = gr->gr_gid;
    }
    return OK;
}

static err add_source(struct task *t, struct arena *a, struct auth *au,
                      str spec)
{
    static const struct source_kind *const kinds[] = {
        &source_sqlite, &source_passwd_file, &source_shadow,
    };
    size_t colon = str_chr(spec, ':');
    str name = str_head(spec, colon == STR_NONE ? spec.n : colon);
    str path = colon == STR_NONE ? S("") : str_skip(spec, colon + 1);

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct auth_source s = { .kind = kinds[i],
                                 .spec = arena_str(a, spec) };
        if (!str_eq(kinds[i]->name, name))
            continue;
        if (kinds[i]->wants_path != (path.n > 0))
            return why(t, ERR_SYNTAX, "auth_sources: \"%.*s\": %s",
                       STR(spec), path.n ? "takes no path" : "needs a path");
        TRY(kinds[i]->open(t, a, path, &s.self));
        vec_push(a, &au->sources, s);
        return OK;
    }
    return why(t, ERR_SYNTAX, "auth_sources: \"%.*s\" is not one of "
               "sqlite:PATH, passwd-file:PATH, shadow", STR(spec));
}

/* A part of auth_username_format. */
struct format_part {
    char what;          /* 'u', 'n', 'd'; 0: the byte itself */
    bool fold;
    char byte;
};

static bool format_next(str *format, struct format_part *out)
{
    *out = (struct format_part){ .byte = format->p[0] };
    *format = str_skip(*format, 1);
    if (out->byte != '%')
        return true;
    out->fold = str_starts(*format, S("L"));
    if (out->fold)
        *format = str_skip(*format, 1);
    if (str_empty(*format) || str_chr(S("und"), format->p[0]) == STR_NONE)
        return false;
    out->what = format->p[0];
    *format = str_skip(*format, 1);
    return true;
}

static bool format_valid(str format)
{
    struct format_part part;

    while (!str_empty(format))
        if (!format_next(&format, &part))
            return false;
    return true;
}

/* A name as the sources are asked for it. */
static str format_name(const struct auth *au, str name, struct arena *a)
{
    size_t at = str_rchr(name, '@');
    str rest = au->format;
    struct format_part part;
    struct buf b;

    if (str_empty(rest))
        return name;
    buf_init(&b, a, AUTH_TEXT_MAX);
    while (!str_empty(rest) && format_next(&rest, &part)) {
        str text = part.what == 'u' ? name
                 : part.what == 'n' ? str_head(name, at)
                 : part.what == 0 ? str_of(&part.byte, 1)
                 : at == STR_NONE ? S("") : str_skip(name, at + 1);
        buf_add(&b, part.fold ? arena_lower(a, text) : text);
    }
    return buf_str(&b);
}

err auth_open(struct task *t, struct arena *a,
              const struct auth_settings *settings, struct auth **out)
{
    struct auth *au = arena_new(a, struct auth);
    str rest = settings->sources, spec;

    au->realm = arena_lower(a, settings->realm);
    au->failure_ms = settings->failure_ms;
    au->format = arena_str(a, settings->format);
    if (!format_valid(au->format))
        return why(t, ERR_SYNTAX, "auth_username_format: \"%.*s\": known are "
                   "%%u, %%n and %%d, and %%Lu, %%Ln, %%Ld for lower case",
                   STR(au->format));
    au->uid_min = settings->uid_min;
    while (str_token(&rest, S(", \t\r\n"), &spec))
        TRY(add_source(t, a, au, spec));
    TRY(find_ids(t, a, au, settings));
    *out = au;
    return OK;
}

void auth_own(struct auth *au, const struct auth_owner *owner)
{
    must(!au->calls);
    au->owner = *owner;
}

void auth_follow(struct auth *au, const struct auth *before)
{
    memcpy(au->penalties, before->penalties, sizeof(au->penalties));
    au->good = before->good;
}

struct auth *auth_remote(struct arena *a, struct calls *calls)
{
    struct auth *au = arena_new(a, struct auth);

    au->calls = calls;
    return au;
}

/* The names under which a source may know the user. */
static size_t candidates(const struct auth *au, const struct source_kind *k,
                         str name, struct arena *a, str *out)
{
    size_t at = str_rchr(name, '@'), n = 0;
    bool full = at != STR_NONE;
    bool ours = full && au->realm.n &&
                str_ieq(str_skip(name, at + 1), au->realm);

    if (full ? k->names != NAMES_BARE : k->names != NAMES_FULL)
        out[n++] = name;
    if (full && ours && k->names != NAMES_FULL)
        out[n++] = str_head(name, at);
    if (!full && au->realm.n && k->names != NAMES_BARE)
        out[n++] = arena_fmt(a, "%.*s@%.*s", STR(name), STR(au->realm));
    must(n <= CANDIDATES_MAX);
    return n;
}

/* The first source that knows the user answers for all. */
static err find_account(struct task *t, struct auth *au, str name,
                        struct arena *a, struct auth_account *out,
                        struct auth_source **from)
{
    str names[CANDIDATES_MAX];

    name = format_name(au, name, a);
    for (size_t i = 0; i < au->sources.n; i++) {
        struct auth_source *s = &au->sources.p[i];
        size_t n = candidates(au, s->kind, name, a, names);
        for (size_t k = 0; k < n; k++) {
            err e = s->kind->find(t, s->self, names[k], a, out);
            if (e == ERR_ABSENT)
                continue;
            if (e)
                say(t, auth_source_failed, arena_cstr(a, s->spec),
                    task_why(t));
            *from = s;
            if (!e && !out->user.has_ids && au->has_ids) {
                out->user.has_ids = out->ids_lent = true;
                out->user.uid = au->uid;
                out->user.gid = au->gid;
            }
            return e;
        }
    }
    return ERR_ABSENT;
}

static bool question_valid(const struct auth_question *q)
{
    for (size_t i = 0; i < q->user.n; i++)
        if ((unsigned char)q->user.p[i] < 32 || q->user.p[i] == 127)
            return false;
    return q->user.n > 0 && q->user.n <= AUTH_NAME_MAX &&
           q->secret.n <= AUTH_SECRET_MAX && utf8_valid(q->user);
}

err auth_find(struct task *t, struct auth *au, const struct auth_question *q,
              when until, struct arena *a, struct auth_user *out)
{
    struct auth_source *from;
    struct auth_account account;

    if (au->calls)
        return auth_ask(t, au, true, q, until, a, out);
    if (!question_valid(q))
        return ERR_ABSENT;
    TRY(find_account(t, au, q->user, a, &account, &from));
    *out = account.user;
    return OK;
}

/* The expensive comparison, on a helper thread. */
struct comparing {
    str stored, user, given;
    bool nothing;
    err result;
};

static void compare(void *arg)
{
    struct comparing *c = arg;

    if (c->nothing)
        password_check_nothing(c->given);
    else
        c->result = password_check(c->stored, c->user, c->given);
}

/* Remembers what checking costs in a source that has no sample. */
static void learn(struct auth_source *s, str stored)
{
    if (s->kind->sample || stored.n == 0 || stored.n > sizeof(s->learned))
        return;
    memcpy(s->learned, stored.p, stored.n);
    s->learned_size = stored.n;
}

/* I1: a stored password that stands for a user that is not there.  A name has
 * always the same one; where the sources' schemes differ, names that are not
 * there differ as much as those that are. */
static str decoy(struct task *t, struct auth *au, str user, struct arena *a)
{
    vec_of(str) all = { 0 };

    for (size_t i = 0; i < au->sources.n; i++) {
        struct auth_source *s = &au->sources.p[i];
        struct sample some = { .n = 0 };
        if (s->kind->sample)
            s->kind->sample(t, s->self, a, &some);
        else if (s->learned_size)
            some.of[some.n++] = str_of(s->learned, s->learned_size);
        for (size_t k = 0; k < some.n; k++)
            if (!str_empty(some.of[k]))
                vec_push(a, &all, some.of[k]);
    }
    return all.n ? all.p[str_hash(user, true) % all.n] : S("");
}

/* Whatever the outcome, one stored password is compared: the user's, or one
 * like it. */
static err check_sources(struct task *t, struct auth *au,
                         const struct auth_question *q, struct arena *a,
                         struct auth_user *out)
{
    struct comparing c = { .given = q->secret, .result = ERR_DENIED };
    struct auth_source *from = NULL;
    struct auth_account account = { .active = false };
    err e = find_account(t, au, q->user, a, &account, &from);
    str other = decoy(t, au, q->user, a);

    if (e && e != ERR_ABSENT)
        return e;
    c.stored = e || str_empty(account.stored) ? other : account.stored;
    c.nothing = str_empty(c.stored);
    c.user = account.user.name;
    offload(t, compare, &c);
    if (e || !account.active || str_empty(account.stored))
        return ERR_DENIED;
    if (c.result == ERR_SYNTAX) {
        say(t, auth_bad_stored, arena_cstr(a, from->spec), STR(q->user));
        return ERR_DENIED;
    }
    learn(from, account.stored);
    TRY(c.result);
    if (account.user.has_ids && !account.ids_lent
        && account.user.uid < au->uid_min) {
        say(t, auth_uid_low, STR(account.user.name), account.user.uid,
            au->uid_min);
        return ERR_DENIED;
    }
    *out = account.user;
    return OK;
}

/* I2.  Part of the wait comes before the look, so that who leaves when no
 * answer comes at once gains little by it. */
err auth_check(struct task *t, struct auth *au, const struct auth_question *q,
               when until, struct arena *a, struct auth_user *out)
{
    struct penalty *p;
    when begun = rt_now(t);
    int64_t ms;
    err e = ERR_DENIED;

    if (au->calls)
        return auth_ask(t, au, false, q, until, a, out);
    p = penalty_of(au->penalties, q->client);
    ms = au->failure_ms ? penalty_ms_of(p, begun, q->user, q->secret) : 0;
    if (ms && !penalty_good_known(&au->good, q->user, q->secret))
        TRY(task_sleep(t, after_ms(t, ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS)));
    if (question_valid(q) && q->secret.n)
        e = check_sources(t, au, q, a, out);
    if (!e) {
        penalty_forgive(p, q->user);
        penalty_good_note(&au->good, q->user, q->secret);
    }
    if (e != ERR_DENIED)
        return e;
    penalty_note(p, rt_now(t), q->user, q->secret);
    TRY(task_sleep(t, begun + (ms + au->failure_ms) * 1000));
    return e;
}
