/* SPDX-License-Identifier: ISC
 *
 * veredus init DOMAIN: a working configuration.
 *
 * main.cf and master.cf are never overwritten unless --force says so, and
 * then the old ones are kept beside them.  What else is there already (the
 * directory with its users, aliases, the key and certificate) stays as it is.
 */
#include "role/tool/init.h"

#include "net/tls.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERTIFICATE_DAYS = 3650, TEXT_MAX = 64 * 1024, OLD_MAX = 4 << 20 };

struct init {
    struct admin *ad;
    struct init_plan plan;
    struct buf text;        /* of the file being written */
};

static bool exists(struct task *t, str path)
{
    struct file_stat st;

    return !file_stat_path(t, NULL, path, &st);
}

static void note(const char *what, str path)
{
    printf("%-6s %.*s\n", what, STR(path));
}

/* --- directories ---------------------------------------------------------- */

struct rights {
    uint32_t mode, uid, gid;
};

/* With all that lead to it; those that are there stay as they are. */
static err make_dir(struct task *t, struct init *in, str path,
                    const struct rights *last)
{
    struct arena *a = &in->ad->memory;

    for (size_t i = 1; i <= path.n; i++) {
        bool whole = i == path.n;
        str part = str_head(path, i);
        if ((!whole && path.p[i] != '/') || exists(t, part))
            continue;
        if (dir_make(t, NULL, part, whole ? last->mode : 0755))
            return why(t, ERR_DENIED, "cannot make %.*s: %s", STR(part),
                       arena_cstr(a, str_from(task_why(t))));
        if (chmod(arena_cstr(a, part), whole ? last->mode : 0755)
            || (whole && in->plan.root
                && chown(arena_cstr(a, part), last->uid, last->gid)))
            return why(t, ERR_DENIED, "cannot set owner and mode of %.*s",
                       STR(part));
        if (whole)
            note("made", path);
    }
    return OK;
}

static err make_dirs(struct task *t, struct init *in)
{
    struct init_plan *p = &in->plan;
    struct arena *a = &in->ad->memory;
    const struct rights ours = { 0755, 0, 0 };
    const struct rights mail = { 0700, p->uid, p->gid };
    str log = str_head(p->log, str_rchr(p->log, '/'));

    TRY(make_dir(t, in, p->dir, &ours));
    TRY(make_dir(t, in, arena_fmt(a, "%.*s/sqlite", STR(p->dir)), &ours));
    TRY(make_dir(t, in, arena_fmt(a, "%.*s/tls", STR(p->dir)), &ours));
    TRY(make_dir(t, in, p->mail, &mail));
    return str_empty(log) ? OK : make_dir(t, in, log, &ours);
}

/* --- files ---------------------------------------------------------------- */

static err write_file(struct task *t, struct init *in, str path,
                      uint32_t mode)
{
    must(!in->text.over);
    TRY(file_replace(t, NULL, path, buf_str(&in->text), mode));
    buf_clear(&in->text);
    note("wrote", path);
    return OK;
}

/* Leaves a file that is there alone. */
static err write_once(struct task *t, struct init *in, str path,
                      uint32_t mode)
{
    if (!exists(t, path))
        return write_file(t, in, path, mode);
    buf_clear(&in->text);
    note("kept", path);
    return OK;
}

static err keep_old(struct task *t, struct init *in, str path)
{
    str old = arena_fmt(&in->ad->memory, "%.*s.old", STR(path)), text;

    if (!exists(t, path))
        return OK;
    TRY(file_load(t, NULL, path, &in->ad->memory, OLD_MAX, &text));
    TRY(file_replace(t, NULL, old, text, 0644));
    note("kept", old);
    return OK;
}

static str file_in(struct init *in, const char *name)
{
    return arena_fmt(&in->ad->memory, "%.*s/%s", STR(in->plan.dir), name);
}

static err refuse_existing(struct task *t, struct init *in)
{
    static const char *const names[] = { "main.cf", "master.cf" };

    for (size_t i = 0; i < 2 && !in->ad->given[ADMIN_force]; i++) {
        str path = file_in(in, names[i]);
        if (exists(t, path))
            return why(t, ERR_DENIED, "%.*s is there already: nothing was "
                       "changed; --force replaces it and keeps it as "
                       "%s.old", STR(path), names[i]);
    }
    return OK;
}

static err write_config(struct task *t, struct init *in)
{
    str main = file_in(in, "main.cf"), master = file_in(in, "master.cf");

    for (const struct init_query *q = init_queries; q->name; q++) {
        init_query_cf(&in->plan, q, &in->text);
        TRY(write_file(t, in, arena_fmt(&in->ad->memory, "%.*s/sqlite/%s.cf",
                                        STR(in->plan.dir), q->name), 0644));
    }
    TRY(keep_old(t, in, master));
    init_master_cf(&in->plan, &in->text);
    TRY(write_file(t, in, master, 0644));
    TRY(keep_old(t, in, main));
    init_main_cf(&in->plan, &in->text);
    return write_file(t, in, main, 0644);
}

