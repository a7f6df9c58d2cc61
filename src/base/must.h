/* SPDX-License-Identifier: ISC
 *
 * Assertions by meaning.  must() is on in production and aborts the role:
 * master restarts it, the log knows the truth.  Never on outside input.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

_Noreturn void must_failed(const char *what, const char *file, int line);

/* A programming error if false. */
#define must(x) ((x) ? (void)0 : must_failed(#x, __FILE__, __LINE__))

/* The same where the check itself is dear: test builds only. */
#ifdef VEREDUS_SLOW_CHECKS
#define must_slow(x) must(x)
#else
#define must_slow(x) ((void)sizeof(!(x)))
#endif

/* Marks a place that cannot be reached. */
#define must_not_reach() must_failed("not reached", __FILE__, __LINE__)

/* Who hears the last words of a process that dies on a must, besides stderr:
 * the log.  fn may be NULL; it is called once. */
void must_report_with(void (*fn)(void *arg, const char *text), void *arg);

#endif
