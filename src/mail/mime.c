/* SPDX-License-Identifier: ISC
 *
 * The part tree: one pass over the lines, a stack of open parts by their
 * parent pointers.
 *
 * A line that starts with "--" is compared with the boundaries of all open
 * multiparts, innermost first; the line end before a boundary belongs to the
 * boundary (RFC 2046 section 5.1.1).  An inner multipart that is not closed
 * ends where its parent's next boundary stands.
 */
#include "mail/mime.h"

size_t mime_header_size(str message)
{
    size_t at = 0;

    while (at < message.n) {
        str line = str_skip(message, at);
        size_t lf = str_chr(line, '\n');

        if (lf == STR_NONE)
            return message.n;
        at += lf + 1;
        if (lf == 0 || (lf == 1 && line.p[0] == '\r'))
            return at;
    }
    return at;
}

static bool is_empty_line(str s)
{
    return str_starts(s, S("\n")) || str_starts(s, S("\r\n"));
}

/* The end of the line that starts s, its LF included. */
static size_t line_size(str s)
{
    size_t lf = str_chr(s, '\n');

    return lf == STR_NONE ? s.n : lf + 1;
}

static str without_line_end(str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

bool mime_field_next(str *rest, struct mime_field *out)
{
    size_t n, colon;

    if (rest->n == 0 || is_empty_line(*rest))
        return false;
    n = line_size(*rest);
    while (n < rest->n && is_blank(rest->p[n]))
        n += line_size(str_skip(*rest, n));
    out->all = str_head(*rest, n);
    *rest = str_skip(*rest, n);
    out->value = without_line_end(out->all);
    colon = str_any(out->value, S(":\n"));
    out->name = S("");
    if (colon != STR_NONE && out->value.p[colon] == ':') {
        out->name = str_rtrim(str_head(out->value, colon));
        out->value = str_skip(out->value, colon + 1);
    }
    return true;
}

bool mime_field_find(str header, str name, str *value)
{
    struct mime_field f;

    while (mime_field_next(&header, &f)) {
        if (str_ieq(f.name, name)) {
            *value = f.value;
            return true;
        }
    }
    return false;
}

str mime_unfold(struct arena *a, str value)
{
    struct buf b;
    size_t at;

    value = str_trim(value);
    if (str_any(value, S("\r\n")) == STR_NONE)
        return value;
    buf_init(&b, a, value.n);
    while ((at = str_any(value, S("\r\n"))) != STR_NONE) {
        size_t blanks = str_span(str_skip(value, at), S(" \t\r\n"));

        buf_add(&b, str_head(value, at));
        buf_byte(&b, ' ');
        value = str_skip(value, at + blanks);
    }
    buf_add(&b, value);
    return buf_str(&b);
}

struct mime_span mime_span_of(str bytes)
{
    struct mime_span s = { .size = bytes.n };
    const char *p = bytes.p, *end = bytes.p + bytes.n;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        s.lines++;
        s.bare += p == bytes.p || p[-1] != '\r';
        p++;
    }
    return s;
}

/* Where the scanner is: a place in the message with the counts up to it. */
struct mark {
    size_t at;
    uint64_t bare, lines;
};

struct parse {
    struct arena *a;
    str message;
    struct mark now;
    struct mark before;     /* now, without the line end just before it */
    struct open *top;
    struct open *spare;
    struct mime_part *root;
    size_t n_parts, depth;
};

/* An open part: where its header and body began, its boundary. */
struct open {
    struct open *up;
    struct mime_part *part;
    struct mark begin;
    bool in_header;
    bool closed;            /* the closing boundary was seen: epilogue */
    str boundary;           /* multiparts only */
};

static struct mime_span span_between(struct mark from, struct mark to)
{
    if (to.at < from.at)
        to = from;
    return (struct mime_span){ from.at, to.at - from.at,
                               to.bare - from.bare, to.lines - from.lines };
}

