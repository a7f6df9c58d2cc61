/* SPDX-License-Identifier: ISC
 *
 * Keywords: names for bits.  The first MAILDIR_LETTERS stand as letters in
 * the names of files.  A bit that no message has any more is given to another
 * name once the letters are used up.
 */
#include "store/box.h"

/* dovecot-keywords, so that others read the letters as we do. */
static err keywords_write(struct task *t, struct index *ix)
{
    struct arena a;
    struct buf b;
    err e;

    arena_init(&a, 0);
    buf_init(&b, &a, 64 * 1024);
    for (size_t i = 0; i < ix->s.n_words && i < MAILDIR_LETTERS; i++)
        if (index_word(ix->map, &ix->s, i).n)
            buf_fmt(&b, "%zu %.*s\n", i, STR(index_word(ix->map, &ix->s, i)));
    e = file_replace(t, ix->dir, S("dovecot-keywords"), buf_str(&b),
                     ix->mode);
    arena_reset(&a);
    return e;
}

static uint64_t keyword_bit(const struct index *ix, str name)
{
    for (size_t i = 0; i < ix->s.n_words; i++)
        if (str_ieq(index_word(ix->map, &ix->s, i), name))
            return UINT64_C(1) << i;
    return 0;
}

/* Keywords that some message has, also one that is gone and may be told of
 * yet. */
static uint64_t keywords_used(const struct index *ix)
{
    uint64_t used = 0;

    for (size_t i = 0; i < ix->s.rows.n; i++)
        used |= ix->s.rows.p[i].keywords;
    return used;
}

/* The bit for a new keyword: the next one, as long as it has a letter, then
 * one that no message has any more; INDEX_KEYWORDS_MAX: there is none.  taken:
 * the bits of the command's other names. */
static size_t keyword_free(const struct index *ix, uint64_t taken)
{
    size_t n = ix->s.n_words;
    uint64_t used;

    if (n < MAILDIR_LETTERS)
        return n;
    used = keywords_used(ix) | taken;
    for (size_t i = 0; i < n; i++)
        if (!(used >> i & 1))
            return i;
    return n;
}

/* Whether all names have a bit or can get one, before any of them does: what
 * is refused uses none up. */
static err keywords_fit(struct task *t, const struct index *ix,
                        const str *names, size_t n)
{
    str fresh[INDEX_KEYWORDS_MAX];
    uint64_t kept = keywords_used(ix);
    size_t n_fresh = 0, n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t bit = keyword_bit(ix, names[i]);
        bool again = bit != 0;

        kept |= bit;
        for (size_t j = 0; j < n_fresh && !again; j++)
            again = str_ieq(fresh[j], names[i]);
        if (again)
            continue;
        if (names[i].n > KEYWORD_NAME_MAX)
            return why(t, ERR_LIMIT, "keyword is too long");
        if (n_fresh == INDEX_KEYWORDS_MAX)
            return why(t, ERR_LIMIT, "too many keywords");
        fresh[n_fresh++] = names[i];
    }
    for (; kept; kept &= kept - 1)
        n_kept++;
    return !n_fresh || n_kept + n_fresh <= INDEX_KEYWORDS_MAX
               ? OK : why(t, ERR_LIMIT, "too many keywords");
}

static err keyword_make(struct task *t, struct index *ix, str name,
                        uint64_t taken)
{
    size_t at = keyword_free(ix, taken);

    must(at < INDEX_KEYWORDS_MAX);  /* keywords_fit */
    if (at < ix->s.n_words)
        index_put_other_word(&ix->frame, at, name);
    else
        index_put_word(&ix->frame, name);
    return index_commit(t, ix);
}

err box_keywords(struct task *t, struct index *ix, const str *names,
                 size_t n, bool make, uint64_t *bits)
{
    uint64_t taken = 0;
    bool made = false;

    *bits = 0;
    for (size_t i = 0; i < n; i++)
        taken |= keyword_bit(ix, names[i]);
    if (make)
        TRY(keywords_fit(t, ix, names, n));
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = keyword_bit(ix, names[i]);

        if (!bit && make) {
            TRY(keyword_make(t, ix, names[i], taken));
            bit = keyword_bit(ix, names[i]);
            taken |= bit;
            made = true;
        }
        *bits |= bit;
    }
    return made ? keywords_write(t, ix) : OK;
}
