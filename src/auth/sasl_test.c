/* SPDX-License-Identifier: ISC
 *
 * SASL exchanges and password schemes.
 */
#include "auth/sasl.h"

#include "test/unit/check.h"

static struct arena arena;

TEST(auth_sasl_plain)
{
    struct sasl s;
    str out, in = S("AHVzZXIAc2VjcmV0"); /* \0user\0secret */
    str equals = S("=");

    arena_init(&arena, 0);
    check_int(sasl_begin_base64(&s, SASL_PLAIN, &arena, &in, &out),
              SASL_CLAIM);
    check_str(s.user, S("user"));
    check_str(s.secret, S("secret"));
    check_int(sasl_begin_base64(&s, SASL_PLAIN, &arena, NULL, &out),
              SASL_MORE);
    check_str(out, S(""));
    check_int(sasl_answer_base64(&s, in, &out), SASL_CLAIM);
    check_int(sasl_begin_base64(&s, SASL_PLAIN, &arena, &equals, &out),
              SASL_BAD);
    sasl_begin(&s, SASL_PLAIN, &arena, NULL, &out);
    check_int(sasl_answer(&s, S("user\0user\0x"), &out), SASL_CLAIM);
    sasl_begin(&s, SASL_PLAIN, &arena, NULL, &out);
    check_int(sasl_answer(&s, S("root\0user\0x"), &out), SASL_BAD);
    check_int(sasl_answer(&s, S("\0user\0"), &out), SASL_BAD);
    check_int(sasl_answer(&s, S("\0\0x"), &out), SASL_BAD);
    check_int(sasl_answer(&s, S("\0user"), &out), SASL_BAD);
    check_int(sasl_answer(&s, S("\0us\ner\0x"), &out), SASL_BAD);
    check_int(sasl_answer(&s, S("\0user\0x\0y"), &out), SASL_BAD);
    check_int(sasl_answer_base64(&s, S("!!"), &out), SASL_BAD);
    arena_reset(&arena);
}

TEST(auth_sasl_login)
{
    struct sasl s;
    str out, user = S("dXNlcg==");

    arena_init(&arena, 0);
    check_int(sasl_begin_base64(&s, SASL_LOGIN, &arena, NULL, &out),
              SASL_MORE);
    check_str(out, S("VXNlcm5hbWU6"));
    check_int(sasl_answer_base64(&s, user, &out), SASL_MORE);
    check_str(out, S("UGFzc3dvcmQ6"));
    check_int(sasl_answer_base64(&s, S("c2VjcmV0"), &out), SASL_CLAIM);
    check_str(s.secret, S("secret"));
    check_int(sasl_begin_base64(&s, SASL_LOGIN, &arena, &user, &out),
              SASL_MORE);
    check_str(out, S("UGFzc3dvcmQ6"));
    check_int(sasl_find(S("login"), 0), SASL_LOGIN);
    check_int(sasl_find(S("login"), SASL_NO_PLAINTEXT), SASL_NONE);
    check_int(sasl_find(S("GSSAPI"), 0), SASL_NONE);
    arena_reset(&arena);
}
