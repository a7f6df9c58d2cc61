/* SPDX-License-Identifier: ISC
 *
 * Attributes and macros of pipe(8).
 */
#include "role/deliver/pipe_args.h"

enum { WORD_MAX = 64 * 1024 };

static const struct { str name; bool each; } macros[] = {
#define MACRO(name, each) { S_INIT(#name), each },
#include "role/deliver/pipe_macros.def"
#undef MACRO
};

/* --- reading -------------------------------------------------------------- */

static err complain(struct arena *a, str *complaint, const char *what,
                    str text)
{
    *complaint = arena_fmt(a, "%s: %.*s", what, STR(text));
    return ERR_SYNTAX;
}

static bool is_name(char c)
{
    return is_alnum(c) || c == '_';
}

/* Takes a macro's name, with or without brackets, after its dollar sign. */
static bool take_name(str *rest, str *name)
{
    char open = rest->n ? rest->p[0] : 0;
    size_t n = 0;

    if (open == '{' || open == '(') {
        n = str_chr(*rest, open == '{' ? '}' : ')');
        if (n == STR_NONE)
            return false;
        *name = str_trim(str_head(str_skip(*rest, 1), n - 1));
        *rest = str_skip(*rest, n + 1);
        return name->n > 0;
    }
    while (n < rest->n && is_name(rest->p[n]))
        n++;
    *name = str_head(*rest, n);
    *rest = str_skip(*rest, n);
    return n > 0;
}

static void add_text(struct arena *a, struct pipe_word *w, str text)
{
    struct pipe_part part = { PIPE_TEXT, text };

    if (text.n)
        vec_push(a, &w->parts, part);
}

static err read_macro(struct arena *a, struct pipe_word *w, str *rest,
                      str *complaint)
{
    struct pipe_part part = { .macro = 0 };
    str name;

    if (!take_name(rest, &name))
        return complain(a, complaint, "bad macro", *rest);
    while (part.macro < N_PIPE_MACROS && !str_eq(macros[part.macro].name,
                                                 name))
        part.macro++;
    if (part.macro == N_PIPE_MACROS)
        return complain(a, complaint, "unknown macro name", name);
    w->each |= macros[part.macro].each;
    vec_push(a, &w->parts, part);
    return OK;
}

static err read_word(struct arena *a, str text, struct pipe_word *w,
                     str *complaint)
{
    for (;;) {
        size_t dollar = str_chr(text, '$');
        add_text(a, w, str_head(text, dollar));
        if (dollar == STR_NONE)
            return OK;
        text = str_skip(text, dollar + 1);
        if (str_starts(text, S("$"))) {
            add_text(a, w, str_head(text, 1));
            text = str_skip(text, 1);
        } else {
            TRY(read_macro(a, w, &text, complaint));
        }
    }
}

