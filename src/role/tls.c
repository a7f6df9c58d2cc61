/* SPDX-License-Identifier: ISC
 *
 * What parameters say about TLS, the same way for all who use it.
 */
#include "role/tls.h"

#include "role/events.h"

enum { CIPHERS_MAX = 64 * 1024 };

/* Where a side's parameters stand. */
struct words {
    enum param protocols[2], ciphers[2], off, off_mandatory; /* by tls_need */
    enum param digest, depth, session_s;
};

static const struct words server_words = {
    { P_smtpd_tls_protocols, P_smtpd_tls_mandatory_protocols },
    { P_smtpd_tls_ciphers, P_smtpd_tls_mandatory_ciphers },
    P_smtpd_tls_exclude_ciphers, P_smtpd_tls_mandatory_exclude_ciphers,
    P_smtpd_tls_fingerprint_digest, P_smtpd_tls_ccert_verifydepth,
    P_smtpd_tls_session_cache_timeout,
};

#define WORDS(side)                                                           \
    { { P_##side##_tls_protocols, P_##side##_tls_mandatory_protocols },       \
      { P_##side##_tls_ciphers, P_##side##_tls_mandatory_ciphers },           \
      P_##side##_tls_exclude_ciphers,                                         \
      P_##side##_tls_mandatory_exclude_ciphers,                               \
      N_PARAMS, P_##side##_tls_scert_verifydepth,                             \
      P_##side##_tls_session_cache_timeout }
static const struct words client_words[] = {
    WORDS(smtp), WORDS(lmtp),
};
#undef WORDS

static err grade(struct task *t, const struct conf *c, str name, str *list)
{
    static const struct { str name; enum param list; } grades[] = {
        { S_INIT("high"), P_tls_high_cipherlist },
        { S_INIT("medium"), P_tls_medium_cipherlist },
        { S_INIT("low"), P_tls_low_cipherlist },
        { S_INIT("export"), P_tls_export_cipherlist },
        { S_INIT("null"), P_tls_null_cipherlist },
    };

    for (size_t i = 0; i < sizeof(grades) / sizeof(*grades); i++) {
        if (!str_ieq(name, grades[i].name))
            continue;
        *list = conf_str(c, grades[i].list);
        return OK;
    }
    return why(t, ERR_SYNTAX, "invalid TLS cipher grade: \"%.*s\"",
               STR(name));
}

static void exclude(struct buf *b, struct conf_items off)
{
    for (size_t i = 0; i < off.n; i++)
        buf_fmt(b, ":!%.*s", STR(off.p[i]));
}

/* An OpenSSL list of a grade, without what is excluded. */
static err ciphers_of(struct task *t, struct arena *a,
                      const struct tls_plan *p, const struct words *w,
                      str also_off, str *out)
{
    const struct conf *c = p->conf;
    str list;
    struct buf b;

    TRY(grade(t, c, conf_str(c, w->ciphers[p->need]), &list));
    buf_init(&b, a, CIPHERS_MAX);
    buf_add(&b, list);
    exclude(&b, conf_items(c, w->off));
    if (p->need == TLS_MANDATORY)
        exclude(&b, conf_items(c, w->off_mandatory));
    buf_add(&b, also_off);
    *out = buf_str(&b);
    return b.over ? why(t, ERR_LIMIT, "the list of ciphers is too long") : OK;
}

static void set_common(struct tls_options *o, const struct tls_plan *p,
                       const struct words *w)
{
    const struct role_keys *k = edition_keys(p->edition, p->service);
    const struct conf *c = p->conf;
    int64_t depth = conf_int(c, w->depth);

    *o = (struct tls_options){
        .protocols = conf_str(c, w->protocols[p->need]),
        .digest = w->digest == N_PARAMS ? S("") : conf_str(c, w->digest),
        .depth_max = depth > 0 && depth < 1000 ? (int)depth : 0,
        .session_s = conf_seconds(c, w->session_s),
        .options = conf_str(c, P_tls_ssl_options),
        .workarounds_off = conf_str(c, P_tls_disable_workarounds),
        .groups = conf_str(c, P_tls_eecdh_auto_curves),
    };
    if (k) {
        o->pairs = k->pairs;
        o->n_pairs = k->n_pairs;
        o->ca_pem = k->ca_pem;
        o->dh_pem = k->dh_pem;
    }
}

/* smtpd_tls_eecdh_grade: which curves; none takes the ciphers away. */
static err eecdh(struct task *t, const struct conf *c, struct tls_options *o,
                 bool *off)
{
    str g = conf_str(c, P_smtpd_tls_eecdh_grade);

    *off = str_ieq(g, S("none"));
    if (str_ieq(g, S("strong")))
        o->groups = conf_str(c, P_tls_eecdh_strong_curve);
    else if (str_ieq(g, S("ultra")))
        o->groups = conf_str(c, P_tls_eecdh_ultra_curve);
    else if (!*off && !str_ieq(g, S("auto")))
        return why(t, ERR_SYNTAX, "invalid smtpd_tls_eecdh_grade: %.*s",
                   STR(g));
    return OK;
}

/* Whether clients are asked for certificates.  To demand one makes sense only
 * where TLS is not a matter of choice. */
static void ask(struct task *t, const struct tls_plan *p,
                struct tls_options *o)
{
    bool demands = conf_bool(p->conf, P_smtpd_tls_req_ccert);

    if (!p->smtp)
        return;
    if (demands && p->need == TLS_OPPORTUNISTIC)
        say(t, role_warn, "Can't require client certs unless TLS is "
            "required");
    o->ask_cert = (demands && p->need == TLS_MANDATORY)
                  || conf_bool(p->conf, P_smtpd_tls_ask_ccert);
}

static err server_options(struct task *t, struct arena *a,
                          const struct tls_plan *p, struct tls_options *o)
{
    const struct conf *c = p->conf;
    bool no_ecdhe;

    set_common(o, p, &server_words);
    ask(t, p, o);
    o->own_order = conf_bool(c, P_tls_preempt_cipherlist);
    o->session_ids = conf_bool(c, P_smtpd_tls_always_issue_session_ids);
    o->ticket_cipher = conf_str(c, P_tls_session_ticket_cipher);
    o->tickets = p->tickets;
    o->label = p->label;
    o->lax = p->smtp;
    TRY(eecdh(t, c, o, &no_ecdhe));
    return ciphers_of(t, a, p, &server_words,
                      o->ask_cert && no_ecdhe ? S(":!aNULL:!kECDHE")
                      : o->ask_cert ? S(":!aNULL")
                      : no_ecdhe ? S(":!kECDHE") : S(""), &o->ciphers);
}

/* What is said of material that cannot be used. */
static err fault(struct task *t, struct arena *a, const struct tls_plan *p,
                 str reason)
{
    const struct service *s = &conf_services(p->edition->conf).p[p->service];
    const struct role_keys *k = edition_keys(p->edition, p->service);
    str files = k ? k->files : S("");

    return why(t, ERR_SYNTAX, "service \"%.*s\": TLS%s%.*s: %s",
               STR(s->name), files.n ? " with " : "", STR(files),
               arena_cstr(a, reason));
}

static err fault_told(struct task *t, struct arena *a,
                      const struct tls_plan *p)
{
    return fault(t, a, p, arena_str(a, str_from(task_why(t))));
}

err role_tls_server(struct task *t, struct arena *a, const struct tls_plan *p,
                    struct tls_context **out)
{
    const struct role_keys *k = edition_keys(p->edition, p->service);
    struct tls_options o;

    *out = NULL;
    if (!k && !p->demanded)
        return OK;
    if (!k)
        return fault(t, a, p, S("demanded without a usable certificate"));
    if (k->fault.n)
        return fault(t, a, p, k->fault);
    if (server_options(t, a, p, &o) || tls_server_new(t, a, &o, out))
        return fault_told(t, a, p);
    return OK;
}

err role_tls_client(struct task *t, struct arena *a, const struct tls_plan *p,
                    struct tls_context **out)
{
    const struct role_keys *k = edition_keys(p->edition, p->service);
    const struct words *w = &client_words[p->lmtp];
    struct tls_options o;

    *out = NULL;
    if (k && k->fault.n)
        return fault(t, a, p, k->fault);
    set_common(&o, p, w);
    o.lax = true;
    if (ciphers_of(t, a, p, w, p->verifies ? S(":!aNULL") : S(""), &o.ciphers)
        || tls_client_new(t, a, &o, out))
        return fault_told(t, a, p);
    return OK;
}

str role_tls_outcome(str reason)
{
    return str_starts(reason, S("error:")) || str_empty(reason) ? S("-1")
                                                                : reason;
}

void role_tls_complain(struct task *t, str reason)
{
    str line;

    if (!str_starts(reason, S("error:")))
        return;
    while (str_token(&reason, S("\n"), &line))
        say(t, tls_library, STR(line));
}

bool role_tls_demanded(str level)
{
    return !str_empty(level) && !str_ieq(level, S("none"))
           && !str_ieq(level, S("may"));
}
