/* SPDX-License-Identifier: ISC
 *
 * Inside net's two TLS files only: the library's context.
 */
#ifndef NET_CONTEXT_H
#define NET_CONTEXT_H

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ssl_ctx;
    bool server;
};

#endif
