#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a mailbox must stand: other programs at the same Maildir, a lost or
broken index, a full disk, hostile names, many folders, sessions that get in
each other's way.  Against build/MODE/imap-test-server.

    test/talk/safety.py [build/asan/imap-test-server] [name ...]

The last line is "N passed, N failed, N skipped".
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import imap as talk
from imap import Place, Skip, equal, has, lacks, mail

INDEX = "veredus-index"


def seen(r, box="INBOX"):
    """(UIDVALIDITY, UID -> (subject, flags)) as a new client sees them."""
    validity = re.search(r"UIDVALIDITY (\d+)", "".join(
        r.ok("SELECT " + box)))[1]
    found = {}
    for line in r.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS "
                     "(SUBJECT)])"):
        m = re.search(r"UID (\d+) FLAGS \((.*?)\).*Subject: (.*?)\r\n", line,
                      re.S)
        if m:
            assert int(m[1]) not in found, line
            found[int(m[1])] = (m[3], frozenset(m[2].split())
                                - {"\\Recent"})
    return validity, found


def session(p, box="INBOX"):
    r = p.raw()
    got = seen(r, box)
    r.ok("LOGOUT")
    return got


def subjects(found):
    return sorted(s for s, _ in found.values())


def test_other_programs(_):
    """Files come, change their flags, move and go without us."""
    with Place() as p:
        paths = [p.deliver(mail(f"m{i}")) for i in range(6)]
        r = p.raw()
        r.ok("SELECT INBOX")
        cur = os.path.join(p.path, "cur")
        names = sorted(os.listdir(cur))
        equal(len(names), len(paths))

        def flag(i, flags):
            base = names[i].partition(":2,")[0]
            os.rename(os.path.join(cur, names[i]),
                      os.path.join(cur, base + ":2," + flags))
            names[i] = base + ":2," + flags

        flag(0, "S")
        flag(1, "FRS")
        flag(2, "DT")
        lines = r.ok("NOOP")
        has(lines, "* 1 FETCH (FLAGS (\\Seen")
        has(lines, "* 2 FETCH (FLAGS (\\Answered \\Flagged \\Seen")
        has(lines, "* 3 FETCH (FLAGS (\\Deleted \\Draft")
        os.unlink(os.path.join(cur, names[3]))
        p.deliver(mail("into new"))
        p.deliver(mail("into cur"), flags="F")
        p.deliver(mail("no flags"), flags="")
        lines = r.ok("NOOP")
        has(lines, "* 4 EXPUNGE")
        has(lines, "* 8 EXISTS")
        # we change what they change
        r.ok("STORE 1 +FLAGS (\\Flagged)")
        names[0] = [n for n in os.listdir(cur)
                    if n.startswith(names[0].partition(":2,")[0])][0]
        flag(0, "T")
        r.ok("STORE 1 +FLAGS.SILENT (\\Answered)")
        _, found = session(p)
        equal(found[1][1], {"\\Deleted", "\\Answered"})
        r.ok("EXPUNGE")
        validity, found = session(p)
        equal(subjects(found), sorted(["m1", "m4", "m5", "into new",
                                       "into cur", "no flags"]))
        # names that are none of ours stay, and are not told
        for odd in (".hidden", "no-colon:1,x", "a" * 240):
            with open(os.path.join(cur, odd), "w") as f:
                f.write(mail("odd"))
        os.mkdir(os.path.join(cur, "directory"))
        session(p)
        assert os.path.isdir(os.path.join(cur, "directory"))


def test_lost_index(_):
    with Place() as p:
        for i in range(5):
            p.deliver(mail(f"m{i}"))
        r = p.raw()
        r.ok("SELECT INBOX")
        r.ok("STORE 2 +FLAGS (\\Flagged $Work)")
        r.ok("STORE 1 +FLAGS (\\Deleted)")
        r.ok("EXPUNGE")
        before = session(p)
        os.unlink(os.path.join(p.path, INDEX))
        # the session that has it selected is told that all is anew
        assert any("BYE" in l or "OK" in l for l in
                   r.until_end("NOOP")), "no answer"
        after = session(p)
        equal(subjects(after[1]), subjects(before[1]))
        if after[1] != before[1]:
            assert after[0] != before[0], "UIDs lost and none the wiser"
        flagged = [f for s, f in after[1].values() if s == "m1"][0]
        assert "\\Flagged" in flagged and "$Work" in flagged, flagged


