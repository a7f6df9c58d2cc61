# SPDX-License-Identifier: ISC
"""The cases of smtpd.py: GROUPS[name] = (settings, dialogues)."""

MAIN_CF = """
compatibility_level = 3.6
myhostname = mx.example.com
mydomain = example.com
myorigin = example.com
mydestination = $myhostname, local.org, localhost
mynetworks = 127.0.0.9
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps = inline:{{ {{joe=x}}, {{ann@local.org=x}} }}
relay_recipient_maps = inline:{{ {{r@relay.org=x}}, {{@sub.relay.org=x}} }}
virtual_mailbox_maps = inline:{{ {{m@vm.org=x}} }}
virtual_alias_domains = va.org
virtual_alias_maps = inline:{{ {{v@va.org=joe}} }}
virtual_mailbox_domains = vm.org
relay_domains = relay.org
recipient_delimiter = +
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
"""

HELO = ["EHLO client.example.net"]
TLS = "(handshake)"     # an item: no command, but what follows STARTTLS


def mail(sender="s@far.org", *rcpts, end=()):
    return HELO + [f"MAIL FROM:<{sender}>"] + [
        f"RCPT TO:<{r}>" for r in rcpts] + list(end)


def data(text=b"Subject: x\r\n\r\nx\r\n"):
    return ["DATA", text + b".\r\n"]


GROUPS = {}


def group(name, cases, **settings):
    GROUPS[name] = (settings, cases)


group("relay", [
    mail("s@far.org", "x@other.org", "joe@local.org", "nobody@local.org",
         "ann@local.org", "r@relay.org", "q@relay.org", "v@va.org",
         "n@va.org", "m@vm.org", "n@vm.org", "joe", "Postmaster",
         "postmaster@local.org", "abuse@local.org", "postmaster@vm.org",
         "postmaster@example.com", "postmaster@mx.example.com",
         "x%other.org@local.org", "x@[127.0.0.1]", "x@[1.2.3.4]",
         '"a b"@local.org', '"a b"@far.org', "@a,@b:joe@local.org"),
    mail("", "x@other.org", "joe@local.org"),
    [{"from": "127.0.0.9"}] + mail("s@far.org", "x@other.org",
                                   "nobody@local.org"),
])
group("actions", [
    mail(f"{a}@s.org", "joe@local.org", end=data() + ["QUIT"])
    for a in """ok num rej rejt rejd d dt c4 c5 c421 c521 dun warn warnt info
    hold holdt disc disct filt filtbad filt0 redir redirbad bcc pre prebad
    dip dipt dir dirt list class cls2 unk tab relay rej511 rej512 rej513
    rej517 rej518 okt rejl empty1""".split()],
    smtpd_sender_restrictions="""check_sender_access inline:{ {ok@s.org=OK},
    {num@s.org=12345}, {rej@s.org=REJECT}, {rejt@s.org=reject go away},
    {rejd@s.org=REJECT 5.6.7 go away}, {d@s.org=DEFER},
    {dt@s.org=DEFER later}, {c4@s.org=450 try again}, {c5@s.org=550 no},
    {c421@s.org=421 bye}, {c521@s.org=521 5.3.2 bye}, {dun@s.org=DUNNO x},
    {warn@s.org=WARN}, {warnt@s.org=WARN be careful}, {info@s.org=INFO hm},
    {hold@s.org=HOLD}, {holdt@s.org=HOLD for me}, {disc@s.org=DISCARD},
    {disct@s.org=DISCARD away}, {filt@s.org=FILTER smtp:[127.0.0.1]},
    {filtbad@s.org=FILTER smtp}, {filt0@s.org=FILTER},
    {redir@s.org=REDIRECT ann@local.org}, {redirbad@s.org=REDIRECT x},
    {bcc@s.org=BCC ann@local.org}, {pre@s.org=PREPEND X-Foo: bar},
    {prebad@s.org=PREPEND foo}, {dip@s.org=DEFER_IF_PERMIT},
    {dipt@s.org=DEFER_IF_PERMIT 4.2.3 wait}, {dir@s.org=DEFER_IF_REJECT},
    {dirt@s.org=DEFER_IF_REJECT wait}, {list@s.org=permit_mynetworks reject},
    {class@s.org=cls}, {cls2@s.org=nosuch}, {unk@s.org=BOGUS words},
    {tab@s.org=check_sender_access hash:/x}, {relay@s.org=RELAY},
    {rej511@s.org=REJECT 5.1.1 x}, {rej512@s.org=REJECT 5.1.2 x},
    {rej513@s.org=REJECT 5.1.3 x}, {rej517@s.org=REJECT 5.1.7 x},
    {rej518@s.org=REJECT 5.1.8 x}, {okt@s.org=OK fine} }""",
    smtpd_restriction_classes="cls",
    cls="defer_if_permit, permit")

NAMES = ["x", "foo.bar", "-x.y", "x-.y", "x..y", ".x", "x.", "x.y.", "x..",
         "1.2.3.4", "1.2.3", "1.2.3.4.", "[1.2.3.4]", "[1.2.3]", "[1.2.3.4",
         "[IPv6:::1]", "[::1]", "::1", "[]", "a_b.c", "_", "x!y.z", "x@y.z",
         "foo bar", "a" * 63 + ".b", "a" * 64 + ".b", "(x)", "a<b>", "3com.com",
         "1.2.3.x", "\u00e4.org", "x" * 256, ".", "*", "localhost"]


def helo_cases(*names):
    return [[f"HELO {n}", "MAIL FROM:<s@far.org>", "RCPT TO:<joe@local.org>",
             "QUIT"] for n in names]


group("helo_invalid", helo_cases(*NAMES),
      smtpd_helo_restrictions="reject_invalid_helo_hostname")
group("helo_fqdn", helo_cases(*NAMES),
      smtpd_helo_restrictions="reject_non_fqdn_helo_hostname",
      non_fqdn_reject_code="450")
group("helo_old", helo_cases("x", "x..y", "1.2.3.4"),
      smtpd_helo_restrictions="reject_invalid_hostname,"
                              "reject_non_fqdn_hostname",
      invalid_hostname_reject_code="550")
group("helo_naked", helo_cases("1.2.3.4", "[1.2.3.4]", "1.2.3", "x", "::1"),
      smtpd_helo_restrictions="permit_naked_ip_address, reject")
group("helo_access", helo_cases("a.b.c", "b.c", "c", "x.c", "A.B.C", "d",
                                "x.d", "y.x.d", "1.2.3.4", "1.2.3.5", "[x]"),
      smtpd_helo_restrictions="""check_helo_access inline:{ {b.c=REJECT bc},
      {.c=REJECT dotc}, {d=OK}, {.d=501 5.5.2 dotd}, {1.2.3.4=REJECT ip},
      {1.2.3=REJECT net}, {.3.5=REJECT odd} }, reject_non_fqdn_hostname""")
group("helo_parents", helo_cases("a.b.c", "b.c", "c", "x.c", "x.d"),
      parent_domain_matches_subdomains="smtpd_access_maps",
      smtpd_helo_restrictions="""check_helo_access inline:{ {b.c=REJECT bc},
      {.c=REJECT dotc}, {d=REJECT d} }""")

