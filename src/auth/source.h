/* SPDX-License-Identifier: ISC
 *
 * Sources of users.
 */
#ifndef AUTH_SOURCE_H
#define AUTH_SOURCE_H

#include "auth/auth.h"

struct auth_account {
    struct auth_user user;
    str stored;     /* auth/password.h; empty: nobody logs in with it */
    bool active;
    bool ids_lent;  /* the user's ids are those of all whose source knows
                       none */
};

/* What kind of names a source has. */
enum source_names { NAMES_FULL, NAMES_BARE, NAMES_EITHER };

struct source_kind {
    str name;
    bool wants_path;
    enum source_names names;
    err (*open)(struct task *t, struct arena *a, str path, void **self);
    /* ERR_ABSENT: no such user; other failures with why(). */
    err (*find)(struct task *t, void *self, str name, struct arena *a,
                struct auth_account *out);
};

struct auth_source {
    const struct source_kind *kind;
    str spec;
    void *self;
};

extern const struct source_kind source_sqlite, source_passwd_file,
    source_shadow;

/* One line of a passwd-file:
 *     user:password:uid:gid:gecos:home:shell:extra fields
 * False if it is a comment or no such line. */
bool passwd_line(str line, struct arena *a, struct auth_account *out);

#endif
