/* SPDX-License-Identifier: ISC
 *
 * Password schemes, as Dovecot stores them.  The crypt(3) family does what
 * begins with "$" and the old DES form; the digest schemes are plain or salted
 * digests in base64 or hexadecimal, the salt behind the digest.
 */
#include "auth/password.h"

#include "auth/argon2.h"
#include "net/digest.h"

#include <crypt.h>
#include <string.h>

enum { STORED_MAX = 4096, ROUNDS_MAX = 10000000 };

enum scheme_kind { SCHEME_PLAIN, SCHEME_TRUNCATED, SCHEME_CRYPT,
                   SCHEME_DIGEST, SCHEME_ARGON2, SCHEME_PBKDF2, SCHEME_SCRAM,
                   SCHEME_CRAM_MD5, SCHEME_DIGEST_MD5 };

struct scheme {
    str name;
    enum scheme_kind kind;
    enum digest_kind digest;
    bool salted;
};

static const struct scheme schemes[] = {
    { S_INIT("PLAIN"), SCHEME_PLAIN },
    { S_INIT("CLEARTEXT"), SCHEME_PLAIN },
    { S_INIT("CLEAR"), SCHEME_PLAIN },
    { S_INIT("PLAIN-TRUNC"), SCHEME_TRUNCATED },
    { S_INIT("CRYPT"), SCHEME_CRYPT },
    { S_INIT("YESCRYPT"), SCHEME_CRYPT },
    { S_INIT("SHA512-CRYPT"), SCHEME_CRYPT },
    { S_INIT("SHA256-CRYPT"), SCHEME_CRYPT },
    { S_INIT("BLF-CRYPT"), SCHEME_CRYPT },
    { S_INIT("MD5-CRYPT"), SCHEME_CRYPT },
    { S_INIT("DES-CRYPT"), SCHEME_CRYPT },
    { S_INIT("ARGON2"), SCHEME_ARGON2 },
    { S_INIT("ARGON2I"), SCHEME_ARGON2 },
    { S_INIT("ARGON2ID"), SCHEME_ARGON2 },
    { S_INIT("PBKDF2"), SCHEME_PBKDF2 },
    { S_INIT("SCRAM-SHA-1"), SCHEME_SCRAM, DIGEST_SHA1 },
    { S_INIT("SCRAM-SHA-256"), SCHEME_SCRAM, DIGEST_SHA256 },
    { S_INIT("CRAM-MD5"), SCHEME_CRAM_MD5 },
    { S_INIT("HMAC-MD5"), SCHEME_CRAM_MD5 },
    { S_INIT("DIGEST-MD5"), SCHEME_DIGEST_MD5 },
    { S_INIT("SHA"), SCHEME_DIGEST, DIGEST_SHA1, false },
    { S_INIT("SHA1"), SCHEME_DIGEST, DIGEST_SHA1, false },
    { S_INIT("SSHA"), SCHEME_DIGEST, DIGEST_SHA1, true },
    { S_INIT("SHA256"), SCHEME_DIGEST, DIGEST_SHA256, false },
    { S_INIT("SSHA256"), SCHEME_DIGEST, DIGEST_SHA256, true },
    { S_INIT("SHA512"), SCHEME_DIGEST, DIGEST_SHA512, false },
    { S_INIT("SSHA512"), SCHEME_DIGEST, DIGEST_SHA512, true },
    { S_INIT("PLAIN-MD5"), SCHEME_DIGEST, DIGEST_MD5, false },
    { S_INIT("LDAP-MD5"), SCHEME_DIGEST, DIGEST_MD5, false },
    { S_INIT("SMD5"), SCHEME_DIGEST, DIGEST_MD5, true },
};

/* A password to look at: what is stored, without the scheme. */
struct look {
    const struct scheme *scheme;
    enum { AS_USUAL, AS_BASE64, AS_HEX } encoding;
    str stored, user, given;
    struct arena *a;
};

static const struct scheme *scheme_find(str name)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
        if (str_ieq(schemes[i].name, name))
            return &schemes[i];
    return NULL;
}

/* crypt(3) of given with the setting; false if the setting is none. */
static bool crypt_of(str given, str setting, struct arena *a, str *out)
{
    struct crypt_data *data;
    char *result;

    if (memchr(setting.p, 0, setting.n) || setting.n == 0)
        return false;
    data = arena_new(a, struct crypt_data);
    result = crypt_r(arena_cstr(a, given), arena_cstr(a, setting), data);
    if (!result || result[0] == '*')
        return false;
    *out = arena_str(a, str_from(result));
    return true;
}

static err verdict(str computed, str stored)
{
    return secret_eq(computed, stored) ? OK : ERR_DENIED;
}

static err check_crypt(const struct look *l)
{
    str hash;

    if (!crypt_of(l->given, l->stored, l->a, &hash))
        return ERR_SYNTAX;
    return verdict(hash, l->stored);
}

