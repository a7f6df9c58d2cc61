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
