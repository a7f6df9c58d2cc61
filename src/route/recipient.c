/* SPDX-License-Identifier: ISC
 *
 * Unknown users.
 */
#include "route/recipient.h"

/* OK if any of the tables knows the address; an empty set knows nobody. */
static err known(struct task *t, const struct route *r, const struct maps *m,
                 const struct address *x, struct arena *a)
{
    int flags = MAPS_FULL | MAPS_AT_DOMAIN;
    str value;
    err e;

    if (!maps_any(m))
        return ERR_ABSENT;
    e = route_domain_own(t, r, x->domain);
    if (e && e != ERR_ABSENT)
        return e;
    return maps_find_address(t, m, x->text, r->delimiters,
                             flags | (e ? 0 : MAPS_USER), a, &value, NULL);
}

/* What a class is checked against. */
struct listing {
    const struct maps *maps;
    int64_t code;
    const char *title;
};

static bool listing_of(const struct route *r, const struct destination *d,
                       struct listing *out)
{
    switch (d->class) {
    case CLASS_LOCAL:
        *out = (struct listing){ &r->local_recipient, r->local_code,
                                 "local recipient table" };
        return maps_any(out->maps);
    case CLASS_MAILBOX:
        *out = (struct listing){ &r->virtual_mailbox, r->mailbox_code,
                                 "virtual mailbox table" };
        return maps_any(out->maps);
    case CLASS_RELAY:
        *out = (struct listing){ &r->relay_recipient, r->relay_code,
                                 "relay recipient table" };
        return maps_any(out->maps);
    case CLASS_ALIAS:   /* its transport refuses, or was overridden */
    case CLASS_DEFAULT:
        break;
    }
    return false;
}

/* OK if a table that maps addresses knows it, whatever its class. */
static err mapped(struct task *t, const struct route *r, bool is_sender,
                  const struct address *x, struct arena *a)
{
    const struct maps *maps[] = {
        &r->recipient_canonical, &r->canonical, &r->virtual_alias,
        &r->sender_canonical, /* of senders alone */
    };
    size_t n = sizeof(maps) / sizeof(*maps) - (is_sender ? 0 : 1);

    for (size_t i = 0; i < n; i++) {
        err e = known(t, r, maps[i], x, a);
        if (e != ERR_ABSENT)
            return e;
    }
    return ERR_ABSENT;
}

/* A status code said of a recipient, as it is said of a sender (RFC 3463:
 * the bad one is the sender's mailbox or system). */
static str dsn_of_sender(str dsn)
{
    if (str_ends(dsn, S(".1.1")) || str_ends(dsn, S(".1.3")) ||
        str_ends(dsn, S(".1.6")))
        return S("5.1.7");
    return str_ends(dsn, S(".1.2")) ? S("5.1.8") : dsn;
}

/* Names that every system has; qmgr takes their mail. */
static bool is_reserved(const struct route *r, str local)
{
    return str_ieq(local, r->double_bounce)
           || str_ieq(local, S("postmaster"))
           || str_ieq(local, S("mailer-daemon"));
}

/* The verdict: the DSN code begins as the reply code does. */
static void refuse(struct arena *a, bool is_sender, int code, str dsn,
                   str shown, str text, struct reply *verdict)
{
    if (is_sender)
        dsn = dsn_of_sender(dsn);
    *verdict = reply_fmt(a, code, arena_cstr(a, dsn),
                         "<%.*s>: %s address rejected: %.*s", STR(shown),
                         is_sender ? "Sender" : "Recipient", STR(text));
    verdict->dsn[0] = code < 500 ? '4' : '5';
}

/* The error and retry transports give their reason as the next hop. */
static bool refuse_by_transport(const struct route *r, bool is_sender,
                                str shown, const struct destination *d,
                                struct arena *a, struct reply *verdict)
{
    bool retry = str_eq(d->transport, S("retry"));
    size_t n = dsn_span(d->nexthop);
    str dsn = n ? str_head(d->nexthop, n) : is_sender ? S("5.1.0")
                                                      : S("5.1.1");
    int code = retry ? 450 : d->class == CLASS_ALIAS ? (int)r->alias_code
                                                     : 550;

    if (!retry && !str_eq(d->transport, S("error")))
        return false;
    refuse(a, is_sender, code, dsn, shown,
           str_trim(str_skip(d->nexthop, n)), verdict);
    return true;
}

err recipient_check(struct task *t, const struct route *r, bool is_sender,
                    str shown, const struct destination *d,
                    struct arena *a, struct reply *verdict)
{
    const struct address *x = &d->recipient;
    struct listing l;
    str text;
    err e;

    verdict->code = 0;
    if (d->bad)
        return OK;
    e = mapped(t, r, is_sender, x, a);
    if (e != ERR_ABSENT)
        return e;
    if (refuse_by_transport(r, is_sender, shown, d, a, verdict))
        return OK;
    if (!listing_of(r, d, &l) ||
        (d->class == CLASS_LOCAL && is_reserved(r, x->local)))
        return OK;
    e = known(t, r, l.maps, x, a);
    if (e != ERR_ABSENT)
        return e;
    text = r->show_table_name
               ? arena_fmt(a, "User unknown in %s", l.title)
               : S("User unknown");
    refuse(a, is_sender, (int)l.code, is_sender ? S("5.1.0") : S("5.1.1"),
           shown, text, verdict);
    return OK;
}
