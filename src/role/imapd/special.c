/* SPDX-License-Identifier: ISC
 *
 * mailstore_special_use: "Drafts, Spam=junk, {Sent Messages=sent}".  A name
 * alone is its own use.
 */
#include "role/imapd/imapd.h"

#include "role/events.h"

static const struct {
    str name;
    int attribute;
} uses[] = {
    { S_INIT("all"), BOX_ALL }, { S_INIT("archive"), BOX_ARCHIVE },
    { S_INIT("drafts"), BOX_DRAFTS }, { S_INIT("flagged"), BOX_FLAGGED },
    { S_INIT("junk"), BOX_JUNK }, { S_INIT("sent"), BOX_SENT },
    { S_INIT("trash"), BOX_TRASH },
};

static bool special_parse(str item, struct store_special *out)
{
    size_t at;

    if (str_starts(item, S("{")) && str_ends(item, S("}")))
        item = str_trim(str_head(str_skip(item, 1), item.n - 2));
    at = str_rchr(item, '=');
    out->name = str_head(item, at);
    if (at != STR_NONE)
        item = str_skip(item, at + 1);
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if (str_ieq(item, uses[i].name)) {
            out->attribute = uses[i].attribute;
            return out->name.n > 0;
        }
    }
    return false;
}

void reader_specials(struct task *t, const struct conf *c, struct arena *a,
                     struct store_options *o)
{
    struct conf_items items = conf_items(c, P_mailstore_special_use);
    struct store_special *p = arena_array(a, struct store_special,
                                          items.n + 1);

    o->specials = p;
    o->n_specials = 0;
    for (size_t i = 0; i < items.n; i++) {
        if (special_parse(items.p[i], &p[o->n_specials]))
            o->n_specials++;
        else
            say(t, imapd_special, STR(items.p[i]));
    }
}
