/* SPDX-License-Identifier: ISC
 *
 * passwd-file:PATH.  An index of the lines' names stands in memory, 8 bytes a
 * line, so that a login reads one line whatever the file's size.
 *
 * An entry is the upper half of the name's keyed hash, then the line's
 * offset; they are sorted, so that of two lines with one name the first is
 * found first, and counts.
 *
 * I1  The index is only a hint: a line is taken if it begins behind a line's
 *     end and bears the name.
 * I2  It is made anew when the file's state is another one, and when the file
 *     was so young as it was read that the clock may not show a later change.
 */
#include "auth/source.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 << 10, LINE_ROOM = 64 << 10, LINES_MAX = 16 << 20,
       YOUNG_US = 2000000 };

struct index {
    uint64_t *entries;
    size_t n, cap;
    struct file_stat stat;      /* of the file as it was read */
    when begun;                 /* when it was read */
    bool young;
    struct {
        char bytes[SAMPLE_SIZE_MAX];
        size_t size;
    } sample[SAMPLE_MAX];
    size_t n_sample;
};

struct passwd_source {
    str path;
    struct index *index;        /* on the heap; NULL: none yet */
    bool busy;                  /* the next one is being made */
    struct bell free;
};

static void index_free(struct index *x)
{
    if (x)
        heap_free(x->entries);
    heap_free(x);
}

static void close_any(void *self)
{
    struct passwd_source *s = self;

    index_free(s->index);
}

static err passwd_open(struct task *t, struct arena *a, str path, void **self)
{
    struct passwd_source *s = arena_new(a, struct passwd_source);

    (void)t;
    s->path = arena_str(a, path);
    arena_own(a, close_any, s);
    *self = s;
    return OK;
}

/* --- a line -------------------------------------------------------------- */

/* "*:bytes=N", "*:storage=N" with K, M, G or T behind the number; KiB without
 * one for storage. */
static void quota_rule(str rule, uint64_t *quota)
{
    struct scan s;
    bool bytes = str_istarts(rule, S("*:bytes="));
    size_t unit = bytes ? 0 : 1;
    uint64_t n;

    if (!bytes && !str_istarts(rule, S("*:storage=")))
        return;
    s = scan_of(str_skip(rule, str_chr(rule, '=') + 1));
    if (!scan_uint(&s, UINT64_C(1) << 50, &n))
        return;
    if (!scan_done(&s))
        unit = str_chr(S("BKMGT"), upper((char)scan_next(&s)));
    if (unit <= 4 && n <= (UINT64_C(1) << 60) >> (10 * unit))
        *quota = n << (10 * unit);
}

/* One word of the extra fields: "userdb_home=/x" or "home=/x". */
static void extra_field(str word, struct arena *a, struct auth_account *out)
{
    size_t eq = str_chr(word, '=');
    str name = str_head(word, eq == STR_NONE ? word.n : eq);
    str value = eq == STR_NONE ? S("") : str_skip(word, eq + 1);

    if (str_starts(name, S("userdb_")))
        name = str_skip(name, 7);
    if (str_eq(name, S("home")))
        out->user.home = arena_str(a, value);
    else if (str_eq(name, S("mail")))
        out->user.mailbox = arena_str(a, value);
    else if (str_eq(name, S("nologin")))
        out->active = false;
    else if (str_eq(name, S("quota_rule")))
        quota_rule(value, &out->user.quota);
    else if (str_eq(name, S("quota_bytes")))
        str_uint(value, INT64_MAX, &out->user.quota);
}

bool passwd_line(str line, struct arena *a, struct auth_account *out)
{
    enum { USER, PASSWORD, UID, GID, GECOS, HOME, SHELL, N_FIELDS };
    str field[N_FIELDS] = { { 0 } }, word;
    uint64_t uid, gid;

    if (line.n == 0 || line.p[0] == '#' || line.p[0] == ':')
        return false;
    for (int i = 0; i < N_FIELDS; i++)
        if (!str_cut(&line, ':', &field[i]))
            field[i] = S("");
    *out = (struct auth_account){ .active = true };
    out->user.name = arena_str(a, field[USER]);
    out->user.home = arena_str(a, field[HOME]);
    out->stored = arena_str(a, field[PASSWORD]);
    if (str_uint(field[UID], UINT32_MAX - 1, &uid) &&
        str_uint(field[GID], UINT32_MAX - 1, &gid)) {
        out->user.has_ids = true;
        out->user.uid = (uint32_t)uid;
        out->user.gid = (uint32_t)gid;
    }
    while (str_token(&line, S(" \t\r"), &word))
        extra_field(word, a, out);
    return true;
}

