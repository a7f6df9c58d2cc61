/* SPDX-License-Identifier: ISC
 *
 * postconf(1): changing main.cf and master.cf.  All requests are checked
 * before the file is read; the new file replaces the old one in one step and
 * keeps its mode.
 */
#include "role/tool/postconf.h"

#include "conf/edit.h"
#include "conf/lines.h"
#include "conf/value.h"

#define MASTER_EDITS "-Me, -Fe, -Pe, -X, or -#"
#define MAIN_EDITS "-e, -X, or -#"

static err refuse(struct postconf *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static err refuse(struct postconf *p, const char *fmt, ...)
{
    va_list ap;
    str text;

    va_start(ap, fmt);
    text = arena_vfmt(&p->arena, fmt, ap);
    va_end(ap);
    tool_fatal(p->args, "%.*s", STR(text));
    return ERR_SYNTAX;
}

static enum edit_how how_of(const struct postconf *p)
{
    return asked(p, 'X') ? EDIT_REMOVE
         : asked(p, '#') ? EDIT_COMMENT_OUT : EDIT_SET;
}

static err check_operands(struct postconf *p, bool master)
{
    if (p->n_names == 0)
        return how_of(p) == EDIT_SET
            ? refuse(p, "-e requires name=value argument")
            : refuse(p, "missing service argument");
    for (size_t i = 0; i < p->n_names; i++) {
        if (str_chr(p->names[i], '\n') != STR_NONE)
            return refuse(p, master ? MASTER_EDITS " accept no multi-line "
                          "input" : MAIN_EDITS " accepts no multi-line "
                          "input");
        if (str_starts(str_trim(p->names[i]), S("#")))
            return refuse(p, master ? MASTER_EDITS " accept no comment "
                          "input" : MAIN_EDITS " accepts no comment input");
    }
    return OK;
}

static err split(struct postconf *p, str operand, str *name, str *value)
{
    str complaint;

    if (line_name_value(operand, name, value, &complaint))
        return OK;
    return refuse(p, "%.*s: \"%.*s\"", STR(complaint), STR(operand));
}

static err load(struct task *t, struct postconf *p, str file, str *text)
{
    err e = file_load(t, NULL, file, &p->arena, TOOL_FILE_MAX, text);

    if (e)
        tool_fatal(p->args, "open %.*s for reading: %s", STR(file),
                   tool_reason(e));
    return e;
}

static err store(struct task *t, struct postconf *p, str file,
                 const struct buf *text)
{
    struct file_stat st;
    err e;

    if (text->over) {
        tool_fatal(p->args, "%.*s: the new file would be too large",
                   STR(file));
        return ERR_LIMIT;
    }
    e = file_stat_path(t, NULL, file, &st);
    if (!e)
        e = file_replace(t, NULL, file, buf_str(text), st.mode & 07777);
    if (e)
        tool_fatal(p->args, "write %.*s: %s", STR(file), tool_reason(e));
    return e;
}

static void say_warnings(struct postconf *p, str file,
                         const struct edit_report *report)
{
    for (size_t i = 0; i < report->warnings.n; i++)
        if (file.n)
            tool_warn(p->args, "%.*s: %.*s", STR(file),
                      STR(report->warnings.p[i]));
        else
            tool_warn(p->args, "%.*s", STR(report->warnings.p[i]));
}

/* Adds a request; an earlier one for the same name is dropped. */
static size_t add_main(struct postconf *p, struct edit_main *requests,
                       size_t n, str name, str value)
{
    size_t i = 0;

    while (i < n && !str_eq(requests[i].name, name))
        i++;
    if (i < n)
        tool_warn(p->args, "ignoring earlier request: '%.*s = %.*s'",
                  STR(requests[i].name), STR(requests[i].value));
    requests[i] = (struct edit_main){ name, value, false };
    return i < n ? n : n + 1;
}

err postconf_edit_main(struct task *t, struct postconf *p)
{
    struct edit_main *requests = arena_array(&p->arena, struct edit_main,
                                             p->n_names);
    struct edit_report report = { 0 };
    struct buf out;
    size_t n = 0;
    str text;

    TRY(check_operands(p, false));
    for (size_t i = 0; i < p->n_names; i++) {
        str name = str_trim(p->names[i]), value = S("");
        if (how_of(p) == EDIT_SET)
            TRY(split(p, p->names[i], &name, &value));
        n = add_main(p, requests, n, name, value);
    }
    TRY(load(t, p, p->main_file, &text));
    buf_init(&out, &p->arena, TOOL_FILE_MAX);
    edit_main(&p->arena, text, how_of(p), requests, n, &out, &report);
    say_warnings(p, p->main_file, &report);
    return store(t, p, p->main_file, &out);
}

static err check_entry(struct postconf *p, struct edit_master *r)
{
    struct conf_findings findings = { 0 };
    str complaint;

    if (master_cf_line(&p->arena, S("master.cf"), 0, r->value, &r->entry,
                       &findings, &complaint))
        return OK;
    if (str_eq(complaint, S("bad field count")))
        return refuse(p, "bad field count: \"%.*s\"", STR(r->written));
    return refuse(p, "%.*s", STR(complaint));
}

static err check_field(struct postconf *p, struct edit_master *r, str field)
{
    int c = 0;

    if (str_eq(field, S("*")))
        return refuse(p, "-Fe does not accept wild-card field name");
    while (c < N_COLUMNS
           && !str_eq(master_column_name((enum master_column)c), field))
        c++;
    if (c == N_COLUMNS)
        return refuse(p, "invalid service attribute name: \"%.*s\"",
                      STR(field));
    r->column = (enum master_column)c;
    if (c != COLUMN_COMMAND
        && str_any(r->value, CONF_SPACES) != STR_NONE)
        return refuse(p, "-Fe does not accept whitespace in non-command "
                      "field");
    if (!master_column_valid(r->column, r->value))
        return refuse(p, "invalid %.*s field \"%.*s\" in \"%.*s\"",
                      STR(field), STR(r->value), STR(r->value));
    return OK;
}

static err check_option(struct postconf *p, struct edit_master *r, str option)
{
    if (str_eq(option, S("*")))
        return refuse(p, "-Pe does not accept wild-card parameter name");
    if (str_any(r->value, CONF_SPACES) != STR_NONE)
        return refuse(p, "-Pe does not accept whitespace in parameter value");
    r->option = option;
    return OK;
}

static err read_request(struct postconf *p, str operand,
                        struct edit_master *r)
{
    str name = str_trim(operand), parts[3];
    bool entry = asked(p, 'M');
    size_t n, wanted = entry ? 2 : 3;

    r->written = operand;
    if (how_of(p) == EDIT_SET)
        TRY(split(p, operand, &name, &r->value));
    if (!postconf_parts(name, wanted, parts, &n) || n != wanted)
        return refuse(p, entry ? "-Me, -MX or -M# requires "
                      "service_name/type" : asked(p, 'F')
                      ? "-Fe or -FX requires service_name/type/field_name"
                      : "-Pe or -PX requires service_name/type/parameter");
    r->name = parts[0];
    r->type = parts[1];
    if (entry)
        return how_of(p) == EDIT_SET ? check_entry(p, r) : OK;
    return asked(p, 'F') ? check_field(p, r, parts[2])
                         : check_option(p, r, parts[2]);
}

err postconf_edit_master(struct task *t, struct postconf *p)
{
    struct edit_master *requests = arena_array(&p->arena, struct edit_master,
                                               p->n_names);
    enum edit_what what = asked(p, 'M') ? EDIT_ENTRY
                        : asked(p, 'F') ? EDIT_FIELD : EDIT_OPTION;
    struct edit_report report = { 0 };
    struct buf out;
    str text;

    TRY(check_operands(p, true));
    for (size_t i = 0; i < p->n_names; i++)
        TRY(read_request(p, p->names[i], &requests[i]));
    TRY(load(t, p, p->master_file, &text));
    buf_init(&out, &p->arena, TOOL_FILE_MAX);
    if (edit_master(&p->arena, text, what, how_of(p), requests, p->n_names,
                    &out, &report)) {
        if (report.line)
            return refuse(p, "file %.*s: line %d: %.*s",
                          STR(p->master_file), report.line,
                          STR(report.fatal));
        return refuse(p, "%.*s", STR(report.fatal));
    }
    say_warnings(p, S(""), &report);
    return store(t, p, p->master_file, &out);
}
