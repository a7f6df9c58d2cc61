/* SPDX-License-Identifier: ISC
 *
 * Transfer encodings, decoded in pieces (RFC 2045 section 6).  Every input
 * gives bytes: what is not of the encoding's alphabet is skipped (base64) or
 * stands for itself (quoted-printable).
 */
#include "mail/mime.h"

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void base64_piece(struct mime_decoder *d, str s, struct buf *to)
{
    for (size_t i = 0; i < s.n && !d->ended; i++) {
        int v = base64_value(s.p[i]);

        if (s.p[i] == '=' && d->n_bits < 24 && d->n_bits > 0)
            d->ended = true;
        if (v < 0)
            continue;
        d->bits = d->bits << 6 | (uint32_t)v;
        d->n_bits += 6;
        if (d->n_bits >= 8) {
            d->n_bits -= 8;
            buf_byte(to, (char)(d->bits >> d->n_bits));
        }
    }
}

/* How long the thing is that s starts with an equals sign: 3 an escape, 2 or
 * more a soft line end, 1 neither, 0 not yet known. */
static size_t escape_size(str s)
{
    uint64_t byte;
    size_t at = 1;

    while (at < s.n && is_blank(s.p[at]))
        at++;
    if (at < s.n && s.p[at] == '\r')
        at++;
    if (at == s.n)
        return 0;
    if (s.p[at] == '\n')
        return at + 1;
    if (at > 1)
        return 1;
    if (s.n < 3)
        return is_alnum(s.p[1]) ? 0 : 1;
    return str_hex(str_head(str_skip(s, 1), 2), 255, &byte) ? 3 : 1;
}

/* Blanks at a line's end are transport padding. */
static size_t padding_size(str s)
{
    size_t n = 0;

    while (n < s.n && is_blank(s.p[n]))
        n++;
    if (n == s.n)
        return 0;
    if (s.p[n] == '\n' || (s.p[n] == '\r' && n + 1 < s.n
                           && s.p[n + 1] == '\n'))
        return n;
    return s.p[n] == '\r' && n + 1 == s.n ? 0 : STR_NONE;
}

static void quoted_hold(struct mime_decoder *d, str s)
{
    memcpy(d->held, s.p, s.n);
    d->n_held = s.n;
}

/* One step over what starts s.  Returns how much was used; 0 if more bytes
 * must come first. */
static size_t quoted_step(str s, struct buf *to)
{
    size_t n = str_any(s, S("= \t"));
    uint64_t byte;

    if (n != 0) {
        n = n == STR_NONE ? s.n : n;
        buf_add(to, str_head(s, n));
        return n;
    }
    if (s.p[0] == '=') {
        n = escape_size(s);
        if (n == 1)
            buf_byte(to, '=');
        else if (n == 3 && str_hex(str_head(str_skip(s, 1), 2), 255, &byte))
            buf_byte(to, (char)byte);
        return n;
    }
    n = padding_size(s);
    if (n == STR_NONE) {
        buf_byte(to, s.p[0]);
        return 1;
    }
    return n;
}

static void quoted_piece(struct mime_decoder *d, str s, struct buf *to)
{
    /* what was held is completed byte by byte until it is decided */
    while (d->n_held && s.n) {
        size_t used;
        if (d->n_held == sizeof(d->held)) { /* a long run of blanks */
            buf_add(to, str_of(d->held, d->n_held));
            d->n_held = 0;
            break;
        }
        d->held[d->n_held++] = s.p[0];
        s = str_skip(s, 1);
        do {
            used = quoted_step(str_of(d->held, d->n_held), to);
            memmove(d->held, d->held + used, d->n_held - used);
            d->n_held -= used;
        } while (used && d->n_held);
    }
    while (s.n) {
        size_t used = quoted_step(s, to);
        if (used == 0 && s.n <= sizeof(d->held)) {
            quoted_hold(d, s);
            return;
        }
        if (used == 0) {
            buf_byte(to, s.p[0]);
            used = 1;
        }
        s = str_skip(s, used);
    }
}

void mime_decode(struct mime_decoder *d, str piece, struct buf *to)
{
    if (d->encoding == MIME_BASE64)
        base64_piece(d, piece, to);
    else if (d->encoding == MIME_QUOTED)
        quoted_piece(d, piece, to);
    else
        buf_add(to, piece);
}

void mime_decode_end(struct mime_decoder *d, struct buf *to)
{
    str held = str_of(d->held, d->n_held);

    if (d->encoding != MIME_QUOTED)
        return;
    /* blanks at the very end are padding, so is a lone soft line end */
    held = str_rtrim(held);
    if (!str_eq(held, S("=")))
        buf_add(to, held);
    d->n_held = 0;
}
