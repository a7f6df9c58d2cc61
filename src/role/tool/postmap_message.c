/* SPDX-License-Identifier: ISC
 *
 * A message as header_checks(5) and body_checks(5) see it: one key a header
 * field with its folds, one key a line of body.
 */
#include "role/tool/postmap.h"

#include "mail/mime.h"

struct cutter {
    struct arena *arena;
    str message;
    size_t at;            /* what lies before was cut */
    bool headers, bodies;
    vec_of(str) keys;
};

static str without_end(str line)
{
    if (line.n && line.p[line.n - 1] == '\n')
        line.n--;
    return line;
}

static void push(struct cutter *c, str key)
{
    vec_push(c->arena, &c->keys, key);
}

/* Lines of body up to a place. */
static void cut_body(struct cutter *c, size_t end)
{
    str rest = str_skip(str_head(c->message, end), c->at);
    str line;

    c->at = end;
    if (rest.n && rest.p[rest.n - 1] == '\n')
        rest.n--;
    else if (!rest.n)
        return;
    while (c->bodies && str_cut(&rest, '\n', &line))
        push(c, line);
}

/* The fields of a header that starts here and ends at a place.  What follows
 * its last field is body: the empty line, or one that there is none. */
static void cut_header(struct cutter *c, size_t end)
{
    str rest = str_skip(str_head(c->message, end), c->at);
    struct mime_field field;
    bool empty_line;

    for (;;) {
        str before = rest;
        if (!mime_field_next(&rest, &field))
            break;
        if (str_empty(field.name)) {
            rest = before;
            break;
        }
        if (c->headers)
            push(c, without_end(field.all));
    }
    c->at = end - rest.n;
    empty_line = rest.n && rest.p[0] == '\n';
    if (!empty_line && c->bodies && c->at < c->message.n)
        push(c, S(""));
    cut_body(c, end);
}

/* Whether the part's header counts as one: those of the message itself, of
 * its parts, and of messages inside. */
static void cut_parts(struct cutter *c, const struct mime_part *root)
{
    for (const struct mime_part *p = root; p; p = mime_part_after(p)) {
        if (p->header.at < c->at || p->header.size == 0)
            continue;
        cut_body(c, p->header.at);
        cut_header(c, p->header.at + p->header.size);
    }
}

void postmap_message(struct arena *a, str message, bool headers, bool bodies,
                     bool mime, struct postmap_keys *out)
{
    struct cutter c = { .arena = a, .message = message, .headers = headers,
                        .bodies = bodies };

    cut_header(&c, mime_header_size(message));
    if (mime)
        cut_parts(&c, mime_parse(a, message));
    cut_body(&c, message.n);
    *out = (struct postmap_keys){ c.keys.p, c.keys.n };
}
