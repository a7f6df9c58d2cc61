/* SPDX-License-Identifier: ISC
 *
 * Character sets by table and by iconv.  A character that a piece cuts in
 * two is held, at most HELD_MAX bytes, until the next piece.
 */
#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

enum { HELD_MAX = 16, NAME_MAX_ = 40 };

/* The upper halves: 128 code points each, 0 where there is none. */
#define CHARSET(id, ...) static const uint16_t table_##id[128] = {__VA_ARGS__};
#include "mail/charset_tables.def"
#undef CHARSET

static const struct known {
    str name;
    const uint16_t *upper;      /* NULL: UTF-8 */
} known[] = {
    { S_INIT("utf-8"), NULL },
    { S_INIT("utf8"), NULL },
    { S_INIT("us-ascii"), NULL },
    { S_INIT("ascii"), NULL },
    { S_INIT("ansi_x3.4-1968"), NULL },
    { S_INIT("latin1"), table_cp1252 },
    /* what calls itself ISO 8859-1 is Windows-1252 where they differ */
    { S_INIT("iso-8859-1"), table_cp1252 },
    { S_INIT("iso8859-1"), table_cp1252 },
    { S_INIT("iso-8859-2"), table_iso8859_2 },
    { S_INIT("iso-8859-3"), table_iso8859_3 },
    { S_INIT("iso-8859-4"), table_iso8859_4 },
    { S_INIT("iso-8859-5"), table_iso8859_5 },
    { S_INIT("iso-8859-6"), table_iso8859_6 },
    { S_INIT("iso-8859-7"), table_iso8859_7 },
    { S_INIT("iso-8859-8"), table_iso8859_8 },
    { S_INIT("iso-8859-8-i"), table_iso8859_8 },
    { S_INIT("iso-8859-9"), table_iso8859_9 },
    { S_INIT("iso-8859-10"), table_iso8859_10 },
    { S_INIT("iso-8859-13"), table_iso8859_13 },
    { S_INIT("iso-8859-14"), table_iso8859_14 },
    { S_INIT("iso-8859-15"), table_iso8859_15 },
    { S_INIT("iso-8859-16"), table_iso8859_16 },
    { S_INIT("windows-1250"), table_cp1250 },
    { S_INIT("windows-1251"), table_cp1251 },
    { S_INIT("windows-1252"), table_cp1252 },
    { S_INIT("windows-1253"), table_cp1253 },
    { S_INIT("windows-1254"), table_cp1254 },
    { S_INIT("windows-1255"), table_cp1255 },
    { S_INIT("windows-1256"), table_cp1256 },
    { S_INIT("windows-1257"), table_cp1257 },
    { S_INIT("windows-1258"), table_cp1258 },
    { S_INIT("koi8-r"), table_koi8_r },
    { S_INIT("koi8-u"), table_koi8_u },
};

struct charset {
    const uint16_t *upper;
    iconv_t iconv;              /* (iconv_t)-1: by table or UTF-8 */
    char held[HELD_MAX];
    size_t n_held;
};

static void charset_close(void *object)
{
    struct charset *c = object;

    if (c->iconv != (iconv_t)-1)
        iconv_close(c->iconv);
}

static const struct known *known_find(str name)
{
    if (!name.n)
        return &known[0];
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_ieq(known[i].name, name))
            return &known[i];
    return NULL;
}

/* iconv takes names and options ("//TRANSLIT") in one string: only letters,
 * digits and the usual signs get there. */
static iconv_t iconv_find(str name)
{
    char c_name[NAME_MAX_ + 1];

    if (name.n > NAME_MAX_)
        return (iconv_t)-1;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_alnum(name.p[i])
            && str_chr(S("-_:.+"), name.p[i]) == STR_NONE)
            return (iconv_t)-1;
        c_name[i] = name.p[i];
    }
    c_name[name.n] = 0;
    return iconv_open("UTF-8", c_name);
}

struct charset *charset_open(struct arena *a, str name)
{
    const struct known *k = known_find(name);
    iconv_t cd = k ? (iconv_t)-1 : iconv_find(name);
    struct charset *c;

    if (!k && cd == (iconv_t)-1)
        return NULL;
    c = arena_new(a, struct charset);
    c->upper = k ? k->upper : NULL;
    c->iconv = cd;
    if (cd != (iconv_t)-1)
        arena_own(a, charset_close, c);
    return c;
}

static void convert_table(const uint16_t *upper_half, str s, struct buf *to)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 128)
            buf_byte(to, (char)c);
        else
            utf8_put(to, upper_half[c - 128] ? upper_half[c - 128] : 0xfffd);
    }
}

/* Whether s is the proper beginning of a character and no more. */
static bool is_cut(str s)
{
    unsigned char c = s.n ? (unsigned char)s.p[0] : 0;
    size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

    return s.n < need;
}

