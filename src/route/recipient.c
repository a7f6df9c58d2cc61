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

/* What a class is checked against; maps NULL: nobody is known. */
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
    case CLASS_ALIAS:
        *out = (struct listing){ NULL, r->alias_code, "virtual alias table" };
        return true;
    case CLASS_MAILBOX:
        *out = (struct listing){ &r->virtual_mailbox, r->mailbox_code,
                                 "virtual mailbox table" };
        return maps_any(out->maps);
    case CLASS_RELAY:
        *out = (struct listing){ &r->relay_recipient, r->relay_code,
                                 "relay recipient table" };
        return maps_any(out->maps);
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
        is_sender ? &r->sender_canonical : &r->recipient_canonical,
        &r->canonical, &r->virtual_alias,
    };

    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
        err e = known(t, r, maps[i], x, a);
        if (e != ERR_ABSENT)
            return e;
    }
    return ERR_ABSENT;
}

err recipient_check(struct task *t, const struct route *r, bool is_sender,
                    str shown, const struct address *x,
                    const struct destination *d, struct arena *a,
                    struct reply *verdict)
{
    struct listing l;
    err e;

    verdict->code = 0;
    if (d->bad || !listing_of(r, d, &l) ||
        (d->class == CLASS_LOCAL && str_ieq(x->local, r->double_bounce)))
        return OK;
    if (str_eq(d->transport, S("error")) && d->class != CLASS_ALIAS)
        return OK; /* the transport has a reason of its own */
    e = mapped(t, r, is_sender, x, a);
    if (e == ERR_ABSENT && l.maps)
        e = known(t, r, l.maps, x, a);
    if (e != ERR_ABSENT)
        return e;
    *verdict = reply_fmt(a, (int)l.code,
                         is_sender ? (l.code < 500 ? "4.1.0" : "5.1.0")
                                   : (l.code < 500 ? "4.1.1" : "5.1.1"),
                         "<%.*s>: %s address rejected: User unknown%s%s",
                         STR(shown), is_sender ? "Sender" : "Recipient",
                         r->show_table_name ? " in " : "",
                         r->show_table_name ? l.title : "");
    return OK;
}