FROM = [{"from": "127.0.0.1"}, {"from": "127.0.0.9"}, {"from": "127.0.3.4"}]
group("client", [[f] + mail("s@far.org", "joe@local.org") for f in FROM],
      smtpd_client_restrictions="""check_client_access
      inline:{ {127.0.3=REJECT net}, {localhost=WARN me},
               {127.0.0.9=REJECT 5.1.1 nine}, {unknown=INFO who} }""")
group("client_bare", [[f] + mail("s@far.org", "joe@local.org")
                      for f in FROM],
      smtpd_client_restrictions="inline:{ {127.0.3=REJECT net} }, "
                                "permit_inet_interfaces, reject",
      reject_code="521")
group("client_cidr", [[f] + mail("s@far.org", "joe@local.org")
                      for f in FROM],
      smtpd_client_restrictions="check_client_access "
      "cidr:{ {127.0.3.0/24 REJECT net}, {!127.0.0.0/8 REJECT}, "
      "{127.0.0.9 DEFER nine} }, check_client_access "
      "regexp:{ {/^(local)host$$/ 450 4.7.0 $$1} }")
for word in ("reject_unknown_client_hostname", "reject_unknown_client",
             "reject_unknown_reverse_client_hostname",
             "permit_mynetworks,reject", "permit_sasl_authenticated,defer",
             "reject_plaintext_session", "permit_tls_all_clientcerts,reject",
             "sleep 0, reject", "defer_if_reject,reject",
             "defer_if_permit,permit", "defer_if_permit,reject",
             "warn_if_reject reject, defer", "warn_if_reject, permit, reject",
             "warn_if_reject defer_if_permit, reject",
             "warn_if_reject defer_if_reject, reject",
             "defer_if_permit, defer_if_reject, reject",
             "check_reverse_client_hostname_access "
             "inline:{ {127.0.0.9=OK}, {localhost=REJECT x} }, reject",
             "{check_client_access inline:{{localhost=REJECT}}}",
             "permit_inet_interfaces,reject"):
    if word.startswith("{"):
        continue
    name = "c:" + word
    group(name, [[f] + mail("s@far.org", "joe@local.org", "x@far.org")
                 for f in FROM[:2]], smtpd_client_restrictions=word)

ADDRESSES = ["joe@local.org", "joe+x@local.org", "JOE@local.org",
             "joe+y@Local.Org", "bob@local.org", "u@sub.local.org",
             "u@far.org", "joe@far.org", "u@a.b.par.org", "u@par.org",
             "u@b.par.org", "joe", '"a b"@far.org', "u%far.org@local.org",
             "u@[192.0.2.1]", "u+x@far.org", "any@dun.org", "u@x.dun.org",
             "ok@r.org", "x@ok.org"]
KEYS = """inline:{ {joe@local.org=REJECT full}, {joe+x@local.org=REJECT ext},
  {local.org=REJECT 5.1.2 domain}, {.local.org=REJECT dot},
  {joe@=REJECT 5.1.1 joeat}, {joe+x@=REJECT}, {far.org=WARN far},
  {.par.org=DEFER par}, {b.par.org=DUNNO}, {u+x@=INFO plus},
  {joe@example.com=REJECT completed}, {<>=REJECT null},
  {dun.org=DUNNO}, {any@=REJECT any},
  {[192.0.2.1]=REJECT lit}, {ok@r.org=OK}, {x.dun.org=REJECT text} }"""
group("sender_keys", [mail(a, "joe@local.org") for a in ADDRESSES + [""]],
      smtpd_sender_restrictions="check_sender_access " + KEYS)
group("recipient_keys", [mail("s@far.org", *ADDRESSES)],
      smtpd_recipient_restrictions="check_recipient_access " + KEYS
      + ", reject_unauth_destination")
group("recipient_first", [mail("s@far.org", *ADDRESSES)],
      smtpd_recipient_restrictions="check_recipient_access " + KEYS,
      smtpd_relay_before_recipient_restrictions="no")
group("sender_nulls", [mail("", "joe@local.org"), mail("x@y", "joe")],
      smtpd_null_access_lookup_key="nobody",
      smtpd_sender_restrictions="inline:{ {nobody=DEFER null} }")
group("domains", [mail(s, *ADDRESSES) for s in
                  ("s", "s@far", "s@far.org", "s@far.", "s@[x]", "s@1.2.3.4",
                   "s@a..b", "s@-x.y", "s@far.org.")],
      smtpd_sender_restrictions="reject_non_fqdn_sender",
      smtpd_recipient_restrictions="reject_non_fqdn_recipient")
group("unlisted", [mail(s, "joe@local.org", "nobody@local.org")
                   for s in ("joe@local.org", "nobody@local.org",
                             "n@va.org", "q@relay.org", "x@far.org", "")],
      smtpd_reject_unlisted_sender="yes", smtpd_reject_unlisted_recipient="no")
group("unlisted_words", [mail(s, "joe@local.org", "nobody@local.org",
                              "x@far.org")
                         for s in ("nobody@local.org", "x@far.org")],
      smtpd_sender_restrictions="warn_if_reject reject_unlisted_sender",
      smtpd_recipient_restrictions="reject_unlisted_recipient, "
                                   "check_recipient_maps",
      smtpd_relay_restrictions="permit_auth_destination, "
                               "defer_unauth_destination")
group("unlisted_warn", [mail("s@far.org", "nobody@local.org")],
      smtpd_recipient_restrictions="warn_if_reject reject_unlisted_recipient")
group("show_no", [mail("s@far.org", "nobody@local.org", "q@relay.org")],
      show_user_unknown_table_name="no",
      unknown_local_recipient_reject_code="450")
group("soft", [mail("s@far.org", "nobody@local.org", "x@far.org")
               + ["FOO", "VRFY", "MAIL FROM:<x", "DATA x", "RSET x"],
               mail("s@s.org", "joe@local.org")],
      soft_bounce="yes", smtpd_relay_restrictions="reject_unauth_destination",
      smtpd_sender_restrictions="check_sender_access "
                                "inline:{{s@s.org=550 5.1.1 no}}")
group("nodelay", [
    [{"from": "127.0.0.1"}] + mail("s@far.org", "joe@local.org"),
    [{"from": "127.0.0.9"}] + mail("s@far.org", "joe@local.org"),
    ["HELO bad", "MAIL FROM:<s@far.org>", "HELO good",
     "MAIL FROM:<bad@far.org>", "MAIL FROM:<dip@far.org>",
     "RCPT TO:<joe@local.org>", "RSET", "MAIL FROM:<s@far.org>",
     "RCPT TO:<joe@local.org>", "RCPT TO:<x@far.org>", "QUIT"],
    ["HELO dip", "MAIL FROM:<s@far.org>", "RCPT TO:<joe@local.org>",
     "RCPT TO:<x@far.org>", "RSET", "HELO good", "MAIL FROM:<s@far.org>",
     "RCPT TO:<joe@local.org>"],
    ["HELO hold", "MAIL FROM:<s@far.org>", "RCPT TO:<joe@local.org>"]
    + data() + ["MAIL FROM:<s@far.org>", "RCPT TO:<joe@local.org>", "QUIT"],
    ["HELO disc", "MAIL FROM:<s@far.org>", "RCPT TO:<x@far.org>"]
    + data() + ["MAIL FROM:<s@far.org>", "RCPT TO:<x@far.org>", "QUIT"],
], smtpd_delay_reject="no",
    smtpd_client_restrictions="check_client_access "
    "inline:{ {127.0.0.9=REJECT nine} }",
    smtpd_helo_restrictions="check_helo_access inline:{ {bad=REJECT helo}, "
    "{dip=DEFER_IF_PERMIT helo}, {hold=HOLD}, {disc=DISCARD} }",
    smtpd_sender_restrictions="check_sender_access "
    "inline:{ {bad@far.org=REJECT sender}, {dip@far.org=DEFER_IF_PERMIT s} }")
