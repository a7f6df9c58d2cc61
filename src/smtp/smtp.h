/* SPDX-License-Identifier: ISC
 *
 * The server's side of the SMTP and LMTP dialogue (RFC 5321, 1870, 2920,
 * 3030, 3207, 4954, 3461, 6531, 2033).  It knows syntax, order and limits,
 * and no policy: what may come it asks a site, whose functions are ordinary
 * calls that may wait.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "mail/address.h"
#include "mail/esmtp.h"
#include "mail/reply.h"
#include "net/conn.h"
#include "net/tls.h"
#include "smtp/dot.h"

struct smtp_session;

enum smtp_verb {
#define VERB(name) VERB_##name,
#include "smtp/verbs.def"
#undef VERB
    N_VERBS
};

/* MAIL FROM and RCPT TO as the client said them, checked. */
struct smtp_mail {
    struct address sender;
    str text;               /* the path as written, for log lines */
    struct mail_params params;
};
struct smtp_rcpt {
    struct address address;
    str text;
    struct rcpt_params params;
};

/* What is noted, and what its text is. */
enum smtp_note {
    SMTP_NOTE_ADDRESS,      /* an address' bad syntax: the path */
    SMTP_NOTE_PIPELINING,   /* input where none may be: its first bytes */
    SMTP_NOTE_BAD_COMMAND,  /* the session ends for it: the line */
    SMTP_NOTE_LONG_LINE,    /* it was cut: its start */
    SMTP_NOTE_BDAT,         /* bad syntax: the line */
    SMTP_NOTE_BDAT_NULL,
    SMTP_NOTE_BDAT_SIZE,
    SMTP_NOTE_TOO_BIG,      /* the message passed its limit */
    SMTP_NOTE_ERRORS,       /* too many */
    SMTP_NOTE_TLS,          /* the handshake is done */
    SMTP_NOTE_TLS_FAILED,   /* or not: lines that say why */
    SMTP_NOTE_MAIL_SIZE,    /* MAIL was refused for its size: the reply */
};

/* Who answers.  Replies' texts live at least until the next call.  The site
 * keeps the transaction: reset ends it, whatever was in it. */
struct smtp_site {
    /* The banner (220), or a refusal. */
    struct reply (*greet)(struct task *t, struct smtp_session *s);
    /* HELO, EHLO, LHLO: 250 to go on; the text of an EHLO is made here. */
    struct reply (*helo)(struct task *t, struct smtp_session *s, str name);
    struct reply (*mail)(struct task *t, struct smtp_session *s,
                         const struct smtp_mail *m);
    struct reply (*rcpt)(struct task *t, struct smtp_session *s,
                         const struct smtp_rcpt *r);
    /* Before 354 (or the first BDAT). */
    struct reply (*data)(struct task *t, struct smtp_session *s);
    /* A piece of the message, CR LF line ends, dots unstuffed. An error ends
     * the session. */
    err (*body)(struct task *t, struct smtp_session *s, str bytes);
    /* The end of the message: the answer for all, or (LMTP) for the i-th
     * accepted recipient; called once for each then. */
    struct reply (*end)(struct task *t, struct smtp_session *s, size_t i);
    void (*reset)(struct task *t, struct smtp_session *s);
    struct reply (*vrfy)(struct task *t, struct smtp_session *s, str text);
    struct reply (*etrn)(struct task *t, struct smtp_session *s, str domain);
    /* Whether TLS can start; *ctx then. */
    struct reply (*starttls)(struct task *t, struct smtp_session *s,
                             struct tls_context **ctx);
    /* AUTH: drives the exchange with smtp_challenge, answers 235 or not. */
    struct reply (*auth)(struct task *t, struct smtp_session *s, str mech,
                         str initial, bool has_initial);
    /* Whether a command line is answered apart from all order: words that
     * mean nothing (250), or that end the session (221).  Code 0: no. */
    struct reply (*special)(struct task *t, struct smtp_session *s,
                            str verb, str line);
    /* Something worth a line in the log. */
    void (*note)(struct task *t, struct smtp_session *s, enum smtp_note n,
                 str text);
    /* A reply with more lines for one who is refused; may be NULL. */
    struct reply (*footer)(struct task *t, struct smtp_session *s,
                           struct reply r);
};

