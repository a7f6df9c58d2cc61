/* SPDX-License-Identifier: ISC
 *
 * Arguments, whole commands, patterns.
 */
#include "imap/command.h"
#include "imap/glob.h"
#include "store/maildir.h"
#include "test/unit/check.h"

TEST(args_strings)
{
    struct arena a;
    struct args x;
    str s;

    arena_init(&a, 0);
    x = args_of(&a, S(" atom] \"q \\\"\\\\\" {3}\r\na b {2+}\r\ncd NIL"));
    check(args_space(&x) && args_astring(&x, &s));
    check_str(s, S("atom]"));
    check(args_space(&x) && args_astring(&x, &s));
    check_str(s, S("q \"\\"));
    check(args_space(&x) && args_astring(&x, &s));
    check_str(s, S("a b"));
    check(args_space(&x) && args_string(&x, &s));
    check_str(s, S("cd"));
    check(args_space(&x) && args_nstring(&x, &s));
    check(s.p == NULL);
    check(args_end(&x));

    x = args_of(&a, S("\"open"));
    check(!args_astring(&x, &s));
    check(x.error != NULL);
    x = args_of(&a, S("\"bad \\x\""));
    check(!args_astring(&x, &s));
    x = args_of(&a, S("{5}\r\nabc"));
    check(!args_astring(&x, &s));
    x = args_of(&a, S("(x)"));
    check(!args_atom(&x, &s));
    check(!args_space(&x));         /* the first error stays */
    arena_reset(&a);
}

static void check_set(str text, uint32_t n, uint32_t last, bool want)
{
    struct arena a;
    struct args x;
    struct set set, resolved;

    arena_init(&a, 0);
    x = args_of(&a, text);
    check(args_set(&x, &set) && args_end(&x));
    resolved = set_resolve(&a, &set, last);
    check_int(set_has(&resolved, n), want);
    arena_reset(&a);
}

TEST(args_sets)
{
    struct arena a;
    struct args x;
    struct set set;
    static const str bad[] = { S_INIT(""), S_INIT("0"), S_INIT("1:"),
                               S_INIT("1,,2"), S_INIT("a"),
                               S_INIT("4294967296"), S_INIT("1:0") };

    check_set(S("1,3:5"), 3, 9, true);
    check_set(S("1,3:5"), 2, 9, false);
    check_set(S("5:3"), 4, 9, true);
    check_set(S("7:*"), 9, 9, true);
    check_set(S("12:*"), 9, 9, true);   /* the last one, always */
    check_set(S("12:*"), 8, 9, false);
    check_set(S("*"), 9, 9, true);
    check_set(S("*"), 8, 9, false);
    check_set(S("*:2"), 1, 9, false);
    check_set(S("9,1:3,2:7,*:4"), 8, 9, true);
    check_set(S("9,1:3,2:7,5"), 8, 9, false);
    check_set(S("9,1:3,2:7,5"), 7, 9, true);
    check_set(S("4294967295"), 9, 9, false);    /* no '*' */
    check_set(S("4294967295:*"), 9, 9, true);
    check_set(S("2:4294967295"), 9, 9, true);
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        x = args_of(&a, bad[i]);
        check(!args_set(&x, &set) || !args_end(&x));
    }
    x = args_of(&a, S("$"));
    check(args_set(&x, &set) && set.saved);
    arena_reset(&a);
}

