/* SPDX-License-Identifier: ISC
 *
 * Verdicts: making and reading them.
 */
#include "mail/reply.h"

#include <string.h>

static void dsn_set(struct reply *r, str dsn)
{
    must(dsn.n < sizeof(r->dsn));
    if (dsn.n)
        memcpy(r->dsn, dsn.p, dsn.n);
    r->dsn[dsn.n] = 0;
}

struct reply reply_fmt(struct arena *a, int code, const char *dsn,
                       const char *fmt, ...)
{
    struct reply r = { .code = code };
    va_list ap;

    dsn_set(&r, str_from(dsn));
    va_start(ap, fmt);
    r.text = arena_vfmt(a, fmt, ap);
    va_end(ap);
    return r;
}

size_t dsn_span(str s)
{
    struct scan sc = scan_of(s);
    uint64_t n;

    if (scan_peek(&sc) != '2' && scan_peek(&sc) != '4' &&
        scan_peek(&sc) != '5')
        return 0;
    sc.at++;
    for (int i = 0; i < 2; i++)
        if (!scan_byte(&sc, '.') || !scan_uint(&sc, 999, &n))
            return 0;
    if (!scan_done(&sc) && !is_space((char)scan_peek(&sc)))
        return 0;
    return sc.at < sizeof(((struct reply *)0)->dsn) ? sc.at : 0;
}

bool reply_parse(str line, struct reply *out)
{
    struct reply r = { 0 };
    uint64_t code;
    size_t n;

    line = str_trim(line);
    if (line.n < 3 || !str_uint(str_head(line, 3), 599, &code) || code < 200)
        return false;
    r.code = (int)code;
    line = str_skip(line, 3);
    if (line.n && line.p[0] != ' ' && line.p[0] != '-' && line.p[0] != '\t')
        return false;
    line = str_trim(str_skip(line, 1));
    n = dsn_span(line);
    if (n && line.p[0] == '0' + (char)(code / 100)) {
        dsn_set(&r, str_head(line, n));
        line = str_trim(str_skip(line, n));
    }
    r.text = line;
    *out = r;
    return true;
}
