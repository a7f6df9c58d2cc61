/* SPDX-License-Identifier: ISC
 *
 * What a configuration means for each listener of the door.
 */
#include "role/imapd/imapd.h"

#include "auth/sasl.h"
#include "role/mailstore.h"
#include "role/tls.h"

static bool demands_tls(const struct door_settings *l)
{
    return role_tls_demanded(conf_str(l->conf,
                                      l->pop3 ? P_pop3d_tls_security_level
                                              : P_imapd_tls_security_level));
}

static err open_tls(struct task *t, struct imapd *d, struct edition *e,
                    uint32_t index, struct door_settings *l)
{
    struct tls_plan p = {
        .edition = e, .tickets = &d->role->tickets, .conf = l->conf,
        .service = index, .demanded = l->wrapped || demands_tls(l),
        .need = TLS_MANDATORY, .label = l->pop3 ? S("pop3d") : S("imapd"),
    };

    return role_tls_server(t, &e->memory, &p, &l->tls);
}

static err open_listener(struct task *t, struct imapd *d,
                         struct edition *e, uint32_t index,
                         const struct service *s)
{
    struct door_settings *of = e->self, *l = &of[index];
    struct conf_findings findings = { 0 };
    struct conf *own;

    TRY(conf_of_service(&e->memory, e->conf, s, &findings, &own));
    l->conf = own;
    l->pop3 = str_eq(s->command, S("pop3d"));
    l->log_name = arena_fmt(&e->memory, "%.*s/%.*s",
                            STR(conf_str(l->conf, P_syslog_name)),
                            STR(s->command)).p;
    l->wrapped = conf_bool(l->conf, l->pop3 ? P_pop3d_tls_wrappermode
                                            : P_imapd_tls_wrappermode);
    l->plaintext = conf_bool(l->conf, P_auth_allow_plaintext)
                   && !demands_tls(l);
    l->sasl_flags = sasl_flags_of(own);
    l->mechanisms = sasl_offer(l->sasl_flags);
    l->limit = (uint32_t)s->limit;
    waiting_init(&l->waiting);
    TRY(mailstore_quota_read(t, own, &l->quota));
    return open_tls(t, d, e, index, l);
}

err door_settings_open(struct task *t, void *imapd, struct edition *e)
{
    struct services all = conf_services(e->conf);

    e->self = arena_array(&e->memory, struct door_settings, all.n);
    for (uint32_t i = 0; i < all.n; i++)
        if (str_eq(all.p[i].command, S("imapd"))
            || str_eq(all.p[i].command, S("pop3d")))
            TRY(open_listener(t, imapd, e, i, &all.p[i]));
    return OK;
}
