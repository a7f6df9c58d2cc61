/* SPDX-License-Identifier: ISC
 *
 * The default of mynetworks: the network of each interface that mail is
 * received on; IPv4 first, each network once.
 *
 * inet_interfaces is "all", "loopback-only", or addresses and names.  Names
 * need DNS or /etc/hosts, which pure code cannot ask: of names only localhost
 * is understood here.
 */
#include "conf/networks.h"

#include "conf/value.h"

#include <arpa/inet.h>

enum style { STYLE_CLASS, STYLE_SUBNET, STYLE_HOST };

/* Which interfaces take part. */
struct choice {
    bool ipv4, ipv6;
    bool all, loopback;
    struct conf_items addresses;
};

static bool is_loopback(const struct conf_interface *i)
{
    static const unsigned char one[16] = { [15] = 1 };

    if (!i->ipv6)
        return i->address[0] == 127;
    return __builtin_memcmp(i->address, one, sizeof(one)) == 0;
}

static bool address_parse(struct arena *a, str text,
                          struct conf_interface *out)
{
    if (str_starts(text, S("[")) && str_ends(text, S("]")))
        text = str_skip(str_head(text, text.n - 1), 1);
    if (inet_pton(AF_INET, arena_cstr(a, text), out->address) == 1)
        return true;
    out->ipv6 = inet_pton(AF_INET6, arena_cstr(a, text), out->address) == 1;
    return out->ipv6;
}

static bool names_interface(struct arena *a, str item,
                            const struct conf_interface *i)
{
    struct conf_interface other = { .ipv6 = false };

    if (str_ieq(item, S("localhost")))
        return is_loopback(i);
    if (!address_parse(a, item, &other) || other.ipv6 != i->ipv6)
        return false;
    return __builtin_memcmp(other.address, i->address, i->ipv6 ? 16 : 4) == 0;
}

static bool takes_part(struct arena *a, const struct choice *choice,
                       const struct conf_interface *i)
{
    if (i->ipv6 ? !choice->ipv6 : !choice->ipv4)
        return false;
    if (choice->all)
        return true;
    if (choice->loopback)
        return is_loopback(i);
    for (size_t n = 0; n < choice->addresses.n; n++)
        if (names_interface(a, choice->addresses.p[n], i))
            return true;
    return false;
}

/* The old classes: A, B, C, and D and above by the host. */
static int class_prefix(const struct conf_interface *i)
{
    unsigned char first = i->address[0];

    return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

static str network_text(struct arena *a, const struct conf_interface *i,
                        enum style style)
{
    unsigned char net[16];
    char text[INET6_ADDRSTRLEN];
    int bits = i->ipv6 ? 128 : 32, prefix = i->prefix;

    if (style == STYLE_HOST)
        prefix = bits;
    else if (style == STYLE_CLASS && !i->ipv6)
        prefix = class_prefix(i);
    for (int n = 0; n < bits / 8; n++) {
        int keep = prefix - 8 * n;
        unsigned mask = keep >= 8 ? 0xff
                      : keep <= 0 ? 0 : 0xff00u >> keep & 0xff;
        net[n] = (unsigned char)(i->address[n] & mask);
    }
    if (!inet_ntop(i->ipv6 ? AF_INET6 : AF_INET, net, text, sizeof(text)))
        must_not_reach();
    return i->ipv6 ? arena_fmt(a, "[%s]/%d", text, prefix)
                   : arena_fmt(a, "%s/%d", text, prefix);
}

static err choose(struct arena *a, str interfaces, str protocols,
                  struct choice *choice, str *complaint)
{
    struct conf_items items = conf_split(a, protocols);

    choice->addresses = conf_split(a, interfaces);
    for (size_t i = 0; i < items.n; i++) {
        bool all = str_ieq(items.p[i], S("all"));
        if (!all && !str_ieq(items.p[i], S("ipv4"))
            && !str_ieq(items.p[i], S("ipv6"))) {
            *complaint = arena_fmt(a, "unknown inet_protocols value \"%.*s\" "
                                   "in \"%.*s\" (use all, ipv4, ipv6)",
                                   STR(items.p[i]), STR(protocols));
            return ERR_SYNTAX;
        }
        choice->ipv4 |= all || str_ieq(items.p[i], S("ipv4"));
        choice->ipv6 |= all || str_ieq(items.p[i], S("ipv6"));
    }
    if (choice->addresses.n == 1) {
        choice->all = str_ieq(choice->addresses.p[0], S("all"));
        choice->loopback = str_ieq(choice->addresses.p[0],
                                   S("loopback-only"));
    }
    return OK;
}

static bool style_find(str text, enum style *style)
{
    if (str_ieq(text, S("class")))
        *style = STYLE_CLASS;
    else if (str_ieq(text, S("subnet")))
        *style = STYLE_SUBNET;
    else if (str_ieq(text, S("host")))
        *style = STYLE_HOST;
    else
        return false;
    return true;
}

static bool has_item(str list, str item)
{
    str token;

    while (str_token(&list, S(" "), &token))
        if (str_eq(token, item))
            return true;
    return false;
}

err networks_default(struct arena *a, const struct conf_facts *facts,
                     str style_text, str interfaces, str protocols, str *out,
                     str *complaint)
{
    struct choice choice = { .all = false };
    struct buf b;
    enum style style;

    if (!style_find(str_trim(style_text), &style)) {
        *complaint = arena_fmt(a, "unknown mynetworks mask style value "
                               "\"%.*s\" in \"%.*s\" (use class, subnet, "
                               "host)", STR(style_text), STR(style_text));
        return ERR_SYNTAX;
    }
    TRY(choose(a, interfaces, protocols, &choice, complaint));
    buf_init(&b, a, 65536);
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        for (size_t n = 0; n < facts->n_interfaces; n++) {
            const struct conf_interface *i = &facts->interfaces[n];
            if (i->ipv6 != ipv6 || !takes_part(a, &choice, i))
                continue;
            str net = network_text(a, i, style);
            if (has_item(buf_str(&b), net))
                continue;
            if (b.n)
                buf_byte(&b, ' ');
            buf_add(&b, net);
        }
    }
    *out = buf_str(&b);
    return OK;
}
