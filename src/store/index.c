/* SPDX-License-Identifier: ISC
 *
 * The index log: records.  Each is a letter and its fields:
 *
 *   A  u32 uid, u64 modseq, u8 flags, u8 bits, u64 keywords, u64 size,
 *      i64 date, str name               a message; UIDs grow
 *   F  u32 uid, u64 modseq, u8 flags, u8 bits, u64 keywords, str name
 *      (empty: unchanged)               flags or name changed
 *   X  u32 uid, u64 modseq              gone
 *   P  u32 uid, str uidl                what POP3 calls it; UIDs grow
 *   S  u32 uid, u64 size                the wire size was counted
 *   K  str name                         the next keyword
 *   W  u8 bit, str name                 that keyword, which no message has,
 *                                       is another from here on
 *   D  i64 new, i64 cur, i64 checked    directory stamps
 *   R  u32 uid                          recent is what comes from here on
 *   N  u32 uid_next, u64 modseq         both at least so
 *
 * A record that makes no sense (a UID that does not grow, an unknown letter)
 * ends its frame: what a right checksum covers and is still nonsense was not
 * written by this code.
 */
#include "store/index.h"

#define MAGIC S("VRDSIDX1")

enum { FRAME_HEAD = 8, ROW_LIVE = 110 };

void index_state_init(struct index_state *s, uint32_t uid_validity,
                      uint64_t generation, const char id[16])
{
    *s = (struct index_state){
        .uid_validity = uid_validity,
        .uid_next = 1,
        .recent_from = 1,
        .modseq = 1,
        .generation = generation,
        .stamp = { -1, -1, 0 },
        .applied = INDEX_HEADER_SIZE,
        .live = INDEX_HEADER_SIZE,
    };
    memcpy(s->id, id, sizeof(s->id));
}

void index_state_free(struct index_state *s)
{
    heap_free(s->rows.p);
    heap_free(s->words);
    heap_free(s->uidls);
    s->rows = (struct rows){ 0 };
    s->words = NULL;
    s->uidls = NULL;
    s->n_uidls = 0;
}

static uint32_t header_crc(const char *h)
{
    uint32_t crc = crc32c(0, str_of(h, 12));

    return crc32c(crc, str_of(h + 16, INDEX_HEADER_SIZE - 16));
}

void index_header_put(struct buf *to, const struct index_state *s,
                      int64_t made_us)
{
    char h[INDEX_HEADER_SIZE] = { 0 };

    memcpy(h, MAGIC.p, MAGIC.n);
    put_u32(h + 8, s->uid_validity);
    put_u64(h + 16, s->generation);
    put_u64(h + 24, (uint64_t)made_us);
    memcpy(h + 32, s->id, sizeof(s->id));
    put_u32(h + 48, s->uid_next);
    put_u32(h + 12, header_crc(h));
    buf_add(to, str_of(h, sizeof(h)));
}

err index_header_read(str file, struct index_state *s)
{
    if (file.n < INDEX_HEADER_SIZE || !str_starts(file, MAGIC)
        || get_u32(file.p + 12) != header_crc(file.p))
        return ERR_CORRUPT;
    index_state_init(s, get_u32(file.p + 8), get_u64(file.p + 16),
                     file.p + 32);
    s->uid_floor = get_u32(file.p + 48);
    if (s->uid_floor > s->uid_next)
        s->uid_next = s->uid_floor;
    return s->uid_validity ? OK : ERR_CORRUPT;
}

err index_read(str file, struct index_state *s)
{
    TRY(index_header_read(file, s));
    index_replay(s, file);
    if (s->applied > INDEX_HEADER_SIZE)
        return OK;
    index_state_free(s);
    return ERR_CORRUPT;
}

