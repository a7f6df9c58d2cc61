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

/* Some of the stored passwords that a source has: what checking one costs. */
enum { SAMPLE_MAX = 16, SAMPLE_SIZE_MAX = 512 };
struct sample {
    str of[SAMPLE_MAX];
    size_t n;
};

struct source_kind {
    str name;
    bool wants_path;
    enum source_names names;
    err (*open)(struct task *t, struct arena *a, str path, void **self);
    /* ERR_ABSENT: no such user; other failures with why(). */
    err (*find)(struct task *t, void *self, str name, struct arena *a,
                struct auth_account *out);
    /* NULL: the source cannot tell, it is learned from who is found. */
    void (*sample)(struct task *t, void *self, struct arena *a,
                   struct sample *out);
};

struct auth_source {
    const struct source_kind *kind;
    str spec;
    void *self;
    char learned[SAMPLE_SIZE_MAX];  /* of a source that has no sample */
    size_t learned_size;
};

extern const struct source_kind source_sqlite, source_passwd_file,
    source_shadow;

/* One line of a passwd-file:
 *     user:password:uid:gid:gecos:home:shell:extra fields
 * False if it is a comment or no such line. */
bool passwd_line(str line, struct arena *a, struct auth_account *out);

#endif
