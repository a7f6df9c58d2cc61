/* SPDX-License-Identifier: ISC
 *
 * For the tests of this room: a route made from main.cf text.
 */
#ifndef ROUTE_FIXTURE_H
#define ROUTE_FIXTURE_H

#include "route/route.h"
#include "test/unit/check.h"

/* Opens what the text says, on top of a base without files: host
 * mx.example.com with the address 192.0.2.5. */
static inline struct route *fixture_route(struct task *t, struct arena *a,
                                          const char *main_cf,
                                          struct tables **tables)
{
    static const struct conf_interface own = { { 192, 0, 2, 5 }, false, 24 };
    struct conf_source src = {
        .dir = S("/nonexistent"),
        .facts = { .hostname = S("mx.example.com"),
                   .process_name = S("test"), .process_id = S("1"),
                   .interfaces = &own, .n_interfaces = 1 },
    };
    struct conf_findings findings = { { 0 } };
    struct route *r = NULL;
    struct conf *c = NULL;

    src.main_cf = arena_fmt(a, "compatibility_level = 3.7\n"
                               "local_recipient_maps =\nalias_maps =\n%s\n",
                            main_cf);
    check_ok(conf_read(a, &src, &findings, &c));
    for (size_t i = 0; i < findings.list.n; i++)
        if (!str_starts(findings.list.p[i].text, S("overriding earlier")))
            check_str(findings.list.p[i].text, S("no findings"));
    if (!c)
        return NULL;
    *tables = tables_new(a, c, table_opener_files());
    if (route_open(t, a, c, *tables, &r))
        check_str(str_from(task_why(t)), S("route opens"));
    return r;
}

static inline struct address fixture_address(struct arena *a, const char *s)
{
    struct address x = ADDRESS_NULL;

    check_ok(address_of(str_from(s), a, &x));
    return x;
}

#endif
