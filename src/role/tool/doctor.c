/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: looks at a system as an experienced administrator would,
 * and says what it sees.  Changes nothing.
 */
#include "role/tool/doctor.h"

#include "role/examine.h"
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

void doctor_failed(struct task *t, struct doctor *d, err e, str path)
{
    if (e == ERR_DENIED && geteuid() != 0)
        doctor_say(d, DOUBT, "%.*s cannot be looked at: ask as root",
                   STR(path));
    else
        doctor_say(d, PROBLEM, "%.*s: %s", STR(path), task_why(t));
}

/* What the examination found.  It reads certificates and tables: to somebody
 * who is not root it says of some that they cannot be read. */
static void say_finding(struct doctor *d, const struct conf_finding *f)
{
    bool denied = geteuid() != 0
                  && str_find(f->text, S("Permission denied")) != STR_NONE;

    doctor_say(d, f->fatal && !denied ? PROBLEM : DOUBT, "%.*s%s",
               STR(conf_finding_text(d->a, f)), denied ? ": ask as root" : "");
}

/* False: there is nothing more to look at. */
static bool look_at_configuration(struct task *t, struct doctor *d)
{
    struct conf_findings findings = { 0 };
    struct conf_load load = {
        .dir = tool_config_dir(d->ad->args,
                               admin_value(d->ad, ADMIN_config)),
        .master_needed = true, .process_name = "doctor", .keep_going = true,
    };
    err e = conf_load(t, d->a, &load, &findings, &d->conf);

    if (d->conf)
        err_ignore(examine(t, d->conf, d->a, &findings)); /* said below */
    for (size_t i = 0; i < findings.list.n; i++)
        say_finding(d, &findings.list.p[i]);
    if (e && !d->ill)
        doctor_failed(t, d, e, load.dir);
    else if (!d->ill)
        doctor_say(d, FINE, "the configuration in %.*s can be read",
                   STR(load.dir));
    return d->conf != NULL;
}

static void look_at_owner(struct doctor *d)
{
    const char *name = arena_cstr(d->a, conf_str(d->conf, P_mail_owner));
    const struct passwd *pw = getpwnam(name);

    if (geteuid() != 0)
        return; /* everything runs as this user */
    if (!pw)
        doctor_say(d, PROBLEM, "%.*s/main.cf: mail_owner = %s: there is no "
                   "such user", STR(conf_dir(d->conf)), name);
    else if (pw->pw_uid == 0)
        doctor_say(d, PROBLEM, "%.*s/main.cf: mail_owner is root: nothing is "
                   "kept apart", STR(conf_dir(d->conf)));
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
    err e = dir_open(t, NULL, path, &dir);

    if (e == ERR_ABSENT) {
        doctor_say(d, DOUBT, "there is no queue yet: %s", task_why(t));
        return;
    }
    if (e) {
        doctor_failed(t, d, e, path);
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
    err e = dir_open(t, NULL, path, &dir);

    if (e && e != ERR_ABSENT)
        doctor_failed(t, d, e, path);
    if (e)
        return; /* absent: never started */
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
        doctor_settings(t, &d);
        doctor_ports(t, &d);
        doctor_files(t, &d);
        doctor_users(t, &d);
        doctor_aliases(t, &d);
        doctor_dns(t, &d);
    }
    ad->said = true;
    return d.ill ? ERR_DENIED : OK;
}

static const struct admin_verb verbs[] = {
    { NULL, "",
      "Looks at the configuration, the ports, the certificates, the files,\n"
      "users, aliases and DNS, and says what it finds.  Changes nothing.\n"
      "The exit status is 1 if there is a problem.  What only root may look\n"
      "at is said to be so to others.", 0, 0, 0, doctor },
};

int tool_doctor(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = { "", verbs, 1 };

    return admin_main(t, args, &command);
}
