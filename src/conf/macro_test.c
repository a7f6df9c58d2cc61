/* SPDX-License-Identifier: ISC
 *
 * $name and its relatives; the cases come from trying Postfix.
 */
#include "conf/macro.h"

#include "conf/main_cf.h"
#include "test/unit/check.h"

static str expand(struct arena *a, const char *text)
{
    struct map *entries = map_new(a, false);
    struct conf_findings findings = { 0 };
    struct conf_scope scope = { .main = entries };
    str out = S(""), complaint = S("");

    main_cf_parse(a, S("f"), S("d = localdomain\nempty =\ni = $empty\n"
                               "loop = a$loop\nfat = $f1$f1$f1$f1\n"
                               "f1 = $f2$f2$f2$f2\nf2 = $f3$f3$f3$f3\n"
                               "f3 = $f4$f4$f4$f4\nf4 = $f5$f5$f5$f5\n"
                               "f5 = $f6$f6$f6$f6\nf6 = $f7$f7$f7$f7\n"
                               "f7 = $f8$f8$f8$f8\nf8 = $f9$f9$f9$f9\n"
                               "f9 = $empty$empty$empty$empty\n"),
                  entries, &findings);
    return macro_expand(&scope, a, str_from(text), &out, &complaint) == OK
        ? out : arena_cat(a, S("! "), complaint);
}

TEST(macro_expands)
{
    static const char *const cases[][2] = {
        { "a $d b", "a localdomain b" },
        { "${d}$(d).$d-x", "localdomainlocaldomain.localdomain-x" },
        { "${d?a}${d:b}${x?c}${x:d}", "ad" },
        { "${d?{e}:{f}} ${x?{e}:{f}}", "e f" },
        { "$$ $$d $${d}", "$ $d ${d}" },
        { "${d? a b c }|${d?{ a b c }}|${ d }", " a b c | a b c |localdomain" },
        { "${d ? { a } : { b } }|", " a |" },
        { "${x?{a}:b}|${d?{a}:b}|${d:{q}}", "b|a|" },
        { "${d?{a}:{b}}} c}", "a} c}" },
        { "${d?{a}:}|${d?}|${d:}|${x?{a}:}", "a|||" },
        { "$(d?(x)) ${d?(x}", "(x) (x" },
        { "${i?x}${i:y}|${empty?x}${empty:y}", "x|y" },
        { "${{a} == {b} ? {x} : {y}}", "y" },
        { "${{3} < {10}?n}${{a3} < {a10}?{n}:{l}} ${{a}!={b}?z}", "nl z" },
        { "${ { a } == {a} ? { x }:{y} }|", "y|" },
        { "${{a}=={b}:z}|${{a}=={a}:z}|", "z||" },
        { "${{a}=={b}}|${{a}=={a}}|", "|true|" },
        { "${{010}=={8}?y:n}${{10}=={010}?y}${{} < {1}?z}", "yz" },
        { "${{3.10} <level {3.6} ? {x} : {y}}", "y" },
        { "${{1.0} ==level {1}?y}${{1.2} >=level {1}?y}", "yy" },
        { "${{${d}} == {localdomain} ? {$d} : {y}}", "localdomain" },
        { "plain", "plain" },
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_str(expand(&a, cases[i][0]), str_from(cases[i][1]));
    arena_reset(&a);
}

TEST(macro_complains)
{
    static const char *const cases[][2] = {
        { "a ${d x", "! truncated macro reference: \"a ${d x\"" },
        { "a $(d x", "! truncated macro reference: \"a $(d x\"" },
        { "a $d ${} x", "! empty macro name: \"a $d ${} x\"" },
        { "a $ b", "! empty macro name: \"a $ b\"" },
        { "${d?$}", "! empty macro name: \"$\"" },
        { "${a b}", "! attribute name syntax error at: \"...a>>> b\"" },
        { "${d=x}", "! attribute name syntax error at: \"...d>>>=x\"" },
        { "${d?{a} b}", "! \":\" expected at: \"...a}>>>b\"" },
        { "${d?{a}:{b} c}", "! unexpected input at: \"...b}>>>c\"" },
        { "${{a} == b ? {x} : {y}}",
          "! \"{expression}\" expected at: \"...{a} ==>>> b ? {x} : {y}\"" },
        { "${{a}=={b}|x}", "! \"?\" or \":\" expected at: \"...}>>>|x\"" },
        { "${{1.} ==level {1.0}?y:n}",
          "! malformed compatibility level syntax: \"1.\"" },
        { "${{1} ==lev {1}?y:n}", "! bad operator suffix at: \"...==>>>lev\"" },
        { "$loop", "! unreasonable macro call nesting: \"loop\"" },
        { "$fat", "! too many macro references" },
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_str(expand(&a, cases[i][0]), str_from(cases[i][1]));
    arena_reset(&a);
}

TEST(macro_finds_names)
{
    struct macro_names names = { 0 };
    struct arena a;

    arena_init(&a, 0);
    macro_names_find(&a, S("$a ${b?{$c}:{${d}}} $$no ${{$e} == {${f}}?$g}"),
                     &names);
    check_int(names.list.n, 7);
    for (size_t i = 0; i < names.list.n; i++)
        check_int(names.list.p[i].p[0], 'a' + (int)i);
    arena_reset(&a);
}
