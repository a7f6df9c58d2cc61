/* SPDX-License-Identifier: ISC
 *
 * SASL exchanges and password schemes.
 */
#include "auth/password.h"
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

TEST(auth_password_check)
{
    static const struct { const char *stored; err want; } cases[] = {
        { "{PLAIN}secret", OK },
        { "{plain}secre", ERR_DENIED },
        { "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", OK },
        { "{SHA.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", OK },
        { "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", OK },
        { "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", OK },
        { "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", OK },
        { "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0"
          "S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1", OK },
        { "{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1"
          "E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO2", ERR_DENIED },
        { "{NONESUCH}x", ERR_SYNTAX },
        { "{SHA}", ERR_SYNTAX },
        { "{SHA}????", ERR_SYNTAX },
        { "!", ERR_SYNTAX },
        { "*", ERR_SYNTAX },
        { "", ERR_SYNTAX },
        { "{", ERR_SYNTAX },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        err e = password_check(str_from(cases[i].stored), S("secret"));
        if (e != cases[i].want)
            check_str(str_from(cases[i].stored), S("another outcome"));
    }
    check_int(password_check(S("{PLAIN}x"), S("x\0y")), ERR_DENIED);
    check_int(password_check(S("{PLAIN}"), S("")), ERR_SYNTAX);
}

TEST(auth_password_make)
{
    str salt = S("0123456789abcdef0123456789abcdef"), stored;

    arena_init(&arena, 0);
    check_ok(password_make(S("secret"), salt, &arena, &stored));
    check(str_starts(stored, S("{CRYPT}$y$")));
    check_ok(password_check(stored, S("secret")));
    check_int(password_check(stored, S("Secret")), ERR_DENIED);
    check_int(password_make(S(""), salt, &arena, &stored), ERR_SYNTAX);
    arena_reset(&arena);
}
