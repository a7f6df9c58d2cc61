/* SPDX-License-Identifier: ISC
 *
 * Answers the questions of test/peer/route.py with our own rewriting and
 * resolving.  Lines on standard input:
 *     rewrite TAB local|remote TAB address      (external form)
 *     resolve TAB sender TAB address            (internal form)
 *     expand TAB sender TAB recipient           (external form)
 *     header TAB field TAB text
 *     check TAB mail|rcpt TAB address           (external form)
 * One line each on standard output.
 */
#include "conf/conf.h"
#include "mail/address.h"
#include "route/expand.h"
#include "route/recipient.h"
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

/* What smtpd would not have let in. */
static bool is_bad(struct task *t, const struct route *r,
                   const struct address *x, struct arena *a)
{
    struct address y = rewrite_standard(r, REWRITE_LOCAL, x, a);
    struct destination d;

    return !address_is_null(x) &&
           (resolve(t, r, NULL, &y, a, &d) || d.bad);
}

/* "sender: original>recipient ..." or the refusal. */
static void do_expand(struct task *t, const struct route *r, str from,
                      str to, struct arena *a)
{
    struct address sender;
    struct recipient rc = { .address = ADDRESS_NULL };
    struct envelope e = { .flags = 0 };
    struct expansion x;
    struct reply fault;
    struct buf b;

    expand_begin(&x, r, a, 0, &e);
    if (address_parse(from, a, 0, &sender) ||
        address_parse(to, a, 0, &rc.address) ||
        is_bad(t, r, &sender, a) || is_bad(t, r, &rc.address, a) ||
        expand_sender(t, &x, &sender, &fault) || fault.code ||
        expand_recipient(t, &x, &rc, &fault) ||
        (!fault.code && expand_end(t, &x, &fault)) || fault.code) {
        say_line(S("refused"));
        return;
    }
    buf_init(&b, a, 1 << 20);
    buf_fmt(&b, "%.*s:", STR(e.sender.text));
    for (size_t i = 0; i < e.recipients.n; i++)
        buf_fmt(&b, " %.*s>%.*s", STR(e.recipients.p[i].original),
                STR(e.recipients.p[i].address.text));
    say_line(buf_str(&b));
}

static void do_header(struct task *t, const struct route *r, str name,
                      str text, struct arena *a)
{
    struct header_rewriting how = { REWRITE_LOCAL, true, NULL };
    str raw = arena_fmt(a, "%.*s: %.*s\r\n", STR(name), STR(text));
    struct header_field f;
    bool changed;

    if (!header_split(raw, &f) ||
        rewrite_header(t, r, &how, &f, a, &raw, &changed))
        raw = S("!");
    say_line(str_rtrim(raw));
}

/* The refusal of an unlisted address, or an empty line. */
static void do_check(struct task *t, const struct route *r, str what,
                     str text, struct arena *a)
{
    bool is_sender = str_eq(what, S("mail"));
    struct address shown, x;
    struct destination d;
    struct reply v = { 0 };

    if (address_parse(text, a, 0, &shown)) {
        say_line(S("!"));
        return;
    }
    x = rewrite_standard(r, REWRITE_LOCAL, &shown, a);
    if (resolve(t, r, NULL, &x, a, &d) ||
        recipient_check(t, r, is_sender, shown.text, &d, a, &v))
        v = reply_fmt(a, 451, "4.3.0", "%s", task_why(t));
    else if (d.bad && is_sender)
        v = reply_fmt(a, 501, "5.1.7", "Bad sender address syntax");
    else if (d.bad)
        v = reply_fmt(a, 501, "5.1.3", "Bad recipient address syntax");
    say_line(v.code ? arena_fmt(a, "%d %s %.*s", v.code, v.dsn, STR(v.text))
                    : S(""));
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
    if (conf_read(&a, &src, &findings, &c)) {
        for (size_t i = 0; i < findings.list.n; i++)
            fprintf(stderr, "%.*s\n",
                    STR(conf_finding_text(&a, &findings.list.p[i])));
        return ERR_SYNTAX;
    }
    if (route_open(t, &a, c, tables_new(&a, c, table_opener_files()), &r)) {
        fprintf(stderr, "%s\n", task_why(t));
        return ERR_SYNTAX;
    }
    while (fgets(line, sizeof(line), stdin)) {
        str rest = str_from(line), what, first;
        if (str_ends(rest, S("\n")))
            rest.n--;
        if (!str_cut(&rest, '\t', &what) || !str_cut(&rest, '\t', &first))
            return ERR_SYNTAX;
        if (str_eq(what, S("rewrite")))
            do_rewrite(r, first, rest, &line_a);
        else if (str_eq(what, S("expand")))
            do_expand(t, r, first, rest, &line_a);
        else if (str_eq(what, S("check")))
            do_check(t, r, first, rest, &line_a);
        else if (str_eq(what, S("header")))
            do_header(t, r, first, rest, &line_a);
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
