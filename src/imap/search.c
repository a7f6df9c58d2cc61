/* SPDX-License-Identifier: ISC
 *
 * SEARCH: running the program of keys over rows.  What the index knows is
 * asked before any file is opened.  What looks into large messages is done
 * aside, and many rows are not gone through in one breath.
 */
#include "imap/search.h"

#include "imap/session.h"
#include "mail/address.h"
#include "mail/date.h"
#include "rt/world.h"

enum { ADDRESSES_MAX = 1 << 20 };   /* bytes of a field that are looked at */

struct search_run {
    struct task *t;
    struct imap *im;
    const struct search_plan *plan;
    uint32_t seq;
    const struct row *row;
    int64_t now_s;
    struct imap_message message;
    err e;
};

/* The message of this row; false if there is none to look at. */
static bool opened(struct search_run *r)
{
    if (!r->e)
        r->e = imap_message_open(r->t, r->im->view, r->seq, &r->message);
    r->row = view_row(r->im->view, r->seq);
    return !r->e && !r->message.message.lost;
}

/* Days since 1970 of a moment as this machine's calendar has it. */
static int64_t local_day(struct search_run *r, int64_t s)
{
    s += world_zone_s(r->t, s * 1000000);
    return s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
}

/* The day that the Date: field names, in its own zone. */
static bool sent_day(str header, int64_t *day)
{
    struct date d;
    str value;
    int64_t s;

    if (!mime_field_find(header, S("Date"), &value)
        || !date_parse(str_trim(value), &d))
        return false;
    s = date_seconds(&d) + d.zone_s;
    *day = s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
    return true;
}