group("nodelay421", [["HELO x", "MAIL FROM:<s@far.org>"]],
      smtpd_delay_reject="no",
      smtpd_client_restrictions="inline:{ {127.0.0.1=421 4.7.0 bye} }")
group("nodelay521", [["HELO x", "MAIL FROM:<s@far.org>"]],
      smtpd_delay_reject="no",
      smtpd_client_restrictions="inline:{ {127.0.0.1=521 bye} }")
group("data", [
    mail("s@far.org", "joe@local.org", end=data()),
    mail("s@far.org", "joe@local.org", "ann@local.org", end=data()),
    mail("", "joe@local.org", "ann@local.org", end=data()),
    mail("", "joe@local.org", end=data()),
    mail("rej@far.org", "joe@local.org", end=data()),
    mail("def@far.org", "joe@local.org", end=data()),
    mail("rej@far.org", "joe@local.org", "ann@local.org", end=data()),
    mail("rej@far.org", "joe@local.org",
         end=[b"BDAT 5 LAST\r\nabc\r\n"]),
    mail("s@far.org", "joe@local.org",
         end=[b"BDAT 5 LAST\r\nabc\r\n", "QUIT"]),
], smtpd_data_restrictions="reject_multi_recipient_bounce, "
    "check_sender_access inline:{ {rej@far.org=REJECT data}, "
    "{def@far.org=DEFER_IF_PERMIT} }, check_recipient_access "
    "inline:{ {ann@local.org=REJECT ann} }")
group("eod", [
    mail("s@far.org", "joe@local.org", end=data() + ["QUIT"]),
    mail("rej@far.org", "joe@local.org", end=data() + ["QUIT"]),
    mail("pre@far.org", "joe@local.org", end=data() + ["QUIT"]),
    mail("hold@far.org", "joe@local.org", end=data() + ["QUIT"]),
    mail("c421@far.org", "joe@local.org", end=data() + ["QUIT"]),
    mail("rej@far.org", "joe@local.org", "ann@local.org",
         end=data() + ["QUIT"]),
    mail("", "joe@local.org", end=data() + ["QUIT"]),
    mail("rej@far.org", "joe@local.org",
         end=[b"BDAT 5\r\nabc\r\n", b"BDAT 0 LAST\r\n", "QUIT"]),
], smtpd_end_of_data_restrictions="check_sender_access "
    "inline:{ {rej@far.org=REJECT eod}, {pre@far.org=PREPEND X: y}, "
    "{hold@far.org=HOLD}, {c421@far.org=421 bye} }, reject_unauth_pipelining")
group("etrn", [["ETRN x", "HELO y", "ETRN rej.org", "ETRN relay.org",
                "ETRN", "ETRN a b", "ETRN far.org", "ETRN [x]", "ETRN @a.b",
                "ETRN #x", "ETRN -x", "ETRN x..y", "ETRN [1.2.3.4]",
                "ETRN sub.rej.org", "MAIL FROM:<>", "ETRN relay.org",
                "QUIT"]],
      smtpd_etrn_restrictions="check_etrn_access "
      "inline:{ {rej.org=REJECT etrn}, {.rej.org=DEFER_IF_PERMIT dot} }")
group("etrn_reject", [["HELO y", "ETRN relay.org", "QUIT"]],
      smtpd_etrn_restrictions="permit_mynetworks, reject")
group("classes", [mail(s, "joe@local.org") for s in
                  ("a@a.org", "b@b.org", "c@c.org", "d@d.org", "e@e.org")],
      smtpd_restriction_classes="one, two three",
      one="check_sender_access inline:{ {a@a.org=REJECT one}, {b@b.org=two} }",
      two="warn_if_reject reject, three",
      three="check_sender_access inline:{ {b@b.org=REJECT three}, "
            "{c@c.org=permit}, {d@d.org=warn_if_reject reject} }",
      smtpd_sender_restrictions="one, warn_if_reject three, three, "
      "check_sender_access inline:{ {c@c.org=REJECT not reached}, "
      "{e@e.org=warn_if_reject, two, reject_non_fqdn_sender reject} }")
group("login", [mail("joe@local.org", "joe@local.org")],
      smtpd_sender_login_maps="inline:{ {joe@local.org=joe} }",
      smtpd_sender_restrictions="reject_sender_login_mismatch")
group("codes", [mail("s@far.org", "x@far.org"),
                [{"from": "127.0.0.9"}] + mail("s@far.org", "joe@local.org")],
      relay_domains_reject_code="571", reject_code="599",
      smtpd_relay_restrictions="reject_unauth_destination",
      smtpd_client_restrictions="check_client_access "
      "inline:{ {127.0.0.9=reject} }")
group("fails", [mail("s@far.org", "joe@local.org")],
      smtpd_sender_restrictions="check_sender_access fail:x")
group("fails2", [mail("s@far.org", "joe@local.org")],
      smtpd_sender_restrictions="warn_if_reject check_sender_access fail:x")
group("fails3", [mail("s@far.org", "joe@local.org")],
      mynetworks="fail:x", smtpd_relay_restrictions="permit_mynetworks,"
      "reject_unauth_destination")
group("accmap", [mail("a@s.org", "joe@local.org"),
                 mail("b@s.org", "joe@local.org")],
      access_map_reject_code="553", access_map_defer_code="421",
      smtpd_sender_restrictions="inline:{ {a@s.org=REJECT},{b@s.org=DEFER} }")
group("reject_all", [mail("s@far.org", "joe@local.org", "postmaster",
                          "postmaster@local.org"),
                     ["HELO x", "VRFY joe", "VRFY <joe@local.org>",
                      "VRFY nobody@local.org", "VRFY x@far.org"]],
      smtpd_recipient_restrictions="reject_unlisted_recipient, reject")

