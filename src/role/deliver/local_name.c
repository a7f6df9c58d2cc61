/* SPDX-License-Identifier: ISC
 *
 * A local name that is no alias: its .forward, its mailbox however that is
 * delivered to, or what becomes of unknown names.
 *
 * Mail for a user with root's user id is delivered with default_privs (L3);
 * root's .forward is not read, since only root may: give root an alias.
 */
#include "role/deliver/plan.h"

#include "role/deliver/local.h"

/* --- .forward ------------------------------------------------------------- */

struct forward_paths {
    vec_of(str) list;
    vec_of(bool) with_extension;
};

static err expand_paths(struct task *t, struct planning *p,
                        const struct place *x, struct forward_paths *out)
{
    const struct conf *c = p->l->conf;
    struct conf_items items = conf_split(p->a,
                                         conf_str(c, P_forward_path));
    str filter = conf_str(c, P_forward_expansion_filter), path;
    bool used;

    for (size_t i = 0; i < items.n; i++) {
        TRY(local_expand(t, &x->names, items.p[i], filter, p->a, &path,
                         &used));
        if (!str_starts(path, S("/")))
            continue;
        vec_push(p->a, &out->list, path);
        vec_push(p->a, &out->with_extension, used);
    }
    return OK;
}

/* What the items of a .forward are about. */
static struct context *forward_context(struct planning *p,
                                       const struct place *x, str path,
                                       bool with_extension)
{
    struct context *at = arena_new(p->a, struct context);
    const struct names_of *n = &x->names;

    *at = *x->at;
    at->from = ALIAS_FROM_FORWARD;
    at->source = path;
    at->rights = n->user;
    at->owner = n->user_name;
    at->depth++;
    at->unmatched = n->extension.n && !with_extension
                    && (p->l->route->propagate & PROPAGATE_FORWARD)
        ? arena_cat(p->a, n->delimiter, n->extension) : S("");
    return at;
}

/* True: the .forward took the mail, or a verdict was given. */
static bool try_forward(struct task *t, struct planning *p,
                        const struct place *x)
{
    struct forward_paths paths = { { 0 }, { 0 } };
    const struct user *u = x->names.user;
    struct hand_read read;
    uint32_t index = 0;
    str text;
    err e = expand_paths(t, p, x, &paths);

    if (!e && (paths.list.n == 0 || u->uid == 0))
        return false;
    read = (struct hand_read){ .paths = paths.list.p,
                               .n = (uint32_t)paths.list.n };
    if (!e)
        e = local_read_forward(t, p->run, u, &read, &text, &index);
    if (e == ERR_ABSENT)
        return false;
    if (e) {
        struct leaf leaf = { .kind = LEAF_VERDICT, .at = x->at,
                             .to = *x->to };
        leaf.verdict = run_no_hand(t, p->run);
        plan_leaf(p, leaf);
        return true;
    }
    if (plan_seen(p, ".forward", u->uid, paths.list.p[index]))
        return false;           /* P1 */
    return plan_push(p, x, forward_context(p, x, paths.list.p[index],
                                           paths.with_extension.p[index]),
                     text, true) > 0;
}

/* --- the mailbox ---------------------------------------------------------- */

static void pass(struct planning *p, const struct place *x, str spec)
{
    plan_leaf(p, (struct leaf){ .kind = LEAF_PASS, .at = x->at, .to = *x->to,
                                .text = spec });
}

/* A value for the user from a table or else a fixed one; ERR_ABSENT. */
static err choose(struct task *t, struct planning *p, const struct maps *m,
                  enum param fixed, str user, str *value)
{
    err e = maps_find(t, m, user, p->a, value);

    if (e != ERR_ABSENT)
        return e;
    *value = conf_str(p->l->conf, fixed);
    return str_empty(*value) ? ERR_ABSENT : OK;
}

/* True: there was one, or its table failed. */
static bool try_transport(struct task *t, struct planning *p,
                          const struct place *x, const struct maps *m,
                          enum param fixed)
{
    str spec;
    err e = choose(t, p, m, fixed, x->names.user_name, &spec);

    if (e && e != ERR_ABSENT)
        plan_later(t, p, x, "table lookup failure");
    else if (!e)
        pass(p, x, spec);
    return e != ERR_ABSENT;
}

/* The spool directory decides about the group: if only its group may write
 * there, deliveries need it.  False: only root may write there, which no
 * delivery of ours is. */
static bool spool_user(struct task *t, str dir, struct user *as)
{
    struct file_stat st;

    if (file_stat_path(t, NULL, dir, &st) || (st.mode & 02))
        return true;
    if ((st.mode & 020) && st.gid != 0)
        as->gid = st.gid;
    return (st.mode & 020) || st.uid == as->uid;
}

