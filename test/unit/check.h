/* SPDX-License-Identifier: ISC
 *
 * Unit tests: TEST(module_case) { check(...); } beside the code they test.
 * A test that needs tasks says TASK_TEST(name) and has a struct task *t.
 */
#ifndef TEST_UNIT_CHECK_H
#define TEST_UNIT_CHECK_H

#include "base/base.h"
#include "rt/rt.h"

struct unit_test {
    const char *name;
    void (*plain)(void);
    void (*tasked)(struct task *t);
    struct unit_test *next;
};
void unit_register(struct unit_test *test);

#define TEST(id)                                                              \
    static void test_##id(void);                                              \
    __attribute__((constructor)) static void register_##id(void)              \
    {                                                                         \
        static struct unit_test entry = { #id, test_##id, NULL, NULL };       \
        unit_register(&entry);                                                \
    }                                                                         \
    static void test_##id(void)

#define TASK_TEST(id)                                                         \
    static void test_##id(struct task *t);                                    \
    __attribute__((constructor)) static void register_##id(void)              \
    {                                                                         \
        static struct unit_test entry = { #id, NULL, test_##id, NULL };       \
        unit_register(&entry);                                                \
    }                                                                         \
    static void test_##id(struct task *t)

void check_failed(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define check(x)                                                              \
    ((x) ? (void)0 : check_failed(__FILE__, __LINE__, "%s", #x))

#define check_str(got, want)                                                  \
    do {                                                                      \
        str got_ = (got), want_ = (want);                                     \
        if (!str_eq(got_, want_))                                             \
            check_failed(__FILE__, __LINE__, "%s: got \"%.*s\", want "        \
                         "\"%.*s\"", #got, STR(got_), STR(want_));            \
    } while (0)

#define check_int(got, want)                                                  \
    do {                                                                      \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);               \
        if (got_ != want_)                                                    \
            check_failed(__FILE__, __LINE__, "%s: got %" PRId64 ", want %"    \
                         PRId64, #got, got_, want_);                          \
    } while (0)

#define check_ok(x) check_int((x), OK)

#endif
