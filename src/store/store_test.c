/* SPDX-License-Identifier: ISC
 *
 * The store on a real directory: delivery, views, changes, what others do
 * behind our back.
 */
#include "store/fixture.h"

TASK_TEST(store_delivery_and_view)
{
    struct place p;
    struct view *v;
    struct message m;
    uint64_t size;
    size_t n;

    place_open(t, &p);
    deliver(t, &p, S("Subject: 1\n\nbody\n"));
    check(str_ends(first_name(t, &p, S("new"), &n), S(",S=17,W=20")));
    check_int(n, 1);
    check_ok(view_open(t, p.st, S("inbox"), false, &v));
    check_int(view_count(v), 1);
    check_int(view_recent(v), 1);
    check_int(view_row(v, 1)->uid, 1);
    check_int(view_uid_next(v), 2);
    check(str_ends(first_name(t, &p, S("cur"), &n), S(":2,")));
    check_ok(view_message(t, v, 1, &m));
    check_str(m.bytes, S("Subject: 1\n\nbody\n"));
    message_close(&m);
    check_ok(view_size(t, v, 1, &size));
    check_int(size, 20);
    view_close(v);
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_int(view_recent(v), 0);
    view_close(v);
    place_close(t, &p);
}

TASK_TEST(store_flags_between_sessions)
{
    struct place p;
    struct view *v, *w;
    struct view_change c;
    uint64_t before;
    size_t n;

    place_open(t, &p);
    deliver(t, &p, S("a: 1\n\n"));
    deliver(t, &p, S("a: 2\n\n"));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_ok(view_open(t, p.st, S("INBOX"), false, &w));
    before = view_modseq(v);
    set_flags(t, &p, v, 2, FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED, S("$Junk"));
    check(view_modseq(v) > before);
    check_int(view_row(v, 2)->flags, FLAG_SEEN | FLAG_FLAGGED);
    check_int(view_row(v, 2)->keywords, view_keyword_bit(v, S("$junk")));
    check(!view_change_next(v, true, &c));
    check_int(view_row(w, 2)->flags, 0);
    check_ok(view_refresh(t, w));
    check(view_change_next(w, false, &c));
    check_int(c.kind, CHANGE_FLAGS);
    check_int(c.n, 2);
    check(!view_change_next(w, false, &c));
    check_int(view_row(w, 2)->flags, FLAG_SEEN | FLAG_FLAGGED);
    (void)first_name(t, &p, S("cur"), &n);
    check_int(n, 2);

    /* removal: the other one keeps its numbers until it may be told */
    set_flags(t, &p, v, 1, FLAGS_SET, FLAG_DELETED, S(""));
    check_ok(view_expunge(t, v, (struct seqs){ NULL, 0 }));
    check(view_change_next(v, true, &c));
    check_int(c.kind, CHANGE_EXPUNGE);
    check_int(c.n, 1);
    check(!view_change_next(v, true, &c));
    check_int(view_count(v), 1);
    deliver(t, &p, S("a: 3\n\n"));
    check_ok(view_refresh(t, w));
    check(view_change_next(w, false, &c));
    check_int(c.kind, CHANGE_EXISTS);
    check_int(c.n, 3);
    check_int(view_row(w, 2)->uid, 2);
    check(view_row(w, 1)->bits & ROW_LOST);
    check_ok(view_refresh(t, w));
    check(view_change_next(w, true, &c));
    check_int(c.kind, CHANGE_EXPUNGE);
    check(!view_change_next(w, true, &c));
    check_int(view_count(w), 2);
    check_int(view_row(w, 2)->uid, 3);
    view_close(v);
    view_close(w);
    place_close(t, &p);
}

TASK_TEST(store_foreign_hands)
{
    struct place p;
    struct view *v;
    struct view_change c;
    struct message m;
    size_t n;
    str name;

    place_open(t, &p);
    deliver(t, &p, S("a: 1\n\none\n"));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    name = arena_cat(&p.a, S("cur/"), first_name(t, &p, S("cur"), &n));
    check_ok(file_rename(t, p.dir, name, p.dir,
                         arena_cat(&p.a, name, S("SX"))));
    check_ok(view_message(t, v, 1, &m));        /* found under its new name */
    check_str(m.bytes, S("a: 1\n\none\n"));
    message_close(&m);
    check_ok(view_refresh(t, v));
    check(view_change_next(v, true, &c));
    check_int(c.kind, CHANGE_FLAGS);
    check_int(view_row(v, 1)->flags, FLAG_SEEN);
    /* our own change keeps the letter that means nothing to us */
    set_flags(t, &p, v, 1, FLAGS_ADD, FLAG_DRAFT, S(""));
    check(str_ends(first_name(t, &p, S("cur"), &n), S(":2,DSX")));
    name = arena_cat(&p.a, S("cur/"), first_name(t, &p, S("cur"), &n));
    check_ok(file_unlink(t, p.dir, name));
    check_ok(view_message(t, v, 1, &m));
    check(m.lost);
    check_int(m.bytes.n, 0);
    check_ok(view_refresh(t, v));
    check(view_change_next(v, true, &c));
    check_int(c.kind, CHANGE_EXPUNGE);
    view_close(v);
    place_close(t, &p);
}

