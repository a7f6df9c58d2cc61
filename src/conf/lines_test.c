/* SPDX-License-Identifier: ISC
 *
 * Logical lines, lists, services as text.
 */
#include "conf/lines.h"

#include "conf/conf.h"
#include "conf/master_cf.h"
#include "test/unit/check.h"

TEST(lines_join)
{
    struct conf_lines l = conf_lines_of(S(" stray\n\n# c\na = b  \n c\n#x\n\n"
                                          "\td  \nlast"));
    struct conf_line line;
    struct arena a;

    arena_init(&a, 0);
    check(conf_lines_next(&l, &a, &line));
    check(line.stray && line.line == 1);
    check(conf_lines_next(&l, &a, &line));
    check(!line.stray && line.line == 4);
    check_str(line.text, S("a = b   c\td"));
    check(conf_lines_next(&l, &a, &line));
    check_int(line.line, 9);
    check_str(line.text, S("last"));
    check(!conf_lines_next(&l, &a, &line));
    arena_reset(&a);
}

TEST(lines_name_value)
{
    str name, value, complaint;

    check(line_name_value(S(" a\t=  b = c "), &name, &value, &complaint));
    check_str(name, S("a"));
    check_str(value, S("b = c"));
    check(line_name_value(S("a="), &name, &value, &complaint));
    check_str(value, S(""));
    check(!line_name_value(S("a b=c"), &name, &value, &complaint));
    check_str(complaint, S("missing '=' after attribute name"));
    check(!line_name_value(S("=c"), &name, &value, &complaint));
    check_str(complaint, S("missing attribute name"));
    check(!line_name_value(S(""), &name, &value, &complaint));
}

TEST(conf_split_keeps_braces)
{
    struct arena a;
    struct conf_items items;

    arena_init(&a, 0);
    items = conf_split(&a, S(" a,,b {c, {d} e}\tf}{g h"));
    check_int(items.n, 4);
    check_str(items.p[2], S("{c, {d} e}"));
    check_str(items.p[3], S("f}{g h"));
    check_int(conf_split(&a, S(" ,\n")).n, 0);
    arena_reset(&a);
}

static struct service parse(struct arena *a, const char *command, int doubts)
{
    struct conf_findings findings = { 0 };
    struct service s = { .line = 0 };
    str complaint;
    str text = arena_cat(a, S("s unix - n - 5? 2 "), str_from(command));

    check(master_cf_line(a, S("f"), 1, text, &s, &findings, &complaint));
    check_int(findings.list.n, doubts);
    return s;
}

TEST(master_cf_arguments)
{
    struct arena a;
    struct service s;
    str name, value;
    size_t at = 0;

    arena_init(&a, 0);
    s = parse(&a, "smtpd -vo a=b -o{c=d e} -o { f = g } x -o n=o", 0);
    check_int(s.n_argv, 10);
    check_int(s.n_options, 7);
    check_str(s.argv[0], S("-v"));
    check_str(s.argv[4], S("c=d e"));
    check_str(s.argv[6], S("f=g"));
    check_int(s.n_overrides, 3);
    check(service_option_next(&s, &at, &name, &value));
    check_str(name, S("a"));
    check(service_option_next(&s, &at, &name, &value));
    check_str(value, S("d e"));
    check(!s.unpriv && !s.chroot && s.private_ && s.wakeup_if_used);
    check(s.wakeup_s == 5 && s.limit == 2);
    s = parse(&a, "smtpd -o { a }", 1);
    check_int(s.n_overrides, 0);
    s = parse(&a, "pipe {a b", 1);
    check_str(s.argv[0], S("a b"));
    s = parse(&a, "pipe {a}b {} -- -o a=b", 1);
    check_int(s.n_argv, 5);
    check_int(s.n_options, 0);
    check_str(s.argv[1], S(""));
    arena_reset(&a);
}
