/* SPDX-License-Identifier: ISC
 *
 * Constant databases: hostile files are read without harm, and what is
 * written from the input's words is found again.
 */
#include "table/cdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WALK_MAX = 10000 };

static void read_hostile(str in)
{
    /* a small input stands for a header full of the same pointer */
    uint64_t at = 0;
    str key, value;

    cdb_plausible(in);
    for (int i = 0; i < WALK_MAX && cdb_walk(in, &at, &key, &value) == OK;
         i++)
        err_ignore(cdb_find(in, key, &value));
    err_ignore(cdb_find(in, S("x"), &value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size), rest = in, word, value, bytes;
    struct arena a;
    uint64_t at = 0;

    arena_init(&a, 0);
    char *file = arena_alloc(&a, CDB_HEADER_SIZE + size);
    for (size_t i = 0; size && i < CDB_HEADER_SIZE; i++)
        file[i] = (char)data[i % (size < 16 ? size : 16)];
    if (size)
        memcpy(file + CDB_HEADER_SIZE, data, size);
    read_hostile(str_of(file, CDB_HEADER_SIZE + size));
    read_hostile(in);

    struct cdb_maker *m = cdb_make(&a);
    while (str_cut(&rest, ' ', &word))
        cdb_add(m, word, word);
    must(cdb_finish(m, &bytes) == OK && cdb_plausible(bytes));
    rest = in;
    while (str_cut(&rest, ' ', &word)) {
        must(cdb_find(bytes, word, &value) == OK && str_eq(value, word));
        must(cdb_walk(bytes, &at, &value, &value) == OK);
    }
    arena_reset(&a);
    return 0;
}
