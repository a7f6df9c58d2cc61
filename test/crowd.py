#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""More at the doors of reading than they have room for: silent connections,
descriptors that run out, and what the log says of who came and went.

    test/crowd.py [SESSIONS]

SESSIONS: how many are held at once (default 1000).  The last line is
"N passed, N failed"."""
import imaplib
import os
import re
import resource
import shutil
import smtplib
import socket
import sys
import tempfile
import time

from harness import Instance, VEREDUS, free_port

UID = os.geteuid() or 2000
SESSIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000


class House:
    """A system whose open files are limited."""

    def __init__(self, soft=None, hard=None, silent="-"):
        self.home = tempfile.mkdtemp(prefix="veredus-mail-")
        os.chown(self.home, UID, UID)
        self.port = {n: free_port() for n in ("imap", "pop")}
        master = (f"{self.port['imap']} inet n - n - {silent} imapd\n"
                  f"{self.port['pop']} inet n - n - {silent} pop3d\n")
        self.inst = Instance(master_cf=master, extra={
            "mailstore_uid": str(UID), "mailstore_home": self.home + "/%n",
            "imapd_client_connection_count_limit": "100000",
            "auth_allow_plaintext": "yes"})
        with open(self.inst.etc + "/passwd", "w") as f:
            f.write("u@example.com:{PLAIN}secret::::::\n")
        program = VEREDUS
        if hard:
            program = os.path.join(self.inst.dir, "limited")
            with open(program, "w") as f:
                f.write(f"#!/bin/sh\nulimit -Sn {soft}\nulimit -Hn {hard}\n"
                        f"exec {os.path.abspath(VEREDUS)} \"$@\"\n")
            os.chmod(program, 0o755)
        self.inst.start(program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inst.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def connect(self, kind="imap", source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port[kind]), 60,
                                        (source, 0))

    def login(self):
        """A session, or None if there is no room for it."""
        s = self.connect()
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"a LOGIN u@example.com secret\r\n")
        if f.readline().startswith(b"a OK"):
            return s, f
        s.close()
        return None


def is_over(s):
    s.settimeout(60)
    try:
        while s.recv(4096):
            continue
    except ConnectionResetError:
        pass
    return True


def test_silent_connections_make_room():
    with House() as h:
        for kind in ("imap", "pop"):
            silent = [h.connect(kind, f"127.0.1.{i % 250 + 1}")
                      for i in range(130)]
            for s in silent:        # those that are cut off hear nothing
                s.settimeout(60)
            if kind == "imap":
                m = imaplib.IMAP4("127.0.0.1", h.port["imap"], timeout=60)
                m.login("u@example.com", "secret")
                assert m.select()[0] == "OK"
            else:
                s = h.connect("pop")
                f = s.makefile("rb")
                f.readline()
                s.sendall(b"USER u@example.com\r\nPASS secret\r\n")
                assert f.readline().startswith(b"+OK")
                assert f.readline().startswith(b"+OK")
            assert is_over(silent[0])   # the oldest went first
            for s in silent:
                s.close()
        h.inst.wait_log(r"disconnect before login from .*: dropped to make "
                        r"room for others \(no auth attempts\): user=<>, "
                        r"rip=127\.0\.1\.1, lip=127\.0\.0\.1")


def test_master_raises_the_limit():
    with House(soft=256, hard=4096) as h:
        for pids in h.inst.role_pids().values():
            for pid in pids:
                with open(f"/proc/{pid}/limits") as f:
                    line = re.search(r"Max open files +(\d+)", f.read())
                assert line[1] == "4096", line[0]


def test_descriptors_run_out():
    with House(soft=300, hard=300) as h:
        before = h.inst.role_pids()
        held = []
        for _ in range(200):
            session = h.login()
            if not session:
                break
            session[0].sendall(b"b SELECT INBOX\r\n")
            while not session[1].readline().startswith(b"b OK"):
                pass
            held.append(session)
        else:
            raise AssertionError("there was room for all of them")
        assert len(held) > 20, len(held)
        h.inst.wait_log(r"postfix/\S+: warning: user=<u@example\.com>, "
                        r"rip=127\.0\.0\.1: refused: no room")
        # who is in goes on
        for s, f in held:
            s.sendall(b"c NOOP\r\n")
            while not f.readline().startswith(b"c OK"):
                pass
        for s, f in held:
            s.close()
            f.close()
        wait_login(h)
        # and the door itself: connections that say nothing
        silent = [h.connect("imap", f"127.0.1.{i % 250 + 1}")
                  for i in range(90)]
        silent += [h.connect("pop", f"127.0.1.{i % 250 + 1}")
                   for i in range(200)]
        wait_login(h)
        for s in silent:
            s.close()
        wait_login(h)
        now = h.inst.role_pids()
        for role, pids in before.items():
            assert now.get(role) == pids, (role, pids, now.get(role))
        assert "panic" not in h.inst.log_text()


def wait_login(h):
    end = time.time() + 60
    while time.time() < end:
        session = h.login()
        if session:
            session[0].close()
            return
        time.sleep(0.05)
    raise AssertionError("no login any more")


def test_the_door_waits_for_descriptors():
    """Without a limit on who has not logged in, files are what is left."""
    with House(soft=300, hard=300, silent="0") as h:
        before = h.inst.role_pids()
        silent = [h.connect("imap", f"127.0.1.{i % 250 + 1}")
                  for i in range(400)]
        h.inst.wait_log(r"no room for more connections: the limit of open",
                        60)
        for s in silent:
            s.close()
        wait_login(h)
        assert h.inst.role_pids()["imapd"] == before["imapd"]


def test_many_sessions():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = SESSIONS + 500
    if limit[0] < need:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (need, max(need, limit[1])))
    with House(soft=1024, hard=max(limit[1], SESSIONS * 4 + 500)) as h:
        held = []
        for i in range(SESSIONS):
            session = h.login()
            assert session, f"no room for session {i}"
            held.append(session)
        for s, f in (held[0], held[-1]):
            s.sendall(b"b SELECT INBOX\r\n")
            while not f.readline().startswith(b"b OK"):
                pass
        for s, f in held:
            s.close()
            f.close()


def test_log_lines():
    with House() as h:
        s = h.connect()
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"a LOGIN u@example.com wrong\r\n")
        assert f.readline().startswith(b"a NO")
        f.close()
        s.close()
        h.inst.wait_log(r"unknown\[127\.0\.0\.1\]: SASL LOGIN authentication "
                        r"failed: .*, sasl_username=u@example\.com")
        h.inst.wait_log(r"disconnect before login from unknown\[127\.0\.0\.1\]"
                        r": connection closed \(auth failed, 1 attempts\): "
                        r"user=<u@example\.com>, rip=127\.0\.0\.1, "
                        r"lip=127\.0\.0\.1")
        m = imaplib.IMAP4("127.0.0.1", h.port["imap"])
        m.login("u@example.com", "secret")
        m.logout()
        h.inst.wait_log(r"logout: user=<u@example\.com>, in=\d+ out=\d+, "
                        r"rip=127\.0\.0\.1: logged out")
        s, f = h.login()
        f.close()
        s.close()
        h.inst.wait_log(r"logout: user=<u@example\.com>, in=\d+ out=\d+, "
                        r"rip=127\.0\.0\.1: connection closed")


def test_a_long_header_takes_little_memory():
    """Measured without sanitizers, which keep what was freed."""
    program = os.path.join(os.path.dirname(__file__), "..", "build/release",
                           "veredus")
    inst = Instance(extra={"local_header_rewrite_clients":
                           "permit_mynetworks",
                           "message_size_limit": "50000000"})
    try:
        inst.start(os.path.abspath(program))
        with smtplib.SMTP("127.0.0.1", inst.smtp_port, timeout=120) as c:
            line = "".join(f"To: user{i}@somewhere.example.org\r\n"
                           for i in range(240000))
            c.sendmail("a@example.com", "postmaster@example.com",
                       "Subject: x\r\n" + line + "\r\nbody\r\n")
        most = 0
        for pid in inst.role_pids()["smtpd"]:
            with open(f"/proc/{pid}/status") as f:
                most = max(most, int(re.search(r"VmHWM:\s+(\d+)",
                                               f.read())[1]))
        assert most < 100000, f"smtpd took {most} KiB"
    finally:
        inst.stop()


def main():
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            passed += 1
        except Exception as e:
            failed += 1
            print(f"FAILED {name}: {type(e).__name__}: {e}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
