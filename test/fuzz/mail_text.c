/* SPDX-License-Identifier: ISC
 *
 * What people pipe into sendmail: M1 holds for every input.
 */
#include "role/tool/mail_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mail_text_options o = { 0 };
    struct mail_text out;
    struct arena a;
    struct buf to;

    if (size < 1)
        return 0;
    o.keep_dots = data[0] & 1;
    o.take_recipients = data[0] & 2;
    o.fix = (enum fix_line_ends)(data[0] / 4 % 3);
    o.from = data[0] & 16 ? S("me") : S("");
    arena_init(&a, 0);
    buf_init(&to, &a, 64 * size + 4096);
    mail_text_make(str_of(data + 1, size - 1), &o, &a, &to, &out);
    must(!to.over);
    must(to.n == 0 || str_ends(buf_str(&to), S("\r\n")));
    arena_reset(&a);
    return 0;
}
