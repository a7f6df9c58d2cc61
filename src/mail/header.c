/* SPDX-License-Identifier: ISC
 *
 * Header fields in and out.
 */
#include "mail/header.h"

#include <string.h>

enum { LINE_COLUMNS = 78, FMT_MAX = 64 * 1024 };

struct header_known {
    str name;
    int classes;
};

static const struct header_known known[N_HEADERS] = {
    [HEADER_OTHER] = { S_INIT(""), 0 },
#define HEADER(id, name, class) [HEADER_##id] = { S_INIT(name), (class) },
#include "mail/headers.def"
#undef HEADER
};

enum header_id header_find(str name)
{
    for (int i = HEADER_OTHER + 1; i < N_HEADERS; i++)
        if (str_ieq(known[i].name, name))
            return (enum header_id)i;
    return HEADER_OTHER;
}

str header_name(enum header_id id)
{
    must(id < N_HEADERS);
    return known[id].name;
}

int header_classes(enum header_id id)
{
    must(id < N_HEADERS);
    return known[id].classes;
}

static bool is_name_byte(char c)
{
    return c > 32 && c < 127 && c != ':';
}

bool header_name_valid(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_name_byte(name.p[i]))
            return false;
    return name.n > 0;
}

static str without_line_end(str s)
{
    if (str_ends(s, S("\n")))
        s.n--;
    if (str_ends(s, S("\r")))
        s.n--;
    return s;
}

bool header_split(str raw, struct header_field *field)
{
    size_t colon = str_chr(raw, ':');
    str name;

    if (colon == STR_NONE)
        return false;
    name = str_head(raw, colon);
    while (name.n && is_blank(name.p[name.n - 1]))
        name.n--;
    if (!header_name_valid(name))
        return false;
    *field = (struct header_field){
        .id = header_find(name), .name = name, .raw = raw,
        .value = without_line_end(str_skip(raw, colon + 1)),
    };
    while (field->value.n && is_blank(field->value.p[0]))
        field->value = str_skip(field->value, 1);
    return true;
}

void header_reader_init(struct header_reader *r, struct arena *a, size_t max)
{
    must(max >= 128);
    *r = (struct header_reader){ .max = max, .at_line = true };
    buf_init(&r->held, a, max);
}

static enum header_event give(struct header_reader *r, enum header_event e,
                              struct header_field *field)
{
    *field = (struct header_field){ .raw = buf_str(&r->held) };
    if (e == HEADER_FIELD) {
        bool is_field = header_split(buf_str(&r->held), field);
        must(is_field);
        field->cut = r->cut;
    } else {
        r->over = true;
    }
    r->give = true;
    return e;
}

/* What the first line of a field shows so far. */
enum shape { SHAPE_OPEN, SHAPE_FIELD, SHAPE_EMPTY, SHAPE_BODY };

/* The same after byte c, the i-th of its line, was added. */
static enum shape shape_after(struct header_reader *r, size_t i, char c)
{
    bool returned = i > 0 && r->held.p[0] == '\r';

    if (c == '\n')
        return i == (returned ? 1 : 0) ? SHAPE_EMPTY : SHAPE_BODY;
    if (c == '\r' && i == 0)
        return SHAPE_OPEN; /* of an empty line, if a line feed follows */
    if (returned)
        return SHAPE_BODY;
    if (c == ':')
        return i ? SHAPE_FIELD : SHAPE_BODY;
    if (is_blank(c)) {
        r->blank = true;
        return i ? SHAPE_OPEN : SHAPE_BODY;
    }
    return r->blank || !is_name_byte(c) ? SHAPE_BODY : SHAPE_OPEN;
}

/* "From " as mbox files have it before each message, quoted or not: not a
 * field, but no reason to take all fields after it for the body. */
static bool name_mbox_line(struct header_reader *r)
{
    str held = buf_str(&r->held);
    size_t quotes = 0;
    char line[64];

    while (quotes < held.n && held.p[quotes] == '>')
        quotes++;
    if (!r->mbox_lines || held.n >= sizeof(line)
        || !str_eq(str_skip(held, quotes), S("From ")))
        return false;
    memcpy(line, held.p, held.n);
    held.p = line;
    buf_clear(&r->held);
    buf_add(&r->held, S("X-Mailbox-Line: "));
    buf_add(&r->held, held);
    return true;
}

/* Takes bytes of a first line until it is known what it is. */
static enum shape first_line(struct header_reader *r, str *piece)
{
    enum shape shape = SHAPE_OPEN;

