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

enum { PENALTY_FORGET_S = 120, PENALTY_DELAY_MAX_S = 16, CANDIDATES_MAX = 2 };

struct auth_settings auth_settings_of(const struct conf *c)
{
    return (struct auth_settings){
        .sources = conf_raw(c, P_auth_sources),
        .realm = conf_str(c, str_empty(conf_str(c, P_auth_default_domain))
                                 ? P_smtpd_sasl_local_domain
                                 : P_auth_default_domain),
        .failure_ms = conf_seconds(c, P_auth_failure_delay) * 1000,
        .owner = conf_str(c, P_mailstore_uid),
        .group = conf_str(c, P_mailstore_gid),
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
        struct auth_source s = { kinds[i], arena_str(a, spec), NULL };
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

err auth_open(struct task *t, struct arena *a,
              const struct auth_settings *settings, struct auth **out)
{
    struct auth *au = arena_new(a, struct auth);
    str rest = settings->sources, spec;

    au->realm = arena_lower(a, settings->realm);
    au->failure_ms = settings->failure_ms;
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
                        const struct auth_source **from)
{
    str names[CANDIDATES_MAX];

    for (size_t i = 0; i < au->sources.n; i++) {
        const struct auth_source *s = &au->sources.p[i];
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
                out->user.has_ids = true;
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
    const struct auth_source *from;
    struct auth_account account;

    if (au->calls)
        return auth_ask(t, au, true, q, until, a, out);
    if (!question_valid(q))
        return ERR_ABSENT;
    TRY(find_account(t, au, q->user, a, &account, &from));
    *out = account.user;
    return OK;
}

/* The place of a client in the table of failures. */
static struct penalty *penalty_of(struct auth *au, str client)
{
    return &au->penalties[str_hash(client, false) % PENALTY_PLACES];
}

/* I2: waits for what the client did before. */
static err penance(struct task *t, struct auth *au, str client)
{
    struct penalty *p = penalty_of(au, client);
    int64_t s = 0;

    if (p->last && rt_now(t) - p->last > PENALTY_FORGET_S * (int64_t)1000000)
        *p = (struct penalty){ 0 };
    if (au->failure_ms && p->failures > 1) {
        s = p->failures > 5 ? PENALTY_DELAY_MAX_S
                            : (int64_t)1 << (p->failures - 1);
        return task_sleep(t, after_s(t, s));
    }
    return OK;
}

static void note_outcome(struct task *t, struct auth *au, str client,
                         bool good)
{
    struct penalty *p = penalty_of(au, client);

    if (good) {
        *p = (struct penalty){ 0 };
        return;
    }
    p->last = rt_now(t);
    if (p->failures < UINT32_MAX)
        p->failures++;
}

/* The expensive comparison, on a helper thread. */
struct comparing {
    str stored, given;
    bool nothing;
    err result;
};

static void compare(void *arg)
{
    struct comparing *c = arg;

    if (c->nothing)
        password_check_nothing(c->given);
    else
        c->result = password_check(c->stored, c->given);
}

static err check_sources(struct task *t, struct auth *au,
                         const struct auth_question *q, struct arena *a,
                         struct auth_user *out)
{
    struct comparing c = { .given = q->secret, .result = ERR_DENIED };
    const struct auth_source *from = NULL;
    struct auth_account account;
    err e = find_account(t, au, q->user, a, &account, &from);

    if (e && e != ERR_ABSENT)
        return e;
    c.nothing = e == ERR_ABSENT || !account.active ||
                account.stored.n == 0;  /* I1 */
    c.stored = c.nothing ? S("") : account.stored;
    offload(t, compare, &c);
    if (c.result == ERR_SYNTAX) {
        say(t, auth_bad_stored, arena_cstr(a, from->spec), STR(q->user));
        return ERR_DENIED;
    }
    TRY(c.result);
    *out = account.user;
    return OK;
}

err auth_check(struct task *t, struct auth *au, const struct auth_question *q,
               when until, struct arena *a, struct auth_user *out)
{
    err e = ERR_DENIED;

    if (au->calls)
        return auth_ask(t, au, false, q, until, a, out);
    TRY(penance(t, au, q->client));
    if (question_valid(q) && q->secret.n)
        e = check_sources(t, au, q, a, out);
    if (!e || e == ERR_DENIED)
        note_outcome(t, au, q->client, !e);
    if (e == ERR_DENIED && au->failure_ms)
        TRY(task_sleep(t, after_ms(t, au->failure_ms)));
    return e;
}
