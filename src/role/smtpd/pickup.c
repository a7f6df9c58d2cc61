/* SPDX-License-Identifier: ISC
 *
 * XPICKUP UID=n [GATEWAY]: whose mail the next one is, said on public/pickup
 * by what empties maildrop, and by sendmail -G for its caller.  The socket
 * knows who speaks: only root and mail_owner may name somebody else.
 */
#include "role/smtpd/smtpd.h"

#include <unistd.h>

struct reply pickup_whose(struct visit *v, str rest)
{
    str word, uid = S("");
    bool gateway = false;
    uint64_t n;

    while (str_token(&rest, S(" "), &word)) {
        if (str_istarts(word, S("UID=")))
            uid = str_skip(word, 4);
        else if (str_ieq(word, S("GATEWAY")))
            gateway = true;
        else
            return REPLY(501, "5.5.4", "Syntax: XPICKUP UID=number "
                         "[GATEWAY]");
    }
    if (!str_uint(uid, UINT32_MAX, &n))
        return REPLY(501, "5.5.4", "Syntax: XPICKUP UID=number [GATEWAY]");
    if (n != v->uid && v->uid != 0 && v->uid != geteuid())
        return REPLY(550, "5.7.0", "Error: not your mail");
    v->uid = (uint32_t)n;
    v->gateway = gateway;
    return REPLY(250, "2.0.0", "Ok");
}
