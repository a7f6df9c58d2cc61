/* SPDX-License-Identifier: ISC
 *
 * FETCH plans and SEARCH programs.
 */
#include "imap/plan.h"
#include "imap/search.h"
#include "store/maildir.h"
#include "test/unit/check.h"

static bool plan(struct arena *a, str text, struct plan *out)
{
    struct args x = args_of(a, text);

    return plan_parse(&x, false, out);
}

TEST(plan_items)
{
    struct arena a;
    struct plan p;

    arena_init(&a, 0);
    check(plan(&a, S("FULL"), &p));
    check_int(p.n, 5);
    check(p.needs & NEED_TREE);
    check(plan(&a, S("(UID FLAGS)"), &p));
    check_int(p.n, 2);
    check_int(p.needs, 0);
    check(p.flags);
    check(plan(&a, S("BODY[1.2.header.fields (to \"x y\")]<5.7>"), &p));
    check_int(p.p[0].n_path, 2);
    check_int(p.p[0].section, SECTION_FIELDS);
    check_str(p.p[0].label, S("BODY[1.2.HEADER.FIELDS (TO X Y)]<5>"));
    check_int(p.p[0].from, 5);
    check_int(p.p[0].max, 7);
    check(p.needs & SETS_SEEN);
    check(plan(&a, S("BODY.PEEK[TEXT]"), &p));
    check_str(p.p[0].label, S("BODY[TEXT]"));
    check_int(p.needs, NEED_MESSAGE);
    check(plan(&a, S("(FLAGS) (CHANGEDSINCE 12)"), &p));
    check_int(p.changed_since, 12);
    check(!plan(&a, S(""), &p));
    check(!plan(&a, S("()"), &p));
    check(!plan(&a, S("(ALL)"), &p));
    check(!plan(&a, S("BODY["), &p));
    check(!plan(&a, S("BODY[MIME]"), &p));
    check(!plan(&a, S("BODY[1.]]"), &p));
    check(!plan(&a, S("BODY[]<1>"), &p));
    check(!plan(&a, S("BODY[HEADER.FIELDS ()]"), &p));
    check(!plan(&a, S("FLAGS x"), &p));
    arena_reset(&a);
}

static bool search(struct arena *a, str text, struct search_plan *out)
{
    struct args x = args_of(a, text);

    return search_parse(&x, out);
}

TEST(search_programs)
{
    struct arena a;
    struct search_plan p;
    struct buf deep;

    arena_init(&a, 0);
    check(search(&a, S(" OR NOT SEEN (FLAGGED 1:3) DELETED"), &p));
    check_int(p.n, 8);
    check_int(p.p[0].kind, KEY_AND);
    check_int(p.p[1].kind, KEY_OR);
    check_int(p.p[1].size, 6);
    check_int(p.p[2].kind, KEY_NOT);
    check_int(p.p[2].size, 2);
    check_int(p.p[4].kind, KEY_AND);
    check_int(p.p[4].size, 3);
    check_int(p.p[7].kind, KEY_FLAG);
    check_int(p.p[7].n, FLAG_DELETED);
    check(search(&a, S(" NOT (NOT (SEEN))"), &p));
    check(search(&a, S(" RETURN (MIN COUNT) CHARSET UTF-8 SUBJECT \"x\""),
                 &p));
    check_int(p.returns, RETURN_MIN | RETURN_COUNT);
    check(search(&a, S(" CHARSET NONE-SUCH ALL"), &p));
    check(p.bad_charset);
    check(!search(&a, S(""), &p));
    check(!search(&a, S(" OR SEEN"), &p));
    check(!search(&a, S(" NOT"), &p));
    check(!search(&a, S(" (SEEN"), &p));
    check(!search(&a, S(" SEEN)"), &p));
    check(!search(&a, S(" ()"), &p));
    check(!search(&a, S(" SUBJECT"), &p));
    check(!search(&a, S(" LARGER x"), &p));
    buf_init(&deep, &a, 1 << 20);
    for (int i = 0; i < SEARCH_NODES_MAX - 2; i++)
        buf_add(&deep, S(" NOT"));
    buf_add(&deep, S(" ALL"));
    check(search(&a, buf_str(&deep), &p));
    check_int(p.p[p.n - 1].yes, SEARCH_HIT);    /* an even number of NOTs */
    check_int(p.p[p.n - 1].no, SEARCH_MISS);
    check(!search(&a, arena_cat(&a, S(" NOT"), buf_str(&deep)), &p));
    arena_reset(&a);
}
