/* SPDX-License-Identifier: ISC
 *
 * Queue ids.
 */
#include "mail/queue_id.h"

#include <stdio.h>
#include <string.h>

static const char digits52[] =
    "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum { USEC_DIGITS_SHORT = 5, USEC_DIGITS_LONG = 4, SECONDS_DIGITS = 6,
       LONG_MIN = SECONDS_DIGITS + USEC_DIGITS_LONG + 2 };

/* Appends n in a base, at least so many digits; returns the new length. */
static size_t put_digits(char *to, size_t at, uint64_t n, unsigned base,
                         size_t digits_min)
{
    char reversed[64];
    size_t n_digits = 0;

    do
        reversed[n_digits++] = digits52[n % base];
    while (n /= base);
    while (n_digits < digits_min)
        reversed[n_digits++] = digits52[0];
    while (n_digits)
        to[at++] = reversed[--n_digits];
    must(at <= QUEUE_ID_MAX);
    return at;
}

struct queue_id queue_id_make(uint64_t number, int64_t wall_us, bool longer)
{
    struct queue_id id = { { 0 } };
    uint64_t us, s;
    size_t at = 0;

    must(number > 0 && wall_us >= 0);
    us = (uint64_t)wall_us % 1000000;
    s = (uint64_t)wall_us / 1000000;
    if (!longer) {
        snprintf(id.text, sizeof(id.text), "%05" PRIX64 "%" PRIX64, us,
                 number);
        return id;
    }
    at = put_digits(id.text, at, s, 52, SECONDS_DIGITS);
    at = put_digits(id.text, at, us, 52, USEC_DIGITS_LONG);
    id.text[at++] = 'z';
    put_digits(id.text, at, number, 51, 1);
    return id;
}

bool queue_id_valid(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!is_alnum(text.p[i]))
            return false;
    return text.n > USEC_DIGITS_SHORT && text.n <= QUEUE_ID_MAX;
}

static bool long_number(str text, uint64_t *number)
{
    size_t z = str_rchr(text, 'z');
    uint64_t n = 0;

    if (z == STR_NONE || z < LONG_MIN - 2 || z + 1 == text.n)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = strchr(digits52, text.p[i]);
        if (!digit || !text.p[i])
            return false;
        if (i <= z)
            continue;
        if (__builtin_mul_overflow(n, (uint64_t)51, &n) ||
            __builtin_add_overflow(n, (uint64_t)(digit - digits52), &n))
            return false;
    }
    *number = n;
    return n > 0;
}

bool queue_id_number(str text, uint64_t *number)
{
    uint64_t n;

    if (!queue_id_valid(text))
        return false;
    if (long_number(text, number))
        return true;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'a' && text.p[i] <= 'z')
            return false;
    if (!str_hex(str_head(text, USEC_DIGITS_SHORT), 0xfffff, &n) ||
        !str_hex(str_skip(text, USEC_DIGITS_SHORT), UINT64_MAX, &n) || !n)
        return false;
    *number = n;
    return true;
}
