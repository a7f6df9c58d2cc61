/* SPDX-License-Identifier: ISC
 *
 * local(8): its settings, and its place among the agents.
 */
#include "role/deliver/local.h"

struct word {
    str name;
    int bit;
};

/* A list of such words, three in all, as the sum of their bits. */
static err read_words(struct task *t, const struct conf *c, enum param p,
                      const struct word words[3], int *out)
{
    struct conf_items items = conf_items(c, p);
    int bits = 0;

    for (size_t i = 0; i < items.n; i++) {
        int bit = 0;
        for (size_t k = 0; k < 3; k++)
            if (str_ieq(items.p[i], words[k].name))
                bit = words[k].bit;
        if (!bit)
            return why(t, ERR_SYNTAX, "%.*s: bad value \"%.*s\"",
                       STR(conf_param(p)->name), STR(items.p[i]));
        bits |= bit;
    }
    *out = bits;
    return OK;
}

static err read_policies(struct task *t, const struct conf *c,
                         struct local *l)
{
    static const struct word from[] = {
        { S_INIT("alias"), ALIAS_FROM_ALIAS },
        { S_INIT("forward"), ALIAS_FROM_FORWARD },
        { S_INIT("include"), ALIAS_FROM_INCLUDE },
    }, in[] = {
        { S_INIT("command"), DELIVERED_COMMAND },
        { S_INIT("file"), DELIVERED_FILE },
        { S_INIT("forward"), DELIVERED_FORWARD },
    };

    TRY(read_words(t, c, P_allow_mail_to_commands, from, &l->commands));
    TRY(read_words(t, c, P_allow_mail_to_files, from, &l->files));
    return read_words(t, c, P_prepend_delivered_header, in,
                      &l->delivered_in);
}

/* proxy: means a server for those who may not open tables; who opens ours
 * can (local(8), SECURITY). */
static str without_proxy(str specs, struct arena *a)
{
    struct buf b;

    buf_init(&b, a, specs.n + 1);
    while (specs.n > 0) {
        if (str_starts(specs, S("proxy:")))
            specs = str_skip(specs, S("proxy:").n);
        buf_byte(&b, specs.p[0]);
        specs = str_skip(specs, 1);
    }
    return buf_str(&b);
}

static err open_tables(struct task *t, struct transport *tr, struct local *l)
{
    struct setup *s = tr->setup;
    const struct { enum param p; struct maps *m; int flags; } list[] = {
        { P_lookup_local_users, &l->users, TABLE_EXACT_CASE },
        { P_mailbox_transport_maps, &l->mailbox_transports,
          TABLE_NO_GROUPS },
        { P_mailbox_command_maps, &l->mailbox_commands, TABLE_NO_GROUPS },
        { P_fallback_transport_maps, &l->fallback_transports,
          TABLE_NO_GROUPS },
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        TRY(maps_open_flags(t, s->tables, s->memory,
                            conf_param(list[i].p)->name,
                            conf_str(tr->conf, list[i].p), list[i].flags,
                            list[i].m));
    return maps_open_flags(t, s->tables, s->memory, S("alias_maps"),
                           without_proxy(conf_str(tr->conf, P_alias_maps),
                                         s->memory),
                           TABLE_NO_GROUPS, &l->aliases);
}

static err local_open(struct task *t, struct transport *tr)
{
    struct arena *a = tr->setup->memory;
    struct local *l = arena_new(a, struct local);
    const struct conf *c = tr->conf;

    l->transport = tr;
    l->conf = c;
    TRY(read_policies(t, c, l));
    TRY(mailbox_rules_read(t, c, P_mailbox_delivery_lock,
                           P_mailbox_size_limit, &l->rules));
    TRY(local_user_parse(t, tr, conf_str(c, P_default_privs), a,
                         &l->nobody));
    TRY(open_tables(t, tr, l));
    TRY(route_open(t, a, c, tr->setup->tables, &l->route));
    tr->self = l;
    return OK;
}

static void local_deliver(struct task *t, struct run *r)
{
    for (uint32_t i = 0; i < r->job.envelope.recipients.n; i++) {
        struct plan plan = { { 0 } };
        local_plan(t, r, i, &plan);
        local_carry(t, r, i, &plan);
    }
}

const struct agent agent_local = {
    S_INIT("local"), local_open, local_deliver, true,
};
