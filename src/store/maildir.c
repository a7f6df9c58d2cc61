/* SPDX-License-Identifier: ISC
 *
 * Maildir names.
 */
#include "store/maildir.h"

static const struct {
    char letter;
    uint8_t flag;
} letters[] = {
    { 'D', FLAG_DRAFT }, { 'F', FLAG_FLAGGED }, { 'R', FLAG_ANSWERED },
    { 'S', FLAG_SEEN }, { 'T', FLAG_DELETED },
};

enum { N_LETTERS = sizeof(letters) / sizeof(letters[0]) };

str maildir_base(str name)
{
    return str_head(name, str_chr(name, ':'));
}

void maildir_arrival(str name, uint64_t *seconds, uint32_t *us)
{
    struct scan s = scan_of(name);
    uint64_t n;

    *seconds = 0;
    *us = 0;
    if (!scan_uint(&s, INT64_MAX, seconds)) {
        *seconds = 0;
        return;
    }
    if (scan_byte(&s, '.') && scan_byte(&s, 'M')
        && scan_uint(&s, 999999, &n))
        *us = (uint32_t)n;
}

uint64_t maildir_wire_size(const struct maildir_name *n, uint64_t size)
{
    bool good = n->has_wire && (!n->has_size || n->size == size)
                && n->wire >= size && n->wire <= 2 * size;

    return good ? n->wire : 0;
}

void maildir_base_sized(struct buf *to, str base, uint64_t size,
                        uint64_t wire)
{
    str field;

    str_cut(&base, ',', &field);
    buf_add(to, field);
    while (str_cut(&base, ',', &field))
        if (!str_starts(field, S("S=")) && !str_starts(field, S("W=")))
            buf_fmt(to, ",%.*s", STR(field));
    buf_fmt(to, ",S=%" PRIu64 ",W=%" PRIu64, size, wire);
}

/* The letters after ":2,"; false if there is no such thing. */
static bool info_of(str name, str *info)
{
    str rest = str_skip(name, maildir_base(name).n);

    if (!str_starts(rest, S(":2,")))
        return false;
    *info = str_skip(rest, 3);
    return true;
}

static uint8_t flag_of(char letter)
{
    for (size_t i = 0; i < N_LETTERS; i++)
        if (letters[i].letter == letter)
            return letters[i].flag;
    return 0;
}

/* ",S=1234" among the comma fields of a base. */
static bool size_of(str base, char key, uint64_t *size)
{
    str field;

    str_cut(&base, ',', &field);
    while (str_cut(&base, ',', &field))
        if (field.n > 2 && field.p[0] == key && field.p[1] == '='
            && str_uint(str_skip(field, 2), INT64_MAX, size))
            return true;
    return false;
}

bool maildir_name_parse(str name, struct maildir_name *out)
{
    str info;

    *out = (struct maildir_name){ .base = maildir_base(name) };
    if (!out->base.n || name.p[0] == '.' || name.n > MAILDIR_NAME_MAX
        || str_any(name, str_of("/\n\0", 3)) != STR_NONE)
        return false;
    out->has_size = size_of(out->base, 'S', &out->size);
    out->has_wire = size_of(out->base, 'W', &out->wire);
    out->has_info = info_of(name, &info);
    if (!out->has_info)
        return true;
    for (size_t i = 0; i < info.n; i++) {
        char c = info.p[i];
        if (c >= 'a' && c <= 'z')
            out->keywords |= UINT64_C(1) << (c - 'a');
        else
            out->flags |= flag_of(c);
    }
    return true;
}

void maildir_name_put(struct buf *to, str name, uint8_t flags,
                      uint64_t keywords)
{
    bool letter[128] = { false };
    str info;

    buf_add(to, maildir_base(name));
    buf_add(to, S(":2,"));
    if (info_of(name, &info))
        for (size_t i = 0; i < info.n; i++) {
            char c = info.p[i];
            if (is_alpha(c) && !(c >= 'a' && c <= 'z') && !flag_of(c))
                letter[(unsigned char)c] = true;
        }
    for (size_t i = 0; i < N_LETTERS; i++)
        if (flags & letters[i].flag)
            letter[(unsigned char)letters[i].letter] = true;
    for (size_t i = 0; i < MAILDIR_LETTERS; i++)
        if (keywords >> i & 1)
            letter['a' + i] = true;
    for (size_t i = 0; i < sizeof(letter); i++)
        if (letter[i])
            buf_byte(to, (char)i);
}

void maildir_host_put(struct buf *to, str host)
{
    for (size_t i = 0; i < host.n; i++) {
        if (host.p[i] == '/')
            buf_add(to, S("\\057"));
        else if (host.p[i] == ':')
            buf_add(to, S("\\072"));
        else if ((unsigned char)host.p[i] > ' ' && host.p[i] != ',')
            buf_byte(to, host.p[i]);
    }
}
