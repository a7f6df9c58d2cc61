/* SPDX-License-Identifier: ISC
 *
 * The texts that veredus init writes.  Words between @ signs stand for values
 * of the plan; a line whose word has no value is left out.
 */
#include "role/tool/init.h"

#include <stdio.h>

static const char main_cf[] =
"# main.cf of @hostname@, written by \"veredus init @domain@\".\n"
"#\n"
"# Parameters have the names and meanings of postconf(5).  \"postconf -n\"\n"
"# shows what is set, \"postconf -d\" the defaults, \"postfix check\" looks\n"
"# for mistakes, \"postfix reload\" makes changes work.\n"
"\n"
"compatibility_level = 3.6\n"
"\n"
"# --- Who we are ----------------------------------------------------------\n"
"\n"
"# The name that other hosts look up; it should be what DNS says.\n"
"myhostname = @hostname@\n"
"\n"
"# Mail for these names goes to users of this machine, and to the aliases\n"
"# of aliases(5).  Domains with mailboxes are in the directory (below).\n"
"mydestination = @mydestination@\n"
"\n"
"# --- Who may connect, who may send ---------------------------------------\n"
"\n"
"inet_interfaces = @interfaces@\n"
"inet_protocols = all\n"
"\n"
"# Hosts that may send mail to anywhere without a password.\n"
"mynetworks = 127.0.0.0/8 [::1]/128\n"
"\n"
"# Everybody else: mail for our domains only.\n"
"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,\n"
"    reject_unauth_destination\n"
"\n"
"# Outgoing mail goes to where DNS says, or else all of it through one host.\n"
"#relayhost = [relay.example.net]:587\n"
"relayhost = @relayhost@\n"
"\n"
"message_size_limit = 51200000\n"
"\n"
"# name+anything@@@domain@ is delivered as name@@@domain@.\n"
"recipient_delimiter = +\n"
"\n"
"# --- Places --------------------------------------------------------------\n"
"\n"
"queue_directory = @queue@\n"
"data_directory = @data@\n"
"mail_owner = @owner@\n"
"# Without this line the log goes to syslog (facility mail).\n"
"#maillog_file = /var/log/mail.log\n"
"maillog_file = @log@\n"
"\n"
"# --- Domains, users, aliases ---------------------------------------------\n"
"\n"
"# They are in one SQLite file, directory.db, which \"veredus domain\",\n"
"# \"veredus user\" and \"veredus alias\" change, at once.  sqlite_table(5)\n"
"# describes the files named here.\n"
"virtual_mailbox_domains = sqlite:@dir@/sqlite/domains.cf\n"
"virtual_mailbox_maps = sqlite:@dir@/sqlite/mailboxes.cf\n"
"virtual_alias_domains = sqlite:@dir@/sqlite/alias-domains.cf\n"
"virtual_alias_maps = sqlite:@dir@/sqlite/aliases.cf\n"
"relay_domains = sqlite:@dir@/sqlite/relay-domains.cf\n"
"\n"
"# Their mailboxes, DOMAIN/NAME/Maildir below this; one user owns them all.\n"
"virtual_mailbox_base = @mail@\n"
"virtual_uid_maps = static:@uid@\n"
"virtual_gid_maps = static:@gid@\n"
"virtual_minimum_uid = @minimum@\n"
"virtual_mailbox_limit = 0\n"
"\n"
"# Aliases of this machine; \"newaliases\" after a change.\n"
"alias_maps = hash:@aliases@\n"
"alias_database = hash:@aliases@\n"
"\n"
"# --- Logging in ----------------------------------------------------------\n"
"\n"
"# Passwords for IMAP, POP3 and sending mail.  A name without a domain is\n"
"# taken as name@@@domain@.\n"
"auth_sources = sqlite:@directory@\n"
"auth_default_domain = @domain@\n"
"\n"
"# --- Reading (IMAP, POP3) ------------------------------------------------\n"
"\n"
"mailstore_home = @mail@/%d/%n\n"
"mailstore_location = maildir:~/Maildir\n"
"mailstore_uid = @uid@\n"
"mailstore_gid = @gid@\n"
"\n"
"# --- TLS -----------------------------------------------------------------\n"
"\n"
"# The certificate is signed by nobody but itself: put one that clients\n"
"# trust here, then \"postfix reload\".\n"
"smtpd_tls_cert_file = @certificate@\n"
"smtpd_tls_key_file = @key@\n"
"smtpd_tls_security_level = may\n"
"smtp_tls_security_level = may\n";

