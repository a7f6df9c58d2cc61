/* SPDX-License-Identifier: ISC
 *
 * The directory's statements.
 */
#include "auth/directory.h"

#include "auth/directory_schema.h"
#include "mail/address.h"
#include "mail/host.h"

enum { LOCAL_MAX = 64 };    /* bytes, RFC 5321 */

struct directory {
    struct sql *sql;
};

/* Makes the file with its mode before SQLite would make it with its own. */
static err make_file(struct task *t, str path)
{
    struct file *f;

    TRY(file_open(t, NULL, path, FILE_READ | FILE_WRITE | FILE_CREATE |
                  FILE_FOLLOW, 0640, &f));
    file_close(f);
    return OK;
}

err directory_open(struct task *t, struct arena *a, str path, int flags,
                   struct directory **out)
{
    struct directory *d = arena_new(a, struct directory);

    if (flags & DIRECTORY_CREATE)
        TRY(make_file(t, path));
    TRY(sql_open(t, a, path, flags & (DIRECTORY_WRITE | DIRECTORY_CREATE),
                 flags & DIRECTORY_CREATE, &d->sql));
    if (flags & DIRECTORY_CREATE)
        TRY(directory_schema_make(t, d->sql));
    TRY(directory_schema_check(t, d->sql, path));
    if (flags & DIRECTORY_WRITE)
        TRY(directory_schema_index(t, d->sql));
    *out = d;
    return OK;
}

err directory_update(struct task *t, str path)
{
    struct directory *d;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = directory_open(t, &a, path, DIRECTORY_WRITE, &d);
    arena_reset(&a);
    return e;
}

err directory_begin(struct task *t, struct directory *d)
{
    return sql_script(t, d->sql, S("BEGIN IMMEDIATE"));
}

err directory_commit(struct task *t, struct directory *d)
{
    return sql_script(t, d->sql, S("COMMIT"));
}

static err check_domain(struct task *t, str name)
{
    if (!host_valid(name, true))
        return why(t, ERR_SYNTAX, "not a domain name: %.*s",
                   STR(str_head(name, 100)));
    return OK;
}

err directory_domain_add(struct task *t, struct directory *d, str name,
                         str class)
{
    struct arena a;
    str values[2] = { S(""), class };
    err e;

    TRY(check_domain(t, name));
    if (!str_eq(class, S("mailbox")) && !str_eq(class, S("alias")) &&
        !str_eq(class, S("relay")))
        return why(t, ERR_SYNTAX, "class is mailbox, alias or relay, not "
                   "%.*s", STR(str_head(class, 40)));
    arena_init(&a, 0);
    values[0] = arena_lower(&a, name);
    e = sql_run(t, d->sql, S("INSERT INTO domain (name, class) VALUES "
                             "(?1, ?2)"), values, 2, NULL, NULL, NULL);
    if (e == ERR_DENIED)
        e = why(t, e, "domain %.*s exists already", STR(name));
    arena_reset(&a);
    return e;
}

err directory_domain_delete(struct task *t, struct directory *d, str name)
{
    size_t changed = 0;
    err e = sql_run(t, d->sql, S("DELETE FROM domain WHERE name = ?1"), &name,
                    1, NULL, NULL, &changed);

    if (e == ERR_DENIED)
        return why(t, e, "domain %.*s has users", STR(str_head(name, 100)));
    if (!e && changed == 0)
        return why(t, ERR_ABSENT, "no such domain: %.*s",
                   STR(str_head(name, 100)));
    return e;
}

err directory_domain_list(struct task *t, struct directory *d,
                          struct arena *a, struct directory_domains *out)
{
    struct sql_rows rows = { 0 };

    TRY(sql_run(t, d->sql, S("SELECT name, class FROM domain ORDER BY name"),
                NULL, 0, a, &rows, NULL));
    out->p = arena_array(a, struct directory_domain, rows.list.n);
    out->n = rows.list.n;
    for (size_t i = 0; i < rows.list.n; i++)
        out->p[i] = (struct directory_domain){ rows.list.p[i].column[0],
                                               rows.list.p[i].column[1] };
    return OK;
}

