/* SPDX-License-Identifier: ISC
 *
 * Whose certificate a server must show: smtp_tls_verify_cert_match and
 * smtp_tls_secure_cert_match.  "hostname" is the host that was connected to,
 * "nexthop" the domain that mail is for, "dot-nexthop" hosts below it; all
 * else is a name, or hosts below it if it begins with a dot.
 */
#include "role/smtpc/smtpc.h"

str line_domain(const struct line *n)
{
    str site = n->target.site;

    if (str_starts(site, S("[")))
        return str_head(str_skip(site, 1), str_chr(str_skip(site, 1), ']'));
    return str_head(site, str_chr(site, ':'));
}

/* Whether name is for host; "*.example.com" is for hosts one level below. */
static bool is_for(str name, str host)
{
    size_t dot = str_chr(host, '.');

    if (str_starts(name, S("*.")))
        return dot != STR_NONE && dot > 0
               && str_ieq(str_skip(name, 1), str_skip(host, dot));
    return str_ieq(name, host);
}

/* Whether name is below the domain, which begins with a dot. */
static bool is_below(str name, str domain)
{
    if (str_starts(name, S("*")))
        name = str_skip(name, 1);
    return name.n >= domain.n
           && str_ieq(str_skip(name, name.n - domain.n), domain);
}

static bool fits(str name, str pattern, const struct line *n)
{
    str domain = line_domain(n);

    if (str_ieq(pattern, S("hostname")))
        return is_for(name, n->target.host);
    if (str_ieq(pattern, S("nexthop")))
        return is_for(name, domain);
    if (str_ieq(pattern, S("dot-nexthop"))) {
        if (str_starts(name, S("*.")))
            name = str_skip(name, 2);
        return name.n > domain.n
               && name.p[name.n - domain.n - 1] == '.'
               && str_ieq(str_skip(name, name.n - domain.n), domain);
    }
    return str_starts(pattern, S(".")) ? is_below(name, pattern)
                                       : is_for(name, pattern);
}

bool line_is_verified(const struct client_settings *l, const struct line *n)
{
    const struct tls_facts *f = conn_tls(n->peer.conn);
    str names = f->peer_hosts, name;

    if (!f->on || !f->peer_verified)
        return false;
    while (str_token(&names, S(" "), &name))
        for (size_t i = 0; i < l->tls_match.n; i++)
            if (fits(name, l->tls_match.p[i], n))
                return true;
    return false;
}
