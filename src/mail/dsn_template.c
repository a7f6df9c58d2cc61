/* SPDX-License-Identifier: ISC
 *
 * Templates of reports: the built-in ones, the file (bounce(5)), and the
 * $names in their texts.
 */
#include "mail/dsn.h"

#define FROM S_INIT("MAILER-DAEMON (Mail Delivery System)")

#define GREETING "This is the mail system at host $myhostname.\n\n"

#define FAREWELL                                                              \
    "\nQuestions about this report are answered by your postmaster. Please\n" \
    "enclose the report when you ask.\n"

const struct dsn_templates dsn_templates_default = { {
    [DSN_FAILURE] = {
        S_INIT("us-ascii"), FROM,
        S_INIT("Undelivered Mail Returned to Sender"),
        S_INIT("Postmaster Copy: Undelivered Mail"),
        S_INIT(GREETING
        "Your message was not delivered to the recipients named below. It\n"
        "will not be tried again. What could be kept of it is attached.\n"
        FAREWELL),
    },
    [DSN_DELAY] = {
        S_INIT("us-ascii"), FROM,
        S_INIT("Delayed Mail (still being retried)"),
        S_INIT("Postmaster Warning: Delayed Mail"),
        S_INIT(GREETING
        "This is only a warning. There is no need to send your message\n"
        "again.\n\n"
        "It has been waiting for $delay_warning_time_hours hour(s). Delivery\n"
        "will be tried until it is $maximal_queue_lifetime_days day(s) old.\n"
        FAREWELL),
    },
    [DSN_SUCCESS] = {
        S_INIT("us-ascii"), FROM,
        S_INIT("Successful Mail Delivery Report"),
        S_INIT(""),
        S_INIT(GREETING
        "Your message was delivered to the recipients named below. If it\n"
        "went to mailboxes you get no further report. Otherwise you may get\n"
        "reports from the systems that took it over.\n"
        FAREWELL),
    },
    [DSN_VERIFY] = {
        S_INIT("us-ascii"), FROM,
        S_INIT("Mail Delivery Status Report"),
        S_INIT(""),
        S_INIT(GREETING
        "This is the delivery status report that was asked for.\n"
        FAREWELL),
    },
} };

static const str names[N_DSN] = {
    [DSN_FAILURE] = S_INIT("failure_template"),
    [DSN_DELAY] = S_INIT("delay_template"),
    [DSN_SUCCESS] = S_INIT("success_template"),
    [DSN_VERIFY] = S_INIT("verify_template"),
};

str dsn_template_name(enum dsn_kind kind)
{
    must(kind < N_DSN);
    return names[kind];
}

/* The file while it is read, by lines. */
struct reading {
    str rest;
    int line;
    struct arena *a;
    str *where;
};

static bool next_line(struct reading *r, str *line)
{
    if (!r->rest.p || r->rest.n == 0 || !str_cut(&r->rest, '\n', line))
        return false;
    if (str_ends(*line, S("\r")))
        line->n--;
    r->line++;
    return true;
}

static err fail(struct reading *r, const char *what, str about)
{
    *r->where = arena_fmt(r->a, "line %d: %s: \"%.*s\"", r->line, what,
                          STR(str_head(about, 80)));
    return ERR_SYNTAX;
}

/* "name = <<EOF" */
static err read_start(struct reading *r, str line, enum dsn_kind *kind,
                      str *end)
{
    size_t eq = str_chr(line, '=');
    str name, value;

    if (eq == STR_NONE)
        return fail(r, "need template_name = <<EOF", line);
    name = str_trim(str_head(line, eq));
    value = str_trim(str_skip(line, eq + 1));
    if (!str_starts(value, S("<<")))
        return fail(r, "need template_name = <<EOF", line);
    *end = str_trim(str_skip(value, 2));
    if (end->n == 0 || str_any(*end, S(" \t\"'")) != STR_NONE)
        return fail(r, "bad end marker", line);
    for (int i = 0; i < N_DSN; i++) {
        *kind = (enum dsn_kind)i;
        if (str_eq(names[i], name))
            return OK;
    }
    return fail(r, "unknown template", name);
}

