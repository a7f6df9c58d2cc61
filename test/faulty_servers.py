#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Servers that are wrong at every stage in every way, over SMTP and LMTP, with
and without PIPELINING, and with connections that are kept: whatever they do,
mail is logged as sent if and only if the server took the whole text and said
so after its end, and none waits under a wrong name.

The last line is "N passed, N failed".
"""
import itertools
import os
import re
import smtplib
import sys
import time

import harness
from faulty import FAULTS, STAGES, FaultyServer

SECONDS = 60
PART = 400          # cases that run side by side
TIMEOUTS = {f"{p}_{name}_timeout": "4s" for p in ("smtp", "lmtp")
            for name in ("mail", "rcpt", "data_init", "data_xfer",
                         "data_done", "rset", "quit")}

# A reply that comes when the end of the text has left already cannot be told
# from the answer to it, nor one too many between the answers of LMTP from the
# next recipient's.
UNPROVABLE = {("DATA", "and-late"), ("end", "and-late")}


class Case:
    """kept: connections are, and the second mail meets the fault."""

    def __init__(self, number, lmtp, offers, kept, stage, fault):
        self.lmtp, self.kept = lmtp, kept
        self.stage, self.fault = stage, fault
        self.domain = f"c{number}.example"
        self.name = "/".join(["lmtp" if lmtp else "smtp",
                              "pipelining" if offers else "in-turn",
                              "kept" if kept else "new", stage, fault])
        self.offers, self.server = offers, None
        self.n_mails = 3 if kept else 1

    def listen(self):
        self.server = FaultyServer(self.stage, self.fault, self.lmtp,
                                   self.offers,
                                   times=1 if self.kept else 10**9,
                                   skip=1 if self.kept else 0)

    def hop(self):
        transport = ("lmtp" if self.lmtp else "smtp") + \
            ("kept" if self.kept else "")
        inet = "inet:" if self.lmtp else ""
        return f"{transport}:{inet}[127.0.0.1]:{self.server.port}"


def cases(wanted):
    ways = itertools.product((False, True), ((), ("PIPELINING",)),
                             (False, True), STAGES, FAULTS)
    found = [Case(i, *way) for i, way in enumerate(ways)
             if way[3:] not in UNPROVABLE
             and not (way[2] and way[3] in ("RSET", "QUIT"))]
    return [c for c in found
            if not wanted or any(w in c.name for w in wanted)]


MASTER = """\
smtpkept  unix  - - n - -   smtp
    -o smtp_connection_cache_on_demand=yes
lmtpkept  unix  - - n - -   lmtp
    -o lmtp_connection_cache_on_demand=yes
"""


def system(found):
    inst = harness.Instance(extra={
        "smtp_connection_cache_on_demand": "no",
        "lmtp_connection_cache_on_demand": "no",
        "bounce_queue_lifetime": "0", "notify_classes": "",
        "smtp_helo_timeout": "4s", "lmtp_lhlo_timeout": "4s",
        "default_destination_concurrency_limit": "1",
        **TIMEOUTS}, master_cf=MASTER)
    table = os.path.join(inst.etc, "transport")
    with open(table, "w") as f:
        f.writelines(f"{c.domain} {c.hop()}\n" for c in found)
    with open(os.path.join(inst.etc, "main.cf"), "a") as f:
        f.write(f"transport_maps = texthash:{table}\n")
    inst.start()
    return inst


TEXT = "Subject: x\r\n\r\nthe end\r\n"
LINE = re.compile(r": to=<(\w+)@(c\d+\.example)>, relay=.*, dsn=(\S+), "
                  r"status=(\S+) \((.*)\)$", re.M)


def rcpts(c, i):
    """LMTP has an answer for each."""
    return [f"u{i}@{c.domain}"] + ([f"v{i}@{c.domain}"] if c.lmtp else [])


def send(inst, found):
    """A mail to each, then the next, so that one connection sees them all."""
    with smtplib.SMTP("127.0.0.1", inst.smtp_port, timeout=100) as s:
        for i in range(3):
            for c in found:
                if i < c.n_mails:
                    s.sendmail("<>", rcpts(c, i), TEXT)
            wait(inst, found, i + 1)


def wait(inst, found, n):
    """Until each recipient of n mails has its line."""
    want = sum(len(rcpts(c, i)) for c in found
               for i in range(min(n, c.n_mails)))
    end = time.time() + SECONDS
    while time.time() < end:
        if len({m[:2] for m in LINE.findall(inst.log_text())}) >= want:
            return
        time.sleep(0.1)


def judge(c, lines):
    """What is wrong with a case, or None."""
    taken = [to for to, text in c.server.taken
             if text.endswith(b"the end\r\n")]
    sent = [f"{m[0]}@{m[1]}" for m in lines if m[3] == "sent"]
    if len(taken) != len(c.server.taken):
        return "it took half a text"
    for i in range(c.n_mails):
        for to in rcpts(c, i):
            n = len([m for m in lines if f"{m[0]}@{m[1]}" == to])
            if n != 1:
                return f"{to} has {n} lines"
            if to in sent and to not in taken:
                return f"{to} was logged as sent and is not there"
            if to in taken and to not in sent and not honest(c, to, lines):
                return f"{to} was taken and is not logged as sent"
            if taken.count(to) > 1:
                return f"{to} came {taken.count(to)} times"
    for m in lines:
        if named_wrongly(c, m[4]):
            return "a wrong name: " + m[4]
    # what went wrong between two mails is nobody's fault
    failed = [m[4] for m in lines if m[3] != "sent"
              and not m[4].startswith("delivery temporarily suspended")]
    if c.kept and len(failed) > (0 if c.stage == "idle" else 1 + c.lmtp):
        return f"{len(failed)} of {len(lines)} failed: {failed}"
    return None


def honest(c, to, lines):
    """Taken, and we could not know: the answer was no answer."""
    if c.lmtp and (c.stage, c.fault) in (("end", "and-550"),
                                         ("end", "and-421")):
        return True
    text = next(m[4] for m in lines if f"{m[0]}@{m[1]}" == to)
    return c.stage in ("end", "idle", "DATA", "RCPT") and \
        re.search("Protocol error|timed out|lost connection", text)


SPOKE = re.compile(r"^(?:\d\d|\d{4}|letters|empty|blank|tab)$|"
                   r"^(?:[013]\d\d|[6-9]\d\d)$")


def named_wrongly(c, text):
    """Who answers nonsense did not lose the connection."""
    return SPOKE.match(c.fault) and c.stage not in ("idle", "QUIT", "RSET") \
        and re.match("lost connection", text)


def main():
    found = cases(sys.argv[1:])
    failed = 0
    for at in range(0, len(found), PART):
        part = found[at:at + PART]
        for c in part:
            c.listen()
        inst = system(part)
        try:
            send(inst, part)
            lines = LINE.findall(inst.log_text())
        finally:
            inst.stop()
        for c in part:
            c.server.close()
            bad = judge(c, [m for m in lines if m[1] == c.domain])
            if bad:
                failed += 1
                print(f"{c.name}: {bad}")
                if len(sys.argv) > 1:
                    print("\n".join(map(repr, c.server.transcript[-60:])))
                    print("\n".join(" ".join(m) for m in lines
                                    if m[1] == c.domain))
    print(f"{len(found) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
