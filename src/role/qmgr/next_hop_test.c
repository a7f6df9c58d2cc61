/* SPDX-License-Identifier: ISC
 *
 * Windows: how they open and close, and when a next hop is dead.
 */
#include "role/qmgr/queue.h"

#include "test/unit/check.h"

TEST(next_hop_feedback_words)
{
    struct feedback f;

    check(feedback_parse(S("1"), &f) && f.amount > 0.99 && f.amount < 1.01);
    check(f.by == FEEDBACK_PLAIN);
    check(feedback_parse(S("0.25"), &f) && f.amount > 0.249
          && f.amount < 0.251);
    check(feedback_parse(S("1/concurrency"), &f)
          && f.by == FEEDBACK_BY_WINDOW);
    check(feedback_parse(S("2 / sqrt_concurrency"), &f)
          && f.by == FEEDBACK_BY_ROOT);
    check(!feedback_parse(S(""), &f));
    check(!feedback_parse(S("x"), &f));
    check(!feedback_parse(S("1/other"), &f));
    check(!feedback_parse(S("1.x"), &f));
}

static void hop(struct next_hop *d, struct transport *tr, uint32_t most)
{
    *tr = (struct transport){ .role = ROLE_smtpc, .window_first = 5,
                              .window_max = most, .cohorts_max = 1,
                              .more = { .amount = 1 },
                              .less = { .amount = 1 } };
    *d = (struct next_hop){ .transport = tr, .window = 5 };
}

TEST(next_hop_window_opens)
{
    struct transport tr;
    struct next_hop d;

    hop(&d, &tr, 8);
    for (int i = 0; i < 2; i++)
        next_hop_works(&d);
    check_int(next_hop_connections(&d), 7);
    for (int i = 0; i < 20; i++)
        next_hop_works(&d);
    check_int(next_hop_connections(&d), 8);
    hop(&d, &tr, 20);
    tr.more.by = FEEDBACK_BY_WINDOW; /* one more for each window full */
    for (int i = 0; i < 6; i++)
        next_hop_works(&d);
    check_int(next_hop_connections(&d), 6);
}
