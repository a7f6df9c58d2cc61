#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Damage to the queue's log: what is whole is delivered, what is lost is said,
and the damaged segment is kept.  And what the log does when mail comes faster
than segments are made, or is larger than anything.

The last line is "N passed, N failed".
"""
import glob
import os
import random
import re
import smtplib
import struct
import subprocess
import sys
import threading
import time

from client import Relayed, Server, Site, relay, want
from harness import VEREDUS

TESTS = []
MAGIC = struct.pack("<I", 0x76726473)
BATCH, CHUNK, ENV = 1, 2, 3
PAGE = 4096


def test(fn):
    TESTS.append(fn)
    return fn


def until(condition, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def log_dir(site):
    return os.path.join(site.inst.dir, "queue", "log")


def batches(path):
    """Where the batches of a segment begin, of its newest lap."""
    with open(path, "rb") as f:
        data = f.read()
    generation = data[16:24]
    return [at for at in range(0, len(data), PAGE)
            if data[at:at + 4] == MAGIC and data[at + 16:at + 24] == generation
            and struct.unpack_from("<I", data, at + 12)[0] == BATCH]


def record(path, kind, body=b"", nth=0):
    """The place of the nth record of a kind that holds these bytes."""
    with open(path, "rb") as f:
        data = f.read()
    found = []
    for m in re.finditer(re.escape(MAGIC), data):
        at = m.start()
        if at % 8 or at + 32 > len(data):
            continue
        size, _, k = struct.unpack_from("<III", data, at + 4)
        if k == kind and body in data[at + 32:at + 32 + size]:
            found.append((at, 32 + size))
    return found[nth]


def damage(path, at, what):
    with open(path, "r+b") as f:
        f.seek(at)
        if what is None:
            byte = f.read(1)
            what = bytes([byte[0] ^ 4])
            f.seek(at)
        f.write(what)


class Held:
    """A stopped system with n messages in one segment of its log."""

    def __init__(self, n=40):
        self.server = Server()
        self.n = n
        self.site = Site({"relayhost": relay(self.server),
                          "defer_transports": "smtp relay",
                          "minimal_backoff_time": "1s"})
        self.ids = [self.site.send(f"u{i}@r.example",
                                   body=f"Subject: mail-{i}-\r\n\r\nhi\r\n")
                    for i in range(n)]
        self.restart(lambda: None)
        # as after a crash, but for the second in which it closes itself
        self.site.inst.process.send_signal(15)
        self.site.inst.process.wait(timeout=30)
        used = [p for p in sorted(glob.glob(log_dir(self.site) + "/hot-*"))
                if any(f"mail-{i}-".encode() in open(p, "rb").read()
                       for i in range(n))]
        self.segment = used[0]

    def restart(self, between):
        self.site.inst.process.send_signal(15)
        self.site.inst.process.wait(timeout=30)
        between()
        self.site.inst.start()

    def deliver(self):
        path = self.site.inst.etc + "/main.cf"
        with open(path) as f:
            text = f.read().replace("smtp relay", "")
        with open(path, "w") as f:
            f.write(text)
        self.site.inst.start()
        subprocess.run([VEREDUS, "postqueue", "-c", self.site.inst.etc, "-f"],
                       check=True, timeout=60)

    def came(self):
        """Reports quote the subjects of others: a mail's own stands in the
        first part of its text, and only there."""
        return {int(m.group(1)) for t in list(self.server.texts)
                for head in [t.partition(b"\r\n\r\n")[0]]
                for m in [re.search(rb"Subject: mail-(\d+)-", head)] if m}

    def tool(self, *argv):
        return subprocess.run([VEREDUS, argv[0], *argv[1:]],
                              capture_output=True, text=True, timeout=60)

    def check(self, lost, bounced=()):
        """All but these come, and somebody hears of it."""
        self.deliver()
        want_all = set(range(self.n)) - set(lost)
        assert until(lambda: self.came() >= want_all), \
            (sorted(want_all - self.came()), self.site.inst.log_text()[-3000:])
        assert self.came() == want_all, self.came() - want_all
        etc = self.site.inst.etc
        name = os.path.basename(self.segment)
        self.site.inst.wait_log("error: spool: segment " + name)
        out = self.tool("postqueue", "-c", etc, "-p").stdout
        assert f"log is damaged: segment {name}" in out, out
        out = self.tool("postqueue", "-c", etc, "-j")
        assert f"log is damaged: segment {name}" in out.stderr, out
        out = self.tool("doctor", "--config", etc).stdout
        assert f"log is damaged: segment {name}" in out, out
        for i in bounced:
            self.site.inst.wait_log(f"{self.ids[i]}: to=<u{i}@.*"
                                    "status=bounced.*damaged on the disk")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.site.stop()
        self.server.close()


@test
def a_bit_in_the_middle():
    """Of a text: its sender hears of it, and nobody else is hurt."""
    with Held() as h:
        at, size = record(h.segment, CHUNK, b"mail-11-")
        damage(h.segment, at + size - 2, None)
        h.check([11], [11])
        assert os.path.exists(h.segment) \
            or os.path.exists(log_dir(h.site) + "/damaged-"
                              + os.path.basename(h.segment))


@test
def a_bit_in_an_envelope():
    with Held() as h:
        at, size = record(h.segment, ENV, b"u12")
        damage(h.segment, at + size - 2, None)
        h.check([12])


@test
def a_bit_in_a_batch_head():
    """Of the first one with mail, and of one in the middle: nothing is lost
    but the head itself."""
    with Held() as h:
        found = batches(h.segment)
        damage(h.segment, found[1] + 40, None)
        damage(h.segment, found[len(found) // 2] + 17, None)
        h.check([])


@test
def the_first_page():
    """It begins the lap, and nothing is on it."""
    with Held() as h:
        damage(h.segment, 0, b"\0" * PAGE)
        h.deliver()
        assert until(lambda: len(h.came()) == h.n), h.came()
        h.site.inst.wait_log("its first page cannot be read")


@test
def a_sector_of_zeroes():
    with Held() as h:
        at, _ = record(h.segment, CHUNK, b"mail-20-")
        damage(h.segment, at // 512 * 512, b"\0" * 512)
        h.deliver()
        assert until(lambda: len(h.came()) >= h.n - 5), h.came()
        h.site.inst.wait_log("error: spool: segment")


@test
def the_last_message():
    """The log closes itself: its end is no torn one."""
    with Held(1) as h:
        at, size = record(h.segment, CHUNK, b"mail-0-")
        damage(h.segment, at + size - 2, None)
        h.check([0], [0])


@test
def a_short_segment():
    with Held() as h:
        at, _ = record(h.segment, CHUNK, b"mail-30-")
        os.truncate(h.segment, at // PAGE * PAGE)
        h.deliver()
        assert until(lambda: h.came() >= set(range(25))), h.came()
        h.site.inst.wait_log("error: spool: segment .* bytes instead of")


@test
def a_missing_segment():
    with Held() as h:
        os.rename(h.segment, h.segment + ".taken")
        h.deliver()
        h.site.inst.wait_log("segment hot-.* is missing: mail")
        assert "missing" in h.tool("postqueue", "-c", h.site.inst.etc,
                                   "-p").stdout
        h.site.send("a@r.example")


@test
def nothing_is_said_without_damage():
    """Nor after a torn end."""
    with Held(5) as h:
        h.deliver()
        assert until(lambda: len(h.came()) == 5)
        h.site.send("a@r.example")
        h.site.inst.kill()
        h.site.inst.start()
        assert "damaged" not in h.site.inst.log_text()
        assert not glob.glob(log_dir(h.site) + "/damaged*")


@test
def bursts_are_taken():
    """Mail of 1 MiB that comes faster than it leaves: senders wait."""
    body = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 14500
    with Relayed({"defer_transports": "smtp relay"}) as (site, server):
        faults = []

        def sender():
            try:
                with smtplib.SMTP("127.0.0.1", site.inst.smtp_port,
                                  timeout=300) as s:
                    for i in range(12):
                        s.sendmail("a@r.example", [f"b{i}@r.example"], body)
            except (OSError, smtplib.SMTPException) as e:
                faults.append(e)
        threads = [threading.Thread(target=sender) for _ in range(10)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        assert not faults, faults[:3]


@test
def below_queue_minfree_there_is_no_room():
    """And a line that says so."""
    with Relayed({"defer_transports": "smtp relay", "message_size_limit": "0",
                  "queue_minfree": str(1 << 55)}) as (site, server):
        code = 250
        with smtplib.SMTP("127.0.0.1", site.inst.smtp_port, timeout=60) as s:
            body = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 14500
            for i in range(200):
                try:
                    s.sendmail("a@r.example", ["b@r.example"], body)
                except smtplib.SMTPSenderRefused as e:
                    code = e.smtp_code
                    break
                except smtplib.SMTPDataError as e:
                    code = e.smtp_code
                    break
        assert code == 452, code
        site.inst.wait_log("spool: no room for mail: the disk has less free "
                           "space than queue_minfree asks for")


@test
def nothing_is_put_off_while_segments_turn():
    """Slow deliveries while everything around them is moved and used again."""
    def end(_):
        time.sleep(random.random() / 5)
        return b"250 ok"
    with Relayed({"default_destination_concurrency_limit": "20"},
                 end=end) as (site, server):
        def sender(k):
            size = 900 if k % 2 else 14500
            body = b"Subject: s\r\n\r\n" + (b"x" * 70 + b"\r\n") * size
            with smtplib.SMTP("127.0.0.1", site.inst.smtp_port,
                              timeout=300) as s:
                for i in range(30 if k % 2 else 12):
                    s.sendmail("a@r.example", [f"b{i}@r.example"], body)
        threads = [threading.Thread(target=sender, args=(k,))
                   for k in range(10)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        total = 5 * 30 + 5 * 12
        assert until(lambda: site.inst.log_text().count("status=sent")
                     == total, 200)
        assert "status=deferred" not in site.inst.log_text()


def main():
    failed = 0
    chosen = [t for t in TESTS if not sys.argv[1:]
              or t.__name__ in sys.argv[1:]]
    for fn in chosen:
        try:
            fn()
            print("ok", fn.__name__, flush=True)
        except Exception as e:
            failed += 1
            print("FAILED", fn.__name__, repr(e)[:3000], flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
