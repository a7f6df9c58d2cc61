/* SPDX-License-Identifier: ISC
 *
 * Dates.  Days are counted in eras of 400 years that begin in March, so that
 * the leap day is the last of its year.
 */
#include "mail/date.h"

#include "mail/lex.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

enum { DAY_S = 86400, ERA_DAYS = 146097, EPOCH_DAYS = 719468,
       YEAR_MAX = 9999 };

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 +
                          day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
                         year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static void civil_of(int64_t days, struct date *d)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = (z >= 0 ? z : z - ERA_DAYS + 1) / ERA_DAYS;
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (ERA_DAYS - 1)) /
                  365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    d->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    d->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    d->year = (int)(yoe + era * 400 + (d->month <= 2));
}

static int64_t floor_div(int64_t n, int64_t by)
{
    return n / by - (n % by < 0);
}

struct date date_of(int64_t wall_us, int zone_s)
{
    struct date d = { .zone_s = zone_s };
    int64_t first = days_of(0, 1, 1) * DAY_S;
    int64_t last = days_of(YEAR_MAX + 1, 1, 1) * DAY_S - 1;
    int64_t s = floor_div(wall_us, 1000000) + zone_s, days, rest;

    s = s < first ? first : s > last ? last : s;
    days = floor_div(s, DAY_S);
    rest = s - days * DAY_S;
    civil_of(days, &d);
    d.hour = (int)(rest / 3600);
    d.minute = (int)(rest / 60 % 60);
    d.second = (int)(rest % 60);
    d.weekday = (int)(((days + 4) % 7 + 7) % 7);
    return d;
}

int64_t date_seconds(const struct date *d)
{
    return days_of(d->year, d->month, d->day) * DAY_S + d->hour * 3600 +
           d->minute * 60 + d->second - d->zone_s;
}

const char *date_month_name(int month)
{
    static const char names[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    };

    must(month >= 1 && month <= 12);
    return names[month - 1];
}

const char *date_weekday_name(int weekday)
{
    static const char names[7][4] = {
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat",
    };

    must(weekday >= 0 && weekday <= 6);
    return names[weekday];
}

/* Index of a three-letter name in a row of them, or -1. */
static int name_index(str name, str row)
{
    for (size_t i = 0; i + 3 <= row.n && name.n == 3; i += 3)
        if (str_ieq(name, (str){ row.p + i, 3 }))
            return (int)(i / 3);
    return -1;
}

int date_month(str name)
{
    return name_index(name, str_of(months, sizeof(months) - 1)) + 1;
}

static int weekday_index(str word)
{
    return name_index(str_head(word, 3),
                      str_of(weekdays, sizeof(weekdays) - 1));
}

static str zone_text(struct arena *a, int zone_s, const char *colon)
{
    int minutes = (zone_s < 0 ? -zone_s : zone_s) / 60;

    return arena_fmt(a, "%c%02d%s%02d", zone_s < 0 ? '-' : '+',
                     minutes / 60, colon, minutes % 60);
}

str date_rfc5322(struct arena *a, int64_t wall_us, int zone_s, str zone_name)
{
    struct date d = date_of(wall_us, zone_s);
    str zone = zone_text(a, zone_s, "");
    str date = arena_fmt(a, "%s, %2d %s %04d %02d:%02d:%02d %.*s",
                         date_weekday_name(d.weekday), d.day,
                         date_month_name(d.month), d.year, d.hour, d.minute,
                         d.second, STR(zone));

    if (zone_name.n)
        date = arena_fmt(a, "%.*s (%.*s)", STR(date), STR(zone_name));
    return date;
}

str date_log(struct arena *a, int64_t wall_us, int zone_s)
{
    struct date d = date_of(wall_us, zone_s);

    return arena_fmt(a, "%s %2d %02d:%02d:%02d", date_month_name(d.month),
                     d.day, d.hour, d.minute, d.second);
}

str date_asctime(struct arena *a, int64_t wall_us, int zone_s)
{
    struct date d = date_of(wall_us, zone_s);

    return arena_fmt(a, "%s %s %2d %02d:%02d:%02d %04d",
                     date_weekday_name(d.weekday), date_month_name(d.month),
                     d.day, d.hour, d.minute, d.second, d.year);
}

str date_iso(struct arena *a, int64_t wall_us, int zone_s)
{
    struct date d = date_of(wall_us, zone_s);
    int64_t us = wall_us - floor_div(wall_us, 1000000) * 1000000;
    str zone = zone_text(a, zone_s, ":");

    return arena_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02d.%06d%.*s", d.year,
                     d.month, d.day, d.hour, d.minute, d.second, (int)us,
                     STR(zone));
}

