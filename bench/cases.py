# SPDX-License-Identifier: ISC
"""What is measured.  A case runs one system once and returns its figures."""
import os
import subprocess
import time

import directory
import idle
import load
import secure
from secure import Figure
from systems import Postfix, Veredus

IDLE_S = 12     # until idle stacks and buffers have been given back
SIDES = {"veredus": Veredus, "peer": Postfix}


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


class Virtual:
    """Into 100 Maildirs: until the last file lies in a new/ directory."""
    peer = "Postfix"
    name, title = "virtual", "Virtual Maildir delivery, 100 mailboxes, 4 KiB"
    figures = [rate("5"), cpu()]
    n = {"veredus": 10000, "peer": 4000}

    def run(self, side):
        system = SIDES[side](
            virtual_mailbox_domains="boxes.example",
            virtual_mailbox_base="/", virtual_mailbox_limit="0",
            virtual_uid_maps="static:2000", virtual_gid_maps="static:2000",
            virtual_minimum_uid="100")
        boxes = system.path("boxes")
        try:
            self.tables(system, boxes)
            system.start()
            n = self.n[side]
            self.deliver(system, boxes, 200, 0)
            before, start = system.cpu(), time.monotonic()
            self.deliver(system, boxes, n, 200)
            seconds = time.monotonic() - start
            return {"rate": n / seconds,
                    "cpu_us": (system.cpu() - before) * 1e6 / n}
        finally:
            system.close()

    @staticmethod
    def tables(system, boxes):
        """smtp-source numbers its recipients: the last two digits choose."""
        os.mkdir(boxes)
        os.chown(boxes, 2000, 2000)
        with open(system.etc + "/main.cf", "a") as f:
            f.write(f"virtual_alias_maps = regexp:{system.etc}/alias\n"
                    f"virtual_mailbox_maps = texthash:{system.etc}/box\n")
        with open(system.etc + "/alias", "w") as f:
            f.write("/^[0-9]*([0-9][0-9])u@numbered\\.example$/ "
                    "b$1@boxes.example\n"
                    "/^([0-9])u@numbered\\.example$/ b0$1@boxes.example\n")
        with open(system.etc + "/main.cf", "a") as f:
            f.write("virtual_alias_domains = numbered.example\n")
        with open(system.etc + "/box", "w") as f:
            for i in range(100):
                f.write(f"b{i:02}@boxes.example {boxes}/{i:02}/\n")

    @staticmethod
    def arrived(boxes):
        total = 0
        for box in os.listdir(boxes):
            try:
                total += len(os.listdir(f"{boxes}/{box}/new"))
            except FileNotFoundError:
                pass
        return total

    def deliver(self, system, boxes, n, there):
        load.source(system.smtp, n, 20, to="u@numbered.example",
                    numbered=True).wait()
        for _ in range(6000):
            if self.arrived(boxes) >= there + n:
                return
            time.sleep(0.05)
        raise RuntimeError("mail is missing")


class Single:
    """One session, one message at a time."""
    peer = "Postfix"
    name, title = "single", "One session, one message at a time, 4 KiB"
    figures = [rate("2"), Figure("p50_us", "reply to the final dot, p50, us"),
               Figure("p99_us", "p99, us", "1")]
    n = {"veredus": 3000, "peer": 1500}

    def run(self, side):
        warm, n = 300, self.n[side]
        sink = load.Sink(warm + n)
        system = SIDES[side](relayhost=f"[127.0.0.1]:{sink.port}")
        text, times = load.text(4096), []
        try:
            system.start()
            client = load.Client(system.smtp)
            for i in range(warm + n):
                if i == warm:
                    start = time.monotonic()
                times.append(client.send(text))
            seconds = time.monotonic() - start
            client.close()
            times = sorted(times[warm:])
            return {"rate": n / seconds, "p50_us": times[n // 2] * 1e6,
                    "p99_us": times[n * 99 // 100] * 1e6}
        finally:
            sink.close()
            system.close()


class IdleSmtp:
    peer = "Postfix"
    name, title = "idle-smtp", "1,000 idle SMTP sessions"
    figures = [Figure("kib", "KiB a session, all processes (PSS)",
                      "at most 12 KiB")]

    def run(self, side):
        system = SIDES[side](default_process_limit=1100)
        clients = []
        try:
            system.start()
            load.Client(system.smtp).close()
            time.sleep(1)
            before = system.memory_kb()
            clients = [load.Client(system.smtp) for _ in range(1000)]
            time.sleep(IDLE_S)
            return {"kib": (system.memory_kb() - before) / 1000}
        finally:
            for c in clients:
                c.close()
            system.close()


class Deferred:
    """A queue of mail that nobody takes."""
    peer = "Postfix"
    name, title = "deferred", "50,000 deferred messages"
    figures = [Figure("mailq_s", "mailq, s", "5"),
               Figure("restart_s", "start to the first 220, s", "under 1 s")]
    n = 50000

    def run(self, side):
        system = SIDES[side](relayhost="[127.0.0.1]:1",
                             minimal_backoff_time="1h", queue_run_delay="1h")
        try:
            system.start()
            load.source(system.smtp, self.n, 20, size=1000).wait()
            self.settle(system)
            start = time.monotonic()
            lines = self.mailq(system)
            mailq_s = time.monotonic() - start
            if f" {self.n} Requests" not in lines[-200:]:
                raise RuntimeError("mailq: " + lines[-200:])
            system.stop()
            start = time.monotonic()
            system.start()
            system.wait_port()
            return {"mailq_s": mailq_s,
                    "restart_s": time.monotonic() - start}
        finally:
            system.close()

    @staticmethod
    def mailq(system):
        return subprocess.run(system.tool("postqueue", "-p"),
                              env=system.environment(), capture_output=True,
                              text=True).stdout

    @staticmethod
    def settle(system):
        """Until all first tries have failed: the CPU rests."""
        quiet, last = 0, -1.0
        while quiet < 4:
            time.sleep(0.5)
            now = system.cpu()
            quiet = quiet + 1 if now - last < 0.02 else 0
            last = now


ALL = [
    Relay("relay-20", 20, 40000, True, ("8", "12"), 5000),
    Relay("relay-100", 100, 40000, True, ("8", "12"), 5000),
    Relay("relay-new", 20, 20000, False, ("5", "10"), 4000),
    Accept(), Virtual(), Single(), IdleSmtp(), Deferred(),
    *idle.ALL, *secure.ALL, *directory.ALL,
]