TASK_TEST(store_append_copy_move)
{
    struct place p;
    struct view *v;
    struct append *ap;
    struct append_plan plan = { .flags = FLAG_SEEN, .date_s = 1000000000 };
    struct copied done;
    struct message m;
    str word = S("Work");
    uint32_t one = 1;
    struct seqs first = { &one, 1 };
    struct box_status status;
    struct view_change change;
    size_t n;

    plan.keywords = &word;
    plan.n_keywords = 1;
    place_open(t, &p);
    check_ok(store_create(t, p.st, S("Archive.2001")));
    check_int(store_create(t, p.st, S("Archive.2001")), ERR_DENIED);
    check_int(append_open(t, p.st, S("Nowhere"), &p.a, &ap), ERR_ABSENT);
    check_ok(append_open(t, p.st, S("Archive.2001"), &p.a, &ap));
    for (int i = 0; i < 2; i++) {
        check_ok(append_begin(t, ap, &plan));
        check_ok(append_piece(t, ap, S("a: b\r\n\r\nx\r")));
        check_ok(append_piece(t, ap, S("\ny\rz\r\n")));
        check_ok(append_end(t, ap));
    }
    check_ok(append_commit(t, ap, &done));
    check_int(done.n, 2);
    check_int(done.to[1], 2);
    check_ok(view_open(t, p.st, S("Archive.2001"), false, &v));
    check_int(view_count(v), 2);
    check_int(view_row(v, 1)->size, 16);
    check_int(view_row(v, 1)->date_s, 1000000000);
    check_ok(view_message(t, v, 1, &m));
    check_str(m.bytes, S("a: b\n\nx\ny\rz\n"));
    message_close(&m);
    check_ok(view_copy(t, v, first, S("INBOX"), false, &p.a, &done));
    check_int(done.n, 1);
    check_int(done.from[0], 1);
    check_int(done.to[0], 1);
    check_ok(view_copy(t, v, first, S("INBOX"), true, &p.a, &done));
    check_int(done.to[0], 2);
    check_int(view_copy(t, v, first, S("INBOX"), false, &p.a, &done),
              ERR_ABSENT);          /* it is gone, if not yet announced */
    while (view_change_next(v, true, &change))
        ;
    check_ok(view_copy(t, v, first, S("Archive.2001"), false, &p.a, &done));
    check_int(done.from[0], 2);
    check_int(done.to[0], 3);
    check_int(view_copy(t, v, first, S("Nope"), false, &p.a, &done),
              ERR_ABSENT);
    view_close(v);
    check_ok(store_status(t, p.st, S("INBOX"), true, &status));
    check_int(status.messages, 2);
    check_int(status.unseen, 0);
    check_int(status.size, 32);
    (void)first_name(t, &p, S(".Archive.2001/cur"), &n);
    check_int(n, 2);
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_str(view_keyword(v, 0), S("Work"));
    check_int(view_row(v, 1)->keywords, 1);
    view_close(v);
    place_close(t, &p);
}

static err flag(struct task *t, struct place *p, struct view *v,
                enum flag_operation op, const str *words, size_t n)
{
    struct flag_change c = { .operation = op, .keywords = words,
                             .n_keywords = n,
                             .unchanged_since = UINT64_MAX };
    struct seqs failed;
    uint32_t one = 1;

    return view_flags(t, v, (struct seqs){ &one, 1 }, &c, &p->a, &failed);
}

/* A refused command uses no bit up, and a keyword that no message has gives
 * its bit back, to all sessions. */
