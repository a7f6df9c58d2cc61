/* SPDX-License-Identifier: ISC
 *
 * Matching in time pattern * name, without recursion: the set of places in
 * the pattern where the match may stand is carried along the name.
 */
#include "imap/glob.h"

enum { PATTERN_MAX = 512 };

/* Steps over wildcards, which may match nothing. */
static void close_over(str pattern, bool *at)
{
    for (size_t i = 0; i < pattern.n; i++)
        if (at[i] && (pattern.p[i] == '*' || pattern.p[i] == '%'))
            at[i + 1] = true;
}

bool glob_match(str pattern, str name, char separator)
{
    bool at[PATTERN_MAX + 1] = { true };
    bool inbox = str_istarts(name, S("INBOX"))
                 && (name.n == 5 || name.p[5] == separator);

    if (pattern.n > PATTERN_MAX)
        return false;
    close_over(pattern, at);
    for (size_t i = 0; i < name.n; i++) {
        bool next[PATTERN_MAX + 1] = { false };
        char c = name.p[i];

        for (size_t j = 0; j < pattern.n; j++) {
            char p = pattern.p[j];
            if (!at[j])
                continue;
            if (p == '*' || (p == '%' && c != separator))
                next[j] = true;
            else if (p == c || (inbox && i < 5 && upper(p) == upper(c)))
                next[j + 1] = true;
        }
        close_over(pattern, next);
        memcpy(at, next, pattern.n + 1);
    }
    return at[pattern.n];
}
