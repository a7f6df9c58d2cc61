/* SPDX-License-Identifier: ISC
 *
 * A configuration as master loads it: read, examined, and with the files that
 * belong to it (keys.c), all before any role hears of it.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/examine.h"

void report_line(struct task *t, struct buf *out, enum report_kind kind,
                 str line)
{
    if (kind == REPORT_ERROR)
        say(t, master_fault, STR(line));
    else
        say(t, master_finding, STR(line));
    if (out)
        buf_fmt(out, "%s: %.*s\n",
                kind == REPORT_ERROR ? "error" : "warning", STR(line));
}

static err load_conf(struct task *t, struct master *m, struct buf *out,
                     struct edition *e)
{
    struct conf_findings findings = { 0 };
    struct conf_load l = { .dir = str_from(m->o->config_dir),
                           .master_needed = true,
                           .process_name = "master" };
    err failed = examine_load(t, &e->memory, &l, &findings, &e->conf);
    str reason = arena_str(&e->memory, str_from(task_why(t)));

    for (size_t i = 0; i < findings.list.n; i++) {
        const struct conf_finding *f = &findings.list.p[i];
        str text = conf_finding_text(&e->memory, f);
        if (f->fatal)
            report_line(t, out, REPORT_ERROR, text);
        else if (!e->first) /* else who starts us has said it */
            report_line(t, out, REPORT_WARNING, text);
        if (f->fatal)
            reason = text;
    }
    return failed ? why(t, failed, "%.*s", STR(reason)) : OK;
}

static err load_keys(struct task *t, struct edition *e)
{
    size_t n = conf_services(e->conf).n;

    for (uint32_t i = 0; i < n; i++) {
        struct role_keys *k;
        TRY(master_keys_load(t, e, i, &k));
        if (k)
            list_add_last(&e->keys, &k->link);
    }
    return OK;
}

err master_load(struct task *t, struct master *m, struct buf *out,
                struct edition **e)
{
    struct edition *new = edition_new(++m->n_editions);
    err failed;

    new->first = !m->now;
    failed = load_conf(t, m, out, new);
    if (!failed)
        failed = load_keys(t, new);
    if (failed) {
        edition_leave(new);
        return failed;
    }
    *e = new;
    return OK;
}
