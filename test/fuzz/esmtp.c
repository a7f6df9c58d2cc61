/* SPDX-License-Identifier: ISC
 *
 * ESMTP parameters, replies, queue ids, bounce templates.
 */
#include "mail/dsn.h"
#include "mail/esmtp.h"
#include "mail/queue_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size), where;
    struct dsn_templates templates = dsn_templates_default;
    struct rcpt_params rcpt, again;
    struct mail_params mail;
    struct reply r;
    struct arena a;
    struct buf b;
    uint64_t n;

    arena_init(&a, 0);
    if (!esmtp_mail(in, 31, &a, &mail, &r))
        must(r.code >= 500 && str_any(r.text, S("\r\n")) == STR_NONE);
    if (esmtp_rcpt(in, 31, &a, &rcpt, &r) && rcpt.orcpt.n) {
        buf_init(&b, &a, 10 * ORCPT_MAX);
        buf_add(&b, S("ORCPT="));
        orcpt_encode(&b, rcpt.orcpt);
        must(esmtp_rcpt(buf_str(&b), 31, &a, &again, &r));
        must(str_eq(again.orcpt, rcpt.orcpt));
    }
    if (reply_parse(in, &r))
        must(r.code >= 200 && r.code <= 599);
    queue_id_number(in, &n);
    err_ignore(dsn_templates_parse(in, &a, &templates, &where));
    arena_reset(&a);
    return 0;
}