/* --- the index ----------------------------------------------------------- */

static uint64_t entry_of(str name, uint64_t offset)
{
    return (str_hash(name, false) & ~(uint64_t)UINT32_MAX) | offset;
}

static int in_order(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return a < b ? -1 : a > b;
}

/* Every line has the same chance to stay. */
static void take_sample(struct task *t, struct index *x, str line)
{
    size_t at = x->n_sample;
    str name, stored;

    if (!str_cut(&line, ':', &name) || !str_cut(&line, ':', &stored)
        || stored.n == 0 || stored.n > SAMPLE_SIZE_MAX)
        return;
    if (at == SAMPLE_MAX)
        at = rt_random_below(t, x->n);
    else
        x->n_sample++;
    if (at >= SAMPLE_MAX)
        return;
    memcpy(x->sample[at].bytes, stored.p, stored.n);
    x->sample[at].size = stored.n;
}

static err take_line(struct task *t, struct index *x, str line,
                     uint64_t offset)
{
    size_t colon = str_chr(line, ':');

    if (line.n == 0 || line.p[0] == '#' || colon == 0)
        return OK;
    if (x->n == LINES_MAX)
        return why(t, ERR_LIMIT, "more than %d users", LINES_MAX);
    if (x->n == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 256;
        x->entries = heap_resize(x->entries, x->cap * sizeof(*x->entries));
    }
    x->entries[x->n++] = entry_of(str_head(line, colon), offset);
    take_sample(t, x, line);
    return OK;
}

/* The lines that are whole in a piece of the file at offset; *used: how much
 * of it they were.  A line that fills a piece is none of ours. */
static err take_piece(struct task *t, struct index *x, str piece,
                      uint64_t offset, size_t *used)
{
    bool last = piece.n < PIECE;
    str rest = piece;

    while (rest.n > 0) {
        size_t end = str_chr(rest, '\n');
        str line = str_head(rest, end);
        if (end == STR_NONE && !last)
            break;
        if (line.n <= LINE_ROOM)
            TRY(take_line(t, x, line, offset + (piece.n - rest.n)));
        rest = str_skip(rest, line.n + (end != STR_NONE));
    }
    *used = piece.n - rest.n;
    if (*used == 0)
        *used = piece.n;
    return OK;
}

static err read_all(struct task *t, struct index *x, struct file *f)
{
    char *room = heap_alloc(PIECE);
    uint64_t offset = 0;
    size_t n = PIECE, used;
    err e = OK;

    while (!e && n == PIECE) {
        e = file_read(t, f, offset, room, PIECE, &n);
        if (!e)
            e = take_piece(t, x, str_of(room, n), offset, &used);
        if (!e && (offset += used) > UINT32_MAX)
            e = why(t, ERR_LIMIT, "larger than 4 GiB");
        if (!e)
            e = task_yield(t);
    }
    heap_free(room);
    return e;
}

static err index_make(struct task *t, struct file *f,
                      const struct file_stat *st, struct index **out)
{
    struct index *x = heap_new(struct index);
    err e;

    x->stat = *st;
    x->begun = rt_now(t);
    x->young = rt_wall(t) - st->mtime_us < YOUNG_US
               || rt_wall(t) - st->ctime_us < YOUNG_US;
    e = read_all(t, x, f);
    if (e) {
        index_free(x);
        return e;
    }
    if (x->n)
        qsort(x->entries, x->n, sizeof(*x->entries), in_order);
    *out = x;
    return OK;
}

/* I2.  Who asked before it was read can take a young one. */
static bool usable(const struct index *x, const struct file_stat *st,
                   when asked)
{
    return x && x->stat.size == st->size && x->stat.inode == st->inode
           && x->stat.device == st->device
           && x->stat.mtime_us == st->mtime_us
           && x->stat.ctime_us == st->ctime_us
           && (!x->young || x->begun >= asked);
}

