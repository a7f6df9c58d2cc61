/* SPDX-License-Identifier: ISC
 *
 * Counting guesses.
 */
#include "auth/penalty.h"

#include "test/unit/check.h"

static struct penalty *places_new(struct arena *a)
{
    return arena_array(a, struct penalty, PENALTY_PLACES);
}

TEST(penalty_same_pair)
{
    struct arena a;
    struct penalty *p;

    arena_init(&a, 0);
    p = penalty_of(places_new(&a), S("192.0.2.1"));
    for (int i = 0; i < 9; i++)
        penalty_note(p, 1000 + i, S("joe@x"), S("wrnog"));
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 0);
    penalty_note(p, 2000, S("JOE@x"), S("wrnog"));
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 0);
    penalty_note(p, 2000, S("joe@x"), S("worng"));
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 2000);
    for (int i = 0; i < 99; i++) {
        char word[] = { (char)('0' + i % 10), (char)('0' + i / 10) };
        penalty_note(p, 3000 + i, S("joe@x"), str_of(word, 2));
    }
    check_int(penalty_ms_of(p, 4000, S("a"), S("b")), 16000);
    check_int(penalty_ms_of(p, 4000 + (when)121 * 1000000, S("a"), S("b")), 0);
    penalty_note(p, 5000, S("joe@x"), S("wrnog"));
    check_int(penalty_ms_of(p, 5000, S("joe@x"), S("wrnog")), 0);
    arena_reset(&a);
}

TEST(penalty_forgives_own_only)
{
    struct arena a;
    struct penalty *p;

    arena_init(&a, 0);
    p = penalty_of(places_new(&a), S("192.0.2.1"));
    for (int i = 0; i < 3; i++) {
        char word[] = { (char)('0' + i) };
        penalty_note(p, 1000, S("victim@x"), str_of(word, 1));
        penalty_note(p, 1000, S("own@x"), str_of(word, 1));
    }
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 16000);
    penalty_forgive(p, S("own@x"));
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 4000);
    penalty_forgive(p, S("nobody@x"));
    check_int(penalty_ms_of(p, 2000, S("a"), S("b")), 4000);
    arena_reset(&a);
}

TEST(penalty_good)
{
    static struct penalty_good g;

    check(!penalty_good_known(&g, S("joe"), S("right")));
    penalty_good_note(&g, S("joe"), S("right"));
    check(penalty_good_known(&g, S("joe"), S("right")));
    check(!penalty_good_known(&g, S("joe"), S("wrong")));
    check(!penalty_good_known(&g, S("joer"), S("ight")));
}

TEST(penalty_place_of_address)
{
    struct arena a;
    struct penalty *p;

    arena_init(&a, 0);
    p = places_new(&a);
    check(penalty_of(p, S("2001:db8:1:2::1"))
          == penalty_of(p, S("2001:db8:1:2:ffff::9")));
    check(penalty_of(p, S("2001:db8:1:2::1"))
          != penalty_of(p, S("2001:db8:1:3::1")));
    check(penalty_of(p, S("::ffff:192.0.2.1"))
          == penalty_of(p, S("192.0.2.1")));
    check(penalty_of(p, S("192.0.2.1")) != penalty_of(p, S("192.0.2.2")));
    check(penalty_of(p, S("")) == penalty_of(p, S("")));
    arena_reset(&a);
}