static bool set_flag(struct pipe_args *p, char flag)
{
    const struct { char c; bool *to; } flags[] = {
        { 'B', &p->blank_end }, { 'D', &p->delivered_to },
        { 'F', &p->from_line }, { 'O', &p->original_to },
        { 'R', &p->return_path }, { 'X', &p->final }, { '.', &p->dots },
        { '>', &p->quote_from }, { 'h', &p->fold_domain },
        { 'u', &p->fold_user }, { 'q', &p->quote },
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (flags[i].c == flag) {
            *flags[i].to = true;
            return true;
        }
    return false;
}

static err read_flags(struct arena *a, str text, struct pipe_args *p,
                      str *complaint)
{
    for (size_t i = 0; i < text.n; i++)
        if (!set_flag(p, text.p[i]))
            return complain(a, complaint, "unknown flag",
                            str_head(str_skip(text, i), 1));
    return OK;
}

/* "\r\n" and its like; up to three octal digits. */
static str unescape(struct arena *a, str text)
{
    static const char names[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
    struct buf b;

    buf_init(&b, a, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        const char *at = NULL;
        unsigned octal = 0, digits = 0;
        if (text.p[i] != '\\' || i + 1 == text.n) {
            buf_byte(&b, text.p[i]);
            continue;
        }
        i++;
        while (digits < 3 && i + digits < text.n
               && text.p[i + digits] >= '0' && text.p[i + digits] <= '7')
            octal = octal * 8 + (unsigned)(text.p[i + digits++] - '0');
        at = memchr(names, text.p[i], sizeof(names) - 1);
        buf_byte(&b, digits ? (char)octal : at ? bytes[at - names]
                                               : text.p[i]);
        i += digits ? digits - 1 : 0;
    }
    return buf_str(&b);
}

/* The command: the rest of the arguments. */
static err read_command(struct arena *a, const struct service *s, size_t at,
                        str first, struct pipe_args *p, str *complaint)
{
    struct buf b;

    buf_init(&b, a, WORD_MAX);
    for (size_t i = at; i < s->n_argv; i++) {
        struct pipe_word w = { { 0 }, false };
        str text = i == at ? first : s->argv[i];
        buf_fmt(&b, "%s%.*s", i == at ? "" : " ", STR(text));
        TRY(read_word(a, text, &w, complaint));
        vec_push(a, &p->argv, w);
    }
    p->command = buf_str(&b);
    if (str_empty(first))
        return complain(a, complaint, "missing command", S("argv="));
    return OK;
}

static err read_attribute(struct arena *a, str name, str value,
                          struct pipe_args *p, str *complaint)
{
    const struct { str name; str *to; } texts[] = {
        { S_INIT("user"), &p->user },
        { S_INIT("directory"), &p->directory },
        { S_INIT("chroot"), &p->chroot },
        { S_INIT("null_sender"), &p->null_sender },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (str_eq(name, texts[i].name)) {
            *texts[i].to = value;
            return OK;
        }
    if (str_eq(name, S("flags")))
        return read_flags(a, value, p, complaint);
    if (str_eq(name, S("eol"))) {
        p->eol = unescape(a, value);
        return OK;
    }
    if (str_eq(name, S("size")))
        return str_uint(value, UINT64_MAX, &p->size_max) ? OK
               : complain(a, complaint, "bad size", value);
    return complain(a, complaint, "unknown attribute name", name);
}

err pipe_args_read(const struct service *s, struct arena *a,
                   struct pipe_args *out, str *complaint)
{
    struct pipe_args p = { .null_sender = S("MAILER-DAEMON") };
    bool command = false;

    for (size_t i = s->n_options; i < s->n_argv && !command; i++) {
        str value = s->argv[i], name;
        size_t equals = str_chr(value, '=');
        name = str_head(value, equals);
        if (equals == STR_NONE)
            return complain(a, complaint, "unknown attribute name", name);
        value = str_skip(value, equals + 1);
        command = str_eq(name, S("argv"));
        TRY(command ? read_command(a, s, i, value, &p, complaint)
                    : read_attribute(a, name, value, &p, complaint));
    }
    if (!command)
        return complain(a, complaint, "missing attribute", S("argv"));
    if (str_empty(p.user))
        return complain(a, complaint, "missing attribute", S("user"));
    *out = p;
    return OK;
}

/* --- expanding ------------------------------------------------------------ */

struct expanding {
    const struct pipe_args *args;
    const struct pipe_facts *facts;
    struct arena *a;
    const struct recipient *to; /* of this repetition */
};

/* An address as flags want it. */
static str address_text(const struct expanding *x, const struct address *addr)
{
    const struct pipe_args *p = x->args;
    str local = p->fold_user ? arena_lower(x->a, addr->local) : addr->local;
    str domain = p->fold_domain ? arena_lower(x->a, addr->domain)
                                : addr->domain;

    if (p->quote)
        local = address_quote(local, x->a);
    return domain.n ? arena_fmt(x->a, "%.*s@%.*s", STR(local), STR(domain))
                    : local;
}

static str original_text(const struct expanding *x)
{
    struct address addr;

    if (str_empty(x->to->original)
        || address_of(x->to->original, x->a, &addr))
        return x->to->original;
    return address_text(x, &addr);
}

static str sender_text(const struct expanding *x)
{
    const struct address *from = &x->facts->envelope->sender;
    str null = x->args->null_sender;

    if (address_is_null(from))
        return x->args->quote && null.n ? address_quote(null, x->a) : null;
    return x->args->quote ? address_external(from, x->a) : from->text;
}

static str recipient_value(const struct expanding *x, enum pipe_macro m)
{
    const struct address *to = &x->to->address;
    str local = x->args->fold_user ? arena_lower(x->a, to->local)
                                   : to->local;
    str user = local, extension = S("");

    address_split(local, x->facts->delimiters,
                  x->facts->owner_request_special, &user, &extension);
    switch (m) {
    case PIPE_recipient:
        return address_text(x, to);
    case PIPE_original_recipient:
        return original_text(x);
    case PIPE_user:
        return user;
    case PIPE_extension:
        return str_skip(extension, 1);
    case PIPE_mailbox:
        return local;
    default:
        return x->args->fold_domain ? arena_lower(x->a, to->domain)
                                    : to->domain;
    }
}

static str client_value(const struct expanding *x, enum pipe_macro m)
{
    const struct envelope_client *c = &x->facts->envelope->client;

    switch (m) {
    case PIPE_client_address:
        return c->address;
    case PIPE_client_hostname:
        return c->name;
    case PIPE_client_helo:
        return c->helo;
    case PIPE_client_port:
        return c->port ? arena_fmt(x->a, "%u", c->port) : S("");
    case PIPE_client_protocol:
        return c->protocol;
    case PIPE_sasl_method:
        return c->sasl_method;
    case PIPE_sasl_username:
        return c->sasl_user;
    default:
        return c->sasl_sender;
    }
}

static str value_of(const struct expanding *x, const struct pipe_part *part)
{
    const struct pipe_facts *f = x->facts;

    switch (part->macro) {
    case PIPE_TEXT:
        return part->text;
    case PIPE_sender:
        return sender_text(x);
    case PIPE_nexthop:
        return x->args->fold_domain ? arena_lower(x->a, f->nexthop)
                                    : f->nexthop;
    case PIPE_size:
        return arena_fmt(x->a, "%" PRIu64, f->envelope->size);
    case PIPE_queue_id:
        return f->queue_id;
    case PIPE_envid:
        return f->envelope->envid;
    default:
        return part->macro < PIPE_nexthop ? recipient_value(x, part->macro)
                                          : client_value(x, part->macro);
    }
}

static str word_text(const struct expanding *x, const struct pipe_word *w)
{
    struct buf b;

    buf_init(&b, x->a, WORD_MAX);
    for (size_t i = 0; i < w->parts.n; i++)
        buf_add(&b, value_of(x, &w->parts.p[i]));
    return buf_str(&b);
}

void pipe_args_expand(const struct pipe_args *p, const struct pipe_facts *f,
                      struct arena *a, struct pipe_argv *out)
{
    struct expanding x = { p, f, a, f->recipients };

    for (size_t i = 0; i < p->argv.n; i++) {
        const struct pipe_word *w = &p->argv.p[i];
        size_t times = w->each ? f->n_recipients : 1;
        for (size_t k = 0; k < times; k++) {
            x.to = &f->recipients[k];
            vec_push(a, &out->list, word_text(&x, w));
        }
    }
}
