/* SPDX-License-Identifier: ISC
 *
 * Editing main.cf and master.cf as text.
 */
#include "conf/edit.h"

#include "conf/layout.h"
#include "test/unit/check.h"

static str main_edit(struct arena *a, enum edit_how how, const char *text,
                     const char *name, const char *value, size_t warnings)
{
    struct edit_main request = { str_from(name), str_from(value), false };
    struct edit_report report = { 0 };
    struct buf out;

    buf_init(&out, a, 1 << 16);
    edit_main(a, str_from(text), how, &request, 1, &out, &report);
    check_int(report.warnings.n, warnings);
    return buf_str(&out);
}

TEST(edit_main_cf)
{
    static const char text[] = "x=1\na=b\n#c1\n c\n\n#c2\n d\ny = $a\n";
    struct arena a;

    arena_init(&a, 0);
    check_str(main_edit(&a, EDIT_SET, text, "a", "7", 0),
              S("x=1\na = 7\n#c1\n\n#c2\ny = $a\n"));
    check_str(main_edit(&a, EDIT_REMOVE, text, "a", "", 0),
              S("x=1\n#c1\n\n#c2\ny = $a\n"));
    check_str(main_edit(&a, EDIT_COMMENT_OUT, text, "a", "", 0),
              S("x=1\n#a=b\n#c1\n# c\n\n#c2\n# d\ny = $a\n"));
    check_str(main_edit(&a, EDIT_SET, "a=1\n b\na = 2", "a", "3", 1),
              S("a = 3\na = 3\n"));
    check_str(main_edit(&a, EDIT_SET, "a=1", "b", "3", 0),
              S("a=1\nb = 3\n"));
    check_str(main_edit(&a, EDIT_SET, "", "b", "", 0), S("b = \n"));
    check_str(main_edit(&a, EDIT_REMOVE, text, "zork", "", 0),
              str_from(text));
    arena_reset(&a);
}

static const char services[] =
    "#c\nsmtp inet n - y - - smtpd\n  -o a=b -o {c = d e}\n # in\n -v {} x\n"
    "flush unix n - y 1000? 0 flush\n#last\n";

static str master_edit(struct arena *a, enum edit_what what,
                       enum edit_how how, struct edit_master request,
                       err want)
{
    struct edit_report report = { 0 };
    struct conf_findings findings = { 0 };
    struct buf out;
    str complaint;

    if (what == EDIT_ENTRY && how == EDIT_SET)
        check(master_cf_line(a, S(""), 1, request.value, &request.entry,
                             &findings, &complaint));
    buf_init(&out, a, 1 << 16);
    check_int(edit_master(a, str_from(services), what, how, &request, 1, &out,
                          &report), want);
    return buf_str(&out);
}

TEST(edit_master_cf)
{
    struct edit_master r = { .name = S("smtp"), .type = S("inet"),
                             .value = S("new inet - - - - - a {b c}"),
                             .option = S("a") };
    struct arena a;

    arena_init(&a, 0);
    check_str(master_edit(&a, EDIT_ENTRY, EDIT_SET, r, OK),
              S("#c\nnew        inet  -       -       -       -       -"
                "       a {b c}\n # in\nflush unix n - y 1000? 0 flush\n"
                "#last\n"));
    check_str(master_edit(&a, EDIT_ENTRY, EDIT_REMOVE, r, OK),
              S("#c\n # in\nflush unix n - y 1000? 0 flush\n#last\n"));
    check_str(master_edit(&a, EDIT_ENTRY, EDIT_COMMENT_OUT, r, OK),
              S("#c\n#smtp inet n - y - - smtpd\n#  -o a=b -o {c = d e}\n"
                " # in\n# -v {} x\nflush unix n - y 1000? 0 flush\n#last\n"));
    r.value = S("q");
    check_str(master_edit(&a, EDIT_OPTION, EDIT_SET, r, OK),
              S("#c\n # in\nsmtp       inet  n       -       y       -"
                "       -       smtpd\n    -o a=q\n    -o {c=d e}\n"
                "    -v {} x\nflush unix n - y 1000? 0 flush\n#last\n"));
    check_str(master_edit(&a, EDIT_OPTION, EDIT_REMOVE, r, OK),
              S("#c\n # in\nsmtp       inet  n       -       y       -"
                "       -       smtpd\n    -o {c=d e}\n"
                "    -v {} x\nflush unix n - y 1000? 0 flush\n#last\n"));
    r = (struct edit_master){ .name = S("*"), .type = S("unix"),
                              .column = COLUMN_WAKEUP, .value = S("5") };
    check(str_find(master_edit(&a, EDIT_FIELD, EDIT_SET, r, OK),
                   S("flush      unix  n       -       y       5       0"
                     "       flush\n")) != STR_NONE);
    r.column = COLUMN_COMMAND;
    r.value = S("flush -o x=y z");
    check(str_find(master_edit(&a, EDIT_FIELD, EDIT_SET, r, OK),
                   S("flush\n    -o x=y\n    z\n")) != STR_NONE);
    arena_reset(&a);
}

TEST(layout_folds)
{
    struct arena a;
    struct buf out;
    struct layout l = { .out = &out, .fold = true };

    arena_init(&a, 0);
    buf_init(&out, &a, 4096);
    layout_text(&l, S("mydestination ="));
    layout_value(&l, S("0123456789 123456789 123456789 123456789 123456789 "
                       "123456789 123 x y"));
    layout_end(&l);
    layout_text(&l, S("a ="));
    layout_value(&l, S(" b\t c "));
    layout_end(&l);
    check_str(buf_str(&out),
              S("mydestination = 0123456789 123456789 123456789 123456789 "
                "123456789 123456789 123\n    x y\na = b c\n"));
    arena_reset(&a);
}
