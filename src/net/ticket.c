/* SPDX-License-Identifier: ISC
 *
 * Session tickets of a server: the session travels with the client, sealed
 * (RFC 5077 section 4), and any process with the same keys opens it.  Nothing
 * is kept here.
 *
 * A key is 16 bytes of name, 32 for the cipher, 32 for the MAC.  The newest
 * seals; a ticket of an older one is answered with a new ticket.
 */
#include "net/context.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

enum { NAME = 16, SECRET = 32 };

/* Which key has this name; n: none. */
static size_t key_named(const struct tls_tickets *k,
                        const unsigned char *name)
{
    size_t i = 0;

    while (i < k->n && memcmp(k->keys[i], name, NAME))
        i++;
    return i;
}

/* The library's callback: 0 no ticket, 1 good, 2 good but make a new one. */
static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    const struct tls_context *c = SSL_CTX_get_app_data(
        SSL_get_SSL_CTX(ssl));
    const struct tls_tickets *k = c->tickets;
    size_t i = seal ? 0 : key_named(k, name);
    unsigned char secret[SECRET];
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, SECRET),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    if (i >= k->n)
        return 0;
    if (seal) {
        memcpy(name, k->keys[0], NAME);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(c->ticket_cipher)) != 1)
            return -1;
    }
    memcpy(secret, k->keys[i] + NAME + SECRET, SECRET);
    if (!EVP_CipherInit_ex(cipher, c->ticket_cipher, NULL,
                           k->keys[i] + NAME, iv, seal)
        || !EVP_MAC_CTX_set_params(mac, params))
        return -1;
    return i > 0 ? 2 : 1;
}

/* A session is resumed only where the same would have been asked of the
 * client when it began. */
static void name_sessions(SSL_CTX *ctx, const struct tls_options *o)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    unsigned char asked = o->ask_cert;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    must(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, &asked, 1)
         && EVP_DigestUpdate(md, &o->depth_max, sizeof(o->depth_max))
         && EVP_DigestUpdate(md, o->label.p, o->label.n)
         && EVP_DigestUpdate(md, o->protocols.p, o->protocols.n)
         && EVP_DigestUpdate(md, o->ciphers.p, o->ciphers.n)
         && EVP_DigestUpdate(md, o->ca_pem.p, o->ca_pem.n)
         && EVP_DigestFinal_ex(md, id, &n));
    EVP_MD_CTX_free(md);
    SSL_CTX_set_session_id_context(ctx, id, n);
}

err tls_use_tickets(struct task *t, struct tls_context *c,
                    const struct tls_options *o)
{
    char name[64] = "";
    bool none = !o->tickets || o->session_s <= 0
                || str_empty(o->ticket_cipher);

    name_sessions(c->ssl_ctx, o);
    SSL_CTX_set_session_cache_mode(
        c->ssl_ctx, o->session_ids ? SSL_SESS_CACHE_SERVER
                                         | SSL_SESS_CACHE_NO_INTERNAL
                                         | SSL_SESS_CACHE_NO_AUTO_CLEAR
                                   : SSL_SESS_CACHE_OFF);
    if (none) {
        SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(c->ssl_ctx, 0);
        return OK;
    }
    if (o->ticket_cipher.n < sizeof(name))
        memcpy(name, o->ticket_cipher.p, o->ticket_cipher.n);
    c->ticket_cipher = EVP_get_cipherbyname(name);
    if (!c->ticket_cipher
        || EVP_CIPHER_get_mode(c->ticket_cipher) != EVP_CIPH_CBC_MODE
        || EVP_CIPHER_get_key_length(c->ticket_cipher) > SECRET)
        return why(t, ERR_SYNTAX, "unusable session ticket cipher: %.*s",
                   STR(o->ticket_cipher));
    c->tickets = o->tickets;
    SSL_CTX_set_timeout(c->ssl_ctx, (long)o->session_s);
    SSL_CTX_set_num_tickets(c->ssl_ctx, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl_ctx, on_key);
    return OK;
}
