#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
#
# A Maildir that other programs made, read by Dovecot and by us: the same
# mailboxes are listed, what Dovecot opens we open, with the same messages in
# the same order.  Where Dovecot lists a mailbox and cannot open it, we do.
#
#     test/peer/maildir.py [build/asan/imap-test-server]
#
# Without Dovecot in PEER_DOVECOT_ROOT everything is skipped.

import os, re, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from dovecot import PEER, Dovecot, talk

ORDER = ["abc", "1699999999.x.h", "1700000000.1234_1.h", "1700000000.M5P1.h",
         "1700000000.M000700P9.h", "1700000000.M999P1.h",
         "1700000000.M1000P1.h", "1700000000.M001001P3.h",
         "1700000000.M123456P1.h", "1700000001.M1P1.h"]

# Dovecot lists these and opens none of them; we hide them.
HIDDEN = {"Dangling", "~home"}
# No UTF-8 at all: listed by Dovecot or not, as its own index has it.
OURS = {"Lat&,,0-n"}


def box(path, parts=("cur", "new", "tmp"), mails=("1700000000.M1P1.h",)):
    os.makedirs(path)
    for part in parts:
        os.mkdir(os.path.join(os.fsdecode(path), part))
    for name in mails if "cur" in parts else ():
        with open(f"{os.fsdecode(path)}/cur/{name}:2,S", "w") as f:
            f.write(f"Subject: {name}\n\nbody\n")


def fill(path):
    box(path, mails=())
    for name in ("Good", "Bad&Name", "T&AOQ", "Umlaut\u00fc", "G&APw-t",
                 "with space", "star*", "pct%", "a.b.c", "~home"):
        box(f"{path}/.{name}")
    box(os.fsencode(path) + b"/.Lat\xfcn")
    for name, parts in (("None", ""), ("C", "c"), ("N", "n"), ("T", "t"),
                        ("CN", "cn"), ("CT", "ct"), ("NT", "nt")):
        box(f"{path}/.No{name}", [{"c": "cur", "n": "new", "t": "tmp"}[x]
                                  for x in parts])
    box(path + "-other")
    os.symlink(path + "-other", path + "/.Linked")
    os.symlink("/nonexistent", path + "/.Dangling")
    with open(path + "/.file", "w") as f:
        f.write("x")
    box(path + "/.Ord", mails=ORDER[::-1])


def names(r):
    out = {}
    for line in r.ok('LIST "" *'):
        m = re.match(r'\* LIST \(([^)]*)\) "." "?([^"]*)"?$', line)
        if m:
            out[m[2]] = "\\Noselect" in m[1]
    return {n for n, no in out.items() if not no}


def seen(r, name):
    """What SELECT says, and the subjects in order of UIDs."""
    lines = r.ask('SELECT "%s"' % name)
    if " OK " not in lines[-1]:
        return None
    if not any(re.match(r"\* [1-9]\d* EXISTS", x) for x in lines):
        return []
    text = "".join(r.ok("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (Subject)])"))
    return re.findall(r"UID (\d+) .*?Subject: ([^\r\n]*)", text, re.S)


class Tests:
    def __init__(self, theirs, ours):
        self.theirs, self.ours = theirs, ours
        self.passed = self.failed = 0

    def equal(self, what, got, want):
        if got == want:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED %s: %r, Dovecot %r" % (what, got, want))

    def run(self):
        listed = (names(self.theirs) - HIDDEN) | OURS
        self.equal("LIST", names(self.ours), listed)
        for name in sorted(listed):
            want, got = seen(self.theirs, name), seen(self.ours, name)
            if want is None:            # listed, and cannot be opened
                self.equal(name, got is not None, True)
            else:
                self.equal(name, got, want)
        for name in sorted(HIDDEN | {"file", "nowhere"}):
            self.equal(name, seen(self.ours, name), None)


def main():
    if not os.path.isdir(PEER or "-"):
        print("skipped: no Dovecot in PEER_DOVECOT_ROOT")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    if len(sys.argv) > 1:
        talk.SERVER = sys.argv[1]
    try:
        d = Dovecot()
    except talk.Skip as e:
        print("skipped: %s" % e)
        print("0 passed, 0 failed, 1 skipped")
        return 77
    try:
        fill(d.path("root"))
        d.own("root")
        with talk.Place(prepare=fill) as p:
            t = Tests(d.raw(), p.raw())
            t.run()
    finally:
        d.stop()
        shutil.rmtree(d.root, ignore_errors=True)
    print("%d passed, %d failed" % (t.passed, t.failed))
    return t.failed > 0


if __name__ == "__main__":
    sys.exit(main())
