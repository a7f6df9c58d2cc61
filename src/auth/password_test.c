/* SPDX-License-Identifier: ISC
 *
 * Stored passwords.  Those that are right were made by Dovecot 2.3's doveadm,
 * for the password "secret" of joe@example.com.
 */
#include "auth/argon2.h"
#include "auth/blake2b.h"
#include "auth/password.h"

#include "test/unit/check.h"

static const struct { const char *stored; err want; } cases[] = {
    { "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", OK },
    { "{SSHA512}OhBwJ4EGoYm+oq/jf7T+4/l7sbsdXcJzQsCaGZOgEDp9bErWJ"
      "76+Kre1hRU2bHLshiLU7TguUp/pNSiUK+PbkG8F30Q=", OK },
    { "{SCRAM-SHA-256}4096,nP+bgBXYxpYttNRQEyZBEg==,ijLFSFgmNJ8TW"
      "RUHHtfrwh51SXTcSHeBLiSUMRbN66I=,yBzM0F9de9zj1GYIw18uyeBe7F"
      "zmECDsfp8OPsGxMJI=", OK },
    { "{BLF-CRYPT}$2y$05$hoJ/4hkjU1G9AX26FTED0e5/BgQQCRCpuy3VOMSZ"
      "Z.mRkQHzXVKD2", OK },
    { "{PLAIN}secret", OK },
    { "{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a"
      "81bbaac395731b56", OK },
    { "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZK"
      "nvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==", OK },
    { "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", OK },
    { "{DES-CRYPT}4geOkoueclDYM", OK },
    { "{CRYPT}$2y$05$opbrN289cKrVyJRIFtYdy.P2AYr7etX1zEJyOlm25hRD"
      "Adf9oU.dy", OK },
    { "{SSHA}NuEshDrgFveZAA/KSXbc8Ukinv5eVBjx", OK },
    { "{MD5-CRYPT}$1$9VUhOjlv$E2raHI7sSJaRjLvT.4Aq3.", OK },
    { "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", OK },
    { "{SCRAM-SHA-1}4096,U3a7hDKh4vqmwuTx6DpHRg==,XuPkfOaty/jpWQU"
      "9ytpwS6Fet5M=,mmhJkS5mcWGcqPTi3WLpmelKxag=", OK },
    { "{SHA512-CRYPT}$6$DN.ml4IfLEemx7rX$ywtXp94NFG0L1hOVK3m5QTRD"
      "SF4JvKj20p1uTW75TEhhRmtGel5WQGxTCTk9DTdmQPS01X0Wd6s8TM1Trj"
      "Cqc/", OK },
    { "{CLEAR}secret", OK },
    { "{CLEARTEXT}secret", OK },
    { "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$y6rD4uTdBt/iz5vJibH"
      "NhA$FKeSk1ObTZImHX4iSfui0BOAPvkKjzMnq62ea2A3OIs", OK },
    { "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$xzAIaog29C2vsoVm0"
      "maUWQ$DQVIDGk/82hPMlbp0YW3ze97qVofeuB8ztVUdDhuW84", OK },
    { "{SSHA256}mh4NYYGA6kULZJ7QlNmthKP4IQfYsR8uiJ+J9mAklFDMuCep", OK },
    { "{MD5}$1$QIKF9ha1$sudXQEJ8WDghQpGoSGfQN.", OK },
    { "{PBKDF2}$1$/gxe36iMhrDBO7fe$5000$b0c358a9a6e9514391adfd92c"
      "4d6f99a58204b20", OK },
    { "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", OK },
    { "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a"
      "81bbaac395731b56", OK },
    { "{PLAIN-TRUNC}4-secr", OK },
    { "{SHA256-CRYPT}$5$Zina/aAKxQKK/QgZ$uLYr7dVcTV8sFV5qRGFeFMsV"
      "gZ6G2vKHNXVDrOs6VX8", OK },
    { "{SMD5}42ToSc7/KzcrM9U1R+Tmuqqj5No=", OK },
    { "{DIGEST-MD5}c197225a9a698c115795c0e619e807cc", OK },
    { "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", OK },
    { "{SSHA.HEX}3e7c604ffa3b655ff3faca4028eb1ce826152d86147e5c11", OK },
    { "{SSHA256.B64}6giGRRTWQuOmIn3xB26aEYYTKZqke2mMpPcpORbYYBrv4"
      "kar", OK },
    { "{CRAM-MD5.B64}zTun3qrW5cojRIukLjeXR6ng9/H7wAyKgbuqw5VzG1Y=", OK },
    { "{PLAIN.B64}c2VjcmV0", OK },
    { "{SHA512-CRYPT.B64}JDYkTmVEbnpMeEJQTmtPT3E3NyQwRGx2ZGdvNzlr"
      "TzB2b3c4WEN1aXkuSlhGYVI2bG54QnBmdlR0SW95M1lpaG5GNmlkSlNtUj"
      "g4Qy5XN29XUUhzdzcwOFM2cDdZZU42WXphWGU5eG53Lg==", OK },
    { "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fe"
      "f6a25fe97bf527a25b", OK },
    { "{PLAIN.HEX}736563726574", OK },
    { "{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a2"
      "5fe97bf527a25b", OK },
    { "{SHA256.HEX}2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FE"
      "F6A25FE97BF527A25B", OK },
    { "{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", OK },
    { "{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", OK },
    { "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", OK },
    { "{PLAIN-TRUNC}9-secret", OK },
    { "{SHA.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", OK },
    { "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0a"
      "Dehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1", OK },
    { "{NONESUCH}x", ERR_SYNTAX },
    { "{SHA}", ERR_SYNTAX },
    { "{SHA}?x?!", ERR_SYNTAX },
    { "!", ERR_SYNTAX },
    { "*", ERR_SYNTAX },
    { "", ERR_SYNTAX },
    { "{", ERR_SYNTAX },
    { "{SHA.x}5en6G6MezRroT3XKqkdPOmY/BfQ=", ERR_SYNTAX },
    { "{PLAIN.b64}!", ERR_SYNTAX },
    { "{PLAIN-TRUNC}secret", ERR_SYNTAX },
    { "{PLAIN-TRUNC}x-secret", ERR_SYNTAX },
    { "{PBKDF2}$1$a$0$00", ERR_SYNTAX },
    { "{PBKDF2}$1$a$99999999999$00", ERR_SYNTAX },
    { "{PBKDF2}$2$a$1$00", ERR_SYNTAX },
    { "{PBKDF2}$1$a", ERR_SYNTAX },
    { "{SCRAM-SHA-1}4096,x", ERR_SYNTAX },
    { "{SCRAM-SHA-1}0,9uDE4ys9ECp/EaWX1A4OxA==,sQyrPZENWFCSfueJCJ"
      "buwU2t9Ys=,x", ERR_SYNTAX },
    { "{SCRAM-SHA-256}4096,9uDE4ys9ECp/EaWX1A4OxA==,sQyrPZENWFCSf"
      "ueJCJbuwU2t9Ys=,x", ERR_SYNTAX },
    { "{CRAM-MD5}00", ERR_SYNTAX },
    { "{DIGEST-MD5}zz", ERR_SYNTAX },
    { "{ARGON2ID}", ERR_SYNTAX },
    { "{ARGON2ID}$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAA", ERR_SYNTAX },
    { "{ARGON2ID}$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$"
      "AAAAAAAA", ERR_SYNTAX },
    { "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=2$c2FsdHNhbHQ$AAAAAAAA", ERR_SYNTAX },
    { "{ARGON2ID}$argon2id$v=19$m=64"
      ",t=0,p=1$c2FsdHNhbHQ$AAAAAAAA",
      ERR_SYNTAX },
    { "{ARGON2ID}$argon2id$v=20$m=64"
      ",t=1,p=1$c2FsdHNhbHQ$AAAAAAAA", ERR_SYNTAX },
    { "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2Fs$AAAAAAAA", ERR_SYNTAX },
};