def broken(p, data, what, cut=False):
    """The server on an index of these bytes: total, and no UID means
    another message under the same UIDVALIDITY, unless the end was cut off
    without a trace (which no crash does: UIDs are synced before they are
    told)."""
    with open(os.path.join(p.path, INDEX), "wb") as f:
        f.write(data)
    validity, found = session(p)
    equal(subjects(found), subjects(what[1]))
    if validity == what[0] and not cut:
        for uid, (subject, _) in found.items():
            known = what[1].get(uid)
            assert known is None or known[0] == subject, (uid, subject)
    again = session(p)
    equal(again, (validity, found))
    return validity == what[0] and found == what[1]


def test_broken_index(_):
    rnd = random.Random(5)
    with Place() as p:
        for i in range(30):
            p.deliver(mail(f"m{i}"))
        r = p.raw()
        r.ok("SELECT INBOX")
        r.ok("STORE 3:9 +FLAGS (\\Flagged key)")
        r.ok("STORE 1:2 +FLAGS (\\Deleted)")
        r.ok("EXPUNGE")
        r.ok("LOGOUT")
        before = session(p)
        with open(os.path.join(p.path, INDEX), "rb") as f:
            good = f.read()
        whole = 0
        for _ in range(25):
            at = rnd.randrange(len(good))
            whole += broken(p, good[:at], before, cut=True)
        for _ in range(25):
            at = rnd.randrange(len(good))
            bad = bytearray(good)
            bad[at] ^= 1 << rnd.randrange(8)
            whole += broken(p, bytes(bad), before)
        for bad in (b"", b"\0" * 64, b"\xff" * 5000, good * 2,
                    good + os.urandom(300), os.urandom(300) + good):
            broken(p, bad, before)
        assert broken(p, good, before), "the good one is not read"
        os.unlink(os.path.join(p.path, INDEX))
        os.mkdir(os.path.join(p.path, INDEX))
        r = p.raw()
        has(r.ask("SELECT INBOX"), "NO")


class Disk:
    """A small disk under a Maildir."""

    def __init__(self, kib):
        self.path = tempfile.mkdtemp(prefix="veredus-disk-")
        self.mounted = not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs",
             self.path], capture_output=True).returncode

    def prepare(self, path):
        if not self.mounted:
            raise Skip("may not mount")
        box = os.path.join(self.path, "Maildir")
        for d in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(box, d))
        os.symlink(box, path)

    def fill(self):
        f = os.open(os.path.join(self.path, "filler"),
                    os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(f, b"x" * 4096):
                pass
        except OSError:
            pass
        os.close(f)

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path])
        os.rmdir(self.path)


def test_full_disk(_):
    disk = Disk(400)
    try:
        with Place(prepare=disk.prepare) as p:
            text = mail("kept").replace("\n", "\r\n")
            r = p.raw()
            r.ok("APPEND INBOX {%d+}\r\n%s" % (len(text), text))
            r.ok("SELECT INBOX")
            big = "Subject: big\r\n\r\n" + "0123456789abcde\r\n" * 40000
            lines = r.ask("APPEND INBOX {%d+}\r\n%s" % (len(big), big))
            has(lines, " NO ")
            equal(os.listdir(os.path.join(p.path, "tmp")), [])
            r.ok("APPEND INBOX {%d+}\r\n%s" % (len(text), text))
            disk.fill()
            for command in ("STORE 1 +FLAGS (\\Seen key)", "CREATE box",
                            "COPY 1 INBOX", "NOOP", "EXPUNGE",
                            "APPEND INBOX {%d+}\r\n%s" % (len(text), text)):
                lines = r.ask(command)
                assert re.search(r" (OK|NO) ", lines[-1]), (command, lines)
            has(r.ok("FETCH 1 BODY.PEEK[]"), "kept")
            disk.free()
            r.ok("APPEND INBOX {%d+}\r\n%s" % (len(text), text))
            r.ok("STORE 1 +FLAGS (\\Seen)")
            _, found = session(p)
            equal(set(subjects(found)), {"kept"})
            equal(os.listdir(os.path.join(p.path, "tmp")), [])
    finally:
        disk.close()


HOSTILE = ["..", "../x", "../../etc", ".", "/", "/etc/passwd", "a/b", "a/../b",
           "a..b", ".a", "a.", "..a", "a...b", "~", "~root", "~root/x", "~/x",
           "cur", "new", "tmp", "INBOX/../x", "INBOX.", "INBOX..x", "&",
           "&-", "a&b", "&AC4-", "&AC8-", "&AC4ALgAv-", "&AAA-", "&AAo-",
           "x\x01y", "x\x7fy", "\x80\xff", "a\\b", "a\"b", "a*", "a%", " ",
           " a", "a ", "a\tb", "x" * 239, "x" * 255, "x" * 1000,
           ".".join("l" * 100), "veredus-index", "subscriptions",
           "dovecot-keywords", "NIL", "inbox", "INBOX.INBOX", "{5}", "(a)"]


