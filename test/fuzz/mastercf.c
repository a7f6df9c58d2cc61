/* SPDX-License-Identifier: ISC
 *
 * master.cf: reading any text ends; what layout writes reads as the same, and
 * edits end.
 */
#include "conf/edit.h"
#include "conf/layout.h"
#include "conf/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Braces that do not pair, or hide an option, are read with a doubt and may
 * be written in another way. */
static bool is_plain(const struct service *s)
{
    for (size_t i = 0; i < s->n_argv; i++) {
        int depth = 0;
        for (size_t j = 0; j < s->argv[i].n && depth >= 0; j++)
            depth += s->argv[i].p[j] == '{' ? 1
                   : s->argv[i].p[j] == '}' ? -1 : 0;
        if (depth != 0 || str_starts(s->argv[i], S("-")))
            return false;
    }
    return true;
}

static str written(struct arena *a, const struct service *s, bool fold)
{
    struct buf out;
    struct layout l = { .out = &out, .fold = fold };

    buf_init(&out, a, (size_t)8 << 20);
    layout_service(&l, s);
    must(!out.over);
    return buf_str(&out);
}

static void write_and_read(struct arena *a, const struct service *s)
{
    for (int fold = 0; fold < 2; fold++) {
        struct service_list again = { 0 };
        struct conf_findings findings = { 0 };
        str text = written(a, s, fold);
        master_cf_parse(a, S("f"), text, &again, &findings);
        if (!is_plain(s))
            continue;
        must(again.list.n == 1 && findings.list.n == 0);
        must(again.list.p[0].n_argv == s->n_argv);
        for (size_t i = 0; i < s->n_argv; i++)
            must(str_eq(again.list.p[0].argv[i], s->argv[i]));
        must(str_eq(written(a, &again.list.p[0], fold), text));
    }
}

static void edit_all(struct arena *a, str text)
{
    struct edit_master r = { .written = S("r"), .name = S("*"),
                             .type = S("inet"), .column = COLUMN_CHROOT,
                             .option = S("zork"), .value = S("n") };
    struct edit_report report = { 0 };
    struct buf out;

    for (int what = EDIT_ENTRY; what <= EDIT_OPTION; what++) {
        enum edit_how how = what == EDIT_ENTRY ? EDIT_REMOVE : EDIT_SET;
        buf_init(&out, a, (size_t)8 << 20);
        err_ignore(edit_master(a, text, (enum edit_what)what, how, &r, 1,
                               &out, &report)); /* or it says why not */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct service_list services = { 0 };
    struct conf_findings findings = { 0 };
    struct arena a;
    str text = str_of(data, size);

    arena_init(&a, 0);
    master_cf_parse(&a, S("f"), text, &services, &findings);
    for (size_t i = 0; i < services.list.n; i++)
        write_and_read(&a, &services.list.p[i]);
    edit_all(&a, text);
    arena_reset(&a);
    return 0;
}
