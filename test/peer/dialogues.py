#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The dialogues of test/peer/dialogues/*.txt with Dovecot and with us: what
clients depend on must be equal, human words may differ.

    test/peer/dialogues.py [file ...]

A file has accounts of its own on both sides.  Its lines:

    # words                    a comment
    messages hard|none|N       what is in INBOX at first
    COMMAND                    by the first session, without a tag
    2> COMMAND                 by the second session
    ! PATTERN                  our answer to the command above differs from
                               Dovecot's and is meant: it must match
    !2.3 PATTERN               only Dovecot up to 2.3 differs
A command has \\r, \\n, \\t, \\0 and \\xNN in it where it needs them.  Files
whose name begins with "pop3" are in that language.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from dovecot import (PEER, Dovecot, cooked, fill, own_messages, talk,
                     version)

ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}


def unescape(text):
    """Backslashes before other letters stay: they are of IMAP's flags."""
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)
    return re.sub(r"\\([rnt0])", lambda m: ESCAPES[m[1]], text)


class Pop3:
    """A session after login."""
    MANY = ("LIST", "UIDL", "CAPA", "RETR", "TOP", "AUTH")

    def __init__(self, port, user):
        import socket
        self.s = socket.create_connection(("127.0.0.1", port), 20)
        self.f = self.s.makefile("rb")
        self.f.readline()
        for word in ("USER " + user, "PASS pass"):
            self.ask(word)

    def ask(self, command):
        self.s.sendall((command + "\r\n").encode("latin-1"))
        lines = []
        for one in command.split("\r\n"):
            first = self.f.readline().decode("latin-1").rstrip("\r\n")
            lines.append(re.sub(r"^(\+OK|-ERR(?: \[[^]]*\])?)(?! \d).*",
                                r"\1", first))
            words = one.upper().split()
            if not words or words[0] not in self.MANY \
                    or not first.startswith("+OK") \
                    or words[0] in ("LIST", "UIDL") and len(words) > 1:
                continue
            while True:
                line = self.f.readline().decode("latin-1").rstrip("\r\n")
                lines.append(line)
                if line in (".", ""[:0] or "."):
                    break
            if words[0] in ("LIST", "RETR"):
                lines[-1 - lines[::-1].index(".")] = "."
        return [re.sub(r"^(\d+|\+OK \d+) [0-9a-f]{16}$", r"\1 U", l)
                for l in lines]


class Side:
    """Sessions of one server, made when they are first named."""

    def __init__(self, connect):
        self.connect, self.sessions = connect, {}

    def ask(self, number, command):
        if number not in self.sessions:
            self.sessions[number] = self.connect()
        return self.sessions[number].ask(command)


def read_case(path):
    """(messages, [(session, command, pattern or None)])"""
    messages, steps = "none", []
    with open(path) as f:
        for line in f.read().split("\n"):
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("messages "):
                messages = line.split()[1]
            elif m := re.match(r"!((\d+)\.(\d+))? (.*)", line):
                last = (int(m[2]), int(m[3])) if m[1] else version()
                if version() <= last:
                    steps[-1] = steps[-1][:2] + (m[4],)
            else:
                m = re.match(r"(\d)> (.*)", line)
                number, command = (int(m[1]), m[2]) if m else (1, line)
                steps.append((number, unescape(command), None))
    return messages, steps


MORE = r"^\* OK \[(MAILBOXID|HIGHESTMODSEQ)"


def same(theirs, ours):
    """Equal, where what we say beyond them is no difference: identifiers at
    SELECT, codes of refusals."""
    theirs, ours = ([l for l in ls if not re.match(MORE, l)]
                    for ls in (theirs, ours))
    if len(theirs) != len(ours):
        return False
    for a, b in zip(theirs, ours):
        if re.fullmatch(r"(\S+ (NO|BAD)|-ERR)", a):
            b = re.sub(r" \[.*\]$", "", b)
        if a != b:
            return False
    return True


def put(path, messages):
    if messages == "hard":
        fill(path)
    else:
        fill(path, own_messages(0 if messages == "none" else int(messages)))


def compare(path, peer):
    name = os.path.basename(path)[:-4]
    messages, steps = read_case(path)
    put(peer.path(name), messages)
    peer.own(name)
    passed = failed = 0
    with talk.Place(prepare=lambda p: put(p, messages)) as place:
        if name.startswith("pop3"):
            theirs = Side(lambda: Pop3(peer.pop3, name))
            ours = Side(lambda: Pop3(place.pop3, "user"))
            cook = list
        else:
            theirs = Side(lambda: peer.raw(name))
            ours = Side(place.raw)
            cook = cooked
        for number, command, pattern in steps:
            want = cook(theirs.ask(number, command))
            got = cook(ours.ask(number, command))
            if pattern and same(want, got):
                problem = "is no longer different"
            elif pattern:
                problem = "" if re.search(pattern, "\n".join(got), re.M) \
                    else "does not match " + pattern
            else:
                problem = "" if same(want, got) else "differs"
            passed += not problem
            failed += bool(problem)
            if problem:
                show(name, command, problem, want, got)
    return passed, failed


def show(name, command, problem, want, got):
    print(f"--- {name}: {command[:300]!r} {problem}")
    for mark, lines, others in (("theirs", want, got), ("ours", got, want)):
        for line in lines:
            if line not in others or len(want) == len(got) == 1:
                print(f"  {mark}: {line[:500]}")


def main():
    files = sys.argv[1:] or sorted(glob.glob(HERE + "/dialogues/*.txt"))
    if not os.path.exists(PEER + "/usr/sbin/dovecot"):
        print("0 passed, 0 failed, 1 skipped")
        return 0
    try:
        peer = Dovecot()
    except talk.Skip as s:
        print("skipped: %s" % s)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    try:
        for path in files:
            try:
                p, f = compare(path, peer)
            except Exception as e:
                print(f"--- {path}: {type(e).__name__}: {e}")
                p, f = 0, 1
            passed, failed = passed + p, failed + f
    finally:
        peer.stop()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
