#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
#
# IMAP and POP3 dialogues over real sockets: Python's imaplib and poplib, raw
# lines where those are too polite, and mbsync, fetchmail and mutt where they
# are installed, against build/MODE/imap-test-server.
#
#     test/talk/imap.py [build/asan/imap-test-server] [name ...]
#
# The last line is "N passed, N failed, N skipped".

import imaplib, os, poplib, re, shutil, socket, ssl, subprocess, sys
import tempfile, threading, time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from terminal import Terminal

SERVER = "build/asan/imap-test-server"
TESTS = []


def test(f):
    TESTS.append(f)
    return f


class Skip(Exception):
    pass


class Place:
    """A Maildir with a server on it."""

    def __init__(self, *options, prepare=None):
        self.root = tempfile.mkdtemp(prefix="veredus-imap-")
        self.path = os.path.join(self.root, "Maildir")
        if prepare:
            prepare(self.path)
        self.options = options
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SERVER, "maildir:" + self.path, *self.options],
            stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        self.imap, self.pop3 = int(words[1]), int(words[3])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        alive = self.process.poll() is None
        self.stop()
        shutil.rmtree(self.root)
        assert alive, "the server died"

    def client(self):
        c = imaplib.IMAP4("127.0.0.1", self.imap)
        c.login("user", "pass")
        return c

    def raw(self, login=True):
        r = Raw(self.imap)
        if login:
            r.ask("LOGIN user pass")
        return r

    def deliver(self, text, folder="", name=None, flags=None):
        d = os.path.join(self.path, folder)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(d, sub), exist_ok=True)
        Place.count = getattr(Place, "count", 0) + 1
        name = name or "%d.M%dP1.test" % (time.time(), Place.count)
        sub = "new" if flags is None else "cur"
        end = name if flags is None else name + ":2," + flags
        tmp = os.path.join(d, "tmp", name)
        with open(tmp, "w", newline="") as f:
            f.write(text)
        os.rename(tmp, os.path.join(d, sub, end))
        return os.path.join(d, sub, end)


