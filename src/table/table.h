/* SPDX-License-Identifier: ISC
 *
 * One question to any map: "type:name", a key, a value (Postfix' lookup
 * tables: postmap(1), *_table(5)).
 *
 * A sandboxed role opens no path: tables are opened through a struct
 * table_opener, whose one function gives the bytes or the descriptor that a
 * table is made of.  Tools and the lookup role open files themselves
 * (table_opener_files); the others learn from table_need_of() what a spec is
 * made of, ask the lookup role for it, and call table_open_data().
 *
 * Files: hash:NAME and btree:NAME are NAME.db, dbm:NAME is NAME.pag (with an
 * empty NAME.dir beside it), cdb:NAME is NAME.cdb; all four are constant
 * databases (table/cdb.h).  lmdb:NAME is NAME.lmdb.  The names of all other
 * types are the file itself.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/base.h"
#include "conf/conf.h"
#include "rt/rt.h"

struct table;
struct tables;
struct table_env;

/* How a table is opened and asked. */
enum table_flags {
    TABLE_EXACT_CASE = 1, /* fold no keys (postmap -f) */
    TABLE_ANY_BYTES = 2,  /* no check for UTF-8 (postmap -u) */
    TABLE_NO_GROUPS = 4,  /* refuse $1 in results (alias_maps) */
    TABLE_FILES = 8,      /* values name files: their base64 is the value */
    TABLE_NUL = 16,       /* writing: keys and values end with a NUL ... */
    TABLE_NO_NUL = 32,    /* ... or do not; neither: as the type is used to */
};

/* How a role gets at what tables are made of. */
struct table_opener {
    void *self;
    /* Opens "type:name" and stores it in *out, allocated in a and closed with
     * it.  ERR_ABSENT with a why() when the file does not exist. */
    err (*open)(struct task *t, void *self, struct arena *a,
                const struct table_env *env, str spec, int flags,
                struct table **out);
};

/* What an opening needs to know beside the spec.  Outlives the table. */
struct table_env {
    const struct conf *conf;    /* NULL: Postfix' defaults */
    struct table_opener opener; /* for the tables inside a table */
    /* Where complaints about a table's text go; NULL: the log. */
    void (*warn)(void *warn_self, str text);
    void *warn_self;
};

/* Opens tables by path, in this process. */
struct table_opener table_opener_files(void);

/* What a table is made of. */
enum table_need {
    NEED_NOTHING, /* the spec says it all, or names tables that do */
    NEED_TEXT,    /* the text of *path */
    NEED_FILE,    /* *path itself, open for reading: a descriptor of it */
    NEED_PROXY,   /* lives in the process that may open it: ask there */
};

/* *path is allocated in a, empty where none is needed.  ERR_SYNTAX with why()
 * for what is no spec, ERR_DENIED for a type that does not exist here. */
err table_need_of(struct task *t, str spec, struct arena *a,
                  enum table_need *need, str *path);

/* What was handed over for a spec.  A received descriptor becomes a file by
 * file_adopt(); it is taken over by the opening, whatever its outcome.  The
 * text is borrowed while opening. */
struct table_data {
    struct file *file; /* NEED_FILE */
    str text;          /* NEED_TEXT */
    str path;          /* where it came from, for messages */
};

/* Opens a table from what table_need_of() asked for (data is not read for
 * NEED_NOTHING).  Complaints about single rules are warnings. */
err table_open_data(struct task *t, struct arena *a,
                    const struct table_env *env, str spec, int flags,
                    const struct table_data *data, struct table **out);

/* Keeps opened tables, one of each spec and flags, and opens anew what has
 * changed on disk (looked at once a second at most, while being asked).  A
 * change that cannot be opened is complained about and the old contents stay.
 * conf gives SQL and LDAP tables their own main.cf parameters. */
struct tables *tables_new(struct arena *a, const struct conf *c,
                          struct table_opener opener);
/* The same with a place for complaints. */
struct tables *tables_new_env(struct arena *a, const struct table_env *env);
void tables_close(void *tables); /* for arena_own: done by tables_new */

/* A table by spec; the same one for the same spec and flags. */
err tables_get(struct task *t, struct tables *ts, str spec,
               struct table **out);
err tables_get_flags(struct task *t, struct tables *ts, str spec, int flags,
                     struct table **out);

/* Opens the table of this spec anew, whatever its flags, before it is asked
 * again: for roles that are told of changes instead of looking at files.  An
 * empty spec means all tables. */
void tables_stale(struct tables *ts, str spec);

/* Asks.  OK: *value is in a.  ERR_ABSENT: no such key.  Anything else: the
 * map failed, try again later; task_why() names the table.  The key is used
 * as it is, except that types which fold keys fold it. */
err table_find(struct task *t, struct table *tb, str key, struct arena *a,
               str *value);

/* Whose file the table is made of; false: it is made of none that is known
 * here. */
bool table_owner(const struct table *tb, uint32_t *uid);

/* "type:name" as written. */
str table_spec(const struct table *tb);

/* How messages call it: with its file's suffix, if its type has one. */
str table_label(const struct table *tb);

/* What searching code must know about a type: patterns are asked with the
 * whole key only, never with parts of it (regexp, pcre, cidr, ...). */
enum table_traits { TABLE_PATTERN = 1, TABLE_SEQUENCE = 2, TABLE_FOLDED = 4 };
int table_traits(const struct table *tb);

