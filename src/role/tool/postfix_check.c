/* SPDX-License-Identifier: ISC
 *
 * postfix check: directories are made with their modes, owners and modes are
 * looked at, and the configuration is read as master will read it.  Only what
 * master could not live with is an error; the rest are warnings.
 */
#include "role/tool/postfix.h"

#include "role/examine.h"
#include "role/mailstore.h"
#include "role/places.h"
#include "role/tool/queue_talk.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
    struct task *t;
    struct postfix *p;
    struct arena a;
    bool root, fix;         /* fix: set-permissions */
    uint32_t uid, gid;      /* of mail_owner */
    uint32_t setgid;        /* setgid_group */
    bool has_setgid;
    bool failed;
};

static void warn_path(struct check *c, const char *what, str path)
{
    postfix_say(c->t, POSTFIX_WARN, "%s: %.*s", what, STR(path));
}

static void fail(struct check *c, const char *text)
{
    c->failed = true;
    postfix_say(c->t, POSTFIX_FATAL, "%s", text);
}

static bool find_owner(struct check *c)
{
    const struct conf *conf = c->p->conf;
    str owner = conf_str(conf, P_mail_owner);
    str group = conf_str(conf, P_setgid_group);
    const struct passwd *pw = getpwnam(arena_cstr(&c->a, owner));
    const struct group *gr = getgrnam(arena_cstr(&c->a, group));

    c->root = geteuid() == 0;
    c->uid = geteuid();
    c->gid = getegid();
    if (!c->root)
        return true;
    c->has_setgid = gr != NULL;
    if (gr)
        c->setgid = gr->gr_gid;
    if (!pw) {
        fail(c, arena_fmt(&c->a, "mail_owner: unknown user: %.*s",
                          STR(owner)).p);
        return false;
    }
    c->uid = pw->pw_uid;
    c->gid = pw->pw_gid;
    return true;
}

static void set_rights(struct check *c, const struct place_dir *w)
{
    const char *path = arena_cstr(&c->a, w->path);

    if ((c->root && chown(path, w->owned ? c->uid : 0,
                          w->owned ? c->gid : 0))
        || chmod(path, w->mode))
        warn_path(c, "cannot set owner and mode", w->path);
}

/* Makes a directory, or looks at it. */
static void check_dir(struct check *c, const struct place_dir *w)
{
    struct file_stat st;
    str path = w->path;
    uint32_t owner = w->owned ? c->uid : 0;

    if (file_stat_path(c->t, NULL, path, &st)) {
        if (dir_make(c->t, NULL, path, w->mode)) {
            fail(c, task_why(c->t));
            return;
        }
        set_rights(c, w);
        return;
    }
    if (!st.is_dir) {
        warn_path(c, "not a directory", path);
        c->failed = true;
        return;
    }
    if (c->fix) {
        set_rights(c, w);
        return;
    }
    if (c->root && st.uid != owner)
        warn_path(c, w->owned
                         ? arena_fmt(&c->a, "not owned by %.*s",
                                     STR(conf_str(c->p->conf,
                                                  P_mail_owner))).p
                         : "not owned by root", path);
    if (st.mode & 022 & ~w->mode)
        warn_path(c, "group or other writable", path);
}

static void check_dirs(struct check *c)
{
    const struct place_dir *dirs;
    size_t n;

    dirs = place_dirs(c->p->conf, &c->a, &n);
    for (size_t i = 0; i < n && !c->failed; i++)
        check_dir(c, &dirs[i]);
}

static void check_file(struct check *c, str path)
{
    struct file_stat st;

    if (file_stat_path(c->t, NULL, path, &st))
        return;
    if (c->fix && c->root
        && (chown(arena_cstr(&c->a, path), 0, 0)
            || chmod(arena_cstr(&c->a, path), st.mode & 0755)))
        warn_path(c, "cannot set owner and mode", path);
    if (c->fix)
        return;
    if (c->root && st.uid != 0)
        warn_path(c, "not owned by root", path);
    if (st.mode & 022)
        warn_path(c, "group or other writable", path);
}

static void check_files(struct check *c)
{
    str dir = conf_dir(c->p->conf);

    check_file(c, dir);
    check_file(c, arena_fmt(&c->a, "%.*s/main.cf", STR(dir)));
    check_file(c, arena_fmt(&c->a, "%.*s/master.cf", STR(dir)));
}

/* What reading the files anew finds, all of it. */
static void check_configuration(struct check *c)
{
    struct conf_findings findings = { 0 };
    struct conf_load load = { .dir = conf_dir(c->p->conf),
                              .master_needed = true,
                              .process_name = "postfix" };
    struct conf *conf;
    err e = examine_load(c->t, &c->a, &load, &findings, &conf);

    for (size_t i = 0; i < findings.list.n; i++) {
        const struct conf_finding *f = &findings.list.p[i];
        str text = conf_finding_text(&c->a, f);
        if (f->fatal)
            fail(c, arena_cstr(&c->a, text));
        else
            postfix_say(c->t, POSTFIX_WARN, "%.*s", STR(text));
    }
    if (e && !c->failed)
        fail(c, task_why(c->t));
}

static struct conf *conf_of(struct check *c, const struct service *s)
{
    struct conf_findings findings = { 0 };
    struct conf *own;

    return conf_of_service(&c->a, c->p->conf, s, &findings, &own)
               ? c->p->conf : own;
}

/* Users of the host read where their mail is put. */
static void check_mailstore(struct check *c)
{
    struct services all = conf_services(c->p->conf);
    struct conf *local = c->p->conf;

    for (size_t i = 0; i < all.n; i++)
        if (str_eq(all.p[i].name, S("local")))
            local = conf_of(c, &all.p[i]);
    for (size_t i = 0; i < all.n; i++) {
        const struct service *s = &all.p[i];
        str text = S("");

        if (str_eq(s->command, S("imapd")) || str_eq(s->command, S("pop3d")))
            text = mailstore_disagreement(local, conf_of(c, s), &c->a);
        if (text.n) {
            postfix_say(c->t, POSTFIX_WARN, "service \"%.*s\": %.*s",
                        STR(s->name), STR(text));
            break;
        }
    }
}

static int run(struct task *t, struct postfix *p, bool fix)
{
    struct check c = { .t = t, .p = p, .fix = fix };

    arena_init(&c.a, 0);
    if (find_owner(&c)) {
        check_files(&c);
        check_dirs(&c);
        if (!fix) {
            check_configuration(&c);
            check_mailstore(&c);
        }
    }
    arena_reset(&c.a);
    return c.failed ? 1 : 0;
}

int postfix_check(struct task *t, struct postfix *p)
{
    return run(t, p, false);
}

int postfix_set_permissions(struct task *t, struct postfix *p)
{
    if (p->n_operands > 0) {
        postfix_say(t, POSTFIX_FATAL, "set-permissions: set \"%s\" in "
                    "main.cf first, with postconf -e", p->operands[0]);
        return 1;
    }
    return run(t, p, true);
}
