/* SPDX-License-Identifier: ISC
 *
 * What the administrator said: main.cf and master.cf, read once into an
 * immutable snapshot (postconf(5), master(5)).  A reload makes a new snapshot;
 * nobody changes one.
 *
 * Every parameter is a line of conf/params.def:
 *     PARAM(kind, name, default, min, max, effect)
 * and known here as P_name.  Reading is pure: text in, snapshot out.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/base.h"
#include "rt/task.h"

/* Kinds of values.  STR is expanded ($name); RAW is not; TIME has a default
 * unit and is kept in seconds; LIST is a STR that callers read by items. */
enum conf_kind { CONF_STR, CONF_RAW, CONF_INT, CONF_BOOL, CONF_TIME,
                 CONF_LIST };

/* What a parameter does here: everything; nothing yet, which cannot change a
 * decision about mail (postfix check lists it); nothing yet although it would
 * decide who gets in, what gets through or where mail goes (asking for it
 * stops check, start and reload); or nothing by design. */
enum conf_effect { CONF_FULL, CONF_NOT_YET, CONF_REFUSED, CONF_IGNORED };

#define PARAM(kind, name, ...) P_##name,
enum param {
#include "conf/params.def"
    N_PARAMS
};
#undef PARAM

struct conf_param {
    str name;
    enum conf_kind kind;
    str preset;          /* the built-in default, before expansion */
    int64_t min, max;    /* INT and TIME; max 0: none.  STR and LIST: min 1
                            for a value that must not be empty */
    enum conf_effect effect;
};

/* The table of all parameters, by enum param. */
const struct conf_param *conf_param(enum param p);

/* By name; N_PARAMS if there is none. */
enum param conf_param_find(str name);

/* The known name nearest to a misspelt one, or an empty str. */
str conf_param_nearest(str name);

/* The unit that a bare number is taken in: 's', 'm', 'h', 'd' or 'w'; 0 for
 * what is not a TIME. */
char conf_param_unit(enum param p);

/* What the machine says, which defaults depend on; found by the process that
 * reads the files, kept in the snapshot. */
struct conf_interface {
    unsigned char address[16]; /* network order; IPv4 uses the first four */
    bool ipv6;
    int prefix;          /* length of the network's prefix */
};
struct conf_facts {
    str hostname;        /* as gethostname(2); myhostname's default */
    str origin_file;     /* first line of the file that myorigin names */
    str process_name, process_id;
    str service_name;    /* of the service whose overlay this is, or empty */
    const struct conf_interface *interfaces; /* mynetworks' default */
    size_t n_interfaces;
};

/* A finding about the configuration, with its place. */
struct conf_finding {
    bool fatal;
    bool about_name;     /* a name nobody knows: for who checks, not for
                            every command that reads */
    str file;
    int line;            /* 0: none */
    str text;
    str service;         /* whose -o option it is, or empty */
};
struct conf_findings {
    vec_of(struct conf_finding) list;
};

/* A finding as it is logged: "FILE, line 7: service NAME: text". */
str conf_finding_text(struct arena *a, const struct conf_finding *f);

/* Whether one of the findings from index from on is fatal. */
bool conf_findings_fatal(const struct conf_findings *f, size_t from);

/* The text of the files and the overrides ("name=value" of -o options), of
 * which later ones win. */
struct conf_source {
    str dir;             /* the configuration directory's path */
    str main_cf, master_cf;
    struct conf_facts facts;
    const str *overrides;
    size_t n_overrides;
    bool keep_going;     /* a bad value takes its default, and the snapshot
                            is made all the same */
};

struct conf;             /* the snapshot */
struct service;

/* Reads a snapshot.  Everything is allocated in a and lives as long; texts
 * and facts of src are borrowed.  ERR_SYNTAX with fatal findings (a line that
 * cannot be read, a bad value) when the configuration cannot be used; the
 * other findings are warnings, such as unknown names with the nearest known
 * one.  With keep_going *out is then a snapshot that is good for looking
 * further and for nothing else, or NULL. */
err conf_read(struct arena *a, const struct conf_source *src,
              struct conf_findings *findings, struct conf **out);

/* Finds the machine's facts, reads main.cf and master.cf of dir and makes a
 * snapshot (conf/load.c).  master.cf may be missing when master_needed is
 * false.  ERR_ABSENT and ERR_IO with why() when a file cannot be read. */
