/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: certificates, keys, and who may read and change what.
 */
#include "role/tool/doctor.h"

#include "mail/date.h"
#include "net/certificate.h"

enum { PEM_MAX = 256 * 1024, SOON_DAYS = 21, DAY_S = 86400, DATE = 10 };

enum { OTHERS_READ = 044, OTHERS_WRITE = 022 };

static void look_at_mode(struct task *t, struct doctor *d, str path,
                         uint32_t forbidden, const char *what)
{
    struct file_stat st;

    if (!file_stat_path(t, NULL, path, &st) && st.mode & forbidden)
        doctor_say(d, PROBLEM, "%.*s: %s", STR(path), what);
}

/* --- TLS ------------------------------------------------------------------ */

static void look_at_dates(struct task *t, struct doctor *d, str path,
                          const struct certificate *c)
{
    int64_t now_s = rt_wall(t) / 1000000;
    str until = str_head(date_iso(d->a, c->until_s * 1000000, 0), DATE);

    if (c->until_s <= now_s)
        doctor_say(d, PROBLEM, "%.*s: expired on %.*s", STR(path),
                   STR(until));
    else if (c->from_s > now_s)
        doctor_say(d, PROBLEM, "%.*s: not good before %.*s", STR(path),
                   STR(str_head(date_iso(d->a, c->from_s * 1000000, 0),
                                DATE)));
    else
        doctor_say(d, c->until_s < now_s + SOON_DAYS * DAY_S ? DOUBT : FINE,
                   "the certificate %.*s is good until %.*s", STR(path),
                   STR(until));
}

/* Whether they can be read and fit together is the examination's matter. */
static void look_at_pair(struct task *t, struct doctor *d, str path, str key)
{
    str host = conf_str(d->conf, P_myhostname), pem;
    struct certificate c;

    look_at_mode(t, d, key, OTHERS_READ, "others may read the key");
    if (file_load(t, NULL, path, d->a, PEM_MAX, &pem)
        || certificate_read(t, d->a, pem, host, &c))
        return;
    look_at_dates(t, d, path, &c);
    if (!c.for_host)
        doctor_say(d, DOUBT, "%.*s is not for %.*s but for %.*s", STR(path),
                   STR(host), STR(c.subject));
    if (c.self_signed)
        doctor_say(d, DOUBT, "%.*s is signed by itself: clients will ask",
                   STR(path));
}

/* Certificates of servers, with their keys, and files that hold both. */
static const struct { enum param cert, key; } pairs[] = {
    { P_smtpd_tls_cert_file, P_smtpd_tls_key_file },
    { P_smtpd_tls_eccert_file, P_smtpd_tls_eckey_file },
    { P_imapd_tls_cert_file, P_imapd_tls_key_file },
    { P_pop3d_tls_cert_file, P_pop3d_tls_key_file },
};
static const enum param chains[] = { P_smtpd_tls_chain_files,
                                     P_imapd_tls_chain_files,
                                     P_pop3d_tls_chain_files };

struct seen {
    struct doctor *d;
    vec_of(str) paths;
};

static void look_once(struct task *t, struct seen *seen, str path, str key)
{
    if (str_empty(path) || str_ieq(path, S("none")))
        return;
    for (size_t i = 0; i < seen->paths.n; i++)
        if (str_eq(seen->paths.p[i], path))
            return;
    vec_push(seen->d->a, &seen->paths, path);
    look_at_pair(t, seen->d, path, str_empty(key) ? path : key);
}

static void look_at_all_of(struct task *t, struct seen *seen,
                           const struct conf *c)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        look_once(t, seen, conf_str(c, pairs[i].cert),
                  conf_str(c, pairs[i].key));
    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
        struct conf_items files = conf_items(c, chains[i]);
        for (size_t k = 0; k < files.n; k++)
            look_once(t, seen, files.p[k], files.p[k]);
    }
}

/* As main.cf and as each service of master.cf has them. */
static void look_at_tls(struct task *t, struct doctor *d)
{
    struct services all = conf_services(d->conf);
    struct seen seen = { .d = d };

    look_at_all_of(t, &seen, d->conf);
    for (size_t i = 0; i < all.n; i++) {
        struct conf_findings findings = { 0 };
        struct conf *own;
        if (all.p[i].type == SERVICE_INET
            && !conf_of_service(d->a, d->conf, &all.p[i], &findings, &own))
            look_at_all_of(t, &seen, own);
    }
    if (seen.paths.n == 0)
        doctor_say(d, DOUBT, "%.*s/main.cf: there is no certificate "
                   "(smtpd_tls_cert_file, smtpd_tls_chain_files): no client "
                   "can use TLS", STR(conf_dir(d->conf)));
}

/* --- files ---------------------------------------------------------------- */

/* An indexed table that is older than its text. */
static void look_at_index(struct task *t, struct doctor *d, str spec)
{
    size_t colon = str_chr(spec, ':');
    str type = str_head(spec, colon), path = str_skip(spec, colon + 1);
    struct file_stat text, index;

    if (colon == STR_NONE
        || (!str_eq(type, S("hash")) && !str_eq(type, S("btree")))
        || file_stat_path(t, NULL, path, &text))
        return;
    if (file_stat_path(t, NULL, arena_fmt(d->a, "%.*s.db", STR(path)),
                       &index))
        doctor_say(d, PROBLEM, "%.*s has no index: run newaliases",
                   STR(path));
    else if (index.mtime_us < text.mtime_us)
        doctor_say(d, DOUBT, "%.*s is newer than its index: run newaliases",
                   STR(path));
}

void doctor_files(struct task *t, struct doctor *d)
{
    struct conf_items sources = conf_items(d->conf, P_auth_sources);
    struct conf_items aliases = conf_items(d->conf, P_alias_database);
    str dir = conf_dir(d->conf);

    look_at_tls(t, d);
    look_at_mode(t, d, dir, OTHERS_WRITE, "others may write here");
    look_at_mode(t, d, arena_fmt(d->a, "%.*s/main.cf", STR(dir)),
                 OTHERS_WRITE, "others may change it");
    look_at_mode(t, d, arena_fmt(d->a, "%.*s/master.cf", STR(dir)),
                 OTHERS_WRITE, "others may change it");
    for (size_t i = 0; i < sources.n; i++) {
        size_t colon = str_chr(sources.p[i], ':');
        if (colon != STR_NONE)
            look_at_mode(t, d, str_skip(sources.p[i], colon + 1), 007,
                         "others may read or change passwords");
    }
    for (size_t i = 0; i < aliases.n; i++)
        look_at_index(t, d, aliases.p[i]);
}
