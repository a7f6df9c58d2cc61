/* SPDX-License-Identifier: ISC
 *
 * What was agreed in a handshake and who showed which certificate, as log
 * lines and Received: headers tell it.
 */
#include "net/context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Names go into logs and headers: nothing in them ends a line. */
static str name_text(struct arena *a, const X509_NAME *name, int nid)
{
    char text[256];
    int n = X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, nid, text,
                                      sizeof(text));

    for (int i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = '?';
    return n > 0 ? arena_str(a, str_of(text, (size_t)n)) : S("");
}

static str colons(struct arena *a, const unsigned char *md, unsigned size)
{
    struct buf b;

    buf_init(&b, a, 3 * EVP_MAX_MD_SIZE);
    for (unsigned i = 0; i < size; i++)
        buf_fmt(&b, i ? ":%02X" : "%02X", md[i]);
    return buf_str(&b);
}

static str fingerprint(struct arena *a, X509 *cert, const EVP_MD *digest)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    return X509_digest(cert, digest, md, &size) ? colons(a, md, size) : S("");
}

/* Of the key with its algorithm (SubjectPublicKeyInfo). */
static str key_fingerprint(struct arena *a, X509 *cert, const EVP_MD *digest)
{
    unsigned char md[EVP_MAX_MD_SIZE], *der = NULL;
    unsigned size = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool good = n > 0
                && EVP_Digest(der, (size_t)n, md, &size, digest, NULL);

    OPENSSL_free(der);
    return good ? colons(a, md, size) : S("");
}

/* dNSNames without anything that is none. */
static str host_names(struct arena *a, X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
                                          NULL);
    struct buf b;

    buf_init(&b, a, 32 * 1024);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        str name;
        if (g->type != GEN_DNS)
            continue;
        name = str_of((const char *)ASN1_STRING_get0_data(g->d.dNSName),
                      (size_t)ASN1_STRING_length(g->d.dNSName));
        if (str_any(name, str_of(" \t\r\n\0", 5)) != STR_NONE)
            continue;
        buf_add(&b, b.n ? S(" ") : S(""));
        buf_add(&b, name);
    }
    GENERAL_NAMES_free(all);
    return buf_str(&b);
}

static void peer_facts(SSL *ssl, const struct tls_context *c, struct arena *a,
                       struct tls_facts *out)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);

    if (!cert)
        return;
    out->peer_name = name_text(a, X509_get_subject_name(cert),
                               NID_commonName);
    out->issuer_name = name_text(a, X509_get_issuer_name(cert),
                                 NID_commonName);
    out->peer_fingerprint = fingerprint(a, cert, c->digest);
    out->peer_key_fingerprint = key_fingerprint(a, cert, c->digest);
    out->peer_hosts = host_names(a, cert);
    if (str_empty(out->peer_hosts)
        && str_chr(out->peer_name, ' ') == STR_NONE)
        out->peer_hosts = out->peer_name;
    out->peer_verified = SSL_get_verify_result(ssl) == X509_V_OK;
    X509_free(cert);
}

static str curve_of(struct arena *a, const EVP_PKEY *key)
{
    char name[64] = "";

    return EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1
               ? arena_str(a, str_from(name)) : S("");
}

/* "X25519", "ECDHE (prime256v1)", "DHE (2048 bits)". */
static str exchange_of(struct arena *a, SSL *ssl)
{
    EVP_PKEY *key = NULL;
    str s;

    if (SSL_get_peer_tmp_key(ssl, &key) != 1)
        return S("");
    if (EVP_PKEY_is_a(key, "EC"))
        s = arena_fmt(a, "ECDHE (%.*s)", STR(curve_of(a, key)));
    else if (EVP_PKEY_is_a(key, "DH"))
        s = arena_fmt(a, "DHE (%d bits)", EVP_PKEY_get_bits(key));
    else
        s = arena_str(a, str_from(EVP_PKEY_get0_type_name(key)));
    EVP_PKEY_free(key);
    return s;
}

/* "RSA-PSS (2048 bits)", "ECDSA (prime256v1)", "Ed25519". */
static str signature_of(struct arena *a, const X509 *cert, int type)
{
    const EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;

    if (!key)
        return S("");
    if (EVP_PKEY_is_a(key, "EC"))
        return arena_fmt(a, "ECDSA (%.*s)", STR(curve_of(a, key)));
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
        return arena_fmt(a, "%s (%d bits)",
                         type == EVP_PKEY_RSA_PSS ? "RSA-PSS" : "RSA",
                         EVP_PKEY_get_bits(key));
    return arena_str(a, str_from(EVP_PKEY_get0_type_name(key)));
}

static str digest_of_nid(struct arena *a, int nid)
{
    return nid ? arena_str(a, str_from(OBJ_nid2sn(nid))) : S("");
}

/* Who signed in this handshake; nobody does in a resumed one, and before TLS
 * 1.3 the cipher's name says it. */
static void signature_facts(SSL *ssl, struct arena *a, struct tls_facts *out)
{
    bool server = SSL_is_server(ssl) == 1;
    X509 *theirs = SSL_get1_peer_certificate(ssl);
    int nid = 0, type = 0;

    if (!out->resumed && SSL_get_signature_nid(ssl, &nid) == 1 && nid
        && SSL_get_signature_type_nid(ssl, &type) == 1) {
        const X509 *own = SSL_get_certificate(ssl);
        str s = signature_of(a, own, type), d = digest_of_nid(a, nid);
        *(server ? &out->signature : &out->client_signature) = s;
        *(server ? &out->digest : &out->client_digest) = d;
    }
    nid = type = 0;
    if (!out->resumed && SSL_get_peer_signature_nid(ssl, &nid) == 1 && nid
        && SSL_get_peer_signature_type_nid(ssl, &type) == 1) {
        str s = signature_of(a, theirs, type), d = digest_of_nid(a, nid);
        *(server ? &out->client_signature : &out->signature) = s;
        *(server ? &out->client_digest : &out->digest) = d;
    }
    X509_free(theirs);
}

void tls_facts_of(SSL *ssl, const struct tls_context *c, struct arena *a,
                  struct tls_facts *out)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    *out = (struct tls_facts){ .on = true };
    out->protocol = arena_str(a, str_from(SSL_get_version(ssl)));
    out->cipher = arena_str(a, str_from(SSL_CIPHER_get_name(cipher)));
    out->bits_used = SSL_CIPHER_get_bits(cipher, &out->bits_total);
    out->resumed = SSL_session_reused(ssl) == 1;
    out->peer_asked = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
    peer_facts(ssl, c, a, out);
    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        out->exchange = exchange_of(a, ssl);
        signature_facts(ssl, a, out);
    }
    ERR_clear_error();
}

void tls_facts_put(const struct tls_facts *f, const char *fold,
                   struct buf *to)
{
    if (!str_empty(f->exchange))
        buf_fmt(to, "%skey-exchange %.*s", fold, STR(f->exchange));
    if (!str_empty(f->signature))
        buf_fmt(to, " server-signature %.*s", STR(f->signature));
    if (!str_empty(f->digest))
        buf_fmt(to, " server-digest %.*s", STR(f->digest));
    if (!str_empty(f->client_signature))
        buf_fmt(to, "%sclient-signature %.*s", fold,
                STR(f->client_signature));
    if (!str_empty(f->client_digest))
        buf_fmt(to, " client-digest %.*s", STR(f->client_digest));
}
