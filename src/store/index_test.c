/* SPDX-License-Identifier: ISC
 *
 * The index log as bytes, and Maildir names.
 */
#include "store/index.h"
#include "test/unit/check.h"

static const char id[16] = "0123456789abcdef";

static void header(struct buf *b)
{
    struct index_state s;

    index_state_init(&s, 77, 5, id);
    index_header_put(b, &s, 1);
}

static void frame(struct buf *to, const struct buf *records)
{
    struct buf f;

    buf_init(&f, NULL, 1 << 16);
    index_frame_begin(&f);
    buf_add(&f, buf_str(records));
    index_frame_end(&f);
    buf_add(to, buf_str(&f));
    buf_free(&f);
}

TEST(index_replay)
{
    struct arena a;
    struct buf file, r;
    struct index_state s, again;
    struct row row = { .uid = 5, .modseq = 9, .flags = FLAG_SEEN,
                       .bits = ROW_PLAIN, .size = 100, .date_s = 50 };

    arena_init(&a, 0);
    buf_init(&file, &a, 1 << 16);
    buf_init(&r, &a, 1 << 16);
    header(&file);
    index_put_word(&r, S("Work"));
    index_put_row(&r, &row, S("1.a"));
    row.uid = 7;
    index_put_row(&r, &row, S("2.b"));
    frame(&file, &r);
    buf_clear(&r);
    row.modseq = 12;
    row.flags = 0;
    index_put_flags(&r, &row, S(""));
    index_put_gone(&r, 5, 13);
    frame(&file, &r);

    check_ok(index_header_read(buf_str(&file), &s));
    check_int(s.uid_validity, 77);
    index_replay(&s, buf_str(&file));
    check_int(s.applied, file.n);
    check_int(s.rows.n, 1);
    check_int(s.uid_next, 8);
    check_int(s.modseq, 13);
    check_str(index_name(buf_str(&file), &s.rows.p[0]), S("2.b"));
    check_str(index_word(buf_str(&file), &s, 0), S("Work"));
    check_int(s.rows.p[0].flags, 0);

    /* rewritten without history, and read again */
    buf_clear(&r);
    index_put_all(&r, &s, buf_str(&file), 2);
    check_ok(index_header_read(buf_str(&r), &again));
    index_replay(&again, buf_str(&r));
    check_int(again.rows.n, 1);
    check_int(again.uid_next, 8);
    check_int(again.modseq, 13);
    check_int(again.rows.p[0].size, 100);
    index_state_free(&again);
    index_state_free(&s);

    /* a torn end: cut anywhere, the first frame stands or nothing does */
    for (size_t n = 0; n < file.n; n++) {
        if (index_header_read(str_head(buf_str(&file), n), &s))
            continue;
        index_replay(&s, str_head(buf_str(&file), n));
        check(s.rows.n == 0 || s.rows.n == 2);
        check(s.applied <= n);
        index_state_free(&s);
    }
    arena_reset(&a);
}

TEST(index_merge)
{
    struct index_state old, fresh;
    struct row *r;

    index_state_init(&old, 1, 1, id);
    index_state_init(&fresh, 1, 2, id);
    for (uint32_t i = 1; i <= 4; i++) {
        old.rows.p = heap_resize(old.rows.p, i * sizeof(struct row));
        old.rows.p[old.rows.n++] = (struct row){ .uid = i };
    }
    old.n_seen = 3;                 /* the client does not know of 4 */
    fresh.rows.p = heap_resize(NULL, 4 * sizeof(struct row));
    fresh.rows.p[0] = (struct row){ .uid = 1 };
    fresh.rows.p[1] = (struct row){ .uid = 3, .flags = FLAG_SEEN };
    fresh.rows.p[2] = (struct row){ .uid = 5 };
    fresh.rows.n = 3;
    index_merge(&fresh, &old);
    check_int(fresh.rows.n, 4);
    check_int(fresh.n_seen, 3);
    check_int(fresh.n_lost, 1);
    r = index_row(&fresh, 2);
    check(r && (r->bits & ROW_LOST));
    check(index_row(&fresh, 3)->bits & ROW_CHANGED);
    check(!(index_row(&fresh, 1)->bits & ROW_CHANGED));
    check(!index_row(&fresh, 4));
    check_int(fresh.rows.p[3].uid, 5);
    index_state_free(&fresh);
}

static void check_put(str name, uint8_t flags, uint64_t words, str want)
{
    struct buf b;

    buf_init(&b, NULL, 1024);
    maildir_name_put(&b, name, flags, words);
    check_str(buf_str(&b), want);
    buf_free(&b);
}

TEST(maildir_names)
{
    struct maildir_name n;

    check(maildir_name_parse(S("1.M2P3.host,S=12,W=34:2,FSc"), &n));
    check_str(n.base, S("1.M2P3.host,S=12,W=34"));
    check_int(n.flags, FLAG_FLAGGED | FLAG_SEEN);
    check_int(n.keywords, 4);
    check(n.has_size && n.has_wire);
    check_int(n.size, 12);
    check_int(n.wire, 34);
    check(maildir_name_parse(S("1.x"), &n));
    check(!n.has_info && !n.has_size);
    check(maildir_name_parse(S("1.x:1,S"), &n));
    check_int(n.flags, 0);
    check(!maildir_name_parse(S(".hidden"), &n));
    check(!maildir_name_parse(S(""), &n));
    check(!maildir_name_parse(S("a/b"), &n));
    check(!maildir_name_parse(S(":2,S"), &n));
    check_put(S("1.x"), 0, 0, S("1.x:2,"));
    check_put(S("1.x:2,TSX"), FLAG_SEEN | FLAG_DRAFT, 5, S("1.x:2,DSXac"));
    check_put(S("1.x:2,"), FLAG_ALL, UINT64_C(1) << 40, S("1.x:2,DFRST"));
}
