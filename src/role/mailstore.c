/* SPDX-License-Identifier: ISC
 *
 * What mailstore_* parameters mean.
 */
#include "role/mailstore.h"

err mailstore_quota_read(struct task *t, const struct conf *c, uint64_t *out)
{
    str text = conf_str(c, P_mailstore_quota);
    struct scan s = scan_of(text);
    size_t unit = 0;
    bool good = str_empty(text);

    *out = 0;
    if (!good && scan_uint(&s, UINT64_C(1) << 50, out)) {
        if (!scan_done(&s))
            unit = str_chr(S("BKMGT"), upper((char)scan_next(&s)));
        good = scan_done(&s) && unit <= 4
               && *out <= (UINT64_C(1) << 60) >> (10 * unit);
    }
    if (!good)
        return why(t, ERR_SYNTAX, "mailstore_quota: \"%.*s\" is not a number "
                   "of bytes, like 500M", STR(text));
    *out <<= 10 * unit;
    return OK;
}
