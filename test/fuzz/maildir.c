/* SPDX-License-Identifier: ISC
 *
 * Names in a Maildir: what is read from a name and written again reads the
 * same, and writing is stable.
 */
#include "store/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t letters = (UINT64_C(1) << MAILDIR_LETTERS) - 1;
    str in = str_of(data, size);
    struct maildir_name n, again;
    struct buf b, c;

    if (!maildir_name_parse(in, &n))
        return 0;
    must((n.keywords & ~letters) == 0 && (n.flags & ~FLAG_ALL) == 0);
    buf_init(&b, NULL, 4096);
    buf_init(&c, NULL, 4096);
    maildir_name_put(&b, in, n.flags, n.keywords);
    maildir_name_put(&c, buf_str(&b), n.flags, n.keywords);
    must(str_eq(buf_str(&b), buf_str(&c)));
    if (maildir_name_parse(buf_str(&b), &again)) {
        must(str_eq(again.base, n.base));
        must(again.flags == n.flags && again.keywords == n.keywords);
        must(again.has_size == n.has_size && again.size == n.size);
    }
    buf_free(&b);
    buf_free(&c);
    return 0;
}
