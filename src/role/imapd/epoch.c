/* SPDX-License-Identifier: ISC
 *
 * What a configuration means for each listener of the door.
 */
#include "role/imapd/imapd.h"

#include "auth/sasl.h"
#include "role/mailstore.h"
#include "role/tls.h"

static void open_tls(struct task *t, struct imapd *d, struct door_epoch *e,
                     uint32_t index, struct door_settings *l)
{
    struct tls_plan p = {
        .role = d->role, .conf = l->conf, .service = index,
        .need = TLS_MANDATORY, .label = l->pop3 ? S("pop3d") : S("imapd"),
    };

    role_tls_server(t, &e->memory, &p, &l->tls);
}

static err open_listener(struct task *t, struct imapd *d,
                         struct door_epoch *e, uint32_t index,
                         const struct service *s)
{
    struct door_settings *l = &e->of[index];
    struct conf_findings findings = { 0 };
    struct conf *own;

    TRY(conf_of_service(&e->memory, d->role->conf, s, &findings, &own));
    l->conf = own;
    l->pop3 = str_eq(s->command, S("pop3d"));
    l->log_name = arena_fmt(&e->memory, "%.*s/%.*s",
                            STR(conf_str(l->conf, P_syslog_name)),
                            STR(s->command)).p;
    l->wrapped = conf_bool(l->conf, l->pop3 ? P_pop3d_tls_wrappermode
                                            : P_imapd_tls_wrappermode);
    l->plaintext = conf_bool(l->conf, P_auth_allow_plaintext)
                   && !role_tls_demanded(conf_str(l->conf, l->pop3
                           ? P_pop3d_tls_security_level
                           : P_imapd_tls_security_level));
    l->sasl_flags = sasl_flags_of(own);
    l->mechanisms = sasl_offer(l->sasl_flags);
    l->limit = (uint32_t)s->limit;
    TRY(mailstore_quota_read(t, own, &l->quota));
    open_tls(t, d, e, index, l);
    if (l->wrapped && !l->tls)
        return why(t, ERR_SYNTAX, "master.cf: line %d: TLS wrapper mode "
                   "without a usable certificate", s->line);
    return OK;
}

err door_epoch_open(struct task *t, struct imapd *d, struct door_epoch **out)
{
    struct door_epoch *e = heap_new(struct door_epoch);
    struct services all = conf_services(d->role->conf);
    err result = OK;

    arena_init(&e->memory, 0);
    e->number = d->role->epoch;
    e->n_users = 1;
    e->n = all.n;
    e->waiting = arena_array(&e->memory, struct waiting, all.n);
    for (size_t i = 0; i < all.n; i++)
        waiting_init(&e->waiting[i]);
    e->of = arena_array(&e->memory, struct door_settings, all.n);
    for (uint32_t i = 0; i < all.n && !result; i++)
        if (str_eq(all.p[i].command, S("imapd"))
            || str_eq(all.p[i].command, S("pop3d")))
            result = open_listener(t, d, e, i, &all.p[i]);
    if (result) {
        door_epoch_leave(e);
        return result;
    }
    *out = e;
    return OK;
}

void door_epoch_leave(struct door_epoch *e)
{
    if (--e->n_users > 0)
        return;
    arena_reset(&e->memory);
    heap_free(e);
}