TASK_TEST(store_keywords_come_back)
{
    struct place p;
    struct view *v, *w;
    struct view_change change;
    str words[80], last = S("Last");

    place_open(t, &p);
    deliver(t, &p, S("a: 1\n\n"));
    deliver(t, &p, S("a: 2\n\n"));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_ok(view_open(t, p.st, S("INBOX"), false, &w));
    for (size_t i = 0; i < 80; i++)
        words[i] = arena_fmt(&p.a, "word%zu", i);
    check_int(flag(t, &p, v, FLAGS_ADD, words, 65), ERR_LIMIT);
    check_int(view_n_keywords(v), 0);
    check_ok(flag(t, &p, v, FLAGS_ADD, words, 64));
    check_int(flag(t, &p, v, FLAGS_ADD, &last, 1), ERR_LIMIT);
    check_int(flag(t, &p, v, FLAGS_SET, words, 80), ERR_LIMIT);
    check_ok(flag(t, &p, v, FLAGS_REMOVE, words + 10, 2));
    check_ok(flag(t, &p, v, FLAGS_ADD, &last, 1));
    check_int(view_keyword_bit(v, last), UINT64_C(1) << 10);
    check_int(view_keyword_bit(v, words[10]), 0);
    for (int i = 0; i < 200; i++) {
        str name = arena_fmt(&p.a, "turn%d", i);

        check_ok(flag(t, &p, v, FLAGS_ADD, &name, 1));
        check_ok(flag(t, &p, v, FLAGS_REMOVE, &name, 1));
    }
    check_int(view_n_keywords(v), 64);
    check_ok(view_refresh(t, w));
    while (view_change_next(w, true, &change))
        ;
    check_str(view_keyword(w, 10), last);
    check(view_row(w, 1)->keywords == view_row(v, 1)->keywords);
    check(view_row(w, 1)->keywords >> 10 & 1);
    check_int(view_row(w, 2)->keywords, 0);
    view_close(v);
    view_close(w);
    place_close(t, &p);
}

TASK_TEST(store_doze_and_rewrite)
{
    struct place p;
    struct view *v, *w;
    struct view_change c;
    int n = 0;

    place_open(t, &p);
    deliver(t, &p, S("a: 1\n\n"));
    deliver(t, &p, S("a: 2\n\n"));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_ok(view_open(t, p.st, S("INBOX"), false, &w));
    view_doze(w);
    /* enough history for a rewrite while w sleeps on the old file */
    for (int i = 0; i < 2000; i++)
        set_flags(t, &p, v, 1, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, FLAG_SEEN,
                  S(""));
    set_flags(t, &p, v, 1, FLAGS_SET, FLAG_FLAGGED, S(""));
    set_flags(t, &p, v, 2, FLAGS_SET, FLAG_DELETED, S(""));
    check_ok(view_expunge(t, v, (struct seqs){ NULL, 0 }));
    deliver(t, &p, S("a: 3\n\n"));
    check_ok(view_refresh(t, w));
    while (view_change_next(w, true, &c))
        n++;
    check_int(n, 3);
    check_int(view_count(w), 2);
    check_int(view_row(w, 1)->flags, FLAG_FLAGGED);
    check_int(view_row(w, 2)->uid, 3);
    view_doze(w);
    check_ok(view_wake(t, w));
    check_int(view_count(w), 2);
    check_int(view_row(w, 2)->uid, 3);
    view_close(v);
    view_close(w);
    place_close(t, &p);
}

/* The index without its history. */
static void rewrite(struct task *t, struct place *p)
{
    struct index_state s;
    struct buf b;
    str old;

    check_ok(file_load(t, p->dir, INDEX_NAME, &p->a, 1 << 20, &old));
    check_ok(index_read(old, &s));
    buf_init(&b, &p->a, 1 << 20);
    index_put_all(&b, &s, old, 1);
    index_state_free(&s);
    check_ok(file_replace(t, p->dir, INDEX_NAME, buf_str(&b), 0600));
}