err directory_domain_find(struct task *t, struct directory *d, str name,
                          struct arena *a, struct directory_domain *out)
{
    struct sql_rows rows = { 0 };

    TRY(sql_run(t, d->sql, S("SELECT name, class FROM domain WHERE name = "
                             "?1"), &name, 1, a, &rows, NULL));
    if (rows.list.n == 0)
        return why(t, ERR_ABSENT, "no such domain: %.*s",
                   STR(str_head(name, 100)));
    *out = (struct directory_domain){ rows.list.p[0].column[0],
                                      rows.list.p[0].column[1] };
    return OK;
}

/* Splits "user@domain" into values[0] = domain and values[1] = user, both in
 * lower case in a. */
static err split(struct task *t, str address, struct arena *a, str *values)
{
    struct address x;

    if (address_of(address, a, &x) || x.domain.n == 0)
        return why(t, ERR_SYNTAX, "not an address: %.*s",
                   STR(str_head(address, 100)));
    if (x.local.p[0] == '.' || str_chr(x.local, '/') != STR_NONE)
        return why(t, ERR_SYNTAX, "a user's name has no slash and does not "
                   "begin with a dot: %.*s", STR(str_head(address, 100)));
    values[0] = arena_lower(a, x.domain);
    values[1] = arena_lower(a, x.local);
    return OK;
}

/* What can be written as it is in an address on the wire, reaches this host
 * as it is (Postfix rewrites "!" and "%", and refuses a leading "-"), and is
 * no trouble in a path or a log line. */
static err check_name(struct task *t, str name)
{
    bool good = name.n <= LOCAL_MAX && utf8_valid(name)
                && !str_starts(name, S("-")) && !str_ends(name, S("."));

    for (size_t i = 0; i < name.n && good; i++) {
        char c = name.p[i];
        good = (c & 0x80) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
               || str_chr(S(".#$&'*+-=?^_`{|}~"), c) != STR_NONE;
        good = good && !(c == '.' && i > 0 && name.p[i - 1] == '.');
    }
    if (good)
        return OK;
    return why(t, ERR_SYNTAX, "not a user's name: %.*s (letters, digits and "
               ".#$&'*+-=?^_`{|}~, at most %d bytes, no - at its start)",
               STR(str_head(name, 100)), LOCAL_MAX);
}

static err user_add(struct task *t, struct directory *d, str address,
                    str password, uint64_t quota, struct arena *a)
{
    str values[5];
    struct sql_rows rows = { 0 };
    err e;

    TRY(split(t, address, a, values));
    TRY(check_name(t, values[1]));
    values[2] = password;
    values[3] = arena_fmt(a, "%" PRIu64, quota);
    values[4] = arena_fmt(a, "%" PRId64, rt_wall(t) / 1000000);
    TRY(sql_run(t, d->sql, S("SELECT class FROM domain WHERE name = ?1"),
                values, 1, a, &rows, NULL));
    if (rows.list.n == 0)
        return why(t, ERR_ABSENT, "no such domain: %.*s", STR(values[0]));
    if (!str_eq(rows.list.p[0].column[0], S("mailbox")))
        return why(t, ERR_DENIED, "domain %.*s is of class %.*s",
                   STR(values[0]), STR(rows.list.p[0].column[0]));
    e = sql_run(t, d->sql, S("INSERT INTO user (domain, name, password, "
                             "quota, created) VALUES (?1, ?2, ?3, ?4, ?5)"),
                values, 5, NULL, NULL, NULL);
    if (e == ERR_DENIED)
        return why(t, e, "user %.*s exists already", STR(address));
    return e;
}

err directory_user_add(struct task *t, struct directory *d, str address,
                       str password, uint64_t quota)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = user_add(t, d, address, password, quota, &a);
    arena_reset(&a);
    return e;
}

/* Changes one column of a user; statement has ?1 domain, ?2 name and, if
 * value is not NULL, ?3 the value. */
