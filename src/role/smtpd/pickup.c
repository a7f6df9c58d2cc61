/* SPDX-License-Identifier: ISC
 *
 * XPICKUP UID=n [GATEWAY] [SINCE=us] [BOUNCE=reason]: whose mail the next one
 * is, said on public/pickup by what empties maildrop, and by sendmail -G for
 * its caller.  The socket knows who speaks: only root and mail_owner may name
 * somebody else, say that mail came in before, or have mail bounced that was
 * taken while nobody could refuse it.
 */
#include "role/smtpd/smtpd.h"

#include "mail/esmtp.h"

#include <unistd.h>

enum { BOUNCE_MAX = 1000 };
#define SYNTAX "Syntax: XPICKUP UID=number [GATEWAY] [SINCE=us] [BOUNCE=reason]"

struct reply pickup_whose(struct visit *v, str rest)
{
    str word, uid = S("");
    bool gateway = false, trusted = v->uid == 0 || v->uid == geteuid();
    struct buf bounce;
    uint64_t n, since = 0;

    buf_init(&bounce, &v->memory, BOUNCE_MAX);
    while (str_token(&rest, S(" "), &word)) {
        bool good = true;
        if (str_istarts(word, S("UID=")))
            uid = str_skip(word, 4);
        else if (str_ieq(word, S("GATEWAY")))
            gateway = true;
        else if (str_istarts(word, S("SINCE=")))
            good = str_uint(str_skip(word, 6), INT64_MAX, &since);
        else if (str_istarts(word, S("BOUNCE=")))
            good = xtext_decode(&bounce, str_skip(word, 7)) && !bounce.over;
        else
            good = false;
        if (!good)
            return REPLY(501, "5.5.4", SYNTAX);
    }
    if (!str_uint(uid, UINT32_MAX, &n))
        return REPLY(501, "5.5.4", SYNTAX);
    if ((n != v->uid || bounce.n > 0 || since > 0) && !trusted)
        return REPLY(550, "5.7.0", "Error: not your mail");
    v->uid = (uint32_t)n;
    v->gateway = gateway;
    v->since_us = (int64_t)since;
    v->bounce = buf_str(&bounce);
    return REPLY(250, "2.0.0", "Ok");
}
