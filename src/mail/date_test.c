/* SPDX-License-Identifier: ISC
 *
 * Dates there and back.
 */
#include "mail/date.h"

#include "test/unit/check.h"

enum { T = 1795489910 }; /* 2026-11-24 03:11:50 UTC */

TEST(mail_date_write)
{
    struct arena a;
    int64_t us = (int64_t)T * 1000000 + 123456;

    arena_init(&a, 0);
    check_str(date_rfc5322(&a, us, 3600, S("CET")),
              S("Tue, 24 Nov 2026 04:11:50 +0100 (CET)"));
    check_str(date_rfc5322(&a, us, -12600, S("")),
              S("Mon, 23 Nov 2026 23:41:50 -0330"));
    check_str(date_log(&a, us, 0), S("Nov 24 03:11:50"));
    check_str(date_log(&a, 0, 0), S("Jan  1 00:00:00"));
    check_str(date_asctime(&a, us, 0), S("Tue Nov 24 03:11:50 2026"));
    check_str(date_iso(&a, us, 3600), S("2026-11-24T04:11:50.123456+01:00"));
    check_str(date_imap(&a, 0, 0), S(" 1-Jan-1970 00:00:00 +0000"));
    check_str(date_iso(&a, -1, 0), S("1969-12-31T23:59:59.999999+00:00"));
    check_str(date_asctime(&a, INT64_MIN, 0), S("Sat Jan  1 00:00:00 0000"));
    check_str(date_asctime(&a, INT64_MAX, 0), S("Fri Dec 31 23:59:59 9999"));
    arena_reset(&a);
}

TEST(mail_date_back)
{
    for (int64_t s = -5000000000; s < 20000000000; s += 86399 * 37 + 1) {
        struct date d = date_of(s * 1000000, 7200);
        if (date_seconds(&d) != s)
            check_int(date_seconds(&d), s);
    }
}

static int64_t parsed(const char *text)
{
    struct date d;

    return date_parse(str_from(text), &d) ? date_seconds(&d) : -1;
}

TEST(mail_date_parse)
{
    check_int(parsed("Tue, 24 Nov 2026 04:11:50 +0100"), T);
    check_int(parsed("Tue, 24 Nov 2026 04:11:50 +0100 (CET)"), T);
    check_int(parsed("24 Nov 2026 03:11:50 GMT"), T);
    check_int(parsed("24 Nov 26 03:11:50 UT"), T);
    check_int(parsed("Mon, 23 Nov 2026 22:11:50 EST"), T);
    check_int(parsed("24 nov 2026 03:11:50"), T);
    check_int(parsed("24 Nov 2026 03:11 -0000"), T - 50);
    check_int(parsed("Tuesday, 24 (x) Nov 2026\r\n 03:11:50 z"), T);
    check_int(parsed("Tue Nov 24 03:11:50 2026"), T);
    check_int(parsed("24 Nov 1970 03:11:50 +0000"), 327 * 86400 + 11510);
    check_int(parsed("29 Feb 2024 00:00:00 +0000"), 1709164800);
    check_int(parsed("29 Feb 2023 00:00:00 +0000"), -1);
    check_int(parsed("32 Jan 2023 00:00:00 +0000"), -1);
    check_int(parsed("1 Foo 2023 00:00:00 +0000"), -1);
    check_int(parsed("1 Jan 2023 24:00:00 +0000"), -1);
    check_int(parsed("1 Jan 2023 00:60:00 +0000"), -1);
    check_int(parsed("1 Jan 2023"), -1);
    check_int(parsed(""), -1);
    check_int(parsed("1 Jan 2023 00:00:00 +0099"), -1);
}