static bool hex_decode(struct buf *to, str s)
{
    uint64_t n;

    for (; s.n >= 2; s = str_skip(s, 2)) {
        if (!str_hex(str_head(s, 2), 255, &n))
            return false;
        buf_byte(to, (char)n);
    }
    return s.n == 0;
}

/* What base64 or hexadecimal digits stand for.  size: of a digest that stands
 * alone, whose length then tells the two apart; 0: it is base64. */
static bool decode(const struct look *l, size_t size, str *out)
{
    bool hex = l->encoding == AS_HEX
               || (l->encoding == AS_USUAL && size
                   && l->stored.n == 2 * size);
    struct buf b;

    buf_init(&b, l->a, STORED_MAX);
    if (!(hex ? hex_decode : base64_decode)(&b, l->stored))
        return false;
    *out = buf_str(&b);
    return !size || out->n == size;
}

static err check_digest(const struct look *l)
{
    const struct scheme *sc = l->scheme;
    size_t size = digest_size(sc->digest);
    str parts[2] = { l->given }, bytes;
    struct digest d;

    if (!decode(l, sc->salted ? 0 : size, &bytes) || bytes.n < size)
        return ERR_SYNTAX;
    parts[1] = str_skip(bytes, size);
    d = digest_of(sc->digest, parts, 2);
    return verdict(digest_str(&d), str_head(bytes, size));
}

/* "6-secret": only so many bytes count. */
static err check_truncated(const struct look *l)
{
    str rest = l->stored, count;
    uint64_t n;

    if (!str_cut(&rest, '-', &count) || !str_uint(count, STORED_MAX, &n)
        || !rest.p)
        return ERR_SYNTAX;
    return verdict(str_head(l->given, (size_t)n), rest);
}

/* "$1$salt$rounds$hexadecimal", HMAC-SHA-1. */
static err check_pbkdf2(const struct look *l)
{
    struct look hash = { .encoding = AS_HEX, .a = l->a };
    size_t size = digest_size(DIGEST_SHA1);
    str rest = l->stored, salt, count, bytes;
    struct digest d;
    uint64_t rounds;

    if (!str_starts(rest, S("$1$")))
        return ERR_SYNTAX;
    rest = str_skip(rest, 3);
    if (!str_cut(&rest, '$', &salt) || !str_cut(&rest, '$', &count)
        || !str_uint(count, ROUNDS_MAX, &rounds) || rounds == 0)
        return ERR_SYNTAX;
    hash.stored = rest;
    if (!decode(&hash, size, &bytes))
        return ERR_SYNTAX;
    d = digest_pbkdf2(DIGEST_SHA1, l->given, salt, (uint32_t)rounds, size);
    return verdict(digest_str(&d), bytes);
}

/* "rounds,salt,StoredKey,ServerKey" (RFC 5802). */
static err check_scram(const struct look *l)
{
    enum digest_kind kind = l->scheme->digest;
    struct look part = { .encoding = AS_BASE64, .a = l->a };
    str rest = l->stored, count, salt, key;
    struct digest d;
    uint64_t rounds;

    if (!str_cut(&rest, ',', &count)
        || !str_uint(count, ROUNDS_MAX, &rounds) || rounds == 0
        || !str_cut(&rest, ',', &part.stored) || !decode(&part, 0, &salt)
        || !str_cut(&rest, ',', &part.stored) || !decode(&part, 0, &key)
        || key.n != digest_size(kind) || str_empty(rest))
        return ERR_SYNTAX;
    d = digest_pbkdf2(kind, l->given, salt, (uint32_t)rounds, key.n);
    d = digest_hmac(kind, digest_str(&d), S("Client Key"));
    d = digest_of(kind, &(str){ (const char *)d.bytes, d.n }, 1);
    return verdict(digest_str(&d), key);
}

static err check_cram_md5(const struct look *l)
{
    struct digest d = digest_cram_md5(l->given);
    str bytes;

    if (!decode(l, d.n, &bytes))
        return ERR_SYNTAX;
    return verdict(digest_str(&d), bytes);
}

/* The user's name and domain go in: it is no good after a renaming. */
static err check_digest_md5(const struct look *l)
{
    size_t at = str_chr(l->user, '@');
    str parts[] = { str_head(l->user, at), S(":"),
                    at == STR_NONE ? S("") : str_skip(l->user, at + 1),
                    S(":"), l->given };
    struct digest d = digest_of(DIGEST_MD5, parts, 5);
    str bytes;

    if (!decode(l, d.n, &bytes))
        return ERR_SYNTAX;
    return verdict(digest_str(&d), bytes);
}

/* "MD5" is either of two, by what is stored. */
static const struct scheme *scheme_md5(struct look *l)
{
    str text = l->stored;

    if (l->encoding != AS_USUAL && !decode(l, 0, &text))
        return NULL;
    if (!str_starts(text, S("$1$")))
        return scheme_find(S("PLAIN-MD5"));
    l->stored = text;
    l->encoding = AS_USUAL;
    return scheme_find(S("CRYPT"));
}

