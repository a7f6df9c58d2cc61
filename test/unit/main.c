/* SPDX-License-Identifier: ISC
 *
 * Runs the unit tests: all, or those whose name starts with an argument.
 * The last line is "N passed, N failed".
 */
#include "test/unit/check.h"

#include <stdio.h>

static struct unit_test *first, **last = &first;
static int failures_here;

void unit_register(struct unit_test *test)
{
    *last = test;
    last = &test->next;
}

void check_failed(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    failures_here++;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static err run_tasked(struct task *t, void *arg)
{
    struct unit_test *test = arg;

    test->tasked(t);
    return OK;
}

static void run_one(struct unit_test *test)
{
    if (test->plain)
        test->plain();
    else if (world_run("unit", run_tasked, test))
        check_failed(test->name, 0, "the world ended with an error");
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;

    for (struct unit_test *test = first; test; test = test->next) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= str_starts(str_from(test->name), str_from(argv[i]));
        if (!wanted)
            continue;
        failures_here = 0;
        run_one(test);
        if (failures_here)
            fprintf(stderr, "FAILED %s\n", test->name);
        failures_here ? failed++ : passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
