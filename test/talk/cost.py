#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the work of a reader costs, and whom it holds up.

Each thing that a sender or a client chooses the size of is given once and
four times as large; the processor time that the server takes for it may grow
eightfold, which is far from the sixteen of a square.  And beside each command
that is long because the mailbox is, a neighbour's NOOP is answered at once.

    test/talk/cost.py [build/release/imap-test-server] [name ...]

The last line is "N passed, N failed".
"""
import glob
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import imap as talk

talk.SERVER = "build/release/imap-test-server"
FLOOR_S = 0.03      # below it a figure is noise
NOOP_MAX_S = 0.5    # ten times what it should be
ROWS = 50000


def cpu(pid):
    """Seconds of processor time of a process, its helper threads included."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e9


# --- growth ------------------------------------------------------------------

def header(lines):
    return "From: a@b.c\n" + "".join(lines) + "\nbody\n"


def parts(n, each=""):
    return ("Content-Type: multipart/mixed; boundary=b\n\n"
            + ("--b\n" + each + "\nx\n") * n + "--b--\n")


def nested(n):
    """n messages with one multipart around the next each."""
    out = [f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n"
           for i in range(n)]
    return "".join(out) + "\nx\n"


# A message of some size, and what is asked of it.
MESSAGES = {
    "to_fields": (4000, lambda n: header([f"To: u{i}@x.org\n"
                                          for i in range(n)]),
                  ["FETCH 1 ENVELOPE", "SEARCH TO nobody"]),
    "to_list": (4000, lambda n: header(["To: ", ",\n ".join(
        f"u{i}@x.org" for i in range(n)), "\n"]), ["FETCH 1 ENVELOPE"]),
    "commas": (100000, lambda n: header(["To: " + "," * n + "\n"]),
               ["FETCH 1 ENVELOPE"]),
    "comments": (100000, lambda n: header(["To: " + "(" * n + "\n"]),
                 ["FETCH 1 ENVELOPE"]),
    "quotes": (50000, lambda n: header(["To: " + '"a" ' * n + "\n"]),
               ["FETCH 1 ENVELOPE"]),
    "groups": (20000, lambda n: header(["To: " + "g:;," * n + "\n"]),
               ["FETCH 1 ENVELOPE"]),
    "all_senders": (3000, lambda n: header(
        [f"{f}: u{i}@x.org\n" for i in range(n)
         for f in ("Sender", "Reply-To", "Cc", "Bcc")]),
        ["FETCH 1 ENVELOPE"]),
    "many_fields": (200000, lambda n: header(["X: y\n"] * n),
                    ["FETCH 1 ENVELOPE", "FETCH 1 BODY.PEEK[HEADER]",
                     "FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]"
                     % " ".join(f"F{i}" for i in range(900)),
                     "SEARCH HEADER X z"]),
    "long_field": (1000000, lambda n: header(["Subject: " + "a " * n + "\n"]),
                   ["FETCH 1 ENVELOPE", "SEARCH SUBJECT b"]),
    "encoded_words": (20000, lambda n: header(
        ["Subject: " + "=?utf-8?q?a?= " * n + "\n"]), ["SEARCH SUBJECT b"]),
    "words_without_end": (20000, lambda n: header(
        ["Subject: " + "=?a?b?x" * n + "\n"]), ["SEARCH SUBJECT b"]),
    "words_without_marks": (40000, lambda n: header(
        ["Subject: " + "=?abc" * n + "\n"]), ["SEARCH SUBJECT b"]),
    "parts": (2000, parts, ["FETCH 1 BODYSTRUCTURE", "SEARCH BODY y"]),
    "parts_past_the_bound": (200000, parts, ["FETCH 1 BODYSTRUCTURE"]),
    "nested": (1000, nested, ["FETCH 1 BODYSTRUCTURE"]),
    "dashes": (500000, lambda n: nested(90) + "--c\n" * n,
               ["FETCH 1 BODYSTRUCTURE"]),
    "parameters": (2000, lambda n: header(
        ["Content-Type: text/plain" + "".join(f"; p{i}=v"
                                              for i in range(n)) + "\n"]),
        ["FETCH 1 BODYSTRUCTURE"]),
    "pieces": (500, lambda n: parts(n, "Content-Type: text/plain" + "".join(
        f"; p*{i}=v" for i in range(150)) + "\n"),
        ["FETCH 1 BODYSTRUCTURE"]),
    "first_pieces": (500, lambda n: parts(
        n, "Content-Type: text/plain" + "; p*0=v" * 150 + "\n"),
        ["FETCH 1 BODYSTRUCTURE"]),
    "base64": (200000, lambda n: "Content-Transfer-Encoding: base64\n\n"
               + "QUJD\n" * n, ["SEARCH BODY zzz", "FETCH 1 BINARY.PEEK[1]",
                                "FETCH 1 BINARY.SIZE[]"]),
    "quoted": (200000, lambda n: "Content-Transfer-Encoding: "
               "quoted-printable\n\n" + "=41= \n" * n,
               ["SEARCH BODY zzz", "FETCH 1 BINARY.PEEK[]"]),
    "quoted_blanks": (1000000, lambda n: "Content-Transfer-Encoding: "
                      "quoted-printable\n\n" + " " * n + "x\n",
                      ["SEARCH BODY zzz"]),
}


