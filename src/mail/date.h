/* SPDX-License-Identifier: ISC
 *
 * Dates as mail writes and reads them.  Pure arithmetic on the proleptic
 * Gregorian calendar: no zone files, no locale.  RFC 5322 sections 3.3 and
 * 4.3.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/base.h"

struct date {
    int year, month, day;       /* 1970, 1-12, 1-31 */
    int hour, minute, second;   /* second <= 60: leap seconds are read */
    int weekday;                /* 0: Sunday */
    int zone_s;                 /* seconds east of UTC */
};

/* A moment (microseconds since 1970) as it reads zone_s east of UTC.  The
 * year is clipped to 0000-9999. */
struct date date_of(int64_t wall_us, int zone_s);

/* Seconds since 1970. */
int64_t date_seconds(const struct date *d);

/* Reads an RFC 5322 date, with the obsolete forms: two-digit years, named
 * zones, no weekday, no seconds, comments; also asctime's order.  False if
 * it is none. */
bool date_parse(str text, struct date *out);

/* "Tue, 24 Nov 2026 03:11:50 +0100 (CET)"; zone_name may be empty. */
str date_rfc5322(struct arena *a, int64_t wall_us, int zone_s,
                 str zone_name);

/* "Nov 24 03:11:50": the head of log lines. */
str date_log(struct arena *a, int64_t wall_us, int zone_s);

/* "Tue Nov 24 03:11:50 2026": mbox From_ lines, mailq without the year. */
str date_asctime(struct arena *a, int64_t wall_us, int zone_s);

/* "2026-11-24T03:11:50.123456+01:00". */
str date_iso(struct arena *a, int64_t wall_us, int zone_s);

/* "24-Nov-2026 03:11:50 +0100": IMAP's date-time, the day padded by a
 * space. */
str date_imap(struct arena *a, int64_t wall_us, int zone_s);

/* 1-12 for "jan".."dec" in any case, 0 otherwise; "Jan" for 1. */
int date_month(str name);
const char *date_month_name(int month);
const char *date_weekday_name(int weekday);

#endif
