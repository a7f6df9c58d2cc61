/* SPDX-License-Identifier: ISC
 *
 * Dots and line ends.  The decoder copies nothing: it hands out spans of its
 * input, as long as nothing in between must change.
 */
#include "smtp/dot.h"

/* Takes the span from *in up to at, and passes skip bytes more. */
static str span(str *in, size_t at, size_t skip)
{
    str s = str_head(*in, at);

    *in = str_skip(*in, at + skip);
    return s;
}

/* Inside a text: runs to the next byte that needs a decision. */
static str text(struct dot_decoder *d, str *in)
{
    size_t at = 0;

    while (at < in->n) {
        size_t lf = str_chr(str_skip(*in, at), '\n');
        size_t end = lf == STR_NONE ? in->n : at + lf;
        size_t cr = str_chr((str){ in->p + at, end - at }, '\r');

        if (cr != STR_NONE && (at + cr + 1 < end || lf == STR_NONE)) {
            d->state = DOT_CR; /* a CR that is not right before the LF */
            return span(in, at + cr, 1);
        }
        if (lf == STR_NONE)
            break;
        if (cr == STR_NONE) { /* a bare LF: the next step's */
            d->state = DOT_TEXT;
            return span(in, end, 0);
        }
        at = end + 1;
        if (at == in->n) {
            d->state = DOT_LINE;
            return span(in, at, 0);
        }
        if (in->p[at] == '.' && !d->plain) {
            d->state = DOT_LINE;
            return span(in, at, 0);
        }
    }
    d->state = DOT_TEXT;
    return span(in, in->n, 0);
}

/* A byte at the start of a line. */
static void line_start(struct dot_decoder *d, str *in)
{
    if (in->p[0] == '.' && !d->plain) {
        d->state = d->state == DOT_LINE ? DOT_DOT : DOT_TEXT;
        *in = str_skip(*in, 1);
    } else {
        d->state = DOT_TEXT;
    }
}

/* A LF; the end of a line, whose CR is supplied if it was bare. */
static str line_end(struct dot_decoder *d, str *in, bool bare)
{
    *in = str_skip(*in, 1);
    d->state = bare ? DOT_LINE_LF : DOT_LINE;
    return S("\r\n");
}

static str step(struct dot_decoder *d, str *in)
{
    switch (d->state) {
    case DOT_LINE:
    case DOT_LINE_LF:
        line_start(d, in);
        return S("");
    case DOT_DOT:
        if (in->p[0] == '\r') {
            d->state = DOT_DOT_CR;
            *in = str_skip(*in, 1);
        } else {
            d->state = DOT_TEXT; /* the stuffed dot is gone */
        }
        return S("");
    case DOT_DOT_CR:
        if (in->p[0] == '\n') {
            d->state = DOT_END;
            *in = str_skip(*in, 1);
            return S("");
        }
        d->state = DOT_TEXT;
        return S(" ");
    case DOT_CR:
        if (in->p[0] == '\n')
            return line_end(d, in, false);
        d->state = DOT_TEXT;
        return S(" ");
    default:
        return in->p[0] == '\n' ? line_end(d, in, true) : text(d, in);
    }
}

str dot_decode(struct dot_decoder *d, str *in)
{
    while (in->n > 0 && d->state != DOT_END) {
        str out = step(d, in);
        if (out.n > 0)
            return out;
    }
    return S("");
}

str dot_finish(struct dot_decoder *d)
{
    enum dot_state was = d->state;

    d->state = DOT_END;
    return was == DOT_TEXT || was == DOT_CR ? S("\r\n") : S("");
}

void dot_encode(struct buf *to, str bytes, bool *line)
{
    while (bytes.n > 0) {
        size_t lf;
        size_t from = 0;

        if (*line && bytes.p[0] == '.')
            buf_byte(to, '.');
        /* runs to the next line that begins with a dot */
        do {
            lf = str_chr(str_skip(bytes, from), '\n');
            from = lf == STR_NONE ? bytes.n : from + lf + 1;
        } while (from < bytes.n && bytes.p[from] != '.');
        *line = lf != STR_NONE;
        buf_add(to, str_head(bytes, from));
        bytes = str_skip(bytes, from);
    }
}
