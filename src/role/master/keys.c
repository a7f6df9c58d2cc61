/* SPDX-License-Identifier: ISC
 *
 * TLS material of a service, read with master's rights and handed over as
 * bytes: the roles that use it open no path.  The queue manager gets the text
 * of bounce_template_file the same way.
 */
#include "role/master/master.h"

#include "role/events.h"

/* All of a service's goes into one frame. */
enum { PEM_MAX = 128 * 1024, TRUSTED_MAX = 640 * 1024 };

static bool read_pem_of(struct task *t, str path, struct arena *a,
                        size_t size_max, str *out)
{
    if (str_empty(path) || str_eq(path, S("none"))) {
        *out = S("");
        return false;
    }
    if (file_load(t, NULL, path, a, size_max, out)) {
        say(t, role_warn, task_why(t));
        *out = S("");
        return false;
    }
    return true;
}

static bool read_pem(struct task *t, str path, struct arena *a, str *out)
{
    return read_pem_of(t, path, a, PEM_MAX, out);
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
    enum param chain, cert, key, eccert, eckey, dcert, dkey, ca, ca_dir;
    enum param level, wrapped;  /* of servers: whether any is wanted */
    bool client;                /* needs none, and is content with CAs */
};

#define PLACE(command, prefix, other, wrapped, client)                        \
    { S_INIT(command), P_##prefix##_tls_chain_files,                          \
      P_##prefix##_tls_cert_file, P_##prefix##_tls_key_file,                  \
      P_##other##_tls_eccert_file, P_##other##_tls_eckey_file,                \
      P_##other##_tls_dcert_file, P_##other##_tls_dkey_file,                  \
      P_##other##_tls_CAfile, P_##other##_tls_CApath,                         \
      P_##prefix##_tls_security_level, wrapped, client }
static const struct place places[] = {
    PLACE("smtpd", smtpd, smtpd, P_smtpd_tls_wrappermode, false),
    PLACE("imapd", imapd, smtpd, P_imapd_tls_wrappermode, false),
    PLACE("pop3d", pop3d, smtpd, P_pop3d_tls_wrappermode, false),
    PLACE("smtp", smtp, smtp, N_PARAMS, true),
    PLACE("lmtp", lmtp, lmtp, N_PARAMS, true),
};
#undef PLACE

/* imapd and pop3d offer STARTTLS to whoever has a certificate, unless the
 * level is "none"; smtpd only if it is asked to. */
static bool tls_wanted(const struct conf *c, const struct place *p)
{
    str level = conf_str(c, p->level);

    if (p->wrapped != N_PARAMS && conf_bool(c, p->wrapped))
        return true;
    if (str_ieq(level, S("none")))
        return false;
    return !str_eq(p->command, S("smtpd")) || !str_empty(level)
           || conf_bool(c, P_smtpd_use_tls)
           || conf_bool(c, P_smtpd_enforce_tls);
}

static bool add_pair(struct task *t, struct arena *a, str cert, str key,
                     struct role_keys *out)
{
    struct tls_pair p = { .key_pem = S("") };

    if (!read_pem(t, cert, a, &p.chain_pem)
        || (!str_empty(key) && !read_pem(t, key, a, &p.key_pem)))
        return false;
    out->pairs[out->n_pairs++] = p;
    return true;
}

/* All of smtpd_tls_chain_files is one text: a key may stand in one file and
 * its chain in the next. */
static bool add_chain_files(struct task *t, struct arena *a,
                            struct conf_items files, struct role_keys *out)
{
    struct buf all;
    str pem;

    buf_init(&all, a, TRUSTED_MAX);
    for (size_t i = 0; i < files.n; i++) {
        if (!read_pem(t, files.p[i], a, &pem))
            return false;
        buf_add(&all, pem);
        buf_add(&all, S("\n"));
    }
    if (all.over)
        return false;
    out->pairs[out->n_pairs++].chain_pem = buf_str(&all);
    return true;
}

static bool add_pairs(struct task *t, const struct conf *c,
                      const struct place *p, struct arena *a,
                      struct role_keys *out)
{
    struct conf_items files = conf_items(c, p->chain);
    str cert = conf_str(c, p->cert);
    bool own = str_eq(p->command, S("imapd")) || str_eq(p->command, S("pop3d"));

    out->pairs = arena_array(a, struct tls_pair, 3);
    if (files.n > 0)
        return add_chain_files(t, a, files, out);
    if (!str_empty(cert))
        add_pair(t, a, cert, conf_str(c, p->key), out);
    /* certificates of other kinds go with smtpd's own */
    if (own && !str_eq(cert, conf_str(c, P_smtpd_tls_cert_file)))
        return out->n_pairs > 0;
    if (!str_empty(conf_str(c, p->eccert)))
        add_pair(t, a, conf_str(c, p->eccert), conf_str(c, p->eckey), out);
    if (!str_empty(conf_str(c, p->dcert)))
        add_pair(t, a, conf_str(c, p->dcert), conf_str(c, p->dkey), out);
    return out->n_pairs > 0;
}

/* As c_rehash(1) names the certificates of a directory: "9d66eef0.0".  These
 * are symbolic links, as a rule, to wherever the administrator keeps them. */
static bool is_hash_name(str name)
{
    uint64_t n;
    size_t dot = str_chr(name, '.');

    return dot == 8 && str_hex(str_head(name, dot), UINT32_MAX, &n)
           && str_uint(str_skip(name, dot + 1), UINT32_MAX, &n);
}

static void add_authorities_of(struct task *t, str path, struct arena *a,
                               struct buf *to)
{
    struct names list;
    struct dir *d;

    if (dir_open(t, NULL, path, &d)) {
        say(t, role_warn, task_why(t));
        return;
    }
    if (dir_list(t, d, a, &list))
        say(t, role_warn, task_why(t));
    else
        for (size_t i = 0; i < list.n; i++) {
            str full = arena_fmt(a, "%.*s/%.*s", STR(path),
                                 STR(list.p[i]));
            str pem;
            if (is_hash_name(list.p[i]) && read_pem(t, full, a, &pem)) {
                buf_add(to, pem);
                buf_add(to, S("\n"));
            }
        }
    dir_close(d);
}

/* The authorities of a file and of a directory together. */
static bool add_authorities(struct task *t, const struct conf *c,
                            const struct place *p, struct arena *a,
                            struct role_keys *out)
{
    struct buf all;
    str pem;

    buf_init(&all, a, TRUSTED_MAX);
    if (read_pem_of(t, conf_str(c, p->ca), a, TRUSTED_MAX, &pem)) {
        buf_add(&all, pem);
        buf_add(&all, S("\n"));
    }
    if (!str_empty(conf_str(c, p->ca_dir)))
        add_authorities_of(t, conf_str(c, p->ca_dir), a, &all);
    if (all.over)
        say(t, role_warn, arena_fmt(a, "%.*s, %.*s: too many authorities",
                                    STR(conf_param(p->ca)->name),
                                    STR(conf_param(p->ca_dir)->name)).p);
    else
        out->ca_pem = buf_str(&all);
    return out->ca_pem.n > 0;
}

static bool load(struct task *t, const struct conf *c, const struct place *p,
                 struct arena *a, struct role_keys *out)
{
    str dh = conf_str(c, P_smtpd_tls_dh1024_param_file);
    bool any = add_pairs(t, c, p, a, out);
    bool ca = add_authorities(t, c, p, a, out);

    if (!p->client && !str_ieq(dh, S("auto")))
        read_pem(t, dh, a, &out->dh_pem);
    return p->client ? any || ca : any;
}

bool master_keys_load(struct task *t, struct master *m,
                      const struct service *s, struct arena *a,
                      struct role_keys *out)
{
    const struct conf *c = overlaid(t, m, s, a);

    *out = (struct role_keys){ 0 };
    if (str_eq(s->command, S("qmgr"))) /* not a key, but as far away */
        return read_pem(t, conf_str(c, P_bounce_template_file), a,
                        &out->text);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (str_eq(places[i].command, s->command))
            return (places[i].client || tls_wanted(c, &places[i]))
                   && load(t, c, &places[i], a, out);
    return false;
}