TASK_TEST(store_import)
{
    struct place p;
    struct view *v;
    static const char list[] = "3 V1234567 N50 Gdeadbeef\n"
                               "10 Pold-uidl-1 :100.a\n"
                               "20 W77 PX77 :200.b:2,S\n"
                               "30 :gone\n";

    place_open(t, &p);
    check_ok(dir_make(t, p.dir, S("cur"), 0700));
    check_ok(dir_make(t, p.dir, S("new"), 0700));
    check_ok(file_replace(t, p.dir, S("cur/200.b:2,Sb"), S("x: y\n"), 0600));
    check_ok(file_replace(t, p.dir, S("cur/300.c:2,"), S("x: z\n"), 0600));
    check_ok(file_replace(t, p.dir, S("new/100.a"), S("x: y\n"), 0600));
    check_ok(file_replace(t, p.dir, S("dovecot-uidlist"), str_from(list),
                          0600));
    check_ok(file_replace(t, p.dir, S("dovecot-keywords"),
                          S("0 Junk\n1 $Forwarded\n"), 0600));
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_int(view_uid_validity(v), 1234567);
    check_int(view_count(v), 3);
    check_int(view_row(v, 1)->uid, 10);
    check_int(view_row(v, 2)->uid, 20);
    check_int(view_row(v, 3)->uid, 50);
    check_int(view_row(v, 2)->flags, FLAG_SEEN);
    check_int(view_row(v, 2)->keywords, 2);
    check_str(view_keyword(v, 1), S("$Forwarded"));
    check_str(view_uidl(v, 1), S("old-uidl-1"));
    check_str(view_uidl(v, 2), S("X77"));
    check_str(view_uidl(v, 3), S(""));
    rewrite(t, &p);
    view_close(v);
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_int(view_uid_validity(v), 1234567);
    check_str(view_uidl(v, 1), S("old-uidl-1"));
    check_str(view_uidl(v, 2), S("X77"));
    check_str(view_uidl(v, 3), S(""));
    view_close(v);
    place_close(t, &p);
}

TASK_TEST(store_mailboxes)
{
    struct place p;
    struct boxes b;

    place_open(t, &p);
    check_ok(store_create(t, p.st, S("Sent")));
    check_ok(store_create(t, p.st, S("a.b.c")));
    check_int(store_create(t, p.st, S("a..b")), ERR_SYNTAX);
    check_int(store_create(t, p.st, S("a/b")), ERR_SYNTAX);
    check_int(store_create(t, p.st, S("&-&AOQ-")), OK);
    check_int(store_create(t, p.st, S("&AOQ")), ERR_SYNTAX);
    check_int(store_create(t, p.st, S("InBox")), ERR_DENIED);
    check_ok(store_subscribe(t, p.st, S("a.b.c"), true));
    check_ok(store_subscribe(t, p.st, S("inbox"), true));
    check_int(store_subscribe(t, p.st, S("nope"), false), ERR_ABSENT);
    check_ok(store_list(t, p.st, &p.a, &b));
    check_int(b.n, 6);
    check_str(b.p[0].name, S("INBOX"));
    check_int(b.p[0].attributes, BOX_SUBSCRIBED);
    check_str(b.p[1].name, S("&-&AOQ-"));
    check_str(b.p[2].name, S("Sent"));
    check_int(b.p[2].attributes, BOX_SENT);
    check_str(b.p[3].name, S("a"));
    check_int(b.p[3].attributes,
              BOX_NOSELECT | BOX_CHILDREN | BOX_CHILD_SUBSCRIBED);
    check_int(b.p[5].attributes, BOX_SUBSCRIBED);
    check_ok(store_rename(t, p.st, S("a"), S("z")));
    check_ok(store_exists(t, p.st, S("z.b.c")));
    check_int(store_exists(t, p.st, S("a.b.c")), ERR_ABSENT);
    check_int(store_rename(t, p.st, S("Sent"), S("z.b.c")), ERR_DENIED);
    check_ok(store_delete(t, p.st, S("z.b.c")));
    check_int(store_delete(t, p.st, S("z.b.c")), ERR_ABSENT);
    check_int(store_delete(t, p.st, S("INBOX")), ERR_DENIED);
    place_close(t, &p);
}

TASK_TEST(store_deleted_under_a_view)
{
    struct place p;
    struct view *v;

    place_open(t, &p);
    check_ok(store_create(t, p.st, S("x")));
    check_ok(view_open(t, p.st, S("x"), false, &v));
    check_ok(store_delete(t, p.st, S("x")));
    check_int(view_refresh(t, v), ERR_CORRUPT);
    view_close(v);
    check_int(view_open(t, p.st, S("x"), false, &v), ERR_ABSENT);
    place_close(t, &p);
}

static void mbox(struct task *t, struct place *p, str text, err want)
{
    struct delivery_options o = { .sender = S("s@x"), .dotlock = true,
                                  .fcntl_lock = true, .size_max = 200 };
    struct delivery *d;
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    check_ok(mbox_deliver(t, &a, p->dir, S("mbox"), &o, &d));
    for (size_t i = 0; i < text.n && !e; i++)
        e = delivery_write(t, d, str_head(str_skip(text, i), 1));
    if (!e)
        e = delivery_finish(t, d);
    check_int(e, want);
    delivery_cancel(t, d);
    arena_reset(&a);
}