/* Limits and words; all set by whoever starts the session. */
struct smtp_options {
    str hostname;           /* of replies */
    bool lmtp;
    bool helo_required;
    bool strict_paths;      /* strict_rfc821_envelopes */
    bool min_user;          /* allow_min_user: a local part may begin with
                               "-" */
    bool strict_utf8;       /* strict_smtputf8 */
    bool no_vrfy;           /* disable_vrfy_command */
    bool soft_bounce;       /* no permanent refusals */
    bool offer_starttls, offer_auth, auth_needs_tls, tls_required;
    bool offer_size, offer_pipelining, offer_vrfy, offer_etrn, offer_dsn,
         offer_8bitmime, offer_utf8, offer_chunking, offer_codes;
    str auth_mechs, auth_mechs_tls; /* "PLAIN LOGIN" */
    bool hide_auth;         /* it is there, but not announced */
    bool forbid_pipelining; /* commands before their time end the session */
    bool broken_auth_clients;
    bool any_address;       /* of whatever domain: it may bounce later */
    int64_t timeout_s;
    int64_t hello_timeout_s; /* until the client has introduced itself; 0: the
                                same */
    int64_t starttls_timeout_s;
    uint64_t size_max;      /* 0: none */
    uint32_t rcpts_max, rcpts_over_max; /* smtpd_recipient_overshoot_limit */
    uint32_t errors_soft, errors_hard, junk_max;
    int64_t error_sleep_s;
    uint32_t line_max;
};

/* Where a message that comes in chunks (BDAT) is. */
enum smtp_bdat { SMTP_BDAT_NONE, SMTP_BDAT_OPEN, SMTP_BDAT_FAILED };

struct smtp_session {
    const struct smtp_site *site;
    void *self;             /* the site's own */
    struct smtp_options o;
    struct conn *conn;
    struct arena *memory;   /* the session's */
    struct arena scratch;   /* one command's */

    str peer;               /* "name[address]" of the client */
    str helo;               /* what the client called itself, or empty */
    bool esmtp;             /* it said EHLO (or LHLO) */
    bool mail;              /* a transaction is open */
    bool smtputf8;          /* ... whose MAIL said SMTPUTF8 */
    const struct address *refused_sender; /* of SMTP_NOTE_MAIL_SIZE */
    bool over;              /* QUIT, 421, or lost */
    bool denied;            /* refused at the greeting: only QUIT is left */
    bool authenticated;
    bool too_big;           /* this message passed size_max */
    bool tls_started;
    bool tls_failed;            /* nothing more may be said in clear */
    bool pipelined;         /* once, commands came before their time */
    uint32_t n_rcpts;       /* accepted in this transaction */
    uint32_t n_rcpts_over;  /* refused because there were too many */
    enum smtp_bdat bdat;
    struct dot_decoder chunks;
    uint64_t n_bytes;       /* of this message so far */
    uint32_t n_errors, n_junk;
    uint16_t n_good[N_VERBS + 1], n_all[N_VERBS + 1];
    enum smtp_verb verb;    /* the last command; N_VERBS: unknown or none */
    bool after_message;     /* the command before was a whole message */
    const char *where;      /* "CONNECT", "MAIL", "DATA (12 bytes)" ... */
};

/* From greeting to goodbye.  wrapped: TLS before the greeting, with ctx.
 * Returns how the connection ended: OK after QUIT or a 421 of ours, ERR_END
 * lost, ERR_LATE timed out. */
err smtp_serve(struct task *t, struct smtp_session *s,
               struct tls_context *wrapped);

/* For the auth function: sends 334 and the challenge (in base64), reads the
 * client's line decoded into the command's memory.  ERR_SYNTAX: not base64;
 * ERR_STOPPED... as conn_line; ERR_DENIED: the client said "*". */
err smtp_challenge(struct task *t, struct smtp_session *s, str challenge,
                   str *response);

const char *smtp_verb_name(enum smtp_verb v);

#endif