static err user_change(struct task *t, struct directory *d, str statement,
                       str address, const str *value)
{
    str values[3];
    struct arena a;
    size_t changed = 0;
    err e;

    arena_init(&a, 0);
    e = split(t, address, &a, values);
    if (!e && value)
        values[2] = *value;
    if (!e)
        e = sql_run(t, d->sql, statement, values, value ? 3 : 2, NULL, NULL,
                    &changed);
    if (!e && changed == 0)
        e = why(t, ERR_ABSENT, "no such user: %.*s",
                STR(str_head(address, 100)));
    arena_reset(&a);
    return e;
}

err directory_user_password(struct task *t, struct directory *d, str address,
                            str password)
{
    return user_change(t, d, S("UPDATE user SET password = ?3 WHERE domain = "
                               "?1 AND name = ?2"), address, &password);
}

err directory_user_quota(struct task *t, struct directory *d, str address,
                         uint64_t quota)
{
    char text[24];
    str value = str_of(text, (size_t)snprintf(text, sizeof(text), "%" PRIu64,
                                              quota));

    return user_change(t, d, S("UPDATE user SET quota = ?3 WHERE domain = ?1 "
                               "AND name = ?2"), address, &value);
}

err directory_user_active(struct task *t, struct directory *d, str address,
                          bool active)
{
    str value = active ? S("1") : S("0");

    return user_change(t, d, S("UPDATE user SET active = ?3 WHERE domain = "
                               "?1 AND name = ?2"), address, &value);
}

err directory_user_delete(struct task *t, struct directory *d, str address)
{
    return user_change(t, d, S("DELETE FROM user WHERE domain = ?1 AND name "
                               "= ?2"), address, NULL);
}

#define USER_COLUMNS "name, domain, password, home, quota, active, created"

static void user_of(const struct sql_row *row, struct directory_user *out)
{
    uint64_t quota = 0, active = 0, created = 0;

    str_uint(row->column[4], UINT64_MAX, &quota);
    str_uint(row->column[5], 1, &active);
    str_uint(row->column[6], INT64_MAX, &created);
    *out = (struct directory_user){
        .name = row->column[0], .domain = row->column[1],
        .password = row->column[2], .home = row->column[3],
        .quota = quota, .active = active, .created = (int64_t)created,
    };
}

err directory_user_find(struct task *t, struct directory *d, str address,
                        struct arena *a, struct directory_user *out)
{
    struct sql_rows rows = { 0 };
    str values[2];

    TRY(split(t, address, a, values));
    TRY(sql_run(t, d->sql, S("SELECT " USER_COLUMNS " FROM user WHERE domain "
                             "= ?1 AND name = ?2"), values, 2, a, &rows,
                NULL));
    if (rows.list.n == 0)
        return why(t, ERR_ABSENT, "no such user: %.*s",
                   STR(str_head(address, 100)));
    user_of(&rows.list.p[0], out);
    return OK;
}

err directory_user_rename(struct task *t, struct directory *d, str from,
                          str to)
{
    struct directory_domain domain;
    str values[4];
    struct arena a;
    size_t changed = 0;
    err e;

    arena_init(&a, 0);
    e = split(t, from, &a, values);
    if (!e)
        e = split(t, to, &a, values + 2);
    if (!e)
        e = check_name(t, values[3]);
    if (!e)
        e = directory_domain_find(t, d, values[2], &a, &domain);
    if (!e && !str_eq(domain.class, S("mailbox")))
        e = why(t, ERR_DENIED, "domain %.*s is of class %.*s",
                STR(values[2]), STR(domain.class));
    if (!e) {
        e = sql_run(t, d->sql, S("UPDATE user SET domain = ?3, name = ?4 "
                                 "WHERE domain = ?1 AND name = ?2"), values,
                    4, NULL, NULL, &changed);
        if (e == ERR_DENIED)
            e = why(t, e, "user %.*s exists already", STR(to));
    }
    if (!e && changed == 0)
        e = why(t, ERR_ABSENT, "no such user: %.*s",
                STR(str_head(from, 100)));
    arena_reset(&a);
    return e;
}

err directory_user_list(struct task *t, struct directory *d, str domain,
                        struct arena *a, struct directory_users *out)
{
    struct sql_rows rows = { 0 };