static bool day_holds(const struct search_key *k, int64_t day)
{
    int64_t want = (int64_t)k->n;

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

static bool header_holds(str header, const struct search_key *k)
{
    struct mime_field f;

    while (mime_field_next(&header, &f))
        if (str_ieq(f.name, k->name)
            && mime_value_holds(f.value, &k->needle))
            return true;
    return false;
}

static bool address_holds(str header, const struct search_key *k)
{
    struct mime_field f;
    struct arena a;
    bool hit = false;

    arena_init(&a, 0);
    while (!hit && mime_field_next(&header, &f)) {
        struct buf b;
        if (!str_ieq(f.name, k->name))
            continue;
        buf_init(&b, &a, ADDRESSES_MAX);
        address_list_put(&b, mime_unfold(&a, str_head(f.value,
                                                      ADDRESSES_MAX / 2)));
        hit = mime_value_holds(buf_str(&b), &k->needle);
        arena_reset(&a);
    }
    return hit;
}

/* A key that needs the bytes, asked aside. */
struct looking {
    const struct imap_message *m;
    const struct search_key *k;
    bool hit;
};

static void look(void *arg)
{
    struct looking *l = arg;
    const struct search_key *k = l->k;
    str header = imap_message_header(l->m);
    int64_t day;

    switch (k->kind) {
    case KEY_HEADER:
        l->hit = header_holds(header, k);
        break;
    case KEY_ADDRESS:
        l->hit = address_holds(header, k);
        break;
    case KEY_BODY:
    case KEY_TEXT:
        l->hit = mime_message_holds(l->m->message.bytes, l->m->root,
                                    &k->needle, k->kind == KEY_TEXT);
        break;
    default:
        l->hit = sent_day(header, &day) && day_holds(k, day);
        break;
    }
}

static bool message_holds(struct search_run *r, const struct search_key *k)
{
    struct looking l = { .m = &r->message, .k = k };

    if (!opened(r))
        return false;
    if (k->kind == KEY_BODY || k->kind == KEY_TEXT)
        imap_message_tree(r->t, &r->message);
    imap_aside(r->t, r->message.message.bytes.n, look, &l);
    return l.hit;
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

static bool email_id_is(struct imap *im, uint32_t uid, str id)
{
    struct arena a;
    bool same;

    arena_init(&a, 0);
    same = str_eq(id, imap_email_id(im, &a, uid));
    arena_reset(&a);
    return same;
}

static bool set_holds(struct search_run *r, const struct search_key *k)
{
    if (k->set.saved)
        return saved_has(r->im, r->row->uid);
    return set_has(&k->set, k->kind == KEY_UID ? r->row->uid : r->seq);
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
        return email_id_is(r->im, row->uid, k->name);
    case KEY_THREADID:
        return false;           /* there are none */
    case KEY_BEFORE:
    case KEY_ON:
    case KEY_SINCE:
        return day_holds(k, local_day(r, row->date_s));
    case KEY_ALL:
        return true;
    default:
        return message_holds(r, k);
    }
}

/* Whether the program holds for the row. */
static bool holds(struct search_run *r)
{
    const struct search_key *p = r->plan->p;
    size_t at = 0;

    while (at < r->plan->n && !r->e) {
        if (p[at].first)
            at = p[at].first;
        else
            at = leaf_holds(r, &p[at]) ? p[at].yes : p[at].no;
    }
    return at == SEARCH_HIT && !r->e;
}

/* What '*' means, and sets as set_has wants them. */
static void resolve_sets(struct imap *im, struct search_plan *plan)
{
    uint32_t count = view_count(im->view);
    uint32_t last_uid = count ? view_row(im->view, count)->uid : 0;

    for (size_t i = 0; i < plan->n; i++) {
        struct search_key *k = &plan->p[i];
        if (k->kind == KEY_SEQ || k->kind == KEY_UID)
            k->set = set_resolve(&im->scratch, &k->set,
                                 k->kind == KEY_UID ? last_uid : count);
    }
}

static err run(struct task *t, struct imap *im,
               const struct search_plan *plan, uint32_t *hits, size_t *n)
{
    struct search_run r = { .t = t, .im = im, .plan = plan };
    uint32_t count = view_count(im->view);

    *n = 0;
    r.now_s = rt_wall(t) / 1000000;
    for (r.seq = 1; r.seq <= count && !r.e; r.seq++) {
        r.row = view_row(im->view, r.seq);
        if ((r.row->bits & ROW_LOST))
            continue;
        if (holds(&r))
            hits[(*n)++] = r.seq;
        imap_message_close(&r.message);
        task_breathe(t);        /* others have mail to read too */
        if (!r.e && task_stopped(t))
            r.e = ERR_STOPPED;
    }
    return r.e ? r.e : view_sizes_keep(t, im->view);
}

/* What MODSEQ means beside MIN or MAX alone is theirs (RFC 7162 section
 * 3.1.5), else the highest of all. */
static uint64_t highest_modseq(struct imap *im, int returns,
                               const uint32_t *hits, size_t n)
{
    bool ends = (returns & (RETURN_MIN | RETURN_MAX))
                && !(returns & (RETURN_ALL | RETURN_COUNT));
    uint64_t highest = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t modseq = view_row(im->view, hits[i])->modseq;
        if (ends && !(i == 0 && (returns & RETURN_MIN))
            && !(i == n - 1 && (returns & RETURN_MAX)))
            continue;
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
    resolve_sets(im, &plan);
    hits = arena_array(&im->scratch, uint32_t, view_count(im->view) + 1);
    e = run(t, im, &plan, hits, &n);
    if (e) {
        if (plan.returns & RETURN_SAVE)
            imap_save(im, NULL, 0);
        return imap_failed(t, im, cmd, e);
    }
    if (plan.returns & RETURN_SAVE)
        save(im, &plan, hits, n);
    modseq = plan.modseq ? highest_modseq(im, plan.returns, hits,
                                             n) : 0;
    out = arena_array(&im->scratch, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = uid ? view_row(im->view, hits[i])->uid : hits[i];
    if (!plan.extended)
        put_plain(im, &plan, out, n, modseq);
    else if (plan.returns != RETURN_SAVE)
        put_extended(im, cmd, &plan, out, n, modseq);
    return imap_done(t, im, cmd, S("OK Search completed."));
}
