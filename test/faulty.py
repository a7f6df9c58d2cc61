# SPDX-License-Identifier: ISC
"""SMTP and LMTP servers that are wrong at one stage in one way, and a ledger
of what they really took: a library of the tests of the client.

A stage is a verb (EHLO stands for LHLO too), "greeting", "end" (the answer to
the text) or "idle" (after that answer).  A fault says what is written where
one reply belongs, see FAULTS.  The ledger knows a message as taken only when
its whole text came and a reply of 2xx was written for it after that.
"""
import os
import re
import socket
import threading
import time

STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end", "idle", "RSET",
          "QUIT")
GOOD = {"greeting": b"220 fake.example ESMTP", "DATA": b"354 go on",
        "MAIL": b"250 2.1.0 sender ok", "RCPT": b"250 2.1.5 recipient ok",
        "end": b"250 2.0.0 taken", "idle": b"", "RSET": b"250 2.0.0 reset",
        "QUIT": b"221 2.0.0 bye"}


class Gone(Exception):
    """The server hangs up."""


def alone(line):
    """Another reply in the right one's place."""
    return lambda server, good: [line]


def closing(line=b""):
    """The last words, then the end."""
    return lambda server, good: ([line] if line else []) + [None]


def late(server, good):
    return [good, 0.15, b"250 2.0.0 one more"]


def early(server, good):
    """Before it is asked: with the answer to what came before."""
    server.ahead = True
    return [good]


FAULTS = {
    "missing": lambda server, good: [],
    "twice": lambda server, good: [good, good],
    "and-250": lambda server, good: [good, b"250 2.0.0 one more"],
    "and-550": lambda server, good: [good, b"550 5.0.0 one more"],
    "and-354": lambda server, good: [good, b"354 one more"],
    "and-421": lambda server, good: [good, b"421 4.3.2 closing"],
    "and-421-end": lambda server, good: [good, b"421 4.3.2 closing", None],
    "and-late": late,
    "and-junk": lambda server, good: [good, b"what is this"],
    "early": early,
    "250": alone(b"250 2.0.0 fine"),
    "251": alone(b"251 2.0.0 fine"),
    "220": alone(b"220 2.0.0 fine"),
    "334": alone(b"334 "),
    "354": alone(b"354 go on"),
    "399": alone(b"399 go on"),
    "421": alone(b"421 4.3.2 closing down"),
    "421-end": closing(b"421 4.3.2 closing down"),
    "450": alone(b"450 4.2.1 later"),
    "550": alone(b"550 5.1.1 never"),
    "550-2.0.0": alone(b"550 2.0.0 never"),
    "250-5.1.1": alone(b"250 5.1.1 fine"),
    "450-5.1.1": alone(b"450 5.1.1 later"),
    "550-4.2.1": alone(b"550 4.2.1 never"),
    "550-5.1.1.1": alone(b"550 5.1.1.1 never"),
    "550-5.1.1-alone": alone(b"550 5.1.1"),
    "000": alone(b"000 nothing"),
    "100": alone(b"100 go on"),
    "199": alone(b"199 wait"),
    "600": alone(b"600 what"),
    "999": alone(b"999 what"),
    "25": alone(b"25 fine"),
    "2500": alone(b"2500 fine"),
    "letters": alone(b"OK fine"),
    "empty": alone(b""),
    "blank": alone(b" 250 fine"),
    "tab": alone(b"250\tfine"),
    "bare": lambda server, good: [good[:3]],
    "mixed": alone(b"250-fine\r\n550 5.0.0 not at all"),
    "mixed-up": alone(b"550-5.0.0 not at all\r\n250 fine"),
    "junk-inside": alone(b"250-fine\r\nwhat\r\n250 fine"),
    "never-ends": closing(b"250-fine"),
    "line-5000": lambda server, good: [good + b"x" * 5000],
    "line-100000": lambda server, good: [good + b"x" * 100000],
    "lines-600": lambda server, good: [
        (good[:3] + b"-" + good[4:] + b"\r\n") * 600 + good],
    "nul": lambda server, good: [good + b"\0\1\x7f\xff"],
    "split": lambda server, good: ["slowly", good],
    "lf": lambda server, good: ["lf", good],
    "closing": closing(),
    "half": lambda server, good: ["raw", good[:2], None],
    "half-line": lambda server, good: ["raw", good[:-1], None],
}
NEVER_GOOD = {  # where the same words are right
    ("250", "MAIL"), ("250", "RCPT"), ("250", "EHLO"), ("250", "end"),
    ("354", "DATA"), ("220", "greeting"), ("251", "RCPT"),
}


