/* SPDX-License-Identifier: ISC
 *
 * postmap and postalias without -q, -d or -s: from a text to an indexed file.
 *
 * When root works on somebody else's text, the indexed file is made with that
 * one's rights (unless -o): what the owner of a directory can trick us into
 * writing is then only what they could have written.
 */
#include "role/tool/postmap.h"

#include <unistd.h>

enum { SOURCE_MAX = 1 << 30 };

struct build {
    struct task *t;
    struct postmap *pm;
    struct arena *arena;        /* one table's */
    struct table_writer *writer;
    str origin;
    bool utf8;
    int line;
};

/* What root was before and becomes again. */
struct identity {
    bool changed;
    uid_t uid;
    gid_t gid;
};

static void identity_take(struct identity *before, const struct file_stat *st)
{
    *before = (struct identity){ false, geteuid(), getegid() };
    if (before->uid != 0 || st->uid == 0)
        return;
    if (setegid(st->gid) || seteuid(st->uid))
        must_failed("cannot become the owner of a file", __FILE__, __LINE__);
    before->changed = true;
}

static void identity_restore(const struct identity *before)
{
    if (before->changed && (seteuid(before->uid) || setegid(before->gid)))
        must_failed("cannot become root again", __FILE__, __LINE__);
}

#define complain(b, fmt, ...)                                                 \
    tool_warn((b)->pm->args, "%.*s, line %d: " fmt, STR((b)->origin),         \
              (b)->line, ##__VA_ARGS__)

static err store(struct build *b, str key, str value)
{
    struct postmap *pm = b->pm;
    err e;

    if (pm->replace)
        return table_writer_set(b->t, b->writer, key, value);
    e = table_writer_put(b->t, b->writer, key, value);
    if (e != ERR_DENIED)
        return e;
    if (!pm->ignore_dups)
        tool_warn(pm->args, "%.*s: duplicate entry: \"%.*s\"",
                  STR(table_writer_label(b->writer)),
                  STR(table_printable(b->arena,
                                      table_writer_key(b->writer, key))));
    return OK;
}

static err map_line(struct build *b, str line)
{
    str key, value;

    if (!lines_pair(line, &key, &value)) {
        complain(b, "unbalanced '\"' in '%.*s' -- ignoring this line",
                 STR(table_printable(b->arena, line)));
        return OK;
    }
    if (str_empty(key) || str_empty(value)) {
        complain(b, "expected format: key whitespace value");
        return OK;
    }
    if (str_ends(key, S(":")))
        complain(b, "record is in \"key: value\" format; is this an alias "
                 "file?");
    if ((b->pm->flags & TABLE_FILES)
        && table_value_files(b->t, value, b->arena, &value)) {
        complain(b, "%s: skipping this entry", task_why(b->t));
        return OK;
    }
    return store(b, key, value);
}

static err alias_line(struct build *b, str line)
{
    str name, value;
    const char *trouble = postalias_line(b->arena, line, &name, &value);

    if (trouble) {
        complain(b, "%s", trouble);
        return OK;
    }
    return store(b, name, value);
}

static err add_lines(struct build *b, str text)
{
    struct table_notes notes = { .arena = b->arena };
    struct lines lines = { .text = text, .origin = b->origin,
                           .arena = b->arena, .notes = &notes };
    size_t said = 0;
    bool more;
    str line;
    err e = OK;

    do {
        more = lines_next(&lines, &line, &b->line);
        for (; said < notes.list.n; said++)
            tool_warn(b->pm->args, "%.*s", STR(notes.list.p[said]));
        if (!more)
            break;
        if (b->utf8 && !utf8_valid(line))
            complain(b, "non-UTF-8 input \"%.*s\" -- ignoring this line",
                     STR(table_printable(b->arena, line)));
        else if (b->pm->aliases)
            e = alias_line(b, line);
        else
            e = map_line(b, line);
    } while (!e);
    return e;
}

static err write_table(struct build *b, str spec, str text, uint32_t mode)
{
    struct postmap *pm = b->pm;
    enum table_write how = pm->incremental ? TABLE_WRITE_UPDATE
                                           : TABLE_WRITE_NEW;

    TRY(table_writer_open(b->t, b->arena, &pm->env, spec, pm->flags, how,
                          mode, &b->writer));
    TRY(add_lines(b, text));
    return table_writer_commit(b->t, b->writer);
}

/* The source: the file that the spec names, or standard input. */
static err read_source(struct build *b, str spec, str *text,
                       struct file_stat *st)
{
    str path = str_skip(spec, str_chr(spec, ':') + 1);
    struct file *f;
    size_t n = 0;
    char *room;
    err e;

    *st = (struct file_stat){ .mode = 0644 };
    if (b->pm->incremental) {
        b->origin = S("stdin");
        *text = postmap_stdin(b->arena, SOURCE_MAX);
        return OK;
    }
    b->origin = path;
    TRY(file_open(b->t, NULL, path, FILE_READ | FILE_FOLLOW, 0, &f));
    e = file_stat_open(b->t, f, st);
    if (!e && st->is_dir)
        e = why(b->t, ERR_IO, "read %.*s: Is a directory", STR(path));
    if (!e && st->size > SOURCE_MAX)
        e = why(b->t, ERR_LIMIT, "%.*s: file is too large", STR(path));
    if (!e) {
        room = arena_alloc(b->arena, st->size + 1);
        e = file_read(b->t, f, 0, room, st->size, &n);
        *text = str_of(room, n);
    }
    file_close(f);
    return e;
}

bool postmap_build(struct task *t, struct postmap *pm, str spec)
{
    struct arena a;
    struct build b = { .t = t, .pm = pm, .arena = &a,
                       .utf8 = table_wants_utf8(&pm->env, pm->flags) };
    struct identity before = { 0 };
    struct file_stat st;
    uint32_t mode;
    str text;
    err e;

    arena_init(&a, 0);
    e = read_source(&b, spec, &text, &st);
    if (!e) {
        mode = pm->default_mode ? 0644 : 0600 | (st.mode & 0044);
        if (!pm->keep_root)
            identity_take(&before, &st);
        e = write_table(&b, spec, text, mode);
    }
    if (e)
        postmap_fatal(t, pm);
    arena_reset(&a);
    identity_restore(&before);
    return e == OK;
}