size_t index_row_at(const struct index_state *s, uint32_t uid)
{
    size_t low = 0, high = s->rows.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->rows.p[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct row *index_row(const struct index_state *s, uint32_t uid)
{
    size_t i = index_row_at(s, uid);

    return i < s->rows.n && s->rows.p[i].uid == uid ? &s->rows.p[i] : NULL;
}

static struct row *row_push(struct rows *rows)
{
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? rows->cap + rows->cap / 2 : 16;
        rows->p = heap_resize(rows->p, rows->cap * sizeof(*rows->p));
    }
    rows->p[rows->n] = (struct row){ 0 };
    return &rows->p[rows->n++];
}

static void modseq_seen(struct index_state *s, uint64_t modseq)
{
    if (modseq > s->modseq)
        s->modseq = modseq;
}

/* What a row takes in a rewritten file, whatever its name becomes. */
static size_t row_live(const struct row *r)
{
    return r->uid ? ROW_LIVE : 0;
}

/* Takes a name's place; false if it is not there. */
static bool take_name(struct unpack *u, const char *base, uint64_t *at,
                      uint16_t *size)
{
    str name = unpack_str(u, MAILDIR_NAME_MAX);

    if (u->bad)
        return false;
    if (name.n) {
        *at = (uint64_t)(name.p - base);
        *size = (uint16_t)name.n;
    }
    return true;
}

static bool take_row(struct index_state *s, struct unpack *u,
                     const char *base)
{
    struct row r = { .uid = unpack_u32(u), .modseq = unpack_u64(u) };
    struct row *kept;

    r.flags = unpack_u8(u) & FLAG_ALL;
    r.bits = unpack_u8(u) & ROW_SAVED;
    r.keywords = unpack_u64(u);
    r.size = unpack_u64(u);
    r.date_s = unpack_i64(u);
    if (!take_name(u, base, &r.name_at, &r.name_size) || !r.name_size
        || !r.uid || r.uid == UINT32_MAX
        || (s->rows.n && r.uid <= s->rows.p[s->rows.n - 1].uid))
        return false;
    kept = row_push(&s->rows);
    *kept = r;
    s->n_in_new += (r.bits & ROW_IN_NEW) != 0;
    if (r.uid >= s->uid_next)
        s->uid_next = r.uid + 1;
    modseq_seen(s, r.modseq);
    s->live += row_live(&r);
    return true;
}

static bool take_flags(struct index_state *s, struct unpack *u,
                       const char *base)
{
    struct row *r = index_row(s, unpack_u32(u));
    uint64_t modseq = unpack_u64(u);
    uint8_t flags = unpack_u8(u) & FLAG_ALL;
    uint8_t bits = unpack_u8(u) & ROW_SAVED;
    uint64_t keywords = unpack_u64(u);
    uint64_t at = 0;
    uint16_t size = 0;

    if (!take_name(u, base, &at, &size) || !r)
        return false;
    if (r->flags != flags || r->keywords != keywords) {
        r->bits |= ROW_CHANGED;
        s->changed = true;
    }
    if (!(r->bits & ROW_LOST)) {
        s->n_in_new -= (r->bits & ROW_IN_NEW) != 0;
        s->n_in_new += (bits & ROW_IN_NEW) != 0;
    }
    r->flags = flags;
    r->keywords = keywords;
    r->bits = (uint8_t)((r->bits & ~ROW_SAVED) | bits);
    r->modseq = modseq;
    if (size) {
        r->name_at = at;
        r->name_size = size;
    }
    modseq_seen(s, modseq);
    return true;
}

static bool take_gone(struct index_state *s, struct unpack *u)
{
    struct row *r = index_row(s, unpack_u32(u));
    uint64_t modseq = unpack_u64(u);

    if (u->bad || !r)
        return false;
    if (!(r->bits & ROW_LOST)) {
        r->bits |= ROW_LOST;
        s->n_lost++;
        s->n_in_new -= (r->bits & ROW_IN_NEW) != 0;
        s->live -= row_live(r);
    }
    modseq_seen(s, modseq);
    return true;
}

static bool take_word(struct index_state *s, struct unpack *u,
                      const char *base)
{
    str name = unpack_str(u, KEYWORD_NAME_MAX);

    if (u->bad || s->n_words == INDEX_KEYWORDS_MAX)
        return false;
    s->words = heap_resize(s->words, (s->n_words + 1) * sizeof(*s->words));
    s->words[s->n_words++] =
        (struct index_word){ (uint64_t)(name.p - base), name.n };
    return true;
}

static bool take_other_word(struct index_state *s, struct unpack *u,
                            const char *base)
{
    uint8_t bit = unpack_u8(u);
    str name = unpack_str(u, KEYWORD_NAME_MAX);

    if (u->bad || bit >= s->n_words)
        return false;
    s->words[bit] = (struct index_word){ (uint64_t)(name.p - base), name.n };
    return true;
}

static bool take_uidl(struct index_state *s, struct unpack *u,
                      const char *base)
{
    uint32_t uid = unpack_u32(u);
    str uidl = unpack_str(u, UIDL_MAX);
    size_t n = s->n_uidls;

    if (u->bad || (n && uid <= s->uidls[n - 1].uid))
        return false;
    if ((n & (n - 1)) == 0)     /* doubles */
        s->uidls = heap_resize(s->uidls, (n ? 2 * n : 1)
                                             * sizeof(*s->uidls));
    s->uidls[s->n_uidls++] =
        (struct index_uidl){ uid, (uint64_t)(uidl.p - base), uidl.n };
    return true;
}

static bool take_record(struct index_state *s, struct unpack *u,
                        const char *base)
{
    struct row *r;
    uint32_t uid;

    switch (unpack_u8(u)) {
    case 'A':
        return take_row(s, u, base);
    case 'F':
        return take_flags(s, u, base);
    case 'X':
        return take_gone(s, u);
    case 'K':
        return take_word(s, u, base);
    case 'P':
        return take_uidl(s, u, base);
    case 'W':
        return take_other_word(s, u, base);
    case 'S':
        r = index_row(s, unpack_u32(u));
        if (!r)
            return false;
        r->size = unpack_u64(u);
        return true;
    case 'D':
        s->stamp.new_us = unpack_i64(u);
        s->stamp.cur_us = unpack_i64(u);
        s->stamp.checked_us = unpack_i64(u);
        return true;
    case 'R':
        s->recent_from = unpack_u32(u);
        return true;
    case 'N':
        uid = unpack_u32(u);
        if (uid > s->uid_next)
            s->uid_next = uid;
        modseq_seen(s, unpack_u64(u));
        return true;
    default:
        return false;
    }
}

/* Bytes behind the last right frame: a writer that died, or damage.  As many
 * UIDs as could stand in them, or in the frame that they begin, are passed
 * over (I5). */
static void pass_torn(struct index_state *s, str torn)
{
    size_t rows = torn.n;
    uint32_t left = UINT32_MAX - s->uid_next;

    if (torn.n <= s->torn) {
        s->torn = torn.n;
        return;
    }
    s->torn = torn.n;
    if (torn.n >= 4 && get_u32(torn.p) <= INDEX_FRAME_MAX
        && get_u32(torn.p) > rows)
        rows = get_u32(torn.p);
    rows = rows / INDEX_ROW_MIN + 1;
    s->uid_next += rows < left ? (uint32_t)rows : left;
}

void index_replay(struct index_state *s, str file)
{
    while (file.n >= s->applied + FRAME_HEAD) {
        const char *head = file.p + s->applied;
        uint32_t size = get_u32(head);
        str body;
        struct unpack u;

        if (size == 0 || size > INDEX_FRAME_MAX
            || size > file.n - s->applied - FRAME_HEAD)
            break;
        body = str_of(head + FRAME_HEAD, size);
        if (crc32c(0, body) != get_u32(head + 4))
            break;
        u = unpack_of(body);
        while (u.p < u.end)
            if (!take_record(s, &u, file.p) || u.bad)
                break;
        s->applied += FRAME_HEAD + size;
    }
    pass_torn(s, str_skip(file, s->applied));
    index_sweep(s);
}

void index_sweep(struct index_state *s)
{
    size_t to = s->n_seen;

    if (!s->n_lost)
        return;
    for (size_t i = s->n_seen; i < s->rows.n; i++) {
        if (s->rows.p[i].bits & ROW_LOST)
            s->n_lost--;
        else
            s->rows.p[to++] = s->rows.p[i];
    }
    s->rows.n = to;
}

/* One row of the old state that the new one has or has lost. */
static struct row merged(const struct row *old, const struct row *now)
{
    struct row r = now ? *now : *old;

    if (!now) {
        r.bits |= ROW_LOST;
        r.name_at = 0;
        r.name_size = 0;
        return r;
    }
    if (old->flags != now->flags || old->keywords != now->keywords
        || (old->bits & ROW_CHANGED))
        r.bits |= ROW_CHANGED;
    if (!r.size)
        r.size = old->size;
    return r;
}

void index_merge(struct index_state *fresh, struct index_state *old)
{
    struct rows rows = { 0 };
    size_t j = 0;

    must(fresh->n_seen == 0);
    fresh->n_lost = 0;
    for (size_t i = 0; i < old->n_seen; i++) {
        const struct row *was = &old->rows.p[i], *now = NULL;

        while (j < fresh->rows.n && fresh->rows.p[j].uid < was->uid)
            j++;
        if (j < fresh->rows.n && fresh->rows.p[j].uid == was->uid)
            now = &fresh->rows.p[j++];
        *row_push(&rows) = merged(was, now);
        fresh->n_lost += now == NULL;
    }
    /* what the client has seen comes first: newer UIDs follow */
    for (; j < fresh->rows.n; j++)
        if (!rows.n || fresh->rows.p[j].uid > rows.p[rows.n - 1].uid)
            *row_push(&rows) = fresh->rows.p[j];
    fresh->n_seen = old->n_seen;
    fresh->changed = old->n_seen > 0;
    heap_free(fresh->rows.p);
    fresh->rows = rows;
    index_state_free(old);
}

str index_name(str file, const struct row *r)
{
    if (r->name_at > file.n || r->name_size > file.n - r->name_at)
        return S("");
    return str_of(file.p + r->name_at, r->name_size);
}

str index_uidl(str file, const struct index_state *s, uint32_t uid)
{
    size_t low = 0, high = s->n_uidls;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->uidls[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->n_uidls || s->uidls[low].uid != uid
        || s->uidls[low].at > file.n
        || s->uidls[low].n > file.n - s->uidls[low].at)
        return S("");
    return str_of(file.p + s->uidls[low].at, s->uidls[low].n);
}

str index_word(str file, const struct index_state *s, size_t i)
{
    must(i < s->n_words);
    if (s->words[i].at > file.n || s->words[i].n > file.n - s->words[i].at)
        return S("");
    return str_of(file.p + s->words[i].at, s->words[i].n);
}

void index_frame_begin(struct buf *to)
{
    buf_clear(to);
    pack_u32(to, 0);
    pack_u32(to, 0);
}

void index_frame_end(struct buf *to)
{
    str body = str_skip(buf_str(to), FRAME_HEAD);

    pack_u32_at(to, 0, (uint32_t)body.n);
    pack_u32_at(to, 4, crc32c(0, body));
}

void index_put_row(struct buf *to, const struct row *r, str name)
{
    pack_u8(to, 'A');
    pack_u32(to, r->uid);
    pack_u64(to, r->modseq);
    pack_u8(to, r->flags);
    pack_u8(to, r->bits & ROW_SAVED);
    pack_u64(to, r->keywords);
    pack_u64(to, r->size);
    pack_i64(to, r->date_s);
    pack_str(to, name);
}

void index_put_flags(struct buf *to, const struct row *r, str name)
{
    pack_u8(to, 'F');
    pack_u32(to, r->uid);
    pack_u64(to, r->modseq);
    pack_u8(to, r->flags);
    pack_u8(to, r->bits & ROW_SAVED);
    pack_u64(to, r->keywords);
    pack_str(to, name);
}

void index_put_gone(struct buf *to, uint32_t uid, uint64_t modseq)
{
    pack_u8(to, 'X');
    pack_u32(to, uid);
    pack_u64(to, modseq);
}

void index_put_size(struct buf *to, uint32_t uid, uint64_t size)
{
    pack_u8(to, 'S');
    pack_u32(to, uid);
    pack_u64(to, size);
}

void index_put_word(struct buf *to, str name)
{
    pack_u8(to, 'K');
    pack_str(to, name);
}

void index_put_other_word(struct buf *to, size_t bit, str name)
{
    pack_u8(to, 'W');
    pack_u8(to, (uint8_t)bit);
    pack_str(to, name);
}

void index_put_uidl(struct buf *to, uint32_t uid, str uidl)
{
    pack_u8(to, 'P');
    pack_u32(to, uid);
    pack_str(to, uidl);
}

void index_put_stamp(struct buf *to, const struct index_stamp *stamp)
{
    pack_u8(to, 'D');
    pack_i64(to, stamp->new_us);
    pack_i64(to, stamp->cur_us);
    pack_i64(to, stamp->checked_us);
}

void index_put_recent(struct buf *to, uint32_t from)
{
    pack_u8(to, 'R');
    pack_u32(to, from);
}

void index_put_next(struct buf *to, uint32_t uid_next, uint64_t modseq)
{
    pack_u8(to, 'N');
    pack_u32(to, uid_next);
    pack_u64(to, modseq);
}

void index_put_all(struct buf *to, const struct index_state *s, str file,
                   int64_t made_us)
{
    size_t at;

    index_header_put(to, s, made_us);
    at = to->n;
    pack_u32(to, 0);
    pack_u32(to, 0);
    index_put_next(to, s->uid_next, s->modseq);
    index_put_recent(to, s->recent_from);
    index_put_stamp(to, &s->stamp);
    for (size_t i = 0; i < s->n_words; i++)
        index_put_word(to, index_word(file, s, i));
    for (size_t i = 0; i < s->rows.n; i++)
        if (!(s->rows.p[i].bits & ROW_LOST))
            index_put_row(to, &s->rows.p[i],
                          index_name(file, &s->rows.p[i]));
    for (size_t i = 0; i < s->n_uidls; i++) {
        const struct row *r = index_row(s, s->uidls[i].uid);
        if (r && !(r->bits & ROW_LOST))
            index_put_uidl(to, r->uid, index_uidl(file, s, r->uid));
    }
    if (!to->over) {
        str body = str_skip(buf_str(to), at + FRAME_HEAD);
        pack_u32_at(to, at, (uint32_t)body.n);
        pack_u32_at(to, at + 4, crc32c(0, body));
    }
}