/* Walks all entries (postmap -s); ERR_END after the last; ERR_DENIED with
 * why() if the type cannot.  *cursor starts at 0.  Constant databases and
 * texts give the order of insertion, lmdb: byte order. */
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
err maps_open_flags(struct task *t, struct tables *ts, struct arena *a,
                    str title, str specs, int flags, struct maps *out);
err maps_find(struct task *t, const struct maps *m, str key, struct arena *a,
              str *value);
static inline bool maps_any(const struct maps *m)
{
    return m->n > 0;
}

/* Mail address look-up in the order of the manual pages (canonical(5),
 * virtual(5), access(5) ...): user+ext@domain, user@domain, user+ext, user,
 * @domain, domain, parents, user@ as flags allow.  Pattern tables see the
 * whole address only.  The address is in internal form; a local part that is
 * shown in quotes is asked for both ways, "a b"@d before a b@d, at each step
 * or (MAPS_SHOWN_FIRST) in a walk for each.  A NULL *extension
 * out is fine; else it gets the extension that was not part of the matching
 * key (with its delimiter).
 *
 * MAPS_USER asks for bare users whatever the domain: set it when the domain
 * is ours or $myorigin. */
enum maps_address_flags {
    MAPS_FULL = 1,            /* user@domain */
    MAPS_USER = 2,            /* user */
    MAPS_AT_DOMAIN = 4,       /* @domain */
    MAPS_DOMAIN = 8,          /* domain */
    MAPS_PARENT_DOMAINS = 16, /* parents as "domain" */
    MAPS_DOT_PARENTS = 32,    /* parents as ".domain" */
    MAPS_USER_AT = 64,        /* user@ */
    MAPS_SHOWN_FIRST = 128,   /* all keys as shown, then all as kept */
};
err maps_find_address(struct task *t, const struct maps *m, str address,
                      str delimiters, int flags, struct arena *a, str *value,
                      str *extension);

/* "domain" and its parents in a map (transport(5), access(5)): a name itself,
 * then parents as flags say (MAPS_PARENT_DOMAINS, MAPS_DOT_PARENTS). */
err maps_find_domain(struct task *t, const struct maps *m, str domain,
                     int flags, struct arena *a, str *value);

/* An IP address and the networks around it, as access(5) has them: 192.0.2.1,
 * 192.0.2, 192.0, 192; 2001:db8:0:1::2, 2001:db8:0:1, ... */
err maps_find_ip(struct task *t, const struct maps *m, str address,
                 struct arena *a, str *value);

/* Membership lists: domains, networks, names, /files, type:tables, !not
 * (mydestination, mynetworks, relay_domains ...; postconf(5) of each). */
enum match_kind {
    MATCH_STRING,  /* the name itself (no parents): user and name lists */
    MATCH_DOMAIN,  /* the name, and parents as parent_domains says */
    MATCH_ADDRESS, /* host names and networks */
};
struct match_list;

/* parent_domains: whether "example.com" in the list matches its subdomains
 * too (parent_domain_matches_subdomains names the parameter); ".example.com"
 * matches subdomains only, and only if it does not.  Bad items are an error
 * with why(); unreadable tables and files fail when they are reached. */
err match_list_open(struct task *t, struct tables *ts, struct arena *a,
                    str title, str text, enum match_kind kind,
                    bool parent_domains, struct match_list **out);
/* For MATCH_ADDRESS name is the host name or empty and address the address;
 * the others look at name only.  OK, ERR_ABSENT or a table's failure. */
err match_list_find(struct task *t, const struct match_list *l, str name,
                    str address);

/* Writing indexed tables (postmap, postalias): keys and values go into a new
 * file that replaces the old one atomically (lmdb: one transaction). */
struct table_writer;
enum table_write {
    TABLE_WRITE_NEW,     /* from nothing */
    TABLE_WRITE_UPDATE,  /* on top of what is there, made if absent */
    TABLE_WRITE_DELETE,  /* the same, but must exist */
};
/* mode: permissions of a file that does not exist yet.  Between open and
 * commit other updates of the same file wait. */
err table_writer_open(struct task *t, struct arena *a,
                      const struct table_env *env, str spec, int flags,
                      enum table_write how, uint32_t mode,
                      struct table_writer **out);
/* ERR_DENIED for a key that was already put (the first wins). */
err table_writer_put(struct task *t, struct table_writer *w, str key,
                     str value);
/* The last wins. */
err table_writer_set(struct task *t, struct table_writer *w, str key,
                     str value);
/* ERR_ABSENT if there is no such key. */
err table_writer_delete(struct task *t, struct table_writer *w, str key);
err table_writer_commit(struct task *t, struct table_writer *w);
/* The file's name as messages about duplicates give it, and a key as it is
 * stored. */
str table_writer_label(const struct table_writer *w);
str table_writer_key(const struct table_writer *w, str key);

/* The value that stands for the files that names lists (TABLE_FILES): their
 * contents, newlines between, as base64.  ERR_ABSENT ... with why() for what
 * cannot be read. */
err table_value_files(struct task *t, str names, struct arena *a, str *value);

/* Whether keys and values must be UTF-8, as these flags and the configuration
 * have it. */
bool table_wants_utf8(const struct table_env *env, int flags);

/* A copy for messages: what is not printable UTF-8 becomes '?'. */
str table_printable(struct arena *a, str s);

/* All types that exist, with NULL at the end, sorted (postconf -m). */
const char *const *table_types(void);

#endif
