/* SPDX-License-Identifier: ISC
 *
 * How settings are written.
 */
#include "conf/layout.h"

#include "conf/master_cf.h"
#include "conf/value.h"

#define MARGIN 80
#define INDENT S("    ")

void layout_text(struct layout *l, str text)
{
    buf_add(l->out, text);
    l->column += text.n;
    l->fresh = false;
}

static void new_line(struct layout *l)
{
    buf_byte(l->out, '\n');
    l->column = 0;
    layout_text(l, INDENT);
    l->fresh = true;
}

/* The blank before a word of that size, or a new line instead; but a line
 * that begins with # would be a comment. */
static void make_room(struct layout *l, size_t size, bool may_begin)
{
    bool blank = l->column > 0 && !l->fresh;

    if (l->fold && blank && may_begin
        && l->column + 1 + size + l->command > MARGIN)
        new_line(l);
    else if (blank)
        layout_text(l, S(" "));
}

static bool may_begin_line(str word)
{
    return !str_starts(word, S("#"));
}

void layout_word(struct layout *l, str word)
{
    make_room(l, word.n, may_begin_line(word));
    layout_text(l, word);
}

void layout_value(struct layout *l, str value)
{
    str word;

    while (str_token(&value, CONF_SPACES, &word))
        layout_word(l, word);
}

/* An argument as it must be written to be read again as it is.  Whether it
 * fits is judged without its braces, as in Postfix. */
static void argument(struct layout *l, str option, str arg)
{
    bool bare = arg.n && arg.p[0] != '{'
                && str_any(arg, CONF_SPACES) == STR_NONE;

    make_room(l, option.n + arg.n, option.n || !bare || may_begin_line(arg));
    layout_text(l, option);
    if (!bare)
        layout_text(l, S("{"));
    layout_text(l, arg);
    if (!bare)
        layout_text(l, S("}"));
}

void layout_command(struct layout *l, const struct service *s)
{
    bool alone = false; /* the line so far ends with an -o option */

    layout_word(l, s->command);
    l->command = true;
    for (size_t i = 0; i < s->n_argv; i++) {
        bool pair = i + 1 < s->n_options && str_eq(s->argv[i], S("-o"));
        if (l->fold && (pair || alone) && may_begin_line(s->argv[i]))
            new_line(l);
        if (pair)
            argument(l, S("-o "), s->argv[++i]);
        else
            argument(l, S(""), s->argv[i]);
        alone = pair;
    }
}

void layout_service(struct layout *l, const struct service *s)
{
    static const size_t goals[] = { 11, 17, 25, 33, 41, 49, 57 };

    for (size_t i = 0; i < COLUMN_COMMAND; i++) {
        layout_text(l, s->raw[i]);
        do
            layout_text(l, S(" "));
        while (l->column < goals[i]);
    }
    l->fresh = true;
    layout_command(l, s);
    layout_end(l);
}

void layout_end(struct layout *l)
{
    buf_byte(l->out, '\n');
    l->column = 0;
    l->fresh = l->command = false;
}