# --- the dialogue itself ----------------------------------------------------
plain = [
    ["HELP", "NOOP", "NOOP x y", "RSET", "RSET x", "EXPN x", "FOO", "", "  ",
     "QUIT x", "QUIT"],
    ["HELO", "EHLO", "HELO a b", "EHLO a b c", "helo x", "  HELO x",
     "HELO x ", "MAIL", "RCPT TO:<x@y>", "DATA", "QUIT"],
    ["MAIL FROM:<x@y.org>", "RCPT TO:<joe@local.org>", "EHLO x",
     "RCPT TO:<joe@local.org>", "MAIL FROM:<x@y.org>", "EHLO x"],
    HELO + ["MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM: ", "MAIL x",
            "MAIL FROM:x@y.org", "RSET", "MAIL FROM: <x@y.org>", "RSET",
            "MAIL  FROM  :<x@y.org>", "RSET", "mail from:<x@y.org>", "RSET",
            "MAIL FROM:<x@y.org> ", "RSET"],
    HELO + ["MAIL FROM:<x@y.org>x", "RSET", "MAIL FROM:<>", "RSET",
            "MAIL FROM:<x y@y.org>", "RSET",
            "MAIL FROM:<x@>"],
    HELO + ["MAIL FROM:<x@y@z.org>"],
    HELO + ["MAIL FROM:<x@y.org> (c)", "RSET",
            "MAIL FROM:<\"x\"@y.org>", "RSET", "MAIL FROM:<\"x y\"@y.org>"],
    HELO + ["MAIL FROM:<x@y.org> SIZE=1", "RSET",
            "MAIL FROM:<x@y.org> SIZE=x", "MAIL FROM:<x@y.org> SIZE=",
            "MAIL FROM:<x@y.org> SIZE=99999999999",
            "MAIL FROM:<x@y.org> SIZE=99999999999999999999999999",
            "MAIL FROM:<x@y.org> BODY=7BIT", "RSET",
            "MAIL FROM:<x@y.org> BODY=8bitmime", "RSET",
            "MAIL FROM:<x@y.org> BODY=BINARYMIME", "RSET",
            "MAIL FROM:<x@y.org> FOO", "MAIL FROM:<x@y.org> FOO=BAR"],
    HELO + ["MAIL FROM:<x@y.org> RET=FULL", "RSET",
            "MAIL FROM:<x@y.org> RET=x", "MAIL FROM:<x@y.org> RET=HDRS "
            "RET=HDRS", "MAIL FROM:<x@y.org> ENVID=abc", "RSET",
            "MAIL FROM:<x@y.org> ENVID=a+b", "MAIL FROM:<x@y.org> ENVID=",
            "RSET",
            "MAIL FROM:<x@y.org> AUTH=<>", "MAIL FROM:<x@y.org> SMTPUTF8",
            "RSET", "MAIL FROM:<x@y.org> XVERP", "MAIL FROM:<> XVERP",
            "MAIL FROM:<\u00e4@y.org>", "MAIL FROM:<\u00e4@y.org> SMTPUTF8"],
    mail("x@y.org") + ["RCPT", "RCPT TO", "RCPT TO:", "RCPT TO:<>",
                       "RCPT FROM:<x@y>", "RCPT TO:joe@local.org",
                       "RCPT TO:<joe@local.org>x",
                       "RCPT TO:<joe@local.org> FOO",
                       "RCPT TO:<joe@local.org> NOTIFY=NEVER",
                       "RCPT TO:<joe@local.org> NOTIFY=SUCCESS,FAILURE",
                       "RCPT TO:<joe@local.org> NOTIFY=NEVER,DELAY"],
    mail("x@y.org") + ["RCPT TO:<joe@local.org> NOTIFY=x",
                       "RCPT TO:<joe@local.org> NOTIFY=",
                       "RCPT TO:<joe@local.org> ORCPT=rfc822;x@y",
                       "RCPT TO:<joe@local.org> ORCPT=x",
                       "RCPT TO:<joe@local.org> ORCPT=;x",
                       "RCPT TO:<joe@local.org> ORCPT=rfc822;a+b",
                       "RCPT TO:<j oe@local.org>",
                       "RCPT TO:<joe@local.org> NOTIFY=NEVER NOTIFY=NEVER"],
    ["HELO x", "MAIL FROM:<x@y.org> SIZE=1", "RSET",
     "MAIL FROM:<x@y.org> RET=FULL", "RSET", "MAIL FROM:<x@y.org>",
     "RCPT TO:<joe@local.org> NOTIFY=NEVER", "DATA",
     b"x: y\r\n\r\nz\r\n.\r\n", "QUIT"],
    mail("x@y.org", "joe@local.org") + ["DATA x", "MAIL FROM:<z@y.org>"]
    + data() + ["DATA", "RCPT TO:<joe@local.org>", "QUIT"],
    mail("x@y.org", "x@far.org") + ["DATA", "RCPT TO:<joe@local.org>"]
    + data(),
    HELO + ["DATA", "BDAT", "BDAT x"], HELO + ["BDAT 3"],
    # no recipient at all, and addresses that look like options
    HELO + ["MAIL FROM:<x@y.org>", "DATA", "BDAT 3", "QUIT"],
    HELO + ["MAIL FROM:<-x@y.org>", "MAIL FROM:<-x>", "VRFY -x@y.org",
            "MAIL FROM:<x@y.org>", "RCPT TO:<-x@y.org>",
            'RCPT TO:<"-x"@y.org>', "RCPT TO:<-x>", "QUIT"],
    HELO + [b"BDAT 3\r\nabc", "NOOP"], HELO + ["BDAT 0 LAST", "NOOP"],
    mail("x@y.org", "joe@local.org") + [b"BDAT 3\r\na\r\n", "NOOP", "RCPT TO:"
         "<joe@local.org>", "MAIL FROM:<x@y.org>", "VRFY x", "DATA",
         b"BDAT 2 LAST\r\nb\n", "QUIT"],
    mail("x@y.org", "joe@local.org") + [b"BDAT 3\r\na\r\n", "RSET", "NOOP",
                                        b"BDAT 2 LAST\r\nb\n", "QUIT"],
    mail("x@y.org", "joe@local.org") + ["BDAT 1 2 3", "BDAT -1", "NOOP"],
    mail("x@y.org", "joe@local.org") + ["BDAT 0", "BDAT 0 LAST", "NOOP"],
    # a refused LAST ends the transaction, whatever refused it
    mail("x@y.org", "joe@local.org") + ["BDAT 0", "BDAT 0 LAST",
                                        "RCPT TO:<joe@local.org>",
                                        "MAIL FROM:<x@y.org>", "QUIT"],
    HELO + ["MAIL FROM:<x@y.org>", b"BDAT 3 LAST\r\nabc",
            "RCPT TO:<joe@local.org>", "MAIL FROM:<x@y.org>", "QUIT"],
    HELO + ["MAIL FROM:<x@y.org>", b"BDAT 3\r\nabc",
            "RCPT TO:<joe@local.org>", b"BDAT 3 LAST\r\nabc",
            "RCPT TO:<joe@local.org>", "MAIL FROM:<x@y.org>", "QUIT"],
    HELO + [b"BDAT 3\r\nabc", "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>", b"BDAT 3 LAST\r\nabc", "QUIT"],
    ["VRFY", "HELO x", "VRFY", "VRFY joe", "VRFY <joe>", "VRFY joe@local.org",
     "VRFY nobody", "VRFY x@far.org", "VRFY a b", "VRFY <>",
     "VRFY \"a b\"@local.org", "MAIL FROM:<x@y.org>", "VRFY joe",
     "VRFY nobody"],
    ["AUTH PLAIN x", "EHLO x", "AUTH PLAIN x", "STARTTLS", "STARTTLS x",
     "XCLIENT NAME=x", "XFORWARD NAME=x", "LHLO x", "TURN", "SEND FROM:<x>"],
    ["GET / HTTP/1.0"], ["POST /x"], ["CONNECT x:25"], ["Subject: x"],
    ["HELO x", "MAIL FROM:<x@y.org>", "Received: x"], ["x:"], ["USER joe"],
    ["get /"], ["PASS x"], ["EHLO x", b"\xff\xfe\r\n", b"\x00abc\r\n",
                            "QUIT"],
    [(4, b"EHLO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n"
         b"DATA\r\n")],
    HELO + [(4, b"MAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\nDATA\r\n"
                b"x: y\r\n\r\nx\r\n.\r\n")],
    HELO + [(3, b"NOOP\r\nVRFY joe\r\nNOOP\r\n"), "QUIT"],
    HELO + [(3, b"HELO x\r\nHELO y\r\nNOOP\r\n"), "QUIT"],
    HELO + [(3, b"RSET\r\nQUIT\r\nNOOP\r\n")],
    ["HELO x", (3, b"MAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n"
                   b"RSET\r\n"), "QUIT"],
    [b"HELO x\n", b"NOOP\n", b"HELO x\rNOOP\r\n", "QUIT"],
    HELO + [b"NOOP " + b"x" * 3000 + b"\r\n", "NOOP", "QUIT"],
    HELO + [b"MAIL FROM:<" + b"x" * 1000 + b"@y.org>\r\n", "RSET",
            b"MAIL FROM:<x@" + b"y" * 1000 + b">\r\n", "QUIT"],
    [b"HELO " + b"x" * 1500 + b"\r\n", "MAIL FROM:<>",
     "RCPT TO:<x@far.org>", "QUIT"],
]
group("plain", plain)
group("plain_codes", [
    HELO + ["MAIL FROM:<x@y.org> SIZE=5000", "RSET", "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"] + data(b"x: y\r\n\r\n" + b"z" * 1100
                                              + b"\r\n") + ["QUIT"],
    mail("x@y.org", "joe@local.org") + [b"BDAT 1100\r\n" + b"x" * 1100,
                                        b"BDAT 3 LAST\r\nabc", "NOOP"],
    mail("x@y.org", "joe@local.org") + [b"BDAT 1100 LAST\r\n" + b"x" * 1100,
                                        "RCPT TO:<joe@local.org>",
                                        "MAIL FROM:<x@y.org>", "QUIT"],
    mail("x@y.org", "joe@local.org") + [b"BDAT 900\r\n" + b"x" * 900,
                                        b"BDAT 900 LAST\r\n" + b"x" * 900,
                                        "NOOP"],
], message_size_limit="1000")
group("utf8_no", [HELO + ["MAIL FROM:<x@y.org> SMTPUTF8",
                          "MAIL FROM:<x@y.org>"],
                   HELO + ["MAIL FROM:<\u00e4@y.org>"]],
      smtputf8_enable="no")
