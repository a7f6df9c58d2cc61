/* SPDX-License-Identifier: ISC
 *
 * The directory and the system's users as sources; passwd_file.c has the
 * third.
 */
#include "auth/source.h"

#include "auth/directory.h"
#include "mail/address.h"

#include <errno.h>
#include <pwd.h>
#include <shadow.h>

enum { ENTRY_MAX = 64 << 10 };

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

static void sqlite_sample(struct task *t, void *self, struct arena *a,
                          struct sample *out)
{
    struct sqlite_source *s = self;

    if (s->directory
        && directory_passwords(t, s->directory, SAMPLE_MAX, a, out->of,
                               &out->n))
        out->n = 0;     /* find says what is wrong */
}

const struct source_kind source_sqlite = {
    S_INIT("sqlite"), true, NAMES_FULL, sqlite_open, sqlite_find,
    sqlite_sample,
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
    S_INIT("shadow"), false, NAMES_BARE, shadow_open, shadow_find, NULL,
};
