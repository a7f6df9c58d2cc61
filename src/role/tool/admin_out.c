/* SPDX-License-Identifier: ISC
 *
 * Output of veredus' own commands.  Pure, but for admin_print.
 */
#include "role/tool/admin.h"

#include "role/tool/queue_show.h"

#include <stdio.h>

enum { GAP = 2 };

void admin_print(struct buf *b)
{
    if (b->n > 0)
        fwrite(b->p, 1, b->n, stdout);
    buf_clear(b);
}

struct admin_cell admin_cell_bool(bool x)
{
    return x ? (struct admin_cell){ S("yes"), S("true") }
             : (struct admin_cell){ S("no"), S("false") };
}

struct admin_cell admin_cell_size(uint64_t bytes, struct arena *a)
{
    return (struct admin_cell){ admin_size_text(bytes, a),
                                arena_fmt(a, "%" PRIu64, bytes) };
}

static const struct { char letter; int shift; } units[] = {
    { 'T', 40 }, { 'G', 30 }, { 'M', 20 }, { 'K', 10 },
};

bool admin_size_parse(str text, uint64_t *bytes)
{
    int shift = 0;
    uint64_t n;

    if (str_ieq(text, S("none"))) {
        *bytes = 0;
        return true;
    }
    if (str_iends(text, S("B")))
        text.n--;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (text.n > 0 && upper(text.p[text.n - 1]) == units[i].letter)
            shift = units[i].shift;
    if (shift)
        text.n--;
    if (!str_uint(text, (uint64_t)INT64_MAX >> shift, &n))
        return false;
    *bytes = n << shift;
    return true;
}

str admin_size_text(uint64_t bytes, struct arena *a)
{
    if (bytes == 0)
        return S("none");
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (bytes % ((uint64_t)1 << units[i].shift) == 0)
            return arena_fmt(a, "%" PRIu64 "%c", bytes >> units[i].shift,
                             units[i].letter);
    return arena_fmt(a, "%" PRIu64, bytes);
}

static void put_json(const struct admin_table *table,
                     const struct admin_row *r, struct buf *to)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        buf_add(to, i ? S(", ") : S("{"));
        json_put(to, str_from(table->heads[i]));
        buf_add(to, S(": "));
        if (str_empty(r->cell[i].json))
            json_put(to, r->cell[i].text);
        else
            buf_add(to, r->cell[i].json);
    }
    buf_add(to, S("}\n"));
}

/* Visible width: code points. */
static size_t width(str s)
{
    uint32_t code;
    size_t n = 0;

    while (s.n > 0) {
        utf8_next(&s, &code);
        n++;
    }
    return n;
}

static void put_padded(struct buf *to, str s, size_t columns)
{
    buf_add(to, s);
    for (size_t n = width(s); n < columns; n++)
        buf_byte(to, ' ');
}

static void put_line(const struct admin_table *table, const str *cells,
                     const size_t *widths, struct buf *to)
{
    for (size_t i = 0; i < table->n_columns; i++)
        put_padded(to, cells[i],
                   i + 1 < table->n_columns ? widths[i] + GAP : 0);
    buf_byte(to, '\n');
}

static str shouted(const char *head, struct arena *a)
{
    str s = str_from(head);
    char *p = arena_cstr(a, s);

    for (size_t i = 0; i < s.n; i++)
        p[i] = upper(p[i]);
    return str_of(p, s.n);
}

static void put_table(const struct admin_table *table, struct arena *a,
                      struct buf *to)
{
    size_t widths[ADMIN_COLUMNS_MAX] = { 0 };
    str cells[ADMIN_COLUMNS_MAX];

    for (size_t i = 0; i < table->n_columns; i++) {
        cells[i] = shouted(table->heads[i], a);
        widths[i] = cells[i].n;
        for (size_t r = 0; r < table->rows.n; r++) {
            size_t n = width(table->rows.p[r].cell[i].text);
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    put_line(table, cells, widths, to);
    for (size_t r = 0; r < table->rows.n; r++) {
        for (size_t i = 0; i < table->n_columns; i++)
            cells[i] = table->rows.p[r].cell[i].text;
        put_line(table, cells, widths, to);
    }
}

void admin_table_put(const struct admin_table *table, bool json,
                     struct buf *to)
{
    struct arena a;

    must(table->n_columns <= ADMIN_COLUMNS_MAX);
    arena_init(&a, 0);
    for (size_t r = 0; json && r < table->rows.n; r++)
        put_json(table, &table->rows.p[r], to);
    if (!json && table->rows.n > 0)
        put_table(table, &a, to);
    arena_reset(&a);
}

void admin_row_put(const struct admin_table *table, const struct admin_row *r,
                   struct buf *to)
{
    size_t longest = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        size_t n = str_from(table->heads[i]).n;
        longest = n > longest ? n : longest;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        if (str_empty(r->cell[i].text))
            continue;
        put_padded(to, str_from(table->heads[i]), longest + GAP);
        buf_add(to, r->cell[i].text);
        buf_byte(to, '\n');
    }
}
