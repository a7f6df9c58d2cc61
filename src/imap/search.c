/* SPDX-License-Identifier: ISC
 *
 * SEARCH: running the program of keys over rows.  What the index knows is
 * asked before any file is opened: within a conjunction keys are tried in two
 * passes, the cheap ones first.
 */
#include "imap/search.h"

#include "imap/session.h"
#include "mail/date.h"
#include "rt/world.h"

struct search_run {
    struct task *t;
    struct imap *im;
    const struct search_plan *plan;
    struct arena a;             /* one row's */
    uint32_t seq;
    const struct row *row;
    uint32_t count, last_uid;
    int64_t now_s;
    bool opened;
    struct message message;
    const struct mime_part *root;
    err e;
};

static bool is_cheap(enum key_kind kind)
{
    return kind < KEY_SENT_BEFORE || kind == KEY_OLDER || kind == KEY_YOUNGER
           || kind == KEY_MODSEQ || kind == KEY_EMAILID
           || kind == KEY_THREADID;
}

/* Whether nothing below needs a file. */
static bool all_cheap(const struct search_key *key)
{
    for (size_t i = 0; i < key->size; i++)
        if (!is_cheap(key[i].kind))
            return false;
    return true;
}

static str header_of(struct search_run *r)
{
    if (!r->opened && !r->e) {
        r->e = view_message(r->t, r->im->view, r->seq, &r->message);
        r->opened = true;
        r->row = view_row(r->im->view, r->seq);
    }
    return str_head(r->message.bytes, mime_header_size(r->message.bytes));
}

static const struct mime_part *tree_of(struct search_run *r)
{
    header_of(r);
    if (!r->root)
        r->root = mime_parse(&r->a, r->message.bytes);
    return r->root;
}

/* Days since 1970 of a moment as this machine's calendar has it. */
static int64_t local_day(struct search_run *r, int64_t s)
{
    s += world_zone_s(r->t, s * 1000000);
    return s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
}

/* The day that the Date: field names, in its own zone. */
static bool sent_day(struct search_run *r, int64_t *day)
{
    struct date d;
    str value;
    int64_t s;

    if (!mime_field_find(header_of(r), S("Date"), &value)
        || !date_parse(str_trim(value), &d))
        return false;
    s = date_seconds(&d) + d.zone_s;
    *day = s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
    return true;
}

static bool date_holds(struct search_run *r, const struct search_key *k)
{
    int64_t want = (int64_t)k->n, day;

    if (k->kind <= KEY_SINCE)
        day = local_day(r, r->row->date_s);
    else if (!sent_day(r, &day))
        return false;
    switch (k->kind) {
    case KEY_BEFORE:
    case KEY_SENT_BEFORE:
        return day < want;
    case KEY_ON:
    case KEY_SENT_ON:
        return day == want;
    default:
        return day >= want;
    }
}

static bool header_holds(struct search_run *r, const struct search_key *k)
{
    str header = header_of(r);
    struct mime_field f;

    while (mime_field_next(&header, &f))
        if (str_ieq(f.name, k->name)
            && mime_value_holds(f.value, &k->needle))
            return true;
    return false;
}

static bool size_holds(struct search_run *r, const struct search_key *k)
{
    uint64_t size = 0;

    if (!r->e)
        r->e = view_size(r->t, r->im->view, r->seq, &size);
    r->row = view_row(r->im->view, r->seq);
    return k->kind == KEY_LARGER ? size > k->n : size < k->n;
}

