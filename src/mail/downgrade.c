/* SPDX-License-Identifier: ISC
 *
 * Conversion to seven bits.
 */
#include "mail/downgrade.h"

#include "mail/mime.h"

enum { COLUMNS_MAX = 75 };  /* and a "=" (RFC 2045 section 6.7) */

static bool is_plain(char c)
{
    return c >= 33 && c <= 126 && c != '=';
}

static void encode_line(str line, struct buf *to)
{
    size_t column = 0;

    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        bool plain = is_plain(c)
                     || ((c == ' ' || c == '\t') && i + 1 < line.n);
        size_t n = plain ? 1 : 3;
        if (column + n > COLUMNS_MAX) {
            buf_add(to, S("=\r\n"));
            column = 0;
        }
        if (plain)
            buf_byte(to, c);
        else
            buf_fmt(to, "=%02X", (unsigned)(unsigned char)c);
        column += n;
    }
}

void quoted_printable_encode(str bytes, struct buf *to)
{
    while (bytes.n > 0) {
        size_t lf = str_chr(bytes, '\n');
        str line = str_head(bytes, lf);
        if (lf != STR_NONE && line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        encode_line(line, to);
        if (lf == STR_NONE)
            return;
        buf_add(to, S("\r\n"));
        bytes = str_skip(bytes, lf + 1);
    }
}

static str span(str message, const struct mime_span *s)
{
    return str_of(message.p + s->at, s->size);
}

/* Whether a header declares what seven bits cannot hold. */
static bool is_eightbit(str header, struct arena *a)
{
    str value;

    if (!mime_field_find(header, S("Content-Transfer-Encoding"), &value))
        return false;
    value = str_trim(mime_unfold(a, value));
    return str_ieq(value, S("8bit")) || str_ieq(value, S("binary"));
}

/* Whether it holds parts, whose own headers say how they are encoded. */
static bool holds_parts(str header, struct arena *a)
{
    struct mime_value type;

    mime_type_of(a, header, &type);
    return str_ieq(type.head, S("multipart"))
           || str_ieq(type.head, S("message"));
}

static void put_header(str header, str encoding, struct buf *to)
{
    struct mime_field f;

    while (mime_field_next(&header, &f))
        if (!str_ieq(f.name, S("Content-Transfer-Encoding")))
            buf_add(to, f.all);
    buf_fmt(to, "Content-Transfer-Encoding: %.*s\r\n", STR(encoding));
    buf_add(to, header);
}

void mime_downgrade(str message, struct arena *a, struct buf *to)
{
    const struct mime_part *p = mime_parse(a, message);
    size_t at = 0;

    for (; p; p = mime_part_after(p)) {
        str header = span(message, &p->header);
        bool whole;
        if (!is_eightbit(header, a))
            continue;
        whole = !holds_parts(header, a);
        buf_add(to, str_of(message.p + at, p->header.at - at));
        put_header(header, whole ? S("quoted-printable") : S("7bit"), to);
        at = p->header.at + p->header.size;
        if (!whole)
            continue;
        buf_add(to, str_of(message.p + at, p->body.at - at));
        quoted_printable_encode(span(message, &p->body), to);
        at = p->body.at + p->body.size;
    }
    buf_add(to, str_skip(message, at));
}
