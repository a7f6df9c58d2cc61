/* SPDX-License-Identifier: ISC
 *
 * veredus dns: the records that a domain needs, as lines of a zone, and
 * whether they are there.
 */
#include "role/tool/admin.h"
#include "role/tool/records.h"

#include "mail/host.h"

#include <stdio.h>

enum { ALL_S = 60, DOMAINS_MAX = 100 };

static const char *const state_names[] = {
    [RECORD_OK] = "ok", [RECORD_MISSING] = "missing",
    [RECORD_DIFFERS] = "differs", [RECORD_UNKNOWN] = "unknown",
};

static void ask_all(struct task *t, struct records *r, void *arg)
{
    const struct admin *ad = arg;

    records_of_host(t, r);
    for (size_t i = 0; i < ad->operands.n; i++) {
        records_of_domain(t, r, ad->operands.p[i]);
        records_of_services(t, r, ad->operands.p[i]);
    }
}

static void put_line(const struct record *x)
{
    printf("%-8s %.*s. IN %s %.*s", state_names[x->state], STR(x->name),
           x->type, STR(x->wanted));
    if (x->state == RECORD_UNKNOWN)
        printf("  ; DNS does not answer");
    else if (x->found.n && !str_eq(x->found, x->wanted))
        printf("  ; found: %.*s", STR(x->found));
    printf("\n");
}

static void put_json(struct admin *ad, const struct records *r)
{
    static const char *const heads[] = { "state", "name", "type", "wanted",
                                         "found" };
    struct admin_table table = { heads, 5, { 0 } };
    struct buf out;

    for (size_t i = 0; i < r->list.n; i++) {
        const struct record *x = &r->list.p[i];
        struct admin_row row = { .cell = {
            { .text = str_from(state_names[x->state]) }, { .text = x->name },
            { .text = str_from(x->type) }, { .text = x->wanted },
            { .text = x->found } } };
        vec_push(&ad->memory, &table.rows, row);
    }
    buf_init(&out, &ad->memory, 1 << 20);
    admin_table_put(&table, true, &out);
    admin_print(&out);
}

static err show(struct task *t, struct admin *ad)
{
    struct records r = { .a = &ad->memory, .until = after_s(t, ALL_S) };
    err e = tool_conf(t, &ad->memory, ad->args, admin_value(ad, ADMIN_config),
                      &ad->conf);
    bool good = true;

    ad->said = e != OK;
    TRY(e);
    for (size_t i = 0; i < ad->operands.n; i++)
        if (!host_valid(ad->operands.p[i], true))
            return why(t, ERR_SYNTAX, "not a domain: %.*s",
                       STR(str_head(ad->operands.p[i], 100)));
    r.conf = ad->conf;
    TRY(records_with_dns(t, &r, ask_all, ad));
    if (ad->given[ADMIN_json])
        put_json(ad, &r);
    for (size_t i = 0; i < r.list.n; i++) {
        if (!ad->given[ADMIN_json])
            put_line(&r.list.p[i]);
        good &= r.list.p[i].state == RECORD_OK;
    }
    ad->said = true;
    return good ? OK : ERR_ABSENT;
}

static const struct admin_verb verbs[] = {
    { NULL, "DOMAIN...",
      "Shows the DNS records that a domain needs for its mail to come\n"
      "here, as lines of a zone: addresses and name of this host, MX, SPF,\n"
      "and SRV for the services that are configured.  Each is asked\n"
      "for; before it stands ok, missing, differs, or unknown if DNS does\n"
      "not answer.  The exit status is 1 if one of them is not ok.",
      ADMIN_BIT(json), 1, DOMAINS_MAX, show },
};

int tool_dns(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = { "", verbs, 1 };

    return admin_main(t, args, &command);
}