static bool saved_has(const struct imap *im, uint32_t uid)
{
    size_t low = 0, high = im->n_saved;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (im->saved[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < im->n_saved && im->saved[low] == uid;
}

static bool set_holds(struct search_run *r, const struct search_key *k)
{
    if (k->set.saved)
        return saved_has(r->im, r->row->uid);
    return k->kind == KEY_UID
               ? set_has(&k->set, r->row->uid, r->last_uid)
               : set_has(&k->set, r->seq, r->count);
}

static bool leaf_holds(struct search_run *r, const struct search_key *k)
{
    const struct row *row = r->row;
    bool recent;

    switch (k->kind) {
    case KEY_FLAG:
        return row->flags & k->n;
    case KEY_NOT_FLAG:
        return !(row->flags & k->n);
    case KEY_KEYWORD:
        return row->keywords & view_keyword_bit(r->im->view, k->name);
    case KEY_NOT_KEYWORD:
        return !(row->keywords & view_keyword_bit(r->im->view, k->name));
    case KEY_RECENT:
    case KEY_OLD:
    case KEY_NEW:
        recent = view_row_recent(r->im->view, row);
        return k->kind == KEY_OLD ? !recent
               : recent && (k->kind == KEY_RECENT
                            || !(row->flags & FLAG_SEEN));
    case KEY_SEQ:
    case KEY_UID:
        return set_holds(r, k);
    case KEY_OLDER:
        return row->date_s <= r->now_s - (int64_t)k->n;
    case KEY_YOUNGER:
        return row->date_s >= r->now_s - (int64_t)k->n;
    case KEY_LARGER:
    case KEY_SMALLER:
        return size_holds(r, k);
    case KEY_MODSEQ:
        return row->modseq >= k->n;
    case KEY_EMAILID:
        return str_eq(k->name, imap_email_id(r->im, &r->im->scratch,
                                             row->uid));
    case KEY_THREADID:
        return false;           /* there are none */
    case KEY_HEADER:
        return header_holds(r, k);
    case KEY_BODY:
    case KEY_TEXT:
        tree_of(r);
        return mime_message_holds(r->message.bytes, r->root, &k->needle,
                                  k->kind == KEY_TEXT);
    case KEY_ALL:
        return true;
    default:
        return date_holds(r, k);
    }
}

static bool holds(struct search_run *r, const struct search_key *k);

/* The operands of a conjunction: those that need no file first. */
static bool and_holds(struct search_run *r, const struct search_key *k)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 1; i < k->size; i += k[i].size)
            if (all_cheap(&k[i]) == (pass == 0) && !holds(r, &k[i]))
                return false;
    return true;
}

/* Recursion is bounded by SEARCH_DEPTH_MAX, in the parser. */
static bool holds(struct search_run *r, const struct search_key *k)
{
    if (r->e)
        return false;
    switch (k->kind) {
    case KEY_AND:
        return and_holds(r, k);
    case KEY_OR:
        return holds(r, &k[1]) || holds(r, &k[1 + k[1].size]);
    case KEY_NOT:
        return !holds(r, &k[1]);
    default:
        return leaf_holds(r, k);
    }
}

static err run(struct task *t, struct imap *im,
               const struct search_plan *plan, uint32_t *hits, size_t *n)
{
    struct search_run r = { .t = t, .im = im, .plan = plan };

    *n = 0;
    r.count = view_count(im->view);
    r.last_uid = r.count ? view_row(im->view, r.count)->uid : 0;
    r.now_s = rt_wall(t) / 1000000;
    arena_init(&r.a, 0);
    for (r.seq = 1; r.seq <= r.count && !r.e; r.seq++) {
        r.row = view_row(im->view, r.seq);
        if ((r.row->bits & ROW_LOST))
            continue;
        if (holds(&r, plan->p))
            hits[(*n)++] = r.seq;
        if (r.opened) {
            message_close(&r.message);
            arena_reset(&r.a);
            r.opened = false;
            r.root = NULL;
            if (task_stopped(t))
                r.e = ERR_STOPPED;
            else if (!r.e)
                r.e = task_yield(t);    /* others have mail to read too */
        }
    }
    arena_reset(&r.a);
    return r.e ? r.e : view_sizes_keep(t, im->view);
}

static uint64_t highest_modseq(struct imap *im, const uint32_t *hits,
                               size_t n)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t modseq = view_row(im->view, hits[i])->modseq;
        highest = modseq > highest ? modseq : highest;
    }
    return highest;
}

