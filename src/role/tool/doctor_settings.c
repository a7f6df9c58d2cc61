/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: who this host says it is, whom it relays for, and whether
 * mail can be put where it is said to go.
 */
#include "role/tool/doctor.h"

#include "role/tool/caller.h"
#include "table/netblock.h"

#include <unistd.h>

enum { NETWORKS_MAX = 1 << 20, WIDE4 = 8, WIDE6 = 16 };

static void say_of(struct doctor *d, enum doctor_level level, enum param p,
                   str value, const char *what)
{
    doctor_say(d, level, "%.*s/main.cf: %.*s = %.*s: %s",
               STR(conf_dir(d->conf)), STR(conf_param(p)->name), STR(value),
               what);
}

static void look_at_name(struct doctor *d)
{
    str name = conf_str(d->conf, P_myhostname);

    if (str_ieq(name, S("localhost")) || str_istarts(name, S("localhost."))
        || str_ends(name, S(".localdomain")))
        say_of(d, PROBLEM, P_myhostname, name, "no other host can have this "
               "name for it: others refuse mail from it");
    else if (str_chr(name, '.') == STR_NONE)
        say_of(d, DOUBT, P_myhostname, name, "this is no full name: others "
               "refuse mail from it");
}

/* --- mynetworks ----------------------------------------------------------- */

static void look_at_network(struct doctor *d, str shown, str block)
{
    struct netblock b;

    if (netblock_parse(d->a, block, &b))
        return; /* a name, or what reading the configuration complains of */
    if (b.bits == 0)
        say_of(d, PROBLEM, P_mynetworks, shown, "everybody may send to "
               "everywhere through this host (an open relay)");
    else if (b.bits < (b.size == 4 ? WIDE4 : WIDE6))
        say_of(d, DOUBT, P_mynetworks, shown, "so many hosts may send to "
               "everywhere through this one");
}

/* A file of networks, or a table whose keys they are. */
static void look_at_network_file(struct task *t, struct doctor *d, str item,
                                 str path)
{
    str text, line;
    err e = file_load(t, NULL, path, d->a, NETWORKS_MAX, &text);

    if (e) {
        doctor_failed(t, d, e, path);
        return;
    }
    while (str_cut(&text, '\n', &line)) {
        str word = str_trim(line);
        word = str_head(word, str_any(word, S(" \t,#")));
        if (!str_empty(word))
            look_at_network(d, arena_fmt(d->a, "%.*s (%.*s)", STR(item),
                                         STR(word)), word);
    }
}

static void look_at_networks(struct task *t, struct doctor *d)
{
    struct conf_items items = conf_items(d->conf, P_mynetworks);

    for (size_t i = 0; i < items.n; i++) {
        str item = items.p[i];
        if (str_starts(item, S("!")))
            continue;
        if (str_starts(item, S("static:")))
            say_of(d, PROBLEM, P_mynetworks, item, "everybody may send to "
                   "everywhere through this host (an open relay)");
        else if (str_starts(item, S("/")))
            look_at_network_file(t, d, item, item);
        else if (str_starts(item, S("cidr:/")))
            look_at_network_file(t, d, item, str_skip(item, 5));
        else
            look_at_network(d, item, item);
    }
}

/* --- where mail goes ------------------------------------------------------ */

static bool may_write(const struct file_stat *st, uint32_t uid, uint32_t gid)
{
    enum { WX = 3 };
    int shift = st->uid == uid ? 6 : st->gid == gid ? 3 : 0;

    return uid == 0 || ((st->mode >> shift) & WX) == WX;
}

/* The number in "static:5000", which mailboxes belong to; false: there are
 * many, or a table has them. */
static bool static_id(const struct doctor *d, enum param p, uint32_t *out)
{
    struct conf_items items = conf_items(d->conf, p);
    uint64_t n;

    if (items.n != 1 || !str_starts(items.p[0], S("static:"))
        || !str_uint(str_skip(items.p[0], 7), UINT32_MAX, &n))
        return false;
    *out = (uint32_t)n;
    return true;
}

/* The first of path and the directories above it that is there. */
static err nearest(struct task *t, str *path, struct file_stat *st)
{
    err e;

    while ((e = file_stat_path(t, NULL, *path, st)) == ERR_ABSENT
           && path->n > 1) {
        size_t slash = str_rchr(*path, '/');
        if (slash == STR_NONE)
            break;
        *path = str_head(*path, slash > 0 ? slash : 1);
    }
    return e;
}

static void look_at_mailboxes(struct task *t, struct doctor *d)
{
    str base = conf_str(d->conf, P_virtual_mailbox_base), path = base;
    uint32_t uid, gid;
    struct file_stat st;
    err e;

    if (str_empty(base) || conf_items(d->conf, P_virtual_mailbox_maps).n == 0)
        return;
    e = nearest(t, &path, &st);
    if (e)
        doctor_failed(t, d, e, path);
    else if (!st.is_dir)
        say_of(d, PROBLEM, P_virtual_mailbox_base, base, "this is no "
               "directory");
    else if (static_id(d, P_virtual_uid_maps, &uid)
             && static_id(d, P_virtual_gid_maps, &gid)
             && !may_write(&st, uid, gid))
        doctor_say(d, PROBLEM, "%.*s/main.cf: virtual_mailbox_base = %.*s: "
                   "user %u, who owns the mailboxes (virtual_uid_maps), may "
                   "not write in %.*s", STR(conf_dir(d->conf)), STR(base), uid,
                   STR(path));
    else
        doctor_say(d, FINE, "mailboxes are put below %.*s", STR(base));
}

/* Of users of the host, when they have their mail in one directory. */
static void look_at_spool(struct task *t, struct doctor *d)
{
    str path = conf_str(d->conf, P_mail_spool_directory);
    struct file_stat st;
    err e;

    if (conf_items(d->conf, P_mydestination).n == 0
        || !str_empty(conf_str(d->conf, P_home_mailbox))
        || !str_empty(conf_str(d->conf, P_mailbox_command))
        || !str_empty(conf_str(d->conf, P_mailbox_transport)))
        return;
    e = file_stat_path(t, NULL, path, &st);
    if (e)
        doctor_failed(t, d, e, path);
    else if (!st.is_dir)
        say_of(d, PROBLEM, P_mail_spool_directory, path, "this is no "
               "directory");
}

void doctor_settings(struct task *t, struct doctor *d)
{
    look_at_name(d);
    look_at_networks(t, d);
    look_at_mailboxes(t, d);
    look_at_spool(t, d);
}
