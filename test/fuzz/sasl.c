/* SPDX-License-Identifier: ISC
 *
 * SASL answers and stored passwords of any form.
 */
#include "auth/password.h"
#include "auth/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size), rest = in, line, challenge;
    struct arena a;
    struct sasl s;

    arena_init(&a, 0);
    for (enum sasl_mech m = SASL_PLAIN; m <= SASL_LOGIN; m++) {
        enum sasl_step step = sasl_begin(&s, m, &a, NULL, &challenge);
        while (step == SASL_MORE && str_cut(&rest, '\n', &line))
            step = sasl_answer(&s, line, &challenge);
        must(step != SASL_CLAIM || (s.user.n && utf8_valid(s.user)));
        err_ignore(sasl_begin_base64(&s, m, &a, &in, &challenge) ==
                   SASL_CLAIM ? OK : ERR_SYNTAX);
    }
    /* Only the cheap schemes: crypt's are not ours. */
    if (size && data[0] == '{' && str_ifind(in, S("CRYPT")) == STR_NONE)
        err_ignore(password_check(in, S("joe"), S("secret")));
    arena_reset(&a);
    return 0;
}