class FaultyServer:
    """times: how often the stage goes wrong, the first of all connections
    first; the ones before are skip.  offers: PIPELINING or nothing."""

    def __init__(self, stage="", fault="", lmtp=False, offers=("PIPELINING",),
                 times=10**9, skip=0, greeting_waits=False):
        self.stage, self.fault, self.lmtp = stage, fault, lmtp
        self.offers, self.times, self.skip = offers, times, skip
        self.taken = []         # (recipient, text)
        self.transcript = []
        self.sessions = 0
        self.ahead = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,),
                             daemon=True).start()

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def serve(self, s):
        self.sessions += 1
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(60)
        try:
            Session(self, s).run()
        except (OSError, Gone):
            pass
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        s.close()

    def goes_wrong(self, stage):
        if stage != self.stage:
            return False
        with self.lock:
            if self.skip > 0:
                self.skip -= 1
                return False
            self.times -= 1
            return self.times >= 0


class Session:
    def __init__(self, server, s):
        self.server, self.s = server, s
        self.f = s.makefile("rb")
        self.rcpts, self.ahead, self.gone = [], None, False

    def hello(self):
        words = ["fake.example"] + list(self.server.offers)
        return "\r\n".join("250%s%s" % (" " if i == len(words) - 1 else "-", w)
                           for i, w in enumerate(words)).encode()

    def put(self, stage, good=None):
        """The reply of a stage, or what stands for it; whether it was a 2xx
        and nothing else."""
        good = good or (self.hello() if stage == "EHLO" else GOOD[stage])
        if self.ahead == stage:
            self.ahead = None
            return self.code_of(good)
        items = [good] if good else []
        if self.server.goes_wrong(stage):
            items = FAULTS[self.server.fault](self.server, good)
        out, raw, end = b"", False, b"\r\n"
        for item in items:
            if item == "raw":
                raw = True
            elif item == "lf":
                end = b"\n"
            elif item == "slowly":
                for byte in good + b"\r\n":
                    self.write(bytes([byte]))
                    time.sleep(0.002)
                return self.code_of(good)
            elif item is None:
                self.write(out)
                self.gone = True
                break
            elif isinstance(item, float):
                self.write(out)
                out = b""
                time.sleep(item)
            elif item or stage != "idle":
                out += item if raw else item + end
        if self.gone:
            return self.code_of(out)
        out += self.before(stage)
        self.write(out)
        return self.code_of(out)

    def before(self, stage):
        """The reply to what comes next, when that is what goes wrong."""
        order = {"greeting": "EHLO", "EHLO": "MAIL", "MAIL": "RCPT",
                 "RCPT": "DATA", "DATA": "end", "end": "MAIL"}
        after = order.get(stage)
        if self.server.fault != "early" or after != self.server.stage or \
                not self.server.goes_wrong(after):
            return b""
        self.ahead = after
        return (self.hello() if after == "EHLO" else GOOD[after]) + b"\r\n"

    @staticmethod
    def code_of(out):
        """Of the first reply's last line, if it is one."""
        for line in out.split(b"\r\n"):
            m = re.match(rb"(\d\d\d)(?: |$)", line)
            if m:
                return int(m.group(1))
        return 0

    def write(self, out):
        if self.gone:
            raise Gone
        if out:
            self.server.transcript.append(b"S: " + out[:300])
            self.s.sendall(out)

    def run(self):
        self.put("greeting")
        while not self.gone and (line := self.f.readline()):
            self.server.transcript.append(b"C: " + line[:300])
            verb = line.strip().split(b" ")[0].upper().decode("latin-1")
            if verb in ("EHLO", "LHLO", "HELO"):
                self.put("EHLO")
            elif verb == "MAIL":
                self.rcpts = []
                self.put("MAIL")
            elif verb == "RCPT":
                if 200 <= self.put("RCPT") < 300:
                    self.rcpts.append(
                        re.search(rb"<(.*)>", line).group(1).decode())
            elif verb == "DATA":
                self.on_data()
            elif verb == "RSET":
                self.rcpts = []
                self.put("RSET")
            elif verb == "QUIT":
                self.put("QUIT")
                return
            else:
                self.write(b"500 5.5.2 what?\r\n")

    def on_data(self):
        if not self.rcpts:
            self.write(b"503 5.5.1 no recipients\r\n")
            return
        if self.put("DATA") // 100 != 3 or self.gone:
            return
        text = self.text()
        if self.server.lmtp:
            for to in self.rcpts:
                if self.put("end") // 100 == 2:
                    self.server.taken.append((to, text))
        elif self.put("end") // 100 == 2:
            self.server.taken += [(to, text) for to in self.rcpts]
        self.rcpts = []
        self.put("idle")

    def text(self):
        lines = []
        while line := self.f.readline():
            if line == b".\r\n":
                self.server.transcript.append(b"C: (text)\n")
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)
        raise Gone