group("utf8_strict", [HELO + ["MAIL FROM:<\u00e4@y.org>",
                              "MAIL FROM:<x@y.org>",
                              "RCPT TO:<\u00e4@local.org>"]],
      strict_smtputf8="yes")
group("strict", plain[3:5] + [
    mail("x@y.org") + ["RCPT TO:joe@local.org", "RCPT TO: <joe@local.org>",
                       "RCPT TO:<joe@local.org> "]],
    strict_rfc821_envelopes="yes")
group("required", [["MAIL FROM:<x@y.org>", "VRFY joe", "ETRN relay.org",
                    "NOOP", "RSET", "DATA", "RCPT TO:<x>", "HELO x",
                    "MAIL FROM:<x@y.org>"]], smtpd_helo_required="yes")
group("no_vrfy", [["EHLO x", "VRFY joe", "VRFY"]],
      disable_vrfy_command="yes")
group("keywords", [["EHLO x", "MAIL FROM:<x@y.org> SIZE=1",
                    "MAIL FROM:<x@y.org> RET=FULL", "RSET",
                    "MAIL FROM:<x@y.org>", "VRFY joe", "ETRN relay.org",
                    "RCPT TO:<joe@local.org> NOTIFY=NEVER",
                    "BDAT 0", "RCPT TO:<nobody@local.org>", "FOO"]],
      smtpd_discard_ehlo_keywords="dsn, etrn, vrfy, chunking, size, "
      "enhancedstatuscodes, 8bitmime, smtputf8, pipelining, silent-discard")
group("keywords_map", [["EHLO x"], [{"from": "127.0.0.9"}, "EHLO x"]],
      smtpd_discard_ehlo_keyword_address_maps=
      "inline:{ {127.0.0.9=dsn, etrn} }")
group("few", [
    mail("x@y.org", "joe@local.org", "ann@local.org", "v@va.org",
         "joe@local.org", end=["FOO", "NOOP"]),
], smtpd_recipient_limit="2", smtpd_recipient_overshoot_limit="1")
group("errors", [["FOO"] * 7, ["HELO x"] + ["FOO"] * 2 + ["NOOP", "FOO",
                                                          "NOOP"],
                 mail("x@y.org", *["x@far.org"] * 5)],
      smtpd_soft_error_limit="2", smtpd_hard_error_limit="4")
group("junk", [["NOOP"] * 9, ["RSET"] * 9, ["HELO x"] + ["VRFY joe"] * 9],
      smtpd_junk_command_limit="3", smtpd_hard_error_limit="4")
group("noop", [["HELO x", "FOO", "BAR x y", "BAZ", "foo"]],
      smtpd_noop_commands="foo BAR")
group("forbidden", [["GET /"], ["FOO x"], ["BAR"], ["xBAZx"],
                    ["x: y", "QUIT"]],
      smtpd_forbidden_commands="FOO bar regexp:{{/^xBAZ/ y}}")
group("banner", [["QUIT"]],
      smtpd_banner="$myhostname ESMTP ($mail_name) ready")
group("pipelining", [
    [(3, b"HELO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n")],
    [(3, b"EHLO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n")],
    HELO + [(2, b"MAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n")],
    ["HELO x", (2, b"MAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n")],
    HELO + [(2, b"NOOP\r\nNOOP\r\n"), "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"],
    HELO + [(2, b"VRFY joe\r\nNOOP\r\n"), "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"],
    HELO + [(2, b"RSET\r\nNOOP\r\n"), "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"],
    HELO + [(2, b"FOO\r\nNOOP\r\n"), "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"],
    HELO + [(2, b"ETRN x\r\nNOOP\r\n"), "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"],
], smtpd_recipient_restrictions="reject_unauth_pipelining",
    smtpd_etrn_restrictions="reject")
group("forbid_pipelining", [
    HELO + [(2, b"NOOP\r\nNOOP\r\n"), "NOOP"],
    [(2, b"EHLO x\r\nMAIL FROM:<x@y.org>\r\n"), "NOOP"],
    HELO + [(2, b"MAIL FROM:<x@y.org>\r\nRCPT TO:<joe@local.org>\r\n"),
            (2, b"DATA\r\nx: y\r\n\r\n.\r\n")],
], smtpd_forbid_unauth_pipelining="yes")
group("pipelined_data", [
    HELO + ["MAIL FROM:<x@y.org>", "RCPT TO:<joe@local.org>",
            (2, b"DATA\r\nx: y\r\n\r\nx\r\n.\r\n")],
], smtpd_data_restrictions="reject_unauth_pipelining")
group("footer", [HELO + ["FOO", "MAIL FROM:<x@y.org>", "RCPT TO:<x@far.org>",
                         "DATA", "QUIT"]],
      smtpd_reject_footer=r"\c. See $client_name [$client_address], "
      r"$server_name\n\and $sender for $recipient")

