/* SPDX-License-Identifier: ISC
 *
 * AUTH: the mechanisms' dialogue here, the truth of the claim from authd.
 */
#include "role/smtpd/smtpd.h"

#include "auth/sasl.h"
#include "role/events.h"

enum { AUTH_WAIT_S = 30 };

/* user: what the client called itself, if it came that far. */
static struct reply failed(struct task *t, struct visit *v, str mech,
                           str user, const char *reason)
{
    struct arena *a = &v->s.scratch;

    mech = table_printable(a, str_head(mech, 100));
    user = str_empty(user) ? S("(unavailable)")
                           : table_printable(a, str_head(user, 100));
    say(t, smtpd_sasl_failed, STR(v->name), STR(v->address), STR(mech),
        STR(str_from(reason)), STR(user));
    return reply_fmt(&v->s.scratch, 535, "5.7.8",
                     "Error: authentication failed: %s", reason);
}

/* Runs the mechanism to its claim. */
static err claim(struct task *t, struct visit *v, struct sasl *s,
                 enum sasl_mech mech, str initial, bool has_initial)
{
    str challenge, answer;
    struct buf b;
    enum sasl_step step;

    buf_init(&b, &v->s.scratch, SASL_LINE_MAX);
    if (has_initial && !str_eq(initial, S("="))
        && !base64_decode(&b, initial))
        return ERR_SYNTAX;
    answer = buf_str(&b);
    step = sasl_begin(s, mech, &v->s.scratch, has_initial ? &answer : NULL,
                      &challenge);
    while (step == SASL_MORE) {
        TRY(smtp_challenge(t, &v->s, challenge, &answer));
        step = sasl_answer(s, answer, &challenge);
    }
    return step == SASL_CLAIM ? OK : ERR_SYNTAX;
}

struct reply visit_auth(struct task *t, struct smtp_session *session,
                        str mech_name, str initial, bool has_initial)
{
    struct visit *v = visit_of(session);
    enum sasl_mech mech = sasl_find(mech_name,
                                    conn_tls(session->conn)->on
                                        ? v->l->sasl_flags_tls
                                        : v->l->sasl_flags);
    struct auth_question q = { .service = S("smtp"), .client = v->address };
    struct auth_user user;
    struct sasl s = { 0 };
    err e;

    mech_name = arena_str(&session->scratch, mech_name);
    initial = arena_str(&session->scratch, initial);
    if (mech == SASL_NONE)
        return failed(t, v, mech_name, S(""),
                      "Invalid authentication mechanism");
    e = claim(t, v, &s, mech, initial, has_initial);
    if (e == ERR_DENIED) {
        say(t, smtpd_auth_aborted, STR(v->name), STR(v->address),
            STR(mech_name));
        return REPLY(501, "5.7.0", "Authentication aborted");
    }
    if (e == ERR_SYNTAX)
        return failed(t, v, mech_name, s.user, "Invalid base64 data in initial "
                                       "response");
    if (e) {
        session->over = true;
        return (struct reply){ .code = 0 };
    }
    v->sasl_at = rt_now(t);
    q.user = s.user;
    q.secret = s.secret;
    e = v->d->auth ? auth_check(t, v->d->auth, &q, after_s(t, AUTH_WAIT_S),
                                &v->memory, &user) : ERR_END;
    if (e == ERR_DENIED)
        return failed(t, v, mech_name, q.user, "authentication failure");
    if (e)
        return REPLY(454, "4.7.0", "Temporary authentication failure: "
                     "generic failure");
    session->authenticated = true;
    v->sasl_user = user.name;
    v->sasl_method = arena_str(&v->memory, mech_name);
    return REPLY(235, "2.7.0", "Authentication successful");
}
