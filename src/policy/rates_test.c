/* SPDX-License-Identifier: ISC */
#include "policy/rates.h"

#include "test/unit/check.h"

enum { UNIT = 60 * 1000 * 1000 };

TEST(rates_count_within_a_time_unit)
{
    struct rates *r = rates_new(UNIT);
    struct rate_reporter *from = rate_reporter_join(r);
    struct rate_counts c = { 0 };

    for (int i = 0; i < 3; i++)
        c = rate_note(from, S("smtp:a"), RATE_MESSAGE, 1000 + i);
    check_int(c.n[RATE_MESSAGE], 3);
    check_int(c.open, 0);
    c = rate_note(from, S("smtp:a"), RATE_AUTH, UNIT + 999);
    check_int(c.n[RATE_MESSAGE], 3);
    c = rate_note(from, S("smtp:a"), RATE_MESSAGE, UNIT + 1000);
    check_int(c.n[RATE_MESSAGE], 1);    /* a new unit */
    check_int(c.n[RATE_AUTH], 0);
    c = rate_note(from, S("smtp:b"), RATE_MESSAGE, UNIT + 1000);
    check_int(c.n[RATE_MESSAGE], 1);
    rate_reporter_leave(from);
    rates_free(r);
}

TEST(rates_connections_of_all_reporters)
{
    struct rates *r = rates_new(UNIT);
    struct rate_reporter *one = rate_reporter_join(r);
    struct rate_reporter *two = rate_reporter_join(r);
    struct rate_counts c;

    rate_note(one, S("smtp:a"), RATE_CONNECTION, 1);
    rate_note(one, S("smtp:a"), RATE_CONNECTION, 2);
    c = rate_note(two, S("smtp:a"), RATE_CONNECTION, 3);
    check_int(c.open, 3);
    rate_close(two, S("smtp:a"), 4);
    rate_close(two, S("smtp:a"), 4);    /* never opened: ignored */
    rate_close(two, S("smtp:b"), 4);
    c = rate_note(two, S("smtp:a"), RATE_MESSAGE, 5);
    check_int(c.open, 2);
    check_int(c.n[RATE_CONNECTION], 3);
    /* Open connections outlive the time unit, counts do not. */
    c = rate_note(two, S("smtp:a"), RATE_MESSAGE, 5 * (int64_t)UNIT);
    check_int(c.open, 2);
    check_int(c.n[RATE_CONNECTION], 0);
    /* One who dies takes its connections along. */
    rate_reporter_leave(one);
    c = rate_note(two, S("smtp:a"), RATE_CONNECTION, 5 * (int64_t)UNIT);
    check_int(c.open, 1);
    rate_reporter_leave(two);
    rates_free(r);
}

TEST(rates_memory_is_bounded)
{
    struct rates *r = rates_new(UNIT);
    struct rate_reporter *from = rate_reporter_join(r);
    struct rate_counts c;
    struct arena a;

    arena_init(&a, 0);
    rate_note(from, S("keep"), RATE_CONNECTION, 1);
    for (int i = 0; i < RATES_CLIENTS_MAX + 5000; i++)
        rate_note(from, arena_fmt(&a, "x%d", i), RATE_MESSAGE, i);
    check(rates_n(r) <= RATES_CLIENTS_MAX);
    c = rate_note(from, S("keep"), RATE_MESSAGE, 1000 * 1000);
    check_int(c.open, 1);               /* I1 */
    c = rate_note(from, arena_fmt(&a, "x%d", RATES_CLIENTS_MAX + 4999),
                  RATE_MESSAGE, 1000 * 1000);
    check_int(c.n[RATE_MESSAGE], 2);    /* the newest stay */
    /* When their time is over they go, two for each event that comes. */
    for (int i = 0; i < RATES_CLIENTS_MAX; i++)
        rate_note(from, S("keep"), RATE_MESSAGE, 3 * (int64_t)UNIT);
    rate_note(from, S("y"), RATE_MESSAGE, 3 * (int64_t)UNIT);
    check(rates_n(r) <= RATES_CLIENTS_MAX);
    for (int i = 0; i < RATES_CLIENTS_MAX; i++)
        rate_close(from, S("nobody"), 3 * (int64_t)UNIT);
    check_int(rates_n(r), 2);
    rate_reporter_leave(from);
    rates_free(r);
    arena_reset(&a);
}

TEST(rates_full_of_open_connections)
{
    struct rates *r = rates_new(UNIT);
    struct rate_reporter *from = rate_reporter_join(r);
    struct rate_counts c;
    struct arena a;

    arena_init(&a, 0);
    for (int i = 0; i < RATES_CLIENTS_MAX; i++)
        rate_note(from, arena_fmt(&a, "x%d", i), RATE_CONNECTION, i);
    c = rate_note(from, S("one more"), RATE_CONNECTION, 1);
    check(c.full);
    check_int(c.open, 0);
    rate_close(from, S("one more"), 1);
    rate_close(from, S("x7"), 1);
    c = rate_note(from, S("one more"), RATE_CONNECTION, 1);
    check_int(c.open, 1);
    rate_reporter_leave(from);
    rates_free(r);
    arena_reset(&a);
}

TEST(rates_keys_are_networks)
{
    unsigned char v4[] = { 192, 0, 2, 255 };
    unsigned char v6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0xff,
                             0xff };
    struct arena a;

    arena_init(&a, 0);
    check_str(rates_key(&a, S("smtp"), v4, 4, 32), S("smtp:c00002ff"));
    check_str(rates_key(&a, S("smtp"), v4, 4, 28), S("smtp:c00002f0"));
    check_str(rates_key(&a, S("25"), v4, 4, 0), S("25:00000000"));
    check_str(rates_key(&a, S("25"), v6, 16, 84),
              S("25:20010db8000000000000f00000000000"));
    arena_reset(&a);
}
