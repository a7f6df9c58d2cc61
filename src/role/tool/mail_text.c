/* SPDX-License-Identifier: ISC
 *
 * From standard input to a message.
 */
#include "role/tool/mail_text.h"

#include "mail/member.h"

bool mail_text_strips(str input, enum fix_line_ends fix)
{
    size_t lf = str_chr(input, '\n');

    if (fix == FIX_STRICT)
        return lf != STR_NONE && lf > 0 && input.p[lf - 1] == '\r';
    return fix == FIX_ALWAYS;
}

struct maker {
    const struct mail_text_options *o;
    struct arena *a;
    struct buf *to;
    struct mail_text *out;
    str rest;               /* input not yet read */
    bool strip;             /* a CR before LF goes */
    bool ended;
    bool resent;            /* there is a Resent- field */
    bool has_from, has_resent_from;
    struct members plain, resent_to;
};

/* Takes the next line without its end; false at the end of the message. */
static bool next_line(struct maker *m, str *line)
{
    if (m->ended || str_empty(m->rest))
        return false;
    str_cut(&m->rest, '\n', line);
    if (!m->rest.p)
        m->rest = S("");
    if (m->strip && line->n && line->p[line->n - 1] == '\r')
        line->n--;
    if (!m->o->keep_dots && str_eq(*line, S("."))) {
        m->ended = true;
        return false;
    }
    return true;
}

static str peek_line(const struct maker *m)
{
    struct maker copy = *m;
    str line;

    return next_line(&copy, &line) ? line : S("");
}

static void put_line(struct maker *m, str line)
{
    if (!m->out->eightbit && !str_is_ascii(line))
        m->out->eightbit = true;
    buf_add(m->to, line);
    buf_add(m->to, S("\r\n"));
}

static bool begins_field(str line)
{
    size_t colon = str_chr(line, ':');
    str name = str_rtrim(str_head(line, colon == STR_NONE ? 0 : colon));

    return header_name_valid(name) && !is_blank(line.p[0]);
}

static void on_field(struct maker *m, str raw)
{
    struct header_field f;
    int classes;

    if (!header_split(raw, &f)) {
        buf_add(m->to, raw);
        return;
    }
    classes = header_classes(f.id);
    m->resent |= (classes & HEADER_IS_RESENT) != 0;
    m->has_from |= f.id == HEADER_FROM;
    m->has_resent_from |= f.id == HEADER_RESENT_FROM;
    if (m->o->take_recipients && (classes & HEADER_HAS_RECIPIENT)
        && f.id != HEADER_APPARENTLY_TO)
        members_read(f.value, m->a, classes & HEADER_IS_RESENT
                                        ? &m->resent_to : &m->plain);
    if (!(classes & HEADER_IS_SECRET))
        buf_add(m->to, raw);
    if (!m->out->eightbit && !str_is_ascii(raw))
        m->out->eightbit = true;
}

/* Reads one field with its continuation lines; raw lives in a. */
static void read_field(struct maker *m, str line)
{
    struct buf raw;
    str next;

    buf_init(&raw, m->a, STR_NONE / 2);
    buf_add(&raw, line);
    buf_add(&raw, S("\r\n"));
    for (;;) {
        next = peek_line(m);
        if (str_empty(next) || !is_blank(next.p[0]))
            break;
        if (!next_line(m, &next))
            break;
        buf_add(&raw, next);
        buf_add(&raw, S("\r\n"));
    }
    on_field(m, buf_str(&raw));
}

static void end_header(struct maker *m)
{
    bool has = m->resent ? m->has_resent_from : m->has_from;

    if (has || str_empty(m->o->from))
        return;
    header_put(m->to, m->resent ? S("Resent-From") : S("From"), m->o->from);
    if (!str_is_ascii(m->o->from))
        m->out->eightbit = true;
}

static void give_recipients(struct maker *m)
{
    const struct members *from = m->resent ? &m->resent_to : &m->plain;

    for (size_t i = 0; i < from->list.n; i++)
        if (!from->list.p[i].null)
            vec_push(m->a, &m->out->recipients, from->list.p[i].text);
}

void mail_text_make(str input, const struct mail_text_options *o,
                    struct arena *a, struct buf *to, struct mail_text *out)
{
    struct maker m = { .o = o, .a = a, .to = to, .out = out, .rest = input,
                       .strip = mail_text_strips(input, o->fix) };
    bool first = true, body = false;
    str line = S("");

    *out = (struct mail_text){ .eightbit = false };
    while (next_line(&m, &line)) {
        bool separator = first && (str_starts(line, S("From "))
                                   || str_starts(line, S(">From ")));
        first = separator;
        if (separator)
            continue;
        body = !begins_field(line);
        if (body)
            break;
        read_field(&m, line);
    }
    end_header(&m);
    give_recipients(&m);
    if (!body)
        return;
    if (!str_empty(line)) /* the empty line was missing (M1) */
        put_line(&m, S(""));
    put_line(&m, line);
    while (next_line(&m, &line))
        put_line(&m, line);
}

static bool is_atom_char(char c)
{
    return is_alnum(c) || (unsigned char)c > 127
           || (c > ' ' && c < 127 && str_chr(S("()<>[]:;@\\,.\""), c)
                                         == STR_NONE);
}

static bool is_phrase(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_atom_char(s.p[i]) && s.p[i] != ' ')
            return false;
    return true;
}

static void put_escaped(struct buf *b, str s, str escape)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (str_chr(escape, c) != STR_NONE)
            buf_byte(b, '\\');
        buf_byte(b, (unsigned char)c < ' ' || c == 127 ? ' ' : c);
    }
}

str mail_text_from(str full_name, str sender, bool obsolete,
                   struct arena *a)
{
    struct buf b;

    buf_init(&b, a, 64 * 1024);
    if (str_empty(sender))
        return S("MAILER-DAEMON");
    if (str_empty(full_name))
        return sender;
    if (obsolete) {
        buf_fmt(&b, "%.*s (", STR(sender));
        put_escaped(&b, full_name, S("\\()"));
        buf_byte(&b, ')');
    } else if (is_phrase(full_name)) {
        buf_fmt(&b, "%.*s <%.*s>", STR(full_name), STR(sender));
    } else {
        buf_byte(&b, '"');
        put_escaped(&b, full_name, S("\\\""));
        buf_fmt(&b, "\" <%.*s>", STR(sender));
    }
    return buf_str(&b);
}
