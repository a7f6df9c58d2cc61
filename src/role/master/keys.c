/* SPDX-License-Identifier: ISC
 *
 * TLS material of a service, read with master's rights and handed over as
 * bytes: the roles that use it open no path.  The queue manager gets the text
 * of bounce_template_file the same way.
 */
#include "role/master/master.h"

#include "role/events.h"

/* All of a service's goes into one frame. */
enum { PEM_MAX = 128 * 1024, TRUSTED_MAX = 640 * 1024,
       FILES_MAX = 16 * 1024 };

/* What is read for one service. */
struct keys_reader {
    struct task *t;
    const struct conf *c;   /* as the service sees it */
    struct arena *a;
    struct role_keys *out;
    struct buf files;
};

static void note_file(struct keys_reader *r, str path)
{
    buf_fmt(&r->files, "%s%.*s", r->files.n ? ", " : "", STR(path));
}

/* The first fault tells; no part of what is meant is used without the rest. */
static void fault(struct keys_reader *r, str text)
{
    if (str_empty(r->out->fault))
        r->out->fault = arena_str(r->a, text);
}

static bool is_named(str path)
{
    return !str_empty(path) && !str_eq(path, S("none"));
}

static bool read_file(struct keys_reader *r, str path, size_t size_max,
                      str *out)
{
    *out = S("");
    if (!is_named(path))
        return false;
    note_file(r, path);
    if (file_load(r->t, NULL, path, r->a, size_max, out)) {
        *out = S("");
        fault(r, str_from(task_why(r->t)));
        return false;
    }
    return true;
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

static void add_pair(struct keys_reader *r, str cert, str key)
{
    struct tls_pair p = { .key_pem = S("") };

    if (!read_file(r, cert, PEM_MAX, &p.chain_pem)
        || (!str_empty(key) && !str_eq(key, cert)
            && !read_file(r, key, PEM_MAX, &p.key_pem)))
        return;
    r->out->pairs[r->out->n_pairs++] = p;
}

/* All of smtpd_tls_chain_files is one text: a key may stand in one file and
 * its chain in the next. */
static void add_chain_files(struct keys_reader *r, struct conf_items files)
{
    struct buf all;
    str pem;

    buf_init(&all, r->a, TRUSTED_MAX);
    for (size_t i = 0; i < files.n; i++) {
        if (!read_file(r, files.p[i], PEM_MAX, &pem))
            return;
        buf_add(&all, pem);
        buf_add(&all, S("\n"));
    }
    if (all.over)
        fault(r, S("too many chain files"));
    else
        r->out->pairs[r->out->n_pairs++].chain_pem = buf_str(&all);
}

static void add_pairs(struct keys_reader *r, const struct place *p)
{
    const struct conf *c = r->c;
    struct conf_items files = conf_items(c, p->chain);
    str cert = conf_str(c, p->cert);
    bool own = str_eq(p->command, S("imapd")) || str_eq(p->command, S("pop3d"));

    r->out->pairs = arena_array(r->a, struct tls_pair, 3);
    if (files.n > 0) {
        add_chain_files(r, files);
        return;
    }
    if (is_named(cert))
        add_pair(r, cert, conf_str(c, p->key));
    /* certificates of other kinds go with smtpd's own */
    if (own && !str_eq(cert, conf_str(c, P_smtpd_tls_cert_file)))
        return;
    if (is_named(conf_str(c, p->eccert)))
        add_pair(r, conf_str(c, p->eccert), conf_str(c, p->eckey));
    if (is_named(conf_str(c, p->dcert)))
        add_pair(r, conf_str(c, p->dcert), conf_str(c, p->dkey));
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

static void add_authorities_of(struct keys_reader *r, str path,
                               struct buf *to)
{
    struct task *t = r->t;
    struct names list;
    struct dir *d;

    note_file(r, path);
    if (dir_open(t, NULL, path, &d)) {
        fault(r, str_from(task_why(t)));
        return;
    }
    if (dir_list(t, d, r->a, &list))
        fault(r, str_from(task_why(t)));
    else
        for (size_t i = 0; i < list.n; i++) {
            str full = arena_fmt(r->a, "%.*s/%.*s", STR(path),
                                 STR(list.p[i]));
            str pem;
            if (!is_hash_name(list.p[i]))
                continue;
            if (file_load(t, NULL, full, r->a, PEM_MAX, &pem)) {
                say(t, role_warn, task_why(t)); /* its neighbours count */
                continue;
            }
            buf_add(to, pem);
            buf_add(to, S("\n"));
        }
    dir_close(d);
}

/* The authorities of a file and of a directory together. */
static void add_authorities(struct keys_reader *r, const struct place *p)
{
    str dir = conf_str(r->c, p->ca_dir), pem;
    struct buf all;

    buf_init(&all, r->a, TRUSTED_MAX);
    if (read_file(r, conf_str(r->c, p->ca), TRUSTED_MAX, &pem)) {
        buf_add(&all, pem);
        buf_add(&all, S("\n"));
    }
    if (!str_empty(dir))
        add_authorities_of(r, dir, &all);
    if (all.over)
        fault(r, arena_fmt(r->a, "%.*s, %.*s: too many authorities",
                           STR(conf_param(p->ca)->name),
                           STR(conf_param(p->ca_dir)->name)));
    else
        r->out->ca_pem = buf_str(&all);
}

static bool load(struct keys_reader *r, const struct place *p)
{
    str dh = conf_str(r->c, P_smtpd_tls_dh1024_param_file);

    if (!p->client && !tls_wanted(r->c, p))
        return false;
    add_pairs(r, p);
    if (!p->client && r->out->n_pairs == 0 && str_empty(r->out->fault))
        return false;
    add_authorities(r, p);
    if (!p->client && !str_ieq(dh, S("auto")))
        read_file(r, dh, PEM_MAX, &r->out->dh_pem);
    r->out->files = buf_str(&r->files);
    return r->out->n_pairs > 0 || r->out->ca_pem.n > 0
           || r->out->fault.n > 0;
}

/* Whether one frame holds it. */
static bool fits(const struct role_keys *k)
{
    size_t n = k->ca_pem.n + k->dh_pem.n + k->files.n + k->fault.n
               + k->text.n + 1024;

    for (size_t i = 0; i < k->n_pairs; i++)
        n += k->pairs[i].chain_pem.n + k->pairs[i].key_pem.n + 8;
    return n <= PORT_BODY_MAX;
}

static bool load_for(struct keys_reader *r, const struct service *s)
{
    if (str_eq(s->command, S("qmgr"))) { /* not a key, but as far away */
        bool any = read_file(r, conf_str(r->c, P_bounce_template_file),
                             PEM_MAX, &r->out->text);
        return any || r->out->fault.n > 0;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (str_eq(places[i].command, s->command))
            return load(r, &places[i]);
    return false;
}

err master_keys_load(struct task *t, struct edition *e, uint32_t service,
                     struct role_keys **out)
{
    const struct service *s = &conf_services(e->conf).p[service];
    struct conf_findings findings = { 0 };
    struct keys_reader r = { .t = t, .a = &e->memory };
    struct conf *own;

    *out = NULL;
    r.out = arena_new(r.a, struct role_keys);
    r.out->service = service;
    r.c = conf_of_service(r.a, e->conf, s, &findings, &own) ? e->conf : own;
    buf_init(&r.files, r.a, FILES_MAX);
    if (!load_for(&r, s))
        return OK;
    if (!fits(r.out))
        return why(t, ERR_LIMIT, "service \"%.*s\": too many certificates",
                   STR(s->name));
    *out = r.out;
    return OK;
}
