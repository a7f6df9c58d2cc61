/* SPDX-License-Identifier: ISC
 *
 * main.cf: one "name = value" a logical line.
 */
#include "conf/main_cf.h"

#include "conf/lines.h"

static void put(struct arena *a, struct map *entries, str name, str value,
                int line)
{
    struct conf_entry *entry = arena_new(a, struct conf_entry);

    *entry = (struct conf_entry){ name, value, line };
    map_put(entries, name, entry);
}

static void finding(struct arena *a, struct conf_findings *findings,
                    bool fatal, str file, int line, str text)
{
    vec_push(a, &findings->list,
             ((struct conf_finding){ .fatal = fatal, .file = file, .line = line,
                                     .text = text }));
}

void main_cf_parse(struct arena *a, str file, str text, struct map *entries,
                   struct conf_findings *findings)
{
    struct conf_lines lines = conf_lines_of(text);
    struct conf_line line;

    while (conf_lines_next(&lines, a, &line)) {
        str name, value, complaint;
        const struct conf_entry *before;
        if (line.stray) {
            finding(a, findings, false, file, line.line,
                    arena_fmt(a, "logical line must not start with "
                              "whitespace: \"%.*s\"",
                              STR(str_head(line.text, 30))));
            continue;
        }
        if (!line_name_value(line.text, &name, &value, &complaint)) {
            finding(a, findings, true, file, line.line,
                    arena_fmt(a, "%.*s: \"%.*s\"", STR(complaint),
                              STR(line.text)));
            continue;
        }
        before = map_get(entries, name);
        if (before)
            finding(a, findings, false, file, line.line,
                    arena_fmt(a, "overriding earlier entry: %.*s=%.*s",
                              STR(name), STR(before->value)));
        put(a, entries, name, value, line.line);
    }
}

bool main_cf_override(struct arena *a, str text, struct map *entries,
                      str *complaint)
{
    str name, value;

    if (!line_name_value(text, &name, &value, complaint))
        return false;
    put(a, entries, name, value, 0);
    return true;
}
