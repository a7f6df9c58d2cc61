/* SPDX-License-Identifier: ISC
 *
 * Taking a mailbox over from Dovecot, with its UIDs and keywords, so that no
 * client fetches anything anew.
 *
 * dovecot-uidlist:  "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1"
 *                   "25006 W2481 :1276528487.M364837P9451.host,S=1355:2,S"
 * dovecot-keywords: "0 $Forwarded"
 */
#include "store/scan.h"

enum { UIDLIST_MAX = 256 << 20, KEYWORDS_FILE_MAX = 64 * 1024 };

struct import {
    struct index_state *s;
    struct buf *frame;
    struct map *files;      /* base -> str: path, by base */
    struct arena a;
    struct arena scratch;
};

static err import_words(struct task *t, struct dir *dir, struct import *im)
{
    str text, line;
    err e = file_load(t, dir, S("dovecot-keywords"), &im->a,
                      KEYWORDS_FILE_MAX, &text);

    if (e)
        return e == ERR_ABSENT ? OK : e;
    while (str_cut(&text, '\n', &line)) {
        struct scan s = scan_of(line);
        uint64_t n;

        if (!scan_uint(&s, MAILDIR_LETTERS - 1, &n) || !scan_byte(&s, ' '))
            continue;
        while (im->s->n_words < n) {    /* a gap: a letter without a name */
            index_put_word(im->frame, S(""));
            im->s->n_words++;
        }
        if (im->s->n_words == n && scan_rest(&s).n <= KEYWORD_NAME_MAX) {
            index_put_word(im->frame, scan_rest(&s));
            im->s->n_words++;
        }
    }
    return OK;
}

/* "3 V... N... G..." */
static bool import_head(struct import *im, str line)
{
    str word;
    uint64_t n;

    if (!str_token(&line, S(" "), &word) || !str_eq(word, S("3")))
        return false;
    while (str_token(&line, S(" "), &word)) {
        if (word.p[0] == 'V' && str_uint(str_skip(word, 1), UINT32_MAX, &n)
            && n)
            im->s->uid_validity = (uint32_t)n;
        if (word.p[0] == 'N' && str_uint(str_skip(word, 1), UINT32_MAX, &n)
            && n)
            im->s->uid_next = (uint32_t)n;
    }
    return true;
}

static err files_of(struct task *t, struct dir *dir, struct import *im,
                    str name)
{
    struct names names;
    struct dir *d;
    err e;

    TRY(dir_open(t, dir, name, &d));
    e = dir_list(t, d, &im->a, &names);
    dir_close(d);
    TRY(e);
    for (size_t i = 0; i < names.n; i++) {
        str *path = arena_new(&im->a, str);
        *path = arena_fmt(&im->a, "%.*s/%.*s", STR(name), STR(names.p[i]));
        map_put(im->files, maildir_base(names.p[i]), path);
    }
    return OK;
}

/* "P..." among the fields before the name: what POP3 clients know it by. */
static void import_uidl(struct import *im, uint32_t uid, str fields)
{
    str word;

    while (str_token(&fields, S(" "), &word))
        if (word.p[0] == 'P' && word.n > 1 && word.n <= UIDL_MAX + 1)
            index_put_uidl(im->frame, uid, str_skip(word, 1));
}

/* One known message, if its file is still there. */
static err import_line(struct task *t, struct dir *dir, struct import *im,
                       str line, uint32_t *last)
{
    struct row r = { .modseq = 1 };
    struct maildir_name name;
    struct file_stat st;
    size_t colon = str_find(line, S(" :"));
    struct scan s = scan_of(line);
    uint64_t uid;
    struct buf plain;
    str *path;

    if (colon == STR_NONE || !scan_uint(&s, UINT32_MAX - 1, &uid)
        || uid <= *last)
        return OK;
    path = map_get(im->files, maildir_base(str_skip(line, colon + 2)));
    if (!path || !maildir_name_parse(str_skip(*path, 4), &name))
        return OK;
    if (file_stat_path(t, dir, *path, &st))
        return OK;          /* gone meanwhile: a scan will tell */
    r.uid = *last = (uint32_t)uid;
    r.flags = name.flags;
    r.keywords = name.keywords & ((UINT64_C(1) << im->s->n_words) - 1);
    r.size = maildir_wire_size(&name, st.size);
    r.date_s = st.mtime_us / 1000000;
    buf_init(&plain, &im->scratch, MAILDIR_NAME_MAX * 2);
    maildir_name_put(&plain, str_skip(*path, 4), r.flags, r.keywords);
    if (str_starts(*path, S("new/")))
        r.bits = ROW_IN_NEW;
    else if (str_eq(buf_str(&plain), str_skip(*path, 4)))
        r.bits = ROW_PLAIN;
    index_put_row(im->frame, &r, str_skip(*path, 4));
    import_uidl(im, r.uid, str_head(line, colon));
    arena_reset(&im->scratch);
    return OK;
}

static err import_rows(struct task *t, struct dir *dir, struct import *im)
{
    str text, line;
    uint32_t last = 0;
    err e = file_load(t, dir, S("dovecot-uidlist"), &im->a, UIDLIST_MAX,
                      &text);

    if (e)
        return e == ERR_ABSENT ? OK : e;
    if (!str_cut(&text, '\n', &line) || !import_head(im, line))
        return OK;          /* an older format: as if there were none */
    TRY(files_of(t, dir, im, S("new")));
    TRY(files_of(t, dir, im, S("cur")));
    while (str_cut(&text, '\n', &line))
        TRY(import_line(t, dir, im, line, &last));
    if (im->s->uid_next <= last)
        im->s->uid_next = last + 1;
    index_put_next(im->frame, im->s->uid_next, 1);
    index_put_recent(im->frame, im->s->uid_next);
    return OK;
}

err scan_import(struct task *t, struct dir *dir, bool uids,
                struct index_state *s, struct buf *frame)
{
    struct import im = { .s = s, .frame = frame };
    err e;

    arena_init(&im.a, 0);
    arena_init(&im.scratch, 0);
    im.files = map_new(&im.a, false);
    e = import_words(t, dir, &im);
    if (!e && uids)
        e = import_rows(t, dir, &im);
    arena_reset(&im.scratch);
    arena_reset(&im.a);
    return e;
}
