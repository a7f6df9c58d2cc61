/* SPDX-License-Identifier: ISC
 *
 * Self-signed certificates.
 */
#include "net/tls.h"

#include "net/context.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static bool name_certificate(X509 *cert, struct arena *a, str host)
{
    X509_NAME *name = X509_get_subject_name(cert);
    X509V3_CTX v3;
    X509_EXTENSION *alt;
    bool good;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)host.p, (int)host.n, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    alt = X509V3_EXT_conf_nid(
        NULL, &v3, NID_subject_alt_name,
        arena_cstr(a, arena_fmt(a, "DNS:%.*s", STR(host))));
    good = alt && X509_add_ext(cert, alt, -1);
    X509_EXTENSION_free(alt);
    return good;
}

static str pem_of(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return arena_str(a, str_of(p, n > 0 ? (size_t)n : 0));
}

err tls_self_signed(struct task *t, struct arena *a, str host, int days,
                    str *key_pem, str *cert_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *key_bio = BIO_new(BIO_s_mem()), *cert_bio = BIO_new(BIO_s_mem());
    uint64_t serial;
    bool good;

    rt_random(t, &serial, sizeof(serial));
    must(key && cert && key_bio && cert_bio);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 86400);
    X509_set_pubkey(cert, key);
    good = name_certificate(cert, a, host)
           && X509_sign(cert, key, EVP_sha256())
           && PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL,
                                            NULL)
           && PEM_write_bio_X509(cert_bio, cert);
    if (good) {
        *key_pem = pem_of(a, key_bio);
        *cert_pem = pem_of(a, cert_bio);
    }
    BIO_free(key_bio);
    BIO_free(cert_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good ? OK : tls_failed(t, ERR_IO, "making a certificate");
}