/* "* SEARCH 1 2 3 (MODSEQ 9)" */
static void put_plain(struct imap *im, const struct search_plan *plan,
                      const uint32_t *out, size_t n, uint64_t modseq)
{
    conn_put(im->conn, S("* SEARCH"));
    for (size_t i = 0; i < n; i++)
        conn_fmt(im->conn, " %" PRIu32, out[i]);
    if (plan->modseq && n)
        conn_fmt(im->conn, " (MODSEQ %" PRIu64 ")", modseq);
    conn_put(im->conn, S("\r\n"));
}

/* "* ESEARCH (TAG "A1") UID ALL 1:2 COUNT 2" */
static void put_extended(struct imap *im, const struct imap_command *cmd,
                         const struct search_plan *plan,
                         const uint32_t *out, size_t n, uint64_t modseq)
{
    conn_put(im->conn, S("* ESEARCH (TAG "));
    imap_put_string(im, cmd->tag);
    conn_put(im->conn, S(")"));
    if (str_starts(cmd->name, S("UID")))
        conn_put(im->conn, S(" UID"));
    if ((plan->returns & RETURN_MIN) && n)
        conn_fmt(im->conn, " MIN %" PRIu32, out[0]);
    if ((plan->returns & RETURN_MAX) && n)
        conn_fmt(im->conn, " MAX %" PRIu32, out[n - 1]);
    if ((plan->returns & RETURN_ALL) && n) {
        conn_put(im->conn, S(" ALL "));
        imap_put_set(im, out, n);
    }
    if (plan->returns & RETURN_COUNT)
        conn_fmt(im->conn, " COUNT %zu", n);
    if (plan->modseq && n)
        conn_fmt(im->conn, " MODSEQ %" PRIu64, modseq);
    conn_put(im->conn, S("\r\n"));
}

/* With SAVE and only MIN or MAX, only those are saved (RFC 5182). */
static void save(struct imap *im, const struct search_plan *plan,
                 const uint32_t *hits, size_t n)
{
    int returns = plan->returns & ~RETURN_SAVE;
    uint32_t ends[2];
    size_t n_ends = 0;

    if (!returns || (returns & (RETURN_ALL | RETURN_COUNT)) || !n) {
        imap_save(im, hits, n);
        return;
    }
    if (returns & RETURN_MIN)
        ends[n_ends++] = hits[0];
    if ((returns & RETURN_MAX) && (!n_ends || n > 1))
        ends[n_ends++] = hits[n - 1];
    imap_save(im, ends, n_ends);
}

err imap_on_search(struct task *t, struct imap *im, struct imap_command *cmd)
{
    bool uid = str_starts(cmd->name, S("UID"));
    uint32_t *hits, *out;
    struct search_plan plan;
    uint64_t modseq;
    size_t n;
    err e;

    if (!search_parse(&cmd->args, &plan))
        return imap_bad(t, im, cmd);
    if (plan.bad_charset && (plan.returns & RETURN_SAVE))
        imap_save(im, NULL, 0);     /* RFC 5182 section 2.1 */
    if (plan.bad_charset)
        return imap_done(t, im, cmd, S("NO [BADCHARSET (UTF-8 US-ASCII)] "
                                       "Unknown charset"));
    if (plan.modseq)
        imap_use_condstore(im);
    hits = arena_array(&im->scratch, uint32_t, view_count(im->view) + 1);
    e = run(t, im, &plan, hits, &n);
    if (e) {
        if (plan.returns & RETURN_SAVE)
            imap_save(im, NULL, 0);
        return imap_failed(t, im, cmd, e);
    }
    if (plan.returns & RETURN_SAVE)
        save(im, &plan, hits, n);
    modseq = plan.modseq ? highest_modseq(im, hits, n) : 0;
    out = arena_array(&im->scratch, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = uid ? view_row(im->view, hits[i])->uid : hits[i];
    if (!plan.extended)
        put_plain(im, &plan, out, n, modseq);
    else if (plan.returns != RETURN_SAVE)
        put_extended(im, cmd, &plan, out, n, modseq);
    return imap_done(t, im, cmd, S("OK Search completed."));
}