def in_pieces(section):
    def ask(r, n):
        size = n * 12
        for at in range(0, size, 16384):
            r.ok(f"FETCH 1 {section}<{at}.16384>")
    return ask


def ranges(template, make):
    def ask(r, n):
        r.ok(template % ",".join(make(i) for i in range(n)))
    return ask


ROWS_FEW = 2000
# What a client asks of a mailbox of ROWS_FEW messages.
COMMANDS = {
    "same_ranges": (8000, ranges("FETCH %s (UID)", lambda i: "1:*")),
    "uid_ranges": (4000, ranges("UID FETCH %s (UID)",
                                lambda i: f"{i + 1}:{i + 3}")),
    "search_ranges": (8000, ranges("SEARCH UNDELETED UID %s",
                                   lambda i: f"{2 * i + 1}")),
    "search_keys": (2000, lambda r, n: r.ok("SEARCH " + " ".join(
        ["UNDELETED"] * n))),
    "search_depth": (2000, lambda r, n: r.ok("SEARCH " + "NOT " * 2 * n
                                             + "ALL")),
    "search_or": (2000, lambda r, n: r.ok("SEARCH " + "OR DELETED " * n
                                          + "ALL")),
    "flags": (10, lambda r, n: [r.ok("STORE 1:* +FLAGS (%s)" % " ".join(
        ["a"] * 60)) for _ in range(n)]),
    "items": (200, lambda r, n: r.ok("FETCH 1:100 (%s)" % " ".join(
        ["ENVELOPE"] * n))),
    "patterns": (100, lambda r, n: r.ok('LIST "" "%s"' % ("*%" * n + "x"))),
}


def grown(ask, small, large):
    """Whether the larger did not cost much more than its size.  The machine
    has others to serve: the best of three."""
    best = None
    for _ in range(3):
        s, l = ask(small), ask(large)
        ratio = l / max(s, FLOOR_S)
        best = min(best or ratio, ratio)
        if best < 8:
            return None
    return "4 times the size cost %.1f times as much (%.2f s)" % (best, l)


def message_cost(make, command):
    def ask(n):
        with talk.Place() as p:
            p.deliver(make(n))
            r = p.raw()
            r.s.settimeout(300)
            r.ok("SELECT INBOX")
            before = cpu(p.process.pid)
            r.ok(command)
            return cpu(p.process.pid) - before
    return ask


def run_messages(only):
    for name, (n, make, commands) in MESSAGES.items():
        for command in commands if not only or name in only else []:
            yield f"{name}: {command[:50]}", grown(
                message_cost(make, command), n, 4 * n)


def pieces_cost(section):
    def ask(n):
        with talk.Place() as p:
            p.deliver("Content-Transfer-Encoding: quoted-printable\n\n"
                      + "0123456789\n" * n)
            r = p.raw()
            r.s.settimeout(300)
            r.ok("SELECT INBOX")
            before = cpu(p.process.pid)
            in_pieces(section)(r, n)
            return cpu(p.process.pid) - before
    return ask


def run_pieces(only):
    if only and "in_pieces" not in only:
        return
    for section in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]",
                    "BINARY.PEEK[]", "BINARY.PEEK[1]"):
        yield f"in_pieces: {section}", grown(pieces_cost(section), 200000,
                                             800000)


