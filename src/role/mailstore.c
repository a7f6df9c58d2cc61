/* SPDX-License-Identifier: ISC
 *
 * What mailstore_* parameters mean.
 */
#include "role/mailstore.h"

err mailstore_quota_read(struct task *t, const struct conf *c,
                         uint64_t *out)
{
    str text = conf_str(c, P_mailstore_quota);
    struct scan s = scan_of(text);
    size_t unit = 0;
    bool good = str_empty(text);

    *out = 0;
    if (!good && scan_uint(&s, UINT64_C(1) << 50, out)) {
        if (!scan_done(&s))
            unit = str_chr(S("BKMGT"), upper((char)scan_next(&s)));
        good = scan_done(&s) && unit <= 4
               && *out <= (UINT64_C(1) << 60) >> (10 * unit);
    }
    if (!good)
        return why(t, ERR_SYNTAX, "mailstore_quota: \"%.*s\" is not a number "
                   "of bytes, like 500M", STR(text));
    *out <<= 10 * unit;
    return OK;
}

/* --- where --------------------------------------------------------------- */

/* Whether local(8) itself writes the mailboxes of users that may log in. */
static bool serves_host_users(const struct conf *local,
                              const struct conf *reader)
{
    static const enum param elsewhere[] = {
        P_mailbox_transport, P_mailbox_transport_maps, P_mailbox_command,
        P_mailbox_command_maps,
    };
    struct conf_items sources = conf_items(reader, P_auth_sources);
    bool shadow = false;

    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        if (conf_is_set(local, elsewhere[i])
            && !str_empty(conf_raw(local, elsewhere[i])))
            return false;
    for (size_t i = 0; i < sources.n; i++)
        shadow |= str_eq(sources.p[i], S("shadow"));
    return shadow && conf_items(local, P_mydestination).n > 0
           && str_eq(str_head(conf_str(local, P_local_transport), 5),
                     S("local"));
}

/* Where local(8) puts a user's mail, as mailstore_location would say it; one
 * that ends with a slash is a Maildir. */
static str delivered_to(const struct conf *local, struct arena *a)
{
    str home = conf_str(local, P_home_mailbox);
    str spool = conf_str(local, P_mail_spool_directory);

    if (!str_empty(home))
        return arena_cat(a, S("~/"), home);
    return str_ends(spool, S("/")) ? arena_cat(a, spool, S("%u/"))
                                   : arena_cat(a, spool, S("/%u"));
}

/* A location's path with one spelling for each thing. */
static str read_from(str location, struct arena *a)
{
    str path = location, rest;
    struct buf b;

    if (str_starts(path, S("maildir:")))
        path = str_skip(path, 8);
    str_cut(&path, ':', &rest);
    buf_init(&b, a, rest.n * 2 + 1);
    while (rest.n) {
        if (str_starts(rest, S("%h")))
            buf_byte(&b, '~');
        else if (str_starts(rest, S("%n")))
            buf_add(&b, S("%u"));
        else
            buf_add(&b, str_head(rest, rest.p[0] == '%' ? 2 : 1));
        rest = str_skip(rest, rest.p[0] == '%' ? 2 : 1);
    }
    while (b.n > 1 && b.p[b.n - 1] == '/')
        b.n--;
    return buf_str(&b);
}

str mailstore_disagreement(const struct conf *local,
                           const struct conf *reader, struct arena *a)
{
    str location = conf_raw(reader, P_mailstore_location);
    str to, from, at;
    bool maildir, in_home;

    if (!serves_host_users(local, reader))
        return S("");
    to = delivered_to(local, a);
    from = read_from(location, a);
    maildir = str_ends(to, S("/"));
    in_home = !str_empty(conf_str(local, P_home_mailbox));
    at = maildir ? str_head(to, to.n - 1) : to;
    while (at.n > 1 && str_ends(at, S("/")))
        at.n--;
    if (maildir && str_eq(at, from))
        return S("");
    return arena_fmt(a, "%s = %.*s: local(8) delivers to %s %.*s, but users "
                     "read mail where mailstore_location = %.*s says%s%.*s%s",
                     in_home ? "home_mailbox"
                             : "home_mailbox is empty and "
                               "mail_spool_directory",
                     STR(conf_str(local, in_home
                                             ? P_home_mailbox
                                             : P_mail_spool_directory)),
                     maildir ? "the Maildir" : "the mbox file", STR(to),
                     STR(location),
                     str_starts(from, S("~/")) ? "; set home_mailbox = " : "",
                     STR(str_starts(from, S("~/")) ? str_skip(from, 2)
                                                   : S("")),
                     str_starts(from, S("~/")) ? "/" : "");
}
