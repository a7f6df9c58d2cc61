/* SPDX-License-Identifier: ISC
 *
 * Dates: what is read can be written and read as the same moment.
 */
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct date d, again;
    struct arena a;

    arena_init(&a, 0);
    if (date_parse(str_of(data, size), &d) && d.year > 1 && d.year < 9999) {
        str s = date_rfc5322(&a, date_seconds(&d) * 1000000, d.zone_s,
                             S("X"));
        must(date_parse(s, &again));
        must(date_seconds(&d) == date_seconds(&again));
    }
    arena_reset(&a);
    return 0;
}
