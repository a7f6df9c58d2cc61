/* SPDX-License-Identifier: ISC
 *
 * The embedded directory: domains, users, aliases and quotas in one SQLite
 * file.  The commands change it, authd and the sqlite: tables read it.
 *
 *     domain  name, class ('mailbox', 'alias' or 'relay')
 *     user    name, domain, password, quota, home, active, created
 *     alias   address ("user@domain", "@domain"), target
 *
 * Views for the queries of sqlite_table(5):
 *
 *     virtual_domain   name           virtual_mailbox_domains
 *     alias_domain     name           virtual_alias_domains
 *     relay_domain     name           relay_domains
 *     virtual_mailbox  address, path  virtual_mailbox_maps
 *     virtual_alias    address, targets    virtual_alias_maps
 *
 * All names are kept in lower case; comparing disregards ASCII case.
 *
 * I1  A user's domain exists, and is of class mailbox.
 * I2  A user's name can be part of a path: no slash, no dot at its start.  New
 *     ones are plain words that a client can write without quotes.
 */
#ifndef AUTH_DIRECTORY_H
#define AUTH_DIRECTORY_H

#include "rt/rt.h"

struct directory;

enum directory_flags { DIRECTORY_WRITE = 1, DIRECTORY_CREATE = 2 };

/* Opens the file; with DIRECTORY_CREATE makes it (mode 0640) and its tables
 * where they are missing.  Closed with a.  All of these wait on a helper
 * thread and say why(). */
err directory_open(struct task *t, struct arena *a, str path, int flags,
                   struct directory **out);

/* Gives a file of an earlier release the indexes that look-ups want; who opens
 * it to write does so too. */
err directory_update(struct task *t, str path);

/* All changes up to the commit are made together; without one, none. */
err directory_begin(struct task *t, struct directory *d);
err directory_commit(struct task *t, struct directory *d);

struct directory_domain {
    str name, class;
};
struct directory_user {
    str name, domain, password, home;
    uint64_t quota;     /* bytes; 0: none */
    bool active;        /* may log in; mail is taken in any case */
    int64_t created;    /* seconds since 1970 */
};
struct directory_alias {
    str address, target;
};
struct directory_domains { struct directory_domain *p; size_t n; };
struct directory_users { struct directory_user *p; size_t n; };
struct directory_aliases { struct directory_alias *p; size_t n; };

/* ERR_ABSENT: no such domain. */
err directory_domain_find(struct task *t, struct directory *d, str name,
                          struct arena *a, struct directory_domain *out);

/* ERR_SYNTAX: no valid name or class.  ERR_DENIED: exists already. */
err directory_domain_add(struct task *t, struct directory *d, str name,
                         str class);
/* ERR_ABSENT: no such domain.  ERR_DENIED: it has users. */
err directory_domain_delete(struct task *t, struct directory *d, str name);
err directory_domain_list(struct task *t, struct directory *d,
                          struct arena *a, struct directory_domains *out);

/* address is "user@domain"; password is a stored form (auth/password.h). */
err directory_user_add(struct task *t, struct directory *d, str address,
                       str password, uint64_t quota);
err directory_user_password(struct task *t, struct directory *d, str address,
                            str password);
err directory_user_quota(struct task *t, struct directory *d, str address,
                         uint64_t quota);
err directory_user_active(struct task *t, struct directory *d, str address,
                          bool active);
/* ERR_DENIED: to exists.  The mailbox stays where it is. */
err directory_user_rename(struct task *t, struct directory *d, str from,
                          str to);
err directory_user_delete(struct task *t, struct directory *d, str address);
err directory_user_find(struct task *t, struct directory *d, str address,
                        struct arena *a, struct directory_user *out);
/* domain may be empty: all. */
err directory_user_list(struct task *t, struct directory *d, str domain,
                        struct arena *a, struct directory_users *out);

/* Stored passwords of max users at most, in out. */
err directory_passwords(struct task *t, struct directory *d, size_t max,
                        struct arena *a, str *out, size_t *n);

/* An address may have many targets; delete with an empty target takes all. */
err directory_alias_add(struct task *t, struct directory *d, str address,
                        str target);
err directory_alias_delete(struct task *t, struct directory *d, str address,
                           str target);
err directory_alias_list(struct task *t, struct directory *d,
                         struct arena *a, struct directory_aliases *out);
/* Those of one address, and those that send to one. */
err directory_alias_find(struct task *t, struct directory *d, str address,
                         struct arena *a, struct directory_aliases *out);
err directory_alias_to(struct task *t, struct directory *d, str target,
                       struct arena *a, struct directory_aliases *out);

#endif
