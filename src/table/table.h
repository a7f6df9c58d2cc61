/* SPDX-License-Identifier: ISC
 *
 * One question to any map: "type:name", a key, a value (Postfix' lookup
 * tables: postmap(1), *_table(5)).
 *
 * A sandboxed role opens no path: tables are opened through a struct
 * table_opener, whose one function gives the bytes or the descriptor that a
 * table is made of.  Tools and the lookup role open files themselves
 * (table_opener_files); the others ask the lookup role (table/client.c).
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/base.h"
#include "conf/conf.h"
#include "rt/rt.h"

struct table;
struct tables;

/* How a role gets at what tables are made of. */
struct table_opener {
    void *self;
    /* Opens "type:name" and stores it in *out, allocated in a.  ERR_ABSENT
     * with a why() when the file does not exist. */
    err (*open)(struct task *t, void *self, struct arena *a,
                const struct conf *c, str spec, struct table **out);
};

/* Opens tables by path, in this process. */
struct table_opener table_opener_files(void);

/* Keeps opened tables, one of each spec, and opens anew what has changed.
 * conf gives SQL and LDAP tables their own main.cf parameters. */
struct tables *tables_new(struct arena *a, const struct conf *c,
                          struct table_opener opener);
void tables_close(void *tables); /* for arena_own: done by tables_new */

/* A table by spec; the same one for the same spec. */
err tables_get(struct task *t, struct tables *ts, str spec,
               struct table **out);

/* Asks.  OK: *value is in a.  ERR_ABSENT: no such key.  Anything else: the
 * map failed, try again later; task_why() names the table.  The key is used
 * as it is, except that types which fold keys fold it. */
err table_find(struct task *t, struct table *tb, str key, struct arena *a,
               str *value);

/* "type:name" as written. */
str table_spec(const struct table *tb);

/* What searching code must know about a type: patterns are asked with the
 * whole key only, never with parts of it (regexp, pcre, cidr, ...). */
enum table_traits { TABLE_PATTERN = 1, TABLE_SEQUENCE = 2, TABLE_FOLDED = 4 };
int table_traits(const struct table *tb);

/* Walks all entries (postmap -s); ERR_END after the last; ERR_DENIED with
 * why() if the type cannot. *cursor starts at 0. */
err table_walk(struct task *t, struct table *tb, uint64_t *cursor,
               struct arena *a, str *key, str *value);

/* A list of tables asked in order: "hash:/etc/aliases, nis:mail.aliases". */
struct maps {
    struct table **p;
    size_t n;
    str title;           /* the parameter's name, for messages */
};
err maps_open(struct task *t, struct tables *ts, struct arena *a, str title,
              str specs, struct maps *out);
err maps_find(struct task *t, const struct maps *m, str key, struct arena *a,
              str *value);
static inline bool maps_any(const struct maps *m)
{
    return m->n > 0;
}

/* Mail address look-up in the order of the manual pages (canonical(5),
 * virtual(5), access(5) ...): user+ext@domain, user@domain, user+ext, user,
 * @domain, as flags allow.  A NULL *extension out is fine; else it gets the
 * extension that was not part of the matching key (with its delimiter). */
enum maps_address_flags {
    MAPS_FULL = 1,            /* user@domain */
    MAPS_USER = 2,            /* user, when domain is ours or $myorigin */
    MAPS_AT_DOMAIN = 4,       /* @domain */
    MAPS_DOMAIN = 8,          /* domain */
    MAPS_PARENT_DOMAINS = 16, /* parents as "domain" */
    MAPS_DOT_PARENTS = 32,    /* parents as ".domain" */
    MAPS_USER_AT = 64,        /* user@ */
};
err maps_find_address(struct task *t, const struct maps *m, str address,
                      str delimiters, int flags, struct arena *a, str *value,
                      str *extension);

/* Membership lists: domains, networks, names, /files, type:tables, !not
 * (mydestination, mynetworks, relay_domains ...; postconf(5) of each). */
enum match_kind { MATCH_STRING, MATCH_DOMAIN, MATCH_ADDRESS };
struct match_list;
err match_list_open(struct task *t, struct tables *ts, struct arena *a,
                    str title, str text, enum match_kind kind,
                    bool parent_domains, struct match_list **out);
/* For MATCH_ADDRESS name is the host name or empty and address the address;
 * the others look at name only.  OK, ERR_ABSENT or a table's failure. */
err match_list_find(struct task *t, const struct match_list *l, str name,
                    str address);

/* Writing indexed tables (postmap, postalias): keys and values go into a new
 * file that replaces the old one atomically. */
struct table_writer;
err table_writer_open(struct task *t, struct arena *a, const struct conf *c,
                      str spec, struct table_writer **out);
/* ERR_DENIED for a key that was already put (the first wins). */
err table_writer_put(struct task *t, struct table_writer *w, str key,
                     str value);
err table_writer_commit(struct task *t, struct table_writer *w);

/* All types that exist, with NULL at the end, sorted (postconf -m). */
const char *const *table_types(void);

#endif
