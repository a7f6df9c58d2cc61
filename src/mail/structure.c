/* SPDX-License-Identifier: ISC
 *
 * ENVELOPE and BODYSTRUCTURE.  The tree is walked by its pointers, without
 * recursion: a part writes what comes before its children when it is entered
 * and the rest when it is left.
 */
#include "mail/structure.h"

#include "mail/address.h"

enum { ITEMS_BYTES = 64 * 1024 };   /* of addresses held at a time */

void structure_string(struct buf *to, str s)
{
    bool plain = s.n <= 4096;
    size_t n_nul = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        n_nul += c == 0;
        plain = plain && c < 128 && c != '\r' && c != '\n';
    }
    if (plain)
        buf_byte(to, '"');
    else
        buf_fmt(to, "{%zu}\r\n", s.n - n_nul);
    while (s.n) {
        size_t at = plain ? str_any(s, str_of("\"\\\0", 3)) : str_chr(s, 0);
        buf_add(to, str_head(s, at));
        if (at == STR_NONE)
            break;
        if (s.p[at]) {
            buf_byte(to, '\\');
            buf_byte(to, s.p[at]);
        }
        s = str_skip(s, at + 1);
    }
    if (plain)
        buf_byte(to, '"');
}

void structure_nstring(struct buf *to, str s)
{
    if (s.n)
        structure_string(to, s);
    else
        buf_add(to, S("NIL"));
}

/* One (name route mailbox host) of an address list. */
static void put_address(struct buf *to, const struct address_item *it,
                        str text)
{
    str local = it->address.local;

    if (it->bad)
        local = str_trim(str_head(str_skip(text, it->from),
                                  it->to - it->from));
    buf_byte(to, '(');
    if (it->kind != ITEM_MAILBOX) {
        buf_add(to, S("NIL NIL "));
        structure_nstring(to, it->kind == ITEM_GROUP ? it->name : S(""));
        buf_add(to, S(" NIL)"));
        return;
    }
    structure_nstring(to, it->name);
    buf_byte(to, ' ');
    structure_nstring(to, it->route);
    buf_byte(to, ' ');
    structure_nstring(to, local);
    buf_byte(to, ' ');
    /* NIL would begin a group */
    structure_string(to, it->address.domain.n ? it->address.domain
                                              : S("MISSING_DOMAIN"));
    buf_byte(to, ')');
}

/* The addresses of one field; *any: a list was begun.  Each is forgotten
 * once it is written: a header may hold a million of them. */
static void put_addresses(struct buf *to, struct arena *items, str value,
                          bool *any)
{
    struct arena whole;
    struct address_list l;
    struct address_item it;
    str text;

    arena_init(&whole, 0);
    text = mime_unfold(&whole, value);
    l = address_list_of(text);
    while (to->n < STRUCTURE_LISTS_MAX && address_list_next(&l, items, &it)) {
        if (!*any)
            buf_byte(to, '(');
        *any = true;
        put_address(to, &it, text);
        if (items->used > ITEMS_BYTES)
            arena_reset(items);
    }
    /* a group that the bound, or the field's end, cut */
    if (l.in_group)
        buf_add(to, S("(NIL NIL NIL NIL)"));
    arena_reset(&whole);
}

static void put_field(struct buf *to, struct arena *scratch, str header,
                      str name)
{
    str value = S("");

    if (mime_field_find(header, name, &value))
        structure_string(to, mime_unfold(scratch, value));
    else
        buf_add(to, S("NIL"));
}

/* All fields of that name together make the list.  False, with nothing
 * appended, if there is no address in it. */
static bool put_list(struct buf *to, str header, str name)
{
    struct mime_field f;
    struct arena items;
    bool any = false;

    arena_init(&items, 0);
    while (mime_field_next(&header, &f))
        if (str_ieq(f.name, name))
            put_addresses(to, &items, f.value, &any);
    if (any)
        buf_byte(to, ')');
    arena_reset(&items);
    return any;
}

void structure_envelope(struct buf *to, struct arena *scratch, str header)
{
    static const str lists[] = { S_INIT("From"), S_INIT("Sender"),
                                 S_INIT("Reply-To"), S_INIT("To"),
                                 S_INIT("Cc"), S_INIT("Bcc") };

    buf_byte(to, '(');
    put_field(to, scratch, header, S("Date"));
    buf_byte(to, ' ');
    put_field(to, scratch, header, S("Subject"));
    for (size_t i = 0; i < 6; i++) {
        buf_byte(to, ' ');
        if (put_list(to, header, lists[i]))
            continue;
        /* Sender and Reply-To are From unless they say otherwise */
        if ((i != 1 && i != 2) || !put_list(to, header, lists[0]))
            buf_add(to, S("NIL"));
    }
    buf_byte(to, ' ');
    put_field(to, scratch, header, S("In-Reply-To"));
    buf_byte(to, ' ');
    put_field(to, scratch, header, S("Message-ID"));
    buf_byte(to, ')');
}

/* "(name value ...)" or NIL. */
static void put_params(struct buf *to, struct arena *scratch,
                       struct mime_value *v, bool charset)
{
    bool any = false;

    mime_params_join(scratch, v);

    for (size_t i = 0; i < v->n; i++) {
        buf_byte(to, any ? ' ' : '(');
        any = true;
        structure_string(to, v->params[i].name);
        buf_byte(to, ' ');
        structure_string(to, v->params[i].value);
        charset = charset && !str_ieq(v->params[i].name, S("charset"));
    }
    if (charset) {
        buf_add(to, any ? S(" ") : S("("));
        any = true;
        buf_add(to, S("\"charset\" \"us-ascii\""));
    }
    buf_add(to, any ? S(")") : S("NIL"));
}