static err write_certificate(struct task *t, struct init *in)
{
    struct init_plan *p = &in->plan;
    str key, certificate;

    if (exists(t, p->key) || exists(t, p->certificate)) {
        note("kept", p->certificate);
        return OK;
    }
    TRY(tls_self_signed(t, &in->ad->memory, p->hostname, CERTIFICATE_DAYS,
                        &key, &certificate));
    buf_add(&in->text, key);
    TRY(write_file(t, in, p->key, 0600));
    buf_add(&in->text, certificate);
    return write_file(t, in, p->certificate, 0644);
}

static err write_directory(struct task *t, struct init *in)
{
    struct init_plan *p = &in->plan;
    struct arena *a = &in->ad->memory;
    bool was_there = exists(t, p->directory);
    struct directory_domains domains;
    struct directory *d;

    TRY(directory_open(t, a, p->directory, DIRECTORY_WRITE | DIRECTORY_CREATE,
                       &d));
    note(was_there ? "kept" : "wrote", p->directory);
    TRY(directory_domain_list(t, d, a, &domains));
    for (size_t i = 0; i < domains.n; i++)
        if (str_ieq(domains.p[i].name, p->domain))
            return OK;
    return directory_domain_add(t, d, p->domain, S("mailbox"));
}

static err write_aliases(struct task *t, struct init *in)
{
    struct arena *a = &in->ad->memory;
    char postalias[] = "postalias", option[] = "-c";
    str table = arena_fmt(a, "hash:%.*s", STR(in->plan.aliases));
    char *argv[] = { postalias, option, arena_cstr(a, in->plan.dir),
                     arena_cstr(a, table), NULL };
    struct tool_args args = { .argc = 4, .argv = argv };

    init_aliases(&in->plan, &in->text);
    TRY(write_once(t, in, in->plan.aliases, 0644));
    if (tool_postalias(t, &args))
        return why(t, ERR_IO, "the aliases cannot be indexed: see above, "
                   "then run newaliases");
    return OK;
}

/* --- what to do next ------------------------------------------------------ */

static void show_ports(struct init *in)
{
    static const struct { const char *name, *what; uint32_t number; } ports[]
        = { { "smtp", "SMTP", 25 }, { "submission", "submission", 587 },
            { "submissions", "submissions (TLS)", 465 },
            { "imap", "IMAP", 143 }, { "imaps", "IMAP (TLS)", 993 },
            { "pop3", "POP3", 110 }, { "pop3s", "POP3 (TLS)", 995 } };

    printf("\nhost %.*s, domain %.*s; ports%s:", STR(in->plan.hostname),
           STR(in->plan.domain), in->plan.base ? " on loopback" : "");
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
        printf("%s %s %u", i ? "," : "", ports[i].what,
               in->plan.base + ports[i].number);
    printf("\n");
}

static void show_next(struct init *in)
{
    str c = str_eq(in->plan.dir, TOOL_CONFIG_DIR)
                ? S("") : arena_fmt(&in->ad->memory, " -c %.*s",
                                    STR(in->plan.dir));
    str d = in->plan.domain;

    printf("\nnext:\n"
           "  veredus user add%.*s you@%.*s\n"
           "  veredus alias add%.*s postmaster@%.*s you@%.*s\n"
           "  postfix%.*s start\n",
           STR(c), STR(d), STR(c), STR(d), STR(d), STR(c));
}

static err init_all(struct task *t, struct init *in)
{
    TRY(refuse_existing(t, in));
    TRY(make_dirs(t, in));
    TRY(write_directory(t, in));
    TRY(write_certificate(t, in));
    TRY(write_config(t, in));
    TRY(write_aliases(t, in));
    show_ports(in);
    show_next(in);
    return OK;
}

static err init(struct task *t, struct admin *ad)
{
    struct init *in = arena_new(&ad->memory, struct init);

    in->ad = ad;
    buf_init(&in->text, &ad->memory, TEXT_MAX);
    TRY(init_plan(t, ad, &in->plan));
    return init_all(t, in);
}

static const struct admin_verb verbs[] = {
    { NULL, "DOMAIN",
      "Writes a working configuration for a host that takes mail for DOMAIN:\n"
      "main.cf, master.cf, aliases, the directory of users, a self-signed\n"
      "certificate.  As root for a real host, as an ordinary user for an\n"
      "instance on loopback with high ports (-c DIR says where).",
      ADMIN_BIT(force) | ADMIN_BIT(hostname) | ADMIN_BIT(ports)
          | ADMIN_BIT(queue_dir) | ADMIN_BIT(data_dir) | ADMIN_BIT(mail_dir)
          | ADMIN_BIT(log) | ADMIN_BIT(relayhost) | ADMIN_BIT(mail_owner)
          | ADMIN_BIT(mail_user) | ADMIN_BIT(create_users),
      1, 1, init },
};

int tool_init(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = { "", verbs, 1 };

    return admin_main(t, args, &command);
}
