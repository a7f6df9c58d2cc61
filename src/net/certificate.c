/* SPDX-License-Identifier: ISC
 *
 * Reading certificates.
 */
#include "net/certificate.h"

#include "mail/date.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static str name_of(struct arena *a, const X509_NAME *name)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;
    str s;

    must(b);
    X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253);
    n = BIO_get_mem_data(b, &p);
    s = arena_str(a, str_of(p, n > 0 ? (size_t)n : 0));
    BIO_free(b);
    return s;
}

static bool seconds_of(const ASN1_TIME *moment, int64_t *out)
{
    struct tm tm;
    struct date d;

    if (ASN1_TIME_to_tm(moment, &tm) != 1)
        return false;
    d = (struct date){ .year = tm.tm_year + 1900, .month = tm.tm_mon + 1,
                       .day = tm.tm_mday, .hour = tm.tm_hour,
                       .minute = tm.tm_min, .second = tm.tm_sec };
    *out = date_seconds(&d);
    return true;
}

err certificate_read(struct task *t, struct arena *a, str pem, str host,
                     struct certificate *out)
{
    BIO *b = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
    struct certificate c = { .for_host = false };
    X509 *x;
    bool good;

    must(b);
    x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL);
    BIO_free(b);
    ERR_clear_error();
    if (!x)
        return why(t, ERR_SYNTAX, "there is no certificate in it");
    c.subject = name_of(a, X509_get_subject_name(x));
    c.issuer = name_of(a, X509_get_issuer_name(x));
    c.self_signed = X509_check_issued(x, x) == X509_V_OK;
    c.for_host = X509_check_host(x, host.p, host.n, 0, NULL) == 1;
    good = seconds_of(X509_get0_notBefore(x), &c.from_s)
           && seconds_of(X509_get0_notAfter(x), &c.until_s);
    X509_free(x);
    ERR_clear_error();
    if (!good)
        return why(t, ERR_SYNTAX, "the certificate has no readable dates");
    *out = c;
    return OK;
}
