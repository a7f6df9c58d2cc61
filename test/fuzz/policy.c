/* SPDX-License-Identifier: ISC
 *
 * Restriction lists, their classes, and the actions of access tables.  The
 * first line is a class, the rest a list.
 */
#include "policy/action.h"
#include "policy/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read keeps its promises. */
static void look(const struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rule *r = &list->p[i];
        must(r->operation != DO_NOT_BUILT);
        must(r->operation != DO_CLASS || r->class_list);
        must(r->operation < DO_ACCESS || r->operation > DO_ACCESS_NS
             || r->argument.n > 0);
        must(r->operation != DO_SLEEP || r->seconds <= 3600);
    }
    (void)rule_list_guards(list);
}

static void read_lists(struct arena *a, str in)
{
    struct list_place place = { S("list"), S("check_sender_access"), false };
    struct rule_class class[2] = { { .name = S("one") },
                                   { .name = S("two") } };
    struct rule_classes classes = { class, 2 };
    struct rule_list list;
    str complaint = S("");

    if (!str_cut(&in, '\n', &class[0].text))
        return;
    if (!str_cut(&in, '\n', &class[1].text))
        class[1].text = S("permit");
    if (rule_classes_read(a, &classes, &complaint)) {
        must(complaint.n > 0);
        return;
    }
    look(&class[0].list);
    for (int i = 0; i < 2; i++) {
        place.in_action = i == 1;
        if (!rule_list_read(a, &place, &classes, in, &list, &complaint))
            look(&list);
        else
            must(complaint.n > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct action_codes codes = { 554, 450 };
    str in = str_of(data, size);
    struct action x = action_read(in, &codes);
    struct arena a;

    must(x.text.n <= size);
    must(x.kind != ACTION_REFUSE || (x.reply.code >= 400
                                     && x.reply.code <= 599
                                     && x.reply.text.n > 0));
    (void)action_fault(&x);
    if (size > 16 * 1024)
        return 0;
    arena_init(&a, 0);
    read_lists(&a, in);
    arena_reset(&a);
    return 0;
}
