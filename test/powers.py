#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What each role may do: user ids, capabilities, system calls; tables that
are handed over because a role opens no path.  The last line is
"N passed, N failed"."""
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time

from harness import VEREDUS, Instance, Sink

ROOT = os.geteuid() == 0
# Who keeps root's rights, to become other users.
KEEPS_ROOT = {"spawner", "master"}
# Who may read what only root may, and nothing more: CAP_DAC_READ_SEARCH.
READS_ALL = {"authd", "lookup"}
NO_SECCOMP = {"spawner", "master"}


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def send(inst, to):
    with smtplib.SMTP("127.0.0.1", inst.smtp_port, timeout=20) as s:
        s.sendmail("a@sender.example", [to],
                   "Subject: t\r\nX-Key: k\r\n\r\nx\r\n")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def roles(f):
    """Each role's processes.  deliver's own is the planner, which reads what
    strangers wrote; its child that keeps the right to become other users is
    the spawner."""
    found = f.inst.role_pids()
    found["spawner"] = [c for p in found["deliver"] for c in children(p)]
    return found


class Fixture:
    def __init__(self):
        self.sink = Sink()
        self.inst = Instance(relayhost=f"[127.0.0.1]:{self.sink.port}")
        self.table = os.path.join(self.inst.etc, "virtual")
        with open(os.path.join(self.inst.etc, "main.cf"), "a") as f:
            f.write(f"virtual_alias_maps = hash:{self.table}\n"
                    f"transport_maps = texthash:{self.table}.transport\n")
        with open(self.table + ".transport", "w") as f:
            f.write("discarded.example discard:\n")
        self.write("one@remote.example")
        self.inst.start()

    def write(self, target):
        with open(self.table, "w") as f:
            f.write(f"list@example.com {target}\n")
        subprocess.run([VEREDUS, "postmap", "-c", self.inst.etc,
                        "hash:" + self.table], check=True)

    def close(self):
        self.inst.stop()
        self.sink.close()


def test_user_ids(f):
    for role, pids in roles(f).items():
        for pid in pids:
            s = status(pid)
            uids = set(s["Uid"].split())
            if ROOT and role not in KEEPS_ROOT:
                assert "0" not in uids, (role, uids)
                assert "0" not in s["Gid"].split(), (role, s["Gid"])
                assert s["Groups"].strip() == "", (role, s["Groups"])
                assert int(s["CapEff"], 16) == (
                    1 << 2 if role in READS_ALL else 0), (role, s["CapEff"])


def test_system_calls_are_few(f):
    assert roles(f)["deliver"] and roles(f)["spawner"], roles(f)
    for role, pids in roles(f).items():
        for pid in pids:
            s = status(pid)
            if role in NO_SECCOMP:
                assert s["NoNewPrivs"] == "0", role  # commands may be set-uid
                continue
            assert s["Seccomp"] == "2", (role, s["Seccomp"])
            assert s["NoNewPrivs"] == "1", (role, s["NoNewPrivs"])


def test_open_files_are_those_handed_over(f):
    """smtpd holds sockets, its log and the tables that lookup gave it."""
    send(f.inst, "list@example.com")
    seen = 0
    for pid in f.inst.role_pids()["smtpd"]:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            to = os.readlink(f"/proc/{pid}/fd/{fd}")
            if not to.startswith("/") or to.startswith("/dev/"):
                continue
            seen += 1
            assert to.startswith(f.inst.etc) or to == f.inst.log, to
    assert seen


def test_no_socket_has_two_owners(f):
    """A port's end in a third process would be a way round the walls, and its
    owner's death would not be heard of."""
    owners = {}
    for role, pids in f.inst.role_pids().items():
        for pid in pids if role != "master" else []:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                to = os.readlink(f"/proc/{pid}/fd/{fd}")
                if to.startswith("socket:"):
                    owners.setdefault(to, set()).add(role)
    shared = {to: who for to, who in owners.items() if len(who) > 1}
    assert owners and not shared, shared


def test_tables_are_asked_and_renewed(f):
    send(f.inst, "list@example.com")
    f.inst.wait_log(r"to=<one@remote.example>, orig_to=<list@example.com>")
    f.write("two@remote.example")
    time.sleep(1.5)
    send(f.inst, "list@example.com")
    f.inst.wait_log(r"to=<two@remote.example>, orig_to=<list@example.com>")


def test_the_queue_asks_tables(f):
    send(f.inst, "x@discarded.example")
    f.inst.wait_log(r"to=<x@discarded.example>.*status=sent")


def test_lookup_dies_and_nobody_notices(f):
    for pid in f.inst.role_pids()["lookup"]:
        os.kill(pid, signal.SIGKILL)
    f.write("three@remote.example")
    send(f.inst, "list@example.com")
    time.sleep(1.5)
    send(f.inst, "list@example.com")
    f.inst.wait_log(r"to=<three@remote.example>")


def test_the_program_may_lie_where_only_root_goes(_):
    """And it may be replaced while it runs: roles that start later are still
    the program that their master is."""
    with tempfile.TemporaryDirectory(prefix="veredus-shut-") as shut:
        program = os.path.join(shut, "veredus")
        shutil.copy2(VEREDUS, program)
        inst = Instance()
        try:
            inst.start(program)
            os.remove(program)
            with open(program, "w") as other:
                other.write("#!/bin/false\n")
            os.chmod(program, 0o755)
            before = inst.role_pids()["smtpd"]
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            wait(lambda: set(inst.role_pids().get("smtpd", before))
                 .isdisjoint(before))
            send(inst, "nobody@localhost")
            inst.wait_log(r"to=<nobody@localhost>")
        finally:
            inst.stop()


def wait(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def main():
    passed = failed = 0
    f = Fixture()
    try:
        for name, test in sorted(globals().items()):
            if not name.startswith("test_"):
                continue
            try:
                test(f)
                passed += 1
            except Exception as e:
                failed += 1
                print(f"{name}: {type(e).__name__}: {e}")
    finally:
        f.close()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
