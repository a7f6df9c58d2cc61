/* SPDX-License-Identifier: ISC
 *
 * IMAP commands: splitting, and the arguments of FETCH, SEARCH, STORE and
 * the rest, over any bytes.
 */
#include "imap/command.h"
#include "imap/glob.h"
#include "imap/plan.h"
#include "imap/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(struct args x)
{
    struct plan plan;

    if (!plan_parse(&x, true, &plan)) {
        must(x.error);
        return;
    }
    for (size_t i = 0; i < plan.n; i++) {
        must(plan.p[i].n_path <= SECTION_DEPTH_MAX);
        must(str_any(plan.p[i].label, S("\r\n")) == STR_NONE);
    }
}

/* Sizes of nodes cover their operands exactly. */
static void check_search(struct args x)
{
    struct search_plan plan;

    if (!search_parse(&x, &plan)) {
        must(x.error);
        return;
    }
    must(plan.n >= 1 && plan.p[0].kind == KEY_AND && plan.p[0].size == plan.n);
    for (size_t i = 0; i < plan.n; i++) {
        const struct search_key *k = &plan.p[i];
        size_t operands = 0, at = 1;

        must(k->size >= 1 && k->size <= plan.n - i);
        while (at < k->size) {
            at += k[at].size;
            operands++;
        }
        must(at == k->size);
        must(k->kind != KEY_NOT || operands == 1);
        must(k->kind != KEY_OR || operands == 2);
    }
}

static void check_rest(struct args x)
{
    struct args y = x;
    struct flag_list flags;
    struct set set;
    int64_t n;
    str s;

    args_set(&y, &set);
    y = x;
    args_flags(&y, &flags);
    y = x;
    args_date_time(&y, &n);
    y = x;
    args_date(&y, &n);
    y = x;
    args_nstring(&y, &s);
    y = x;
    if (args_pattern(&y, &s)) {
        args_space(&y);
        if (args_pattern(&y, &s))
            (void)glob_match(s, scan_rest(&x.in), '.');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct imap_command cmd;
    struct imap_literal lit;
    struct arena a;

    if (size > 65536)
        return 0;
    arena_init(&a, 0);
    (void)imap_literal_find(in, &lit);
    (void)imap_is_append_body(&a, in);
    if (!imap_command_parse(&a, in, &cmd)) {
        check_plan(cmd.args);
        check_search(cmd.args);
        args_maybe(&cmd.args, ' ');
        check_plan(cmd.args);
        check_rest(cmd.args);
    }
    arena_reset(&a);
    return 0;
}