/* Copies what is well-formed; returns what is left at the end. */
static str convert_utf8(str s, bool last, struct buf *to)
{
    while (s.n) {
        str before = s;
        uint32_t code;
        size_t plain = 0;

        while (plain < s.n && (unsigned char)s.p[plain] < 128)
            plain++;
        buf_add(to, str_head(s, plain));
        s = str_skip(s, plain);
        if (!s.n)
            break;
        before = s;
        if (!last && is_cut(s))
            return s;
        utf8_put(to, utf8_next(&s, &code) ? code : 0xfffd);
        must(s.n < before.n);
    }
    return S("");
}

static str convert_iconv(iconv_t cd, str s, bool last, struct buf *to)
{
    char out[1024];

    while (s.n) {
        char *from = (char *)(uintptr_t)s.p, *at = out;
        size_t n_from = s.n, n_out = sizeof(out);
        size_t done = iconv(cd, &from, &n_from, &at, &n_out);
        int number = done == (size_t)-1 ? errno : 0;

        buf_add(to, str_of(out, sizeof(out) - n_out));
        s = str_skip(s, s.n - n_from);
        if (number == EINVAL && !last && s.n <= HELD_MAX)
            return s;
        if (number && number != E2BIG && s.n) {
            utf8_put(to, 0xfffd);
            s = str_skip(s, 1);
        }
    }
    return S("");
}

static str convert(struct charset *c, str s, bool last, struct buf *to)
{
    if (c->iconv != (iconv_t)-1)
        return convert_iconv(c->iconv, s, last, to);
    if (!c->upper)
        return convert_utf8(s, last, to);
    convert_table(c->upper, s, to);
    return S("");
}

void charset_convert(struct charset *c, str piece, bool last, struct buf *to)
{
    str left;

    /* first complete what was cut, byte by byte */
    while (c->n_held && piece.n && c->n_held < HELD_MAX) {
        c->held[c->n_held++] = piece.p[0];
        piece = str_skip(piece, 1);
        left = convert(c, str_of(c->held, c->n_held), false, to);
        if (left.n)
            memmove(c->held, left.p, left.n);
        c->n_held = left.n;
    }
    if (c->n_held && (last || piece.n)) {
        left = convert(c, str_of(c->held, c->n_held), true, to);
        c->n_held = 0;
    }
    left = convert(c, piece, last, to);
    must(left.n <= HELD_MAX);
    if (left.n) {
        memcpy(c->held, left.p, left.n);
        c->n_held = left.n;
    }
}

void charset_to_utf8(str name, str s, struct buf *to)
{
    struct arena a;
    struct charset *c;

    arena_init(&a, 0);
    c = charset_open(&a, name);
    if (!c)
        c = charset_open(&a, S("utf-8"));
    charset_convert(c, s, true, to);
    arena_reset(&a);
}

bool charset_known(str name)
{
    struct arena a;
    bool is_known;

    arena_init(&a, 0);
    is_known = charset_open(&a, name) != NULL;
    arena_reset(&a);
    return is_known;
}

/* Ranges of letters whose small form is at a fixed distance, or alternates
 * with its capital. */
static const struct fold {
    uint32_t first, last;
    int32_t add;                /* 1: capitals are the even ones, -1: the odd
                                   ones; else the distance */
} folds[] = {
    { 0xc0, 0xd6, 32 }, { 0xd8, 0xde, 32 }, { 0x100, 0x12f, 1 },
    { 0x132, 0x137, 1 }, { 0x139, 0x148, -1 }, { 0x14a, 0x177, 1 },
    { 0x179, 0x17e, -1 }, { 0x1cd, 0x1dc, -1 }, { 0x1de, 0x1ef, 1 },
    { 0x1f8, 0x21f, 1 }, { 0x222, 0x233, 1 }, { 0x388, 0x38a, 37 },
    { 0x391, 0x3a1, 32 }, { 0x3a3, 0x3ab, 32 }, { 0x400, 0x40f, 80 },
    { 0x410, 0x42f, 32 }, { 0x460, 0x481, 1 }, { 0x48a, 0x4bf, 1 },
    { 0x4c1, 0x4ce, -1 }, { 0x4d0, 0x52f, 1 }, { 0x531, 0x556, 48 },
    { 0x1e00, 0x1e95, 1 }, { 0x1ea0, 0x1eff, 1 }, { 0xff21, 0xff3a, 32 },
};

uint32_t charset_fold(uint32_t code)
{
    if (code < 128)
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    if (code == 0x3c2)
        return 0x3c3;           /* final sigma */
    if (code == 0x386)
        return 0x3ac;
    if (code == 0x178)
        return 0xff;
    for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
        const struct fold *f = &folds[i];
        if (code < f->first || code > f->last)
            continue;
        if (f->add == 1)
            return code | 1;
        if (f->add == -1)
            return code + (code & 1);
        return code + (uint32_t)f->add;
    }
    return code;
}
