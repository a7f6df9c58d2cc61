/* SPDX-License-Identifier: ISC
 *
 * From files and the machine to a snapshot: what master and the commands do
 * before anything else.  Roles that may open nothing get the packed snapshot
 * instead (conf_pack).
 *
 * The host's name and interfaces are asked for here, directly: they are facts
 * of the process that reads the files, and in the simulated world a test
 * writes them down itself.
 */
#include "conf/conf.h"

#include "conf/main_cf.h"
#include "rt/file.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)4 << 20)
#define INTERFACES_MAX 1024

static int prefix_length(const unsigned char *mask, size_t size)
{
    int n = 0;

    for (size_t i = 0; i < size; i++)
        n += __builtin_popcount(mask[i]);
    return n;
}

/* False for what is down or has no address that mail could come to. */
static bool interface_of(const struct ifaddrs *from,
                         struct conf_interface *to)
{
    const void *address, *mask;
    size_t size;

    *to = (struct conf_interface){ .ipv6 = false };
    if (!from->ifa_addr || !from->ifa_netmask || !(from->ifa_flags & IFF_UP))
        return false;
    if (from->ifa_addr->sa_family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)
                    from->ifa_addr)->sin_addr;
        mask = &((const struct sockaddr_in *)(const void *)
                 from->ifa_netmask)->sin_addr;
        size = 4;
    } else if (from->ifa_addr->sa_family == AF_INET6) {
        address = &((const struct sockaddr_in6 *)(const void *)
                    from->ifa_addr)->sin6_addr;
        mask = &((const struct sockaddr_in6 *)(const void *)
                 from->ifa_netmask)->sin6_addr;
        size = 16;
        to->ipv6 = true;
    } else {
        return false;
    }
    __builtin_memcpy(to->address, address, size);
    to->prefix = prefix_length(mask, size);
    return true;
}

static err find_interfaces(struct task *t, struct arena *a,
                           struct conf_facts *out)
{
    vec_of(struct conf_interface) found = { 0 };
    struct conf_interface one;
    struct ifaddrs *all;

    if (getifaddrs(&all))
        return why(t, ERR_IO, "cannot list the network interfaces");
    for (const struct ifaddrs *i = all; i && found.n < INTERFACES_MAX;
         i = i->ifa_next)
        if (interface_of(i, &one))
            vec_push(a, &found, one);
    freeifaddrs(all);
    out->interfaces = found.p;
    out->n_interfaces = found.n;
    return OK;
}

err conf_facts_find(struct task *t, struct arena *a, const char *process_name,
                    struct conf_facts *out)
{
    char name[256];

    if (gethostname(name, sizeof(name) - 1))
        return why(t, ERR_IO, "cannot find the host's name");
    name[sizeof(name) - 1] = 0;
    *out = (struct conf_facts){
        .hostname = arena_str(a, str_from(name)),
        .origin_file = S(""),
        .process_name = arena_str(a, str_from(process_name)),
        .process_id = arena_fmt(a, "%d", getpid()),
        .service_name = S(""),
    };
    return find_interfaces(t, a, out);
}

/* myorigin = /etc/mailname: the first line of that file.  A file that cannot
 * be read gives an empty fact; conf_read says so with file and line. */
static void find_origin(struct task *t, struct arena *a,
                        struct conf_source *src)
{
    struct map *entries = map_new(a, false);
    struct conf_findings ignored = { 0 };
    const struct conf_entry *origin;
    str text;

    main_cf_parse(a, S(""), src->main_cf, entries, &ignored);
    origin = map_get(entries, S("myorigin"));
    if (!origin || !str_starts(origin->value, S("/"))
        || file_load(t, NULL, origin->value, a, FILE_SIZE_MAX, &text))
        return;
    src->facts.origin_file = str_trim(str_head(text, str_chr(text, '\n')));
}

err conf_load(struct task *t, struct arena *a, const struct conf_load *load,
              struct conf_findings *findings, struct conf **out)
{
    struct conf_source src = {
        .dir = load->dir,
        .master_cf = S(""),
        .overrides = load->overrides,
        .n_overrides = load->n_overrides,
        .keep_going = load->keep_going,
    };
    err e;

    TRY(conf_facts_find(t, a, load->process_name, &src.facts));
    TRY(file_load(t, NULL, arena_fmt(a, "%.*s/main.cf", STR(load->dir)), a,
                  FILE_SIZE_MAX, &src.main_cf));
    e = file_load(t, NULL, arena_fmt(a, "%.*s/master.cf", STR(load->dir)), a,
                  FILE_SIZE_MAX, &src.master_cf);
    if (e && (e != ERR_ABSENT || load->master_needed))
        return e;
    find_origin(t, a, &src);
    e = conf_read(a, &src, findings, out);
    return e == ERR_SYNTAX
        ? why(t, e, "the configuration in %.*s cannot be used",
              STR(load->dir)) : e;
}
