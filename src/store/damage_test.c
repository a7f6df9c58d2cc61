/* SPDX-License-Identifier: ISC
 *
 * Indexes that were damaged or cut anywhere (index.h, I5): what a client
 * knows by UIDVALIDITY and UID is never another message afterwards.
 */
#include "store/fixture.h"

enum { N_UIDS = 6, SECTOR = 512 };

struct world {
    struct place p;
    str index;              /* as it was */
    uint32_t uid_validity, uid_next;
    str texts[N_UIDS + 1];
};

static void message_text(struct task *t, struct world *w, uint32_t uid)
{
    w->texts[uid] = arena_fmt(&w->p.a, "a: %u\n\nbody of %u\n", uid, uid);
    if (uid % 2)
        deliver(t, &w->p, w->texts[uid]);
    else
        check_int(place_append(t, &w->p, S("INBOX"), w->texts[uid],
                               S("Work")), uid);
}

/* Six UIDs were given out; 3 and 6 are gone again. */
static void world_open(struct task *t, struct world *w)
{
    struct view *v;

    place_open(t, &w->p);
    for (uint32_t uid = 1; uid <= N_UIDS; uid++) {
        message_text(t, w, uid);
        check_ok(view_open(t, w->p.st, S("INBOX"), false, &v));
        check_int(view_count(v), uid);
        if (uid < N_UIDS)
            view_close(v);
    }
    set_flags(t, &w->p, v, 3, FLAGS_ADD, FLAG_DELETED, S(""));
    set_flags(t, &w->p, v, 6, FLAGS_ADD, FLAG_DELETED, S(""));
    set_flags(t, &w->p, v, 1, FLAGS_ADD, FLAG_FLAGGED, S(""));
    check_ok(view_expunge(t, v, (struct seqs){ NULL, 0 }));
    w->uid_validity = view_uid_validity(v);
    w->uid_next = view_uid_next(v);
    check_int(w->uid_next, N_UIDS + 1);
    view_close(v);
    check_ok(file_load(t, w->p.dir, INDEX_NAME, &w->p.a, 1 << 20,
                       &w->index));
}

static void put(struct task *t, struct world *w, str bytes)
{
    struct file *f;

    check_ok(file_open(t, w->p.dir, INDEX_NAME,
                       FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0600, &f));
    check_ok(file_append(t, f, bytes));
    file_close(f);
    err_ignore(file_unlink(t, w->p.dir, S("veredus-index.bad")));
}

static void check_view(struct task *t, struct world *w, bool read_only,
                       const char *what, size_t at)
{
    struct file_stat st;
    struct view *v;
    bool same;

    check_ok(view_open(t, w->p.st, S("INBOX"), read_only, &v));
    same = view_uid_validity(v) == w->uid_validity;
    if (same && view_uid_next(v) < w->uid_next)
        check_failed(__FILE__, __LINE__, "%s at %zu: UIDNEXT %u", what, at,
                     view_uid_next(v));
    if (!same)
        check_ok(file_stat_path(t, w->p.dir, S("veredus-index.bad"), &st));
    check_int(view_count(v), N_UIDS - 2);
    for (uint32_t i = 1; same && i <= view_count(v); i++) {
        uint32_t uid = view_row(v, i)->uid;
        struct message m;

        check_ok(view_message(t, v, i, &m));
        if (uid < w->uid_next && !str_eq(m.bytes, w->texts[uid]))
            check_failed(__FILE__, __LINE__, "%s at %zu: UID %u is another",
                         what, at, uid);
        message_close(&m);
    }
    view_close(v);
}

static void check_index(struct task *t, struct world *w, str bytes,
                        const char *what, size_t at)
{
    put(t, w, bytes);
    check_view(t, w, true, what, at);
    check_view(t, w, false, what, at);
}

static void check_damage(struct task *t, struct world *w)
{
    char *copy = heap_alloc(w->index.n + SECTOR);
    str bytes = str_of(copy, w->index.n);

    for (size_t i = 0; i < w->index.n; i++) {
        memcpy(copy, w->index.p, w->index.n);
        copy[i] = (char)(copy[i] ^ (i % 3 ? 1 << (i % 8) : 0xff));
        check_index(t, w, bytes, "flipped", i);
        check_index(t, w, str_head(w->index, i), "cut", i);
    }
    for (size_t i = 0; i < w->index.n; i += SECTOR) {
        memcpy(copy, w->index.p, w->index.n);
        memset(copy + i, 0, w->index.n - i < SECTOR ? w->index.n - i
                                                    : SECTOR);
        check_index(t, w, bytes, "zeroed", i);
    }
    memcpy(copy, w->index.p, w->index.n);
    memset(copy + w->index.n, 0, SECTOR);
    check_index(t, w, str_of(copy, w->index.n + SECTOR), "grown", 0);
    heap_free(copy);
}

