/* SPDX-License-Identifier: ISC
 *
 * TLS material of a service, read with master's rights and handed over as
 * bytes: the roles that use it open no path.  The queue manager gets the text
 * of bounce_template_file the same way.
 */
#include "role/master/master.h"

#include "role/events.h"

enum { PEM_MAX = 320 * 1024 }; /* three of them in a frame */

static bool read_pem(struct task *t, str path, struct arena *a, str *out)
{
    if (str_empty(path) || str_eq(path, S("none"))) {
        *out = S("");
        return false;
    }
    if (file_load(t, NULL, path, a, PEM_MAX, out)) {
        say(t, role_warn, task_why(t));
        *out = S("");
        return false;
    }
    return true;
}

static const struct conf *overlaid(struct task *t, struct master *m,
                                   const struct service *s, struct arena *a)
{
    struct conf_findings findings = { 0 };
    struct conf *c;

    (void)t;
    return conf_of_service(a, m->conf, s, &findings, &c) ? m->conf : c;
}

static bool tls_wanted(const struct conf *c)
{
    str level = conf_str(c, P_smtpd_tls_security_level);

    return (!str_empty(level) && !str_ieq(level, S("none")))
           || conf_bool(c, P_smtpd_use_tls)
           || conf_bool(c, P_smtpd_enforce_tls)
           || conf_bool(c, P_smtpd_tls_wrappermode);
}

/* A client's own certificate, which few need, and whom it trusts. */
static bool client_keys(struct task *t, const struct conf *c, bool lmtp,
                        struct arena *a, struct master_keys *out)
{
#define OWN(name) (lmtp ? P_lmtp_##name : P_smtp_##name)
    struct conf_items chain = conf_items(c, OWN(tls_chain_files));
    bool any;

    if (chain.n > 0)
        any = read_pem(t, chain.p[0], a, &out->cert_pem);
    else
        any = read_pem(t, conf_str(c, OWN(tls_cert_file)), a,
                       &out->cert_pem);
    if (chain.n > 0
        || !read_pem(t, conf_str(c, OWN(tls_key_file)), a, &out->key_pem))
        out->key_pem = out->cert_pem;
    return read_pem(t, conf_str(c, OWN(tls_CAfile)), a, &out->ca_pem) || any;
#undef OWN
}

bool master_keys_load(struct task *t, struct master *m,
                      const struct service *s, struct arena *a,
                      struct master_keys *out)
{
    const struct conf *c = overlaid(t, m, s, a);
    struct conf_items chain = conf_items(c, P_smtpd_tls_chain_files);
    str key_file = conf_str(c, P_smtpd_tls_key_file);

    *out = (struct master_keys){ 0 };
    if (str_eq(s->command, S("smtp")) || str_eq(s->command, S("lmtp")))
        return client_keys(t, c, str_eq(s->command, S("lmtp")), a, out);
    if (str_eq(s->command, S("qmgr"))) /* not a key, but as far away */
        return read_pem(t, conf_str(c, P_bounce_template_file), a,
                        &out->cert_pem);
    if (str_eq(s->command, S("smtpd")) && !tls_wanted(c))
        return false;
    if (chain.n > 0) {
        if (!read_pem(t, chain.p[0], a, &out->cert_pem))
            return false;
        out->key_pem = out->cert_pem;
    } else {
        if (!read_pem(t, conf_str(c, P_smtpd_tls_cert_file), a,
                      &out->cert_pem))
            return false;
        if (!read_pem(t, key_file, a, &out->key_pem))
            out->key_pem = out->cert_pem;
    }
    read_pem(t, conf_str(c, P_smtpd_tls_CAfile), a, &out->ca_pem);
    return true;
}
