/* SPDX-License-Identifier: ISC
 *
 * The hosts file (hosts(5)): "ADDRESS NAME ALIAS ...  # comment".
 *
 * I1  Between two refreshes nothing changes: answers are copied out at once,
 *     without a wait.
 */
#include "net/dns_local.h"

#include "mail/host.h"

enum { LOOK_EVERY_S = 5, HOSTS_MAX = 16 << 20 };

struct host_addresses {
    vec_of(struct endpoint) list;
};

struct hosts {
    str path;
    struct arena arena;         /* of the present contents */
    struct map *by_name;        /* to struct host_addresses * */
    struct map *by_address;     /* text to str * */
    struct file_stat stat;
    when look_next;
    bool looking;
};

static void hosts_close(void *hosts)
{
    arena_reset(&((struct hosts *)hosts)->arena);
}

static void forget(struct hosts *h)
{
    arena_reset(&h->arena);
    h->by_name = map_new(&h->arena, true);
    h->by_address = map_new(&h->arena, false);
}

struct hosts *hosts_new(struct arena *a, str path)
{
    struct hosts *h = arena_new(a, struct hosts);

    h->path = arena_str(a, path);
    arena_init(&h->arena, 0);
    forget(h);
    arena_own(a, hosts_close, h);
    return h;
}

static void add_name(struct hosts *h, str name, const struct endpoint *e)
{
    struct host_addresses *all = map_get(h->by_name, name);

    if (!all) {
        all = arena_new(&h->arena, struct host_addresses);
        map_put(h->by_name, arena_str(&h->arena, name), all);
    }
    vec_push(&h->arena, &all->list, *e);
}

static void parse_line(struct hosts *h, str line)
{
    str address, name, *first, text;
    struct endpoint e;
    size_t hash = str_chr(line, '#');

    if (hash != STR_NONE)
        line = str_head(line, hash);
    if (!str_token(&line, S(" \t\r"), &address)
        || endpoint_parse(address, 0, &e))
        return;
    text = endpoint_address(&e, &h->arena);
    while (str_token(&line, S(" \t\r"), &name)) {
        if (!host_valid(name, false))
            continue;
        add_name(h, name, &e);
        if (map_get(h->by_address, text))
            continue;
        first = arena_new(&h->arena, str);
        *first = arena_str(&h->arena, name);
        map_put(h->by_address, text, first);
    }
}

void hosts_parse(struct hosts *h, str text)
{
    str line;

    forget(h);
    while (str_cut(&text, '\n', &line))
        parse_line(h, line);
}

void hosts_refresh(struct task *t, struct hosts *h)
{
    struct file_stat st;
    struct arena a;
    str text;

    if (h->looking || rt_now(t) < h->look_next)
        return;
    h->looking = true;
    h->look_next = after_s(t, LOOK_EVERY_S);
    if (file_stat_path(t, NULL, h->path, &st))
        st = (struct file_stat){ 0 };
    if (st.mtime_us != h->stat.mtime_us || st.inode != h->stat.inode
        || st.size != h->stat.size) {
        arena_init(&a, 0);
        if (file_load(t, NULL, h->path, &a, HOSTS_MAX, &text))
            text = S(""); /* no file is an empty one */
        hosts_parse(h, text);
        h->stat = st;
        arena_reset(&a);
    }
    h->looking = false;
}

bool hosts_find(const struct hosts *h, str name, struct arena *a,
                struct dns_answer *out)
{
    const struct host_addresses *all = map_get(h->by_name, name);
    struct dns_record *p;
    size_t n = 0;

    if (!all)
        return false;
    p = arena_array(a, struct dns_record, all->list.n);
    for (int six = 0; six < 2; six++)
        for (size_t i = 0; i < all->list.n; i++) {
            const struct endpoint *e = &all->list.p[i];
            if ((e->kind == ENDPOINT_IP6) == six)
                p[n++] = (struct dns_record){
                    .type = six ? DNS_AAAA : DNS_A, .address = *e };
        }
    *out = (struct dns_answer){ .outcome = DNS_FOUND, .p = p, .n = n };
    return true;
}

bool hosts_name(const struct hosts *h, const struct endpoint *e,
                struct arena *a, str *name)
{
    str *found = map_get(h->by_address, endpoint_address(e, a));

    if (found)
        *name = arena_str(a, *found);
    return found;
}
