/* SPDX-License-Identifier: ISC
 *
 * Ages double from bucket to bucket (or grow by the same step); the last
 * bucket has no end.  Rows are ordered by their totals, the largest first.
 */
#include "role/tool/qshape_table.h"

enum { NAME_MIN = 17, NUMBER_MIN = 2, WIDTH_MIN = 80 };

struct qshape_row {
    str name;
    bool parent;
    uint32_t n_below;       /* domains right below a parent */
    uint64_t total;
    uint64_t counts[QSHAPE_BUCKETS_MAX];
};

static struct qshape_row *row_get(struct qshape *q, str name, bool *made)
{
    struct qshape_row *r = map_get(&q->domains, name);

    *made = !r;
    if (!r) {
        r = arena_new(q->a, struct qshape_row);
        r->name = arena_str(q->a, name);
        map_put(&q->domains, r->name, r);
    }
    return r;
}

void qshape_init(struct qshape *q, const struct qshape_options *o,
                 struct arena *a)
{
    must(o->n_buckets >= 1 && o->n_buckets <= QSHAPE_BUCKETS_MAX);
    *q = (struct qshape){ .o = *o, .a = a };
    map_init(&q->domains, true);
    q->total = arena_new(a, struct qshape_row);
    q->total->name = S("TOTAL");
}

void qshape_free(struct qshape *q)
{
    map_free(&q->domains);
}

/* The age in minutes where bucket i ends. */
static uint64_t bucket_end(const struct qshape_options *o, uint32_t i)
{
    if (o->linear)
        return (uint64_t)o->minutes * (i + 1);
    return i > 40 ? UINT64_MAX / 64 : (uint64_t)o->minutes << i;
}

static uint32_t bucket_of(const struct qshape_options *o, int64_t age_s)
{
    uint64_t age = age_s < 0 ? 0 : (uint64_t)age_s;
    uint32_t i = 0;

    while (i + 1 < o->n_buckets && age >= bucket_end(o, i) * 60)
        i++;
    return i;
}

static void count(struct qshape_row *r, uint32_t bucket)
{
    r->total++;
    r->counts[bucket]++;
}

/* Parents are ".example.com" of "mail.example.com"; not top level ones. */
static void count_parents(struct qshape *q, str domain, uint32_t bucket,
                          bool is_new)
{
    for (;;) {
        size_t dot = str_chr(domain, '.');
        struct qshape_row *r;
        bool made;
        str parent;
        if (dot == STR_NONE)
            return;
        parent = str_skip(domain, dot);
        domain = str_skip(parent, 1);
        if (str_chr(domain, '.') == STR_NONE)
            return;
        r = row_get(q, parent, &made);
        r->parent = true;
        r->n_below += is_new;
        count(r, bucket);
        is_new = made;
    }
}

void qshape_add(struct qshape *q, str domain, int64_t age_s)
{
    uint32_t bucket = bucket_of(&q->o, age_s);
    str name = str_empty(domain) ? S("MAILER-DAEMON")
                                 : arena_lower(q->a, domain);
    bool made;

    count(q->total, bucket);
    count(row_get(q, name, &made), bucket);
    if (q->o.parents)
        count_parents(q, name, bucket, made);
}

static int digits(uint64_t n)
{
    int d = 1;

    for (; n > 9; n /= 10)
        d++;
    return d < NUMBER_MIN ? NUMBER_MIN : d;
}

struct columns {
    int name, total;
    int bucket[QSHAPE_BUCKETS_MAX];
};

static str bucket_title(const struct qshape *q, uint32_t i)
{
    bool last = i + 1 == q->o.n_buckets;

    return arena_fmt(q->a, "%" PRIu64 "%s",
                     bucket_end(&q->o, last && i > 0 ? i - 1 : i),
                     last ? "+" : "");
}

/* Each column is as wide as its widest number, which is the total's. */
static void measure(const struct qshape *q, struct columns *c)
{
    int used;

    c->total = digits(q->total->total);
    used = c->total + 1;
    for (uint32_t i = 0; i < q->o.n_buckets; i++) {
        int n = digits(q->total->counts[i]), title;
        title = (int)bucket_title(q, i).n;
        c->bucket[i] = n > title ? n : title;
        used += c->bucket[i] + 1;
    }
    c->name = (q->o.width < WIDTH_MIN ? WIDTH_MIN : (int)q->o.width) - used;
    if (c->name < NAME_MIN + 1)
        c->name = NAME_MIN + 1;
}

static void put_row(const struct qshape *q, const struct columns *c,
                    const struct qshape_row *r, struct buf *to)
{
    size_t room = (size_t)c->name;
    str name = r->name;

    if (name.n > room) {
        bool dot = name.p[0] == '.';
        size_t keep = dot ? room - 2 : room - 1;
        name = arena_fmt(q->a, "%s+%.*s", dot ? "." : "",
                         STR(str_skip(name, name.n - keep)));
    }
    buf_fmt(to, "%*.*s %*" PRIu64, c->name, STR(name), c->total, r->total);
    for (uint32_t i = 0; i < q->o.n_buckets; i++)
        buf_fmt(to, " %*" PRIu64, c->bucket[i], r->counts[i]);
    buf_byte(to, '\n');
}

static void put_head(const struct qshape *q, const struct columns *c,
                     struct buf *to)
{
    buf_fmt(to, "%*s %*s", c->name, "", c->total, "T");
    for (uint32_t i = 0; i < q->o.n_buckets; i++)
        buf_fmt(to, " %*.*s", c->bucket[i], STR(bucket_title(q, i)));
    buf_byte(to, '\n');
}

static int by_total(const void *a, const void *b)
{
    const struct qshape_row *x = *(const struct qshape_row *const *)a;
    const struct qshape_row *y = *(const struct qshape_row *const *)b;

    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return str_cmp(x->name, y->name);
}

void qshape_put(const struct qshape *q, struct buf *to)
{
    const struct qshape_row **rows =
        arena_array(q->a, const struct qshape_row *, q->domains.n);
    struct columns c;
    size_t n = 0, at = 0;
    void *value;
    str key;

    measure(q, &c);
    put_head(q, &c, to);
    put_row(q, &c, q->total, to);
    while (map_next(&q->domains, &at, &key, &value)) {
        const struct qshape_row *r = value;
        if (!r->parent || r->n_below >= q->o.subdomains_min)
            rows[n++] = r;
    }
    qsort(rows, n, sizeof(*rows), by_total);
    for (size_t i = 0; i < n; i++)
        put_row(q, &c, rows[i], to);
}
