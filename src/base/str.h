/* SPDX-License-Identifier: ISC
 *
 * Slices.  A str is a borrowed view of bytes: a pointer and a length, passed
 * by value, never NUL-ended, never freed.  Everything that came from outside
 * exists only as a str; char * is spoken at libc's door alone.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

/* A literal as a str. */
#define S(lit) ((str){ "" lit "", sizeof(lit) - 1 })

/* The same as a static initialiser. */
#define S_INIT(lit) { "" lit "", sizeof(lit) - 1 }

/* The arguments of "%.*s". */
#define STR(s) ((int)(s).n), ((s).p ? (s).p : "")

#define STR_NONE ((size_t)-1)

/* A str over a NUL-ended string of libc's; NULL gives an empty str. */
str str_from(const char *c);

/* A str over n bytes. */
static inline str str_of(const void *p, size_t n)
{
    return (str){ (const char *)p, n };
}

static inline bool str_empty(str s)
{
    return s.n == 0;
}

bool str_eq(str a, str b);

/* Equality without regard to ASCII case. */
bool str_ieq(str a, str b);

/* Byte order, <0 0 >0; str_icmp folds ASCII case. */
int str_cmp(str a, str b);
int str_icmp(str a, str b);

bool str_starts(str s, str prefix);
bool str_istarts(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_iends(str s, str suffix);

/* Index of the first (last) byte c, or STR_NONE. */
size_t str_chr(str s, char c);
size_t str_rchr(str s, char c);

/* Index of the first occurrence of needle, or STR_NONE. */
size_t str_find(str s, str needle);
size_t str_ifind(str s, str needle);

/* Index of the first byte that is (is not) among set, or STR_NONE. */
size_t str_any(str s, str set);
size_t str_span(str s, str set);

/* s without its first n bytes, and its first n bytes; n is clipped. */
str str_skip(str s, size_t n);
str str_head(str s, size_t n);

/* s without blanks (space, tab, CR, LF) at both ends. */
str str_trim(str s);
str str_rtrim(str s);

/* Takes the part of *rest before the next sep away and stores it in *part.
 * False when *rest is exhausted (its p is NULL then).  "a,,b" gives "a", "",
 * "b". */
bool str_cut(str *rest, char sep, str *part);

/* Takes the next run of bytes not among seps; false when there is none. */
bool str_token(str *rest, str seps, str *part);

/* ASCII only, whatever the locale. */
static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
