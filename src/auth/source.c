/* SPDX-License-Identifier: ISC
 *
 * The sources that are built in.
 */
#include "auth/source.h"

#include "auth/directory.h"
#include "mail/address.h"

#include <errno.h>
#include <pwd.h>
#include <shadow.h>

enum { FILE_MAX = 64 << 20, ENTRY_MAX = 64 << 10 };

/* sqlite:PATH */

struct sqlite_source {
    struct arena *a;
    str path;
    struct directory *directory; /* NULL until it could be opened */
};

static err sqlite_open(struct task *t, struct arena *a, str path, void **self)
{
    struct sqlite_source *s = arena_new(a, struct sqlite_source);

    (void)t;
    s->a = a;
    s->path = arena_str(a, path);
    *self = s;
    return OK;
}

static err sqlite_find(struct task *t, void *self, str name, struct arena *a,
                       struct auth_account *out)
{
    struct sqlite_source *s = self;
    struct directory_user u;
    struct address x;

    if (address_of(name, a, &x) || x.domain.n == 0)
        return ERR_ABSENT;
    if (!s->directory)
        TRY(directory_open(t, s->a, s->path, 0, &s->directory));
    if (x.local.p[0] == '.' || str_chr(x.local, '/') != STR_NONE)
        return ERR_ABSENT;
    TRY(directory_user_find(t, s->directory, name, a, &u));
    *out = (struct auth_account){ .stored = u.password, .active = u.active };
    out->user.name = arena_fmt(a, "%.*s@%.*s", STR(u.name), STR(u.domain));
    out->user.home = u.home;
    out->user.quota = u.quota;
    return OK;
}

const struct source_kind source_sqlite = {
    S_INIT("sqlite"), true, NAMES_FULL, sqlite_open, sqlite_find,
};

/* passwd-file:PATH */

struct passwd_source {
    str path;
};

static err passwd_open(struct task *t, struct arena *a, str path, void **self)
{
    struct passwd_source *s = arena_new(a, struct passwd_source);

    (void)t;
    s->path = arena_str(a, path);
    *self = s;
    return OK;
}

/* One word of the extra fields: "userdb_home=/x" or "home=/x". */
static void extra_field(str word, struct arena *a, struct auth_account *out)
{
    size_t eq = str_chr(word, '=');
    str name = str_head(word, eq == STR_NONE ? word.n : eq);
    str value = eq == STR_NONE ? S("") : str_skip(word, eq + 1);

    if (str_starts(name, S("userdb_")))
        name = str_skip(name, 7);
    if (str_eq(name, S("home")))
        out->user.home = arena_str(a, value);
    else if (str_eq(name, S("mail")))
        out->user.mailbox = arena_str(a, value);
    else if (str_eq(name, S("nologin")))
        out->active = false;
    else if (str_eq(name, S("quota_bytes")))
        str_uint(value, INT64_MAX, &out->user.quota);
}

bool passwd_line(str line, struct arena *a, struct auth_account *out)
{
    enum { USER, PASSWORD, UID, GID, GECOS, HOME, SHELL, N_FIELDS };
    str field[N_FIELDS] = { { 0 } }, word;
    uint64_t uid, gid;

    if (line.n == 0 || line.p[0] == '#' || line.p[0] == ':')
        return false;
    for (int i = 0; i < N_FIELDS; i++)
        if (!str_cut(&line, ':', &field[i]))
            field[i] = S("");
    *out = (struct auth_account){ .active = true };
    out->user.name = arena_str(a, field[USER]);
    out->user.home = arena_str(a, field[HOME]);
    out->stored = arena_str(a, field[PASSWORD]);
    if (str_uint(field[UID], UINT32_MAX - 1, &uid) &&
        str_uint(field[GID], UINT32_MAX - 1, &gid)) {
        out->user.has_ids = true;
        out->user.uid = (uint32_t)uid;
        out->user.gid = (uint32_t)gid;
    }
    while (str_token(&line, S(" \t\r"), &word))
        extra_field(word, a, out);
    return true;
}

static err passwd_find(struct task *t, void *self, str name, struct arena *a,
                       struct auth_account *out)
{
    struct passwd_source *s = self;
    struct arena scratch;
    str text, line;
    err e;

    arena_init(&scratch, 0);
    e = file_load(t, NULL, s->path, &scratch, FILE_MAX, &text);
    if (e == ERR_ABSENT)
        e = why(t, ERR_IO, "%.*s: no such file", STR(s->path));
    if (!e) {
        e = ERR_ABSENT;
        while (e == ERR_ABSENT && str_cut(&text, '\n', &line)) {
            if (str_ends(line, S("\r")))
                line.n--;
            if (line.n > name.n && line.p[name.n] == ':' &&
                str_eq(str_head(line, name.n), name) &&
                passwd_line(line, a, out))
                e = OK;
        }
    }
    arena_reset(&scratch);
    return e;
}

const struct source_kind source_passwd_file = {
    S_INIT("passwd-file"), true, NAMES_EITHER, passwd_open, passwd_find,
};

/* shadow: the system's users, asked on a helper thread */

struct shadow_work {
    const char *name;
    struct passwd pw;
    struct spwd sp;
    char pw_text[ENTRY_MAX], sp_text[ENTRY_MAX];
    bool found, hidden;
    int error;
};

static void shadow_work(void *arg)
{
    struct shadow_work *w = arg;
    struct passwd *pw = NULL;
    struct spwd *sp = NULL;

    w->error = getpwnam_r(w->name, &w->pw, w->pw_text, sizeof(w->pw_text),
                          &pw);
    if (w->error || !pw)
        return;
    w->found = true;
    w->error = getspnam_r(w->name, &w->sp, w->sp_text, sizeof(w->sp_text),
                          &sp);
    if (w->error == ENOENT)
        w->error = 0;
    w->hidden = sp == NULL;
}

static err shadow_open(struct task *t, struct arena *a, str path, void **self)
{
    (void)t;
    (void)path;
    *self = arena_alloc(a, 1);
    return OK;
}

static err shadow_find(struct task *t, void *self, str name, struct arena *a,
                       struct auth_account *out)
{
    struct shadow_work *w;
    err e = OK;

    (void)self;
    if (str_chr(name, 0) != STR_NONE || str_chr(name, ':') != STR_NONE)
        return ERR_ABSENT;
    w = heap_new(struct shadow_work);
    w->name = arena_cstr(a, name);
    offload(t, shadow_work, w);
    if (w->found && !w->error) {
        *out = (struct auth_account){ .active = true };
        out->user.name = arena_str(a, str_from(w->pw.pw_name));
        out->user.home = arena_str(a, str_from(w->pw.pw_dir));
        out->user.has_ids = true;
        out->user.uid = w->pw.pw_uid;
        out->user.gid = w->pw.pw_gid;
        out->stored = arena_str(a, str_from(w->hidden ? w->pw.pw_passwd
                                                      : w->sp.sp_pwdp));
    } else if (w->error) {
        e = why(t, ERR_IO, "system users: error %d", w->error);
    } else {
        e = ERR_ABSENT;
    }
    heap_free(w);
    return e;
}

const struct source_kind source_shadow = {
    S_INIT("shadow"), false, NAMES_BARE, shadow_open, shadow_find,
};
