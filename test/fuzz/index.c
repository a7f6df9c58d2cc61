/* SPDX-License-Identifier: ISC
 *
 * The index reader: a right header and frames of any content under right
 * checksums, since what it must stand is a disk that lies.  What was read
 * can be written and read again.
 */
#include "store/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_state(const struct index_state *s, str file)
{
    for (size_t i = 0; i < s->rows.n; i++) {
        const struct row *r = &s->rows.p[i];
        str name = index_name(file, r);

        must(i == 0 || s->rows.p[i - 1].uid < r->uid);
        must(r->uid < s->uid_next);
        must(name.n == r->name_size && name.n <= MAILDIR_NAME_MAX);
        must(index_row(s, r->uid) == r);
    }
    for (size_t i = 0; i < s->n_words; i++)
        (void)index_word(file, s, i);
    for (size_t i = 0; i < s->n_uidls; i++)
        must(index_uidl(file, s, s->uidls[i].uid).n <= UIDL_MAX);
}

static void check_again(const struct index_state *s, str file)
{
    struct index_state again;
    struct buf b;

    buf_init(&b, NULL, 1 << 26);
    index_put_all(&b, s, file, 7);
    must(!b.over);
    must(index_read(buf_str(&b), &again) == OK);
    must(again.rows.n == s->rows.n && again.uid_next == s->uid_next);
    must(again.n_words == s->n_words && again.modseq == s->modseq);
    index_state_free(&again);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct index_state s;
    struct buf file, f;

    buf_init(&file, NULL, 1 << 24);
    buf_init(&f, NULL, 1 << 24);
    index_state_init(&s, 1, 1, "0123456789abcdef");
    index_header_put(&file, &s, 1);
    while (in.n) {
        str part = str_head(in, (size_t)(unsigned char)in.p[0] * 4 + 1);

        index_frame_begin(&f);
        buf_add(&f, part);
        index_frame_end(&f);
        buf_add(&file, buf_str(&f));
        in = str_skip(in, part.n);
    }
    must(index_header_read(buf_str(&file), &s) == OK);
    index_replay(&s, buf_str(&file));
    must(s.applied == file.n);
    check_state(&s, buf_str(&file));
    check_again(&s, buf_str(&file));
    index_state_free(&s);

    /* and bytes that are no file at all */
    if (!index_header_read(str_of(data, size), &s)) {
        index_replay(&s, str_of(data, size));
        check_state(&s, str_of(data, size));
        index_state_free(&s);
    }
    buf_free(&file);
    buf_free(&f);
    return 0;
}
