/* SPDX-License-Identifier: ISC
 *
 * From text to typed values.  Bounds and units come from params.def.
 */
#include "conf/value.h"

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

bool conf_time_parse(str text, char unit, int64_t *seconds)
{
    struct scan s = scan_of(text);
    uint64_t n;
    int64_t scale;

    (void)scan_byte(&s, '+');
    if (!scan_uint(&s, INT32_MAX, &n))
        return false;
    if (!scan_done(&s))
        unit = (char)scan_next(&s); /* "1hour": the rest is not looked at */
    scale = unit_seconds(unit);
    if (scale == 0 || n > (uint64_t)(INT32_MAX / scale))
        return false;
    *seconds = (int64_t)n * scale;
    return true;
}

/* ${stress?{10}:{300}}s and the like are written "10s" after expansion; an
 * expression that expands to "10h" followed by the default's "s" is not one
 * of them and fails here as it should. */
static bool parse_time(struct arena *a, enum param p, str text, int64_t *n,
                       str *complaint)
{
    char unit = conf_param_unit(p);

    if (conf_time_parse(text, unit, n))
        return true;
    *complaint = arena_fmt(a, "bad time value or unit: %.*s (write a whole "
                           "number and one of the letters s, m, h, d, w; "
                           "without a letter it is taken as %c)",
                           STR(text), unit);
    return false;
}

static bool parse_bool(struct arena *a, str text, int64_t *n, str *complaint)
{
    *n = str_ieq(text, S("yes"));
    if (*n || str_ieq(text, S("no")))
        return true;
    *complaint = arena_fmt(a, "bad boolean value: \"%.*s\" (write yes or no)",
                           STR(text));
    return false;
}

/* Sizes of mail and of disks; other numbers have 32 bits. */
static bool is_large(enum param p)
{
    return p == P_message_size_limit || p == P_mailbox_size_limit
           || p == P_virtual_mailbox_limit || p == P_queue_minfree;
}

/* Below a least of 0 a number is as good as 0, as many configurations of
 * Postfix have it. */
static bool parse_int(struct arena *a, enum param p, str text, int64_t *n,
                      str *complaint)
{
    str digits = str_skip(text, str_starts(text, S("+")) ? 1 : 0);

    if (!str_int(digits, n)
        || (!is_large(p) && (*n > INT32_MAX || *n < INT32_MIN))) {
        *complaint = arena_fmt(a, "bad numerical value: \"%.*s\" (write a "
                               "whole number)", STR(text));
        return false;
    }
    if (*n < 0 && conf_param(p)->min == 0)
        *n = 0;
    return true;
}

static bool in_bounds(struct arena *a, const struct conf_param *param,
                      int64_t n, str *complaint)
{
    if (n < param->min) {
        *complaint = arena_fmt(a, "value %" PRId64 " is too small (the least "
                               "is %" PRId64 ")", n, param->min);
        return false;
    }
    if (param->max && n > param->max) {
        *complaint = arena_fmt(a, "value %" PRId64 " is too large (the most "
                               "is %" PRId64 ")", n, param->max);
        return false;
    }
    return true;
}

bool value_parse(struct arena *a, enum param p, str text, int64_t *number,
                 str *complaint)
{
    const struct conf_param *param = conf_param(p);
    int64_t n = 0;

    switch (param->kind) {
    case CONF_BOOL:
        if (!parse_bool(a, text, &n, complaint))
            return false;
        break;
    case CONF_INT:
        if (!parse_int(a, p, text, &n, complaint)
            || !in_bounds(a, param, n, complaint))
            return false;
        break;
    case CONF_TIME:
        if (!parse_time(a, p, text, &n, complaint)
            || !in_bounds(a, param, n, complaint))
            return false;
        break;
    case CONF_STR:
    case CONF_LIST:
    case CONF_RAW:
        if (text.n == 0 && param->min > 0) {
            *complaint = S("the value must not be empty (give one, or remove "
                           "the line to get the default)");
            return false;
        }
        break;
    }
    *number = n;
    return true;
}

bool value_token(str *rest, str seps, str *token)
{
    str s = str_skip(*rest, str_span(*rest, seps));
    size_t n = 0, depth = 0;

    if (rest->n == 0 || str_span(*rest, seps) == STR_NONE)
        return false;
    for (; n < s.n; n++) {
        if (s.p[n] == '{')
            depth++;
        else if (s.p[n] == '}' && depth > 0)
            depth--;
        else if (depth == 0 && str_chr(seps, s.p[n]) != STR_NONE)
            break;
    }
    *token = str_head(s, n);
    *rest = str_skip(s, n);
    return true;
}

struct conf_items conf_split(struct arena *a, str text)
{
    vec_of(str) items = { 0 };
    str token;

    while (value_token(&text, CONF_LIST_SEPS, &token))
        vec_push(a, &items, token);
    return (struct conf_items){ items.p, items.n };
}

bool level_parse(str text, int64_t *level)
{
    struct scan s = scan_of(text);
    int64_t sum = 0;

    for (int i = 0; i < 3; i++) {
        uint64_t part = 0;
        bool wanted = i == 0 || !scan_done(&s);
        if (wanted && ((i > 0 && !scan_byte(&s, '.'))
                       || !scan_uint(&s, 0xfffff, &part)))
            return false;
        sum = (sum << 20) + (int64_t)part;
    }
    if (!scan_done(&s))
        return false;
    *level = sum;
    return true;
}