def quote(name):
    if any(ord(c) < 32 or ord(c) > 126 for c in name):
        return "{%d+}\r\n%s" % (len(name), name)
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


def test_hostile_names(_):
    with Place() as p:
        r = p.raw()
        around = sorted(os.listdir(p.root))
        text = "Subject: x\r\n\r\n"
        for name in HOSTILE:
            q = quote(name)
            made = " OK" in r.ask("CREATE " + q)[-1]
            for command in ("SELECT ", "EXAMINE ", "SUBSCRIBE ",
                            "UNSUBSCRIBE ", 'LIST "" ', "LIST %s " % q,
                            'LSUB "" '):
                lines = r.ask(command + q)
                assert re.match(r"a\d+ (OK|NO|BAD)", lines[-1]), lines
                if command == "SELECT " and made and name[-1] != ".":
                    assert " OK" in lines[-1], (name, lines)
            r.ask("STATUS %s (MESSAGES)" % q)
            r.ask("APPEND %s {%d+}\r\n%s" % (q, len(text), text))
            r.ask("RENAME %s renamed" % q)
            r.ask("RENAME renamed %s" % q)
            listed = "".join(r.ok('LIST "" *'))
            assert "/" not in listed and "\x00" not in listed, listed
            r.ask("DELETE " + q)
            r.ok("NOOP")
        equal(sorted(os.listdir(p.root)), around)
        for d in os.listdir(p.path):
            assert d in ("cur", "new", "tmp") or d.startswith((
                ".", "veredus-", "subscriptions", "dovecot-", "maildir",
                "courier")), d
        r = p.raw()
        r.send("a SELECT {3+}\r\na\x00b\r\n")
        assert r.until("a")[-1].startswith("a BAD")


def test_many_folders(_):
    """Time for all of them grows with their number and no faster."""
    with Place() as p:
        r = p.raw()
        took = {}
        for n in (200, 800):
            for i in range(n):
                r.ok(f"CREATE f{n}.{i}")
            start = time.monotonic()
            equal(len(r.ok(f'LIST "" f{n}.*')), n + 1)
            r.ok(f'LIST "" f{n}.* RETURN (STATUS (MESSAGES UNSEEN))')
            took[n] = time.monotonic() - start
        assert took[800] < took[200] * 16 + 0.5, took
        r.ok("RENAME f800 g")
        equal(len(r.ok('LIST "" g.*')), 801)
        lacks(r.ok('LIST "" f800*'), "* LIST")


def test_expunged_while_fetching(_):
    """Another session expunges while a slow client reads; what it is sent
    is whole messages, and numbers mean what they meant."""
    with Place() as p:
        for i in range(60):
            p.deliver(mail(f"m{i}") + "filler filler\n" * 20000)
        a, b = p.raw(), p.raw()
        a.ok("SELECT INBOX")
        b.ok("SELECT INBOX")
        a.send("x FETCH 1:* (UID BODY.PEEK[])\r\n")
        time.sleep(0.3)
        b.ok("STORE 10:50 +FLAGS.SILENT (\\Deleted)")
        b.ok("EXPUNGE")
        lines = a.until("x")
        rows = [l for l in lines if " FETCH (UID" in l]
        equal(len(rows), 60)
        for i, l in enumerate(rows):
            m = re.match(r"\* (\d+) FETCH \(UID (\d+) ", l)
            equal((int(m[1]), int(m[2])), (i + 1, i + 1))
            assert "filler" in l[-20:] or \
                9 <= i < 50 and l.endswith("BODY[] NIL)"), l[:300]
        lacks([l for l in lines if re.match(r"\* \d+ EXPUNGE", l)], "EXPUNGE")
        gone = [l for l in a.ok("NOOP") if l.endswith("EXPUNGE")]
        equal(len(gone), 41)
        equal(len(a.ok("UID FETCH 1:* UID")), 20)


def until_end(r, command):
    """The lines of an answer, or all until the connection ends."""
    r.send("z %s\r\n" % command)
    lines = []
    while True:
        line = r.line()
        if not line:
            return lines
        lines.append(line)
        if line.startswith("z "):
            return lines


talk.Raw.until_end = until_end


def main():
    args = sys.argv[1:]
    if args and os.path.sep in args[0]:
        talk.SERVER = args.pop(0)
    passed = failed = skipped = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or args and not any(
                name[5:].startswith(a) for a in args):
            continue
        try:
            test(None)
            passed += 1
        except Skip as s:
            print(f"skipped {name}: {s}")
            skipped += 1
        except Exception as e:
            failed += 1
            at = e.__traceback__.tb_next
            print(f"FAILED {name}:{at.tb_lineno}: {type(e).__name__}: "
                  f"{str(e)[:1000]}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
