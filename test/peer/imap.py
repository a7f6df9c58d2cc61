#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
#
# The same IMAP dialogue with Dovecot and with us, over the same messages:
# what clients depend on (structures, sizes, search results, lists, codes)
# must be equal.  Words of human text may differ.
#
#     test/peer/imap.py [build/asan/imap-test-server]
#
# Dovecot is taken from PEER_DOVECOT_ROOT (a directory that Debian's packages
# were unpacked into) and run in a mount namespace of its
# own.  Without it, or without the right to make one, everything is skipped.

import os, re, shutil, signal, socket, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../talk"))
import imap as talk

PEER = os.environ.get("PEER_DOVECOT_ROOT", "")

CONF = """
base_dir = {root}/run
state_dir = {root}/state
libexec_dir = /usr/lib/dovecot
auth_mechanisms = plain login
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{root}/Maildir
mail_uid = daemon
mail_gid = daemon
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=daemon gid=daemon home={root}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
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
}}
"""


class Dovecot:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="veredus-peer-")
        os.chmod(self.root, 0o755)
        self.path = os.path.join(self.root, "Maildir")
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        self.port = s.getsockname()[1]
        s.close()
        conf = os.path.join(self.root, "dovecot.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(root=self.root, port=self.port))
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             "mount -t overlay overlay -o lowerdir=%s/usr:/usr /usr && "
             "exec /usr/sbin/dovecot -F -c %s" % (PEER, conf)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, LD_LIBRARY_PATH="/usr/lib/dovecot"))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)
            if self.process.poll() is not None:
                break
        self.stop()
        raise talk.Skip("dovecot does not start")

    def raw(self):
        r = talk.Raw(self.port)
        r.ok("LOGIN root pass")
        return r

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        if os.environ.get("VERBOSE"):
            sys.stdout.write(open(os.path.join(self.root, "log")).read())
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


