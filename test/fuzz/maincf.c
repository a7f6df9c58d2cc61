/* SPDX-License-Identifier: ISC
 *
 * main.cf: reading any text ends, a snapshot survives packing, and an edit
 * does what it says and leaves the other lines alone.
 */
#include "conf/edit.h"
#include "conf/lines.h"
#include "conf/main_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_interface interfaces[] = {
    { { 127, 0, 0, 1 }, false, 8 },
    { { [15] = 1 }, true, 128 },
};

static void read_all(struct arena *a, str text)
{
    struct conf_source src = {
        .dir = S("/c"),
        .main_cf = text,
        .master_cf = S("smtp inet n - n - - smtpd -o a=$b\n"),
        .facts = { S("h"), S(""), S("p"), S("1"), S(""), interfaces, 2 },
    };
    struct conf_findings findings = { 0 };
    struct conf *c, *again;
    struct buf packed;

    if (conf_read(a, &src, &findings, &c))
        return;
    buf_init(&packed, a, (size_t)4 << 20);
    conf_pack(c, &packed);
    must(conf_unpack(a, buf_str(&packed), &again) == OK);
    for (int p = 0; p < N_PARAMS; p++)
        must(str_eq(conf_raw(c, (enum param)p),
                    conf_raw(again, (enum param)p)));
}

static const struct map *entries_of(struct arena *a, str text)
{
    struct map *entries = map_new(a, false);
    struct conf_findings findings = { 0 };

    main_cf_parse(a, S("f"), text, entries, &findings);
    return entries;
}

static void edit_all(struct arena *a, str text, enum edit_how how)
{
    struct edit_main request = { S("zork"), S("new"), false };
    struct edit_report report = { 0 };
    const struct map *before, *after;
    const struct conf_entry *entry, *other;
    struct buf out;
    str name;
    void *item;

    buf_init(&out, a, 2 * text.n + 100);
    edit_main(a, text, how, &request, 1, &out, &report);
    must(!out.over);
    before = entries_of(a, text);
    after = entries_of(a, buf_str(&out));
    entry = map_get(after, S("zork"));
    must(how == EDIT_SET ? entry && str_eq(entry->value, S("new")) : !entry);
    for (size_t at = 0; map_next(before, &at, &name, &item);) {
        entry = item;
        other = map_get(after, name);
        must(str_eq(name, S("zork"))
             || (other && str_eq(entry->value, other->value)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    str text = str_of(data, size);

    arena_init(&a, 0);
    read_all(&a, text);
    edit_all(&a, text, EDIT_SET);
    edit_all(&a, text, EDIT_COMMENT_OUT);
    edit_all(&a, text, EDIT_REMOVE);
    arena_reset(&a);
    return 0;
}
