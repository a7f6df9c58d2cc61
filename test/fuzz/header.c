/* SPDX-License-Identifier: ISC
 *
 * The header reader, in pieces whose size is the first byte: raw bytes are
 * the input as long as nothing was cut.  Writing never injects.
 */
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(str in, size_t piece_max, struct arena *a)
{
    struct header_reader r;
    struct header_field f;
    enum header_event e = HEADER_MORE;
    struct buf all;
    str rest = in;
    bool cut = false;

    buf_init(&all, a, in.n + 1);
    header_reader_init(&r, a, 200);
    while (e == HEADER_MORE || e == HEADER_FIELD) {
        str piece = str_head(rest, piece_max);
        size_t n = piece.n;
        e = n ? header_read(&r, &piece, &f) : header_finish(&r, &f);
        rest = str_skip(rest, n - piece.n);
        if (e == HEADER_MORE)
            continue;
        must(f.raw.n <= 200);
        cut |= f.cut;
        buf_add(&all, f.raw);
        if (e == HEADER_FIELD)
            header_unfold(f.value, a);
    }
    buf_add(&all, rest);
    must(cut || str_eq(buf_str(&all), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct arena a;
    struct buf b;
    size_t at = 0;

    arena_init(&a, 0);
    if (size) {
        read_all(str_skip(in, 1), data[0] ? data[0] : 1, &a);
        read_all(str_skip(in, 1), size, &a);
    }
    buf_init(&b, &a, 4 * size + 100);
    header_put(&b, S("X"), in);
    must(str_ends(buf_str(&b), S("\r\n")));
    for (str s = buf_str(&b); (at = str_chr(s, '\n')) != STR_NONE;
         s = str_skip(s, at + 1))
        must(at + 1 == s.n || is_blank(s.p[at + 1]));
    arena_reset(&a);
    return 0;
}
