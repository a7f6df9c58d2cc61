/* SPDX-License-Identifier: ISC
 *
 * Changing main.cf: line by line.  A comment or blank line between the parts
 * of a logical line belongs to nobody and stays; "multiple entries" are all
 * changed.
 */
#include "conf/edit.h"

#include "conf/lines.h"

static struct edit_main *request_for(struct edit_main *requests, size_t n,
                                     str line)
{
    str name = str_head(line, str_any(line, S("= \t\r\n\v\f")));

    for (size_t i = 0; i < n; i++)
        if (str_eq(requests[i].name, name))
            return &requests[i];
    return NULL;
}

static void put_setting(struct buf *out, const struct edit_main *request)
{
    buf_fmt(out, "%.*s = %.*s\n", STR(request->name), STR(request->value));
}

void edit_main(struct arena *a, str text, enum edit_how how,
               struct edit_main *requests, size_t n, struct buf *out,
               struct edit_report *report)
{
    struct edit_main *now = NULL; /* whose logical line this is */
    str line;

    while (line_physical(&text, &line)) {
        enum line_kind kind = line_kind_of(line);
        if (kind == LINE_NOTHING) {
            buf_add(out, line);
            continue;
        }
        if (kind == LINE_STARTS) {
            now = request_for(requests, n, line);
            if (now && now->done)
                vec_push(a, &report->warnings,
                         arena_fmt(a, "multiple entries for \"%.*s\"",
                                   STR(now->name)));
            if (now && how == EDIT_SET)
                put_setting(out, now);
            if (now)
                now->done = true;
        }
        if (now && how == EDIT_COMMENT_OUT)
            buf_byte(out, '#');
        if (!now || how == EDIT_COMMENT_OUT)
            buf_add(out, line);
    }
    if (how != EDIT_SET)
        return;
    for (size_t i = 0; i < n; i++) {
        if (requests[i].done)
            continue;
        if (out->n && !str_ends(buf_str(out), S("\n")))
            buf_byte(out, '\n');
        put_setting(out, &requests[i]);
    }
}
