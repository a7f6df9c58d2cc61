/* SPDX-License-Identifier: ISC
 *
 * SASL mechanisms.
 */
#include "auth/sasl.h"

enum sasl_mech sasl_find(str name, int flags)
{
    if (flags & SASL_NO_PLAINTEXT)
        return SASL_NONE;
    if (str_ieq(name, S("PLAIN")))
        return flags & SASL_NO_PLAIN ? SASL_NONE : SASL_PLAIN;
    if (str_ieq(name, S("LOGIN")))
        return flags & SASL_NO_LOGIN ? SASL_NONE : SASL_LOGIN;
    return SASL_NONE;
}

int sasl_flags_of(const struct conf *c)
{
    struct conf_items list = conf_items(c, P_auth_mechanisms);
    int flags = SASL_NO_PLAIN | SASL_NO_LOGIN;

    for (size_t i = 0; i < list.n; i++) {
        if (str_ieq(list.p[i], S("plain")))
            flags &= ~SASL_NO_PLAIN;
        if (str_ieq(list.p[i], S("login")))
            flags &= ~SASL_NO_LOGIN;
    }
    return flags;
}

str sasl_offer(int flags)
{
    if (flags & SASL_NO_PLAINTEXT)
        return S("");
    if (flags & SASL_NO_PLAIN)
        return flags & SASL_NO_LOGIN ? S("") : S("LOGIN");
    return flags & SASL_NO_LOGIN ? S("PLAIN") : S("PLAIN LOGIN");
}

/* A name that may go into log lines, look-ups and paths' checks. */
static bool name_valid(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
            return false;
    return s.n > 0 && s.n <= SASL_NAME_MAX && utf8_valid(s);
}

static bool secret_valid(str s)
{
    return s.n > 0 && s.n <= SASL_SECRET_MAX && str_chr(s, 0) == STR_NONE;
}

static enum sasl_step claim(struct sasl *s, str user, str secret)
{
    if (!name_valid(user) || !secret_valid(secret))
        return SASL_BAD;
    s->user = arena_str(s->a, user);
    s->secret = arena_str(s->a, secret);
    return SASL_CLAIM;
}

/* [authzid] NUL authcid NUL passwd; who wants to act as somebody else is
 * refused. */
static enum sasl_step plain(struct sasl *s, str answer)
{
    str authzid, authcid;

    if (!str_cut(&answer, 0, &authzid) || !answer.p ||
        !str_cut(&answer, 0, &authcid) || !answer.p)
        return SASL_BAD;
    if (authzid.n && !str_eq(authzid, authcid))
        return SASL_BAD;
    return claim(s, authcid, answer);
}

static enum sasl_step login(struct sasl *s, str answer, str *challenge)
{
    if (s->n_answers == 1) {
        if (!name_valid(answer))
            return SASL_BAD;
        s->user = arena_str(s->a, answer);
        *challenge = S("Password:");
        return SASL_MORE;
    }
    return claim(s, s->user, answer);
}

enum sasl_step sasl_answer(struct sasl *s, str answer, str *challenge)
{
    s->n_answers++;
    switch (s->mech) {
    case SASL_PLAIN:
        return plain(s, answer);
    case SASL_LOGIN:
        return login(s, answer, challenge);
    case SASL_NONE:
        break;
    }
    must_not_reach();
}

enum sasl_step sasl_begin(struct sasl *s, enum sasl_mech mech,
                          struct arena *a, const str *initial, str *challenge)
{
    must(mech != SASL_NONE);
    *s = (struct sasl){ .mech = mech, .a = a };
    if (initial)
        return sasl_answer(s, *initial, challenge);
    *challenge = mech == SASL_LOGIN ? S("Username:") : S("");
    return SASL_MORE;
}

static enum sasl_step encode(struct sasl *s, enum sasl_step step,
                             str *challenge)
{
    struct buf b;

    if (step != SASL_MORE)
        return step;
    buf_init(&b, s->a, SASL_LINE_MAX);
    base64_encode(&b, *challenge);
    *challenge = buf_str(&b);
    return step;
}

enum sasl_step sasl_answer_base64(struct sasl *s, str line, str *challenge)
{
    struct buf b;

    buf_init(&b, s->a, SASL_LINE_MAX);
    if (!base64_decode(&b, str_trim(line)) || b.over)
        return SASL_BAD;
    return encode(s, sasl_answer(s, buf_str(&b), challenge), challenge);
}

enum sasl_step sasl_begin_base64(struct sasl *s, enum sasl_mech mech,
                                 struct arena *a, const str *initial,
                                 str *challenge)
{
    str empty = S("");

    if (initial && !str_eq(*initial, S("="))) {
        *s = (struct sasl){ .mech = mech, .a = a };
        must(mech != SASL_NONE);
        return sasl_answer_base64(s, *initial, challenge);
    }
    return encode(s, sasl_begin(s, mech, a, initial ? &empty : NULL,
                                challenge), challenge);
}