static void put_disposition(struct buf *to, struct arena *scratch,
                            str header)
{
    struct mime_value v;
    str value;

    if (!mime_field_find(header, S("Content-Disposition"), &value)
        || !mime_value_parse(scratch, value, &v)) {
        buf_add(to, S("NIL"));
        return;
    }
    buf_byte(to, '(');
    structure_string(to, v.head);
    buf_byte(to, ' ');
    put_params(to, scratch, &v, false);
    buf_byte(to, ')');
}

static void put_language(struct buf *to, str header)
{
    str value = S(""), one;
    bool any = false;

    if (!mime_field_find(header, S("Content-Language"), &value)
        || !str_trim(value).n) {
        buf_add(to, S("NIL"));
        return;
    }
    while (str_token(&value, S(" \t\r\n,"), &one)) {
        buf_byte(to, any ? ' ' : '(');
        any = true;
        structure_string(to, one);
    }
    buf_add(to, any ? S(")") : S("NIL"));
}

static void put_nfield(struct buf *to, struct arena *scratch, str header,
                       str name)
{
    str value = S("");

    buf_byte(to, ' ');
    if (mime_field_find(header, name, &value))
        value = mime_unfold(scratch, value);
    structure_nstring(to, value);
}

/* Disposition, language, location: the end of every extended form. */
static void put_extension(struct buf *to, struct arena *scratch, str header)
{
    buf_byte(to, ' ');
    put_disposition(to, scratch, header);
    buf_byte(to, ' ');
    put_language(to, header);
    put_nfield(to, scratch, header, S("Content-Location"));
}

static str part_header(str message, const struct mime_part *p)
{
    return str_head(str_skip(message, p->header.at), p->header.size);
}

static void put_encoding(struct buf *to, struct arena *scratch, str header)
{
    struct mime_value v;
    str value;

    buf_byte(to, ' ');
    if (mime_field_find(header, S("Content-Transfer-Encoding"), &value)
        && mime_value_parse(scratch, value, &v))
        structure_string(to, v.head);
    else
        buf_add(to, S("\"7bit\""));
}

/* Also one whose boundary is missing or was never found. */
static bool is_multipart(const struct mime_part *p,
                         const struct mime_value *type)
{
    return p->kind == MIME_MULTIPART
           || (p->kind == MIME_LEAF
               && str_ieq(type->head, S("multipart")));
}

/* What comes before a part's children. */
static void enter(struct buf *to, struct arena *scratch, str message,
                  const struct mime_part *p)
{
    str header = part_header(message, p), given;
    struct mime_value type;

    buf_byte(to, '(');
    mime_type_of(scratch, header, &type);
    if (is_multipart(p, &type))
        return;
    if (p->kind == MIME_MESSAGE
        && !mime_field_find(header, S("Content-Type"), &given)) {
        type.head = S("message");   /* in a digest */
        type.sub = S("rfc822");
    }
    structure_string(to, type.head);
    buf_byte(to, ' ');
    structure_string(to, type.sub);
    buf_byte(to, ' ');
    put_params(to, scratch, &type, str_ieq(type.head, S("text")));
    put_nfield(to, scratch, header, S("Content-ID"));
    put_nfield(to, scratch, header, S("Content-Description"));
    put_encoding(to, scratch, header);
    buf_fmt(to, " %" PRIu64, mime_wire_size(&p->body));
    if (p->kind == MIME_MESSAGE) {
        buf_byte(to, ' ');
        structure_envelope(to, scratch, part_header(message, p->first));
        buf_byte(to, ' ');
    } else if (str_ieq(type.head, S("text"))) {
        buf_fmt(to, " %" PRIu64, p->body.lines);
    }
}

/* What comes after them. */
static void leave(struct buf *to, struct arena *scratch, str message,
                  const struct mime_part *p, bool extended)
{
    str header = part_header(message, p);
    struct mime_value type;

    mime_type_of(scratch, header, &type);
    if (is_multipart(p, &type)) {
        if (!p->n) {
            buf_add(to, S("(\"text\" \"plain\" (\"charset\" \"us-ascii\")"
                          " NIL NIL \"7bit\" 0 0"));
            buf_add(to, extended ? S(" NIL NIL NIL NIL)") : S(")"));
        }
        buf_byte(to, ' ');
        structure_string(to, type.sub);
        if (extended) {
            buf_byte(to, ' ');
            put_params(to, scratch, &type, false);
        }
    } else {
        if (p->kind == MIME_MESSAGE)
            buf_fmt(to, " %" PRIu64, p->body.lines);
        if (extended)
            put_nfield(to, scratch, header, S("Content-MD5"));
    }
    if (extended)
        put_extension(to, scratch, header);
    buf_byte(to, ')');
}

void structure_body(struct buf *to, struct arena *scratch, str message,
                    const struct mime_part *root, bool extended)
{
    const struct mime_part *p = root;

    for (;;) {
        enter(to, scratch, message, p);
        if (p->first) {
            p = p->first;
            continue;
        }
        leave(to, scratch, message, p, extended);
        while (p != root && !p->next) {
            p = p->parent;
            leave(to, scratch, message, p, extended);
        }
        if (p == root)
            return;
        p = p->next;
    }
}
