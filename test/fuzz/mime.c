/* SPDX-License-Identifier: ISC
 *
 * The MIME tree of any bytes: spans nest and follow each other, counts are
 * right, the wire form is what a naive conversion gives; values, words,
 * encodings and text search end.
 */
#include "mail/mime.h"
#include "mail/mime_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(str in, const struct mime_span *s)
{
    struct mime_span naive;

    must(s->at <= in.n && s->size <= in.n - s->at);
    naive = mime_span_of(str_head(str_skip(in, s->at), s->size));
    must(naive.lines == s->lines);
    /* a span may begin after the CR of a CR LF only where nothing does */
    must(naive.bare == s->bare);
}

static void check_tree(str in, const struct mime_part *root)
{
    size_t n = 0;

    for (const struct mime_part *p = root; p; p = mime_part_after(p)) {
        size_t end = p->body.at;

        n++;
        check_span(in, &p->header);
        check_span(in, &p->body);
        must(p->body.at >= p->header.at + p->header.size);
        for (const struct mime_part *c = p->first; c; c = c->next) {
            must(c->parent == p && c->header.at >= end);
            end = c->body.at + c->body.size;
            must(end <= p->body.at + p->body.size);
        }
    }
    must(n <= MIME_PARTS_MAX);
}

static void check_wire(str in, struct arena *a)
{
    struct mime_span all = mime_span_of(in);
    struct mime_wire w = mime_wire_of(in, &all);
    struct buf naive, got;
    char room[11];
    str piece;

    mime_wire_skip(&w, in.n / 3);
    buf_init(&naive, a, 2 * in.n + 1);
    buf_init(&got, a, 2 * in.n + 1);
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
            buf_byte(&naive, '\r');
        buf_byte(&naive, in.p[i]);
    }
    must(naive.n == mime_wire_size(&all));
    while ((piece = mime_wire_next(&w, room, sizeof(room))).n)
        buf_add(&got, piece);
    must(str_eq(buf_str(&got), str_skip(buf_str(&naive), in.n / 3)));
}

static void check_fields(str in, struct arena *a)
{
    str rest = str_head(in, mime_header_size(in));
    struct mime_field f;

    while (mime_field_next(&rest, &f)) {
        struct mime_value v;
        struct buf b;
        str out;

        buf_init(&b, a, 4 * f.value.n + 64);
        mime_words_decode(&b, f.value);
        must(utf8_valid(buf_str(&b)) || b.over);
        if (mime_value_parse(a, f.value, &v)) {
            (void)mime_param_find(a, &v, S("name"), &out);
            mime_params_join(a, &v);
        }
    }
}

/* The same bytes whole and in two pieces. */
static void check_decoding(str in, enum mime_encoding e, struct arena *a)
{
    struct mime_decoder d = mime_decoder_of(e), d2 = mime_decoder_of(e);
    struct buf whole, pieces;

    buf_init(&whole, a, in.n + 100);
    buf_init(&pieces, a, in.n + 100);
    mime_decode(&d, in, &whole);
    mime_decode_end(&d, &whole);
    mime_decode(&d2, str_head(in, in.n / 2), &pieces);
    mime_decode(&d2, str_skip(in, in.n / 2), &pieces);
    mime_decode_end(&d2, &pieces);
    must(!whole.over && !pieces.over);
    /* runs of blanks longer than what is held count as text */
    must(str_find(in, S("                    ")) != STR_NONE
         || str_find(in, S("\t\t\t\t")) != STR_NONE
         || str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct mime_part *root;
    struct mime_needle n;
    struct arena a;

    if (size > 16384)
        return 0;
    arena_init(&a, 0);
    root = mime_parse(&a, in);
    check_tree(in, root);
    check_wire(in, &a);
    check_fields(in, &a);
    check_decoding(in, MIME_BASE64, &a);
    check_decoding(in, MIME_QUOTED, &a);
    n = mime_needle_of(&a, S("a\xc3\xa4"), S("utf-8"));
    (void)mime_message_holds(in, root, &n, true);
    arena_reset(&a);
    return 0;
}