BAD_SENDER = "501 5.1.7 Bad sender address syntax"
UNBALANCED = "a path has both its brackets, or none, and nothing around them"
group("on_purpose", [
    [{"because": UNBALANCED, "we": {2: BAD_SENDER}}] + HELO + [m]
    for m in ("MAIL FROM:<@y.org>", "MAIL FROM:x@y.org>",
              "MAIL FROM:<<x@y.org>>", "MAIL FROM:(c)<x@y.org>")
] + [
    [{"because": UNBALANCED, "we": {2: "501 5.1.3 Bad recipient address "
                                       "syntax"}}] + HELO + ["VRFY <x"],
    [{"because": "RFC 3461 section 4.4: at most 100 characters",
      "we": {2: "501 5.5.4 Bad ENVID parameter syntax"}}]
    + HELO + ["MAIL FROM:<x@y.org> ENVID=" + "x" * 101],
    [{"because": "RFC 3461 section 4.2: an address follows",
      "we": {3: "501 5.5.4 Error: Bad ORCPT parameter syntax"}}]
    + mail("x@y.org") + ["RCPT TO:<joe@local.org> ORCPT=rfc822;"],
    [{"because": "a local part has at most 1024 bytes",
      "we": {2: BAD_SENDER}}]
    + HELO + [b"MAIL FROM:<" + b"x" * 2000 + b"@y.org>\r\n"],
])
group("on_purpose_strict", [
    [{"because": "RFC 5321 section 4.1.2: atoms between dots",
      "we": {2: BAD_SENDER}}] + HELO + [m]
    for m in ("MAIL FROM:<x..y@y.org>", "MAIL FROM:<.x@y.org>",
              "MAIL FROM:<x@y@z.org>")
], strict_rfc821_envelopes="yes")

# --- what needs DNS ----------------------------------------------------------
ZONE = """
4.3.0.127.rbl.test A 127.0.0.2
4.3.0.127.rbl.test A 127.0.0.11
4.3.0.127.rbl.test TXT See http://rbl.test/?ip=127.0.3.4 for $x
8.0.0.127.rbl.test A 127.0.0.4
9.0.0.127.rbl.test SERVFAIL
9.0.0.127.wl.test A 127.0.0.1
8.0.0.127.wl.test SERVFAIL
known.test.rh.test A 127.0.0.2
known.test.rh.test TXT bad domain
client.example.net.rh.test A 127.0.0.2
nine.example.net.rh.test A 127.0.0.2
nine.example.net.wh.test A 127.0.0.2
9.0.0.127.in-addr.arpa PTR nine.example.net
nine.example.net A 127.0.0.9
8.0.0.127.in-addr.arpa PTR forged.example.net
forged.example.net A 192.0.2.99
7.0.0.127.in-addr.arpa PTR gone.example.net
6.0.0.127.in-addr.arpa SERVFAIL
nine.example.net MX 10 mx.nine.test
mx.nine.test A 192.0.2.10
known.test A 192.0.2.1
known.test MX 10 mx1.known.test
known.test MX 20 mx2.known.test
known.test NS ns.known.test
ns.known.test A 192.0.2.3
mx1.known.test A 192.0.2.11
mx2.known.test A 192.0.2.12
mx2.known.test AAAA 2001:db8::12
aonly.test A 192.0.2.2
six.test AAAA 2001:db8::2
mxonly.test MX 10 mx1.known.test
null.test MX 0 .
cname.test CNAME known.test
txt.test TXT x
fail.test SERVFAIL
mxfail.test MX 10 fail.test
mxgone.test MX 10 none.test
backup.test MX 10 mx1.known.test
backup.test MX 20 ours.test
ours.test A 127.0.0.1
ourcname.test A 127.0.0.1
"""
DOMAINS = ["known.test", "aonly.test", "six.test", "mxonly.test", "null.test",
           "cname.test", "txt.test", "fail.test", "none.test", "sub.known.test",
           "mxfail.test", "mxgone.test", "local.org", "relay.org", "vm.org",
           "[192.0.2.1]", "x.none.test", "known.test."]
CLIENTS = [{"from": "127.0.0.%d" % n} for n in (1, 9, 8, 7, 6)] \
    + [{"from": "127.0.3.4"}]
TO = ["joe@local.org", "x@far.org"]

group("dns_helo", helo_cases(*DOMAINS, "1.2.3.4", "x!y"),
      smtpd_helo_restrictions="reject_unknown_helo_hostname")
group("dns_helo_defer", helo_cases("fail.test", "none.test"),
      smtpd_helo_restrictions="reject_unknown_hostname",
      unknown_hostname_reject_code="550",
      unknown_helo_hostname_tempfail_action="defer")
group("dns_sender", [mail("s@" + d, *TO) for d in DOMAINS],
      smtpd_sender_restrictions="reject_unknown_sender_domain",
      unknown_address_reject_code="550")
group("dns_sender_warn", [mail("s@" + d, *TO) for d in DOMAINS[4:9]],
      smtpd_sender_restrictions="warn_if_reject "
                                "reject_unknown_sender_domain")
group("dns_recipient", [mail("s@far.org", *["s@" + d for d in DOMAINS[:9]]),
                        mail("s@far.org", *["s@" + d for d in DOMAINS[9:]])],
      smtpd_recipient_restrictions="reject_unknown_recipient_domain",
      unknown_address_tempfail_action="defer", mynetworks="127.0.0.0/8")
for word in ("reject_unknown_client_hostname",
             "reject_unknown_reverse_client_hostname",
             "reject_rbl_client rbl.test",
             "reject_rbl_client rbl.test=127.0.0.2",
             "reject_rbl_client rbl.test=127.0.0.[3;5..11]",
             "reject_rbl_client rbl.test=127.0.0.12",
             "permit_dnswl_client wl.test, reject",
             "permit_dnswl_client wl.test=127.0.0.[0..9], reject",
             "permit_rhswl_client wh.test, reject",
             "reject_rhsbl_client rh.test",
             "reject_rhsbl_reverse_client rh.test",
             "check_client_mx_access inline:{{192.0.2.10=REJECT mx}}",
             "check_client_ns_access inline:{{ns.known.test=REJECT ns}}",
             "check_client_a_access inline:{{127.0.0.9=REJECT a}}",
             "check_reverse_client_hostname_a_access "
             "inline:{{192.0.2.99=REJECT a},{127.0.0.9=OK}}"):
    group("d:" + word, [[c] + mail("s@far.org", *TO) for c in CLIENTS
                        if "_ns_" not in word or c != CLIENTS[0]],
          smtpd_client_restrictions=word)
group("dns_rhsbl", [mail(s, "joe@local.org") for s in
                    ("s@known.test", "s@far.org", "", "s@1.2.3", "s@[1.2.3.4]",
                     "s")],
      smtpd_sender_restrictions="reject_rhsbl_sender rh.test=127.0.0.2")
group("dns_rhsbl2", [mail("s@far.org", "joe@local.org"),
                     ["HELO known.test", "MAIL FROM:<>",
                      "RCPT TO:<joe@local.org>"],
                     ["HELO known.test", "MAIL FROM:<>",
                      "RCPT TO:<joe@known.test>"]],
      smtpd_helo_restrictions="warn_if_reject reject_rhsbl_helo rh.test",
      smtpd_recipient_restrictions="reject_rhsbl_recipient rh.test",
      mynetworks="127.0.0.0/8", default_rbl_reply=
      "$$rbl_code 5.1.1 $$rbl_class|$$rbl_what|$$rbl_domain|$$rbl_reason"
      "|$${rbl_reason?yes}|$$helo_name|$$sender|$$recipient|$$client",
      maps_rbl_reject_code="521")
