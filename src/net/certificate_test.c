/* SPDX-License-Identifier: ISC
 *
 * Reading a certificate that we made.
 */
#include "net/certificate.h"

#include "net/tls.h"

#include "test/unit/check.h"

TASK_TEST(certificate_of_ours)
{
    struct certificate c;
    struct arena a;
    str key, pem;
    int64_t now_s = rt_wall(t) / 1000000;

    arena_init(&a, 0);
    check_ok(tls_self_signed(t, &a, S("mail.example.com"), 30, &key, &pem));
    check_ok(certificate_read(t, &a, pem, S("MAIL.example.com"), &c));
    check_str(c.subject, S("CN=mail.example.com"));
    check_str(c.issuer, c.subject);
    check(c.self_signed && c.for_host);
    check(c.from_s <= now_s && c.from_s > now_s - 7200);
    check(c.until_s > now_s + 29 * 86400 && c.until_s < now_s + 31 * 86400);
    check_ok(certificate_read(t, &a, pem, S("example.com"), &c));
    check(!c.for_host);
    check_int(certificate_read(t, &a, key, S("x"), &c), ERR_SYNTAX);
    check_int(certificate_read(t, &a, S(""), S("x"), &c), ERR_SYNTAX);
    check_int(certificate_read(t, &a, str_head(pem, pem.n / 2), S("x"), &c),
              ERR_SYNTAX);
    arena_reset(&a);
}
