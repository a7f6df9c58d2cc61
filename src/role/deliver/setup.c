/* SPDX-License-Identifier: ISC
 *
 * What a configuration means for deliveries: its local, virtual and pipe
 * lines with their own parameters, their tables opened.  A line that cannot
 * be set up keeps its mail waiting and says why; the others work.
 */
#include "role/deliver/deliver.h"

#include "role/events.h"

static const struct agent *agent_find(str command)
{
    static const struct agent *const agents[] = {
        &agent_virtual, &agent_local, &agent_pipe,
    };

    for (size_t i = 0; i < sizeof(agents) / sizeof(*agents); i++)
        if (str_eq(agents[i]->command, command))
            return agents[i];
    return NULL;
}

/* Tables come from the lookup role (table/face.h), which may read what is
 * closed to mail_owner, so that this process needs no rights for them.  A
 * test that has no such role opens them itself. */
static struct tables *open_tables(struct setup *s)
{
    return tables_new(s->memory, s->conf, s->deliver->opener);
}

static const struct conf *overlay(struct task *t, struct setup *s,
                                  const struct service *line, str *broken)
{
    struct conf_findings findings = { 0 };
    struct conf *c;

    (void)t;
    if (line->n_overrides == 0)
        return s->conf;
    if (!conf_overlay(s->memory, s->conf, line->overrides,
                      line->n_overrides, &findings, &c))
        return c;
    *broken = S("its -o options cannot be used");
    return s->conf;
}

static const char *log_name_of(struct setup *s, const struct conf *c,
                               str command)
{
    str name;

    if (!conf_find(c, s->memory, S("syslog_name"), &name)
        || str_empty(name))
        name = S("postfix");
    return arena_fmt(s->memory, "%.*s/%.*s", STR(name), STR(command)).p;
}

static void add_transport(struct task *t, struct setup *s,
                          const struct service *line,
                          const struct agent *agent)
{
    struct transport *tr = arena_new(s->memory, struct transport);

    tr->setup = s;
    tr->service = line;
    tr->agent = agent;
    tr->name = line->name;
    tr->conf = overlay(t, s, line, &tr->broken);
    tr->log_name = log_name_of(s, tr->conf, agent->command);
    list_add_last(&s->transports, &tr->link);
    if (str_empty(tr->broken) && agent->open(t, tr))
        tr->broken = arena_str(s->memory, str_from(task_why(t)));
    if (!str_empty(tr->broken)) {
        const char *before = log_name_get(t);
        log_name_set(t, tr->log_name);
        say(t, role_error,
            arena_fmt(s->memory, "%.*s: %.*s", STR(tr->name),
                      STR(tr->broken)).p);
        log_name_set(t, before);
    }
}

/* At the start mail of a broken line waits; a reload rather changes nothing. */
static err all_work(struct task *t, const struct setup *s)
{
    list_each(l, &s->transports) {
        const struct transport *tr = container_of(l, struct transport, link);
        if (!str_empty(tr->broken))
            return why(t, ERR_SYNTAX, "service \"%.*s\": %.*s",
                       STR(tr->name), STR(tr->broken));
    }
    return OK;
}

err setup_open(struct task *t, void *deliver, struct edition *e)
{
    struct setup *s = arena_new(&e->memory, struct setup);
    struct services all = conf_services(e->conf);

    s->deliver = deliver;
    s->conf = e->conf;
    s->memory = &e->memory;
    list_init(&s->transports);
    s->tables = open_tables(s);
    for (size_t i = 0; i < all.n; i++) {
        const struct agent *agent = agent_find(all.p[i].command);
        if (agent && all.p[i].type != SERVICE_INET)
            add_transport(t, s, &all.p[i], agent);
    }
    e->self = s;
    return e->first ? OK : all_work(t, s);
}

struct transport *setup_find(const struct setup *s, str name)
{
    list_each(l, &s->transports) {
        struct transport *tr = container_of(l, struct transport, link);
        if (str_eq(tr->name, name))
            return tr;
    }
    return NULL;
}
