/* SPDX-License-Identifier: ISC
 *
 * Accepting, and the lines that guests count in.
 */
#include "role/doors.h"

#include "role/events.h"
#include "role/service.h"

enum { ACCEPT_PAUSE_MS = 100, RUN_MAX = 4, RUN_MS = 1, GUEST_FDS = 4 };

/* A line of master.cf, by its name: it stays the same over reloads. */
struct door_line {
    struct link link;
    char *key;              /* type and name */
    uint32_t n, limit;      /* guests; 0: no limit */
    uint32_t n_users;       /* guests, counted or not, and listeners */
    struct bell room;       /* there may be some, or the limit changed */
};

/* A listener that is accepted on. */
struct entry {
    struct link link;
    struct doors *doors;
    struct role_listener *listener;
    struct door_line *line;
    struct task_group group; /* its task alone */
};

struct doors {
    struct role *role;
    struct task_group *guests;
    bool limited;
    err (*serve)(struct task *t, void *guest);
    void *self;
    struct link lines, entries;
};

struct doors *doors_new(struct role *r, struct task_group *g, bool limited,
                      err (*serve)(struct task *t, void *guest), void *self)
{
    struct doors *d = arena_new(r->memory, struct doors);

    *d = (struct doors){ .role = r, .guests = g, .limited = limited,
                        .serve = serve, .self = self };
    list_init(&d->lines);
    list_init(&d->entries);
    return d;
}

/* --- lines ---------------------------------------------------------------- */

static struct door_line *line_find(const struct doors *d, str key)
{
    list_each(l, &d->lines) {
        struct door_line *line = container_of(l, struct door_line, link);
        if (str_eq(str_from(line->key), key))
            return line;
    }
    return NULL;
}

static struct door_line *line_new(struct doors *d, str key)
{
    struct door_line *line = heap_new(struct door_line);

    line->key = heap_alloc(key.n + 1);
    memcpy(line->key, key.p, key.n);
    list_add_last(&d->lines, &line->link);
    return line;
}

static struct door_line *line_hold(struct doors *d, const struct service *s)
{
    struct door_line *line;
    struct arena a;
    str key;

    arena_init(&a, 0);
    key = arena_fmt(&a, "%d %.*s", (int)s->type, STR(s->name));
    line = line_find(d, key);
    if (!line)
        line = line_new(d, key);
    arena_reset(&a);
    line->n_users++;
    return line;
}

static void line_leave(struct door_line *line)
{
    must(line->n_users > 0);
    if (--line->n_users > 0)
        return;
    list_del(&line->link);
    heap_free(line->key);
    heap_free(line);
}

static bool is_full(const struct door_line *line)
{
    return line->limit && line->n >= line->limit;
}

/* --- guests --------------------------------------------------------------- */

static void let_in(struct entry *en, struct sock *s,
                   const struct endpoint *peer)
{
    struct doors *d = en->doors;
    struct door_guest *g = heap_new(struct door_guest);

    *g = (struct door_guest){
        .self = d->self, .doors = d, .line = en->line,
        .edition = edition_hold(d->role->now),
        .service = en->listener->service, .sock = s, .peer = *peer,
    };
    en->line->n++;
    en->line->n_users++;
    group_go(d->guests, "session", d->serve, g);
}

void door_uncount(struct door_guest *g)
{
    struct door_line *line = g->line;

    if (!line)
        return;
    g->line = NULL;
    must(line->n > 0);
    line->n--;
    bell_ring_all(&line->room);
    line_leave(line);
}

void door_leave(struct door_guest *g)
{
    door_uncount(g);
    edition_leave(g->edition);
    heap_free(g);
}

/* --- listeners ------------------------------------------------------------ */

/* Of many that come at once a process that is awake would take all, before
 * the next one is: after some it stands back for a moment (D3). */
static err stand_back(struct task *t, when *since, unsigned *n)
{
    if (rt_now(t) - *since > RUN_MS * 1000) {
        *since = rt_now(t);
        *n = 0;
    }
    if (++*n < RUN_MAX)
        return OK;
    *n = 0;
    return task_sleep(t, after_ms(t, RUN_MS));
}

static err accept_run(struct task *t, void *arg)
{
    struct entry *en = arg;
    bool failing = false;
    unsigned n = 0;
    when since = 0;

    for (;;) {
        struct endpoint peer;
        struct sock *s;
        err e;

        if (is_full(en->line)) {
            TRY(bell_wait(t, &en->line->room, NEVER)); /* D1 */
            continue;
        }
        if (rt_room(t, GUEST_FDS))
            e = sock_accept(t, en->listener->sock, NEVER, &s, &peer);
        else
            e = why(t, ERR_LIMIT, "the limit of open files or of tasks");
        if (e == ERR_STOPPED)
            return e;
        if (!e) {
            failing = false;
            let_in(en, s, &peer);
            TRY(stand_back(t, &since, &n));
            continue;
        }
        if (!failing)
            say(t, door_full, task_why(t));
        failing = true; /* descriptors ran out: some guests will end */
        TRY(task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS)));
    }
}

static void entry_close(struct task *t, struct entry *en)
{
    group_close(t, &en->group);
    role_listener_close(en->listener);
    line_leave(en->line);
    list_del(&en->link);
    heap_free(en);
}

static struct entry *entry_find(struct doors *d, const struct role_listener *li)
{
    list_each(l, &d->entries) {
        struct entry *en = container_of(l, struct entry, link);
        if (en->listener == li)
            return en;
    }
    return NULL;
}

/* The listener may have become another line's. */
static void entry_set(struct entry *en, const struct service *s)
{
    struct door_line *line = line_hold(en->doors, s), *before = en->line;

    line->limit = en->doors->limited && s->type == SERVICE_INET && s->limit > 0
                      ? (uint32_t)s->limit : 0;
    en->line = line;
    bell_ring_all(&line->room);
    if (!before)
        return;
    bell_ring_all(&before->room);
    line_leave(before);
}

static void entry_open(struct task *t, struct doors *d,
                       struct role_listener *li, const struct service *s)
{
    struct entry *en = heap_new(struct entry);

    en->doors = d;
    en->listener = li;
    entry_set(en, s);
    list_add_last(&d->entries, &en->link);
    group_open(t, &en->group);
    group_go(&en->group, "accept", accept_run, en);
}

/* Closing waits for the task that accepts, and meanwhile master may hand over
 * others: after each the list is looked at from its beginning. */
static struct role_listener *over_find(const struct role *r)
{
    list_each(l, &r->listeners) {
        struct role_listener *li = container_of(l, struct role_listener,
                                                link);
        if (role_listener_over(r, li))
            return li;
    }
    return NULL;
}

void doors_take(struct task *t, struct doors *d)
{
    struct services all = conf_services(d->role->now->conf);
    struct role_listener *li;

    while ((li = over_find(d->role))) {
        struct entry *en = entry_find(d, li);
        if (en)
            entry_close(t, en);
        else
            role_listener_close(li);
    }
    list_each(l, &d->role->listeners) {
        struct entry *en;
        li = container_of(l, struct role_listener, link);
        if (!li->served)
            continue;
        en = entry_find(d, li);
        if (en)
            entry_set(en, &all.p[li->service]);
        else
            entry_open(t, d, li, &all.p[li->service]);
    }
}

void doors_close(struct task *t, struct doors *d)
{
    list_each(l, &d->entries)
        entry_close(t, container_of(l, struct entry, link));
}