QUESTIONS = [
    "FETCH 1:* (UID RFC822.SIZE)",
    "FETCH 1:* (FLAGS)",
    "FETCH 1:* (ENVELOPE)",
    "FETCH 1:* (BODY)",
    "FETCH 1:* (BODYSTRUCTURE)",
    "FETCH 1:* (BODY.PEEK[])",
    "FETCH 1:* (BODY.PEEK[HEADER])",
    "FETCH 1:* (BODY.PEEK[TEXT])",
    "FETCH 1:* (BODY.PEEK[]<10.30>)",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT To)])",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS.NOT (Subject)])",
    "FETCH 1:* (BODY.PEEK[1])",
    "FETCH 6:9 (BODY.PEEK[1.MIME])",
    "FETCH 1:* (BODY.PEEK[2])",
    "FETCH 1:* (BODY.PEEK[3.HEADER])",
    "FETCH 1:* (BODY.PEEK[3.1])",
    "FETCH 1:* (BODY.PEEK[3.TEXT])",
    "FETCH 1:* (BODY.PEEK[3.1.HEADER])",
    "FETCH 1:* (BODY.PEEK[2.1])",
    "FETCH 2 RFC822.HEADER",
    "UID FETCH 5:* (INTERNALDATE)",
    "UID FETCH 100:* (UID)",
    "SEARCH ALL",
    "SEARCH SUBJECT plain",
    "SEARCH SUBJECT PLAIN",
    "SEARCH FROM q@y.z",
    "SEARCH TO user",
    "SEARCH BODY body",
    "SEARCH TEXT inner",
    "SEARCH CHARSET UTF-8 SUBJECT {7+}\r\ngr\u00fc\u00dfe",
    "SEARCH BODY K\u00f6ln",
    "SEARCH SENTON 1-Jan-2024",
    "SEARCH SENTBEFORE 2-Jan-2024",
    "SEARCH SENTSINCE 24-Nov-2026",
    "SEARCH LARGER 1000",
    "SEARCH SMALLER 60",
    "SEARCH OR SUBJECT nested SUBJECT caps",
    "SEARCH NOT SUBJECT a",
    "SEARCH HEADER Content-Type html",
    "SEARCH HEADER X-Long \"\"",
    "SEARCH 1:3,5",
    "SEARCH UID 1:3,5 SUBJECT n",
    "UID SEARCH *",
    "SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT n",
    "SEARCH RETURN () SUBJECT nowhere",
    "STORE 1 +FLAGS (\\Seen)",
    "STORE 1 +FLAGS (\\Seen)",
    "STORE 1:2 FLAGS (\\Answered key)",
    "STORE 2 -FLAGS.SILENT (key)",
    "FETCH 1:2 (FLAGS)",
    "FETCH 3 BODY[TEXT]",
    "CREATE a.b",
    "CREATE a.b",
    "CREATE Sent",
    'LIST "" *',
    'LIST "" %',
    'LIST "" a.%',
    'LIST "a." %',
    'LIST "" ""',
    'LIST "" (a.* Sent) RETURN (CHILDREN SPECIAL-USE)',
    'LIST (SUBSCRIBED) "" * RETURN (SUBSCRIBED)',
    "SUBSCRIBE a.b",
    'LSUB "" *',
    'LSUB "" %',
    'LIST (SUBSCRIBED) "" *',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
    "STATUS a.b (MESSAGES RECENT UIDNEXT UNSEEN)",
    "STATUS nowhere (MESSAGES)",
    "SELECT nowhere",
    "SELECT INBOX",
    "COPY 1:2 a.b",
    "COPY 1 nowhere",
    "STATUS a.b (MESSAGES UIDNEXT UNSEEN)",
    "UID COPY 3,5 a.b",
    "MOVE 3 a.b",
    "STORE 1,4 +FLAGS.SILENT (\\Deleted)",
    "UID EXPUNGE 1",
    "EXPUNGE",
    "FETCH 1:3 (UID FLAGS)",
    "RENAME a.b c.d",
    'LIST "" *',
    "DELETE c.d",
    "DELETE c.d",
    "DELETE INBOX",
    "FETCH 99 FLAGS",
    "FETCH 1 (FLAGS",
    "STORE 1 +FLAGS (\\Foo)",
    "SEARCH FOO",
    "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
    "NAMESPACE",
    "CHECK",
    "UNSELECT",
    "FETCH 1 FLAGS",
]


# Where we mean it: a Content-Type without a slash is broken, a value with a
# slash is read whole, a message without Date: was not sent before anything,
# STORE answers also for what was so already, codes say more.
MEANT = [
    r"^\* 12 FETCH \(BODY", r'"type" "text(/html)?"',
    r"^\* SEARCH 2 3 4 5 6", r"^\* SEARCH 18$", r"^\* SEARCH 1 5 7 (12 )?13",
    r"^\* 1 FETCH \(FLAGS \(\\Seen\)\)$",
    r"^a\d+ NO( \[(NONEXISTENT|CANNOT)\])?$", r"^\* OK \[(MAILBOXID|HIGHESTMODSEQ)",
    # they answer an empty mailbox between two commas, we leave it out
    r"^\* 5 FETCH \(ENVELOPE",
    # they leave the empty line out where the header has none
    r"^\* 3 FETCH \(BODY\[HEADER.FIELDS.NOT",
    # [2.1] where 2 has no parts
    r"^\* (6|17) FETCH \(BODY\[[23].1\]",
    # [1] of a multipart whose boundary is not there
    r"^\* 1[01] FETCH \(BODY\[1\]",
]


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
        line = re.sub(r"MAILBOXID \(\w+\)", "MAILBOXID I", line)
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
    lists = sorted(l for l in out if l.startswith(("* LIST", "* LSUB")))
    rest = [l for l in out if not l.startswith(("* LIST", "* LSUB"))]
    if any(l.startswith("* FLAGS") for l in rest):
        rest.sort()             # SELECT's lines come in any order
    return lists + rest


