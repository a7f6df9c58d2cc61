# SPDX-License-Identifier: ISC
"""The load: Postfix' smtp-source and smtp-sink, the same for both systems,
and a client of our own where the time of single messages is the question."""
import os
import socket
import subprocess
import time

from systems import PEER, PEER_ENV, free_port

SOURCE = PEER + "/usr/sbin/smtp-source"
SINK = PEER + "/usr/sbin/smtp-sink"


class Sink:
    """smtp-sink on a port; wait() waits until n messages came."""

    def __init__(self, n, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [SINK, "-u", "daemon", "-M", str(n),
             f"127.0.0.1:{self.port}", "1000"],
            env=PEER_ENV, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("smtp-sink does not answer")

    def wait(self, seconds):
        self.process.wait(timeout=seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def source(port, n, sessions, size=4096, keep=True, to="u@remote.example",
           numbered=False):
    """Starts smtp-source: n messages over so many sessions, which are kept
    open or made anew for each message.  numbered: recipients 1to, 2to ..."""
    argv = [SOURCE, "-s", str(sessions), "-m", str(n), "-l", str(size),
            "-f", "a@sender.example", "-t", to]
    if keep:
        argv.append("-d")
    if numbered:
        argv += ["-N"]
    argv.append(f"127.0.0.1:{port}")
    return subprocess.Popen(argv, env=PEER_ENV, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


class Client:
    """One session, one command at a time."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")
        self.reply()
        self.say(b"EHLO bench.example\r\n")

    def reply(self):
        while True:
            line = self.f.readline()
            if line[3:4] != b"-":
                return line

    def say(self, line):
        self.s.sendall(line)
        r = self.reply()
        if r[:1] not in b"23":
            raise RuntimeError(r.decode())

    def send(self, text, to=b"u@remote.example"):
        """The seconds between the final dot and its reply."""
        self.say(b"MAIL FROM:<a@sender.example>\r\n")
        self.say(b"RCPT TO:<" + to + b">\r\n")
        self.say(b"DATA\r\n")
        start = time.monotonic()
        self.say(text + b"\r\n.\r\n")
        return time.monotonic() - start

    def close(self):
        self.s.close()


def text(size):
    head = b"From: a@sender.example\r\nSubject: bench\r\n\r\n"
    return head + (b"x" * 70 + b"\r\n") * ((size - len(head)) // 72)
