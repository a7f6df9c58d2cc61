/* SPDX-License-Identifier: ISC
 *
 * Frames between planner and hand, and a message's lines as mailboxes and
 * commands want them: what unpacks packs into the same again, and where a
 * message is cut into pieces makes no difference.
 */
#include "role/deliver/deliver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(str in, struct arena *a)
{
    struct hand_work w, w2;
    struct hand_read r, r2;
    struct hand_text x;
    struct hand_done d;
    struct buf b;

    buf_init(&b, a, 1 << 24);
    if (!hand_work_unpack(in, a, &w)) {
        hand_work_pack(&w, &b);
        must(!hand_work_unpack(buf_str(&b), a, &w2));
        must(w2.n_argv == w.n_argv && str_eq(w2.path, w.path));
    }
    buf_clear(&b);
    if (!hand_read_unpack(in, a, &r)) {
        hand_read_pack(&r, &b);
        must(!hand_read_unpack(buf_str(&b), a, &r2));
        must(r2.n == r.n && r2.follow == r.follow);
    }
    if (!hand_text_unpack(in, a, &x))
        must(x.found < N_HAND_FOUND);
    if (!hand_done_unpack(in, a, &d))
        must(d.end < N_HAND_ENDS);
}

static void put_lines(struct buf *to, const struct body_style *style,
                      str text, size_t cut)
{
    struct body_lines l;

    body_lines_init(&l, style);
    for (; text.n > 0; text = str_skip(text, cut))
        body_lines_add(&l, str_head(text, cut), to);
    body_lines_end(&l, to);
}

static void lines(uint8_t flags, str text, struct arena *a)
{
    struct body_style style = {
        .eol = flags & 8 ? S("\r\n") : S(""), .dots = flags & 1,
        .quote_from = flags & 2, .blank_end = flags & 4,
    };
    size_t most = text.n * BODY_GROWTH + 100;
    struct buf whole, pieces;

    buf_init(&whole, a, most);
    buf_init(&pieces, a, most);
    put_lines(&whole, &style, text, text.n + 1);
    put_lines(&pieces, &style, text, 1 + (flags >> 4));
    must(!whole.over && str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;

    if (size == 0)
        return 0;
    arena_init(&a, 0);
    frames(str_of(data, size), &a);
    lines(data[0], str_of(data + 1, size - 1), &a);
    arena_reset(&a);
    return 0;
}
