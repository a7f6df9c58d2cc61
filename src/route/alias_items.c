/* SPDX-License-Identifier: ISC
 *
 * The items of an alias' value: members of a list of addresses, where a
 * command or a file name may stand for an address.  Those that hold blanks
 * or marks are quoted, as a whole or after their first byte; what follows the
 * quotes is an item of its own.
 */
#include "mail/member.h"
#include "route/alias.h"
#include "route/rewrite.h"

static const str include = S_INIT(":include:");

/* A command, file or list; empty names are none. */
static struct alias_action read_special(str text, struct alias_action bad)
{
    struct alias_action x = bad;

    if (str_any(text, str_of("\0\r\n", 3)) != STR_NONE)
        return bad;
    if (text.p[0] == '|') {
        x.kind = ALIAS_COMMAND;
        x.text = str_trim(str_skip(text, 1));
    } else if (text.p[0] == ':') {
        x.kind = ALIAS_INCLUDE;
        x.text = str_trim(str_skip(text, include.n));
        return x; /* an empty one is a relative path, and said to be that */
    } else if (text.p[0] == '/' || str_starts(text, S("~/"))) {
        x.kind = ALIAS_FILE;
    } else {
        return bad; /* "~user" */
    }
    return x.text.n > 0 ? x : bad;
}

static struct alias_action read_address(const struct route *r,
                                        const struct member *m,
                                        struct arena *a,
                                        struct alias_action bad)
{
    struct alias_action x = bad;
    err e = m->text.n > 0 ? member_address(m, a, &x.address)
                          : address_of(r->empty_recipient, a, &x.address);

    if (e || address_is_null(&x.address))
        return bad;
    x.kind = m->escaped ? ALIAS_USER : ALIAS_FORWARD;
    x.address = rewrite_standard(r, REWRITE_LOCAL, &x.address, a);
    return x;
}

void alias_items(const struct route *r, str text, struct arena *a,
                 struct alias_actions *out)
{
    struct members members = { 0 };

    members_read(text, a, &members);
    for (size_t i = 0; i < members.list.n; i++) {
        const struct member *m = &members.list.p[i];
        struct alias_action bad = { ALIAS_BAD, ADDRESS_NULL, m->text };
        bool special = m->text.n > 0
                       && (str_chr(S("|/~"), m->text.p[0]) != STR_NONE
                           || str_istarts(m->text, include));
        if (!m->null)
            vec_push(a, &out->list,
                     special ? read_special(m->text, bad)
                             : read_address(r, m, a, bad));
    }
}
