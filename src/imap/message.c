/* SPDX-License-Identifier: ISC
 *
 * Messages being read.
 */
#include "imap/message.h"

enum {
    ASIDE_SIZE = 128 * 1024,    /* soon looked at: below half a millisecond */
    LARGE_SIZE = 64 * 1024,     /* of a literal that clients ask in pieces */
};

void imap_aside(struct task *t, size_t size, void (*fn)(void *), void *arg)
{
    if (size > ASIDE_SIZE) {
        offload(t, fn, arg);
        return;
    }
    fn(arg);
    task_breathe(t);
}

err imap_message_open(struct task *t, struct view *v, uint32_t seq,
                      struct imap_message *m)
{
    uint32_t uid = view_row(v, seq)->uid;
    err e;

    if (m->uid == uid && !(view_row(v, seq)->bits & ROW_LOST))
        return OK;
    imap_message_close(m);
    e = view_message(t, v, seq, &m->message);
    if (e)
        m->message = (struct message){ .bytes = S("") };
    else
        m->uid = uid;
    return e;
}

void imap_message_close(struct imap_message *m)
{
    message_close(&m->message);
    arena_reset(&m->a);
    buf_free(&m->binary.bytes);
    *m = (struct imap_message){ .message.bytes = S("") };
}

bool imap_message_is_large(const struct imap_message *m)
{
    return m->message.bytes.n > LARGE_SIZE;
}

static void parse(void *arg)
{
    struct imap_message *m = arg;

    m->root = mime_parse(&m->a, m->message.bytes);
}

const struct mime_part *imap_message_tree(struct task *t,
                                          struct imap_message *m)
{
    if (!m->root)
        imap_aside(t, m->message.bytes.n, parse, m);
    return m->root;
}

str imap_message_header(const struct imap_message *m)
{
    return str_head(m->message.bytes, mime_header_size(m->message.bytes));
}

static void count(void *arg)
{
    struct imap_message *m = arg;

    m->whole = mime_span_of(m->message.bytes);
}

struct mime_span imap_message_whole(struct task *t, struct imap_message *m)
{
    if (!m->counted)
        imap_aside(t, m->message.bytes.n, count, m);
    m->counted = true;
    return m->whole;
}

static bool same_span(const struct mime_span *a, const struct mime_span *b)
{
    return a->at == b->at && a->size == b->size;
}

struct walk {
    struct mime_wire wire;
    uint64_t skip;
};

static void skip(void *arg)
{
    struct walk *w = arg;

    mime_wire_skip(&w->wire, w->skip);
}

struct mime_wire imap_message_wire(struct task *t, struct imap_message *m,
                                   const struct mime_span *span,
                                   uint64_t from, uint64_t max)
{
    struct walk w = { mime_wire_of(m->message.bytes, span), from };
    const struct message_spot *s = &m->spot;

    if (same_span(&s->span, span) && s->at <= from) {
        w.wire = s->wire;
        w.skip = from - s->at;
    }
    imap_aside(t, w.wire.bare && w.skip < SIZE_MAX ? (size_t)w.skip : 0,
               skip, &w);
    mime_wire_limit(&w.wire, max);
    return w.wire;
}

void imap_message_stop(struct imap_message *m, const struct mime_span *span,
                       uint64_t at, const struct mime_wire *w)
{
    m->spot = (struct message_spot){ *span, at, *w };
    m->spot.wire.left = mime_wire_size(span) - at;  /* the walk's own limit
                                                       is over */
}

/* --- decoded parts ------------------------------------------------------- */

struct decoding {
    struct imap_message *m;
    const struct mime_part *top;
    bool whole;
    struct message_binary out;
};

/* Bytes [from, to) of the message, CR LF at all line ends. */
static void put_wire(struct decoding *d, size_t from, size_t to)
{
    str s = str_head(str_skip(d->m->message.bytes, from), to - from);

    while (s.n) {
        size_t n = str_chr(s, '\n');
        bool bare = n != STR_NONE && (n == 0 || s.p[n - 1] != '\r');

        buf_add(&d->out.bytes, str_head(s, n));
        if (n != STR_NONE)
            buf_add(&d->out.bytes, bare ? S("\r\n") : S("\n"));
        s = str_skip(s, n == STR_NONE ? s.n : n + 1);
    }
}

/* A header that says what the body is now. */
static void put_header(struct decoding *d, const struct mime_part *p)
{
    str bytes = d->m->message.bytes;
    str rest = str_head(str_skip(bytes, p->header.at), p->header.size);
    struct mime_field f;
    size_t at = p->header.at;

    while (mime_field_next(&rest, &f)) {
        if (str_ieq(f.name, S("Content-Transfer-Encoding")))
            buf_add(&d->out.bytes,
                    S("Content-Transfer-Encoding: binary\r\n"));
        else
            put_wire(d, at, at + f.all.n);
        at += f.all.n;
    }
    put_wire(d, at, p->header.at + p->header.size);
}

static void put_decoded(struct decoding *d, const struct mime_part *p,
                        enum mime_encoding encoding)
{
    str body = str_head(str_skip(d->m->message.bytes, p->body.at),
                        p->body.size);
    struct mime_decoder decoder = mime_decoder_of(encoding);
    struct buf plain;

    buf_init(&plain, NULL, body.n + 1);
    mime_decode(&decoder, body, &plain);
    mime_decode_end(&decoder, &plain);
    if (encoding == MIME_BASE64) {
        buf_add(&d->out.bytes, buf_str(&plain)); /* its LFs are no line
                                                    ends */
    } else {
        struct mime_span all = mime_span_of(buf_str(&plain));
        struct mime_wire w = mime_wire_of(buf_str(&plain), &all);
        char room[4096];
        str piece;

        while ((piece = mime_wire_next(&w, room, sizeof(room))).n)
            buf_add(&d->out.bytes, piece);
    }
    buf_free(&plain);
}

static void decode(void *arg)
{
    struct decoding *d = arg;
    const struct mime_part *top = d->top, *p = top;
    const struct mime_part *end = top;
    str bytes = d->m->message.bytes;
    size_t at = d->whole ? top->header.at : top->body.at;

    while (end && !end->next)
        end = end->parent;
    end = end ? end->next : NULL;       /* the first part that is not ours */
    for (; p && p != end; p = mime_part_after(p)) {
        enum mime_encoding e = mime_encoding_of(
            str_head(str_skip(bytes, p->header.at), p->header.size));

        if (p->kind != MIME_LEAF || e == MIME_IDENTITY)
            continue;
        d->out.unknown |= e == MIME_UNKNOWN;
        d->out.decoded = true;
        if (p != top || d->whole) {
            put_wire(d, at, p->header.at);
            put_header(d, p);
        }
        put_decoded(d, p, e);
        at = p->body.at + p->body.size;
    }
    put_wire(d, at, top->body.at + top->body.size);
    d->out.span = (struct mime_span){ .size = d->out.bytes.n };
    d->out.has_nul = str_chr(buf_str(&d->out.bytes), 0) != STR_NONE;
}

const struct message_binary *imap_message_binary(struct task *t,
                                                 struct imap_message *m,
                                                 const struct mime_part *p,
                                                 bool whole)
{
    struct decoding d = { .m = m, .top = p, .whole = whole };

    if (m->binary.part == p && m->binary.whole == whole)
        return &m->binary;
    buf_free(&m->binary.bytes);
    d.out.part = p;
    d.out.whole = whole;
    buf_init(&d.out.bytes, NULL, m->message.bytes.n * 2 + 64);
    imap_aside(t, m->message.bytes.n, decode, &d);
    m->binary = d.out;
    return &m->binary;
}
