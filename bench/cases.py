# SPDX-License-Identifier: ISC
"""What is measured.  A case runs one system once and returns its figures."""
import os
import shutil
import socket
import subprocess
import time

import load
from systems import Postfix, Veredus

SIDES = {"veredus": Veredus, "peer": Postfix}


class Figure:
    def __init__(self, key, words, wanted="", more_is_better=False):
        self.key, self.words, self.wanted = key, words, wanted
        self.more_is_better = more_is_better


def rate(wanted=""):
    return Figure("rate", "messages a second", wanted, True)


def cpu(wanted=""):
    return Figure("cpu_us", "CPU a message, us", wanted)


def warm_up(system, sessions):
    """Processes are started and segments made before the clock runs."""
    load.source(system.smtp, 40 * sessions, sessions).wait()


class Relay:
    """In by SMTP, out by SMTP, until the sink has the last message."""
    peer = "Postfix"

    def __init__(self, name, sessions, n, keep, wanted, n_peer):
        how = "kept open" if keep else "one for each message"
        self.name = name
        self.title = f"Relay, 4 KiB, {sessions} sessions, {how}"
        self.sessions, self.keep = sessions, keep
        self.n = {"veredus": n, "peer": n_peer}
        self.figures = [rate(wanted[0]), cpu(wanted[1])]

    def run(self, side):
        n, warm = self.n[side], 20 * self.sessions
        first = load.Sink(warm)
        system = SIDES[side](relayhost=f"[127.0.0.1]:{first.port}")
        second = None
        try:
            system.start()
            load.source(system.smtp, warm, self.sessions).wait()
            first.wait(120)
            time.sleep(0.5)
            second = load.Sink(n, first.port)
            before, start = system.cpu(), time.monotonic()
            load.source(system.smtp, n, self.sessions, keep=self.keep).wait()
            second.wait(300)
            seconds = time.monotonic() - start
            used = system.cpu() - before
            return {"rate": n / seconds, "cpu_us": used * 1e6 / n}
        finally:
            first.close()
            if second:
                second.close()
            system.close()


class Accept:
    """Mail is taken and held; nothing is delivered."""
    peer = "Postfix"
    name, title = "accept", "Accept only (held), 4 KiB, 20 sessions"
    figures = [rate("8"), cpu()]
    n = {"veredus": 40000, "peer": 6000}

    def run(self, side):
        system = SIDES[side](smtpd_sender_restrictions="static:HOLD",
                             relayhost="[127.0.0.1]:9")
        try:
            system.start()
            warm_up(system, 20)
            n = self.n[side]
            before, start = system.cpu(), time.monotonic()
            load.source(system.smtp, n, 20).wait()
            seconds = time.monotonic() - start
            return {"rate": n / seconds,
                    "cpu_us": (system.cpu() - before) * 1e6 / n}
        finally:
            system.close()


ALL = [
    Relay("relay-20", 20, 40000, True, ("8", "12"), 5000),
    Relay("relay-100", 100, 40000, True, ("8", "12"), 5000),
    Relay("relay-new", 20, 20000, False, ("5", "10"), 4000),
    Accept(),
]