/* Takes "{NAME}", "{NAME.b64}" or "{NAME.hex}" off; without one the scheme is
 * CRYPT.  False: an unknown one. */
static bool take_scheme(struct look *l)
{
    size_t end = str_chr(l->stored, '}'), dot;
    str name = S("CRYPT"), encoding = S("");

    if (str_starts(l->stored, S("{"))) {
        if (end == STR_NONE)
            return false;
        name = (str){ l->stored.p + 1, end - 1 };
        l->stored = str_skip(l->stored, end + 1);
    }
    dot = str_chr(name, '.');
    if (dot != STR_NONE) {
        encoding = str_skip(name, dot + 1);
        name = str_head(name, dot);
    }
    if (str_ieq(encoding, S("HEX")))
        l->encoding = AS_HEX;
    else if (str_ieq(encoding, S("B64")) || str_ieq(encoding, S("BASE64")))
        l->encoding = AS_BASE64;
    else if (dot != STR_NONE)
        return false;
    l->scheme = str_ieq(name, S("MD5")) ? scheme_md5(l) : scheme_find(name);
    return l->scheme != NULL;
}

/* Texts may be encoded as well, if the scheme says so. */
static bool take_text(struct look *l)
{
    switch (l->scheme->kind) {
    case SCHEME_DIGEST:
    case SCHEME_CRAM_MD5:
    case SCHEME_DIGEST_MD5:
        return true;
    default:
        return l->encoding == AS_USUAL || decode(l, 0, &l->stored);
    }
}

static err check_scheme(const struct look *l)
{
    switch (l->scheme->kind) {
    case SCHEME_PLAIN:
        return verdict(l->given, l->stored);
    case SCHEME_TRUNCATED:
        return check_truncated(l);
    case SCHEME_CRYPT:
        return check_crypt(l);
    case SCHEME_DIGEST:
        return check_digest(l);
    case SCHEME_ARGON2:
        return argon2_check(l->stored, l->given);
    case SCHEME_PBKDF2:
        return check_pbkdf2(l);
    case SCHEME_SCRAM:
        return check_scram(l);
    case SCHEME_CRAM_MD5:
        return check_cram_md5(l);
    case SCHEME_DIGEST_MD5:
        return check_digest_md5(l);
    }
    must_not_reach();
}

static err check_in(struct look *l)
{
    if (l->given.n > PASSWORD_MAX || l->stored.n > STORED_MAX
        || (l->given.n && memchr(l->given.p, 0, l->given.n)))
        return ERR_DENIED;
    if (!take_scheme(l) || !take_text(l) || l->stored.n == 0)
        return ERR_SYNTAX;
    return check_scheme(l);
}

err password_check(str stored, str user, str given)
{
    struct arena a;
    struct look l = { .stored = stored, .user = user, .given = given,
                      .a = &a };
    err e;

    arena_init(&a, 0);
    e = check_in(&l);
    arena_reset(&a);
    return e;
}

/* The expensive ones are looked at, not computed. */
static bool known_in(struct look *l)
{
    if (l->stored.n > STORED_MAX || !take_scheme(l) || !take_text(l)
        || l->stored.n == 0)
        return false;
    if (l->scheme->kind == SCHEME_ARGON2)
        return argon2_valid(l->stored);
    if (l->scheme->kind == SCHEME_CRYPT)
        return !memchr(l->stored.p, 0, l->stored.n)
               && crypt_checksalt(arena_cstr(l->a, l->stored))
                      != CRYPT_SALT_INVALID;
    return check_scheme(l) != ERR_SYNTAX;
}

bool password_known(str stored)
{
    struct arena a;
    struct look l = { .stored = stored, .user = S("x"), .given = S("x"),
                      .a = &a };
    bool known;

    arena_init(&a, 0);
    known = known_in(&l);
    arena_reset(&a);
    return known;
}

err password_make(str given, str salt, struct arena *a, str *stored)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    str hash;

    must(salt.n == PASSWORD_SALT_SIZE);
    if (given.n > PASSWORD_MAX)
        return ERR_LIMIT;
    if (given.n == 0 || memchr(given.p, 0, given.n))
        return ERR_SYNTAX;
    must(crypt_gensalt_rn("$y$", 0, salt.p, (int)salt.n, setting,
                          sizeof(setting)));
    must(crypt_of(given, str_from(setting), a, &hash));
    *stored = arena_fmt(a, "{CRYPT}%.*s", STR(hash));
    return OK;
}

void password_check_nothing(str given)
{
    static const char salt[PASSWORD_SALT_SIZE] = { 1 };
    struct arena a;
    str stored;

    arena_init(&a, 0);
    if (given.n == 0)
        given = S("x");
    err_ignore(password_make(given, str_of(salt, sizeof(salt)), &a, &stored));
    arena_reset(&a);
}
