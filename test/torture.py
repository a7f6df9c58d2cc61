#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Torture: kill -9 of roles, and of everything, at random moments under load.

Every message that was answered 250 must arrive at the sink; duplicates are
counted and bounded.  The last line is "N passed, N failed".

usage: torture.py [KILLS [SEED]]
"""
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import Instance, Sink, free_port

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
SENDERS = 8


class Sender(threading.Thread):
    """Sends numbered messages, and keeps the numbers that were accepted."""

    def __init__(self, number, port):
        super().__init__(daemon=True)
        self.number = number
        self.port = port
        self.accepted = []
        self.tried = 0
        self.stop = False

    def say(self, f, line, want):
        f.write(line)
        f.flush()
        reply = f.readline()
        while reply[3:4] == b"-":
            reply = f.readline()
        if not reply.startswith(want):
            raise OSError(reply)
        return reply

    def session(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        f = s.makefile("rwb")
        try:
            if not f.readline().startswith(b"220"):
                return
            self.say(f, b"EHLO torture.example\r\n", b"250")
            for _ in range(50):
                if self.stop:
                    break
                self.tried += 1
                key = f"k{self.number}-{self.tried}"
                self.say(f, b"MAIL FROM:<a@sender.example>\r\n", b"250")
                self.say(f, b"RCPT TO:<b@remote.example>\r\n", b"250")
                self.say(f, b"DATA\r\n", b"354")
                body = "x" * random.randrange(0, 9000)
                self.say(f, f"Subject: t\r\nX-Key: {key}\r\n\r\n{body}\r\n"
                         ".\r\n".encode(), b"250")
                self.accepted.append(key)
        finally:
            f.close()
            s.close()

    def run(self):
        while not self.stop:
            try:
                self.session()
            except OSError:
                time.sleep(0.05)


def victims(instance, everything):
    pids = instance.role_pids()
    if everything:
        return list(pids.values()) and [p for ps in pids.values() for p in ps]
    role = random.choice([r for r in pids if r != "master"])
    return [random.choice(pids[role])]


def main():
    random.seed(SEED)
    sink = Sink()
    inst = Instance(relayhost=f"[127.0.0.1]:{sink.port}",
                    extra={"minimal_backoff_time": "1s",
                           "maximal_backoff_time": "2s",
                           "queue_run_delay": "1s"})
    inst.start()
    senders = [Sender(i, inst.smtp_port) for i in range(SENDERS)]
    for s in senders:
        s.start()
    for n in range(KILLS):
        time.sleep(random.uniform(0.05, 0.5))
        everything = n % 6 == 5
        for pid in victims(inst, everything):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if everything:
            inst.kill()
            inst.start()
        else:
            inst.wait_ready()
    time.sleep(1)
    for s in senders:
        s.stop = True
    for s in senders:
        s.join(timeout=30)
    accepted = [k for s in senders for k in s.accepted]
    deadline = time.time() + 60
    while time.time() < deadline:
        if set(accepted) <= set(sink.keys):
            break
        time.sleep(0.2)
    missing = set(accepted) - set(sink.keys)
    duplicates = len(sink.keys) - len(set(sink.keys))
    inst.stop()
    bound = KILLS * 200
    print(f"seed {SEED}: {KILLS} kills, {len(accepted)} accepted, "
          f"{len(sink.keys)} arrived, {duplicates} duplicates, "
          f"{len(missing)} missing")
    ok = not missing and duplicates <= bound and len(accepted) > KILLS
    if missing:
        print("missing:", sorted(missing)[:10], inst.dir)
    print("1 passed, 0 failed" if ok else "0 passed, 1 failed")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
