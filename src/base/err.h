/* SPDX-License-Identifier: ISC
 *
 * Errors about us.  An err says what kind of thing went wrong; why it did is
 * said once, where it is understood, with why() (rt/task.h), and logged once,
 * by whoever decides.  A verdict about somebody's mail is never an err: that
 * is a struct reply (mail/reply.h).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#if defined(__clang__)
#define ERR_MUST_BE_USED __attribute__((warn_unused_result))
#else
#define ERR_MUST_BE_USED
#endif

typedef enum ERR_MUST_BE_USED err {
    OK = 0,
    ERR_END,     /* the other side closed, the input is used up */
    ERR_LATE,    /* the deadline passed */
    ERR_STOPPED, /* this task was cancelled */
    ERR_LIMIT,   /* a bound of ours was reached */
    ERR_SYNTAX,  /* input that is not what its grammar says */
    ERR_ABSENT,  /* no such thing */
    ERR_DENIED,  /* not allowed */
    ERR_IO,      /* the system failed us; for now or for ever is unknown */
    ERR_CORRUPT, /* our own data is not as we wrote it */
    ERR_PEER,    /* the other side broke the rules */
} err;

/* A short constant name such as "late". */
const char *err_name(err e);

/* The only macro that hides a return. */
#define TRY(x)                                                                \
    do {                                                                      \
        err try_error_ = (x);                                                 \
        if (try_error_)                                                       \
            return try_error_;                                                \
    } while (0)

/* For the rare place where failure is really of no interest; say why there. */
static inline void err_ignore(err e)
{
    (void)e;
}

#endif
