/* SPDX-License-Identifier: ISC
 *
 * Listings, byte for byte as Postfix' showq and postqueue print them.
 */
#include "role/tool/queue_show.h"

#include "test/unit/check.h"

static const struct queue_row_rcpt rcpts[] = {
    { S_INIT("b@r2.example"), S_INIT("4.3.0_second") },
    { S_INIT("a@r1.example"), S_INIT("first_reason") },
    { S_INIT("x y@r1.example"), S_INIT("first_reason") },
    { S_INIT("new@r1.example"), S_INIT("") },
};

static struct queue_row sample(void)
{
    return (struct queue_row){
        .queue = S("deferred"), .id = S("6F3EBA72AB6"),
        .arrival_us = 1795494716 * (int64_t)1000000, .size = 1904,
        .sender = S("joe@example.com"), .rcpts = rcpts, .n_rcpts = 4,
    };
}

static void check_shown(struct queue_show s, const struct queue_row *r,
                        size_t n, str want)
{
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 1 << 20);
    for (size_t i = 0; i < n; i++)
        queue_show_row(&s, &r[i], 0, &a, &b);
    queue_show_end(&s, &b);
    check_str(buf_str(&b), want);
    arena_reset(&a);
}

TEST(queue_show_table)
{
    struct queue_row r = sample();

    check_shown((struct queue_show){ 0 }, &r, 1, S(
"-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
"6F3EBA72AB6    1904 Tue Nov 24 04:31:56  joe@example.com\n"
"                                                                "
"(4.3.0_second)\n"
"                                         b@r2.example\n"
"                                                                "
"(first_reason)\n"
"                                         a@r1.example\n"
"                                         \"x y\"@r1.example\n"
"                                         new@r1.example\n"
"\n"
"-- 1 Kbytes in 1 Request.\n"));
    check_shown((struct queue_show){ 0 }, NULL, 0,
                S("Mail queue is empty\n"));
}

TEST(queue_show_marks)
{
    struct queue_row r[2] = { sample(), sample() };

    r[0].queue = S("hold");
    r[1].queue = S("active");
    r[0].sender = S("");
    r[0].n_rcpts = r[1].n_rcpts = 0;
    check_shown((struct queue_show){ .long_ids = true }, r, 2, S(
"----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
"6F3EBA72AB6!          1904 Tue Nov 24 04:31:56 MAILER-DAEMON\n"
"\n"
"6F3EBA72AB6*          1904 Tue Nov 24 04:31:56 joe@example.com\n"
"\n"
"-- 3 Kbytes in 2 Requests.\n"));
}

TEST(queue_show_json)
{
    struct queue_row r = sample();

    r.sender = S("a \"q\"\tz@x");
    r.n_rcpts = 1;
    check_shown((struct queue_show){ .json = true }, &r, 1, S(
"{\"queue_name\": \"deferred\", \"queue_id\": \"6F3EBA72AB6\", "
"\"arrival_time\": 1795494716, \"message_size\": 1904, "
"\"forced_expire\": false, \"sender\": \"a \\\"q\\\"\\tz@x\", "
"\"recipients\": [{\"address\": \"b@r2.example\", "
"\"delay_reason\": \"4.3.0_second\"}]}\n"));
    check_shown((struct queue_show){ .json = true }, NULL, 0, S(""));
}
