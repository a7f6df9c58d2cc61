/* SPDX-License-Identifier: ISC
 *
 * Passes: who has no key makes none, and each opens once.
 */
#include "auth/pass.h"

#include "test/unit/check.h"

static const str key = S_INIT("0123456789abcdef0123456789abcdef");
static const struct auth_user joe = {
    .name = S_INIT("joe@example.com"), .home = S_INIT("/home/joe"),
    .mailbox = S_INIT("maildir:~/M"), .has_ids = true, .uid = 1000,
    .gid = 1001, .quota = 77,
};

TASK_TEST(pass_issued)
{
    struct pass p;
    struct arena a;
    str packed;

    arena_init(&a, 0);
    packed = pass_issue(t, key, &joe, &a);
    check_ok(pass_check(t, key, packed, &p));
    check_str(p.user.name, joe.name);
    check_str(p.user.home, joe.home);
    check_str(p.user.mailbox, joe.mailbox);
    check(p.user.has_ids && p.user.uid == 1000 && p.user.gid == 1001);
    check_int(p.user.quota, 77);
    check(!str_eq(packed, pass_issue(t, key, &joe, &a)));
    arena_reset(&a);
}

/* Every byte counts, and every length. */
TASK_TEST(pass_forged)
{
    struct pass p;
    struct arena a;
    str packed;
    char *bytes;

    arena_init(&a, 0);
    packed = pass_issue(t, key, &joe, &a);
    bytes = arena_cstr(&a, packed);
    for (size_t i = 0; i < packed.n; i++) {
        bytes[i] ^= 1;
        check_int(pass_check(t, key, str_of(bytes, packed.n), &p),
                  ERR_DENIED);
        bytes[i] ^= 1;
        check_int(pass_check(t, key, str_head(packed, i), &p), ERR_DENIED);
    }
    check_int(pass_check(t, key, str_of(bytes, packed.n + 1), &p),
              ERR_DENIED);
    check_int(pass_check(t, S("0123456789abcdef0123456789abcdeF"), packed,
                         &p), ERR_DENIED);
    check_ok(pass_check(t, key, packed, &p));
    arena_reset(&a);
}

TASK_TEST(pass_taken_once)
{
    struct passes *ps = passes_new();
    struct pass p, q;
    struct arena a;

    arena_init(&a, 0);
    check_ok(pass_check(t, key, pass_issue(t, key, &joe, &a), &p));
    check_ok(pass_check(t, key, pass_issue(t, key, &joe, &a), &q));
    check_ok(passes_take(t, ps, &p));
    check_int(passes_take(t, ps, &p), ERR_DENIED);
    check_ok(passes_take(t, ps, &q));
    check_int(passes_take(t, ps, &q), ERR_DENIED);
    check_int(passes_take(t, ps, &p), ERR_DENIED);
    passes_free(ps);
    arena_reset(&a);
}
