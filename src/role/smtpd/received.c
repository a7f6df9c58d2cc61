/* SPDX-License-Identifier: ISC
 *
 * The trace field (RFC 5321 section 4.4), in the layout that readers of
 * Postfix' know.
 */
#include "role/smtpd/smtpd.h"

#include "mail/date.h"
#include "role/zone.h"

/* Text of a client's in a comment: nothing that ends it or the line. */
static void put_clean(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        buf_byte(to, (unsigned char)c <= ' ' || c == 127 || c == '('
                         || c == ')' || c == '\\' ? '?' : c);
    }
}

/* A name from a certificate, in quotes in a comment. */
static void put_quoted(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_byte(to, str_chr(S("()\"\\"), s.p[i]) != STR_NONE ? '?' : s.p[i]);
}

static void put_tls(struct visit *v, struct buf *to)
{
    const struct tls_facts *f = conn_tls(v->s.conn);

    if (!f->on || !v->l->tls_header)
        return;
    buf_fmt(to, "\t(using %.*s with cipher %.*s (%d/%d bits)", STR(f->protocol),
            STR(f->cipher), f->bits_used, f->bits_total);
    tls_facts_put(f, "\r\n\t ", to);
    buf_add(to, S(")\r\n"));
    if (!str_empty(f->peer_fingerprint)) {
        buf_add(to, S("\t(Client CN \""));
        put_quoted(to, f->peer_name);
        buf_add(to, S("\", Issuer \""));
        put_quoted(to, f->issuer_name);
        buf_fmt(to, "\" (%s))\r\n", f->peer_verified ? "verified OK"
                                                      : "not verified");
    } else {
        buf_fmt(to, "\t(%s)\r\n", f->peer_asked
                    ? "Client did not present a certificate"
                    : "No client certificate requested");
    }
}

static const char *protocol(const struct visit *v)
{
    bool tls = conn_tls(v->s.conn)->on, auth = v->s.authenticated;

    if (v->mail.params.smtputf8)
        return tls ? auth ? "UTF8SMTPSA" : "UTF8SMTPS"
                   : auth ? "UTF8SMTPA" : "UTF8SMTP";
    if (!v->s.esmtp)
        return "SMTP";
    return tls ? auth ? "ESMTPSA" : "ESMTPS" : auth ? "ESMTPA" : "ESMTP";
}

static void put_client(struct visit *v, struct buf *to)
{
    bool ip6 = v->peer.kind == ENDPOINT_IP6;

    if (v->l->hide_names)
        return;
    buf_add(to, S("from "));
    put_clean(to, str_empty(v->s.helo) ? v->name : v->s.helo);
    buf_fmt(to, " (%.*s [%s%.*s])\r\n", STR(v->name), ip6 ? "IPv6:" : "",
            STR(v->address));
}

void received_put(struct task *t, struct visit *v, struct buf *to)
{
    int64_t now = v->c.arrival_us;
    str date = date_rfc5322(&v->c.memory, now, world_zone_s(t, now),
                            role_zone_name(t, &v->c.memory));

    buf_add(to, S("Received: "));
    if (v->l->pickup) {
        buf_fmt(to, "by %.*s (%.*s, from userid %u)\r\n\tid %s; %.*s\r\n",
                STR(v->s.o.hostname),
                STR(conf_str(v->l->conf, P_mail_name)), v->uid, v->c.id.text,
                STR(date));
        return;
    }
    put_client(v, to);
    put_tls(v, to);
    if (v->s.authenticated && v->l->auth_header)
        buf_fmt(to, "\t(Authenticated sender: %.*s)\r\n", STR(v->sasl_user));
    buf_fmt(to, "%sby %.*s (%.*s) with %s id %s",
            v->l->hide_names ? "" : "\t", STR(v->s.o.hostname),
            STR(conf_str(v->l->conf, P_mail_name)), protocol(v),
            v->c.id.text);
    if (v->rcpts.n == 1)
        buf_fmt(to, "\r\n\tfor <%.*s>; ",
                STR(address_external(&v->rcpts.p[0].address, &v->c.memory)));
    else
        buf_add(to, S(";\r\n\t"));
    buf_add(to, date);
    buf_add(to, S("\r\n"));
}
