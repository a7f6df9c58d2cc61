/* SPDX-License-Identifier: ISC
 *
 * The directory's tables, views and indexes.
 *
 * Hosts keep the queries that their "veredus init" wrote, and the file that
 * it made.  So the views have to answer those queries by an index, and a file
 * that has none of ours gets them when somebody opens it who may write: the
 * commands, and "postfix start".  Who only reads copes with both.
 *
 * I1  Each query that the commands write asks an index: what it costs does
 *     not grow with the directory.
 */
#include "auth/directory_schema.h"

enum { SCHEMA_VERSION = 1 };

/* Version 1.  What later programs add beside it must not be in the way of
 * those that know only version 1: a version that is raised shuts them out. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS domain ("
    " name TEXT PRIMARY KEY COLLATE NOCASE,"
    " class TEXT NOT NULL DEFAULT 'mailbox'"
    "  CHECK (class IN ('mailbox', 'alias', 'relay'))) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS user ("
    " name TEXT NOT NULL COLLATE NOCASE,"
    " domain TEXT NOT NULL COLLATE NOCASE REFERENCES domain(name),"
    " password TEXT NOT NULL,"
    " quota INTEGER NOT NULL DEFAULT 0,"
    " home TEXT NOT NULL DEFAULT '',"
    " active INTEGER NOT NULL DEFAULT 1,"
    " created INTEGER NOT NULL,"
    " PRIMARY KEY (domain, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS alias ("
    " address TEXT NOT NULL COLLATE NOCASE,"
    " target TEXT NOT NULL COLLATE NOCASE,"
    " PRIMARY KEY (address, target)) WITHOUT ROWID;"
    "CREATE VIEW IF NOT EXISTS virtual_domain AS"
    " SELECT name FROM domain WHERE class = 'mailbox';"
    "CREATE VIEW IF NOT EXISTS alias_domain AS"
    " SELECT name FROM domain WHERE class = 'alias';"
    "CREATE VIEW IF NOT EXISTS relay_domain AS"
    " SELECT name FROM domain WHERE class = 'relay';"
    "CREATE VIEW IF NOT EXISTS virtual_mailbox AS"
    " SELECT name || '@' || domain AS address,"
    "  domain || '/' || name || '/' AS path, name, domain, quota FROM user;"
    "CREATE VIEW IF NOT EXISTS virtual_alias AS"
    " SELECT address, group_concat(target, ', ') AS targets FROM alias"
    "  GROUP BY address;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

/* An address is no column but an expression, which an index has to repeat
 * word for word.  Grouping all aliases to find one cannot be done by an
 * index; a view of each address' first row, with all targets beside it, can. */
static const char indexes[] =
    "BEGIN IMMEDIATE;"
    "CREATE INDEX IF NOT EXISTS user_address ON user(name || '@' || domain);"
    "CREATE INDEX IF NOT EXISTS alias_target ON alias(target);"
    "DROP VIEW IF EXISTS virtual_alias;"
    "CREATE VIEW virtual_alias AS"
    " SELECT address, (SELECT group_concat(target, ', ') FROM alias AS every"
    "  WHERE every.address = first.address) AS targets"
    " FROM alias AS first WHERE NOT EXISTS (SELECT 1 FROM alias AS earlier"
    "  WHERE earlier.address = first.address"
    "  AND earlier.target < first.target);"
    "COMMIT;";

/* The one number or word that a statement asks for. */
static err ask(struct task *t, struct sql *s, str statement, str expected,
               bool *is)
{
    struct sql_rows rows = { 0 };
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = sql_run(t, s, statement, NULL, 0, &a, &rows, NULL);
    if (!e)
        *is = rows.list.n == 1
              && str_eq(rows.list.p[0].column[0], expected);
    arena_reset(&a);
    return e;
}

err directory_schema_make(struct task *t, struct sql *s)
{
    TRY(sql_script(t, s, str_of(schema, sizeof(schema) - 1)));
    return directory_schema_index(t, s);
}

err directory_schema_index(struct task *t, struct sql *s)
{
    bool there;

    TRY(ask(t, s, S("SELECT count(*) FROM sqlite_master WHERE type = 'index' "
                    "AND name IN ('user_address', 'alias_target')"), S("2"),
            &there));
    if (there)
        return OK;
    return sql_script(t, s, str_of(indexes, sizeof(indexes) - 1));
}

err directory_schema_check(struct task *t, struct sql *s, str path)
{
    bool ours;

    TRY(ask(t, s, S("PRAGMA user_version"), S("1"), &ours));
    if (!ours)
        return why(t, ERR_CORRUPT, "%.*s: not a directory of version %d",
                   STR(path), SCHEMA_VERSION);
    return OK;
}