/* Sees to it that the index is that of the file; one task makes it. */
static err index_get(struct task *t, struct passwd_source *s, struct file *f,
                     when asked)
{
    struct index *x;
    struct file_stat st;
    err e;

    do {
        while (s->busy)
            TRY(bell_wait(t, &s->free, NEVER));
        TRY(file_stat_open(t, f, &st));
    } while (s->busy);
    if (usable(s->index, &st, asked))
        return OK;
    s->busy = true;
    e = index_make(t, f, &st, &x);
    if (!e) {
        index_free(s->index);
        s->index = x;
    }
    s->busy = false;
    bell_ring_all(&s->free);
    return e;
}

/* --- asking -------------------------------------------------------------- */

/* I1: the line at the offset, if it is the name's. */
static err line_at(struct task *t, struct file *f, uint64_t offset, str name,
                   char *room, str *line)
{
    uint64_t from = offset ? offset - 1 : 0;
    str got;
    size_t n;

    TRY(file_read(t, f, from, room, LINE_ROOM + 1, &n));
    got = str_of(room, n);
    if (offset) {
        if (!str_starts(got, S("\n")))
            return ERR_ABSENT;
        got = str_skip(got, 1);
    }
    got = str_head(got, str_chr(got, '\n'));
    if (str_ends(got, S("\r")))
        got.n--;
    if (got.n <= name.n || got.p[name.n] != ':'
        || !str_eq(str_head(got, name.n), name))
        return ERR_ABSENT;
    *line = got;
    return OK;
}

static size_t first_of(const struct index *x, uint64_t least)
{
    size_t low = 0, high = x->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->entries[mid] < least)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Looks into the index anew after each wait: it may be another one. */
static err look(struct task *t, struct passwd_source *s, struct file *f,
                str name, char *room, str *line)
{
    uint64_t least = entry_of(name, 0), end = least | UINT32_MAX;
    err e = ERR_ABSENT;

    while (e == ERR_ABSENT && least <= end) {
        size_t i = first_of(s->index, least);
        uint64_t entry = i < s->index->n ? s->index->entries[i] : UINT64_MAX;
        if (entry > end)
            break;
        least = entry + 1;
        e = line_at(t, f, entry & UINT32_MAX, name, room, line);
    }
    return e;
}

static err find_once(struct task *t, struct passwd_source *s, str name,
                     when asked, struct arena *a, struct auth_account *out)
{
    char *room = heap_alloc(LINE_ROOM + 1);
    struct file *f = NULL;
    str line;
    err e = file_open(t, NULL, s->path, FILE_READ | FILE_FOLLOW, 0, &f);

    if (e == ERR_ABSENT)
        e = why(t, ERR_IO, "no such file");
    if (!e)
        e = index_get(t, s, f, asked);
    if (!e)
        e = look(t, s, f, name, room, &line);
    if (!e && !passwd_line(line, a, out))
        e = ERR_ABSENT;
    file_close(f);
    heap_free(room);
    return e;
}

static err passwd_find(struct task *t, void *self, str name, struct arena *a,
                       struct auth_account *out)
{
    struct passwd_source *s = self;
    const struct index *before;
    when asked = rt_now(t);
    err e;

    if (str_chr(name, '\n') != STR_NONE || str_chr(name, ':') != STR_NONE)
        return ERR_ABSENT;
    do {    /* again if the file was replaced meanwhile */
        before = s->index;
        e = find_once(t, s, name, asked, a, out);
    } while (e == ERR_ABSENT && before && before != s->index);
    return e;
}

static void passwd_sample(struct task *t, void *self, struct arena *a,
                          struct sample *out)
{
    const struct index *x = ((struct passwd_source *)self)->index;

    (void)t;
    out->n = x ? x->n_sample : 0;
    for (size_t i = 0; i < out->n; i++)
        out->of[i] = arena_str(a, str_of(x->sample[i].bytes,
                                         x->sample[i].size));
}

const struct source_kind source_passwd_file = {
    S_INIT("passwd-file"), true, NAMES_EITHER, passwd_open, passwd_find,
    passwd_sample,
};
