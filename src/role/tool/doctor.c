/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: looks at a system as an experienced administrator would,
 * and says what it sees.  Changes nothing.
 */
#include "role/tool/doctor.h"

#include "role/tool/running.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void doctor_say(struct doctor *d, enum doctor_level level, const char *fmt,
                ...)
{
    static const char *const names[] = { "ok", "warning", "problem" };
    va_list ap;

    va_start(ap, fmt);
    printf("%-8s ", names[level]);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    if (level == PROBLEM)
        d->ill = true;
}

/* False: there is nothing more to look at. */
static bool look_at_configuration(struct task *t, struct doctor *d)
{
    struct conf_findings findings = { 0 };
    struct conf_load load = {
        .dir = tool_config_dir(d->ad->args,
                               admin_value(d->ad, ADMIN_config)),
        .master_needed = true, .process_name = "doctor",
    };
    err e = conf_load(t, d->a, &load, &findings, &d->conf);
    size_t idle = 0;

    for (size_t i = 0; i < findings.list.n; i++) {
        const struct conf_finding *f = &findings.list.p[i];
        doctor_say(d, f->fatal ? PROBLEM : DOUBT, "%.*s",
                   STR(conf_finding_text(d->a, f)));
    }
    if (e) {
        if (!d->ill)
            doctor_say(d, PROBLEM, "%s", task_why(t));
        return false;
    }
    for (enum param p = 0; p < N_PARAMS; p++)
        idle += conf_is_set(d->conf, p)
                && conf_param(p)->effect == CONF_NOT_YET;
    doctor_say(d, FINE, "the configuration in %.*s can be read",
               STR(conf_dir(d->conf)));
    if (idle > 0)
        doctor_say(d, DOUBT, "%zu parameters that are set have no effect "
                   "yet: postfix check names them", idle);
    return true;
}

static void look_at_owner(struct doctor *d)
{
    const char *name = arena_cstr(d->a, conf_str(d->conf, P_mail_owner));
    const struct passwd *pw = getpwnam(name);

    if (geteuid() != 0)
        return; /* everything runs as this user */
    if (!pw)
        doctor_say(d, PROBLEM, "mail_owner: there is no user %s", name);
    else if (pw->pw_uid == 0)
        doctor_say(d, PROBLEM, "mail_owner is root: nothing is kept apart");
    else
        doctor_say(d, FINE, "the daemons run as %s", name);
}

static void look_at_space(struct task *t, struct doctor *d)
{
    str path = conf_str(d->conf, P_queue_directory);
    uint64_t minimum = (uint64_t)conf_int(d->conf, P_queue_minfree);
    uint64_t large = (uint64_t)conf_int(d->conf, P_message_size_limit) * 3 / 2;
    uint64_t bytes, inodes;
    struct dir *dir;

    if (dir_open(t, NULL, path, &dir)) {
        doctor_say(d, DOUBT, "there is no queue yet: %s", task_why(t));
        return;
    }
    if (minimum < large)
        minimum = large;
    if (dir_space(t, dir, &bytes, &inodes))
        doctor_say(d, DOUBT, "%s", task_why(t));
    else
        doctor_say(d, bytes < minimum ? PROBLEM : FINE,
                   "%" PRIu64 " MB are free for the queue in %.*s%s",
                   bytes >> 20, STR(path),
                   bytes < minimum ? ": mail is refused" : "");
    dir_close(dir);
}

/* What the spool has written down, and the files it has put aside. */
static void look_at_log(struct task *t, struct doctor *d)
{
    str path = arena_fmt(d->a, "%.*s/log",
                         STR(conf_str(d->conf, P_queue_directory)));
    str lines, one;
    struct names names;
    struct dir *dir;

    if (dir_open(t, NULL, path, &dir))
        return; /* never started */
    if (!file_load(t, dir, S("damaged-list"), d->a, INT64_MAX, &lines))
        while (str_cut(&lines, '\n', &one))
            if (!str_empty(one))
                doctor_say(d, PROBLEM, "the queue's log is damaged: %.*s",
                           STR(one));
    if (!dir_list(t, dir, d->a, &names))
        for (size_t i = 0; i < names.n; i++)
            if (str_starts(names.p[i], S("damaged-")))
                doctor_say(d, DOUBT, "%.*s/%.*s is kept: remove it when it "
                           "is not needed any more", STR(path),
                           STR(names.p[i]));
    dir_close(dir);
}

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

static err look_at_directory(struct task *t, struct doctor *d)
{
    struct directory_domains domains;
    struct directory_users users;
    struct directory_aliases aliases;

    TRY(admin_open(t, d->ad, false));
    TRY(directory_domain_list(t, d->ad->directory, d->a, &domains));
    TRY(directory_user_list(t, d->ad->directory, S(""), d->a, &users));
    TRY(directory_alias_list(t, d->ad->directory, d->a, &aliases));
    doctor_say(d, users.n ? FINE : DOUBT, "the directory has %zu domain%s, "
               "%zu user%s, %zu alias%s", domains.n,
               domains.n == 1 ? "" : "s", users.n, users.n == 1 ? "" : "s",
               aliases.n, aliases.n == 1 ? "" : "es");
    for (size_t i = 0; i < domains.n; i++)
        if (!str_eq(domains.p[i].class, S("relay"))
            && !has_postmaster(&users, &aliases, domains.p[i].name, d->a))
            doctor_say(d, DOUBT, "nobody gets the mail of postmaster@%.*s: "
                       "every domain has to have one (RFC 5321, 4.5.1)",
                       STR(domains.p[i].name));
    return OK;
}

static err doctor(struct task *t, struct admin *ad)
{
    struct doctor d = { .ad = ad, .a = &ad->memory };
    int pid;

    if (look_at_configuration(t, &d)) {
        pid = running_pid(t, d.conf);
        d.runs = pid != 0;
        if (pid)
            doctor_say(&d, FINE, "the system runs, process %d", pid);
        else
            doctor_say(&d, DOUBT, "the system does not run");
        look_at_owner(&d);
        look_at_space(t, &d);
        look_at_log(t, &d);
        doctor_ports(t, &d);
        doctor_files(t, &d);
        if (look_at_directory(t, &d))
            doctor_say(&d, PROBLEM, "%s", task_why(t));
    }
    ad->said = true;
    return d.ill ? ERR_DENIED : OK;
}

static const struct admin_verb verbs[] = {
    { NULL, "",
      "Looks at the configuration, the ports, the certificate, the files and\n"
      "the directory, and says what it finds.  Changes nothing.  The exit\n"
      "status is 1 if there is a problem.", 0, 0, 0, doctor },
};

int tool_doctor(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = { "", verbs, 1 };

    return admin_main(t, args, &command);
}
