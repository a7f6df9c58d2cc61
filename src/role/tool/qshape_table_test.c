/* SPDX-License-Identifier: ISC
 *
 * Tables as Postfix' qshape prints them.
 */
#include "role/tool/qshape_table.h"

#include "test/unit/check.h"

static void check_table(struct qshape_options o, str want)
{
    struct qshape q;
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    qshape_init(&q, &o, &a);
    for (int i = 0; i < 4; i++)
        qshape_add(&q, S("R1.example"), 10);
    qshape_add(&q, S("r2.example"), 299);
    qshape_add(&q, S("slow.example"), 300);
    buf_init(&b, &a, 1 << 20);
    qshape_put(&q, &b);
    qshape_free(&q);
    check_str(buf_str(&b), want);
    arena_reset(&a);
}

TEST(qshape_ages)
{
    struct qshape_options o = { .n_buckets = 10, .minutes = 5, .width = 80,
                                .subdomains_min = 5 };

    check_table(o, S(
"                                         "
"T  5 10 20 40 80 160 320 640 1280 1280+\n"
"                                  "
"TOTAL  6  5  1  0  0  0   0   0   0    0     0\n"
"                             "
"r1.example  4  4  0  0  0  0   0   0   0    0     0\n"
"                             "
"r2.example  1  1  0  0  0  0   0   0   0    0     0\n"
"                           "
"slow.example  1  0  1  0  0  0   0   0   0    0     0\n"));
    o.n_buckets = 4;
    o.minutes = 1;
    o.linear = true;
    check_table(o, S(
"                                                                   "
"T  1  2  3 3+\n"
"                                                            "
"TOTAL  6  4  0  0  2\n"
"                                                       "
"r1.example  4  4  0  0  0\n"
"                                                       "
"r2.example  1  0  0  0  1\n"
"                                                     "
"slow.example  1  0  0  0  1\n"));
}

TEST(qshape_parents)
{
    struct qshape_options o = { .n_buckets = 1, .minutes = 5, .width = 80,
                                .subdomains_min = 2, .parents = true };
    struct qshape q;
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    qshape_init(&q, &o, &a);
    qshape_add(&q, S("a.x.example"), 0);
    qshape_add(&q, S("b.x.example"), 0);
    qshape_add(&q, S("a.y.example"), 0);
    buf_init(&b, &a, 1 << 20);
    qshape_put(&q, &b);
    qshape_free(&q);
    check(str_find(buf_str(&b), S(" .x.example  2")) != STR_NONE);
    check(str_find(buf_str(&b), S(" .y.example")) == STR_NONE);
    check(str_find(buf_str(&b), S(" .example")) == STR_NONE);
    arena_reset(&a);
}