def fill(p, n):
    d = os.path.join(p, "cur")
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(p, sub), exist_ok=True)
    text = talk.mail(1)
    first = os.path.join(p, "tmp", "first")
    with open(first, "w") as f:
        f.write(text)
    for i in range(n):
        # links are limited in number where they are
        if i % 1000 == 0 and i:
            os.unlink(first)
            with open(first, "w") as f:
                f.write(text)
        os.link(first, os.path.join(d, f"{1700000000 + i}.M1P1.x:2,"))
    os.unlink(first)


def run_commands(only):
    if only and not set(only) & set(COMMANDS):
        return
    with talk.Place(prepare=lambda path: fill(path, ROWS_FEW)) as p:
        r = p.raw()
        r.s.settimeout(300)
        r.ok("SELECT INBOX")
        for name, (n, ask) in COMMANDS.items():
            def once(size):
                before = cpu(p.process.pid)
                ask(r, size)
                return cpu(p.process.pid) - before
            if not only or name in only:
                yield name, grown(once, n, 4 * n)


# --- complete ----------------------------------------------------------------

def run_complete(only):
    """All of what is long is there, not its beginning."""
    if only and "complete" not in only:
        return
    n = 20000
    with talk.Place() as p:
        p.deliver(header([f"To: u{i}@x.org\n" for i in range(n)]))
        r = p.raw()
        r.s.settimeout(300)
        r.ok("SELECT INBOX")
        found = r.ok("FETCH 1 ENVELOPE")[0].count('"x.org"')
        yield "complete: ENVELOPE", None if found == n else f"{found} of {n}"


# --- neighbours --------------------------------------------------------------

class Neighbour(threading.Thread):
    """Asks NOOP again and again; .worst is the longest wait."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.r = place.raw()
        self.r.s.settimeout(300)
        self.worst, self.n, self.over = 0, 0, False
        self.start()

    def run(self):
        while not self.over:
            start = time.monotonic()
            self.r.ok("NOOP")
            self.worst = max(self.worst, time.monotonic() - start)
            self.n += 1
            time.sleep(0.001)


LONG = [
    ("select", "SELECT INBOX"),
    ("fetch_flags", "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"),
    ("fetch_envelope", "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
    ("search_header", "SEARCH SUBJECT nowhere"),
    ("search_text", "SEARCH TEXT nowhere"),
    ("search_flags", "SEARCH OR DELETED NOT UNDELETED"),
    ("copy", "COPY 1:10000 Copies"),
    ("store", "STORE 1:* +FLAGS (\\Deleted)"),
    ("store_silent", "STORE 1:* +FLAGS.SILENT (\\Seen)"),
    ("move", "MOVE 1:5000 Copies"),
    ("expunge", "EXPUNGE"),
]


def beside(place, name, r, command):
    neighbour = Neighbour(place)
    lines = r.ask(command)
    neighbour.over = True
    neighbour.join()
    if " OK" not in lines[-1]:
        return name, lines[-1]
    if neighbour.worst > NOOP_MAX_S:
        return name, "a neighbour waited %.2f s" % neighbour.worst
    return name, None


def run_neighbours(only):
    if only and "neighbours" not in only:
        return
    with talk.Place(prepare=lambda path: fill(path, ROWS)) as p:
        r = p.raw()
        r.s.settimeout(300)
        r.ok("CREATE Copies")
        for name, command in LONG:
            yield beside(p, f"neighbours: {name}", r, command)
    # and beside messages that are large
    with talk.Place() as p:
        p.deliver(header([f"To: u{i}@x.org\n" for i in range(100000)]))
        p.deliver(parts(9000, "Content-Type: text/plain; a=b\n"))
        p.deliver(nested(90) + "--c\n" * 3000000)
        r = p.raw()
        r.s.settimeout(300)
        r.ok("SELECT INBOX")
        for command in ("FETCH 1:* ENVELOPE", "FETCH 1:* BODYSTRUCTURE",
                        "SEARCH TEXT nowhere", "SEARCH TO nowhere",
                        "FETCH 1:* BINARY.PEEK[]"):
            yield beside(p, f"neighbours, large: {command}", r, command)


def main():
    args = sys.argv[1:]
    if args and os.path.sep in args[0]:
        talk.SERVER = args.pop(0)
    passed = failed = 0
    for run in (run_complete, run_neighbours, run_messages, run_pieces,
                run_commands):
        for name, fault in run(args):
            if fault:
                print(f"FAILED {name}: {fault}")
            passed, failed = passed + (not fault), failed + bool(fault)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