group("dns_rbl_maps", [[{"from": "127.0.3.4"}] + mail("s@far.org", TO[0]),
                       [{"from": "127.0.0.8"}] + mail("s@far.org", TO[0])],
      rbl_reply_maps="inline:{ {rbl.test=450 4.2.0 $$rbl_what is bad}, "
      "{rbl.test=127.0.0.4=x} }",
      smtpd_client_restrictions="reject_rbl_client rbl.test")
group("dns_rbl_bad", [[{"from": "127.0.3.4"}] + mail("s@far.org", TO[0])],
      rbl_reply_maps="inline:{ {rbl.test=no code} }",
      smtpd_client_restrictions="reject_rbl_client rbl.test")
for kind in ("a", "mx", "ns"):
    table = ("inline:{ {192.0.2.1=REJECT one}, {192.0.2.3=REJECT three}, "
             "{mx2.known.test=REJECT mx2}, {2001:db8=REJECT six}, "
             "{192.0.2.2=OK} }")
    group("dns_sender_" + kind, [mail("s@" + d, TO[0]) for d in DOMAINS[:-1]],
          smtpd_sender_restrictions=f"check_sender_{kind}_access {table}")
    group("dns_helo_" + kind, helo_cases(*DOMAINS[:12]),
          smtpd_helo_restrictions=f"check_helo_{kind}_access {table}")
    group("dns_recipient_" + kind,
          [mail("s@far.org", *["s@" + d for d in DOMAINS[:9]]),
           mail("s@far.org", *["s@" + d for d in DOMAINS[9:-1]])],
          smtpd_recipient_restrictions=f"check_recipient_{kind}_access "
          + table, mynetworks="127.0.0.0/8")
group("dns_backup", [mail("s@far.org", "x@backup.test", "x@known.test",
                          "x@ourcname.test", "x@fail.test", "x@none.test",
                          "joe@local.org", "r@relay.org")],
      smtpd_relay_restrictions="permit_mx_backup, reject")
group("dns_backup_nets", [mail("s@far.org", "x@backup.test",
                               "x@known.test")],
      permit_mx_backup_networks="192.0.2.11/32",
      smtpd_relay_restrictions="permit_mx_backup, reject")
group("dns_backup_nets2", [mail("s@far.org", "x@backup.test")],
      permit_mx_backup_networks="192.0.2.12/32",
      smtpd_relay_restrictions="permit_mx_backup, reject")

group("footer_maps", [HELO + ["FOO", "MAIL FROM:<x@y.org>",
                              "RCPT TO:<x@far.org>", "DATA", "QUIT"]],
      smtpd_reject_footer="default",
      smtpd_reject_footer_maps="regexp:{ {/Relay access/ for $$$$recipient}, "
      "{/^500/ \\c, sorry} }")

# --- AUTH --------------------------------------------------------------------
GOOD, WRONG = "AGpvZQBzZWNyZXQ=", "AGpvZQB3cm9uZw=="     # joe/secret, joe/wrong
JOE, SECRET = "am9l", "c2VjcmV0"
LOGGED_IN = HELO + ["AUTH PLAIN " + GOOD]
auth_cases = [
    HELO + ["AUTH", "AUTH PLAIN x y", "AUTH FOO", "AUTH PLAIN " + GOOD,
            "AUTH PLAIN " + GOOD, "MAIL FROM:<joe@local.org>",
            "RCPT TO:<x@far.org>", "RCPT TO:<nobody@local.org>"],
    HELO + ["AUTH PLAIN " + WRONG, "AUTH PLAIN", GOOD, "EHLO x", "RSET",
            "AUTH PLAIN " + GOOD],
    HELO + ["AUTH LOGIN", JOE, SECRET],
    HELO + ["auth login " + JOE, SECRET, "MAIL FROM:<x@y.org> AUTH=<>",
            "RCPT TO:<x@far.org>", "QUIT"],
    HELO + ["AUTH LOGIN", JOE, "d3Jvbmc="],
    HELO + ["AUTH LOGIN", "*", "AUTH PLAIN", "*", "NOOP"],
    HELO + ["MAIL FROM:<x@y.org>", "AUTH PLAIN " + GOOD],
    ["AUTH PLAIN " + GOOD], ["HELO x", "AUTH PLAIN " + GOOD],
]
group("auth", auth_cases, smtpd_sasl_auth_enable="yes")
group("auth_broken", [HELO], smtpd_sasl_auth_enable="yes",
      broken_sasl_auth_clients="yes")
group("auth_hidden", [["EHLO x", "AUTH PLAIN " + GOOD],
                      [{"from": "127.0.0.9"}, "EHLO x"]],
      smtpd_sasl_auth_enable="yes",
      smtpd_sasl_exceptions_networks="127.0.0.1/32")
group("auth_login_maps", [
    c + [f"MAIL FROM:<{s}>", "RCPT TO:<joe@local.org>"]
    for c in (HELO, LOGGED_IN)
    for s in ("joe@local.org", "joe+x@local.org", "ann@local.org",
              "x@far.org", "x@own.org", "", "joe", "JOE@LOCAL.ORG")],
    smtpd_sasl_auth_enable="yes",
    smtpd_sender_login_maps="inline:{ {joe@local.org=joe}, "
    "{ann@local.org=ann}, {@own.org=ann, JOE}, {joe@example.com=joe} }",
    smtpd_sender_restrictions="reject_sender_login_mismatch")
for kind in ("known", "authenticated", "unauthenticated"):
    group("auth_" + kind, [
        c + [f"MAIL FROM:<{s}>", "RCPT TO:<joe@local.org>"]
        for c in (HELO, LOGGED_IN)
        for s in ("joe@local.org", "ann@local.org", "x@far.org", "")],
        smtpd_sasl_auth_enable="yes",
        smtpd_sender_login_maps="inline:{ {joe@local.org=joe}, "
        "{ann@local.org=ann} }",
        smtpd_sender_restrictions=f"reject_{kind}_sender_login_mismatch")
group("auth_access", [c + mail("x@y.org", "joe@local.org")[1:]
                      for c in (HELO, LOGGED_IN)],
      smtpd_sasl_auth_enable="yes",
      smtpd_sender_restrictions="check_sasl_access inline:{{joe=REJECT}}")

group("auth_tls_only", [HELO + ["AUTH PLAIN " + GOOD, "AUTH LOGIN", "NOOP"],
                        HELO + ["STARTTLS", TLS] + LOGGED_IN],
      smtpd_sasl_auth_enable="yes", smtpd_tls_auth_only="yes",
      smtpd_tls_security_level="may")

# --- TLS ---------------------------------------------------------------------
group("tls", [
    ["STARTTLS", TLS] + HELO + ["STARTTLS", "QUIT"],
    HELO + ["STARTTLS x", "STARTTLS", TLS, "MAIL FROM:<x@y.org>",
            "RCPT TO:<joe@local.org>"] + data() + ["QUIT"],
    HELO + ["MAIL FROM:<x@y.org>", "STARTTLS", TLS,
            "RCPT TO:<joe@local.org>"] + mail("x@y.org", "joe@local.org"),
    HELO + [b"STARTTLS\r\nNOOP\r\nVRFY nobody\r\n", TLS] + HELO
    + ["RSET", "QUIT"],
], smtpd_tls_security_level="may",
    smtpd_recipient_restrictions="warn_if_reject reject_plaintext_session")
