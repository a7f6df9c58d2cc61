/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: users, and who gets the mail of postmaster (RFC 5321, 4.5.1).
 */
#include "role/tool/doctor.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static bool has_postmaster(const struct directory_users *users,
                           const struct directory_aliases *aliases,
                           str domain, struct arena *a)
{
    str address = arena_fmt(a, "postmaster@%.*s", STR(domain));

    for (size_t i = 0; i < users->n; i++)
        if (str_ieq(users->p[i].domain, domain)
            && str_ieq(users->p[i].name, S("postmaster")))
            return true;
    for (size_t i = 0; i < aliases->n; i++)
        if (str_ieq(aliases->p[i].address, address)
            || (str_starts(aliases->p[i].address, S("@"))
                && str_ieq(str_skip(aliases->p[i].address, 1), domain)))
            return true;
    return false;
}

static void no_postmaster(struct doctor *d, str domain)
{
    doctor_say(d, DOUBT, "nobody gets the mail of postmaster@%.*s: every "
               "domain has to have one (RFC 5321, 4.5.1)", STR(domain));
}

static err look_at_directory(struct task *t, struct doctor *d)
{
    struct directory_domains domains;
    struct directory_users users;
    struct directory_aliases aliases;

    d->ad->conf = d->conf;
    TRY(admin_open_directory(t, d->ad, false));
    TRY(directory_domain_list(t, d->ad->directory, d->a, &domains));
    TRY(directory_user_list(t, d->ad->directory, S(""), d->a, &users));
    TRY(directory_alias_list(t, d->ad->directory, d->a, &aliases));
    doctor_say(d, users.n ? FINE : DOUBT, "the directory has %zu domain%s, "
               "%zu user%s, %zu alias%s", domains.n,
               domains.n == 1 ? "" : "s", users.n, users.n == 1 ? "" : "s",
               aliases.n, aliases.n == 1 ? "" : "es");
    for (size_t i = 0; i < domains.n; i++) {
        str name = domains.p[i].name;
        vec_push(d->a, &d->domains, name);
        if (!str_eq(domains.p[i].class, S("relay"))
            && !has_postmaster(&users, &aliases, name, d->a))
            no_postmaster(d, name);
    }
    return OK;
}

/* One of auth_sources that is a file. */
static void look_at_source(struct task *t, struct doctor *d, str type,
                           str path)
{
    const char *name = arena_cstr(d->a, path);
    struct file_stat st;
    err e = file_stat_path(t, NULL, path, &st);

    if (!e && access(name, R_OK))
        e = why(t, errno == EACCES ? ERR_DENIED : ERR_IO, "%s",
                strerror(errno));
    if (!e && str_eq(type, S("sqlite")))
        e = look_at_directory(t, d);
    if (e)
        doctor_failed(t, d, e, path);
}

/* Of a host whose users are those of the system: local(8) takes their mail. */
static void look_at_system(struct task *t, struct doctor *d)
{
    struct conf_items names = conf_items(d->conf, P_mydestination);

    if (names.n == 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        if (str_any(names.p[i], S(":/")) == STR_NONE
            && !str_istarts(names.p[i], S("localhost")))
            vec_push(d->a, &d->domains, names.p[i]);
    if (!getpwnam("postmaster") && !doctor_has_alias(t, d, S("postmaster")))
        no_postmaster(d, conf_str(d->conf, P_myorigin));
}

void doctor_users(struct task *t, struct doctor *d)
{
    struct conf_items sources = conf_items(d->conf, P_auth_sources);
    bool directory = false;

    for (size_t i = 0; i < sources.n; i++) {
        size_t colon = str_chr(sources.p[i], ':');
        str type = str_head(sources.p[i], colon);
        directory |= str_eq(type, S("sqlite"));
        if (colon != STR_NONE)
            look_at_source(t, d, type, str_skip(sources.p[i], colon + 1));
        else
            doctor_say(d, FINE, "users of the system have mail here "
                       "(auth_sources: %.*s)", STR(type));
    }
    if (sources.n == 0)
        doctor_say(d, DOUBT, "%.*s/main.cf: auth_sources is empty: nobody can "
                   "log in", STR(conf_dir(d->conf)));
    if (!directory)
        look_at_system(t, d);
}
