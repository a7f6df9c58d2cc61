#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Ordinary mail programs against the whole system: mutt, fetchmail, mbsync,
swaks, msmtp, Python's own.  All of them check the certificate.  Each test has
accounts of its own.  The last line is "N passed, N failed, N skipped".

    test/clients.py [name ...]
"""
import imaplib
import os
import poplib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from mailhouse import DOMAIN, House
from terminal import LIMIT_S, Terminal


class Skip(Exception):
    pass


def need(program):
    if not shutil.which(program):
        raise Skip("no " + program)


def user(n):
    return f"u{n}@{DOMAIN}"


def text(subject, body="body of it\n"):
    return (f"From: Fritz <fritz@example.org>\nTo: {user(0)}\n"
            f"Subject: {subject}\nDate: Tue, 24 Nov 2026 03:11:50 +0100\n"
            f"Message-Id: <{subject.replace(' ', '.')}@example.org>\n\n"
            + body)


def fill(house, n, subjects, box="INBOX"):
    m = house.imap(n)
    for s in subjects:
        wire = text(s).replace("\n", "\r\n").encode()
        assert m.append(box, None, None, wire)[0] == "OK"
    m.logout()


def subjects(house, n, box="INBOX"):
    """Subject -> flags of all messages."""
    m = house.imap(n)
    assert m.select(box, readonly=True)[0] == "OK", box
    found = {}
    if m.response("EXISTS")[1] != [b"0"]:
        data = m.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        for item in data:
            if isinstance(item, tuple):
                flags = set(imaplib.ParseFlags(item[0])) - {b"\\Recent"}
                name = item[1].split(b":", 1)[1].strip().decode()
                found[name] = {f.decode() for f in flags}
    m.logout()
    return found


def run(argv, stdin=b"", env=None, want=0, cwd=None):
    """A program to its end; its output."""
    done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT_S,
                          env=dict(os.environ, **(env or {})), cwd=cwd)
    out = done.stdout.decode(errors="replace")
    assert done.returncode == want, (argv[0], done.returncode, out)
    return out


def wait_for(what, seconds=LIMIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


# --- mutt -------------------------------------------------------------------

def muttrc(house, home, n, more, service="imaps"):
    scheme = {"imaps": "imaps", "imap": "imap", "pops": "pops",
              "pop": "pop"}[service]
    url = f"{scheme}://localhost:{house.port[service]}/"
    kind = "pop" if service.startswith("pop") else "imap"
    rc = os.path.join(home, "muttrc")
    with open(rc, "w") as f:
        f.write(f'set ssl_ca_certificates_file="{house.cert}"\n'
                "set ssl_starttls=yes\n"
                "set ssl_force_tls=yes confirmcreate=no confirmappend=no\n"
                "set delete=yes move=no quit=yes beep=no wait_key=no\n"
                "set sleep_time=0 timeout=1 mail_check=1 imap_idle=yes\n"
                "set mark_old=no\n"
                f'set {kind}_user="{user(n)}" {kind}_pass="secret{n}"\n'
                f'set from="{user(n)}" realname="U" use_from=yes copy=yes\n'
                f'set smtp_url="smtp://{user(n).replace("@", "%40")}'
                f':secret{n}@localhost:{house.port["submission"]}/"\n'
                f'set smtp_authenticators="plain"\n'
                f'set spoolfile="{url}{"INBOX" if kind == "imap" else ""}"\n')
        if kind == "imap":
            f.write(f'set folder="{url}"\nset record="=Sent"\n')
        else:
            f.write(f'set folder="{home}"\n')
        f.write(more)
    return rc


def mutt(house, n, more, service="imaps", meanwhile=None):
    """mutt from start to end; what was on its screen."""
    need("mutt")
    home = tempfile.mkdtemp(prefix="veredus-mutt-")
    try:
        rc = muttrc(house, home, n, more.replace("HOME", home), service)
        t = Terminal(["mutt", "-n", "-F", rc], {"HOME": home})
        try:
            if meanwhile:
                meanwhile(t)
            status = t.end()
        finally:
            t.close()
        assert status == 0, (status, t.seen[-1500:])
        out = os.path.join(home, "out")
        piped = ""
        if os.path.exists(out):
            with open(out) as f:
                piped = f.read()
        return t.seen.decode(errors="replace"), piped
    finally:
        shutil.rmtree(home)


def test_mutt_lists_and_reads(house):
    fill(house, 0, ["first", "second"])
    screen, piped = mutt(house, 0,
                         'push "<first-entry><pipe-message>cat > HOME/out'
                         '<enter><display-message><exit><quit>"\n')
    assert "first" in screen and "second" in screen, screen[-2000:]
    assert "body of it" in piped and "Subject: first" in piped, piped
    got = subjects(house, 0)
    assert got == {"first": {"\\Seen"}, "second": set()}, got


def test_mutt_flags_deletes_answers(house):
    fill(house, 1, ["one", "two", "three"])
    mutt(house, 1, 'push "<first-entry><flag-message>2<enter>'
                   '<delete-message>3<enter><set-flag>r'
                   '<quit>"\n', "imap")
    got = subjects(house, 1)
    assert set(got) == {"one", "three"}, got
    assert "\\Flagged" in got["one"] and "\\Answered" in got["three"], got


def test_mutt_saves_and_copies(house):
    fill(house, 2, ["one", "two", "three"])
    mutt(house, 2, 'push "<first-entry><save-message>=Kept<enter>'
                   '2<enter><copy-message>=Kept<enter>'
                   '<change-folder>=Kept<enter><quit>"\n')
    assert set(subjects(house, 2)) == {"two", "three"}
    assert set(subjects(house, 2, "Kept")) == {"one", "two"}


def test_mutt_hears_of_new_mail(house):
    fill(house, 0, ["old"], "INBOX")

    def deliver(t):
        t.read(b"old")
        fill(house, 0, ["breaking news"])
        t.read(b"breaking news")
        t.keys(b"q")

    mutt(house, 0, "", meanwhile=deliver)


def test_mutt_sends(house):
    need("mutt")
    home = tempfile.mkdtemp(prefix="veredus-mutt-")
    try:
        rc = muttrc(house, home, 3, "")
        attached = os.path.join(home, "a.bin")
        with open(attached, "wb") as f:
            f.write(bytes(range(256)) * 40)
        run(["mutt", "-n", "-F", rc, "-s", "sent by mutt", "-a", attached,
             "--", user(4)], b"Gr\xc3\xbc\xc3\x9fe\n.\n..\n",
            {"HOME": home})
    finally:
        shutil.rmtree(home)
    wait_for(lambda: subjects(house, 4))
    m = house.imap(4)
    m.select()
    shape = m.fetch("1", "BODYSTRUCTURE")[1][0]
    assert b'"mixed"' in shape.lower() and b'"a.bin"' in shape, shape
    import base64
    data = m.fetch("1", "BODY[2]")[1][0][1]
    assert base64.b64decode(data) == bytes(range(256)) * 40
    m.logout()
    assert set(subjects(house, 3, "Sent")) == {"sent by mutt"}


def test_mutt_reads_pop(house):
    for service in ("pops", "pop"):
        fill(house, 5, ["by " + service])
        def save(t):
            t.read(b"by " + service.encode())
            t.keys(b"=|")
            t.read(b"Pipe to command:")
            t.keys(b"cat > $HOME/out\r")
            time.sleep(0.3)
            t.keys(b"dq")

        screen, piped = mutt(house, 5, "", service, save)
        assert "Subject: by " + service in piped, (piped, screen[-1500:])
        assert subjects(house, 5) == {}


# --- fetchmail --------------------------------------------------------------

def fetch(house, n, service, options, want=0):
    """What fetchmail hands to its delivery agent."""
    need("fetchmail")
    home = tempfile.mkdtemp(prefix="veredus-fetchmail-")
    proto = "pop3" if service.startswith("pop") else "imap"
    tls = ("ssl" if service.endswith("s") else 'sslproto "TLS1.2+"')
    try:
        rc = os.path.join(home, "rc")
        with open(rc, "w") as f:
            f.write(f'poll localhost proto {proto} '
                    f'port {house.port[service]} uidl\n'
                    f'user "{user(n)}" password "secret{n}" {tls}\n'
                    f'sslcertck sslcertfile "{house.cert}"\n'
                    f'mda "cat >> {home}/out" {options}\n'
                    if proto == "pop3" else
                    f'poll localhost proto {proto} '
                    f'port {house.port[service]}\n'
                    f'user "{user(n)}" password "secret{n}" {tls}\n'
                    f'sslcertck sslcertfile "{house.cert}"\n'
                    f'mda "cat >> {home}/out" {options}\n')
        os.chmod(rc, 0o600)
        run(["fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile",
             home + "/pid", "--idfile", os.path.join(house.inst.dir,
                                                     f"ids{n}")],
            env={"HOME": home, "FETCHMAILHOME": home}, want=want)
        if not os.path.exists(home + "/out"):
            return []
        with open(home + "/out") as f:
            return re.findall(r"^Subject: (.*)", f.read(), re.M)
    finally:
        shutil.rmtree(home)


NOTHING = 1         # fetchmail's exit status when there was no mail


def test_fetchmail_takes(house):
    for n, service in enumerate(("imap", "imaps", "pop", "pops")):
        fill(house, 6 + n, ["a", "b", "c"])
        assert fetch(house, 6 + n, service, "nokeep") == ["a", "b", "c"]
        assert subjects(house, 6 + n) == {}, service
        assert fetch(house, 6 + n, service, "nokeep", NOTHING) == []


def test_fetchmail_keeps(house):
    for n, service in enumerate(("imap", "imaps", "pop", "pops")):
        fill(house, 10 + n, ["a", "b"])
        assert fetch(house, 10 + n, service, "keep") == ["a", "b"]
        # by \Seen or by unique ids: none of it twice
        assert fetch(house, 10 + n, service, "keep", NOTHING) == []
        fill(house, 10 + n, ["c"])
        assert fetch(house, 10 + n, service, "keep") == ["c"]
        assert set(subjects(house, 10 + n)) == {"a", "b", "c"}
        assert fetch(house, 10 + n, service,
                     "keep fetchall") == ["a", "b", "c"]


def test_fetchmail_wrong_certificate(house):
    fill(house, 14, ["a"])
    other = os.path.join(house.inst.dir, "other.pem")
    house.certify(other, os.path.join(house.inst.dir, "other-key.pem"))
    mine, house.cert = house.cert, other
    try:
        for service in ("imap", "imaps", "pop", "pops"):
            assert fetch(house, 14, service, "nokeep", 2) == []
    finally:
        house.cert = mine
    assert set(subjects(house, 14)) == {"a"}


# --- mbsync -----------------------------------------------------------------

def mbsync_version():
    out = run(["mbsync", "--version"])
    return tuple(int(n) for n in re.search(r"(\d+)\.(\d+)", out).groups())


class Mirror:
    """An account and a Maildir that mbsync holds equal."""

    def __init__(self, house, n, tls):
        need("mbsync")
        self.root = tempfile.mkdtemp(prefix="veredus-mbsync-")
        self.near = os.path.join(self.root, "near")
        os.mkdir(self.near)
        self.rc = os.path.join(self.root, "rc")
        service = "imaps" if tls == "IMAPS" else "imap"
        word = "TLSType" if mbsync_version() >= (1, 5) else "SSLType"
        with open(self.rc, "w") as f:
            f.write(f"IMAPStore far\nHost localhost\n"
                    f"Port {house.port[service]}\nUser {user(n)}\n"
                    f"Pass secret{n}\n{word} {tls}\n"
                    f"CertificateFile {house.cert}\nSystemCertificates no\n\n"
                    f"MaildirStore near\nPath {self.near}/\n"
                    f"Inbox {self.near}/INBOX\nSubFolders Verbatim\n\n"
                    "Channel all\nFar :far:\nNear :near:\nPatterns *\n"
                    "Create Both\nRemove Both\nExpunge Both\nSync All\n"
                    f"SyncState {self.root}/\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def sync(self):
        """Runs once; what was done on the far and on the near side."""
        t = Terminal(["mbsync", "-c", self.rc, "-a"], {})
        status = t.end()
        out = t.seen.decode(errors="replace")
        assert status == 0 and "rror" not in out and "arning" not in out, out
        last = re.findall(r"F(?:ar)?: \+(\d+)(?:/\d+)? \*(\d+)(?:/\d+)? "
                          r"#(\d+)(?:/\d+)? (?:-\d+)? +"
                          r"N(?:ear)?: \+(\d+)(?:/\d+)? \*(\d+)(?:/\d+)? "
                          r"#(\d+)", out)
        assert last, out
        return tuple(int(x) for x in last[-1])

    def files(self, box="INBOX"):
        """Subject -> path."""
        found = {}
        for sub in ("cur", "new"):
            d = os.path.join(self.near, box, sub)
            for name in os.listdir(d):
                with open(os.path.join(d, name)) as f:
                    s = re.search(r"^Subject: (.*)", f.read(), re.M)[1]
                found[s] = os.path.join(d, name)
        return found

    def flags(self, subject):
        return self.files()[subject].rpartition(":2,")[2]

    def flag(self, subject, letters):
        old = self.files()[subject]
        base = os.path.basename(old).partition(":2,")[0]
        os.rename(old, os.path.join(self.near, "INBOX", "cur",
                                    base + ":2," + letters))

    def add(self, subject):
        name = f"{time.time():.6f}.near:2,S"
        with open(os.path.join(self.near, "INBOX/cur", name), "w") as f:
            f.write(text(subject))


def mirrored(house, n, tls):
    fill(house, n, [f"far {i}" for i in range(6)])
    m = house.imap(n)
    m.create("Box")
    m.create("Box.Sub")
    m.logout()
    fill(house, n, ["below"], "Box.Sub")
    with Mirror(house, n, tls) as mirror:
        assert mirror.sync()[3] == 7
        assert set(mirror.files("Box/Sub")) == {"below"}
        assert mirror.sync() == (0,) * 6
        # each side changes, and both at once
        mirror.flag("far 0", "FS")
        mirror.flag("far 1", "ST")
        mirror.add("near")
        m = house.imap(n)
        m.select()
        m.store("3", "+FLAGS", r"(\Answered)")
        m.store("4", "+FLAGS", r"(\Deleted)")
        m.expunge()
        m.append("INBOX", r"(\Draft)", None,
                 text("late").replace("\n", "\r\n").encode())
        m.logout()
        done = mirror.sync()
        assert done == (1, 2, 1, 1, 2, 1) or done[0] and done[3], done
        want = {"far 0", "far 2", "far 4", "far 5", "near", "late"}
        got = subjects(house, n)
        assert set(got) == want and set(mirror.files()) == want, got
        assert got["far 0"] == {"\\Flagged", "\\Seen"}, got
        assert mirror.flags("far 2") == "R", mirror.flags("far 2")
        assert mirror.flags("late") == "D", mirror.flags("late")
        assert mirror.sync() == (0,) * 6
        # a flag taken away again, on each side
        mirror.flag("far 0", "S")
        m = house.imap(n)
        m.select()
        m.store("2", "-FLAGS", r"(\Answered)")
        m.logout()
        mirror.sync()
        assert subjects(house, n)["far 0"] == {"\\Seen"}
        assert mirror.flags("far 2") == ""
        assert mirror.sync() == (0,) * 6


def test_mbsync_wrapped(house):
    mirrored(house, 15, "IMAPS")


def test_mbsync_starttls(house):
    mirrored(house, 16, "STARTTLS")


# --- Python -----------------------------------------------------------------

def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def test_imaplib_all_commands(house):
    m = house.imap(17, "imap")
    wire = text("one").replace("\n", "\r\n").encode()
    assert {"UIDPLUS", "MOVE", "IDLE"} <= set(m.capabilities)
    ok(m.noop())
    ok(m.create("Box"))
    assert m.create("Box")[0] == "NO"
    ok(m.append("Box", r"(\Seen key)", imaplib.Time2Internaldate(1e9), wire))
    ok(m.append("Box", None, None, wire))
    assert b"Box (MESSAGES 2)" in ok(m.status("Box", "(MESSAGES)"))[0]
    assert any(b"Box" in l for l in ok(m.list()))
    ok(m.subscribe("Box"))
    assert any(b"Box" in l for l in ok(m.lsub()))
    ok(m.unsubscribe("Box"))
    assert ok(m.lsub()) == [None]
    assert ok(m.select("Box")) == [b"2"]
    date = imaplib.Internaldate2tuple(ok(m.fetch("1", "INTERNALDATE"))[0])
    assert time.mktime(date) == 1e9, date
    assert ok(m.search(None, "KEYWORD", "key")) == [b"1"]
    assert ok(m.search("UTF-8", "SUBJECT", '"one"')) == [b"1 2"]
    assert b"\\Flagged" in ok(m.store("2", "+FLAGS", r"\Flagged"))[0]
    ok(m.copy("1", "INBOX"))
    ok(m.uid("COPY", "1:2", "INBOX"))
    ok(m.uid("MOVE", "2", "INBOX"))
    assert ok(m.uid("SEARCH", "ALL")) == [b"1"]
    assert b"UID 1" in ok(m.uid("FETCH", "1", "FLAGS"))[0]
    ok(m.check())
    ok(m.unselect())
    assert ok(m.select("INBOX")) == [b"4"]
    assert ok(m.fetch("1", "(BODY[]<0.10>)"))[0][1] == wire[:10]
    ok(m.store("1:2", "+FLAGS.SILENT", r"\Deleted"))
    assert len(ok(m.expunge())) == 2
    ok(m.close())
    ok(m.rename("Box", "Case"))
    ok(m.delete("Case"))
    assert m.select("Case")[0] == "NO"
    assert b'"."' in ok(m.namespace())[0]
    assert ok(m.getquotaroot("INBOX"))
    ok(m.enable("CONDSTORE"))
    ok(m.xatom("ID", "NIL"))
    assert m.thread("REFERENCES", "UTF-8", "ALL")[0] in ("OK", "NO") \
        if "THREAD=REFERENCES" in m.capabilities else True
    assert m.logout()[0] == "BYE"


def test_quota(house):
    """mailstore_quota, at APPEND and while the sender is there."""
    m = house.imap(24)
    wire = text("filler", "x" * 70 + "\n").replace("\n", "\r\n").encode()
    root = ok(m.getquotaroot("INBOX"))
    assert b"STORAGE" in root[1][0] and b" 2048)" in root[1][0], root
    big = wire + b"0123456789abcde\r\n" * 110000
    ok(m.append("INBOX", None, None, big))
    answer = m.append("INBOX", None, None, big)
    assert answer[0] == "NO" and b"OVERQUOTA" in answer[1][0], answer
    data = text("too much", "0123456789abcde\n" * 30000)
    refused = msmtp(house, 21, [user(24)], data, want=69)
    assert "552 5.2.2" in refused and "Mailbox is full" in refused, refused
    m.select()
    m.store("1:*", "+FLAGS.SILENT", r"\Deleted")
    m.expunge()
    msmtp(house, 21, [user(24)], text("room again"))
    wait_for(lambda: "room again" in subjects(house, 24))
    m.logout()


def test_special_uses(house):
    m = house.imap(23)
    for box in ("Sent", "Spam", '"Old Mail"', "Junk"):
        ok(m.create(box))
    lines = b"\n".join(ok(m.list()))
    for want in (rb"\(\\Sent [^)]*\) \".\" Sent$",
                 rb"\(\\Junk [^)]*\) \".\" Spam$",
                 rb"\(\\Archive [^)]*\) \".\" \"Old Mail\"$",
                 rb"\(\\HasNoChildren\) \".\" Junk$"):
        assert re.search(want, lines, re.M), (want, lines)
    m.logout()


def test_imaplib_authenticate(house):
    for mech, answers in (
            ("PLAIN", [f"\0{user(17)}\0secret17".encode()]),
            ("LOGIN", [user(17).encode(), b"secret17"])):
        left = list(answers)
        m = imaplib.IMAP4_SSL("localhost", house.port["imaps"],
                              ssl_context=house.context(), timeout=LIMIT_S)
        ok(m.authenticate(mech, lambda _: left.pop(0)))
        ok(m.select())
        m.logout()


def test_poplib_all_commands(house):
    fill(house, 18, ["one", "two", "three"])
    p = house.pop(18, "pop")
    assert {"TOP", "UIDL", "PIPELINING"} <= set(p.capa()), p.capa()
    n, size = p.stat()
    assert n == 3
    listed = [int(l.split()[1]) for l in p.list()[1]]
    assert sum(listed) == size
    assert p.list(2).split()[2] == str(listed[1]).encode()
    ids = [l.split()[1] for l in p.uidl()[1]]
    assert len(set(ids)) == 3 and p.uidl(3).split()[2] == ids[2]
    lines = p.retr(1)[1]
    assert sum(len(l) + 2 for l in lines) == listed[0]
    assert p.top(2, 0)[1][-1] == b"" and b"body of it" in p.top(2, 1)[1]
    p.noop()
    p.dele(1)
    p.dele(2)
    p.rset()
    p.dele(3)
    p.quit()
    p = house.pop(18)
    assert [l.split()[1] for l in p.uidl()[1]] == ids[:2]
    p.dele(1)
    p.close()                   # no QUIT: nothing is deleted
    p = house.pop(18)
    assert p.stat()[0] == 2
    try:
        p.utf8()
    except poplib.error_proto:
        pass
    p.quit()


# --- sending programs -------------------------------------------------------

def swaks(house, n, to, *options, want=0):
    need("swaks")
    return run(["swaks", "--server", "localhost", "--from", user(n), "--to",
                to, "--helo", "here.example", "--auth-user", user(n),
                "--tls-verify", "--tls-ca-path", house.cert, "-n",
                "--timeout", str(LIMIT_S), *options], want=want)


def test_swaks_ways_of_logging_in(house):
    sub, wrapped = (str(house.port[s]) for s in ("submission", "smtps"))
    ways = [("-tls", "--port", sub, "--auth", "PLAIN"),
            ("-tls", "--port", sub, "--auth", "LOGIN"),
            ("--tls-on-connect", "--port", wrapped, "--auth", "PLAIN"),
            ("--tls-on-connect", "--port", wrapped, "--auth", "LOGIN",
             "--pipeline")]
    for i, way in enumerate(ways):
        swaks(house, 19, user(19), "--auth-password", "secret19", "--header",
              f"Subject: way {i}", *way)
    wait_for(lambda: len(subjects(house, 19)) == len(ways))
    assert set(subjects(house, 19)) == {f"way {i}" for i in range(4)}


def test_swaks_attachment(house):
    path = os.path.join(house.inst.dir, "attached.bin")
    data = os.urandom(300000)
    with open(path, "wb") as f:
        f.write(data)
    swaks(house, 20, user(20), "--auth-password", "secret20", "-tls",
          "--port", str(house.port["submission"]), "--attach-name", "x.bin",
          "--attach", "@" + path, "--header", "Subject: big")
    wait_for(lambda: subjects(house, 20))
    import email
    p = house.pop(20)
    got = email.message_from_bytes(b"\r\n".join(p.retr(1)[1]))
    p.quit()
    parts = [q for q in got.walk() if q.get_filename() == "x.bin"]
    assert parts and parts[0].get_payload(decode=True) == data


def test_swaks_refused(house):
    sub = str(house.port["submission"])
    # 28: authentication failed; 24: recipient refused; 29: no TLS
    swaks(house, 19, user(19), "--auth-password", "wrong", "-tls", "--port",
          sub, want=28)
    house.inst.wait_log(r"localhost\[127\.0\.0\.1\]: SASL PLAIN "
                        r"authentication failed|"
                        r"localhost\[127\.0\.0\.1\]: SASL LOGIN "
                        r"authentication failed")
    swaks(house, 19, "nobody@" + DOMAIN, "--auth-password", "secret19",
          "-tls", "--port", sub, want=24)
    out = run(["swaks", "--server", "localhost", "--port", sub, "--from",
               user(19), "--to", user(19), "-n"], want=23)
    assert "530 5.7.0 Must issue a STARTTLS command first" in out, out


def msmtp(house, n, to, message, service="submission", password=None,
          want=0):
    need("msmtp")
    rc = os.path.join(house.inst.dir, "msmtprc")
    with open(rc, "w") as f:
        f.write(f"account default\nhost localhost\n"
                f"port {house.port[service]}\ntls on\n"
                f"tls_starttls {'on' if service == 'submission' else 'off'}\n"
                f"tls_trust_file {house.cert}\nauth on\nuser {user(n)}\n"
                f"password {password or 'secret%d' % n}\nfrom {user(n)}\n")
    os.chmod(rc, 0o600)
    return run(["msmtp", "-C", rc, "--", *to], message.encode(), want=want)


def test_msmtp_sends(house):
    body = "dots\n.\n..\n.x\nlast without end"
    for i, service in enumerate(("submission", "smtps")):
        msmtp(house, 21, [user(21), user(22)], text(f"msmtp {i}", body),
              service)
    for n in (21, 22):
        wait_for(lambda: {"msmtp 0", "msmtp 1"} <= set(subjects(house, n)))
    p = house.pop(22)
    lines = p.retr(1)[1]
    p.quit()
    assert lines[-5:] == [b"dots", b".", b"..", b".x",
                          b"last without end"], lines[-6:]


def test_msmtp_refused(house):
    out = msmtp(house, 21, [user(21)], text("x"), password="wrong", want=77)
    assert "535" in out, out
    out = msmtp(house, 21, ["nobody@" + DOMAIN], text("x"), want=65)
    assert "550 5.1.1" in out, out


def main():
    names = sys.argv[1:]
    passed = failed = skipped = 0
    house = House(users=25, extra={
        "mailstore_special_use": "Sent Spam=junk {Old Mail=archive}",
        "mailstore_quota": "2M"})
    try:
        for name, test in list(globals().items()):
            if not name.startswith("test_") or names and not any(
                    name[5:].startswith(n) for n in names):
                continue
            try:
                test(house)
                passed += 1
            except Skip as s:
                skipped += 1
                print(f"skipped {name}: {s}")
            except Exception as e:
                failed += 1
                at = e.__traceback__.tb_next
                print(f"FAILED {name}:{at.tb_lineno}: {type(e).__name__}: "
                      f"{e}")
        if failed:
            print(house.inst.log_text()[-3000:])
    finally:
        house.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
