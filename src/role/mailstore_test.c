/* SPDX-License-Identifier: ISC
 *
 * Where mail is put and where it is read.
 */
#include "role/mailstore.h"

#include "test/unit/check.h"

static str said(struct arena *a, const char *main_cf)
{
    struct conf_source src = {
        .dir = S("/nonexistent"), .main_cf = str_from(main_cf),
        .facts = { .hostname = S("mx.example.com"),
                   .process_name = S("test"), .process_id = S("1") },
    };
    struct conf_findings findings = { 0 };
    struct conf *c = NULL;

    check_ok(conf_read(a, &src, &findings, &c));
    return mailstore_disagreement(c, c, a);
}

TEST(mailstore_agreement)
{
    static const char *const good[] = {
        "home_mailbox = Maildir/\n",
        "home_mailbox = Maildir//\nmailstore_location = maildir:%h/Maildir/\n",
        "home_mailbox = mail/in/\nmailstore_location = ~/mail/in\n",
        "home_mailbox = M/\nmailstore_location = "
            "maildir:~/M:LAYOUT=Maildir++\n",
        "mail_spool_directory = /var/mail/\n"
            "mailstore_location = maildir:/var/mail/%n\n",
        "auth_sources = passwd-file:/etc/x\n",
        "mailbox_transport = lmtp:unix:x\n",
        "mailbox_command = /usr/bin/procmail\n",
        "mydestination =\n",
        "local_transport = error:no\n",
    };
    static const char *const bad[] = {
        "", "home_mailbox =\n", "home_mailbox = Maildir\n",
        "home_mailbox = Mail/\n", "home_mailbox = mbox\n",
        "mail_spool_directory = /var/mail/\n",
        "mailbox_command =\n",
        "home_mailbox = Maildir/\nmailstore_location = maildir:~/mail\n",
        "auth_sources = passwd-file:/etc/x, shadow\n",
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_str(said(&a, good[i]), S(""));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        str text = said(&a, bad[i]);

        check(str_find(text, S("home_mailbox")) != STR_NONE);
        check(str_find(text, S("mailstore_location")) != STR_NONE);
    }
    check_str(said(&a, ""),
              S("home_mailbox is empty and mail_spool_directory = /var/mail: "
                "local(8) delivers to the mbox file /var/mail/%u, but users "
                "read mail where mailstore_location = maildir:~/Maildir "
                "says; set home_mailbox = Maildir/"));
    arena_reset(&a);
}
