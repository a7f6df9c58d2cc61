/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: what DNS says of this host and of its domains.
 */
#include "role/tool/doctor.h"
#include "role/tool/records.h"

enum { ALL_S = 20, DOMAINS_MAX = 50 };

static void ask(struct task *t, struct records *r, void *arg)
{
    const struct doctor *d = arg;

    records_of_host(t, r);
    for (size_t i = 0; i < d->domains.n && i < DOMAINS_MAX; i++)
        if (!str_ieq(d->domains.p[i], r->host))
            records_of_domain(t, r, d->domains.p[i]);
}

/* A finding a record that is not as it should be; how many there were. */
static size_t say_bad(struct doctor *d, const struct records *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->list.n; i++) {
        const struct record *x = &r->list.p[i];
        if (x->state == RECORD_OK || x->state == RECORD_UNKNOWN)
            continue;
        n++;
        doctor_say(d, DOUBT, "DNS: %.*s %s is %s%.*s; wanted: %.*s",
                   STR(x->name), x->type,
                   x->state == RECORD_MISSING ? "missing" : "",
                   STR(x->found), STR(x->wanted));
    }
    return n;
}

void doctor_dns(struct task *t, struct doctor *d)
{
    struct records r = { .conf = d->conf, .a = d->a,
                         .until = after_s(t, ALL_S) };
    size_t unknown = 0;

    if (records_with_dns(t, &r, ask, d)) {
        doctor_say(d, PROBLEM, "%.*s/main.cf: %s", STR(conf_dir(d->conf)),
                   task_why(t));
        return;
    }
    for (size_t i = 0; i < r.list.n; i++)
        unknown += r.list.p[i].state == RECORD_UNKNOWN;
    if (say_bad(d, &r) == 0 && unknown == 0)
        doctor_say(d, FINE, "DNS has the records of %.*s and of its domains",
                   STR(r.host));
    if (unknown > 0)
        doctor_say(d, DOUBT, "DNS does not answer: %zu of the %zu records of "
                   "this host and its domains are not known", unknown,
                   r.list.n);
}