static void part_open(struct parse *p, struct mime_part *parent)
{
    struct mime_part *part = arena_new(p->a, struct mime_part);
    struct open *o = p->spare;

    if (o)
        p->spare = o->up;
    else
        o = arena_new(p->a, struct open);
    *o = (struct open){ .up = p->top, .part = part, .begin = p->now,
                        .in_header = true };
    part->parent = parent;
    part->number = 1;
    part->header.at = p->now.at;
    if (parent) {
        part->number = ++parent->n;
        if (parent->last)
            parent->last->next = part;
        else
            parent->first = part;
        parent->last = part;
    }
    p->top = o;
    p->n_parts++;
    p->depth++;
}

/* The top part ends at mark end.  One whose header was never ended by an
 * empty line is all header. */
static void part_close(struct parse *p, struct mark end)
{
    struct open *o = p->top;

    if (o->in_header) {
        o->part->header = span_between(o->begin, end);
        o->begin = end;
    }
    o->part->body = span_between(o->begin, end);
    p->top = o->up;
    o->up = p->spare;
    p->spare = o;
    p->depth--;
}

/* The header is complete: what kind of part is it? */
static void header_done(struct parse *p)
{
    struct open *o = p->top;
    struct mime_part *part = o->part;
    struct mime_value type;
    str header;
    bool deeper = p->depth < MIME_DEPTH_MAX && p->n_parts < MIME_PARTS_MAX;

    part->header = span_between(o->begin, p->now);
    o->begin = p->now;
    o->in_header = false;
    header = str_head(str_skip(p->message, part->header.at),
                      part->header.size);
    mime_type_of(p->a, header, &type);
    if (part->parent && part->parent->digest
        && !mime_field_find(header, S("Content-Type"), &header)) {
        type.head = S("message");
        type.sub = S("rfc822");
    }
    if (str_ieq(type.head, S("multipart"))) {
        if (!mime_param_find(p->a, &type, S("boundary"), &o->boundary)
            || !o->boundary.n || !deeper) {
            o->boundary = S("");
            return;
        }
        part->kind = MIME_MULTIPART;
        part->digest = str_ieq(type.sub, S("digest"));
    } else if (str_ieq(type.head, S("message")) && deeper
               && (str_ieq(type.sub, S("rfc822"))
                   || str_ieq(type.sub, S("global")))) {
        part->kind = MIME_MESSAGE;
        part_open(p, part);
    }
}

enum boundary { NO_BOUNDARY, NEXT_PART, LAST_PART };

static enum boundary boundary_kind(str line, str boundary)
{
    line = str_skip(line, 2);
    if (!boundary.n || !str_starts(line, boundary))
        return NO_BOUNDARY;
    line = str_skip(line, boundary.n);
    if (str_starts(line, S("--")))
        return LAST_PART;
    return str_span(line, S(" \t\r\n")) == STR_NONE ? NEXT_PART : NO_BOUNDARY;
}

/* Closes what a boundary line ends; the line itself was taken, p->before is
 * the end of what came before it.  True if it was a boundary. */
static bool boundary_line(struct parse *p, str line, struct mark after)
{
    enum boundary kind = NO_BOUNDARY;
    struct open *o;

    for (o = p->top; o; o = o->up)
        if (!o->in_header && !o->closed
            && (kind = boundary_kind(line, o->boundary)) != NO_BOUNDARY)
            break;
    if (!o)
        return false;
    while (p->top != o)
        part_close(p, p->before);
    p->now = after;
    p->before = after;
    if (kind == LAST_PART)
        o->closed = true;
    else if (p->n_parts < MIME_PARTS_MAX && p->depth < MIME_DEPTH_MAX)
        part_open(p, o->part);
    return true;
}

/* Takes one line. */
static void take_line(struct parse *p)
{
    str rest = str_skip(p->message, p->now.at);
    str line = str_head(rest, line_size(rest));
    str text = without_line_end(line);
    bool crlf = line.n - text.n == 2;
    bool ended = line.n && line.p[line.n - 1] == '\n';
    struct mark after = { p->now.at + line.n,
                          p->now.bare + (ended && !crlf),
                          p->now.lines + ended };

    if (str_starts(line, S("--")) && boundary_line(p, line, after))
        return;
    p->before = (struct mark){ p->now.at + text.n, p->now.bare,
                               p->now.lines };
    p->now = after;
    if (p->top->in_header && text.n == 0 && ended) {
        p->before = after;  /* the empty line is the header's */
        header_done(p);
    }
}