TEST(args_flags_and_dates)
{
    struct arena a;
    struct args x;
    struct flag_list f;
    int64_t n;

    arena_init(&a, 0);
    x = args_of(&a, S("(\\Recent)"));
    check(!args_flags(&x, &f));
    x = args_of(&a, S("(\\Seen work \\answered)"));
    check(args_flags(&x, &f) && args_end(&x));
    check_int(f.flags, FLAG_SEEN | FLAG_ANSWERED);
    check_int(f.n_keywords, 1);
    check_str(f.keywords[0], S("work"));
    x = args_of(&a, S("()"));
    check(args_flags(&x, &f) && args_end(&x));
    x = args_of(&a, S("\\Draft \\Flagged"));
    check(args_flags(&x, &f) && args_end(&x));
    check_int(f.flags, FLAG_DRAFT | FLAG_FLAGGED);
    x = args_of(&a, S("(\\Unheard)"));
    check(!args_flags(&x, &f));

    x = args_of(&a, S("\"17-Jul-1996 02:44:25 -0700\""));
    check(args_date_time(&x, &n));
    check_int(n, 837596665);
    x = args_of(&a, S("\" 1-Jan-1970 00:00:00 +0000\""));
    check(args_date_time(&x, &n));
    check_int(n, 0);
    x = args_of(&a, S("\"32-Jan-1970 00:00:00 +0000\""));
    check(!args_date_time(&x, &n));
    x = args_of(&a, S("2-Jan-1970"));
    check(args_date(&x, &n));
    check_int(n, 1);
    x = args_of(&a, S("\"31-Dec-1969\""));
    check(args_date(&x, &n));
    check_int(n, -1);
    arena_reset(&a);
}

TEST(command_parse)
{
    struct arena a;
    struct imap_command c;
    struct imap_literal lit;

    arena_init(&a, 0);
    check_ok(imap_command_parse(&a, S("a.1 uid fetch 1 FLAGS"), &c));
    check_str(c.tag, S("a.1"));
    check_str(c.name, S("UID FETCH"));
    check_str(c.args.in.in, S(" 1 FLAGS"));
    check_ok(imap_command_parse(&a, S("x NOOP"), &c));
    check_int(imap_command_parse(&a, S("x"), &c), ERR_SYNTAX);
    check_str(c.tag, S("x"));
    check_int(imap_command_parse(&a, S(""), &c), ERR_SYNTAX);
    check_int(imap_command_parse(&a, S("+ NOOP"), &c), ERR_SYNTAX);
    check_int(imap_command_parse(&a, S("x NO-OP"), &c), ERR_SYNTAX);

    check(imap_literal_find(S("a {12}"), &lit));
    check(lit.sync && lit.size == 12);
    check(imap_literal_find(S("a {0+}"), &lit));
    check(!lit.sync);
    check(!imap_literal_find(S("a {x}"), &lit));
    check(!imap_literal_find(S("a 12}"), &lit));
    check(!imap_literal_find(S("a {12} "), &lit));

    check(imap_is_append_body(&a, S("x APPEND INBOX {12}")));
    check(imap_is_append_body(&a, S("x append {5}\r\nINBOX (\\Seen) {12}")));
    check(!imap_is_append_body(&a, S("x APPEND {12}")));
    check(!imap_is_append_body(&a, S("x LOGIN a {12}")));
    arena_reset(&a);
}

TEST(glob_match)
{
    check(glob_match(S("*"), S("a.b"), '.'));
    check(!glob_match(S("%"), S("a.b"), '.'));
    check(glob_match(S("%"), S("ab"), '.'));
    check(glob_match(S("a.%"), S("a.b"), '.'));
    check(!glob_match(S("a.%"), S("a.b.c"), '.'));
    check(glob_match(S("a*c"), S("a.b.c"), '.'));
    check(glob_match(S("%.%.c"), S("a.b.c"), '.'));
    check(glob_match(S("inb%"), S("INBOX"), '.'));
    check(glob_match(S("inbox.x"), S("INBOX.x"), '.'));
    check(!glob_match(S("inbox.x"), S("INBOX.X"), '.'));
    check(!glob_match(S("inboxes"), S("INBOX"), '.'));
    check(!glob_match(S("a"), S("A"), '.'));
    check(glob_match(S(""), S(""), '.'));
    check(!glob_match(S(""), S("a"), '.'));
    check(glob_match(S("*******b"), S("aaaaaaaaaaaaaaaaaaaab"), '.'));
}
