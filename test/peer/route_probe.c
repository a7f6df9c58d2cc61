/* SPDX-License-Identifier: ISC
 *
 * Answers the questions of test/peer/route.py with our own rewriting and
 * resolving.  Lines on standard input:
 *     rewrite TAB local|remote TAB address      (external form)
 *     resolve TAB sender TAB address            (internal form)
 * One line each on standard output.
 */
#include "conf/conf.h"
#include "mail/address.h"
#include "route/resolve.h"
#include "route/rewrite.h"
#include "rt/world.h"

#include <stdio.h>

static void say_line(str s)
{
    printf("%.*s\n", STR(s));
}

static void do_rewrite(const struct route *r, str context, str text,
                       struct arena *a)
{
    struct address x;

    if (address_parse(text, a, 0, &x)) {
        say_line(S("!"));
        return;
    }
    x = rewrite_standard(r, str_eq(context, S("local")) ? REWRITE_LOCAL
                                                        : REWRITE_REMOTE,
                         &x, a);
    say_line(address_external(&x, a));
}

static void do_resolve(struct task *t, const struct route *r, str from,
                       str text, struct arena *a)
{
    static const char *const classes[] = { "local", "alias", "mailbox",
                                           "relay", "default" };
    struct address sender, x;
    struct destination d;

    if (address_of(from, a, &sender) || address_of(text, a, &x) ||
        resolve(t, r, &sender, &x, a, &d)) {
        say_line(S("!"));
        return;
    }
    say_line(arena_fmt(a, "%s %.*s:%.*s %.*s%s%s",
                       d.bad ? "-" : classes[d.class], STR(d.transport),
                       STR(d.nexthop), STR(d.recipient.text),
                       d.routed ? " routed" : "", d.bad ? " bad" : ""));
}

static err run(struct task *t, void *arg)
{
    struct conf_findings findings = { { 0 } };
    struct conf_source src = { .dir = S("/"),
                               .facts = { .hostname = S("mx") } };
    struct arena a, line_a;
    struct route *r;
    struct conf *c;
    char line[8192];

    arena_init(&a, 0);
    arena_init(&line_a, 0);
    TRY(file_load(t, NULL, str_from(arg), &a, 1 << 20, &src.main_cf));
    TRY(conf_read(&a, &src, &findings, &c));
    TRY(route_open(t, &a, c, tables_new(&a, c, table_opener_files()), &r));
    while (fgets(line, sizeof(line), stdin)) {
        str rest = str_from(line), what, first;
        if (str_ends(rest, S("\n")))
            rest.n--;
        if (!str_cut(&rest, '\t', &what) || !str_cut(&rest, '\t', &first))
            return ERR_SYNTAX;
        if (str_eq(what, S("rewrite")))
            do_rewrite(r, first, rest, &line_a);
        else
            do_resolve(t, r, first, rest, &line_a);
        arena_reset(&line_a);
    }
    arena_reset(&a);
    return OK;
}

int main(int argc, char **argv)
{
    return argc == 2 && world_run("probe", run, argv[1]) == OK ? 0 : 1;
}