str date_imap(struct arena *a, int64_t wall_us, int zone_s)
{
    struct date d = date_of(wall_us, zone_s);
    str zone = zone_text(a, zone_s, "");

    return arena_fmt(a, "%2d-%s-%04d %02d:%02d:%02d %.*s", d.day,
                     date_month_name(d.month), d.year, d.hour, d.minute,
                     d.second, STR(zone));
}

/* Zones of RFC 822 that mean something; all other names are UTC. */
static int zone_by_name(str name)
{
    static const char hours[][5] = { "-5ES", "-4ED", "-6CS", "-5CD", "-7MS",
                                     "-6MD", "-8PS", "-7PD" };

    if (name.n != 3 || upper(name.p[2]) != 'T')
        return 0;
    for (size_t i = 0; i < sizeof(hours) / sizeof(*hours); i++)
        if (str_ieq(str_head(name, 2), (str){ hours[i] + 2, 2 }))
            return -3600 * (hours[i][1] - '0');
    return 0;
}

static bool zone_read(str word, int *zone_s)
{
    uint64_t n;

    if (word.p[0] != '+' && word.p[0] != '-') {
        *zone_s = zone_by_name(word);
        return is_alpha(word.p[0]);
    }
    if (word.n != 5 || !str_uint(str_skip(word, 1), 9959, &n) || n % 100 > 59)
        return false;
    *zone_s = (int)(n / 100 * 3600 + n % 100 * 60);
    if (word.p[0] == '-')
        *zone_s = -*zone_s;
    return true;
}

static bool time_read(str word, struct date *d)
{
    struct scan s = scan_of(word);
    uint64_t h, m, sec = 0;

    if (!scan_uint(&s, 23, &h) || !scan_byte(&s, ':') ||
        !scan_uint(&s, 59, &m))
        return false;
    if (scan_byte(&s, ':') && !scan_uint(&s, 60, &sec))
        return false;
    d->hour = (int)h;
    d->minute = (int)m;
    d->second = (int)sec;
    return scan_done(&s);
}

static bool year_read(str word, struct date *d)
{
    uint64_t n;

    if (word.n < 2 || !str_uint(word, YEAR_MAX, &n))
        return false;
    if (word.n == 2)
        n += n < 50 ? 2000 : 1900;
    else if (word.n == 3)
        n += 1900;
    d->year = (int)n;
    return n >= 1;
}

static bool day_exists(const struct date *d)
{
    struct date back;

    if (d->day < 1 || d->day > 31)
        return false;
    civil_of(days_of(d->year, d->month, d->day), &back);
    return back.month == d->month;
}

enum { WORDS_MAX = 7 };

/* The words of a date: commas, blanks and comments are between them. */
static size_t words_read(str text, str *words)
{
    struct scan s = scan_of(text);
    struct lexeme x;
    size_t n = 0;

    while ((x = lex_next(&s, S(",;"))).kind != LEX_END) {
        if (x.kind != LEX_ATOM)
            continue;
        if (n == WORDS_MAX)
            return 0;
        words[n++] = (str){ text.p + x.from, x.to - x.from };
    }
    return n;
}

/* "24 Nov 2026 03:11:50 zone" or "Nov 24 03:11:50 2026"; false leaves *d
 * in an unknown state. */
static bool fields_read(const str *w, size_t n, struct date *d)
{
    uint64_t day;
    bool asctime = n >= 4 && date_month(w[0]);

    if (n < 4)
        return false;
    d->month = date_month(asctime ? w[0] : w[1]);
    if (!d->month || !str_uint(asctime ? w[1] : w[0], 31, &day))
        return false;
    d->day = (int)day;
    if (asctime)
        return time_read(w[2], d) && year_read(w[n - 1], d) &&
               (n == 4 || (n == 5 && zone_read(w[3], &d->zone_s)));
    return year_read(w[2], d) && time_read(w[3], d) &&
           (n == 4 || zone_read(w[4], &d->zone_s));
}

bool date_parse(str text, struct date *out)
{
    struct date d = { 0 };
    str words[WORDS_MAX], *w = words;
    size_t n = words_read(str_head(text, 256), words);

    if (n && weekday_index(w[0]) >= 0) {
        w++;
        n--;
    }
    if (!fields_read(w, n, &d) || !day_exists(&d))
        return false;
    d.weekday = (int)(((days_of(d.year, d.month, d.day) + 4) % 7 + 7) % 7);
    *out = d;
    return true;
}
