# SPDX-License-Identifier: ISC
"""Dovecot beside us: how it is started, the messages that both are given,
and what of two answers must be equal.

Dovecot is taken from PEER_DOVECOT_ROOT (a directory that Debian's packages
were unpacked into) and run in a mount namespace of its own.  A user's mail is
in the directory root/USER/Maildir; every user's password is "pass".
"""
import functools
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "talk"))
import imap as talk

from harness import free_port

PEER = os.environ.get("PEER_DOVECOT_ROOT", "")

# The words in which 2.3 and 2.4 are told the same, and what both understand.
CONF_23 = """
disable_plaintext_auth = no
mail_location = maildir:{root}/%u/Maildir
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=daemon gid=daemon home={root}/home
}}
"""
CONF_24 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {root}/%{{user}}/Maildir
passdb static {{
  password = pass
}}
userdb static {{
  fields {{
    uid = daemon
    gid = daemon
    home = {root}/home
  }}
}}
"""
CONF = """
base_dir = {root}/run
state_dir = {root}/state
libexec_dir = /usr/lib/dovecot
auth_mechanisms = plain login
log_path = {root}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
first_valid_uid = 0
first_valid_gid = 0
mail_uid = daemon
mail_gid = daemon
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
}}
"""


@functools.cache
def version():
    """(2, 3) or later."""
    said = subprocess.run([PEER + "/usr/sbin/dovecot", "--version"],
                          env=environment(PEER + "/usr/lib/dovecot"),
                          stdout=subprocess.PIPE, check=True).stdout.decode()
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", said).groups())


def environment(libraries):
    """Of programs of Dovecot: where its libraries and those of packages that
    it needs are."""
    return dict(os.environ, LD_LIBRARY_PATH=":".join(
        [libraries, *glob.glob(PEER + "/usr/lib/*-linux-gnu")]))


class Dovecot:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="veredus-peer-")
        os.chmod(self.root, 0o755)
        self.port, self.pop3 = free_port(), free_port()
        conf = os.path.join(self.root, "dovecot.conf")
        with open(conf, "w") as f:
            f.write(((CONF_24 if version() >= (2, 4) else CONF_23) + CONF)
                    .format(root=self.root, port=self.port, pop3=self.pop3))
        words = os.path.join(self.root, "words")
        with open(words, "w") as out:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c",
                 "mount -t overlay overlay -o lowerdir=%s/usr:/usr /usr && "
                 "exec /usr/sbin/dovecot -F -c %s" % (PEER, conf)],
                stdout=out, stderr=out, env=environment("/usr/lib/dovecot"))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)
            if self.process.poll() is not None:
                break
        with open(words) as out:
            said = out.read().strip()
        self.stop()
        raise talk.Skip("dovecot does not start: " + said)

    def path(self, user):
        return os.path.join(self.root, user, "Maildir")

    def own(self, user):
        """What we put into a user's Maildir is his."""
        subprocess.run(["chown", "-R", "daemon:daemon",
                        os.path.join(self.root, user)], check=True)

    def raw(self, user="root"):
        r = talk.Raw(self.port)
        r.ok("LOGIN %s pass" % user)
        return r

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        log = os.path.join(self.root, "log")
        if os.environ.get("VERBOSE") and os.path.exists(log):
            with open(log) as f:
                sys.stdout.write(f.read())
        shutil.rmtree(self.root, ignore_errors=True)


