/* SPDX-License-Identifier: ISC
 *
 * What a configuration names that the machine must have: hosts, ports, users,
 * transports, certificates with their keys.
 */
#include "role/examining.h"

#include "auth/auth.h"
#include "net/tls.h"
#include "role/service.h"
#include "store/store.h"

#include <grp.h>
#include <netdb.h>
#include <pwd.h>

enum { PEM_MAX = 640 * 1024 };

/* Whether p was set here and says something. */
static bool says(const struct examining *x, const struct conf *c,
                 enum param p)
{
    return conf_is_set(c, p) && examining_new(x, c, p)
           && !str_empty(conf_str(c, p));
}

static void fault(struct examining *x, const struct conf *c, enum param p,
                  const char *what, str value)
{
    examining_found(x, true, c, p,
                    arena_fmt(x->a, "%.*s: %s: %.*s",
                              STR(conf_param(p)->name), what, STR(value)));
}

/* --- addresses ------------------------------------------------------------ */

static bool resolves(struct examining *x, str host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

    if (str_starts(host, S("[")) && str_ends(host, S("]")))
        host = str_skip(str_head(host, host.n - 1), 1);
    if (getaddrinfo(arena_cstr(x->a, host), NULL, &hints, &list))
        return false;
    freeaddrinfo(list);
    return true;
}

static void look_at_interfaces(struct examining *x, const struct conf *c)
{
    static const enum param params[] = { P_inet_interfaces,
                                         P_proxy_interfaces };

    for (size_t i = 0; i < 2; i++) {
        struct conf_items items = conf_items(c, params[i]);
        for (size_t k = 0; says(x, c, params[i]) && k < items.n; k++)
            if (!str_ieq(items.p[k], S("all"))
                && !str_ieq(items.p[k], S("loopback-only"))
                && !resolves(x, items.p[k]))
                fault(x, c, params[i], "host not found", items.p[k]);
    }
}

void examine_address(struct examining *x, const struct service *s)
{
    struct service_address at;

    if (!service_address(s, x->a, &at))
        examining_found_service(x, s, arena_fmt(x->a, "unknown port: %.*s",
                                                STR(at.port_name)));
    if (!str_empty(at.host) && !resolves(x, at.host))
        examining_found_service(x, s, arena_fmt(x->a, "host not found: %.*s",
                                                STR(at.host)));
}

static void look_at_bind_addresses(struct examining *x, const struct conf *c)
{
    static const struct { enum param p; enum endpoint_kind kind; } binds[] = {
        { P_smtp_bind_address, ENDPOINT_IP4 },
        { P_smtp_bind_address6, ENDPOINT_IP6 },
        { P_lmtp_bind_address, ENDPOINT_IP4 },
        { P_lmtp_bind_address6, ENDPOINT_IP6 },
    };
    struct endpoint at;

    for (size_t i = 0; i < sizeof(binds) / sizeof(*binds); i++)
        if (says(x, c, binds[i].p)
            && (endpoint_parse(conf_str(c, binds[i].p), 0, &at)
                || at.kind != binds[i].kind))
            fault(x, c, binds[i].p, "bad address", conf_str(c, binds[i].p));
}

/* --- users and transports ------------------------------------------------- */

static void look_at_users(struct examining *x, const struct conf *c)
{
    struct auth_settings s = auth_settings_of(c);
    struct arena a;
    struct auth *au;

    if (x->service)
        return; /* master's and authd's, for all */
    if (says(x, c, P_default_privs)
        && !getpwnam(arena_cstr(x->a, conf_str(c, P_default_privs))))
        fault(x, c, P_default_privs, "unknown user name value",
              conf_str(c, P_default_privs));
    if (says(x, c, P_setgid_group)
        && !getgrnam(arena_cstr(x->a, conf_str(c, P_setgid_group))))
        fault(x, c, P_setgid_group, "unknown group name",
              conf_str(c, P_setgid_group));
    arena_init(&a, 0);
    if (auth_open(x->t, &a, &s, &au))
        examining_found(x, true, c, P_auth_sources,
                        arena_str(x->a, str_from(task_why(x->t))));
    arena_reset(&a);
}

static void look_at_transports(struct examining *x, const struct conf *c)
{
    static const enum param params[] = {
        P_default_transport, P_local_transport, P_relay_transport,
        P_virtual_transport, P_mailbox_transport, P_fallback_transport,
    };

    for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++) {
        str value = conf_str(c, params[i]);
        str name = str_head(value, str_chr(value, ':'));
        if (!says(x, c, params[i]) || x->service
            || conf_service(c, name, SERVICE_UNIX))
            continue;
        examining_found(x, false, c, params[i],
                        arena_fmt(x->a, "%.*s: no transport \"%.*s\" of type "
                                  "unix in master.cf: mail for it is "
                                  "deferred", STR(conf_param(params[i])->name),
                                  STR(name)));
    }
}