    while (piece->n && shape == SHAPE_OPEN) {
        char c = piece->p[0];
        if (r->held.n == r->max / 2)
            return SHAPE_BODY; /* no name is so long */
        buf_byte(&r->held, c);
        *piece = str_skip(*piece, 1);
        shape = shape_after(r, r->held.n - 1, c);
        if (shape == SHAPE_OPEN && c == ' ' && name_mbox_line(r))
            return SHAPE_FIELD;
        r->mbox_lines &= shape != SHAPE_FIELD;
    }
    return shape;
}

/* The field passes its limit: cuts it back to the last whole line if that
 * leaves more than half, else in the midst of the line. */
static void cut_field(struct header_reader *r, str bytes)
{
    size_t max = r->max - 2; /* room for a line end */

    r->cut = true;
    if (r->line > r->max / 2) {
        r->held.n = r->line;
        return;
    }
    if (r->held.n < max)
        buf_add(&r->held, str_head(bytes, max - r->held.n));
    r->held.n = max;
    buf_add(&r->held, S("\r\n"));
}

/* Adds bytes of a field, up to a line's end. */
static void more_of_field(struct header_reader *r, str *piece)
{
    size_t end = str_chr(*piece, '\n');
    str bytes = str_head(*piece, end == STR_NONE ? piece->n : end + 1);

    *piece = str_skip(*piece, bytes.n);
    r->at_line = end != STR_NONE;
    if (r->cut)
        return;
    if (bytes.n > r->max - r->held.n) {
        cut_field(r, bytes);
        return;
    }
    buf_add(&r->held, bytes);
    if (r->at_line)
        r->line = r->held.n;
}

/* Forgets what was handed out. */
static void begin(struct header_reader *r)
{
    must(!r->over);
    if (!r->give)
        return;
    buf_clear(&r->held);
    r->give = r->cut = r->started = r->blank = false;
    r->line = 0;
}

enum header_event header_read(struct header_reader *r, str *piece,
                              struct header_field *field)
{
    begin(r);
    while (piece->n) {
        if (r->started && r->at_line && !is_blank(piece->p[0]))
            return give(r, HEADER_FIELD, field);
        if (r->started) {
            more_of_field(r, piece);
            continue;
        }
        switch (first_line(r, piece)) {
        case SHAPE_OPEN:
            break;
        case SHAPE_FIELD:
            r->started = true;
            r->at_line = false;
            break;
        case SHAPE_EMPTY:
            return give(r, HEADER_END, field);
        case SHAPE_BODY:
            return give(r, HEADER_BODY, field);
        }
    }
    return HEADER_MORE;
}

enum header_event header_finish(struct header_reader *r,
                                struct header_field *field)
{
    begin(r);
    if (r->started)
        return give(r, HEADER_FIELD, field);
    return give(r, r->held.n ? HEADER_BODY : HEADER_END, field);
}

str header_unfold(str value, struct arena *a)
{
    struct buf b;
    size_t i = 0;

    if (str_any(value, S("\r\n")) == STR_NONE)
        return value;
    buf_init(&b, a, value.n + 1);
    while (i < value.n) {
        size_t end = i;
        bool line_end = false;
        while (end < value.n && is_space(value.p[end]))
            line_end |= value.p[end++] == '\n';
        if (line_end)
            buf_byte(&b, ' ');
        else
            buf_add(&b, (str){ value.p + i, end - i });
        for (i = end; i < value.n && !is_space(value.p[i]); i++)
            buf_byte(&b, value.p[i]);
    }
    return str_rtrim(buf_str(&b));
}

static bool is_banned(char c)
{
    return c == '\r' || c == '\n' || c == '\0';
}

static bool is_gap(char c)
{
    return is_blank(c) || is_banned(c);
}

/* Appends the words of value; a word that would pass the column limit goes
 * on a line of its own, behind the blank that was before it. */
static void put_folded(struct buf *to, str value, size_t column)
{
    size_t i = 0;

    while (i < value.n) {
        size_t gap = i, word;
        while (gap < value.n && is_gap(value.p[gap]))
            gap++;
        word = gap;
        while (word < value.n && !is_gap(value.p[word]))
            word++;
        if (gap > i && word > gap && column + (word - i) > LINE_COLUMNS) {
            buf_add(to, S("\r\n"));
            column = 0;
        }
        for (size_t k = i; k < word; k++)
            buf_byte(to, is_banned(value.p[k]) ? ' ' : value.p[k]);
        column += word - i;
        i = word;
    }
}

void header_put(struct buf *to, str name, str value)
{
    must(header_name_valid(name));
    value = str_trim(value);
    buf_add(to, name);
    buf_add(to, S(": "));
    put_folded(to, value, name.n + 2);
    buf_add(to, S("\r\n"));
}

void header_fmt(struct buf *to, str name, const char *fmt, ...)
{
    struct buf b;
    va_list ap;

    buf_init(&b, NULL, FMT_MAX);
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    header_put(to, name, buf_str(&b));
    buf_free(&b);
}
