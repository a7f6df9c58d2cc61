/* SPDX-License-Identifier: ISC
 *
 * Password schemes.  The crypt(3) family does what begins with "$" and the
 * old DES form; the digest schemes are plain or salted digests in base64 or
 * hexadecimal, the salt behind the digest.
 */
#include "auth/password.h"

#include "net/digest.h"

#include <crypt.h>
#include <string.h>

enum { STORED_MAX = 4096 };

enum scheme_kind { SCHEME_PLAIN, SCHEME_CRYPT, SCHEME_DIGEST };

struct scheme {
    str name;
    enum scheme_kind kind;
    enum digest_kind digest;
    bool salted;
    bool hex;       /* the default encoding, else base64 */
};

static const struct scheme schemes[] = {
    { S_INIT("PLAIN"), SCHEME_PLAIN },
    { S_INIT("CLEARTEXT"), SCHEME_PLAIN },
    { S_INIT("CLEAR"), SCHEME_PLAIN },
    { S_INIT("CRYPT"), SCHEME_CRYPT },
    { S_INIT("YESCRYPT"), SCHEME_CRYPT },
    { S_INIT("SHA512-CRYPT"), SCHEME_CRYPT },
    { S_INIT("SHA256-CRYPT"), SCHEME_CRYPT },
    { S_INIT("BLF-CRYPT"), SCHEME_CRYPT },
    { S_INIT("MD5-CRYPT"), SCHEME_CRYPT },
    { S_INIT("DES-CRYPT"), SCHEME_CRYPT },
    { S_INIT("SHA"), SCHEME_DIGEST, DIGEST_SHA1, false, false },
    { S_INIT("SHA1"), SCHEME_DIGEST, DIGEST_SHA1, false, false },
    { S_INIT("SSHA"), SCHEME_DIGEST, DIGEST_SHA1, true, false },
    { S_INIT("SHA256"), SCHEME_DIGEST, DIGEST_SHA256, false, false },
    { S_INIT("SSHA256"), SCHEME_DIGEST, DIGEST_SHA256, true, false },
    { S_INIT("SHA512"), SCHEME_DIGEST, DIGEST_SHA512, false, false },
    { S_INIT("SSHA512"), SCHEME_DIGEST, DIGEST_SHA512, true, false },
    { S_INIT("PLAIN-MD5"), SCHEME_DIGEST, DIGEST_MD5, false, true },
    { S_INIT("LDAP-MD5"), SCHEME_DIGEST, DIGEST_MD5, false, false },
    { S_INIT("SMD5"), SCHEME_DIGEST, DIGEST_MD5, true, false },
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

static err check_crypt(str stored, str given, struct arena *a)
{
    str hash;

    if (!crypt_of(given, stored, a, &hash))
        return ERR_SYNTAX;
    return secret_eq(hash, stored) ? OK : ERR_DENIED;
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

static err check_digest(const struct scheme *sc, bool hex, str stored,
                        str given, struct arena *a)
{
    size_t size = digest_size(sc->digest);
    struct digest d;
    struct buf b;
    str parts[2] = { given };

    buf_init(&b, a, STORED_MAX);
    if (!(hex ? hex_decode : base64_decode)(&b, stored) || b.n < size ||
        (b.n > size && !sc->salted))
        return ERR_SYNTAX;
    parts[1] = str_skip(buf_str(&b), size);
    d = digest_of(sc->digest, parts, 2);
    return secret_eq(digest_str(&d), str_head(buf_str(&b), size))
               ? OK : ERR_DENIED;
}

/* Takes "{NAME}", "{NAME.b64}" or "{NAME.HEX}" off; without one the scheme is
 * CRYPT.  NULL: an unknown one. */
static const struct scheme *take_scheme(str *stored, bool *hex)
{
    const struct scheme *sc;
    size_t end = str_chr(*stored, '}'), dot;
    str name = S("CRYPT"), encoding = S("");

    if (str_starts(*stored, S("{"))) {
        if (end == STR_NONE)
            return NULL;
        name = (str){ stored->p + 1, end - 1 };
        *stored = str_skip(*stored, end + 1);
    }
    dot = str_chr(name, '.');
    if (dot != STR_NONE) {
        encoding = str_skip(name, dot + 1);
        name = str_head(name, dot);
    }
    sc = scheme_find(name);
    if (!sc)
        return NULL;
    *hex = encoding.n ? str_ieq(encoding, S("HEX")) : sc->hex;
    return sc;
}

static err check_in(str stored, str given, struct arena *a)
{
    const struct scheme *sc;
    bool hex;

    if (given.n > PASSWORD_MAX || stored.n > STORED_MAX ||
        (given.n && memchr(given.p, 0, given.n)))
        return ERR_DENIED;
    sc = take_scheme(&stored, &hex);
    if (!sc || stored.n == 0)
        return ERR_SYNTAX;
    switch (sc->kind) {
    case SCHEME_PLAIN:
        return secret_eq(stored, given) ? OK : ERR_DENIED;
    case SCHEME_CRYPT:
        return check_crypt(stored, given, a);
    case SCHEME_DIGEST:
        return check_digest(sc, hex, stored, given, a);
    }
    must_not_reach();
}

err password_check(str stored, str given)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = check_in(stored, given, &a);
    arena_reset(&a);
    return e;
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
