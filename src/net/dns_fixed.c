/* SPDX-License-Identifier: ISC
 *
 * A struct dns that knows what a text says; for tests and the simulated
 * world.  Nothing here waits.
 */
#include "net/dns_local.h"

enum { CHAIN_MAX = 8, FIXED_TTL_S = 60 };

struct fixed_record {
    str owner;              /* lower case */
    bool failing;           /* outcome says how */
    enum dns_outcome outcome;
    struct dns_record record;
};

struct fixed {
    struct dns base;
    struct arena *arena;
    vec_of(struct fixed_record) list;
};

static const struct { str name; enum dns_type type; } types[] = {
    { S_INIT("A"), DNS_A }, { S_INIT("AAAA"), DNS_AAAA },
    { S_INIT("NS"), DNS_NS }, { S_INIT("CNAME"), DNS_CNAME },
    { S_INIT("PTR"), DNS_PTR }, { S_INIT("MX"), DNS_MX },
    { S_INIT("TXT"), DNS_TXT }, { S_INIT("SRV"), DNS_SRV },
};

static uint16_t number(str *line)
{
    uint64_t n = 0;
    str word;

    must(str_token(line, S(" \t"), &word) && str_uint(word, 65535, &n));
    return (uint16_t)n;
}

static void read_data(struct fixed *f, str line, struct dns_record *r)
{
    if (r->type == DNS_MX || r->type == DNS_SRV)
        r->preference = number(&line);
    if (r->type == DNS_SRV) {
        r->weight = number(&line);
        r->port = number(&line);
    }
    line = arena_str(f->arena, str_trim(line));
    if (r->type == DNS_A || r->type == DNS_AAAA)
        must(endpoint_parse(line, 0, &r->address) == OK);
    else if (r->type == DNS_TXT)
        r->data = line;
    else
        r->name = line;
}

/* The text is a test's own: what is wrong with it is a mistake there. */
static void read_line(struct fixed *f, str line)
{
    struct fixed_record r = { .record.ttl = FIXED_TTL_S };
    str owner, word;

    if (!str_token(&line, S(" \t\r"), &owner))
        return;
    must(str_token(&line, S(" \t\r"), &word));
    r.owner = arena_lower(f->arena, owner);
    if (str_eq(word, S("TRY_AGAIN")) || str_eq(word, S("BOGUS"))) {
        r.failing = true;
        r.outcome = word.p[0] == 'B' ? DNS_BOGUS : DNS_TRY_AGAIN;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (str_eq(word, types[i].name))
            r.record.type = types[i].type;
    must(r.failing || r.record.type);
    if (!r.failing)
        read_data(f, line, &r.record);
    vec_push(f->arena, &f->list, r);
}

/* Whether name is owner or above it. */
static bool above(str owner, str name)
{
    return str_ieq(owner, name)
        || (owner.n > name.n && str_iends(owner, name)
            && owner.p[owner.n - name.n - 1] == '.');
}

static bool find_alias(const struct fixed *f, str name, str *target)
{
    for (size_t i = 0; i < f->list.n; i++) {
        const struct fixed_record *r = &f->list.p[i];
        if (r->record.type == DNS_CNAME && str_ieq(r->owner, name)) {
            *target = r->record.name;
            return true;
        }
    }
    return false;
}

static void collect(const struct fixed *f, str name, enum dns_type type,
                    struct arena *a, struct dns_answer *out)
{
    vec_of(struct dns_record) found = { 0 };

    *out = (struct dns_answer){ .outcome = DNS_NO_NAME, .ttl = FIXED_TTL_S };
    for (size_t i = 0; i < f->list.n; i++) {
        const struct fixed_record *r = &f->list.p[i];
        if (!above(r->owner, name))
            continue;
        if (out->outcome == DNS_NO_NAME)
            out->outcome = DNS_NO_DATA;
        if (!str_ieq(r->owner, name))
            continue;
        if (r->failing) {
            out->outcome = r->outcome;
            return;
        }
        if (r->record.type == type)
            vec_push(a, &found, r->record);
    }
    if (found.n > 0)
        out->outcome = DNS_FOUND;
    out->p = found.p;
    out->n = found.n;
}

static err ask(struct task *t, struct dns *d, str name, enum dns_type type,
               when until, struct arena *a, struct dns_answer *out)
{
    const struct fixed *f = container_of(d, struct fixed, base);

    (void)until;
    if (task_stopped(t))
        return ERR_STOPPED;
    for (int i = 0; type != DNS_CNAME && i < CHAIN_MAX
                    && find_alias(f, name, &name); i++)
        continue;
    collect(f, name, type, a, out);
    return OK;
}

struct dns *dns_fixed(struct arena *a, str text)
{
    static const struct dns_ops ops = { ask, NULL, NULL };
    struct fixed *f = arena_new(a, struct fixed);
    str line;

    f->base = (struct dns){ DNS_MAGIC, &ops, NULL };
    f->arena = a;
    while (str_cut(&text, '\n', &line))
        read_line(f, line);
    return &f->base;
}