static const char master_head[] =
"# master.cf of @hostname@, written by \"veredus init @domain@\".\n"
"# master(5) describes it; \"postfix reload\" makes changes work.\n"
"#\n"
"# service     type  private unpriv  chroot  wakeup  maxproc command\n"
"\n"
"# Mail from other hosts, and for them.\n";

static const char submission[] =
"  -o syslog_name=postfix/@service@\n"
"  -o @tls@\n"
"  -o smtpd_sasl_auth_enable=yes\n"
"  -o smtpd_tls_auth_only=yes\n"
"  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
"  -o smtpd_recipient_restrictions=\n";

static const char master_tail[] =
"\n"
"# The parts within.\n"
"pickup        unix  n       -       n       60      1       pickup\n"
"cleanup       unix  n       -       n       -       0       cleanup\n"
"qmgr          unix  n       -       n       300     1       qmgr\n"
"tlsmgr        unix  -       -       n       1000?   1       tlsmgr\n"
"rewrite       unix  -       -       n       -       -       trivial-rewrite\n"
"bounce        unix  -       -       n       -       0       bounce\n"
"defer         unix  -       -       n       -       0       bounce\n"
"trace         unix  -       -       n       -       0       bounce\n"
"verify        unix  -       -       n       -       1       verify\n"
"flush         unix  n       -       n       1000?   0       flush\n"
"proxymap      unix  -       -       n       -       -       proxymap\n"
"proxywrite    unix  -       -       n       -       1       proxymap\n"
"showq         unix  n       -       n       -       -       showq\n"
"anvil         unix  -       -       n       -       1       anvil\n"
"scache        unix  -       -       n       -       1       scache\n"
"postlog       unix-dgram n  -       n       -       1       postlogd\n"
"\n"
"# Where mail goes.\n"
"smtp          unix  -       -       n       -       -       smtp\n"
"relay         unix  -       -       n       -       -       smtp\n"
"  -o syslog_name=postfix/$service_name\n"
"lmtp          unix  -       -       n       -       -       lmtp\n"
"local         unix  -       n       n       -       -       local\n"
"virtual       unix  -       n       n       -       -       virtual\n"
"error         unix  -       -       n       -       -       error\n"
"retry         unix  -       -       n       -       -       error\n"
"discard       unix  -       -       n       -       -       discard\n";

static const char aliases[] =
"# Aliases of this machine, aliases(5); \"newaliases\" after a change.\n"
"postmaster:    root\n"
"mailer-daemon: postmaster\n"
"abuse:         postmaster\n"
"root:          postmaster@@@domain@\n";

const struct init_query init_queries[] = {
    { "domains", "Domains whose users have mailboxes here.",
      "SELECT name FROM virtual_domain WHERE name = '%s'" },
    { "alias-domains", "Domains that consist of aliases.",
      "SELECT name FROM alias_domain WHERE name = '%s'" },
    { "relay-domains", "Domains whose mail goes on to another host.",
      "SELECT name FROM relay_domain WHERE name = '%s'" },
    { "mailboxes", "Mailboxes, below virtual_mailbox_base.",
      "SELECT path || 'Maildir/' FROM virtual_mailbox WHERE address = '%s'" },
    /* So that an alias of a whole domain does not take its users' mail. */
    { "aliases", "Aliases.  A user without one is an alias of itself, so "
      "that an alias of\n# the whole domain (@domain) leaves users alone.",
      "SELECT targets FROM virtual_alias WHERE address = '%s'\n"
      "    UNION ALL SELECT address FROM virtual_mailbox WHERE address = "
      "'%s'\n"
      "    AND NOT EXISTS (SELECT 1 FROM alias WHERE address = '%s')" },
    { NULL, NULL, NULL },
};

/* --- filling in ----------------------------------------------------------- */

struct value {
    str name, value;
};

/* The value of the word between two @ signs; "@@" is one. */
static str value_of(const struct value *values, str word)
{
    if (str_empty(word))
        return S("@");
    for (size_t i = 0; !str_empty(values[i].name); i++)
        if (str_eq(values[i].name, word))
            return values[i].value;
    must_not_reach();
}

static bool fill_line(str line, const struct value *values, struct buf *to)
{
    size_t from = to->n;
    size_t at;

    while ((at = str_chr(line, '@')) != STR_NONE) {
        size_t end = str_chr(str_skip(line, at + 1), '@');
        str value;
        must(end != STR_NONE);
        value = value_of(values, str_head(str_skip(line, at + 1), end));
        if (str_empty(value)) {
            to->n = from;
            return false;
        }
        buf_add(to, str_head(line, at));
        buf_add(to, value);
        line = str_skip(line, at + end + 2);
    }
    buf_add(to, line);
    buf_byte(to, '\n');
    return true;
}

