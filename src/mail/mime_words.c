/* SPDX-License-Identifier: ISC
 *
 * Encoded words (RFC 2047): "=?charset?B?...?=" in header text.  Blanks
 * between two encoded words vanish; neighbours of one charset are joined
 * before they are converted, because senders cut characters in two.
 */
#include "mail/mime.h"

#include "mail/charset.h"

enum { WORDS_BYTES_MAX = 64 * 1024, CHARSET_NAME_MAX = 40,
       WORD_TEXT_MAX = 8 * 1024 }; /* standard: 75; it bounds what a word that
                                      does not end costs */

struct word {
    str charset;
    char encoding;          /* 'B' or 'Q' */
    str text;
};

/* Takes an encoded word off s, which starts with "=?". */
static bool word_take(str *s, struct word *out)
{
    str rest = str_skip(*s, 2), encoding;
    size_t end;

    if (str_chr(str_head(rest, CHARSET_NAME_MAX + 1), '?') == STR_NONE)
        return false;
    if (!str_cut(&rest, '?', &out->charset) || !out->charset.n
        || out->charset.n > CHARSET_NAME_MAX || !rest.p
        || rest.n < 2 || rest.p[1] != '?'
        || !str_cut(&rest, '?', &encoding) || !rest.p)
        return false;
    end = str_find(str_head(rest, WORD_TEXT_MAX), S("?="));
    if (end == STR_NONE)
        return false;
    out->text = str_head(rest, end);
    out->encoding = upper(encoding.p[0]);
    if (out->encoding != 'B' && out->encoding != 'Q')
        return false;
    if (str_any(out->text, S(" \t\r\n")) != STR_NONE)
        return false;
    end = str_chr(out->charset, '*');   /* RFC 2231: a language */
    if (end != STR_NONE)
        out->charset = str_head(out->charset, end);
    *s = str_skip(rest, out->text.n + 2);
    return true;
}

static void word_bytes(const struct word *w, struct buf *to)
{
    struct mime_decoder d = mime_decoder_of(MIME_BASE64);
    uint64_t byte;

    if (w->encoding == 'B') {
        mime_decode(&d, w->text, to);
        mime_decode_end(&d, to);
        return;
    }
    for (str s = w->text; s.n; s = str_skip(s, 1)) {
        if (s.p[0] == '=' && s.n >= 3
            && str_hex(str_head(str_skip(s, 1), 2), 255, &byte)) {
            buf_byte(to, (char)byte);
            s = str_skip(s, 2);
        } else {
            buf_byte(to, s.p[0] == '_' ? ' ' : s.p[0]);
        }
    }
}

static void flush_bytes(str charset, struct buf *bytes, struct buf *to)
{
    if (bytes->n)
        charset_to_utf8(charset, buf_str(bytes), to);
    buf_clear(bytes);
}

/* Plain header text: folds opened; 8-bit bytes that are not UTF-8 become
 * U+FFFD. */
static void plain_add(struct buf *to, str s)
{
    size_t at;

    while ((at = str_any(s, S("\r\n"))) != STR_NONE) {
        charset_to_utf8(S("utf-8"), str_head(s, at), to);
        s = str_skip(s, at + 1);
    }
    charset_to_utf8(S("utf-8"), s, to);
}

void mime_words_decode(struct buf *to, str value)
{
    struct buf bytes;
    struct word w;
    str charset = S("");

    buf_init(&bytes, NULL, WORDS_BYTES_MAX);
    value = str_trim(value);
    while (value.n) {
        size_t blanks = str_span(value, S(" \t\r\n"));
        size_t word;

        if (blanks == STR_NONE)
            break;
        word = bytes.n || charset.n ? blanks : 0;
        if (str_starts(str_skip(value, word), S("=?"))) {
            str rest = str_skip(value, word);
            if (word_take(&rest, &w)) {
                if (!str_ieq(w.charset, charset))
                    flush_bytes(charset, &bytes, to);
                charset = w.charset;
                word_bytes(&w, &bytes);
                value = rest;
                continue;
            }
        }
        flush_bytes(charset, &bytes, to);
        charset = S("");
        word = str_find(str_skip(value, 1), S("=?"));
        word = word == STR_NONE ? value.n : word + 1;
        plain_add(to, str_head(value, word));
        value = str_skip(value, word);
    }
    flush_bytes(charset, &bytes, to);
    buf_free(&bytes);
}
