/* SPDX-License-Identifier: ISC
 *
 * Parameters whose values are words of a closed set (words.def).
 */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include "conf/conf.h"

enum words_verdict { WORDS_FIT, WORDS_DOUBT, WORDS_BAD };

/* Whether text is made of p's words; of a parameter without a set everything
 * fits.  With WORDS_DOUBT and WORDS_BAD *complaint (in a) says what is
 * wrong. */
enum words_verdict words_judge(struct arena *a, enum param p, str text,
                               str *complaint);

/* Whether p's values are words of a closed set. */
bool words_closed(enum param p);

/* Walks the words that are built in; *at starts at 0. */
bool words_next(enum param p, size_t *at, str *word);

#endif