TASK_TEST(damage_log)
{
    struct world w;

    world_open(t, &w);
    check_damage(t, &w);
    place_close(t, &w.p);
}

static void rewritten(struct world *w, struct buf *to)
{
    struct index_state s;

    buf_init(to, &w->p.a, 1 << 20);
    check_ok(index_read(w->index, &s));
    index_put_all(to, &s, w->index, 1);
    index_state_free(&s);
}

TASK_TEST(damage_rewritten)
{
    struct world w;
    struct buf b;

    world_open(t, &w);
    rewritten(&w, &b);
    w.index = buf_str(&b);
    check_damage(t, &w);
    place_close(t, &w.p);
}

/* Each bit, and each length, as bytes alone. */
TASK_TEST(damage_bits)
{
    struct world w;
    struct buf b;
    struct index_state s;

    world_open(t, &w);
    rewritten(&w, &b);
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << (i % 8));
        check_int(index_read(buf_str(&b), &s), ERR_CORRUPT);
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << (i % 8));
    }
    for (size_t i = 0; i < b.n; i++)
        check_int(index_read(str_head(buf_str(&b), i), &s), ERR_CORRUPT);
    for (size_t i = 0; i < w.index.n * 8; i++) {
        char *p = arena_array(&w.p.a, char, w.index.n);

        memcpy(p, w.index.p, w.index.n);
        p[i / 8] = (char)(p[i / 8] ^ 1 << (i % 8));
        if (index_read(str_of(p, w.index.n), &s))
            continue;
        check(s.uid_next >= w.uid_next);
        index_state_free(&s);
    }
    place_close(t, &w.p);
}

/* A file whose header does not know the floor yet: the first UID that is
 * given out puts it there. */
TASK_TEST(damage_old_header)
{
    struct world w;
    struct buf b, old;
    struct index_state s;
    struct view *v;

    world_open(t, &w);
    rewritten(&w, &b);
    check_ok(index_read(buf_str(&b), &s));
    s.uid_next = 0;                 /* what stood there before */
    buf_init(&old, &w.p.a, 1 << 20);
    index_header_put(&old, &s, 1);
    index_state_free(&s);
    buf_add(&old, str_skip(buf_str(&b), INDEX_HEADER_SIZE));
    put(t, &w, buf_str(&old));
    check_ok(view_open(t, w.p.st, S("INBOX"), false, &v));
    check_int(view_uid_validity(v), w.uid_validity);
    check_int(view_uid_next(v), w.uid_next);
    check_int(view_count(v), N_UIDS - 2);
    check_int(view_row(v, 3)->uid, 4);
    view_close(v);
    check_int(place_append(t, &w.p, S("INBOX"), S("a: 7\r\n\r\n"), S("")),
              N_UIDS + 1);
    check_ok(file_load(t, w.p.dir, INDEX_NAME, &w.p.a, 1 << 20, &w.index));
    check_ok(index_read(w.index, &s));
    check_int(s.uid_floor, N_UIDS + 2);
    index_state_free(&s);
    place_close(t, &w.p);
}

/* What Dovecot knew before a damaged index is older than it. */
TASK_TEST(damage_after_import)
{
    static const char list[] = "3 V1234567 N50 Gdeadbeef\n20 :200.b:2,S\n";
    struct place p;
    struct view *v;

    place_open(t, &p);
    check_ok(dir_make(t, p.dir, S("cur"), 0700));
    check_ok(file_replace(t, p.dir, S("cur/200.b:2,Sb"), S("x: y\n"), 0600));
    check_ok(file_replace(t, p.dir, S("dovecot-uidlist"), str_from(list),
                          0600));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_int(view_uid_validity(v), 1234567);
    view_close(v);
    check_ok(file_replace(t, p.dir, INDEX_NAME, S(""), 0600));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check(view_uid_validity(v) != 1234567);
    check_int(view_count(v), 1);
    view_close(v);
    check_ok(file_unlink(t, p.dir, INDEX_NAME));    /* or gone altogether */
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check(view_uid_validity(v) != 1234567);
    view_close(v);
    place_close(t, &p);
}
