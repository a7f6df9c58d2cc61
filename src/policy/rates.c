/* SPDX-License-Identifier: ISC
 *
 * Counts of clients.  All that is known of a client is one object: in the map
 * by its key, and on the list of those who are idle (no connections) in the
 * order in which they became so, which is nearly that of their units' ends.
 *
 * I3  A client is on the idle list if and only if it has no connections.
 * I4  A client's open connections are the sum of those of its holds; a hold
 *     is there while it has some.
 */
#include "policy/rates.h"

enum { KEY_MAX = 300 };

/* The connections of one client that one reporter has. */
struct hold {
    struct link of_reporter, of_client;
    struct rate_reporter *reporter;
    struct client *client;
    uint32_t open;
};

struct client {
    struct link idle;               /* I3 */
    struct link holds;
    struct str_room { char p[KEY_MAX]; size_t n; } key;
    int64_t start_us;               /* of the time unit */
    struct rate_counts counts;
};

struct rate_reporter {
    struct rates *rates;
    struct link holds;
};

struct rates {
    struct map clients;
    struct link idle;               /* longest idle first */
    int64_t unit_us;
    size_t n_reporters;
};

struct rates *rates_new(int64_t unit_us)
{
    struct rates *r = heap_new(struct rates);

    map_init(&r->clients, false);
    list_init(&r->idle);
    r->unit_us = unit_us;
    return r;
}

void rates_unit_set(struct rates *r, int64_t unit_us)
{
    r->unit_us = unit_us;
}

size_t rates_n(const struct rates *r)
{
    return r->clients.n;
}

static str key_of(const struct client *c)
{
    return str_of(c->key.p, c->key.n);
}

static void forget(struct rates *r, struct client *c)
{
    must(list_empty(&c->holds));
    list_del(&c->idle);
    map_del(&r->clients, key_of(c));
    heap_free(c);
}

void rates_free(struct rates *r)
{
    must(r->n_reporters == 0);
    while (!list_empty(&r->idle))
        forget(r, container_of(r->idle.next, struct client, idle));
    must(r->clients.n == 0);    /* I3: nobody has connections */
    map_free(&r->clients);
    heap_free(r);
}

struct rate_reporter *rate_reporter_join(struct rates *r)
{
    struct rate_reporter *from = heap_new(struct rate_reporter);

    from->rates = r;
    list_init(&from->holds);
    r->n_reporters++;
    return from;
}

static bool over(const struct rates *r, const struct client *c,
                 int64_t now_us)
{
    return now_us - c->start_us >= r->unit_us || now_us < c->start_us;
}

/* Room for one more (I2).  Two of those whose time is over go for each that
 * comes, so the table shrinks to what it must hold. */
static bool make_room(struct rates *r, int64_t now_us)
{
    for (int i = 0; i < 2 && !list_empty(&r->idle); i++) {
        struct client *c = container_of(r->idle.next, struct client, idle);
        if (!over(r, c, now_us) && r->clients.n < RATES_CLIENTS_MAX)
            break;
        forget(r, c);
    }
    return r->clients.n < RATES_CLIENTS_MAX;
}

static struct client *client_new(struct rates *r, str key, int64_t now_us)
{
    struct client *c;

    if (key.n > KEY_MAX || !make_room(r, now_us))
        return NULL;
    c = heap_new(struct client);
    memcpy(c->key.p, key.p, key.n);
    c->key.n = key.n;
    c->start_us = now_us;
    list_init(&c->holds);
    list_add_last(&r->idle, &c->idle);
    map_put(&r->clients, key_of(c), c);
    return c;
}

static struct hold *hold_find(const struct client *c,
                              const struct rate_reporter *from)
{
    list_each(l, &c->holds) {
        struct hold *h = container_of(l, struct hold, of_client);
        if (h->reporter == from)
            return h;
    }
    return NULL;
}

static void open_one(struct rate_reporter *from, struct client *c)
{
    struct hold *h = hold_find(c, from);

    if (!h) {
        h = heap_new(struct hold);
        h->reporter = from;
        h->client = c;
        list_add_last(&from->holds, &h->of_reporter);
        list_add_last(&c->holds, &h->of_client);
        list_del(&c->idle);
    }
    h->open++;
    c->counts.open++;
}

/* n of its connections are closed; the hold is gone with the last. */
static void let_go(struct hold *h, uint32_t n)
{
    struct client *c = h->client;

    must(n <= h->open && h->open <= c->counts.open);    /* I4 */
    c->counts.open -= n;
    h->open -= n;
    if (h->open > 0)
        return;
    list_del(&h->of_reporter);
    list_del(&h->of_client);
    if (list_empty(&c->holds))
        list_add_last(&h->reporter->rates->idle, &c->idle);
    heap_free(h);
}

void rate_reporter_leave(struct rate_reporter *from)
{
    while (!list_empty(&from->holds)) {
        struct hold *h = container_of(from->holds.next, struct hold,
                                      of_reporter);
        let_go(h, h->open);
    }
    from->rates->n_reporters--;
    heap_free(from);
}

struct rate_counts rate_note(struct rate_reporter *from, str key,
                             enum rate_event event, int64_t now_us)
{
    struct rates *r = from->rates;
    struct client *c = map_get(&r->clients, key);

    if (!c)
        c = client_new(r, key, now_us);
    if (!c)
        return (struct rate_counts){ .full = true };
    if (over(r, c, now_us)) {
        c->start_us = now_us;
        memset(c->counts.n, 0, sizeof(c->counts.n));
    }
    if (c->counts.n[event] < UINT32_MAX)
        c->counts.n[event]++;
    if (event == RATE_CONNECTION)
        open_one(from, c);
    return c->counts;
}

void rate_close(struct rate_reporter *from, str key, int64_t now_us)
{
    struct client *c = map_get(&from->rates->clients, key);
    struct hold *h = c ? hold_find(c, from) : NULL;

    if (h)
        let_go(h, 1);
    make_room(from->rates, now_us);
}

str rates_key(struct arena *a, str service, const unsigned char *address,
              size_t n, int prefix)
{
    struct buf b;

    buf_init(&b, a, KEY_MAX);
    buf_fmt(&b, "%.*s:", STR(str_head(service, 200)));
    for (size_t i = 0; i < n; i++) {
        int bits = prefix - (int)i * 8;
        int keep = bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff << (8 - bits);
        buf_fmt(&b, "%02x", address[i] & keep & 0xff);
    }
    return buf_str(&b);
}
