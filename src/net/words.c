/* SPDX-License-Identifier: ISC
 *
 * What parameters say about TLS in words: protocols, options, curves.
 */
#include "net/context.h"

#include "base/scan.h"

#include <openssl/err.h>

struct bit {
    str name;
    uint64_t bit;
};

static uint64_t bit_of(const struct bit *bits, size_t n, str word)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(bits[i].name, word))
            return bits[i].bit;
    return 0;
}

static const struct {
    str name;
    int version;
    uint64_t excluded;
} versions[] = {
    { S_INIT("SSLv3"), SSL3_VERSION, SSL_OP_NO_SSLv3 },
    { S_INIT("TLSv1"), TLS1_VERSION, SSL_OP_NO_TLSv1 },
    { S_INIT("TLSv1.1"), TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
    { S_INIT("TLSv1.2"), TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
    { S_INIT("TLSv1.3"), TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};
enum { N_VERSIONS = sizeof(versions) / sizeof(*versions) };

/* The index of a version by name or by its number ("0303"); N_VERSIONS:
 * unknown. */
static size_t version_of(str word)
{
    uint64_t number = 0;
    size_t i = 0;

    if (!str_hex(word, UINT16_MAX, &number))
        number = 0;
    while (i < N_VERSIONS && !str_ieq(word, versions[i].name)
           && number != (uint64_t)versions[i].version)
        i++;
    return i;
}

/* "!SSLv2, !SSLv3", "TLSv1.2 TLSv1.3", ">=TLSv1.2, <=TLSv1.3"
 * (smtpd_tls_protocols). */
err tls_use_protocols(struct task *t, SSL_CTX *ctx, str words)
{
    uint64_t excluded = 0, included = 0;
    str word;

    while (str_token(&words, S(" \t\r\n,:"), &word)) {
        bool not = word.p[0] == '!';
        bool least = str_starts(word, S(">="));
        bool most = str_starts(word, S("<="));
        str name = str_skip(word, not ? 1 : least || most ? 2 : 0);
        size_t i = version_of(name);

        if (str_ieq(name, S("SSLv2")) || (least && str_empty(name)))
            continue;
        if (i == N_VERSIONS)
            return why(t, ERR_SYNTAX, "invalid protocol name: %.*s",
                       STR(word));
        if (least)
            SSL_CTX_set_min_proto_version(ctx, versions[i].version);
        else if (most)
            SSL_CTX_set_max_proto_version(ctx, versions[i].version);
        else if (not)
            excluded |= versions[i].excluded;
        else
            included |= versions[i].excluded;
    }
    for (size_t i = 0; included && i < N_VERSIONS; i++)
        if (!(included & versions[i].excluded))
            excluded |= versions[i].excluded;
    SSL_CTX_set_options(ctx, excluded);
    return OK;
}

#define OPTION(name) { S_INIT(#name), SSL_OP_##name }
static const struct bit options[] = {
    OPTION(LEGACY_SERVER_CONNECT), OPTION(NO_TICKET), OPTION(NO_COMPRESSION),
    OPTION(NO_RENEGOTIATION), OPTION(NO_SESSION_RESUMPTION_ON_RENEGOTIATION),
    OPTION(PRIORITIZE_CHACHA), OPTION(ENABLE_MIDDLEBOX_COMPAT),
    OPTION(NO_ENCRYPT_THEN_MAC), OPTION(NO_ANTI_REPLAY),
};

static const struct bit workarounds[] = {
    { S_INIT("CRYPTOPRO_TLSEXT_BUG"), SSL_OP_CRYPTOPRO_TLSEXT_BUG },
    { S_INIT("DONT_INSERT_EMPTY_FRAGMENTS"),
      SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS },
    { S_INIT("LEGACY_SERVER_CONNECT"), SSL_OP_LEGACY_SERVER_CONNECT },
    { S_INIT("TLSEXT_PADDING"), SSL_OP_TLSEXT_PADDING },
    { S_INIT("SAFARI_ECDHE_ECDSA_BUG"), SSL_OP_SAFARI_ECDHE_ECDSA_BUG },
};
#undef OPTION

/* Names, or all at once as a number in hex. */
static err bits_of(struct task *t, const struct bit *bits, size_t n,
                   str words, uint64_t *out)
{
    str word;

    *out = 0;
    while (str_token(&words, S(" \t\r\n,"), &word)) {
        uint64_t bit = bit_of(bits, n, word);
        if (!bit && str_istarts(word, S("0x"))
            && !str_hex(str_skip(word, 2), UINT64_MAX, &bit))
            bit = 0;
        if (!bit)
            return why(t, ERR_SYNTAX, "unknown TLS option: %.*s", STR(word));
        *out |= bit;
    }
    return OK;
}

err tls_use_options(struct task *t, SSL_CTX *ctx, str words)
{
    uint64_t bits;

    TRY(bits_of(t, options, sizeof(options) / sizeof(*options), words,
                &bits));
    SSL_CTX_set_options(ctx, bits);
    return OK;
}

err tls_use_workarounds(struct task *t, SSL_CTX *ctx, str off)
{
    uint64_t bits;

    TRY(bits_of(t, workarounds, sizeof(workarounds) / sizeof(*workarounds),
                off, &bits));
    SSL_CTX_set_options(ctx, SSL_OP_ALL & ~bits);
    SSL_CTX_clear_options(ctx, bits);
    return OK;
}

/* Each is tried alone: one that this library does not have must not cost the
 * others. */
err tls_use_groups(struct task *t, SSL_CTX *ctx, str words)
{
    struct buf all;
    str word;
    err e = OK;

    if (str_empty(str_trim(words)))
        return OK;
    buf_init(&all, NULL, 4096);
    while (str_token(&words, S(" \t\r\n,:"), &word)) {
        size_t before = all.n;
        buf_fmt(&all, before ? ":%.*s" : "%.*s", STR(word));
        buf_byte(&all, 0);
        if (SSL_CTX_set1_groups_list(ctx, all.p + before + (before != 0)) == 1)
            all.n--;
        else
            all.n = before;
    }
    buf_byte(&all, 0);
    if (all.over || all.n < 2 || SSL_CTX_set1_groups_list(ctx, all.p) != 1)
        e = tls_failed(t, ERR_SYNTAX, "curves");
    buf_free(&all);
    ERR_clear_error();
    return e;
}