/* Whether any open part looks at lines: a header or a boundary. */
static bool lines_matter(const struct parse *p)
{
    for (const struct open *o = p->top; o; o = o->up)
        if (o->in_header || (o->boundary.n && !o->closed))
            return true;
    return false;
}

struct mime_part *mime_parse(struct arena *a, str message)
{
    struct parse p = { .a = a, .message = message };

    part_open(&p, NULL);
    p.root = p.top->part;
    while (p.now.at < message.n && lines_matter(&p))
        take_line(&p);
    if (p.now.at < message.n) {
        struct mime_span s = mime_span_of(str_skip(message, p.now.at));
        p.now.at += s.size;
        p.now.bare += s.bare;
        p.now.lines += s.lines;
    }
    while (p.top) {
        if (p.top->in_header)
            header_done(&p);    /* no empty line: all of it is header */
        part_close(&p, p.now);
    }
    return p.root;
}

const struct mime_part *mime_part_find(const struct mime_part *root,
                                       const uint32_t *path, size_t n)
{
    const struct mime_part *p = root;
    bool whole = true;      /* p is a message: numbers go into it */

    for (size_t i = 0; i < n; i++) {
        if (!whole && p->kind == MIME_LEAF)
            return NULL;
        if (!whole && p->kind == MIME_MESSAGE)
            p = p->first;
        whole = false;
        if (p->kind == MIME_MULTIPART) {
            for (p = p->first; p && p->number != path[i];)
                p = p->next;
            if (!p)
                return NULL;
        } else if (path[i] != 1) {
            return NULL;
        }
    }
    return p;
}

const struct mime_part *mime_part_after(const struct mime_part *p)
{
    if (p->first)
        return p->first;
    while (p && !p->next)
        p = p->parent;
    return p ? p->next : NULL;
}

struct mime_wire mime_wire_of(str message, const struct mime_span *s)
{
    must(s->at + s->size <= message.n);
    return (struct mime_wire){
        .rest = str_head(str_skip(message, s->at), s->size),
        .left = mime_wire_size(s),
        .bare = s->bare > 0,
    };
}

void mime_wire_skip(struct mime_wire *w, uint64_t n)
{
    uint64_t left = w->left;
    char room[4096];

    if (n > left)
        n = left;
    if (!w->bare) {
        w->rest = str_skip(w->rest, (size_t)n);
    } else {
        w->left = n;
        while (mime_wire_next(w, room, sizeof(room)).n)
            continue;
    }
    w->left = left - n;
}

str mime_wire_next(struct mime_wire *w, char *room, size_t size)
{
    str piece;
    size_t n = 0, cap;

    must(size >= 2);
    if (w->left == 0 || (w->rest.n == 0 && !w->half))
        return S("");
    if (w->half) {
        w->half = false;
        w->left--;
        room[0] = '\n';
        return str_of(room, 1);
    }
    if (!w->bare) {
        piece = str_head(w->rest, w->left < size ? (size_t)w->left : size);
        w->rest = str_skip(w->rest, piece.n);
        w->left -= piece.n;
        return piece;
    }
    cap = w->left < size ? (size_t)w->left : size;
    while (n < cap && w->rest.n) {
        str line = str_head(w->rest, str_chr(w->rest, '\n'));

        line = str_head(line, cap - n);
        memcpy(room + n, line.p, line.n);
        n += line.n;
        if (line.n)
            w->after_cr = line.p[line.n - 1] == '\r';
        w->rest = str_skip(w->rest, line.n);
        if (n == cap || !w->rest.n)
            break;
        /* a line end */
        w->half = !w->after_cr;
        w->after_cr = false;
        w->rest = str_skip(w->rest, 1);
        if (w->half)
            room[n++] = '\r';
        if (n < cap) {
            room[n++] = '\n';
            w->half = false;
        }
    }
    w->left -= n;
    return str_of(room, n);
}
