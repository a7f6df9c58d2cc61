#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""veredus init, user, domain, alias: what they write and what they refuse,
as root and as an ordinary user.  The last line is "N passed, N failed"."""
import imaplib
import json
import os
import poplib
import pty
import re
import shutil
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

from dns_server import DnsServer
from harness import ROOT, VEREDUS, free_base

NOBODY = 65534
ROOTS = os.geteuid() == 0


def context():
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


class Place:
    """A scratch directory, commands on it, and who runs them."""

    def __init__(self, uid=None):
        self.uid = uid
        self.dir = tempfile.mkdtemp(prefix="veredus-admin-")
        os.chmod(self.dir, 0o755)
        if uid is not None:
            os.chown(self.dir, uid, uid)
        self.etc = os.path.join(self.dir, "etc")
        self.base = free_base()
        # The binary may lie where an ordinary user cannot go.
        self.binary = os.path.join(self.dir, "veredus")
        shutil.copy(VEREDUS, self.binary)

    def argv(self, *words):
        who = [] if self.uid is None else [
            "setpriv", "--reuid", str(self.uid), "--regid", str(self.uid),
            "--clear-groups", "--"]
        return [*who, self.binary, *words]

    def call(self, *words, status=0, stdin=""):
        done = subprocess.run(self.argv(*words), text=True, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, (words, done)
        return done.stdout if status == 0 else done.stderr

    def admin(self, noun, verb, *words, status=0, stdin=""):
        return self.call(noun, verb, "-c", self.etc, *words, status=status,
                         stdin=stdin)

    def init(self, *words, status=0):
        owner = ["--mail-owner", "daemon"] \
            if ROOTS and self.uid is None else []
        return self.call("init", "-c", self.etc, "--ports", str(self.base),
                         *owner, *words, status=status)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def mode(path):
    return os.stat(path).st_mode & 0o777


def add(p, address, password="correct horse battery"):
    return p.admin("user", "add", "--stdin", address, stdin=password + "\n")


# --- init -------------------------------------------------------------------

def test_init_writes_what_it_says(p):
    out = p.init("example.com")
    for line in out.splitlines():
        if line.startswith(("wrote ", "made ")):
            assert os.path.exists(line.split()[1]), line
    assert mode(p.etc + "/tls/key.pem") == 0o600
    assert mode(p.etc + "/directory.db") == 0o640
    assert mode(p.etc + "/main.cf") == 0o644
    assert mode(p.etc + "/mail") == 0o700
    next_ = out.split("next:\n")[1].strip().split("\n")
    assert len(next_) == 3, next_
    assert p.call("postconf", "-c", p.etc, "-h", "myhostname").strip() == \
        "mail.example.com"


def test_init_passes_the_check(p):
    p.init("example.com")
    done = subprocess.run(p.argv("postfix", "-c", p.etc, "check"), text=True,
                          stderr=subprocess.PIPE)
    assert done.returncode == 0 and "warning" not in done.stderr, done


def test_certificate_is_of_the_host(p):
    p.init("--hostname", "mx.example.org", "example.com")
    text = subprocess.run(
        ["openssl", "x509", "-in", p.etc + "/tls/cert.pem", "-noout",
         "-subject", "-ext", "subjectAltName", "-checkend", "31536000"],
        check=True, text=True, stdout=subprocess.PIPE).stdout
    assert re.search("CN ?= ?mx.example.org", text)
    assert "DNS:mx.example.org" in text


def test_init_does_not_overwrite(p):
    p.init("example.com")
    add(p, "alice@example.com")
    main = open(p.etc + "/main.cf").read() + "# mine\n"
    open(p.etc + "/main.cf", "w").write(main)
    said = p.init("example.org", status=1)
    assert "main.cf is there already" in said and "--force" in said, said
    assert open(p.etc + "/main.cf").read() == main
    key = open(p.etc + "/tls/key.pem").read()
    p.init("--force", "example.org")
    assert open(p.etc + "/main.cf.old").read() == main
    assert "# mine" not in open(p.etc + "/main.cf").read()
    assert open(p.etc + "/tls/key.pem").read() == key
    assert "alice@example.com" in p.admin("user", "list")
    assert p.admin("domain", "list").count("mailbox") == 2


def test_init_refuses(p):
    for words, text in (
            (["example"], "not a full domain name"),
            (["exa mple.com"], "not a full domain name"),
            (["b\u00fccher.example"], "xn--"),
            (["192.0.2.1"], "not a full domain name"),
            (["--hostname", "host", "example.com"], "not a full host name"),
            (["--ports", "80", "example.com"], "not a base for ports"),
            (["--ports", "65000", "example.com"], "not a base for ports"),
            (["--queue-dir", "/a b", "example.com"], "not a path"),
            (["--queue-dir", "/" + "x" * 90, "example.com"], "longer than"),
            (["--relayhost", "a b", "example.com"], "not a relay host")):
        said = p.init(*words, status=1)
        assert text in said, (words, said)
    assert not os.path.exists(p.etc)


def test_command_lines(p):
    for words in ([], ["a", "b"], ["--nonsense", "example.com"],
                  ["--hostname"], ["--force=1", "example.com"]):
        assert "usage: veredus init" in p.call("init", *words, status=2)
    for noun in ("user", "domain", "alias"):
        assert "add" in p.call(noun, "--help")
        assert "usage" in p.call(noun, status=2)
        assert "unknown verb" in p.call(noun, "eat", status=2)
        assert "usage" in p.call(noun, "add", "--help")
        assert "usage" in p.call(noun, "add", status=2)
    out = p.call("help")
    assert out == p.call("--help")
    assert re.search(r"^  user +\S.*\n", out, re.M), out
    assert re.search(r"^  postfix +\S.*\n", out, re.M), out
    assert "usage: veredus user" in p.call("help", "user")
    assert "unknown command" in p.call("nonsense", status=2)
    # A command of veredus' own has no classic name.
    os.symlink(p.binary, p.dir + "/user")
    done = subprocess.run([p.dir + "/user", "help"], text=True,
                          stdout=subprocess.PIPE)
    assert done.stdout == out, done


def tools(kind):
    with open(ROOT + "/src/role/tool/tools.def") as f:
        return re.findall(rf"^{kind}\((\w+),", f.read(), re.M)


def test_help_of_all(p):
    """On standard output, with status 0, by either name; and what cannot be
    understood is answered with the same synopsis."""
    names = tools("TOOL")
    assert len(names) > 15, names
    for name in names + tools("OWN"):
        out = p.call(name, "--help")
        assert re.match(rf"usage: (veredus )?{name} ", out), out
        assert out == p.call("help", name), name
    for name in names:
        own = os.path.join(p.dir, name)
        os.symlink(p.binary, own)
        done = subprocess.run([own, "-c", "/nowhere", "--help"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout == p.call(name, "--help"), done
        if name in ("sendmail", "mailq", "newaliases"):
            continue    # take letters that they do not know
        done = subprocess.run([own, "-Z"], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # getopt's complaint, then the usage; argv[0] is shown by some.
        shown = done.stderr.split("sage: ", 1)[1].replace(own, name)
        said = p.call(name, "--help")
        assert done.returncode and said.startswith("usage: " + shown), done


def test_example_is_what_init_writes(p):
    """dist/example, but for the places and ports."""
    p.init("example.com")
    places = {"/spool": "/var/spool/postfix", "/data": "/var/lib/postfix",
              "/mail\n": "/var/mail/vhosts\n",
              "/mail/": "/var/mail/vhosts/", "/aliases\n": "/etc/aliases\n",
              "": "/etc/postfix"}
    ports = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143,
             "imaps": 993, "pop3": 110, "pop3s": 995}
    uid = p.call("postconf", "-c", p.etc, "-h", "mailstore_uid").strip()
    for name in ("main.cf", "master.cf"):
        text = open(os.path.join(p.etc, name)).read()
        for place, real in places.items():
            text = text.replace(p.etc + place, real)
        for service, number in ports.items():
            text = re.sub(rf"^{p.base + number} {{8}}", f"{service:<13}",
                          text, flags=re.M)
        text = re.sub(r"^mail_owner = .*", "mail_owner = postfix", text,
                      flags=re.M)
        text = re.sub(r"^inet_interfaces = .*", "inet_interfaces = all",
                      text, flags=re.M)
        text = re.sub(r"^maillog_file = .*\n", "", text, flags=re.M)
        text = re.sub(rf"\b{uid}$", "5000", text, flags=re.M)
        with open(os.path.join(ROOT, "dist/example", name)) as f:
            kept = f.read().split("\n", 2)[2]
        assert text == kept, name


# --- users, domains, aliases ------------------------------------------------

def test_users(p):
    p.init("example.com")
    assert add(p, "Alice@Example.COM") == "added user alice@example.com\n"
    out = p.admin("user", "add", "-g", "-q", "2G", "bob@example.com")
    password = re.match(r"password: (\S{16})\n", out)[1]
    rows = [json.loads(line)
            for line in p.admin("user", "list", "--json").splitlines()]
    assert [(r["user"], r["active"], r["quota"]) for r in rows] == [
        ("alice@example.com", True, 0),
        ("bob@example.com", True, 2 << 30)], rows
    p.admin("user", "disable", "bob@example.com")
    p.admin("user", "quota", "bob@example.com", "500M")
    shown = p.admin("user", "show", "bob@example.com")
    assert re.search(r"^active +no$", shown, re.M), shown
    assert re.search(r"^quota +500M$", shown, re.M), shown
    p.admin("user", "enable", "bob@example.com")
    assert '"active": true' in p.admin("user", "show", "-j",
                                       "bob@example.com")
    db = sqlite3.connect(p.etc + "/directory.db")
    stored = db.execute("SELECT password FROM user WHERE name = 'bob'")
    stored = stored.fetchone()[0]
    assert stored.startswith("{CRYPT}$y$") and password not in stored
    p.admin("user", "passwd", "--stdin", "bob@example.com",
            stdin="another one, longer\r\n")
    assert db.execute("SELECT password FROM user WHERE name = 'bob'"
                      ).fetchone()[0] != stored
    p.admin("user", "delete", "bob@example.com")
    assert "bob" not in p.admin("user", "list", "example.com")


def test_users_are_refused(p):
    p.init("example.com")
    p.admin("domain", "add", "--class", "alias", "example.org")
    add(p, "alice@example.com")
    for words, text in (
            (["add", "-g", "alice"], "not an address"),
            (["add", "-g", "a b@"], "not an address"),
            (["add", "-g", "../x@example.com"], "no slash"),
            (["add", "-g", ".x@example.com"], "does not begin with a dot"),
            (["add", "-g", "x@example.net"], "no such domain: example.net"),
            (["add", "-g", "--", "-x@example.com"],
             "not a user's name"),
            (["add", "-g", "x!y@example.com"], "not a user's name"),
            (["add", "-g", "x%y@example.com"], "not a user's name"),
            (["add", "-g", '"x y"@example.com'], "not a user's name"),
            (["add", "-g", '"x.."@example.com'], "not a user's name"),
            (["add", "-g", "x" * 65 + "@example.com"], "not a user's name"),
            (["add", "--hash", "{NONE}x", "x@example.com"], "--hash"),
            (["add", "--hash", "", "x@example.com"], "--hash"),
            (["add", "-g", "--hash", "{PLAIN}x", "x@example.com"],
             "exclude"),
            (["add", "-g", "x@example.org"], "of class alias"),
            (["add", "-g", "ALICE@example.com"], "exists already"),
            (["add", "-g", "--stdin", "x@example.com"], "exclude"),
            (["add", "-g", "-q", "5X", "x@example.com"], "not a size"),
            (["add", "x@example.com"], "not a terminal"),
            (["passwd", "-g", "x@example.com"], "no such user"),
            (["quota", "x@example.com", "1G"], "no such user"),
            (["disable", "x@example.com"], "no such user"),
            (["delete", "x@example.com"], "no such user"),
            (["show", "x@example.com"], "no such user"),
            (["list", "example.net"], "no such domain")):
        said = p.admin("user", *words, status=1)
        assert text in said, (words, said)
    for password, text in (
            ("", "empty"), ("\n", "empty"), ("short", "too short"),
            ("Password1", "first"), ("x@example.com", "part of the address"),
            ("a\tb345678", "control"), ("x" * 1025, "longer")):
        said = p.admin("user", "add", "--stdin", "x@example.com", status=1,
                       stdin=password)
        assert text in said, (password, said)
    assert p.admin("user", "list").count("@") == 1


def test_domains(p):
    p.init("example.com")
    p.admin("domain", "add", "Example.NET")
    p.admin("domain", "add", "--class", "relay", "relay.example")
    add(p, "a@example.net")
    out = p.admin("domain", "list")
    assert re.search(r"^example\.net +mailbox +1$", out, re.M), out
    assert re.search(r"^relay\.example +relay +0$", out, re.M), out
    rows = [json.loads(x) for x in p.admin("domain", "list", "-j").split("\n")
            if x]
    assert rows[1] == {"domain": "example.net", "class": "mailbox",
                       "users": 1}, rows
    for words, text in ((["add", "example.net"], "exists already"),
                        (["add", "localhost"], "not a full domain"),
                        (["add", "a..b"], "not a domain name"),
                        (["add", "--class", "x", "b.example"], "class is"),
                        (["delete", "example.net"], "has users"),
                        (["delete", "b.example"], "no such domain")):
        said = p.admin("domain", *words, status=1)
        assert text in said, (words, said)
    p.admin("domain", "delete", "relay.example")
    assert "relay" not in p.admin("domain", "list")


def test_aliases(p):
    p.init("example.com")
    p.admin("alias", "add", "sales@example.com", "a@example.com",
            "b@remote.example")
    p.admin("alias", "add", "@example.com", "a@example.com")
    # One of mydestination.
    p.admin("alias", "add", "root@mail.example.com", "a@example.com")
    rows = [json.loads(x) for x in p.admin("alias", "list", "-j").split("\n")
            if x]
    assert len(rows) == 4, rows
    assert p.admin("alias", "list", "sales@example.com").count("sales") == 2
    for words, text in (
            (["add", "x@remote.example", "a@example.com"], "no such domain"),
            (["add", "x", "a@example.com"], "not an address"),
            (["add", "x@example.com", "a"], "not a full address"),
            (["add", "x@example.com", "a@b@"], "not an address"),
            (["add", "sales@example.com", "a@example.com"],
             "exists already"),
            (["delete", "x@example.com"], "no such alias")):
        said = p.admin("alias", *words, status=1)
        assert text in said, (words, said)
    p.admin("alias", "delete", "sales@example.com", "b@remote.example")
    assert p.admin("alias", "list", "sales@example.com").count("sales") == 1
    p.admin("alias", "delete", "sales@example.com")
    assert p.admin("alias", "list", "sales@example.com") == ""


def said(p, *words, status=0):
    """What a command that may succeed says on stderr."""
    done = subprocess.run(p.argv("alias", "add", "-c", p.etc, *words),
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == status, (words, done)
    return done.stderr


def test_aliases_that_lead_nowhere(p):
    p.init("example.com")
    p.admin("domain", "add", "--class", "alias", "va.example")
    add(p, "ann@example.com")
    add(p, "joe@example.com")
    assert said(p, "a@va.example", "b@va.example") \
        == "veredus alias: warning: b@va.example is nobody here: there is " \
        "no such user and no such alias\n"
    assert said(p, "b@va.example", "c@va.example", "ann@example.com")
    # circles: of three, of one, of one's own, by way of a whole domain
    for words in (["c@va.example", "a@va.example"],
                  ["c@va.example", "joe@example.com", "a@va.example"],
                  ["b@va.example", "A@VA.example"]):
        assert "in a circle" in said(p, *words, status=1), words
    assert "leads nowhere" in said(p, "z@va.example", "z@va.example",
                                   status=1)
    assert said(p, "@va.example", "out@remote.example") == ""
    assert said(p, "x@example.com", "who@va.example") == ""
    assert "in a circle" in said(p, "@va.example", "x@example.com", status=1)
    assert "circle" in said(p, "--force", "c@va.example", "a@va.example")
    # over a user
    assert "is a user" in said(p, "joe@example.com", "ann@example.com",
                               status=1)
    assert said(p, "joe@example.com", "joe@example.com",
                "ann@example.com") == ""
    assert said(p, "joe@example.com", "more@remote.example") == ""
    assert "is a user" in said(p, "-f", "ann@example.com",
                               "joe@example.com")
    assert "nobody here" in said(p, "y@example.com", "no@example.com")
    assert "nobody here" in said(p, "@example.com", "no@example.com")
    assert said(p, "y@example.com", "x@remote.example") == ""


def test_rename(p):
    p.init("example.com")
    p.admin("domain", "add", "example.net")
    add(p, "ann@example.com")
    add(p, "bob@example.com")
    box = p.etc + "/mail/example.com"
    os.makedirs(box + "/ann/Maildir/cur")
    os.makedirs(box + "/taken")
    p.admin("alias", "add", "a@example.com", "ann@example.com")
    for words, text in ((("ann", "eva"), "not an address"),
                        (("no@example.com", "x@example.com"), "no such user"),
                        (("ann@example.com", "bob@example.com"), "exists"),
                        (("ann@example.com", "ann@example.net"), "domain"),
                        (("ann@example.com", "taken@example.com"),
                         "there is a mailbox"),
                        (("ann@example.com", "../x@example.com"), ""),
                        (("ann@example.com", "x!y@example.com"),
                         "not a user's name")):
        assert text in p.admin("user", "rename", *words, status=1), words
    assert os.listdir(box + "/ann") == ["Maildir"]
    p.admin("user", "rename", "Ann@example.com", "Eva@example.com")
    assert os.path.isdir(box + "/eva/Maildir/cur")
    assert not os.path.exists(box + "/ann")
    p.admin("user", "rename", "bob@example.com", "joe@example.com")
    users = p.admin("user", "list")
    assert "eva@" in users and "joe@" in users and "ann@" not in users


def test_import(p):
    p.init("example.com")
    add(p, "joe@example.com")
    path = p.dir + "/users"
    with open(path, "w") as f:
        f.write("# from elsewhere\n\n"
                "ann@example.com:{PLAIN}annpw:5000:5000::/var/mail/ann::"
                "userdb_quota_rule=*:bytes=2M\n"
                "bob:{SHA256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd"
                "7162fef6a25fe97bf527a25b::::::quota_rule=*:storage=3G "
                "nologin\r\n"
                "joe@example.com:{PLAIN}other::::::\n"
                "x@elsewhere.example:{PLAIN}x::::::\n"
                "a b@example.com:{PLAIN}x::::::\n"
                "none@example.com:::::::\n"
                "odd@example.com:{NONESUCH}x::::::\n"
                "eva@example.com:$1$HuBXswqC$urRstSteJHvSf7aAkgr1U1\n")
    out = p.admin("import", "users", path, status=1)
    for n, text in ((5, "exists already"), (6, "no such domain"),
                    (7, ""), (8, "no password"), (9, "no known scheme")):
        assert re.search(rf"line {n}: .*{text}", out), (n, out)
    assert "5 users were not imported" in out and "line 3" not in out, out
    rows = {r["user"]: r for r in map(json.loads, p.admin(
        "user", "list", "--json").splitlines())}
    assert sorted(rows) == ["ann@example.com", "bob@example.com",
                            "eva@example.com", "joe@example.com"], rows
    assert rows["ann@example.com"]["quota"] == 2 << 20
    assert rows["bob@example.com"]["quota"] == 3 << 30
    assert not rows["bob@example.com"]["active"]
    db = sqlite3.connect(p.etc + "/directory.db")

    def stored(name):
        return db.execute("SELECT password FROM user WHERE name = ?",
                          (name,)).fetchone()[0]
    assert stored("joe") != "{PLAIN}other"
    assert stored("eva").startswith("$1$")
    p.admin("import", "users", "--force", path, status=1)
    assert stored("joe") == "{PLAIN}other"
    p.admin("import", "users", path + ".no", status=1)
    p.admin("user", "add", "--hash", "{PLAIN}later", "z@example.com")
    assert stored("z") == "{PLAIN}later"
    p.admin("user", "passwd", "--hash", "{CRYPT}$1$HuBXswqC$urRstSteJHvSf7a"
            "Akgr1U1", "z@example.com")
    assert stored("z").startswith("{CRYPT}$1$")


def query(p, table, key):
    done = subprocess.run(
        p.argv("postmap", "-c", p.etc, "-q", key,
               f"sqlite:{p.etc}/sqlite/{table}.cf"),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip()


def test_tables_answer(p):
    p.init("example.com")
    p.admin("domain", "add", "--class", "alias", "alias.example")
    p.admin("domain", "add", "--class", "relay", "relay.example")
    add(p, "alice@example.com")
    p.admin("alias", "add", "@example.com", "catch@remote.example")
    p.admin("alias", "add", "s@alias.example", "a@x.example", "b@x.example")
    assert query(p, "domains", "EXAMPLE.com") == "example.com"
    assert query(p, "domains", "alias.example") == ""
    assert query(p, "alias-domains", "alias.example") == "alias.example"
    assert query(p, "relay-domains", "relay.example") == "relay.example"
    assert query(p, "mailboxes", "alice@example.com") == \
        "example.com/alice/Maildir/"
    assert query(p, "aliases", "s@alias.example") == "a@x.example, " \
        "b@x.example"
    # An alias of the whole domain leaves users alone.
    assert query(p, "aliases", "@example.com") == "catch@remote.example"
    assert query(p, "aliases", "alice@example.com") == "alice@example.com"
    assert query(p, "aliases", "bob@example.com") == ""


def at_a_terminal(p, *typed):
    """Runs `user add` at a terminal and types when it asks."""
    pid, fd = pty.fork()
    if pid == 0:
        argv = p.argv("user", "add", "-c", p.etc, "t@example.com")
        os.execvp(argv[0], argv)
    seen = b""
    typed = list(typed)
    try:
        while True:
            data = os.read(fd, 1000)
            if not data:
                break
            seen += data
            if seen.rstrip(b" ").endswith((b"password:", b"Again:")):
                # Echo goes off right after the prompt.
                time.sleep(0.3)
                os.write(fd, typed.pop(0))
                seen += b"|"
    except OSError:
        pass
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


def test_terminal(p):
    p.init("example.com")
    status, seen = at_a_terminal(p, b"one good password\n", b"another\n",
                                 b"one good password\n",
                                 b"one good password\n")
    assert status == 0 and "not the same" in seen, seen
    assert "good" not in seen and "another" not in seen, seen
    p.admin("user", "delete", "t@example.com")
    status, seen = at_a_terminal(p, b"short\n", b"\n", b"password\n")
    assert status == 1 and "too short" in seen and "empty" in seen, seen
    status, seen = at_a_terminal(p, b"half a passw\x03")
    assert status == 1 and "no password given" in seen, seen
    assert "@" not in p.admin("user", "list")


# --- it runs ----------------------------------------------------------------

def submit(p, user, password, to):
    s = smtplib.SMTP("127.0.0.1", p.base + 587, timeout=20)
    s.starttls(context=context())
    s.login(user, password)
    s.sendmail("alice@example.com", to, "Subject: x\r\n\r\nbody\r\n")
    s.quit()


def wait_mail(p, user, password):
    for _ in range(100):
        m = imaplib.IMAP4_SSL("127.0.0.1", p.base + 993,
                              ssl_context=context())
        m.login(user, password)
        n = int(m.select()[1][0])
        m.logout()
        if n:
            return n
        time.sleep(0.1)
    raise AssertionError("no mail:\n" + open(p.etc + "/maillog").read())


def check_doors(p):
    """Who may send what, through which port."""
    s = smtplib.SMTP("127.0.0.1", p.base + 587, timeout=20)
    s.ehlo()
    assert "auth" not in s.esmtp_features   # not in clear
    assert s.mail("alice@example.com")[0] == 530
    s.starttls(context=context())
    s.ehlo()
    s.mail("alice@example.com")
    code, text = s.rcpt("bob@example.com")
    assert code == 554, (code, text)        # not without a password
    s.quit()
    s = smtplib.SMTP_SSL("127.0.0.1", p.base + 465, timeout=20,
                         context=context())
    s.login("alice", "correct horse battery")
    s.mail("alice@example.com")
    assert s.rcpt("whoever@remote.example")[0] == 250
    s.quit()
    s = smtplib.SMTP("127.0.0.1", p.base + 25, timeout=20)
    s.ehlo()
    assert "starttls" in s.esmtp_features
    s.mail("a@remote.example")
    assert s.rcpt("alice@example.com")[0] == 250
    assert s.rcpt("alice+lists@example.com")[0] == 250
    code, text = s.rcpt("nobody@example.com")
    assert code == 550 and b"5.1.1" in text, (code, text)
    s.starttls(context=context())
    s.ehlo()
    assert "auth" not in s.esmtp_features   # users have their own ports
    s.quit()


def login_refused(p, user, password):
    m = imaplib.IMAP4_SSL("127.0.0.1", p.base + 993, ssl_context=context())
    try:
        m.login(user, password)
    except imaplib.IMAP4.error:
        return True
    return False


def test_it_runs(p):
    p.init("example.com")
    add(p, "alice@example.com")
    p.call("postfix", "-c", p.etc, "start")
    try:
        # While it runs, changes work at once.
        add(p, "bob@example.com", "bobs own password")
        check_doors(p)
        p.admin("alias", "add", "sales@example.com", "bob@example.com")
        p.admin("alias", "add", "@example.com", "alice@example.com")
        # A name without a domain has the domain that init was told.
        submit(p, "alice", "correct horse battery", "sales@example.com")
        assert wait_mail(p, "bob@example.com", "bobs own password") == 1
        submit(p, "bob@example.com", "bobs own password",
               "whoever@example.com")
        assert wait_mail(p, "alice", "correct horse battery") == 1
        try:
            submit(p, "alice", "a wrong password", "bob@example.com")
            raise AssertionError("a wrong password was good")
        except smtplib.SMTPAuthenticationError:
            pass
        p.admin("user", "disable", "bob@example.com")
        assert login_refused(p, "bob@example.com", "bobs own password")
    finally:
        p.call("postfix", "-c", p.etc, "stop")
    owner = os.stat(p.etc + "/mail/example.com/bob/Maildir").st_uid
    wanted = 5000 if ROOTS and p.uid is None else p.uid or os.geteuid()
    assert owner == wanted, owner


def sessions(p, user, password):
    """One of each kind: IMAP by TLS and in IDLE, POP3, submission."""
    imap = imaplib.IMAP4_SSL("127.0.0.1", p.base + 993, timeout=60,
                             ssl_context=context())
    imap.login(user, password)
    imap.select()
    imap.send(b"x IDLE\r\n")
    assert imap.readline().startswith(b"+")
    pop = poplib.POP3_SSL("127.0.0.1", p.base + 995, timeout=60,
                          context=context())
    pop.user(user)
    pop.pass_(password)
    smtp = smtplib.SMTP("127.0.0.1", p.base + 587, timeout=60)
    smtp.starttls(context=context())
    smtp.login(user, password)
    return imap, pop, smtp


def ended(imap, pop, smtp):
    assert imap.readline() == b"", "IDLE goes on"
    assert pop.file.readline() == b"", "POP3 goes on"
    assert smtp.docmd("MAIL FROM:<x@example.com>")[0] == 421


def test_sessions_end(p):
    """Who is disabled, deleted or has a new password is out, at once."""
    p.init("example.com")
    words = {n: n + " correct horse" for n in ("ann", "bob", "eva", "joe")}
    for name, word in words.items():
        add(p, name + "@example.com", word)
    p.call("postfix", "-c", p.etc, "start")
    try:
        open_ = {n: sessions(p, n + "@example.com", w)
                 for n, w in words.items()}
        p.admin("user", "disable", "Ann@example.com")
        ended(*open_["ann"])
        p.admin("user", "delete", "bob@example.com")
        ended(*open_["bob"])
        p.admin("user", "passwd", "--stdin", "eva@example.com",
                stdin="another horse\n")
        ended(*open_["eva"])
        imap, pop, smtp = open_["joe"]      # a neighbour
        imap.send(b"DONE\r\n")
        assert imap.readline().startswith(b"x OK")
        assert pop.noop().startswith(b"+OK")
        assert smtp.docmd("MAIL FROM:<joe@example.com>")[0] == 250
        sessions(p, "eva@example.com", "another horse")
    finally:
        p.call("postfix", "-c", p.etc, "stop")


def send_size(p, to, size):
    s = smtplib.SMTP("127.0.0.1", p.base + 25, timeout=20)
    s.sendmail("", to, "Subject: x\r\n\r\n"
               + ("y" * 70 + "\r\n") * (size // 72))
    s.quit()


def test_quota_holds(p):
    p.init("example.com")
    p.admin("user", "add", "--stdin", "-q", "40K", "alice@example.com",
            stdin="correct horse battery\n")
    p.call("postfix", "-c", p.etc, "start")
    try:
        def wait_log(pattern):
            for _ in range(100):
                text = open(p.etc + "/maillog").read()
                if re.search(pattern, text):
                    return
                time.sleep(0.1)
            raise AssertionError((pattern, text))

        send_size(p, "alice@example.com", 20000)
        wait_log("to=<alice@example.com>.*status=sent")
        send_size(p, "alice+x@example.com", 25000)
        wait_log(r"to=<alice\+x@example.com>.*dsn=5\.2\.2, "
                 "status=bounced.*Quota exceeded")
        m = imaplib.IMAP4_SSL("127.0.0.1", p.base + 993,
                              ssl_context=context())
        m.login("alice", "correct horse battery")
        assert m.select()[1] == [b"1"]
        quota = m.getquotaroot("INBOX")[1][1][0]
        assert re.search(rb"STORAGE (19|20|21) 40\)", quota), quota
        m.logout()
        # At once, as all changes.
        p.admin("user", "quota", "alice@example.com", "none")
        send_size(p, "alice@example.com", 25001)
        wait_log("(?s)(to=<alice@example.com>.*status=sent.*){2}")
    finally:
        p.call("postfix", "-c", p.etc, "stop")


def init_with_dns(p):
    """So that doctor asks nobody outside."""
    p.init("example.com")
    server = DnsServer({})
    p.call("postconf", "-c", p.etc, "-e",
           f"lookup_dns_server=127.0.0.1:{server.port}")


def doctor(p, status):
    done = subprocess.run(p.argv("doctor", "-c", p.etc), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == status and not done.stderr, done
    assert re.fullmatch(r"((ok|warning|problem) +\S.*\n)*", done.stdout), done
    return done.stdout


def test_doctor(p):
    said = doctor(p, 1)
    assert re.search(r"^problem .*main.cf", said), said
    init_with_dns(p)
    said = doctor(p, 0)
    assert "the system does not run" in said, said
    assert said.count("can be had") == 7, said
    assert "postmaster@example.com" in said and "0 users" in said, said
    assert "signed by itself" in said, said
    add(p, "alice@example.com")
    p.admin("alias", "add", "postmaster@example.com", "alice@example.com")
    p.call("postfix", "-c", p.etc, "start")
    try:
        said = doctor(p, 0)
        assert said.count(" answers\n") == 7, said
        assert "postmaster" not in said and "1 user," in said, said
    finally:
        p.call("postfix", "-c", p.etc, "stop")
    with socket.create_server(("127.0.0.1", p.base + 143)):
        said = doctor(p, 1)
    assert re.search(rf"^problem +port {p.base + 143} .* is taken", said,
                     re.M), said


def test_doctor_finds(p):
    """One fault after another; each is mended again."""
    init_with_dns(p)
    main, tls = p.etc + "/main.cf", p.etc + "/tls/"
    key, cert = open(tls + "key.pem").read(), open(tls + "cert.pem").read()

    def finds(text, level="problem"):
        said = doctor(p, 1 if level == "problem" else 0)
        assert re.search(rf"^{level} .*{text}", said, re.M), (text, said)

    os.chmod(tls + "key.pem", 0o644)
    finds("others may read the key")
    os.chmod(tls + "key.pem", 0o600)
    os.chmod(p.etc + "/directory.db", 0o644)
    finds("others may read or change passwords")
    os.chmod(p.etc + "/directory.db", 0o640)
    os.chmod(main, 0o664)
    finds("main.cf: others may change it")
    os.chmod(main, 0o644)
    for days, host, level, text in (
            ("5", "mail.example.com", "warning", "good until"),
            ("99", "other.example", "warning", "is not for mail.example.com"),
            ("99", "mail.example.com", "problem", "key.pem: ")):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj",
             "/CN=" + host, "-keyout", tls + "key.pem", "-out",
             tls + "cert.pem"], check=True, stderr=subprocess.DEVNULL)
        if level == "problem":
            open(tls + "key.pem", "w").write(key)
        finds(text, level)
    open(tls + "cert.pem", "w").write(key)
    finds("cert.pem.*unusable")
    open(tls + "cert.pem", "w").write(cert)
    os.utime(p.etc + "/aliases", (time.time() + 60, time.time() + 60))
    finds("run newaliases", "warning")
    os.rename(p.etc + "/aliases.db", p.etc + "/away")
    finds("has no index")
    os.rename(p.etc + "/away", p.etc + "/aliases.db")
    with open(main, "a") as f:
        f.write("smtpd_tls_cert_fil = /x\n")
    finds("did you mean smtpd_tls_cert_file", "warning")
    with open(main, "a") as f:
        f.write("nonsense\n")
    finds("main.cf, line")


def test_no_rights(p):
    """Somebody else than the owner."""
    p.init("example.com")
    p.uid = NOBODY
    said = p.admin("user", "list", status=1)
    assert "Permission denied" in said, said
    p.etc = p.dir + "/other"
    said = p.call("init", "-c", p.etc, "example.com", status=1)
    assert "cannot make" in said, said


def test_users_of_the_system(p):
    """What only root chooses, and whom it cannot choose."""
    for words, text in (
            (["--mail-owner", "nobody-of-that-name"], "there is no user"),
            (["--mail-owner", "root"], "cannot be root"),
            (["--mail-user", "0"], "below 100"),
            (["--mail-user", "nobody-of-that-name"], "there is no user")):
        owner = [] if words[0] == "--mail-owner" else ["--mail-owner",
                                                       "daemon"]
        said = p.call("init", "-c", p.etc, *owner, *words, "example.com",
                      status=1)
        assert text in said, (words, said)
    p.uid = NOBODY
    said = p.call("init", "-c", p.etc, "--mail-user", "7000", "example.com",
                  status=1)
    assert "only root" in said, said


def run(name, test, uid):
    p = Place(uid)
    try:
        test(p)
        return True
    except Exception as e:
        print(f"FAILED {name} (uid {uid}): {type(e).__name__}: {e}")
        return False
    finally:
        p.close()


def main():
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        uids = [None]
        if name in ("test_no_rights", "test_users_of_the_system"):
            uids = [None] if ROOTS else []
        elif ROOTS and name in ("test_init_writes_what_it_says", "test_users",
                                "test_it_runs", "test_doctor",
                                "test_init_passes_the_check",
                                "test_example_is_what_init_writes"):
            uids = [None, NOBODY]
        for uid in uids:
            good = run(name, test, uid)
            passed += good
            failed += not good
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