static void fill(str text, const struct value *values, struct buf *to)
{
    str line;

    if (str_ends(text, S("\n")))
        text.n--;
    while (str_cut(&text, '\n', &line))
        fill_line(line, values, to);
}

#define TEXT(x) str_of(x, sizeof(x) - 1)

/* A hostname that is the domain itself leaves no local names but localhost:
 * the domain is in the directory. */
static str mydestination(const struct init_plan *p)
{
    return str_eq(p->hostname, p->domain)
               ? S("localhost.$mydomain, localhost")
               : S("$myhostname, localhost.$mydomain, localhost");
}

void init_main_cf(const struct init_plan *p, struct buf *to)
{
    struct arena a;

    arena_init(&a, 0);
    struct value values[] = {
        { S("hostname"), p->hostname },
        { S("domain"), p->domain },
        { S("mydestination"), mydestination(p) },
        { S("interfaces"), p->base ? S("loopback-only") : S("all") },
        { S("relayhost"), p->relayhost },
        { S("aliases"), p->aliases },
        { S("queue"), p->queue },
        { S("data"), p->data },
        { S("owner"), p->owner },
        { S("log"), p->log },
        { S("directory"), p->directory },
        { S("dir"), p->dir },
        { S("mail"), p->mail },
        { S("uid"), arena_fmt(&a, "%u", p->uid) },
        { S("gid"), arena_fmt(&a, "%u", p->gid) },
        { S("minimum"), arena_fmt(&a, "%u", p->uid < 100 ? p->uid : 100) },
        { S("certificate"), p->certificate },
        { S("key"), p->key },
        { S(""), S("") },
    };
    fill(TEXT(main_cf), values, to);
    arena_reset(&a);
}

str init_port(const struct init_plan *p, struct arena *a, const char *name,
              uint32_t number)
{
    return p->base ? arena_fmt(a, "%u", p->base + number) : str_from(name);
}

static void put_listener(const struct init_plan *p, const char *name,
                         uint32_t number, const char *command, struct buf *to)
{
    struct arena a;

    arena_init(&a, 0);
    buf_fmt(to, "%-13s inet  n       -       n       -       -       %s\n",
            arena_cstr(&a, init_port(p, &a, name, number)), command);
    arena_reset(&a);
}

static void put_submission(const struct init_plan *p, const char *name,
                           uint32_t number, str tls, struct buf *to)
{
    const struct value values[] = {
        { S("service"), str_from(name) },
        { S("tls"), tls },
        { S(""), S("") },
    };

    put_listener(p, name, number, "smtpd", to);
    fill(TEXT(submission), values, to);
}

void init_master_cf(const struct init_plan *p, struct buf *to)
{
    const struct value values[] = {
        { S("hostname"), p->hostname },
        { S("domain"), p->domain },
        { S(""), S("") },
    };

    fill(TEXT(master_head), values, to);
    put_listener(p, "smtp", 25, "smtpd", to);
    buf_add(to, S("\n# Mail from our users, with their passwords: by "
                  "STARTTLS, and by TLS.\n"));
    put_submission(p, "submission", 587,
                   S("smtpd_tls_security_level=encrypt"), to);
    put_submission(p, "submissions", 465, S("smtpd_tls_wrappermode=yes"),
                   to);
    buf_add(to, S("\n# Reading: IMAP and POP3, by STARTTLS, and by TLS.\n"));
    put_listener(p, "imap", 143, "imapd", to);
    put_listener(p, "imaps", 993, "imapd", to);
    buf_add(to, S("  -o imapd_tls_wrappermode=yes\n"));
    put_listener(p, "pop3", 110, "pop3d", to);
    put_listener(p, "pop3s", 995, "pop3d", to);
    buf_add(to, S("  -o pop3d_tls_wrappermode=yes\n"));
    buf_add(to, TEXT(master_tail));
}

void init_aliases(const struct init_plan *p, struct buf *to)
{
    const struct value values[] = {
        { S("domain"), p->domain },
        { S(""), S("") },
    };

    fill(TEXT(aliases), values, to);
}

void init_query_cf(const struct init_plan *p, const struct init_query *q,
                   struct buf *to)
{
    buf_fmt(to, "# %s\n# sqlite_table(5); \"postmap -q KEY sqlite:FILE\" "
            "asks.\ndbpath = %.*s\nquery = %s\n", q->about,
            STR(p->directory), q->query);
}