static void mailbox(struct task *t, struct planning *p,
                    const struct place *x, const struct user *u)
{
    const struct conf *c = p->l->conf;
    str in_home = conf_str(c, P_home_mailbox);
    str spool = conf_str(c, P_mail_spool_directory);
    bool dirs = str_ends(spool, S("/"));
    struct user *as = arena_new(p->a, struct user);
    struct leaf leaf = { .kind = LEAF_MAILBOX, .at = x->at, .to = *x->to,
                         .names = x->names, .user = u };

    if (in_home.n) {
        leaf.text = arena_fmt(p->a, "%.*s/%.*s", STR(x->names.user->home),
                              STR(in_home));
    } else if (dirs) {
        leaf.text = arena_fmt(p->a, "%.*s%.*s/", STR(spool),
                              STR(x->names.user_name));
    } else {
        leaf.text = arena_fmt(p->a, "%.*s/%.*s", STR(spool),
                              STR(x->names.user_name));
        *as = *u;
        leaf.root_only = !spool_user(t, spool, as);
        leaf.user = as;
    }
    plan_leaf(p, leaf);
}

static void deliver(struct task *t, struct planning *p,
                    const struct place *x)
{
    const struct user *u = x->names.user;
    struct leaf leaf = { .kind = LEAF_COMMAND, .at = x->at, .to = *x->to,
                         .names = x->names };
    err e;

    u = leaf.user = u->uid ? u : &p->l->nobody;
    e = choose(t, p, &p->l->mailbox_commands, P_mailbox_command,
               x->names.user_name, &leaf.text);
    if (e && e != ERR_ABSENT)
        plan_later(t, p, x, "table lookup failure");
    else if (!e)
        plan_leaf(p, leaf);
    else
        mailbox(t, p, x, u);
}

/* --- unknown names -------------------------------------------------------- */

static void luser(struct task *t, struct planning *p, const struct place *x)
{
    struct context *at = arena_new(p->a, struct context);
    struct address to;
    str text;

    if (local_expand(t, &x->names, conf_str(p->l->conf, P_luser_relay),
                     S(""), p->a, &text, NULL)
        || address_parse(text, p->a, 0, &to)) {
        run_warn(t, p->run, S("luser_relay is no address"));
        plan_verdict(p, x, OUTCOME_DEFERRED, "4.3.5",
                     S("mail system configuration error"));
        return;
    }
    *at = *x->at;
    at->unmatched = S("");
    at->depth++;
    plan_address(t, p, x, at, &to);
}

static void unknown(struct task *t, struct planning *p,
                    const struct place *x)
{
    str name = x->names.user_name;

    if (try_transport(t, p, x, &p->l->fallback_transports,
                      P_fallback_transport))
        return;
    if (!str_empty(conf_str(p->l->conf, P_luser_relay))
        && !plan_seen(p, "luser", 0, S(""))) { /* once: it may be unknown */
        luser(t, p, x);
        return;
    }
    if (str_eq(name, S("postmaster")) || str_eq(name, S("mailer-daemon"))) {
        run_warn(t, p->run, arena_fmt(p->a, "required alias not found: "
                                      "%.*s", STR(name)));
        plan_verdict(p, x, OUTCOME_SENT, "2.0.0", S("discarded"));
        return;
    }
    plan_verdict(p, x, OUTCOME_BOUNCED, "5.1.1",
                 arena_fmt(p->a, "unknown user: \"%.*s\"", STR(name)));
}

/* False: the home that must be there is not, and a verdict was given. */
static bool home_there(struct task *t, struct planning *p,
                       const struct place *x)
{
    const struct user *u = x->names.user;
    struct file_stat st;

    if (!conf_bool(p->l->conf, P_require_home_directory)
        || file_stat_path(t, NULL, u->home, &st) != ERR_ABSENT)
        return true;
    plan_verdict(p, x, OUTCOME_DEFERRED, "4.3.0",
                 arena_fmt(p->a, "cannot access home directory %.*s: "
                           "No such file or directory", STR(u->home)));
    return false;
}

void plan_user(struct task *t, struct planning *p, const struct place *given,
               bool bare)
{
    struct context *at = arena_new(p->a, struct context);
    struct user *u = arena_new(p->a, struct user);
    struct place x = *given;
    str name = x.names.user_name;
    /* no name that would lead a path astray is a user's */
    bool odd = str_chr(name, '/') != STR_NONE || str_eq(name, S("."))
               || str_eq(name, S(".."));
    err e = odd ? ERR_ABSENT : local_user_find(t, p->l, name, p->a, u);

    if (e && e != ERR_ABSENT) {
        plan_later(t, p, &x, "user lookup error");
        return;
    }
    *at = *x.at;
    x.at = at;
    if (address_is_null(&at->delivered))
        at->delivered = x.to->address;
    x.names.user = e ? NULL : u;
    if (!e && !home_there(t, p, &x))
        return;
    if (!e && !bare && try_forward(t, p, &x))
        return;
    if (plan_seen(p, "mailbox", 0, x.names.user_name))
        return;
    if (try_transport(t, p, &x, &p->l->mailbox_transports,
                      P_mailbox_transport))
        return;
    if (e)
        unknown(t, p, &x);
    else
        deliver(t, p, &x);
}
