/* SPDX-License-Identifier: ISC
 *
 * Reading commands.
 */
#include "imap/command.h"

enum { LINE_PIECE = 8 * 1024, SKIP_MAX = 64 << 20, TAIL = 32 };

bool imap_literal_find(str line, struct imap_literal *out)
{
    size_t brace;
    str digits;

    *out = (struct imap_literal){ .sync = true };
    if (!str_ends(line, S("}")))
        return false;
    brace = str_rchr(line, '{');
    if (brace == STR_NONE)
        return false;
    digits = str_head(str_skip(line, brace + 1), line.n - brace - 2);
    if (str_ends(digits, S("+")) || str_ends(digits, S("-"))) {
        out->sync = false;
        digits.n--;
    }
    out->there = str_uint(digits, INT64_MAX, &out->size);
    return out->there;
}

static bool is_tag_char(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 127
           && str_chr(S("(){%*\"\\+"), c) == STR_NONE;
}

err imap_command_parse(struct arena *a, str text, struct imap_command *out)
{
    struct scan s = scan_of(text);
    str tag = scan_class(&s, is_tag_char);
    str name, second;
    char *upper_name;

    *out = (struct imap_command){ .tag = S("*"), .name = S(""),
                                  .args = args_of(a, S("")) };
    if (!tag.n || tag.n > IMAP_TAG_MAX || (!scan_done(&s)
                                           && scan_peek(&s) != ' '))
        return ERR_SYNTAX;
    out->tag = tag;
    if (!scan_byte(&s, ' '))
        return ERR_SYNTAX;
    name = scan_class(&s, is_alpha);
    if (str_ieq(name, S("UID")) && scan_byte(&s, ' ')) {
        second = scan_class(&s, is_alpha);
        name = str_of(name.p, (size_t)(second.p - name.p) + second.n);
    }
    if (!name.n || (!scan_done(&s) && scan_peek(&s) != ' '))
        return ERR_SYNTAX;
    upper_name = arena_cstr(a, name);
    for (size_t i = 0; i < name.n; i++)
        upper_name[i] = upper(upper_name[i]);
    out->name = str_of(upper_name, name.n);
    out->args = args_of(a, scan_rest(&s));
    return OK;
}

bool imap_is_append_body(struct arena *a, str text)
{
    struct imap_command cmd;
    struct flag_list flags;
    int64_t date;
    str box;

    if (imap_command_parse(a, text, &cmd) || !str_eq(cmd.name, S("APPEND"))
        || !args_space(&cmd.args))
        return false;
    if (!args_astring(&cmd.args, &box) || !args_space(&cmd.args))
        return false;
    if (args_peek(&cmd.args) == '('
        && (!args_flags(&cmd.args, &flags) || !args_space(&cmd.args)))
        return true;        /* broken, and no literal is an argument here */
    if (args_peek(&cmd.args) == '"'
        && (!args_date_time(&cmd.args, &date) || !args_space(&cmd.args)))
        return true;
    return true;
}

struct reading {
    struct conn *conn;
    const struct imap_limits *limits;
    struct buf text;
    bool over;
    char tail[TAIL];        /* how the line ends, kept or not */
    size_t n_tail;
};

/* Remembers what may announce a literal. */
static void tail_add(struct reading *r, str piece)
{
    size_t keep;

    if (piece.n > TAIL)
        piece = str_skip(piece, piece.n - TAIL);
    keep = TAIL - piece.n < r->n_tail ? TAIL - piece.n : r->n_tail;
    memmove(r->tail, r->tail + r->n_tail - keep, keep);
    if (piece.n)
        memcpy(r->tail + keep, piece.p, piece.n);
    r->n_tail = keep + piece.n;
}

/* Reads a line to its end. */
static err read_line(struct task *t, struct reading *r, when until)
{
    enum line_end end;
    str piece;

    r->n_tail = 0;
    do {
        TRY(conn_line(t, r->conn, LINE_PIECE, until, &piece, &end));
        tail_add(r, piece);
        if (r->over || r->text.n + piece.n > r->limits->command_max)
            r->over = true;
        else
            buf_add(&r->text, piece);
    } while (end == LINE_CUT);
    return OK;
}

static err read_literal(struct task *t, struct reading *r, uint64_t size,
                        when until)
{
    str piece;

    if (!r->over)
        buf_add(&r->text, S("\r\n"));
    while (size) {
        TRY(conn_piece(t, r->conn, size < LINE_PIECE ? (size_t)size
                                                     : LINE_PIECE,
                       until, &piece));
        if (!r->over)
            buf_add(&r->text, piece);
        size -= piece.n;
    }
    return OK;
}

/* One literal at the end of what was read; *done: the command is whole. */
static err next_literal(struct task *t, struct reading *r, struct arena *a,
                        struct imap_command *out, bool *done)
{
    when until = after_s(t, r->limits->idle_s);
    struct imap_literal lit;

    *done = true;
    if (!imap_literal_find(str_of(r->tail, r->n_tail), &lit))
        return OK;
    if (!r->over && imap_is_append_body(a, buf_str(&r->text))) {
        out->body = lit;
        return OK;
    }
    if (lit.size > r->limits->literal_max
        || r->text.n + lit.size + 2 > r->limits->command_max)
        r->over = true;
    if (r->over && lit.sync)
        return OK;          /* refused before it is sent */
    if (lit.size > SKIP_MAX)
        return why(t, ERR_LIMIT, "literal of %" PRIu64 " bytes", lit.size);
    if (lit.sync) {
        conn_put(r->conn, S("+ OK\r\n"));
        TRY(conn_flush(t, r->conn, until));
    }
    *done = false;
    TRY(read_literal(t, r, lit.size, until));
    return read_line(t, r, until);
}

err imap_command_read(struct task *t, struct conn *c, struct arena *a,
                      const struct imap_limits *limits,
                      struct imap_command *out)
{
    struct reading r = { .conn = c, .limits = limits };
    struct imap_literal body = { 0 };
    bool done = false;
    err e;

    *out = (struct imap_command){ .tag = S("*"), .name = S("") };
    buf_init(&r.text, a, limits->command_max + 2);
    TRY(read_line(t, &r, after_s(t, limits->idle_s)));
    while (!done)
        TRY(next_literal(t, &r, a, out, &done));
    body = out->body;
    e = imap_command_parse(a, buf_str(&r.text), out);
    out->body = body;
    out->too_long = r.over;
    return r.over ? ERR_SYNTAX : e;
}

bool imap_id_read(struct args *x)
{
    str name, value;

    args_space(x);
    if (!args_open(x))
        return args_nstring(x, &name);
    if (args_close(x))
        return true;
    do {
        args_string(x, &name);
        args_space(x);
        args_nstring(x, &value);
    } while (args_more(x));
    return args_finish(x);
}