TASK_TEST(store_mbox)
{
    struct place p;
    struct arena a;
    str text, line;

    place_open(t, &p);
    arena_init(&a, 0);
    mbox(t, &p, S("A: b\n\nFrom me\nFro\n>From\nFrom"), OK);
    check_ok(file_load(t, p.dir, S("mbox"), &a, 4096, &text));
    check(str_cut(&text, '\n', &line));
    check(str_starts(line, S("From s@x  ")));
    check_str(text, S("A: b\n\n>From me\nFro\n>From\nFrom\n\n"));
    check_ok(file_load(t, p.dir, S("mbox"), &a, 4096, &line));
    mbox(t, &p, S("0123456789012345678901234567890123456789"
                  "0123456789012345678901234567890123456789"
                  "0123456789012345678901234567890123456789"
                  "0123456789012345678901234567890123456789"), ERR_LIMIT);
    check_ok(file_load(t, p.dir, S("mbox"), &a, 4096, &text));
    check_str(text, line);
    check_int(file_load(t, p.dir, S("mbox.lock"), &a, 10, &line),
              ERR_ABSENT);
    arena_reset(&a);
    place_close(t, &p);
}

/* A delivery that was killed leaves what it had written: whatever that ends
 * with, the next message is one of its own. */
TASK_TEST(store_mbox_after_a_kill)
{
    static const str halves[] = {
        S_INIT("A: b\n\nhalf"), S_INIT("A: b\n\nline\n"),
        S_INIT("A: b\n\nwhole\n\n"), S_INIT("A"), S_INIT("\n"),
        S_INIT(""),
    };
    struct delivery_options o = { .sender = S("s@x") };
    struct delivery *d;
    struct place p;
    str text, old, big;

    place_open(t, &p);
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        check_ok(file_replace(t, p.dir, S("mbox"), halves[i], 0600));
        mbox(t, &p, S("B: c\n\nbody\n"), OK);
        check_ok(file_load(t, p.dir, S("mbox"), &p.a, 4096, &text));
        check(str_starts(text, halves[i]));
        text = str_skip(text, halves[i].n);
        text = str_skip(text, str_find(text, S("From s@x")));
        check(str_ends(text, S("\n\nbody\n\n")));
        check(halves[i].n == 0
              || str_eq(str_of(text.p - 2, 2), S("\n\n"))
              || str_eq(halves[i], S("\n")));
    }
    /* what a kill leaves of a large one, and what a cancel does */
    check_ok(file_replace(t, p.dir, S("mbox"), S("A: b\n\nold"), 0600));
    big = arena_fmt(&p.a, "%065536d\n", 1);
    check_ok(mbox_deliver(t, &p.a, p.dir, S("mbox"), &o, &d));
    check_ok(delivery_write(t, d, big));
    check_ok(delivery_write(t, d, big));
    check_ok(file_load(t, p.dir, S("mbox"), &p.a, 1 << 20, &old));
    check(old.n > 32768);
    delivery_cancel(t, d);
    check_ok(file_load(t, p.dir, S("mbox"), &p.a, 1 << 20, &text));
    check_str(text, S("A: b\n\nold"));
    check_ok(file_replace(t, p.dir, S("mbox"), old, 0600));
    check_ok(mbox_deliver(t, &p.a, p.dir, S("mbox"), &o, &d));
    check_ok(delivery_write(t, d, S("B: c\n\nnew\n")));
    check_ok(delivery_finish(t, d));
    check_ok(file_load(t, p.dir, S("mbox"), &p.a, 1 << 20, &text));
    check(str_starts(str_skip(text, old.n), S("\n\nFrom s@x"))
          || str_starts(str_skip(text, old.n), S("\nFrom s@x")));
    place_close(t, &p);
}

TASK_TEST(store_location)
{
    struct arena a;
    struct store_options o = { .home = S("/h"), .user = S("u") };
    struct store *st;

    arena_init(&a, 0);
    o.location = S("mbox:~/mail");
    check_int(store_open(t, &a, &o, &st), ERR_SYNTAX);
    check(strstr(task_why(t), "mbox") != NULL);
    o.location = S("nothing");
    check_int(store_open(t, &a, &o, &st), ERR_SYNTAX);
    arena_reset(&a);
}
