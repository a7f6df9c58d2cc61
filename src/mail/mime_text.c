/* SPDX-License-Identifier: ISC
 *
 * The search pipeline: bytes -> transfer decoding -> UTF-8 -> folding ->
 * needle, in pieces of PIECE bytes that overlap by the needle's size.
 */
#include "mail/mime_text.h"

#include "mail/charset.h"

enum { PIECE = 16 * 1024, NEEDLE_MAX = 4096, HEADER_TEXT_MAX = 1 << 20 };

void mime_fold(struct buf *to, str s)
{
    uint32_t code;

    while (s.n) {
        if ((unsigned char)s.p[0] < 128) {
            /* a folded header may go on after a tab: all blanks are one */
            buf_byte(to, s.p[0] == '\t' ? ' ' : lower(s.p[0]));
            s = str_skip(s, 1);
        } else if (utf8_next(&s, &code)) {
            utf8_put(to, charset_fold(code));
        }
    }
}

struct mime_needle mime_needle_of(struct arena *a, str word, str charset)
{
    struct buf text, folded;

    buf_init(&text, a, NEEDLE_MAX);
    buf_init(&folded, a, NEEDLE_MAX * 3);
    charset_to_utf8(charset, word, &text);
    mime_fold(&folded, buf_str(&text));
    return (struct mime_needle){ buf_str(&folded) };
}

bool mime_value_holds(str value, const struct mime_needle *n)
{
    struct buf text, folded;
    bool hit;

    if (!n->folded.n)
        return true;
    buf_init(&text, NULL, HEADER_TEXT_MAX);
    buf_init(&folded, NULL, HEADER_TEXT_MAX * 2);
    mime_words_decode(&text, value);
    mime_fold(&folded, buf_str(&text));
    hit = str_find(buf_str(&folded), n->folded) != STR_NONE;
    buf_free(&text);
    buf_free(&folded);
    return hit;
}

static bool header_holds(str header, const struct mime_needle *n)
{
    struct mime_field f;

    while (mime_field_next(&header, &f)) {
        str all = f.all.n > HEADER_TEXT_MAX / 4
                      ? str_head(f.all, HEADER_TEXT_MAX / 4) : f.all;
        if (mime_value_holds(all, n))
            return true;
    }
    return false;
}

struct pipeline {
    struct mime_decoder decoder;
    struct charset *charset;
    struct buf bytes, text, folded;
    const struct mime_needle *needle;
};

/* Pushes a piece through; last: the end of the body. */
static bool pipeline_holds(struct pipeline *p, str piece, bool last)
{
    size_t keep = p->needle->folded.n - 1;
    bool hit;

    buf_clear(&p->bytes);
    buf_clear(&p->text);
    mime_decode(&p->decoder, piece, &p->bytes);
    if (last)
        mime_decode_end(&p->decoder, &p->bytes);
    charset_convert(p->charset, buf_str(&p->bytes), last, &p->text);
    mime_fold(&p->folded, buf_str(&p->text));
    hit = str_find(buf_str(&p->folded), p->needle->folded) != STR_NONE;
    if (p->folded.n > keep)
        buf_shift(&p->folded, p->folded.n - keep);
    return hit;
}

static bool body_holds(str message, const struct mime_part *part,
                       const struct mime_needle *n)
{
    str header = str_head(str_skip(message, part->header.at),
                          part->header.size);
    str body = str_head(str_skip(message, part->body.at), part->body.size);
    struct pipeline p = { .needle = n };
    struct mime_value type;
    struct arena a;
    str name = S("");
    bool hit = false;

    arena_init(&a, 0);
    mime_type_of(&a, header, &type);
    if (!str_ieq(type.head, S("text")))
        goto out;
    if (!mime_param_find(&a, &type, S("charset"), &name)
        || !(p.charset = charset_open(&a, name)))
        p.charset = charset_open(&a, S(""));
    p.decoder = mime_decoder_of(mime_encoding_of(header));
    buf_init(&p.bytes, &a, PIECE * 2);
    buf_init(&p.text, &a, PIECE * 8);
    buf_init(&p.folded, &a, PIECE * 16);
    do {
        str piece = str_head(body, PIECE);
        body = str_skip(body, piece.n);
        hit = pipeline_holds(&p, piece, body.n == 0);
    } while (!hit && body.n);
out:
    arena_reset(&a);
    return hit;
}

bool mime_message_holds(str message, const struct mime_part *root,
                        const struct mime_needle *n, bool headers)
{
    if (!n->folded.n)
        return true;
    for (const struct mime_part *p = root; p; p = mime_part_after(p)) {
        str header = str_head(str_skip(message, p->header.at),
                              p->header.size);

        /* an attached message's header is body text of the outer one */
        if ((headers || (p->parent && p->parent->kind == MIME_MESSAGE))
            && header_holds(header, n))
            return true;
        if (p->kind == MIME_LEAF && body_holds(message, p, n))
            return true;
    }
    return false;
}
