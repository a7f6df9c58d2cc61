#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The walk-throughs that Veredus was written for, followed as a new
administrator would: main.cf as they print it, commands by their classic names,
what they promise looked at.  Also what a first day has beside that: starts that
fail, reloads of what is wrong, mail as programs hand it in.

Each host is one configuration directory.  Root is needed for the parts with
users of the system; as an ordinary user those are skipped.
The last line is "N passed, N failed[, N skipped]"."""
import base64
import os
import pwd
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from harness import Sink, VEREDUS, free_port, mail_owner

ROOT = os.geteuid() == 0
COMMANDS = ("postfix postconf postmap postalias newaliases mailq postqueue "
            "postsuper postcat sendmail").split()
MASTER_CF = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
local unix - n n - - local
virtual unix - n n - - virtual
error unix - - n - - error
"""
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class Skip(Exception):
    pass


class Host:
    """A configuration directory and the commands for it."""

    def __init__(self, main_cf, master_cf="", **files):
        self.dir = d = tempfile.mkdtemp(prefix="veredus-walk-")
        os.chmod(d, 0o755)
        self.etc, self.log = d + "/etc", d + "/maillog"
        self.bin = d + "/bin"
        for name in ("etc", "bin", "mail", "vmail"):
            os.mkdir(f"{d}/{name}", 0o755)
        os.chmod(d + "/mail", 0o1777)
        os.chmod(d + "/vmail", 0o1777)
        for name in COMMANDS:
            os.symlink(VEREDUS, f"{self.bin}/{name}")
        self.port = free_port()
        self.sink = Sink()
        with open(self.etc + "/main.cf", "w") as f:
            f.write(f"queue_directory = {d}/queue\n"
                    f"data_directory = {d}/data\n"
                    f"maillog_file = {self.log}\n"
                    f"maillog_file_prefixes = {d}\n"
                    f"mail_owner = {mail_owner()}\n"
                    f"mail_spool_directory = {d}/mail\n"
                    "inet_interfaces = 127.0.0.1\n"
                    "inet_protocols = ipv4\n"
                    f"relayhost = [127.0.0.1]:{self.sink.port}\n"
                    + self.fill(main_cf))
        with open(self.etc + "/master.cf", "w") as f:
            f.write(MASTER_CF.format(port=self.port) + self.fill(master_cf))
        for name, text in files.items():
            self.put(name, text)

    def fill(self, text):
        return text.replace("ETC", self.etc).replace("DIR", self.dir)

    def put(self, name, text):
        with open(f"{self.etc}/{name}", "w") as f:
            f.write(self.fill(text))

    def add(self, text):
        with open(self.etc + "/main.cf", "a") as f:
            f.write(self.fill(text))

    def run(self, *argv, text=b"", status=0):
        """Output and errors of a command of ours."""
        argv = [self.fill(a) for a in argv]
        r = subprocess.run([f"{self.bin}/{argv[0]}"] + argv[1:], input=text,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env=dict(os.environ, MAIL_CONFIG=self.etc),
                           timeout=60)
        out = r.stdout.decode(errors="replace")
        want(r.returncode == status,
             f"{argv}: status {r.returncode}, said {out}")
        return out

    def start(self):
        self.run("postfix", "start")
        return self

    def reload(self):
        self.run("postfix", "reload")
        time.sleep(0.4)

    def close(self):
        subprocess.run([self.bin + "/postfix", "-c", self.etc, "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.sink.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def talk(self, *lines):
        """The last line of the answer to each line."""
        answers = []
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            f = s.makefile("rwb")
            answers.append(self.answer(f))
            for line in lines:
                f.write(line.encode("latin-1") + b"\r\n")
                f.flush()
                answers.append(self.answer(f))
        return answers

    @staticmethod
    def answer(f):
        while True:
            line = f.readline().decode("latin-1")
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    def rcpt(self, sender, to):
        return self.talk("HELO client.example.com", f"MAIL FROM:<{sender}>",
                         f"RCPT TO:<{to}>", "QUIT")[3]

    def send(self, to, text="Subject: x\r\n\r\nhello\r\n",
             sender="someone@remote.example"):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as s:
            s.sendmail(sender, to, text.encode("latin-1"))

    def sent(self, n=1, seconds=10):
        """n messages that went out, as (recipients, text)."""
        until(lambda: len(self.sink.messages) >= n, seconds,
              lambda: "not sent\n" + self.log_text())
        found = [([x.decode().split("<")[1].split(">")[0] for x in envelope
                   if x[:4].upper() == b"RCPT"], text.decode("latin-1"))
                 for envelope, text in self.sink.messages]
        self.sink.messages.clear()
        return found

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=10):
        until(lambda: re.search(pattern, self.log_text()), seconds,
              lambda: f"not in the log: {pattern}\n" + self.log_text())
        return re.search(pattern, self.log_text())


def want(good, text):
    if not good:
        raise AssertionError(text)


def until(condition, seconds, text):
    end = time.time() + seconds
    while not condition():
        want(time.time() < end, text())
        time.sleep(0.03)


def need_root():
    if not ROOT:
        raise Skip


HOST_0 = """\
myhostname = mail.qupeiyin.net
myorigin = $mydomain
mydomain = qupeiyin.net
mydestination = $myhostname, localhost.$mydomain, localhost,$mydomain
mynetworks = 127.0.0.0/8,mynetworks
alias_map = hash:ETC/aliases
alias_maps = hash:ETC/aliases
alias_database = hash:ETC/aliases
broken_sasl_auth_clients = yes
smtpd_recipient_restrictions=permit_mynetworks,permit_sasl_authenticated,\
reject_invalid_hostname,reject_non_fqdn_hostname,\
reject_unknown_sender_domain,reject_non_fqdn_sender,\
reject_non_fqdn_recipient,reject_unknown_recipient_domain,\
reject_unauth_pipelining,reject_unauth_destination
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = $myhostname
smtpd_sasl_security_options = noanonymous
smtpd_sasl_path = smtpd
smtpd_banner = Welcome to our Server !
auth_sources = passwd-file:ETC/users
"""


@test
def first_host():
    """000, sections 1 to 5: the configuration, access, aliases."""
    h = Host(HOST_0, aliases="a: nobody\ntuchao: 1183710107@qq.com\n",
             users="python:{PLAIN}secret::::::\n")
    try:
        h.run("newaliases")
        said = h.run("postfix", "check")
        want("did you mean alias_maps?" in said, said)
        h.start()
        greeting = h.talk("QUIT")[0]
        want(greeting == "220 Welcome to our Server !", greeting)
        h.send("tuchao@qupeiyin.net")
        to, text = h.sent()[0]
        want(to == ["1183710107@qq.com"], to)
        h.send("a@qupeiyin.net")
        h.wait_log(r"to=<nobody@qupeiyin.net>.*status=sent \(delivered to "
                   "mailbox")
        h.put("access", "python@admin.com reject\nmicrosoft.com ok\n"
              "huairen.com REJECT\n127.0.0.1 ok\n115.204.89.87 REJECT\n")
        h.put("mailhostdeny", "tuchao@ REJECT\n")
        h.run("postmap", "ETC/access")
        h.run("postmap", "ETC/mailhostdeny")
        h.add("smtpd_client_restrictions = check_client_access "
              "hash:ETC/access\nsmtpd_sender_restrictions = "
              "check_sender_access hash:ETC/access\n"
              "smtpd_recipient_restrictions = check_recipient_access "
              "hash:ETC/mailhostdeny,permit_mynetworks,"
              "reject_unauth_destination\n")
        h.reload()
        for sender, to, text in (
                ("x@huairen.com", "a@qupeiyin.net",
                 "554 5.7.1 <x@huairen.com>: Sender address rejected: Access "
                 "denied"),
                ("python@admin.com", "a@qupeiyin.net",
                 "554 5.7.1 <python@admin.com>: Sender address rejected: "
                 "Access denied"),
                ("other@admin.com", "a@qupeiyin.net", "250 2.1.5 Ok"),
                ("x@sub.huairen.com", "a@qupeiyin.net",
                 "554 5.7.1 <x@sub.huairen.com>: Sender address rejected: "
                 "Access denied"),
                ("x@y.example", "tuchao@qupeiyin.net",
                 "554 5.7.1 <tuchao@qupeiyin.net>: Recipient address "
                 "rejected: Access denied"),
                ("x@y.example", "a@elsewhere.example", "250 2.1.5 Ok")):
            got = h.rcpt(sender, to)
            want(got == text, f"{sender} to {to}: {got}")
        h.put("access", "127.0.0.1 REJECT\n")
        h.run("postmap", "hash:ETC/access")
        until(lambda: "Client host rejected: Access denied"
              in h.rcpt("a@b.example", "a@qupeiyin.net"), 5,
              lambda: "a rebuilt table has no effect")
    finally:
        h.close()


@test
def failed_passwords_and_who_is_counted():
    """000 section 4 and 001: the reply to a wrong password, and the line
    that the ban script greps."""
    h = Host(HOST_0, aliases="", users="python:{PLAIN}secret::::::\n")
    try:
        h.run("newaliases")
        h.start()
        offered = []
        with smtplib.SMTP("127.0.0.1", h.port, timeout=20) as s:
            s.ehlo()
            offered = s.esmtp_features["auth"]
        want("PLAIN" in offered and "LOGIN" in offered, offered)
        good = base64.b64encode(b"python\0python\0secret").decode()
        bad = base64.b64encode(b"python\0python\0wrong").decode()
        said = h.talk("EHLO x.example.com", "AUTH PLAIN " + good, "QUIT")
        want(said[2] == "235 2.7.0 Authentication successful", said)
        said = h.talk("EHLO x.example.com", "AUTH PLAIN " + bad, "QUIT")
        want(said[2].startswith("535 5.7.8 Error: authentication failed"),
             said)
        h.wait_log("SASL PLAIN authentication failed")
        script = ("grep 'authentication failure' %s | awk '{print $7}' | grep "
                  "-E -o '[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+' | sort | uniq "
                  "-c" % h.log)
        counted = subprocess.run(script, shell=True, capture_output=True,
                                 text=True).stdout.split()
        want(counted == ["1", "127.0.0.1"], f"{counted}\n" + h.log_text())
    finally:
        h.close()


HOST_1 = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydomain = example.com
myorigin = $mydomain
mydestination = $myhostname, $mydomain, ora.com, xxxy.com
mynetworks = 127.0.0.0/8
alias_maps = hash:ETC/aliases
alias_database = hash:ETC/aliases
"""


@test
def telnet_and_the_queue():
    """001: the dialogue by hand, the queue's commands."""
    h = Host(HOST_1, aliases="")
    try:
        h.run("newaliases")
        h.start()
        said = h.talk("HELO mail.example.com", "MAIL from: info@example.com",
                      "rcpt to: destmail@far.example", "data", "xxx\r\n.",
                      "quit")
        want([x[:3] for x in said] == "220 250 250 250 354 250 221".split(),
             said)
        want(h.sent()[0][0] == ["destmail@far.example"], "sent")
        h.run("postconf", "-e", "defer_transports = smtp, relay")
        h.reload()
        h.send("later@far.example")
        until(lambda: "later@far.example" in h.run("mailq"), 5,
              lambda: h.run("mailq"))
        queue_id = h.run("postqueue", "-p").split("\n")[1].split()[0]
        queue_id = queue_id.rstrip("*!#")
        want("Subject: x" in h.run("postcat", "-q", queue_id), "postcat")
        h.run("postsuper", "-h", "ALL")
        want(queue_id + "!" in h.run("mailq"), h.run("mailq"))
        h.run("postsuper", "-H", "ALL")
        said = h.run("postsuper", "-r", "ALL")
        want("Requeued: 1 message" in said, said)
        h.send("other@far.example")
        h.run("postconf", "-X", "defer_transports")
        h.reload()
        h.run("postqueue", "-f")
        want(len(h.sent(2)) == 2, "flushed")
        until(lambda: "Mail queue is empty" in h.run("mailq"), 10,
              lambda: h.run("mailq"))
        h.run("postconf", "-e", "defer_transports = smtp, relay")
        h.reload()
        h.send("never@far.example")
        until(lambda: "never@far.example" in h.run("mailq"), 5,
              lambda: h.run("mailq"))
        said = h.run("postsuper", "-d", "ALL")
        want("Deleted: 1 message" in said, said)
        want("Mail queue is empty" in h.run("mailq"), "deleted")
    finally:
        h.close()


@test
def addresses():
    """001: canonical, relocated, masquerading, limits, unknown users."""
    h = Host(HOST_1 + "canonical_maps = hash:ETC/canonical\n"
             "relocated_maps = hash:ETC/relocated\n"
             "masquerade_domains = example.com\n"
             "masquerade_exceptions = admin, root\n"
             "smtpd_recipient_limit = 3\nmessage_size_limit = 20000\n"
             "smtpd_error_sleep_time = 0\nsmtpd_soft_error_limit = 3\n"
             "smtpd_hard_error_limit = 5\n",
             aliases="", canonical="fwx@example.com kyle.dent@example.com\n",
             relocated="kdent@ora.com xx@moxii.com\n@old.example xx@y.example\n"
             "@example.com gone@far.example\n")
    try:
        h.run("newaliases")
        h.run("postmap", "ETC/canonical")
        h.run("postmap", "ETC/relocated")
        said = h.run("postmap", "-q", "fwx@example.com", "ETC/canonical")
        want(said == "kyle.dent@example.com\n", said)
        h.run("postmap", "-q", "nobody@x", "ETC/canonical", status=1)
        h.start()
        h.send("r@far.example", "From: fwx@example.com\r\nTo: joe\r\nCc: "
               "admin@host.example.com, ann@host.example.com\r\n\r\nx\r\n",
               sender="fwx@example.com")
        text = h.sent()[0][1]
        for line in ("From: kyle.dent@example.com", "To: joe@example.com",
                     "Cc: admin@host.example.com, ann@example.com"):
            want(line in text, text)
        got = h.rcpt("a@b.example", "kdent@ora.com")
        want(got == "550 5.1.6 <kdent@ora.com>: Recipient address rejected: "
             "User has moved to xx@moxii.com", got)
        said = h.talk("EHLO x", "MAIL FROM:<a@b.example> SIZE=30000",
                      "MAIL FROM:<a@b.example>", "RCPT TO:<a@far.example>",
                      "RCPT TO:<b@far.example>", "RCPT TO:<c@far.example>",
                      "RCPT TO:<d@far.example>", "QUIT")
        want(said[2].startswith("552 5.3.4"), said)
        want(said[7] == "452 4.5.3 Error: too many recipients", said)
        said = h.talk("EHLO x", *["BAD"] * 6)
        want(said[-1].startswith("421 4.7.0"), said)
        h.add("relocated_maps =\nlocal_recipient_maps =\n"
              "luser_relay = catchall@far.example\n")
        h.reload()
        h.send("no.such.user@example.com")
        want(h.sent()[0][0] == ["catchall@far.example"], "luser_relay")
    finally:
        h.close()


@test
def four_kinds_of_virtual_domains():
    """001 section 8, but for the one that needs another mail store."""
    need_root()
    nobody = pwd.getpwnam("nobody")
    h = Host(HOST_1 + "virtual_alias_domains = separate.example\n"
             "virtual_alias_maps = hash:ETC/virtual\n"
             "virtual_mailbox_domains = boxes.example\n"
             "virtual_mailbox_maps = hash:ETC/vmailbox\n"
             "virtual_mailbox_base = DIR/vmail\n"
             f"virtual_uid_maps = static:{nobody.pw_uid}\n"
             f"virtual_gid_maps = static:{nobody.pw_gid}\n",
             aliases="", virtual="info@separate.example nobody\n",
             vmailbox="ann@boxes.example boxes/ann/\n")
    try:
        h.run("newaliases")
        h.run("postmap", "ETC/virtual")
        h.run("postmap", "ETC/vmailbox")
        h.start()
        h.send("nobody@xxxy.com")
        h.wait_log(r"to=<nobody@xxxy.com>, relay=local.*status=sent")
        h.send("info@separate.example")
        h.wait_log(r"to=<nobody@example.com>, orig_to=<info@separate.example>"
                   r", relay=local.*status=sent")
        h.send("ann@boxes.example")
        h.wait_log(r"to=<ann@boxes.example>, relay=virtual.*status=sent "
                   r"\(delivered to maildir\)")
        want(len(os.listdir(h.dir + "/vmail/boxes/ann/new")) == 1, "Maildir")
        got = h.rcpt("a@b.example", "bob@separate.example")
        want(got == "550 5.1.1 <bob@separate.example>: Recipient address "
             "rejected: User unknown in virtual alias table", got)
        got = h.rcpt("a@b.example", "bob@boxes.example")
        want(got == "550 5.1.1 <bob@boxes.example>: Recipient address "
             "rejected: User unknown in virtual mailbox table", got)
    finally:
        h.close()


@test
def automatic_reply():
    """001: a service of one's own in master.cf that answers mail."""
    need_root()
    h = Host(HOST_1 + "transport_maps = hash:ETC/transport\n"
             "virtual_alias_maps = hash:ETC/virtual_alias\n",
             master_cf="inforeply unix - n n - - pipe flags= user=nobody "
             "argv=ETC/inforeply ${sender}\n", aliases="",
             transport="autoresp@example.com inforeply\n",
             virtual_alias="info@ora.com autoresp@example.com, "
             "service@far.example\n",
             inforeply="#!/bin/sh\ncat >/dev/null\nMAIL_CONFIG=ETC\n"
             "export MAIL_CONFIG\n"
             "{ echo \"To: $1\"; echo 'Subject: info'; echo; echo here; } |\n"
             "exec DIR/bin/sendmail -oi -tr ''\n")
    try:
        os.chmod(h.etc + "/inforeply", 0o755)
        h.add("local_recipient_maps =\n")
        h.run("newaliases")
        h.run("postmap", "ETC/transport")
        h.run("postmap", "ETC/virtual_alias")
        h.start()
        h.send("info@ora.com", sender="asks@remote.example")
        sent = {to[0]: text for to, text in h.sent(2)}
        want(set(sent) == {"service@far.example", "asks@remote.example"},
             sent)
        want("\r\nhere\r\n" in sent["asks@remote.example"], sent)
    finally:
        h.close()


@test
def classes_of_restrictions():
    """001 section 11: the sample, with its misspelt parameter and without."""
    h = Host(HOST_1 + """\
smtpd_restriction_classes =
            spamlover
            spamhater

spamhater =
            reject_invalid_hostname
            reject_non_fqdn_hostname

spamlover = permit

smtpd_helo_required = yes
smtpd_helo_restrictions =
            reject_invalid_hostname
            check_helo_access hash:ETC/check_helo_access
smtpd_sender_restrictions =
            reject_non_fqdn_sender
            check_sender_access inline:{ { none@b.example = } }
smtpd_recipient_restrictions =
            check_recipient_access hash:ETC/who
            reject_unauth_destination
            reject_non_fqdn_recipient
smtpd_data_restrictions =
            reject_unauth_pipelining
""", aliases="", check_helo_access="evil.example REJECT go away\n",
             who="hater@example.com spamhater\nlover@example.com spamlover\n")
    try:
        h.add("local_recipient_maps =\n")
        h.run("newaliases")
        h.run("postmap", "ETC/check_helo_access")
        h.run("postmap", "ETC/who")
        h.start()
        for helo, sender, to, wanted in (
                ("x", "a@b.example", "lover@example.com", "250 2.1.5 Ok"),
                ("x.example", "none@b.example", "lover@example.com",
                 "451 4.3.5 <none@b.example>: Sender address rejected: Server "
                 "configuration error"),
                ("x", "a@b.example", "hater@example.com",
                 "504 5.5.2 <x>: Helo command rejected: need fully-qualified "
                 "hostname"),
                ("evil.example", "a@b.example", "lover@example.com",
                 "554 5.7.1 <evil.example>: Helo command rejected: go away"),
                ("x.example", "a", "lover@example.com",
                 "504 5.5.2 <a>: Sender address rejected: need "
                 "fully-qualified address"),
                ("x.example", "a@b.example", "u@far.example",
                 "554 5.7.1 <u@far.example>: Relay access denied")):
            got = h.talk("HELO " + helo, f"MAIL FROM:<{sender}>",
                         f"RCPT TO:<{to}>", "QUIT")[3]
            want(got == wanted, f"{helo} {sender} {to}: {got}")
        got = h.talk("MAIL FROM:<a@b.example>", "QUIT")[1]
        want(got == "503 5.5.1 Error: send HELO/EHLO first", got)
        h.add("smtpd_restrictions_classes = x\n")
        said = h.run("postfix", "check")
        want("did you mean smtpd_restriction_classes?" in said, said)
    finally:
        h.close()


@test
def starts_that_fail():
    """What is wrong is said by check and by start, and a start right after
    the mistake is mended works."""
    h = Host(HOST_1, aliases="")
    try:
        h.run("newaliases")
        with open(h.etc + "/main.cf") as f:
            good = f.read()
        for line, text in (
                ("virtual_alias_maps = nosuch:/x",
                 "virtual_alias_maps: unsupported dictionary type: nosuch"),
                ("transport_maps = proxy:ldap:/x",
                 "transport_maps: unsupported dictionary type: ldap"),
                ("canonical_maps = /etc/x",
                 'canonical_maps: expecting "type:name" form instead of '
                 '"/etc/x"'),
                ("smtpd_client_restrictions = check_client_access mysql:/x",
                 "smtpd_client_restrictions: unsupported dictionary type: "
                 "mysql"),
                ("smtpd_recipient_restrictions = permit_mynetwork, reject",
                 'unknown smtpd restriction: "permit_mynetwork"'),
                ("message_size_limit = many", "message_size_limit")):
            h.put("main.cf", good + line + "\n")
            said = h.run("postfix", "check", status=1)
            want(text in said, said)
            said = h.run("postfix", "start", status=1)
            want(text in said, said)
        h.put("main.cf", good)
        with open(h.etc + "/master.cf", "a") as f:
            f.write(f"{free_port()} inet n - n - - imapd\n"
                    " -o imapd_tls_wrappermode=yes\n")
        said = h.run("postfix", "start", status=1)
        want("without a usable certificate" in said, said)
        h.run("postfix", "status", status=1)
        h.put("master.cf", MASTER_CF.format(port=h.port))
        h.start()
        h.run("postfix", "status")
    finally:
        h.close()


@test
def starts_again_and_again():
    """Each time all roles get ready: what master hands over while a role
    waits for something else is not forgotten."""
    h = Host(HOST_1, aliases="")
    try:
        h.run("newaliases")
        for _ in range(30):
            began = time.time()
            h.start()
            want(time.time() - began < 20, "a role was not ready")
            h.run("postfix", "stop")
    finally:
        h.close()


@test
def without_nis():
    """The default of alias_maps names a nis: table; nearly nobody has one."""
    h = Host(HOST_1, aliases="")
    try:
        with open("/proc/sys/kernel/domainname") as f:
            if f.read().strip() not in ("", "(none)"):
                raise Skip
        h.run("newaliases")
        h.add("alias_maps = hash:ETC/aliases, nis:mail.aliases\n"
              "local_recipient_maps = $alias_maps\n")
        h.start()
        got = h.rcpt("a@b.example", "nosuch@example.com")
        want(got.startswith("550 5.1.1"), got)
        said = h.run("postmap", "-q", "x", "nis:mail.aliases", status=1)
        want("NIS lookups disabled" in said, said)
    finally:
        h.close()


@test
def one_author_of_those_who_log_in():
    """smtpd_sasl_single_from: who else sends is not asked."""
    h = Host(HOST_0, aliases="a: nobody\n",
             users="python:{PLAIN}secret::::::\n")
    name = base64.b64encode(b"python\0python\0secret").decode()
    login = "AUTH PLAIN " + name
    refusal = "550 5.7.1 Message has more than one From field"

    def said(*head, first=login):
        return h.talk("EHLO x", first, "MAIL FROM:<a@b.example>",
                      "RCPT TO:<a@qupeiyin.net>", "DATA",
                      "\r\n".join(head) + "\r\n\r\nFrom: body\r\n.",
                      "QUIT")[6]

    try:
        h.run("newaliases")
        h.start()
        for head in (["From: a@b.example", "from:x@y.example"],
                     ["From: a@b.example", "To: b@c", "FROM : x@y.example"],
                     ["From: a@b.example", "From:", "From: a@b.example"]):
            got = said(*head)
            want(got == refusal, (head, got))
            want(said(*head, first="NOOP").startswith("250"), head)
        h.wait_log(r"[0-9A-F]: reject: END-OF-MESSAGE from \S+: 550 5.7.1 ")
        for head in (["From: a@b.example, x@y.example"], ["To: b@c"],
                     ["From: a@b.example", "Resent-From: x@y.example"]):
            want(said(*head).startswith("250"), head)
        h.add("smtpd_sasl_single_from = no\n")
        h.reload()
        want(said("From: a@b.c", "From: d@e.f").startswith("250"), "no")
    finally:
        h.close()


@test
def headers_of_others():
    """What cleanup(8) does to the header of a message."""
    h = Host(HOST_1, aliases="")
    try:
        h.run("newaliases")
        h.start()
        full = "From: a@b.example\r\nTo: c@d.example\r\nDate: x\r\n" \
               "Message-Id: <1@x>\r\n"

        def through(text):
            h.send("r@far.example", text)
            got = h.sent()[0][1]
            return got[got.index("\r\n", got.index(" id ")) + 2:]

        for head in ("From ", ">From "):
            got = through(head + "me Mon Jan 1\r\nSubject: s\r\n" + full
                          + "\r\nb\r\n")
            want(f"X-Mailbox-Line: {head}me Mon Jan 1\r\nSubject: s\r\n"
                 in got and got.index("\r\n\r\n") > got.index("Message-Id"),
                 got)
        got = through("Bcc: secret@x.example\r\nReturn-Path: <z@y>\r\n"
                      "Content-Length: 5\r\nResent-Bcc: other@x\r\nSubject : "
                      "s\r\n" + full + "\r\nBcc: body\r\n")
        want("secret" not in got and "z@y" not in got and "other@x" not in got
             and "Length" not in got and "\r\n\r\nBcc: body" in got
             and "Subject: s\r\n" in got, got)
        got = through("Resent-To: b@c.example\r\n" + full + "\r\nb\r\n")
        for name in ("Resent-From: someone@remote.example",
                     "Resent-Message-Id: <", "Resent-Date: "):
            want(got.count(name) == 1, got)
        want(got.count("Message-Id: <1@x>") == 1, got)
        h.wait_log(": resent-message-id=<")
        said = h.talk("HELO x", "MAIL FROM:<a@b.example>",
                      "RCPT TO:<r@far.example>", "DATA",
                      "Received: from a by b\r\n" * 51 + "\r\n.", "QUIT")
        want(said[5] == "554 5.4.0 Error: too many hops", said)
        h.wait_log(": message rejected: hopcount exceeded")
        h.add("virtual_alias_maps = inline:{ {l1@example.com=l2@example.com},"
              " {l2@example.com=l1@example.com} }\n")
        h.reload()
        said = h.talk("HELO x", "MAIL FROM:<a@b.example>",
                      "RCPT TO:<l1@example.com>", "DATA", "\r\n.", "QUIT")
        want(said[5].startswith("451 4.6.0"), said)
        h.wait_log("unreasonable virtual_alias_maps map nesting for l1@exampl"
                   "e.com -- message not accepted")
        h.add("message_drop_headers = x-secret\n")
        h.reload()
        got = through("X-SECRET: 1\r\n 2\r\nBcc: me@x\r\n" + full
                      + "\r\nb\r\n")
        want("SECRET" not in got and "Bcc: me@x" in got, got)
    finally:
        h.close()


@test
def addresses_that_look_like_options():
    """They are refused while somebody listens, not bounced."""
    h = Host(HOST_1, aliases="")
    try:
        h.run("newaliases")
        h.start()
        said = h.talk("EHLO x", "MAIL FROM:<-a@b.example>", "VRFY -a@b",
                      "MAIL FROM:<a@b.example>", "RCPT TO:<-a@b.example>",
                      'RCPT TO:<"-a"@b.example>', "DATA", "QUIT")
        want(said[2] == "501 5.1.7 Bad sender address syntax", said)
        for i in (3, 5, 6):
            want(said[i] == "501 5.1.3 Bad recipient address syntax", said)
        want(said[7] == "554 5.5.1 Error: no valid recipients", said)
        h.run("postconf", "-e", "allow_min_user=yes")
        h.reload()
        got = h.rcpt("-a@b.example", "-c@far.example")
        want(got == "250 2.1.5 Ok", got)
    finally:
        h.close()


@test
def commands_by_other_names():
    """newaliases and mailq are sendmail, and take its options."""
    h = Host(HOST_1, aliases="x: nobody\n")
    env = {k: v for k, v in os.environ.items() if k != "MAIL_CONFIG"}
    try:
        for argv in (["newaliases", "-C", h.etc], ["newaliases", "-c", h.etc],
                     ["newaliases", "-C", h.etc + "/main.cf"],
                     ["sendmail", "-bi", "-C", h.etc],
                     ["sendmail", "-I", "-C", h.etc]):
            if os.path.exists(h.etc + "/aliases.db"):
                os.unlink(h.etc + "/aliases.db")
            r = subprocess.run([f"{h.bin}/{argv[0]}"] + argv[1:], env=env)
            want(r.returncode == 0, argv)
            want(os.path.exists(h.etc + "/aliases.db"), argv)
        h.start()
        for argv in (["mailq", "-C", h.etc], ["mailq", "-c", h.etc],
                     ["sendmail", "-bp", "-C", h.etc]):
            r = subprocess.run([f"{h.bin}/{argv[0]}"] + argv[1:], env=env,
                               capture_output=True, text=True)
            want(r.stdout == "Mail queue is empty\n", (argv, r))
        h.run("newaliases", "x", status=75)
    finally:
        h.close()


def main():
    only = sys.argv[1:]
    passed = failed = skipped = 0
    for fn in TESTS:
        if only and fn.__name__ not in only:
            continue
        try:
            fn()
            passed += 1
        except Skip:
            skipped += 1
        except Exception:
            failed += 1
            print(f"{fn.__name__}:")
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
