/* SPDX-License-Identifier: ISC
 *
 * ENVELOPE and BODYSTRUCTURE of any message: parentheses balance, strings
 * end, nothing outside literals is NUL, a line's end or an 8-bit byte.
 */
#include "mail/structure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes a quoted string or literal that begins at s->at. */
static void take_string(struct scan *s)
{
    uint64_t n;
    int c;

    if (scan_byte(s, '{')) {
        must(scan_uint(s, UINT32_MAX, &n) && scan_word(s, S("}\r\n")));
        must(scan_rest(s).n >= n);
        s->at += (size_t)n;
        return;
    }
    must(scan_byte(s, '"'));
    while ((c = scan_next(s)) != '"') {
        must(c >= 1 && c < 128 && c != '\r' && c != '\n'); /* TEXT-CHAR */
        if (c == '\\')
            must(scan_next(s) >= 0);
    }
}

static void check_list(str text)
{
    struct scan s = scan_of(text);
    long depth = 0;

    while (!scan_done(&s)) {
        int c = scan_peek(&s);

        if (c == '"' || c == '{') {
            take_string(&s);
            continue;
        }
        depth += c == '(';
        depth -= c == ')';
        must(depth > 0 || scan_rest(&s).n == 1);
        must(c == ' ' || c == '(' || c == ')' || is_alnum((char)c));
        s.at++;
    }
    must(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct mime_part *root;
    struct arena a;
    struct buf b;

    if (size > 16384)
        return 0;
    arena_init(&a, 0);
    buf_init(&b, &a, 64 << 20);
    structure_envelope(&b, &a, str_head(in, mime_header_size(in)));
    if (!b.over)
        check_list(buf_str(&b));
    root = mime_parse(&a, in);
    for (int extended = 0; extended < 2; extended++) {
        buf_clear(&b);
        structure_body(&b, &a, in, root, extended);
        if (!b.over)
            check_list(buf_str(&b));
    }
    arena_reset(&a);
    return 0;
}