def fill(path):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub))
    for i, text in enumerate(hard_mails()):
        name = os.path.join(path, "new", "%d.M%dP1.x" % (1700000000 + i, i))
        with open(name, "w", newline="", encoding="latin-1") as f:
            f.write(text)
        os.utime(name, (1700000000 + i * 86400,) * 2)


def state(r, boxes):
    """All that a client keeps of these mailboxes."""
    out = []
    for box in boxes:
        lines = r.ok("EXAMINE " + box)
        out.append((box, re.search(r"UIDVALIDITY (\d+)",
                                   "".join(lines))[1]))
        # what the two ways of listing flags have in common
        for line in r.ok("FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)"):
            m = re.match(r"\* (\d+) FETCH \(UID (\d+) FLAGS \((.*?)\) (.*)\)",
                         line)
            if m:
                flags = sorted(set(m[3].split()) - {"\\Recent"})
                out.append((m[1], m[2], flags,
                            re.sub(r'" (\d)-', r'"0\1-', m[4])))
    return out


def take_over(peer):
    """A Maildir of Dovecot's is served with the same UIDs and flags, and
    Dovecot reads it again afterwards."""
    boxes = ["INBOX", "here.there"]
    theirs = peer.raw()
    theirs.ok("CREATE here.there")
    theirs.ok("SUBSCRIBE here.there")
    theirs.ok("SELECT INBOX")
    theirs.ok("STORE 2:4 +FLAGS (\\Flagged $Forwarded Junk)")
    theirs.ok("COPY 2:8 here.there")
    theirs.ok("STORE 1 +FLAGS (\\Deleted)")
    theirs.ok("EXPUNGE")
    theirs.ok("UNSELECT")
    before = state(theirs, boxes)
    theirs.ok("LOGOUT")
    place = talk.Place(prepare=lambda path: shutil.copytree(
        peer.path, path, copy_function=shutil.copy2))
    with place:
        ours = place.raw()
        talk.equal(state(ours, boxes), before)
        talk.has(ours.ok('LSUB "" *'), "here.there")
        ours.ok("SELECT INBOX")
        ours.ok("STORE 1 +FLAGS (\\Answered Junk Later)")
        ours.ok("UNSELECT")
        ours.ok("SUBSCRIBE INBOX")
        after = state(ours, ["INBOX"])
        # and back
        shutil.rmtree(peer.path)
        shutil.copytree(place.path, peer.path, copy_function=shutil.copy2)
        subprocess.run(["chown", "-R", "daemon:daemon", peer.path],
                       check=True)
        theirs = peer.raw()
        talk.equal(state(theirs, ["INBOX"]), after)
        talk.has(theirs.ok('LSUB "" *'), "INBOX")


def main():
    if len(sys.argv) > 1:
        talk.SERVER = sys.argv[1]
    try:
        if not os.path.exists(PEER + "/usr/sbin/dovecot"):
            raise talk.Skip("no dovecot")
        peer = Dovecot()
    except talk.Skip as s:
        print("skipped: %s" % s)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    try:
        fill(peer.path)
        subprocess.run(["chown", "-R", "daemon:daemon", peer.path],
                       check=True)
        with talk.Place(prepare=fill) as place:
            theirs, ours = peer.raw(), place.raw()
            for q in ["SELECT INBOX"] + QUESTIONS:
                q = q.encode().decode("latin-1")
                want, got = cooked(theirs.ask(q)), cooked(ours.ask(q))
                want, got = ([l for l in ls if not any(
                    re.search(m, l) for m in MEANT)] for ls in (want, got))
                if want == got:
                    passed += 1
                    continue
                failed += 1
                print("--- %s" % q)
                for w in want:
                    if w not in got:
                        print("  theirs: %s" % w[:600])
                for g in got:
                    if g not in want:
                        print("  ours:   %s" % g[:600])
                if set(want) == set(got):
                    print("  order: %r\n         %r" % (want, got))
        try:
            take_over(peer)
            passed += 1
        except AssertionError as e:
            print("--- take_over: %s" % e)
            failed += 1
    finally:
        peer.stop()
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