    TRY(sql_run(t, d->sql, S("SELECT " USER_COLUMNS " FROM user WHERE ?1 = '' "
                             "OR domain = ?1 ORDER BY domain, name"),
                &domain, 1, a, &rows, NULL));
    out->p = arena_array(a, struct directory_user, rows.list.n);
    out->n = rows.list.n;
    for (size_t i = 0; i < rows.list.n; i++)
        user_of(&rows.list.p[i], &out->p[i]);
    return OK;
}

err directory_passwords(struct task *t, struct directory *d, size_t max,
                        struct arena *a, str *out, size_t *n)
{
    struct sql_rows rows = { 0 };
    char text[24];
    str limit = str_of(text, (size_t)snprintf(text, sizeof(text), "%zu",
                                              max));

    TRY(sql_run(t, d->sql, S("SELECT password FROM user LIMIT ?1 + 0"),
                &limit, 1, a, &rows, NULL));
    *n = rows.list.n < max ? rows.list.n : max;
    for (size_t i = 0; i < *n; i++)
        out[i] = rows.list.p[i].column[0];
    return OK;
}

/* "user@domain" or "@domain" in lower case. */
static err check_alias(struct task *t, str address, struct arena *a, str *out)
{
    struct address x;

    *out = arena_lower(a, address);
    if (str_starts(address, S("@")))
        return check_domain(t, str_skip(address, 1));
    if (address_of(address, a, &x) || address_is_null(&x))
        return why(t, ERR_SYNTAX, "not an address: %.*s",
                   STR(str_head(address, 100)));
    return OK;
}

err directory_alias_add(struct task *t, struct directory *d, str address,
                        str target)
{
    struct address to;
    struct arena a;
    str values[2];
    err e;

    arena_init(&a, 0);
    e = check_alias(t, address, &a, &values[0]);
    if (!e && (address_parse(target, &a, 0, &to) || address_is_null(&to)))
        e = why(t, ERR_SYNTAX, "not an address: %.*s",
                STR(str_head(target, 100)));
    if (!e) {
        values[1] = address_external(&to, &a);
        e = sql_run(t, d->sql, S("INSERT INTO alias (address, target) VALUES "
                                 "(?1, ?2)"), values, 2, NULL, NULL, NULL);
    }
    if (e == ERR_DENIED)
        e = why(t, e, "alias %.*s to %.*s exists already", STR(address),
                STR(target));
    arena_reset(&a);
    return e;
}

err directory_alias_delete(struct task *t, struct directory *d, str address,
                           str target)
{
    str values[2] = { address, target };
    size_t changed;

    TRY(sql_run(t, d->sql, S("DELETE FROM alias WHERE address = ?1 AND (?2 = "
                             "'' OR target = ?2)"), values, 2, NULL, NULL,
                &changed));
    if (changed == 0)
        return why(t, ERR_ABSENT, "no such alias: %.*s",
                   STR(str_head(address, 100)));
    return OK;
}

static err alias_rows(struct task *t, struct directory *d, str statement,
                      const str *value, struct arena *a,
                      struct directory_aliases *out)
{
    struct sql_rows rows = { 0 };

    TRY(sql_run(t, d->sql, statement, value, value ? 1 : 0, a, &rows, NULL));
    out->p = arena_array(a, struct directory_alias, rows.list.n);
    out->n = rows.list.n;
    for (size_t i = 0; i < rows.list.n; i++)
        out->p[i] = (struct directory_alias){ rows.list.p[i].column[0],
                                              rows.list.p[i].column[1] };
    return OK;
}

err directory_alias_list(struct task *t, struct directory *d,
                         struct arena *a, struct directory_aliases *out)
{
    return alias_rows(t, d, S("SELECT address, target FROM alias ORDER BY "
                              "address, target"), NULL, a, out);
}

err directory_alias_find(struct task *t, struct directory *d, str address,
                         struct arena *a, struct directory_aliases *out)
{
    return alias_rows(t, d, S("SELECT address, target FROM alias WHERE "
                              "address = ?1 ORDER BY target"), &address, a,
                      out);
}

err directory_alias_to(struct task *t, struct directory *d, str target,
                       struct arena *a, struct directory_aliases *out)
{
    return alias_rows(t, d, S("SELECT address, target FROM alias WHERE "
                              "target = ?1 ORDER BY address"), &target, a,
                      out);
}