def hard_mails():
    """Messages that are easy to get wrong."""
    yield talk.mail("plain")
    yield "Subject: no body\n\n"
    yield "Subject: nothing at all\n"
    yield "\nno header\n"
    yield ("Subject: a \"quoted\" \\ subject\n folded\n\tmore\n"
           "From: a@b.c (Comment), \"Q. \\\"x\\\" Y\" <q@y.z>,"
           " Group: one@two.three, <four@five.six>;, bare\n"
           "To: undisclosed-recipients:;\n"
           "Cc: =?utf-8?q?=C3=84?= <ae@x.y>,, x@y.z\n"
           "Reply-To: <@route,@other:me@there.org>\n"
           "In-Reply-To: <abc@def>\n\nbody\n")
    yield ("Subject: parts\nMIME-Version: 1.0\n"
           "Content-Type: multipart/mixed; boundary=\"b 1\"; charset=x\n\n"
           "preamble\n--b 1\nContent-Type: text/plain; charset=utf-8;"
           " format=flowed\nContent-Transfer-Encoding: 8bit\n"
           "Content-Disposition: inline\nContent-Language: en, de\n"
           "Content-Location: http://x/\nContent-MD5: abc\n"
           "Content-ID: <id@x>\nContent-Description: some text\n\n"
           "line 1\nline 2\n"
           "--b 1\nContent-Type: APPLICATION/Octet-Stream; name=x.bin\n"
           "Content-Disposition: attachment; filename*0=\"a\";"
           " filename*1=b\nContent-Transfer-Encoding: BASE64\n\n"
           "AAAA\n--b 1--\nepilogue\n--b 1\nnot a part\n")
    yield ("Subject: nested\nContent-Type: multipart/alternative;"
           " boundary=o\n\n--o\n\nfirst\n--o\n"
           "Content-Type: multipart/related; boundary=i; type=text/html\n\n"
           "--i\nContent-Type: text/html\n\n<p>\n\n--i--\n\n--o\n"
           "Content-Type: message/rfc822\n\n"
           "From: in@ner.x\nSubject: inner\nContent-Type: multipart/digest;"
           " boundary=d\n\n--d\n\nSubject: in digest\n\nbody\n--d--\n--o--\n")
    yield ("Subject: unclosed\nContent-Type: multipart/mixed; boundary=u\n\n"
           "--u\n\nnever closed\n")
    yield ("Subject: empty parts\nContent-Type: multipart/mixed;"
           " boundary=e\n\n--e\n--e\n\n--e\nContent-Type: text/html\n--e--\n")
    yield ("Subject: no boundary\nContent-Type: multipart/mixed\n\n"
           "--x\n\nbody\n")
    yield ("Subject: boundary not there\nContent-Type: multipart/mixed;"
           " boundary=x\n\nbody\n")
    yield ("Subject: odd types\nContent-Type: text\n\nbody\n")
    yield ("Subject: comment\nContent-Type: (c) text/(d)plain (e);"
           " (f) charset=(g)us-ascii (h)\n\nbody\n")
    yield ("Subject: caps\nCONTENT-TYPE: TEXT/HTML; CHARSET=\"UTF-8\"\n"
           "content-transfer-encoding: Quoted-Printable\n\n<b>=3D</b>\n")
    yield ("Subject: =?iso-8859-1?q?gr=FC=DFe?=\nContent-Type: text/plain;"
           " charset=iso-8859-1\nContent-Transfer-Encoding:"
           " quoted-printable\n\nGr=FC=DFe aus K=F6ln\n")
    yield ("Subject: message with odd parts\n"
           "Content-Type: message/rfc822\n\nSubject: in\n\nx\n")
    yield ("Subject: delivery status\nContent-Type: multipart/report;"
           " report-type=delivery-status; boundary=r\n\n--r\n\ntext\n--r\n"
           "Content-Type: message/delivery-status\n\n"
           "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; y\n--r\n"
           "Content-Type: text/rfc822-headers\n\nSubject: z\n--r--\n")
    yield ("Date: Mon, 1 Jan 2024 23:30:00 -0800\nSubject: dates\n\nx\n")
    yield ("X-Long: " + "x" * 5000 + "\nSubject: long\n\n" + "y" * 70000
           + "\n")
    yield ("Subject: crlf\r\nContent-Type: text/plain\r\n\r\nline\r\n"
           "bare\nline\r\n")


def unquote_literals(line):
    """In structures a string is the same as literal or quoted."""
    def quoted(m):
        n = int(m.group(1))
        text = line[m.end():m.end() + n]
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return n, '"%s"' % text
    while True:
        m = re.search(r"\{(\d+)\}\r\n", line)
        if not m:
            return line
        n, text = quoted(m)
        line = line[:m.start()] + text + line[m.end() + n:]


LISTED = ("* LIST", "* LSUB", "* STATUS")


def cooked(lines):
    """What must be equal of an answer."""
    out = []
    for line in lines:
        if re.search(r"ENVELOPE|BODYSTRUCTURE|\(BODY \(", line):
            line = unquote_literals(line)
        line = re.sub(r'(INTERNALDATE ") ', r"\g<1>0", line)
        line = re.sub(r"\b(UIDVALIDITY|COPYUID|APPENDUID) \d+", r"\1 V", line)
        line = re.sub(r"MODSEQ \(?\d+\)?", "MODSEQ M", line)
        line = re.sub(r"\\Recent ?", "", line)
        line = re.sub(r"BADCHARSET \([^)]*\)", "BADCHARSET", line)
        line = re.sub(r'^\* ID \("name" .*', "* ID", line)
        line = re.sub(r"MAILBOXID \(\w+\)", "MAILBOXID I", line)
        line = re.sub(r"^(\w+ OK) \[MAILBOXID I\]", r"\1", line)
        line = re.sub(r"^(\S+ (?:OK|NO|BAD)(?: \[[^]]*\])?) .*", r"\1", line)
        line = re.sub(r"FLAGS \(([^)]*)\)",
                      lambda m: "FLAGS (%s)" % " ".join(
                          sorted(m.group(1).split())), line)
        line = re.sub(r"^(\* LIST \()([^)]*)",
                      lambda m: m.group(1) + " ".join(sorted(
                          m.group(2).split())), line)
        line = re.sub(r"^(\* (?:STATUS|LIST|LSUB) .*)",
                      lambda m: m.group(1).replace('"', ""), line)
        line = re.sub(r"^(\* STATUS \S+ )\((.*)\)",
                      lambda m: m.group(1) + " ".join(sorted(re.findall(
                          r"\S+ \d+", m.group(2)))), line)
        out.append(line)
    lists = sorted(l for l in out if l.startswith(LISTED))
    rest = [l for l in out if not l.startswith(LISTED)]
    if any(l.startswith("* FLAGS") for l in rest):
        rest.sort()             # SELECT's lines come in any order
    return lists + rest


def own_messages(n):
    for i in range(n):
        yield talk.mail(str(i + 1))


def fill(path, messages=None):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub))
    for i, text in enumerate(
            hard_mails() if messages is None else messages):
        name = os.path.join(path, "new", "%d.M%dP1.x" % (1700000000 + i, i))
        with open(name, "w", newline="", encoding="latin-1") as f:
            f.write(text)
        os.utime(name, (1700000000 + i * 86400,) * 2)


