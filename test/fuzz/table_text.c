/* SPDX-License-Identifier: ISC
 *
 * The plain texts of tables: logical lines, pairs, items, settings, alias
 * lines, templates, address blocks.
 */
#include "role/tool/postmap.h"
#include "table/netblock.h"
#include "table/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lines(struct arena *a, str in)
{
    struct table_notes notes = { .arena = a };
    struct lines l = { .text = in, .origin = S("fuzz"), .arena = a,
                       .notes = &notes };
    struct netblock block;
    str logical, key, value;
    int line, last = 0;

    while (lines_next(&l, &logical, &line)) {
        must(line > last && line <= l.line);
        must(!str_empty(logical) && !is_space(logical.p[0]));
        last = line;
        if (lines_pair(logical, &key, &value))
            must(key.n + value.n <= logical.n);
        postalias_line(a, logical, &key, &value);
        if (!netblock_parse(a, logical, &block))
            must(block.bits <= block.size * 8 && netblock_holds(&block,
                                                                &block));
    }
}

static void items(str in)
{
    str item, inner;

    while (items_next(&in, &item)) {
        must(item.n > 0);
        if (!braces_strip(item, &inner))
            must(inner.n + 2 <= item.n);
    }
}

static void templates(struct arena *a, str in)
{
    struct template_parts parts = template_parts(in);
    struct template_query q;
    struct buf out;

    if (!template_valid(in))
        return;
    buf_init(&out, a, 1 << 20);
    template_fill(in, &parts, &parts, &out);
    template_query(a, in, &q);
    for (size_t i = 0; i < q.n_binds; i++)
        must(template_valid(q.binds[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    struct postmap_keys keys;
    struct arena a;
    str in = str_of(data, size);

    arena_init(&a, 0);
    struct table_notes notes = { .arena = &a };
    lines(&a, in);
    items(in);
    templates(&a, in);
    if (settings_parse(&a, in, S("fuzz"), &notes, &settings))
        must(notes.list.n > 0);
    postmap_message(&a, in, true, true, true, &keys);
    arena_reset(&a);
    return 0;
}