static void look_at_mailboxes(struct examining *x, const struct conf *c)
{
    if (says(x, c, P_mailstore_location)
        && store_location_check(x->t, conf_str(c, P_mailstore_location)))
        examining_found(x, true, c, P_mailstore_location,
                        arena_str(x->a, str_from(task_why(x->t))));
}

/* --- certificates --------------------------------------------------------- */

static const struct pair {
    enum param cert, key;
} pairs[] = {
    { P_smtpd_tls_cert_file, P_smtpd_tls_key_file },
    { P_smtpd_tls_eccert_file, P_smtpd_tls_eckey_file },
    { P_smtpd_tls_dcert_file, P_smtpd_tls_dkey_file },
    { P_imapd_tls_cert_file, P_imapd_tls_key_file },
    { P_pop3d_tls_cert_file, P_pop3d_tls_key_file },
    { P_smtp_tls_cert_file, P_smtp_tls_key_file },
    { P_smtp_tls_eccert_file, P_smtp_tls_eckey_file },
    { P_smtp_tls_dcert_file, P_smtp_tls_dkey_file },
    { P_lmtp_tls_cert_file, P_lmtp_tls_key_file },
    { P_lmtp_tls_eccert_file, P_lmtp_tls_eckey_file },
    { P_lmtp_tls_dcert_file, P_lmtp_tls_dkey_file },
};

static const enum param chains[] = {
    P_smtpd_tls_chain_files, P_imapd_tls_chain_files,
    P_pop3d_tls_chain_files, P_smtp_tls_chain_files, P_lmtp_tls_chain_files,
};

static bool read_pem(struct examining *x, const struct conf *c, enum param p,
                     str path, struct arena *a, str *out)
{
    if (!file_load(x->t, NULL, path, a, PEM_MAX, out))
        return true;
    fault(x, c, p, "cannot be read", str_from(task_why(x->t)));
    return false;
}

/* Whether OpenSSL takes them together. */
static void fit(struct examining *x, const struct conf *c, enum param p,
                const struct tls_pair *pair, str files)
{
    struct tls_options o = { .pairs = pair, .n_pairs = 1 };
    struct tls_context *context;
    struct arena a;

    arena_init(&a, 0);
    if (tls_server_new(x->t, &a, &o, &context))
        examining_found(x, true, c, p,
                        arena_fmt(x->a, "%.*s: cannot be used: %.*s: %s",
                                  STR(conf_param(p)->name), STR(files),
                                  task_why(x->t)));
    arena_reset(&a);
}

static void look_at_pair(struct examining *x, const struct conf *c,
                         const struct pair *p, struct arena *a)
{
    str cert = conf_str(c, p->cert), key = conf_str(c, p->key);
    struct tls_pair pair = { .key_pem = S("") };

    if (str_empty(cert) || str_eq(cert, S("none"))
        || !(says(x, c, p->cert) || says(x, c, p->key)))
        return;
    if (read_pem(x, c, p->cert, cert, a, &pair.chain_pem)
        && (str_empty(key) || read_pem(x, c, p->key, key, a, &pair.key_pem)))
        fit(x, c, p->cert, &pair,
            arena_fmt(x->a, "%.*s with the key of %.*s", STR(cert), STR(key)));
}

static void look_at_chain(struct examining *x, const struct conf *c,
                          enum param p, struct arena *a)
{
    struct conf_items files = conf_items(c, p);
    struct tls_pair pair = { .key_pem = S("") };
    struct buf all;
    str pem;

    buf_init(&all, a, PEM_MAX);
    for (size_t i = 0; i < files.n; i++) {
        if (!read_pem(x, c, p, files.p[i], a, &pem))
            return;
        buf_add(&all, pem);
        buf_add(&all, S("\n"));
    }
    pair.chain_pem = buf_str(&all);
    fit(x, c, p, &pair, conf_str(c, p));
}

static void look_at_certificates(struct examining *x, const struct conf *c)
{
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        look_at_pair(x, c, &pairs[i], &a);
    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++)
        if (says(x, c, chains[i]))
            look_at_chain(x, c, chains[i], &a);
    arena_reset(&a);
}

void examine_host(struct examining *x, const struct conf *c)
{
    look_at_interfaces(x, c);
    look_at_bind_addresses(x, c);
    look_at_users(x, c);
    look_at_transports(x, c);
    look_at_mailboxes(x, c);
    look_at_certificates(x, c);
}