TEST(password_check)
{
    str joe = S("joe@example.com");

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        str stored = str_from(cases[i].stored);
        err want = cases[i].want;
        if (password_check(stored, joe, S("secret")) != want)
            check_str(stored, S("another outcome"));
        if (password_check(stored, joe, S("Secret"))
            != (want ? want : ERR_DENIED))
            check_str(stored, S("another outcome for the wrong one"));
        check(password_known(stored) == (want == OK));
    }
    check_int(password_check(S("{PLAIN}x"), joe, S("x\0y")), ERR_DENIED);
    check_int(password_check(S("{PLAIN}"), joe, S("")), ERR_SYNTAX);
    check_ok(password_check(S("{PLAIN-TRUNC}4-secr"), joe, S("secrets")));
    check_int(password_check(S("{DIGEST-MD5}c197225a9a698c115795c0e619e807"
                               "cc"), S("joe@example.org"), S("secret")),
              ERR_DENIED);
}

TEST(password_make)
{
    str salt = S("0123456789abcdef0123456789abcdef"), joe = S("joe"), stored;
    struct arena a;

    arena_init(&a, 0);
    check_ok(password_make(S("secret"), salt, &a, &stored));
    check(str_starts(stored, S("{CRYPT}$y$")));
    check_ok(password_check(stored, joe, S("secret")));
    check_int(password_check(stored, joe, S("Secret")), ERR_DENIED);
    check_int(password_make(S(""), salt, &a, &stored), ERR_SYNTAX);
    arena_reset(&a);
}

