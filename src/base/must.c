/* SPDX-License-Identifier: ISC
 *
 * Dying with a sentence.  Also home of err_name, which is as small.
 */
#include "base/must.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*report)(void *, const char *); /* tidy: set when the log is */
static void *report_arg;                     /* tidy: opened */

void must_report_with(void (*fn)(void *arg, const char *text), void *arg)
{
    report = fn;
    report_arg = arg;
}

_Noreturn void must_failed(const char *what, const char *file, int line)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "panic: %s:%d: %s\n", file, line,
                     what);
    void (*fn)(void *, const char *) = report;

    if (n > 0)
        (void)!write(STDERR_FILENO, text, (size_t)n < sizeof(text)
                                              ? (size_t)n : sizeof(text));
    report = NULL;          /* whoever fails on the way ends here */
    if (fn) {
        snprintf(text, sizeof(text), "%s:%d: %s", file, line, what);
        fn(report_arg, text);
    }
    abort();
}

const char *err_name(err e)
{
    switch (e) {
    case OK:          return "ok";
    case ERR_END:     return "end";
    case ERR_LATE:    return "timed out";
    case ERR_STOPPED: return "stopped";
    case ERR_LIMIT:   return "limit reached";
    case ERR_SYNTAX:  return "syntax error";
    case ERR_ABSENT:  return "not found";
    case ERR_DENIED:  return "permission denied";
    case ERR_IO:      return "input/output error";
    case ERR_CORRUPT: return "corrupt data";
    case ERR_PEER:    return "protocol error";
    }
    return "unknown error";
}