class Raw:
    """Lines as they are."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 20)
        self.f = self.s.makefile("rb")
        self.n = 0
        self.greeting = self.line()

    def line(self):
        line = self.f.readline()
        while re.search(rb"\{\d+\}\r\n$", line):
            n = int(re.search(rb"\{(\d+)\}\r\n$", line).group(1))
            line += self.f.read(n) + self.f.readline()
        return line.decode("latin-1").rstrip("\r\n")

    def send(self, data):
        self.s.sendall(data.encode("latin-1"))

    def until(self, tag):
        lines = []
        while True:
            line = self.line()
            assert line or lines == [], lines
            if line == "":
                raise EOFError(lines)
            lines.append(line)
            if line.startswith(tag + " "):
                return lines

    def ask(self, command):
        self.n += 1
        tag = "a%d" % self.n
        self.send("%s %s\r\n" % (tag, command))
        return self.until(tag)

    def ok(self, command):
        lines = self.ask(command)
        assert " OK" in lines[-1], (command, lines)
        return lines


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)


def has(lines, want):
    assert any(want in l for l in lines), "%r not in %r" % (want, lines)


def lacks(lines, unwanted):
    assert not any(unwanted in l for l in lines), "%r in %r" % (unwanted,
                                                              lines)


MAIL = ("From: Fritz <fritz@example.org>\nTo: user@example.org\n"
        "Subject: %s\nDate: Tue, 24 Nov 2026 03:11:50 +0100\n"
        "Message-Id: <%s@example.org>\n\nbody of %s\n")


def mail(n):
    return MAIL % (n, n, n)


# --- login ------------------------------------------------------------------

@test
def login():
    with Place() as p:
        r = p.raw(login=False)
        assert r.greeting.startswith("* OK [CAPABILITY IMAP4rev1"), r.greeting
        has(r.ok("CAPABILITY"), "STARTTLS")
        has(r.ask("SELECT INBOX"), "BAD")
        has(r.ask("LOGIN user wrong"), "NO [AUTHENTICATIONFAILED]")
        has(r.ok('LOGIN "user" {4+}\r\npass'), "CAPABILITY")
        has(r.ask("LOGIN user pass"), "BAD")
        has(r.ok("LOGOUT"), "* BYE")
        r = p.raw(login=False)
        r.n += 1
        r.send("a1 LOGIN {4}\r\n")
        equal(r.line(), "+ OK")
        r.send("user {4}\r\n")
        equal(r.line(), "+ OK")
        r.send("pass\r\n")
        has(r.until("a1"), "a1 OK")
        r = p.raw(login=False)
        has(r.ok("AUTHENTICATE PLAIN AHVzZXIAcGFzcw=="), "OK")
        r = p.raw(login=False)
        r.send("a1 AUTHENTICATE LOGIN\r\n")
        assert r.line().startswith("+ ")
        r.send("dXNlcg==\r\n")
        assert r.line().startswith("+ ")
        r.send("cGFzcw==\r\n")
        has(r.until("a1"), "a1 OK")
        r = p.raw(login=False)
        r.send("a1 AUTHENTICATE PLAIN\r\n")
        equal(r.line(), "+ ")
        r.send("*\r\n")
        assert "a1 OK" not in r.until("a1")[-1]
        has(r.ask("AUTHENTICATE NOSUCH"), "NO")
        for _ in range(2):
            lines = r.ask("LOGIN user wrong")
        has(lines, "NO")
        equal(r.f.read(), b"* BYE Too many authentication failures.\r\n")


@test
def starttls():
    with Place("plaintext=no") as p:
        r = p.raw(login=False)
        assert "LOGINDISABLED" in r.greeting
        has(r.ask("LOGIN user pass"), "NO [PRIVACYREQUIRED]")
        c = imaplib.IMAP4("127.0.0.1", p.imap)
        ctx = ssl._create_unverified_context()
        c.starttls(ctx)
        assert "LOGINDISABLED" not in c.capabilities
        assert "STARTTLS" not in c.capabilities
        c.login("user", "pass")
        equal(c.select()[0], "OK")
        c.logout()
        # what is pipelined behind STARTTLS is not the client's
        r = p.raw(login=False)
        r.send("a1 STARTTLS\r\na2 LOGIN user pass\r\n")
        has(r.until("a1"), "OK")
        s = ctx.wrap_socket(r.s)
        s.sendall(b"a3 NOOP\r\n")
        assert s.recv(1000).startswith(b"a3 OK")


@test
def slow_login():
    """Who has something to say all the time gets no more of it."""
    with Place("login=2") as p:
        for port, word in ((p.imap, b"a NOOP\r\n"), (p.pop3, b"NOOP\r\n")):
            s = socket.create_connection(("127.0.0.1", port), 10)
            f = s.makefile("rb")
            start = time.time()
            try:
                while f.readline():
                    s.sendall(word)
                    time.sleep(0.2)
            except OSError:
                pass
            assert 1 < time.time() - start < 8, time.time() - start


@test
def too_much():
    with Place() as p:
        r = p.raw(login=False)
        r.send("a1 LOGIN user " + "x" * 100000 + "\r\n")
        has(r.until("a1"), "BAD")
        r.send("a2 LOGIN {10000000}\r\n")
        has(r.until("a2"), "BAD")
        r.ok("NOOP")
        r = p.raw()
        r.send("a2 SELECT {200000+}\r\n" + "x" * 200000 + "\r\n")
        has(r.until("a2"), "BAD")
        r.n = 5
        r.ok("NOOP")
        has(r.ask("SEARCH " + "NOT " * 100 + "ALL"), "BAD")
        for _ in range(30):
            r.send("x\r\n")
        try:
            while r.line():
                pass
        except ConnectionError:
            pass


# --- reading ----------------------------------------------------------------

@test
def select_and_fetch():
    with Place() as p:
        p.deliver(mail("one"))
        p.deliver(mail("two"), flags="FS")
        c = p.client()
        typ, data = c.select("INBOX")
        equal((typ, data), ("OK", [b"2"]))
        equal(c.response("RECENT")[1], [b"2"])
        equal(c.response("UIDNEXT")[1], [b"3"])
        assert b"\\*" in c.response("PERMANENTFLAGS")[1][0]
        typ, data = c.fetch("1", "(UID FLAGS RFC822.SIZE INTERNALDATE)")
        size = len(mail("one").replace("\n", "\r\n"))
        m = re.fullmatch(rb'1 \(UID 1 FLAGS \((.*)\) RFC822.SIZE (\d+) '
                         rb'INTERNALDATE "([^"]+)"\)', data[0])
        assert m, data
        equal(int(m.group(2)), size)
        typ, data = c.fetch("1", "(BODY[])")
        equal(data[0][1].decode(), mail("one").replace("\n", "\r\n"))
        typ, data = c.fetch("1", "(FLAGS)")
        assert b"\\Seen" in data[0], data
        typ, data = c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (Subject X)])")
        equal(data[0][1], b"Subject: one\r\n\r\n")
        equal(data[2][1], b"Subject: two\r\n\r\n")
        typ, data = c.fetch("2", "(BODY.PEEK[HEADER.FIELDS.NOT (From To "
                            "Date Message-Id)])")
        equal(data[0][1], b"Subject: two\r\n\r\n")
        typ, data = c.fetch("2", "(BODY.PEEK[TEXT]<5.6>)")
        equal(data[0][1], b"of two")
        assert b"BODY[TEXT]<5>" in data[0][0]
        typ, data = c.fetch("2", "ENVELOPE")
        equal(data[0], b'2 (ENVELOPE ("Tue, 24 Nov 2026 03:11:50 +0100" '
              b'"two" (("Fritz" NIL "fritz" "example.org")) '
              b'(("Fritz" NIL "fritz" "example.org")) '
              b'(("Fritz" NIL "fritz" "example.org")) '
              b'((NIL NIL "user" "example.org")) NIL NIL NIL '
              b'"<two@example.org>"))')
        typ, data = c.fetch("2", "FULL")
        assert b"BODY (" in data[0], data
        r = p.raw()
        r.ok("EXAMINE INBOX")
        has(r.ask("FETCH 9 FLAGS"), "BAD")
        has(r.ask("FETCH 1 (FLAGS"), "BAD")
        has(r.ask("FETCH 1 BODY[1.HEADERS]"), "BAD")
        has(r.ask("FETCH 0 FLAGS"), "BAD")
        has(r.ok("UID FETCH 9 FLAGS"), "OK")
        has(r.ok("UID FETCH 1:* FLAGS"), "* 2 FETCH (UID 2 FLAGS")
        has(r.ok("FETCH 2 (BODY.PEEK[1] BODY[1.MIME])"), "BODY[1.MIME]")
        has(r.ask("STORE 1 +FLAGS (\\Seen)"), "NO [READ-ONLY]")


@test
def parts():
    text = ("Subject: parts\nContent-Type: multipart/mixed; boundary=b\n\n"
            "--b\nContent-Type: text/plain\n"
            "Content-Transfer-Encoding: base64\n\naGVsbG8=\n"
            "--b\nContent-Type: message/rfc822\n\n"
            "Subject: inner\n\ninner body\n--b--\n")
    with Place() as p:
        p.deliver(text)
        r = p.raw()
        r.ok("SELECT INBOX")
        has(r.ok("FETCH 1 BODY.PEEK[1]"), "BODY[1] {8}\r\naGVsbG8=")
        has(r.ok("FETCH 1 BINARY.PEEK[1]"), "BINARY[1] ~{5}\r\nhello")
        has(r.ok("FETCH 1 BINARY.SIZE[1]"), "BINARY.SIZE[1] 5")
        has(r.ok("FETCH 1 BODY.PEEK[2.HEADER]"), "Subject: inner")
        has(r.ok("FETCH 1 BODY.PEEK[2.TEXT]"), "{10}\r\ninner body")
        has(r.ok("FETCH 1 BODY.PEEK[2.1]"), "{10}\r\ninner body")
        has(r.ok("FETCH 1 BODY.PEEK[3]"), "BODY[3] {0}")
        has(r.ok("FETCH 1 BODYSTRUCTURE"),
            'BODYSTRUCTURE (("text" "plain" ("charset" "us-ascii") NIL NIL '
            '"base64" 8 0 NIL NIL NIL NIL)("message" "rfc822"')


@test
def lost_body():
    with Place() as p:
        p.deliver(mail("1"))
        p.deliver(mail("2"))
        r = p.raw()
        r.ok("SELECT INBOX")
        cur = os.path.join(p.path, "cur")
        os.unlink(os.path.join(cur, sorted(os.listdir(cur))[0]))
        lines = r.ok("FETCH 1:2 (UID BODY.PEEK[])")
        has(lines, "BODY[] NIL")
        has(lines, "EXPUNGEISSUED")
        lacks(lines, "EXPUNGE\r\n")
        has(r.ok("NOOP"), "* 1 EXPUNGE")


# --- flags, moving ----------------------------------------------------------

@test
def store_flags():
    with Place() as p:
        for i in "123":
            p.deliver(mail(i))
        r, other = p.raw(), p.raw()
        r.ok("SELECT INBOX")
        other.ok("SELECT INBOX")
        has(r.ok("STORE 1 +FLAGS (\\Seen $Work)"), "* 1 FETCH (FLAGS (")
        has(r.ok("STORE 2 +FLAGS.SILENT \\Deleted"), "OK")
        lacks(r.ok("STORE 3 +FLAGS.SILENT (\\Flagged)"), "FETCH")
        has(r.ok("UID STORE 3 -FLAGS (\\Flagged)"), "* 3 FETCH (UID 3 ")
        lines = other.ok("NOOP")
        has(lines, "* 1 FETCH (FLAGS (\\Seen $Work))")
        has(lines, "PERMANENTFLAGS")
        has(lines, "* 2 FETCH (FLAGS (\\Deleted))")
        has(r.ask("STORE 1 FLAGS (\\Nonsense)"), "BAD")
        lines = r.ok("EXPUNGE")
        has(lines, "* 2 EXPUNGE")
        lacks(other.ok("FETCH 1 FLAGS"), "EXPUNGE")
        has(other.ok("NOOP"), "* 2 EXPUNGE")
        names = os.listdir(os.path.join(p.path, "cur"))
        assert any(n.endswith(":2,Sa") for n in names), names
        with open(os.path.join(p.path, "dovecot-keywords")) as f:
            equal(f.read(), "0 $Work\n")


@test
def condstore():
    with Place() as p:
        for i in "123":
            p.deliver(mail(i))
        r, other = p.raw(), p.raw()
        lines = r.ok("SELECT INBOX (CONDSTORE)")
        start = int(re.search(r"HIGHESTMODSEQ (\d+)", "".join(lines))[1])
        other.ok("SELECT INBOX")
        other.ok("STORE 2 +FLAGS (\\Seen)")
        lines = r.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % start)
        has(lines, "* 2 FETCH")
        lacks(lines, "* 1 FETCH")
        lines = r.ok("FETCH 2 (MODSEQ) (CHANGEDSINCE %d)" % start)
        equal("".join(lines).count("MODSEQ"), 1)
        m = int(re.search(r"MODSEQ \((\d+)\)", "".join(lines))[1])
        assert m > start
        lines = r.ok("STORE 1,2 (UNCHANGEDSINCE %d) +FLAGS (\\Deleted)"
                     % start)
        has(lines, "[MODIFIED 2]")
        has(lines, "* 1 FETCH (MODSEQ (")
        lines = r.ok("SEARCH MODSEQ %d" % m)
        has(lines, "* SEARCH 1 2 (MODSEQ ")
        has(r.ok("STATUS INBOX (HIGHESTMODSEQ)"), "HIGHESTMODSEQ")
        has(r.ok("ENABLE CONDSTORE"), "* ENABLED")


@test
def uid_copy_move():
    with Place() as p:
        for i in "1234":
            p.deliver(mail(i))
        r = p.raw()
        r.ok("SELECT INBOX")
        has(r.ask("COPY 1 Nowhere"), "NO [TRYCREATE]")
        r.ok("CREATE Box")
        has(r.ask("CREATE Box"), "NO [ALREADYEXISTS]")
        has(r.ok("UID COPY 1,3 Box"), "[COPYUID ")
        lines = r.ok("MOVE 2:3 Box")
        has(lines, "* OK [COPYUID ")
        has(lines, "2:3 3:4]")
        has(lines, "* 3 EXPUNGE")
        has(lines, "* 2 EXPUNGE")
        has(r.ok("STATUS Box (MESSAGES UIDNEXT)"),
            "* STATUS Box (MESSAGES 4 UIDNEXT 5)")
        r.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        lines = r.ok("UID EXPUNGE 4")
        has(lines, "* 2 EXPUNGE")
        lacks(lines, "* 1 EXPUNGE")
        r.ok("CLOSE")
        has(r.ok("STATUS INBOX (MESSAGES)"), "(MESSAGES 0)")
        has(r.ask("FETCH 1 FLAGS"), "BAD No mailbox selected")


@test
def append():
    with Place("max=1000") as p:
        c = p.client()
        typ, data = c.append("INBOX", "(\\Seen Work)",
                             '"17-Jul-1996 02:44:25 -0700"',
                             mail("x").encode())
        assert typ == "OK" and b"APPENDUID" in data[0], data
        c.select("INBOX")
        typ, data = c.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
        equal(data[0][1].decode(), mail("x").replace("\n", "\r\n"))
        assert b"\\Seen" in data[0][0] and b"Work" in data[0][0], data
        typ, data = c.fetch("1", "(INTERNALDATE)")
        when = time.mktime(imaplib.Internaldate2tuple(data[0]))
        equal(int(when), 837596665)
        r = p.raw()
        has(r.ask("APPEND INBOX {2000}"), "NO [TOOBIG]")
        r.send("b APPEND INBOX {2000+}\r\n" + "x" * 2000 + "\r\n")
        has(r.until("b"), "NO [TOOBIG]")
        has(r.ask("APPEND Nope {10}"), "NO [TRYCREATE]")
        r.send("c APPEND Nope {4+}\r\na: b\r\n")
        has(r.until("c"), "NO [TRYCREATE]")
        r.ok("NOOP")
        r.send("d APPEND INBOX (\\Draft) {8+}\r\na: 1\r\n\r\n {8+}\r\n"
               "a: 2\r\n\r\n\r\n")
        has(r.until("d"), "[APPENDUID ")
        has(r.ok("STATUS INBOX (MESSAGES)"), "(MESSAGES 3)")
        has(r.ask("APPEND INBOX (\\Wrong) {4}"), "BAD")
        has(r.ask("APPEND INBOX"), "BAD")
        equal(os.listdir(os.path.join(p.path, "tmp")), [])


@test
def quota():
    with Place("quota=3000") as p:
        r = p.raw()
        has(r.ok("GETQUOTAROOT INBOX"), "STORAGE 0 2")
        r.send("a APPEND INBOX {2000+}\r\n" + "x" * 2000 + "\r\n")
        has(r.until("a"), "OK")
        has(r.ask("APPEND INBOX {2000}"), "NO [OVERQUOTA]")
        r.ok("SELECT INBOX")
        has(r.ask("COPY 1 INBOX"), "NO [OVERQUOTA]")
        r.ok("STORE 1 +FLAGS (\\Deleted)")
        r.ok("EXPUNGE")
        with open(os.path.join(p.path, "maildirsize")) as f:
            # counted anew before the first refusal
            equal(f.read(), "3000S\n2000 1\n-2000 -1\n")


# --- search -----------------------------------------------------------------

@test
def search():
    with Place() as p:
        p.deliver(mail("one"), flags="S")
        p.deliver(mail("two"), flags="F")
        p.deliver("Subject: =?utf-8?q?=C3=84pfel?=\nContent-Type: text/plain;"
                  " charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
                  "w5ZsIHVuZCBCcm90\n", flags="")
        c = p.client()
        c.select()

        def find(*words):
            typ, data = c.search(None, *words)
            equal(typ, "OK")
            return data[0].decode()

        equal(find("ALL"), "1 2 3")
        equal(find("SEEN"), "1")
        equal(find("UNSEEN"), "2 3")
        equal(find("SUBJECT", "tw"), "2")
        equal(find("OR", "SEEN", "FLAGGED"), "1 2")
        equal(find("NOT", "(OR SEEN FLAGGED)"), "3")
        equal(find("NOT", "NOT", "SEEN"), "1")
        equal(find("FROM", "fritz"), "1 2")
        equal(find("BODY", "body"), "1 2")
        equal(find("TEXT", "one"), "1")
        equal(find("2:*", "UNFLAGGED"), "3")
        equal(find("UID", "1,3"), "1 3")
        equal(find("SENTON", "24-Nov-2026"), "1 2")
        equal(find("SENTSINCE", "25-Nov-2026"), "")
        equal(find("SINCE", "1-Jan-2020"), "1 2 3")
        equal(find("BEFORE", "1-Jan-2020"), "")
        equal(find("LARGER", "100", "SMALLER", "100000"), "1 2 3")
        equal(find("YOUNGER", "10000"), "1 2 3")
        equal(find("OLDER", "10000"), "")
        equal(find("HEADER", "Message-ID", '""'), "1 2")
        equal(find("KEYWORD", "nothing"), "")
        c.literal = "äpfel".encode()
        equal(c.search("UTF-8", "SUBJECT")[1], [b"3"])
        c.literal = "öl".encode("latin-1")
        equal(c.search("ISO-8859-1", "BODY")[1], [b"3"])
        r = p.raw()
        r.ok("SELECT INBOX")
        has(r.ask("SEARCH CHARSET X-NONE ALL"), "NO [BADCHARSET")
        has(r.ok("SEARCH RETURN (MIN MAX COUNT) UNSEEN"),
            "* ESEARCH (TAG \"a4\") MIN 2 MAX 3 COUNT 2")
        has(r.ok("UID SEARCH RETURN () ALL"),
            "* ESEARCH (TAG \"a5\") UID ALL 1:3")
        r.ok("SEARCH RETURN (SAVE) UNSEEN")
        has(r.ok("FETCH $ UID"), "* 3 FETCH (UID 3)")
        has(r.ok("SEARCH $ FLAGGED"), "* SEARCH 2")
        has(r.ask("SEARCH"), "BAD")
        has(r.ask("SEARCH OR SEEN"), "BAD")
        has(r.ask("SEARCH (SEEN"), "BAD")
        has(r.ask("SEARCH FOO"), "BAD")


# --- mailboxes --------------------------------------------------------------

@test
def mailboxes():
    with Place() as p:
        r = p.raw()
        has(r.ok('LIST "" ""'), '* LIST (\\Noselect) "." ""')
        for name in ("Sent", "a.b.c", '"x y"', "&AOQ-"):
            r.ok("CREATE " + name)
        lines = r.ok('LIST "" *')
        has(lines, '* LIST (\\HasNoChildren) "." INBOX')
        has(lines, '* LIST (\\Noselect \\HasChildren) "." a')
        has(lines, '"x y"')
        has(lines, "\\Sent")
        box = re.search(r"MAILBOXID \((\w+)\)", r.ok("CREATE id")[-1])[1]
        has(r.ok("STATUS id (MAILBOXID)"), "(MAILBOXID (%s))" % box)
        r.ok("RENAME id di")
        has(r.ok("SELECT di"), "[MAILBOXID (%s)]" % box)
        r.ok("UNSELECT")
        r.ok("DELETE di")
        equal(len(r.ok('LIST "" %')), 6)
        has(r.ok('LIST "" a.%'), "a.b")
        has(r.ok('LIST a. %'), "a.b")
        lacks(r.ok('LIST "" a.%'), "a.b.c")
        has(r.ok('LIST "" inb%'), "INBOX")
        r.ok("SUBSCRIBE a.b.c")
        r.ok("SUBSCRIBE INBOX")
        has(r.ask("SUBSCRIBE nothing"), "NO [NONEXISTENT]")
        equal(len(r.ok('LSUB "" *')), 3)
        has(r.ok('LSUB "" %'), '* LSUB (\\Noselect) "." a')
        has(r.ok('LIST (SUBSCRIBED) "" *'), "\\Subscribed")
        has(r.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %'), "CHILDINFO")
        equal(len(r.ok('LIST (SPECIAL-USE) "" *')), 2)
        lines = r.ok('LIST "" (INBOX Sent) RETURN (STATUS (MESSAGES))')
        has(lines, "* STATUS Sent (MESSAGES 0)")
        r.ok("RENAME a z")
        has(r.ok('LIST "" z.*'), "z.b.c")
        has(r.ask("RENAME Sent z.b.c"), "NO [ALREADYEXISTS]")
        r.ok("DELETE Sent")
        has(r.ask("DELETE Sent"), "NO [NONEXISTENT]")
        has(r.ask("DELETE INBOX"), "NO")
        has(r.ask("SELECT nowhere"), "NO [NONEXISTENT]")
        has(r.ask("CREATE a//b"), "NO")
        has(r.ask("CREATE ../x"), "NO")
        has(r.ok("NAMESPACE"), '* NAMESPACE (("" ".")) NIL NIL')
        p.deliver(mail("1"))
        r.ok("RENAME INBOX Old")
        has(r.ok("STATUS Old (MESSAGES)"), "MESSAGES 1")
        has(r.ok("STATUS INBOX (MESSAGES)"), "MESSAGES 0")
        r.ok("SELECT Old")
        other = p.raw()
        other.ok("DELETE Old")
        has(r_bye(r), "* BYE")


def r_bye(r):
    r.send("x NOOP\r\n")
    return [l.decode() for l in r.f.readlines()]


@test
def separator():
    with Place("sep=/") as p:
        r = p.raw()
        r.ok("CREATE a/b")
        has(r.ok('LIST "" *'), '"/" a/b')
        assert os.path.isdir(os.path.join(p.path, ".a.b"))
        has(r.ask("CREATE a.b"), "NO")


@test
def id_and_friends():
    with Place() as p:
        r = p.raw()
        has(r.ok('ID ("name" "x" "version" NIL)'), "* ID (")
        has(r.ok("ID NIL"), "* ID (")
        has(r.ask("ID (1)"), "BAD")
        has(r.ask("FOO"), "BAD")
        has(r.ask("UID FOO 1"), "BAD")
        p.deliver(mail("1"))
        p.deliver(mail("2"))
        r.ok("SELECT INBOX")
        lines = r.ok("FETCH 2 (EMAILID THREADID)")
        email = re.search(r"EMAILID \((\w[\w-]*)\) THREADID NIL", lines[0])[1]
        has(r.ok("SEARCH EMAILID " + email), "* SEARCH 2")
        equal(r.ok("SEARCH THREADID x")[0], "* SEARCH")
        r.ok("CHECK")
        r.ok("UNSELECT")
        has(r.ask("CHECK"), "BAD")


# --- idle -------------------------------------------------------------------

@test
def idle():
    with Place() as p:
        p.deliver(mail("1"))
        r, other = p.raw(), p.raw()
        r.ok("SELECT INBOX")
        r.send("i IDLE\r\n")
        equal(r.line(), "+ idling")
        for i in range(3):
            start = time.time()
            p.deliver(mail("x"))
            equal(r.line(), "* %d EXISTS" % (i + 2))
            equal(r.line(), "* %d RECENT" % (i + 2))
            assert time.time() - start < 3
            if i == 1:
                time.sleep(2.5)     # long enough to doze
        other.ok("SELECT INBOX")
        other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
        equal(r.line(), "* 1 FETCH (FLAGS (\\Flagged \\Recent))")
        other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        assert r.line().startswith("* 2 FETCH")
        other.ok("EXPUNGE")
        equal(r.line(), "* 2 EXPUNGE")
        r.send("DONE\r\n")
        has(r.until("i"), "i OK")
        r.send("i IDLE\r\nDONE\r\n")
        has(r.until("i"), "i OK")
        r.ok("UNSELECT")
        r.send("i IDLE\r\n")
        equal(r.line(), "+ idling")
        r.send("DONE\r\n")
        has(r.until("i"), "i OK")


@test
def idle_timeout():
    with Place("idle=1") as p:
        r = p.raw()
        r.ok("SELECT INBOX")
        r.send("i IDLE\r\n")
        lines = [l.decode() for l in r.f.readlines()]
        has(lines, "* BYE Disconnected for inactivity")


# --- many at once -----------------------------------------------------------

@test
def crowd():
    """Sessions that change one mailbox at once agree in the end."""
    import random
    with Place() as p:
        for i in range(40):
            p.deliver(mail(str(i)))
        errors = []

        def work(seed):
            rnd = random.Random(seed)
            try:
                r = p.raw()
                r.ok("SELECT INBOX")
                for _ in range(60):
                    k = rnd.randrange(5)
                    uid = rnd.randrange(1, 60)
                    if k == 0:
                        r.ok("UID STORE %d +FLAGS (\\Seen k%d)"
                             % (uid, rnd.randrange(3)))
                    elif k == 1:
                        r.ok("UID STORE %d FLAGS.SILENT (\\Deleted)" % uid)
                    elif k == 2:
                        r.ok("EXPUNGE")
                    elif k == 3:
                        r.send("p APPEND INBOX {%d+}\r\n%s\r\n"
                               % (len(mail("n")), mail("n")))
                        r.until("p")
                    else:
                        r.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])")
            except Exception as e:
                errors.append(repr(e))

        threads = [threading.Thread(target=work, args=(i,))
                   for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(errors, [])
        views = []
        for _ in range(2):
            r = p.raw()
            r.ok("SELECT INBOX")
            views.append([l for l in r.ok("UID FETCH 1:* (FLAGS)")
                          if "FETCH (" in l])
            views[-1] = [l.replace(" \\Recent", "").replace("\\Recent", "")
                         for l in views[-1]]
        equal(views[0], views[1])
        names = os.listdir(os.path.join(p.path, "cur"))
        equal(len(names), len(views[0]))
        # and from nothing but the files
        p.stop()
        before = [re.search(r"FLAGS (.*)\)", l)[1] for l in views[0]]
        os.unlink(os.path.join(p.path, "veredus-index"))
        p.start()
        r = p.raw()
        r.ok("SELECT INBOX")
        after = [re.search(r"FLAGS (.*)\)", l)[1]
                 for l in r.ok("UID FETCH 1:* (FLAGS)") if "FETCH (" in l]
        equal(sorted(a.replace(" \\Recent", "").replace("\\Recent", "")
                     for a in after), sorted(before))


@test
def killed():
    """The server dies at any moment: a UID never means another message, and
    what was acknowledged is there."""
    import random
    with Place() as p:
        uids = {}               # uid -> subject, as ever seen
        kept = {}               # acknowledged and never deleted
        lock = threading.Lock()
        validity = set()
        count = [0]

        def see(lines):
            for l in lines:
                m = re.search(r"UID (\d+) .*Subject: (\S+)", l, re.S)
                if m:
                    with lock:
                        old = uids.setdefault(int(m[1]), m[2])
                    assert old == m[2], (m[1], old, m[2])

        def work(seed, errors):
            rnd = random.Random(seed)
            try:
                r = p.raw()
                for l in r.ok("SELECT INBOX"):
                    if "UIDVALIDITY" in l:
                        validity.add(re.search(r"UIDVALIDITY (\d+)", l)[1])
                while True:
                    k = rnd.randrange(6)
                    if k < 2:
                        with lock:
                            count[0] += 1
                            name = "s%d" % count[0]
                        text = "Subject: %s\r\n\r\nx\r\n" % name
                        r.send("p APPEND INBOX {%d+}\r\n%s\r\n"
                               % (len(text), text))
                        m = re.search(r"APPENDUID \d+ (\d+)",
                                      "".join(r.until("p")))
                        with lock:
                            kept[int(m[1])] = name
                    elif k == 2:
                        with lock:
                            uid = rnd.choice(list(kept) or [1])
                            kept.pop(uid, None)
                        r.ok("UID STORE %d +FLAGS (\\Deleted)" % uid)
                        r.ok("UID EXPUNGE %d" % uid)
                    elif k == 3:
                        r.ok("UID STORE 1:* %sFLAGS.SILENT (\\Flagged)"
                             % rnd.choice("+-"))
                    else:
                        see(r.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS "
                                 "(Subject)]"))
            except AssertionError as e:
                errors.append(repr(e))
            except (OSError, EOFError, TypeError):
                pass            # it was killed

        rnd = random.Random(7)
        for round in range(8):
            errors = []
            threads = [threading.Thread(target=work,
                                        args=(round * 10 + i, errors))
                       for i in range(3)]
            for t in threads:
                t.start()
            time.sleep(rnd.uniform(0.2, 0.8))
            p.stop()
            for t in threads:
                t.join()
            errors = [e for e in errors if "AssertionError([" not in e]
            equal(errors, [])
            p.start()
            r = p.raw()
            r.ok("SELECT INBOX")
            see(r.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]"))
            there = set(int(u) for l in r.ok("UID SEARCH ALL")
                        for u in l.split()[2:] if l.startswith("* SEARCH"))
            equal([u for u in kept if u not in there], [])
            equal([u for u in kept if uids[u] != kept[u]], [])
        equal(len(validity), 1)
        assert count[0] > 20


# --- POP3 -------------------------------------------------------------------

@test
def pop3():
    with Place() as p:
        p.deliver(mail("one"))
        p.deliver("Subject: dots\n\n.\n..\n.x\nlast")
        c = poplib.POP3("127.0.0.1", p.pop3)
        assert "STLS" in c.capa()
        c.user("user")
        c.pass_("pass")
        n, size = c.stat()
        equal(n, 2)
        equal([l.split()[0] for l in c.list()[1]], [b"1", b"2"])
        equal(int(c.list(1).split()[2]), len(mail("one")) + 7)
        ids = c.uidl()[1]
        assert re.fullmatch(rb"1 00000001[0-9a-f]{8}", ids[0]), ids
        equal(c.retr(2)[1], [b"Subject: dots", b"", b".", b"..", b".x",
                             b"last"])
        equal(c.top(1, 0)[1][-1], b"")
        c.dele(1)
        try:
            c.retr(1)
            assert False
        except poplib.error_proto:
            pass
        equal(c.stat()[0], 1)
        c.rset()
        equal(c.stat()[0], 2)
        c.dele(1)
        c.quit()
        c = poplib.POP3("127.0.0.1", p.pop3)
        c.stls(ssl._create_unverified_context())
        c.user("user")
        c.pass_("pass")
        equal(c.stat()[0], 1)
        c.close()
        s = socket.create_connection(("127.0.0.1", p.pop3), 10)
        f = s.makefile("rb")
        assert f.readline().startswith(b"+OK")
        s.sendall(b"AUTH PLAIN AHVzZXIAcGFzcw==\r\nSTAT\r\nFOO\r\nQUIT\r\n")
        assert f.readline().startswith(b"+OK")
        assert f.readline().startswith(b"+OK 1 ")
        assert f.readline().startswith(b"-ERR")
        assert f.readline().startswith(b"+OK")
        equal(f.read(), b"")


# --- clients ----------------------------------------------------------------

def need(program):
    if not shutil.which(program):
        raise Skip(program)


@test
def mbsync():
    need("mbsync")
    with Place() as p:
        for i in range(5):
            p.deliver(mail("far %d" % i))
        r = p.raw()
        r.ok("CREATE Box.Sub")
        p.deliver(mail("in box"), folder=".Box.Sub")
        near = os.path.join(p.root, "near")
        os.mkdir(near)
        rc = os.path.join(p.root, "mbsyncrc")
        with open(rc, "w") as f:
            f.write("IMAPStore far\nHost 127.0.0.1\nPort %d\nUser user\n"
                    "Pass pass\nSSLType None\nAuthMechs LOGIN\n\n"
                    "MaildirStore near\nPath %s/\nInbox %s/INBOX\n"
                    "SubFolders Verbatim\n\n"
                    "Channel all\nFar :far:\nNear :near:\nPatterns *\n"
                    "Create Both\nExpunge Both\nSync All\n"
                    "SyncState %s/\n" % (p.imap, near, near, p.root))

        def sync():
            done = subprocess.run(["mbsync", "-c", rc, "-a"],
                                  capture_output=True, text=True, timeout=60)
            equal(done.returncode, 0)
            lacks(done.stderr.splitlines(), "rror")

        sync()
        inbox = os.path.join(near, "INBOX")
        equal(sum(len(os.listdir(os.path.join(inbox, d)))
                  for d in ("cur", "new")), 5)
        # a change on each side
        d = os.path.join(inbox, "new")
        name = sorted(os.listdir(d))[0]
        os.rename(os.path.join(d, name),
                  os.path.join(inbox, "cur", name + "FS"
                               if ":2," in name else name + ":2,FS"))
        with open(os.path.join(inbox, "cur", "9999.here:2,S"), "w") as f:
            f.write(mail("near"))
        r.ok("SELECT INBOX")
        r.ok("STORE 5 +FLAGS (\\Deleted)")
        r.ok("EXPUNGE")
        sync()
        has(r.ok("NOOP"), "* 5 EXISTS")
        lines = r.ok("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])")
        has(lines, "Subject: near")
        has(lines, "\\Flagged")
        equal(sum(len(os.listdir(os.path.join(inbox, d)))
                  for d in ("cur", "new")), 5)
        sync()


@test
def fetchmail():
    need("fetchmail")
    with Place() as p:
        for i in range(3):
            p.deliver(mail("mail %d" % i))
        out = os.path.join(p.root, "out")
        rc = os.path.join(p.root, "fetchmailrc")
        for proto, port in (("imap", p.imap), ("pop3", p.pop3)):
            with open(rc, "w") as f:
                f.write('poll 127.0.0.1 proto %s port %d user "user" '
                        'password "pass" sslproto "" keep fetchall '
                        'mda "cat >> %s"\n' % (proto, port, out))
            os.chmod(rc, 0o600)
            done = subprocess.run(
                ["fetchmail", "-f", rc, "--nodetach", "--nosyslog",
                 "--pidfile", os.path.join(p.root, "pid")],
                capture_output=True, text=True, timeout=60,
                env=dict(os.environ, HOME=p.root, FETCHMAILHOME=p.root))
            equal(done.returncode, 0)
            with open(out) as f:
                equal(f.read().count("Subject: mail"), 3)
            os.unlink(out)


@test
def mutt():
    need("mutt")
    with Place() as p:
        p.deliver(mail("one"))
        p.deliver(mail("two"))
        rc = os.path.join(p.root, "muttrc")
        url = "imap://user:pass@127.0.0.1:%d/" % p.imap
        with open(rc, "w") as f:
            f.write('set ssl_starttls=no\nset ssl_force_tls=no\n'
                    'set folder="%s"\nset spoolfile="%sINBOX"\n'
                    'set confirmcreate=no\nset confirmappend=no\n'
                    'set delete=yes\nset move=no\nset quit=yes\n'
                    'push "<tag-pattern>~A<enter><tag-prefix>'
                    '<save-message>=Saved<enter><quit>"\n' % (url, url))
        equal(Terminal(["mutt", "-n", "-F", rc], {"HOME": p.root}).end(), 0)
        r = p.raw()
        has(r.ok("STATUS Saved (MESSAGES)"), "MESSAGES 2")
        has(r.ok("STATUS INBOX (MESSAGES)"), "MESSAGES 0")



# --- what others do differently or not at all ---------------------------------

def append(r, text, how="~{%d+}", box="INBOX"):
    return r.ask("APPEND %s %s\r\n%s" % (box, how % len(text), text))


@test
def append_keeps_bytes():
    """Whatever is accepted comes back as it was."""
    texts = ["Subject: a\r\n\r\n" + body for body in (
        "x\0y\r\n", "a\rb\r\n", "a\r\r\nb", "\r\r\r\n\r\n", "\r", "\r\r",
        "".join(map(chr, range(256))).replace("\n", "\r\n"))]
    with Place() as p:
        r = p.raw()
        r.ok("SELECT INBOX")
        for i, text in enumerate(texts):
            has(append(r, text), "OK [APPENDUID")
            has(r.ok("FETCH %d (RFC822.SIZE BINARY.PEEK[] BINARY.SIZE[])"
                     % (i + 1)), "{%d}\r\n%s" % (len(text), text))
            has(r.ok("FETCH %d BODY.PEEK[]" % (i + 1)),
                text.replace("\0", "\x80"))
        # a mailbox knows lines
        has(append(r, "Subject: b\r\n\r\n\n"), "NO [UNKNOWN-CTE]")
        has(append(r, "Subject: b\r\n\r\nx\r" + "\n" * 2), "UNKNOWN-CTE")
        has(append(r, "Subject: b\n\nx\n", "{%d+}"), "OK [APPENDUID")
        equal(len(r.ok("SEARCH ALL")[0].split()), 2 + len(texts) + 1)


@test
def append_that_fails_leaves_nothing():
    """What belongs to a message that was asked for is no command."""
    with Place("quota=3000") as p:
        r = p.raw()
        for how in ("{%d}", "~{%d}"):
            text = "Subject: b\r\n\r\n" + ("\n" if how[0] == "~" else "x"
                                            * 4000)
            r.send("a APPEND INBOX %s\r\n" % (how % len(text)))
            line = r.line()
            if line.startswith("+"):
                r.send(text + "\r\n")
                line = r.line()
            assert line.startswith("a NO"), line
            equal(r.ask("NOOP"), ["a%d OK NOOP completed." % r.n])
        # of two messages the second is refused, and its text skipped
        r.send("b APPEND INBOX {3}\r\n")
        equal(r.line()[:1], "+")
        r.send("abc {9000+}\r\n" + "a LOGOUT\r\n" * 900 + "\r\n")
        assert "OVERQUOTA" in r.line()
        r.send("c APPEND INBOX {3+}\r\nabc junk {11+}\r\na9 LOGOUT\r\n"
               "\r\n")
        assert r.line().startswith("c BAD")
        equal(r.ask("NOOP"), ["a%d OK NOOP completed." % r.n])
        r.send("d NOOP " + "x" * 300000 + " {12+}\r\nz LOGOUT\r\n\r\n\r\n")
        assert r.line().startswith("d BAD [TOOBIG]")
        equal(r.ask("NOOP"), ["a%d OK NOOP completed." % r.n])


@test
def pieces_of_a_message():
    """Partial reads in any order are what the whole is."""
    text = mail(1) + "".join("line %d\n" % i * (i % 3) for i in range(9000))
    text += "Grüße \0\n"
    with Place() as p:
        p.deliver(text)
        r = p.raw()
        r.ok("SELECT INBOX")
        for section in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]",
                        "BINARY.PEEK[]"):
            whole = r.ok("FETCH 1 %s" % section)[0]
            whole = whole[whole.index("}\r\n") + 3:-1]
            places = [0, 1, 70000, 70001, 999, 1000, 1000, 140000, 20,
                      len(whole) - 5, len(whole), len(whole) + 9]
            for at in places:
                got = r.ok("FETCH 1 (%s<%d.1001>)" % (section, at))[0]
                equal(got[got.index("}\r\n") + 3:-1], whole[at:at + 1001])


@test
def keywords_are_named_before_they_are_shown():
    with Place() as p:
        p.deliver(mail(1))
        r, other = p.raw(), p.raw()
        r.ok("SELECT INBOX")
        other.ok("SELECT INBOX")
        for i, question in enumerate(
                ("FETCH 1 (FLAGS)", "FETCH 1 (BODY[])", "STORE 1 +FLAGS (x)",
                 "NOOP", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
                 "FETCH 1 (RFC822.SIZE)", "EXPUNGE")):
            other.ok("STORE 1 FLAGS (new%d)" % i)
            lines = r.ok(question)
            named = [n for n, l in enumerate(lines) if l.startswith("* FLAGS")
                     and "new%d" % i in l]
            shown = [n for n, l in enumerate(lines) if "FETCH" in l
                     and "new%d" % i in l]
            assert not shown or named and named[0] < shown[0], lines


@test
def absent_mailboxes_have_a_quota_root():
    with Place("quota=100000") as p:
        r = p.raw()
        for name in ("INBOX", "nowhere", "no.where"):
            has(r.ok("GETQUOTAROOT " + name), '"User quota"')
        has(r.ask('GETQUOTAROOT "a..b"'), "NO ")


@test
def search_modseq_of_ends():
    with Place() as p:
        for n in range(3):
            p.deliver(mail(n))
        r = p.raw()
        r.ok("ENABLE CONDSTORE")
        r.ok("SELECT INBOX")
        at = {}
        for n in (3, 1, 2):
            line = r.ok("STORE %d +FLAGS (\\Flagged)" % n)[0]
            at[n] = re.search(r"MODSEQ \((\d+)\)", line)[1]
        for words, n in (("MIN", 1), ("MAX", 3), ("MIN MAX", 1), ("ALL", 2),
                         ("COUNT", 2), ("MIN COUNT", 2), ("MAX ALL", 2)):
            has(r.ok("SEARCH RETURN (%s) MODSEQ 1" % words),
                "MODSEQ " + at[n])


@test
def id_before_login():
    with Place() as p:
        r = p.raw(login=False)
        full = " ".join('"%s" "%s"' % (("f%d" % i).ljust(30, "x"), "v" * 1024)
                        for i in range(30))
        has(r.ok("ID (%s)" % full), '* ID ("name"')
        has(r.ok("ID NIL"), '* ID ("name"')
        has(r.ok('ID  ( "a"  NIL )'), '* ID ("name"')
        has(r.ask("ID (a b)"), "BAD")
        has(r.ask("ID"), "BAD")
        r.ok("LOGIN  user  pass")
        has(r.ok("ID (%s)" % full), '* ID ("name"')


@test
def expunged_elsewhere():
    """Every item of a message that is gone says so and keeps its shape."""
    with Place() as p:
        path = p.deliver(mail(1), flags="")
        p.deliver(mail(2), flags="")
        r = p.raw()
        r.ok("SELECT INBOX")
        os.unlink(path)
        lines = r.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE BODY.PEEK[] "
                     "BODY.PEEK[1] BINARY.PEEK[1] BINARY.SIZE[1] "
                     "BODY.PEEK[HEADER.FIELDS (To)])")
        has(lines, "ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
        has(lines, "BODY[] NIL BODY[1] NIL BINARY[1] NIL BINARY.SIZE[1] 0 "
                   "BODY[HEADER.FIELDS (TO)] NIL)")
        has(lines, "OK [EXPUNGEISSUED]")


def main():
    global SERVER
    args = sys.argv[1:]
    if args and os.path.sep in args[0]:
        SERVER = args.pop(0)
    passed = failed = skipped = 0
    for f in TESTS:
        if args and not any(f.__name__.startswith(a) for a in args):
            continue
        try:
            f()
            passed += 1
        except Skip as s:
            print("skipped %s: no %s" % (f.__name__, s))
            skipped += 1
        except Exception:
            import traceback
            traceback.print_exc()
            print("FAILED %s" % f.__name__)
            failed += 1
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