/* More lanes and versions than Dovecot makes; from the reference program. */
TEST(password_argon2)
{
    static const char *const right[] = {
        "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHR5c2FsdA$t96aeiL8BuyJw"
        "OA38n60Y4aowkUn68RwL+aa6naUwwQ",
        "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHR5c2FsdA$x5YHHYw8tOP"
        "ZT9rnzAQZbB4eM/WVVpshBL/0lm9QNTI",
        "$argon2id$v=19$m=100,t=3,p=4$c29tZXNhbHR5c2FsdA$VDe4WLZWGk"
        "0TszV6vvb2khmexeHmrUdj0no6lD+zzq1f0a/IjJoPtxJD2XIjFt9WCWtV"
        "rXX5ii6qQ+YZXRbeLg",
        "$argon2i$v=16$m=67,t=2,p=1$c29tZXNhbHR5c2FsdA$EcxIIhZeM7tM"
        "BuHLMiC+ZQ",
        "$argon2id$v=16$m=96,t=3,p=3$c29tZXNhbHR5c2FsdA$Xi/RSHPJ4yC"
        "w8NelHDai7KNjSJaIaSI9i08X3uC457uXzAnenhdArcIokwravq7VXhplJ"
        "nuDEJrHbWo2JjI6GrIbwWfkvzPxcsh7dvndhiTZxLWwDOeCi+CEG+zFd82"
        "9mHrBAQ",
        "$argon2i$v=19$m=2048,t=2,p=2$c29tZXNhbHR5c2FsdA$w3KxUx7SFC"
        "VOhcwtu0T9v8iqxUEQL7tNtJaYmFK+LC+qD9n8sXjkg6fuioKEeP8yxpNV"
        "PQ6PbF0UDBoClWvdkYU",
    };

    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
        check_ok(argon2_check(str_from(right[i]), S("secret")));
        check_int(argon2_check(str_from(right[i]), S("secreT")),
                  ERR_DENIED);
    }
}

/* RFC 7693, appendix A, and a size that fills blocks. */
TEST(password_blake2b)
{
    static const unsigned char abc[] = {
        0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d, 0x6a, 0x27, 0x97,
        0xb6, 0x9f, 0x12, 0xf6, 0xe9, 0x4c, 0x21, 0x2f, 0x14, 0x68, 0x5a,
        0xc4, 0xb7, 0x4b, 0x12, 0xbb, 0x6f, 0xdb, 0xff, 0xa2, 0xd1, 0x7d,
        0x87, 0xc5, 0x39, 0x2a, 0xab, 0x79, 0x2d, 0xc2, 0x52, 0xd5, 0xde,
        0x45, 0x33, 0xcc, 0x95, 0x18, 0xd3, 0x8a, 0xa8, 0xdb, 0xf1, 0x92,
        0x5a, 0xb9, 0x23, 0x86, 0xed, 0xd4, 0x00, 0x99, 0x23,
    };
    struct blake2b b;
    char out[BLAKE2B_MAX], again[BLAKE2B_MAX];
    char zeros[300] = { 0 };

    blake2b_init(&b, 64);
    blake2b_add(&b, S("abc"));
    blake2b_end(&b, out);
    check_str(str_of(out, 64), str_of(abc, 64));
    blake2b_init(&b, 20);
    blake2b_add(&b, str_of(zeros, 256));
    blake2b_end(&b, out);
    blake2b_init(&b, 20);
    for (int i = 0; i < 256; i += 32)
        blake2b_add(&b, str_of(zeros, 32));
    blake2b_end(&b, again);
    check_str(str_of(out, 20), str_of(again, 20));
}