group("tls_encrypt", [
    HELO + ["MAIL FROM:<x@y.org>", "RCPT TO:<x@y>", "DATA", "VRFY joe",
            "ETRN x.y", "RSET", "NOOP", "HELP", "FOO", "BDAT 1", "QUIT"],
    HELO + ["STARTTLS", TLS] + mail("x@y.org", "joe@local.org"),
    ["HELO x", "MAIL FROM:<x@y.org>"],
], smtpd_tls_security_level="encrypt")
group("tls_hidden", [HELO + ["STARTTLS"]], smtpd_tls_security_level="may",
      smtpd_discard_ehlo_keywords="starttls")

group("log_permits", [
    mail("ok@s.org", "joe@local.org"), mail("cls@s.org", "joe@local.org"),
    mail("per@s.org", "joe@local.org"), mail("x@s.org", "joe@local.org"),
    mail("dis@s.org", "joe@local.org"), mail("mx@s.org", "joe@local.org"),
    [{"from": "127.0.0.9"}] + mail("x@s.org", "x@far.org"),
], smtpd_log_access_permit_actions="static:all",
    smtpd_restriction_classes="cls", cls="permit_inet_interfaces",
    smtpd_sender_restrictions="check_sender_access inline:{ {ok@s.org=OK}, "
    "{cls@s.org=cls}, {per@s.org=permit}, {dis@s.org=DISCARD}, "
    "{num@s.org=1}, {mx@s.org=permit_mx_backup, permit} }",
    smtpd_recipient_restrictions="permit_auth_destination")
group("log_permits_some", [mail("ok@s.org", "joe@local.org"),
                           mail("x@s.org", "joe@local.org")],
      smtpd_log_access_permit_actions="permit_auth_destination",
      smtpd_sender_restrictions="check_sender_access "
                                "inline:{ {ok@s.org=OK} }",
      smtpd_recipient_restrictions="permit_auth_destination")

# Local parts that are shown in quotes, in tables that know either form, and
# routes inside addresses, looked up as they resolve.
FORMS = ["u", "u+x", "[x]", '"a b"', '"a b+x"', '"c,d"', '"c,d+x"', '"e@f.org"',
         '"e@f.org+x"', "g..h", ".i", "j.", '"q\\"r"', '"u"', "a%b", "b!a",
         "a%far.org", "k%local.org", "local.org!k", '"k@local.org"', "u%", "!u",
         "a%[1.2.3.4]", "postmaster", "MAILER-DAEMON", "double-bounce",
         "owner-u", "mailer-daemon+x", "'u'"]


def access(domain):
    return "inline:{ %s }" % ", ".join(
        "{%s = REJECT key %d}" % (k, i) for i, k in enumerate(
            [f"u@{domain}", f'"a b"@{domain}', f'"c,d"@{domain}',
             f"c,d+x@{domain}", f"e@f.org@{domain}", f'"e@f.org+x"@{domain}',
             f'"g..h"@{domain}', f".i@{domain}", '"j."@', "a%b@",
             f"b!a@{domain}", "k@local.org", "k@", "a@far.org", "'u'@"]))


def forms(domain):
    return [mail(f"{x}@{domain}", "joe@local.org") for x in FORMS] + [
        mail("s@far.org", f"{x}@{domain}") for x in FORMS]


group("forms", forms("far.org") + forms("local.org") + [
    mail(x, x) for x in FORMS if not set(x) & set('@["')],
      smtpd_sender_restrictions="check_sender_access " + access("far.org"),
      smtpd_recipient_restrictions="check_recipient_access "
      + access("far.org") + ", permit")
group("forms-listed", forms("local.org") + forms("vm.org") + forms("relay.org"),
      smtpd_reject_unlisted_sender="yes",
      smtpd_relay_restrictions="reject_unlisted_recipient, "
      "permit_mynetworks, permit_sasl_authenticated, "
      "check_recipient_access static:OK, reject",
      local_recipient_maps="inline:{ {\"a b\"=x}, {c,d=x}, {k=x}, {g..h=x}, "
      "{\"j.\"=x} }",
      recipient_canonical_maps="inline:{ {u@vm.org=x@y.z}, "
      "{\"c,d\"@vm.org=x} }",
      sender_canonical_maps="inline:{ {u@relay.org=x@y.z} }",
      canonical_maps="inline:{ {b!a@relay.org=x@y.z} }")
LOGGED = HELO + ["AUTH PLAIN AGpvZQBzZWNyZXQ="]
group("forms-login", [
    LOGGED + [f"MAIL FROM:<{x}@far.org>", "RCPT TO:<joe@local.org>"]
    for x in FORMS],
      smtpd_sasl_auth_enable="yes",
      smtpd_sender_restrictions="reject_sender_login_mismatch",
      smtpd_sender_login_maps="inline:{ {u@far.org=joe}, "
      "{\"a b\"@far.org=joe}, {c,d@far.org=joe}, {e@f.org@far.org=joe}, "
      "{\"e@f.org+x\"@far.org=ann}, {a%b@far.org=joe}, "
      "{k@local.org=joe} }")


def hops(n):
    return data(b"Received: from x by y; z\r\n" * n + b"\r\nx\r\n")


group("hops", [mail("s@far.org", "joe@local.org", end=hops(n) + ["QUIT"])
               for n in (0, 1, 47, 48, 49, 50, 51, 52, 60)])
EIGHT = ["\u00fc@far.org", "u@\u00fc.org", "\u00fc@local.org", "u\u00fc",
         '"\u00fc x"@far.org']
RAW = [b"<\xff@far.org>", b"<u@\xe4.org>", b"<\xc3@far.org>"]
group("eight-off", [mail(x, "joe@local.org", end=data() + ["QUIT"])
                    for x in EIGHT]
      + [mail("s@far.org", x, end=data() + ["QUIT"]) for x in EIGHT]
      + [HELO + [b"MAIL FROM:" + x + b"\r\n"] for x in RAW]
      + [HELO + ["MAIL FROM:<s@far.org>", b"RCPT TO:" + x + b"\r\n"]
         for x in RAW]
      + [HELO + ["MAIL FROM:<\u00fc@far.org> SMTPUTF8", "VRFY \u00fc"],
         ["HELO \u00fc.example", "MAIL FROM:<s@far.org>",
          "RCPT TO:<joe@local.org>"]],
      smtputf8_enable="no")
# What is a domain in other scripts depends on how the peer was built.
group("eight-on", [mail(x, "joe@local.org", end=data() + ["QUIT"])
                   for x in EIGHT if "@\u00fc" not in x]
      + [mail("s@far.org", x, end=data() + ["QUIT"])
         for x in EIGHT if "@\u00fc" not in x]
      + [HELO + [b"MAIL FROM:" + x + b"\r\n"] for x in RAW]
      + [HELO + ["MAIL FROM:<s@far.org>", b"RCPT TO:" + x + b"\r\n"]
         for x in RAW])