struct conf_load {
    str dir;
    bool master_needed;
    const char *process_name;
    const str *overrides;
    size_t n_overrides;
    bool keep_going;     /* as in struct conf_source */
};
err conf_load(struct task *t, struct arena *a, const struct conf_load *load,
              struct conf_findings *findings, struct conf **out);

/* The facts alone. */
err conf_facts_find(struct task *t, struct arena *a, const char *process_name,
                    struct conf_facts *out);

/* The same snapshot with further overrides on top: what a master.cf line's
 * -o options mean. */
err conf_overlay(struct arena *a, const struct conf *base,
                 const str *overrides, size_t n,
                 struct conf_findings *findings, struct conf **out);

/* The snapshot as the processes of one service see it: its -o options on top
 * of base, $service_name and $process_name its own. */
err conf_of_service(struct arena *a, const struct conf *base,
                    const struct service *service,
                    struct conf_findings *findings, struct conf **out);

/* Packs what conf_read needs, for handing to a sandboxed role, and back. */
void conf_pack(const struct conf *c, struct buf *to);
err conf_unpack(struct arena *a, str packed, struct conf **out);

/* Values.  Asking with the wrong kind is a programming error. */
str conf_str(const struct conf *c, enum param p);  /* STR, LIST, RAW */
str conf_raw(const struct conf *c, enum param p);  /* any kind, as text */
bool conf_bool(const struct conf *c, enum param p);
int64_t conf_int(const struct conf *c, enum param p);
int64_t conf_seconds(const struct conf *c, enum param p);

/* The items of a LIST (or STR): separated by commas and blanks, { ... } keeps
 * an item together (its braces are kept). */
struct conf_items { const str *p; size_t n; };
struct conf_items conf_items(const struct conf *c, enum param p);

/* Splits any text the same way, in a. */
struct conf_items conf_split(struct arena *a, str text);

/* Whether main.cf or an override sets it (not merely its default), and
 * whether to something that its default does not say as well. */
bool conf_is_set(const struct conf *c, enum param p);
bool conf_is_changed(const struct conf *c, enum param p);

/* The line of main.cf that sets it, 0 if none does or an override hides it. */
int conf_line(const struct conf *c, enum param p);

/* Any parameter by name, known or the administrator's own, expanded in a;
 * false if it is neither known nor set. */
bool conf_find(const struct conf *c, struct arena *a, str name, str *value);

/* Walks the names that main.cf or an override sets, known ones and the
 * administrator's own; *at starts at 0. */
bool conf_next_set(const struct conf *c, size_t *at, str *name);

/* Transport-dependent parameters (smtp_destination_rate_delay and default_
 * destination_rate_delay): TRANSPORT + suffix if set, else p. */
int64_t conf_transport_int(const struct conf *c, str transport, str suffix,
                           enum param p);
int64_t conf_transport_seconds(const struct conf *c, str transport,
                               str suffix, enum param p);

/* Expands $name and friends in text as a parameter value would be. */
err conf_expand(const struct conf *c, struct arena *a, str text, str *out);

/* "30s", "5m", "1h", "1d", "1w", or a bare number, taken in unit. */
bool conf_time_parse(str text, char unit, int64_t *seconds);

str conf_dir(const struct conf *c);
const struct conf_facts *conf_facts(const struct conf *c);

/* One master.cf line (master(5)). */
enum service_type { SERVICE_INET, SERVICE_UNIX, SERVICE_FIFO, SERVICE_PASS,
                    SERVICE_UNIX_DGRAM };
struct service {
    str name;            /* as written: "smtp", "127.0.0.1:10025" */
    enum service_type type;
    bool private_, unpriv, chroot;  /* after defaults */
    int wakeup_s;        /* 0: none */
    bool wakeup_if_used; /* '?' */
    int limit;           /* process limit; 0: none */
    str command;         /* "smtpd", "pipe" */
    str raw[7];          /* the columns before it as written, "-" too */
    const str *overrides; /* name=value of the -o options */
    size_t n_overrides;
    const str *argv;     /* all arguments, -o ones included, {} removed and
                            "-oname=value" as two */
    size_t n_argv;
    size_t n_options;    /* how many of them come before the first that is
                            no option (for pipe, before flags= and so on) */
    int line;
};
struct services { const struct service *p; size_t n; };

/* The services of this snapshot, in order; a later line with the same name
 * and type replaces the earlier one in its place. */
struct services conf_services(const struct conf *c);
const struct service *conf_service(const struct conf *c, str name,
                                   enum service_type type);

#endif
