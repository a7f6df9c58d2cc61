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

/* Where a service's material is named. */
struct place {
    str command;
    enum param chain, cert, key, ca;
    enum param level, wrapped;  /* of servers: whether any is wanted */
    bool client;                /* needs none, and is content with CAs */
};

#define PLACE(command, prefix, ca, wrapped, client)                           \
    { S_INIT(command), P_##prefix##_tls_chain_files,                          \
      P_##prefix##_tls_cert_file, P_##prefix##_tls_key_file, ca,              \
      P_##prefix##_tls_security_level, wrapped, client }
static const struct place places[] = {
    PLACE("smtpd", smtpd, P_smtpd_tls_CAfile, P_smtpd_tls_wrappermode, false),
    PLACE("imapd", imapd, N_PARAMS, P_imapd_tls_wrappermode, false),
    PLACE("pop3d", pop3d, N_PARAMS, P_pop3d_tls_wrappermode, false),
    PLACE("smtp", smtp, P_smtp_tls_CAfile, N_PARAMS, true),
    PLACE("lmtp", lmtp, P_lmtp_tls_CAfile, N_PARAMS, true),
};

/* imapd and pop3d offer STARTTLS to whoever has a certificate, unless the
 * level is "none"; smtpd only if it is asked to. */
static bool tls_wanted(const struct conf *c, const struct place *p)
{
    str level = conf_str(c, p->level);

    if (conf_bool(c, p->wrapped))
        return true;
    if (str_ieq(level, S("none")))
        return false;
    return !str_eq(p->command, S("smtpd")) || !str_empty(level)
           || conf_bool(c, P_smtpd_use_tls)
           || conf_bool(c, P_smtpd_enforce_tls);
}

static bool load(struct task *t, const struct conf *c, const struct place *p,
                 struct arena *a, struct master_keys *out)
{
    struct conf_items chain = conf_items(c, p->chain);
    bool ca = p->ca != N_PARAMS
              && read_pem(t, conf_str(c, p->ca), a, &out->ca_pem);
    bool any;

    if (chain.n > 1)
        say(t, role_warn,
            arena_fmt(a, "%.*s: only the first file is used",
                      STR(conf_param(p->chain)->name)).p);
    any = read_pem(t, chain.n > 0 ? chain.p[0] : conf_str(c, p->cert), a,
                   &out->cert_pem);
    if (chain.n > 0
        || !read_pem(t, conf_str(c, p->key), a, &out->key_pem))
        out->key_pem = out->cert_pem;
    return p->client ? any || ca : any;
}

bool master_keys_load(struct task *t, struct master *m,
                      const struct service *s, struct arena *a,
                      struct master_keys *out)
{
    const struct conf *c = overlaid(t, m, s, a);

    *out = (struct master_keys){ 0 };
    if (str_eq(s->command, S("qmgr"))) /* not a key, but as far away */
        return read_pem(t, conf_str(c, P_bounce_template_file), a,
                        &out->cert_pem);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (str_eq(places[i].command, s->command))
            return (places[i].client || tls_wanted(c, &places[i]))
                   && load(t, c, &places[i], a, out);
    return false;
}