/* One header of a template.  False: it is text, where the headers end. */
static bool read_header(str line, struct dsn_template *out)
{
    size_t colon = str_chr(line, ':');
    str name, value;

    if (colon == STR_NONE || !str_is_ascii(line))
        return false;
    name = str_head(line, colon);
    value = str_trim(str_skip(line, colon + 1));
    if (str_ieq(name, S("Charset")))
        out->charset = value;
    else if (str_ieq(name, S("From")))
        out->from = value;
    else if (str_ieq(name, S("Subject")))
        out->subject = value;
    else if (str_ieq(name, S("Postmaster-Subject")))
        out->postmaster_subject = value;
    else
        return false;
    return true;
}

/* Looks like a header although none of ours: a misspelt one, most likely,
 * unless a blank comes before its colon. */
static bool header_like(str line)
{
    size_t colon = str_chr(line, ':'), blank = str_any(line, S(" \t"));

    return colon != STR_NONE && colon > 0 && colon < blank;
}

static err read_template(struct reading *r, str end,
                         struct dsn_template *out)
{
    struct buf text;
    bool in_headers = true, ended = false;
    str line;

    buf_init(&text, r->a, 64 * 1024);
    while (next_line(r, &line)) {
        ended = str_eq(line, end);
        if (ended)
            break;
        if (in_headers) {
            in_headers = read_header(line, out);
            if (in_headers || line.n == 0)
                continue; /* the empty line is no part of the text */
            if (header_like(line))
                return fail(r, "unknown template header", line);
        }
        buf_add(&text, line);
        buf_byte(&text, '\n');
    }
    if (!ended)
        return fail(r, "end marker is missing", end);
    if (text.over)
        return fail(r, "template is too long", end);
    out->text = buf_str(&text);
    return OK;
}

err dsn_templates_parse(str text, struct arena *a,
                        struct dsn_templates *inout, str *where)
{
    struct reading r = { arena_str(a, text), 0, a, where };
    struct dsn_templates all = *inout;
    str line;

    while (next_line(&r, &line)) {
        enum dsn_kind kind;
        str end;
        if (str_trim(line).n == 0 || line.p[0] == '#')
            continue;
        TRY(read_start(&r, line, &kind, &end));
        TRY(read_template(&r, end, &all.of[kind]));
    }
    *inout = all;
    return OK;
}

static bool put_time(str name, str parameter, int64_t seconds,
                     struct buf *to)
{
    static const struct { str unit; int64_t s; } units[] = {
        { S_INIT("_seconds"), 1 }, { S_INIT("_minutes"), 60 },
        { S_INIT("_hours"), 3600 }, { S_INIT("_days"), 86400 },
        { S_INIT("_weeks"), 7 * 86400 },
    };

    if (!str_starts(name, parameter))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (!str_eq(str_skip(name, parameter.n), units[i].unit))
            continue;
        buf_uint(to, (uint64_t)(seconds < 0 ? 0 : seconds) /
                         (uint64_t)units[i].s);
        return true;
    }
    return false;
}

static void put_name(str name, const struct dsn_facts *f, struct buf *to)
{
    str *value = f->more ? map_get(f->more, name) : NULL;

    if (str_eq(name, S("myhostname")))
        buf_add(to, f->myhostname);
    else if (str_eq(name, S("mydomain")))
        buf_add(to, f->mydomain);
    else if (!put_time(name, S("delay_warning_time"), f->delay_warning_s,
                       to) &&
             !put_time(name, S("maximal_queue_lifetime"),
                       f->queue_lifetime_s, to) && value)
        buf_add(to, *value);
}

static bool is_name_byte(char c)
{
    return is_alnum(c) || c == '_';
}

void dsn_template_text(str text, const struct dsn_facts *facts,
                       struct buf *to)
{
    struct scan s = scan_of(text);

    while (!scan_done(&s)) {
        str name;
        buf_add(to, scan_until(&s, S("$")));
        if (!scan_byte(&s, '$'))
            return;
        if (scan_byte(&s, '$')) {
            buf_byte(to, '$');
        } else if (scan_byte(&s, '{') || scan_byte(&s, '(')) {
            name = scan_until(&s, S("})"));
            scan_next(&s);
            put_name(name, facts, to);
        } else {
            name = scan_class(&s, is_name_byte);
            put_name(name, facts, to);
        }
    }
}
