#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What earlier releases wrote is opened and goes on: each archive in
test/history (test/history/make made them) holds a configuration, a directory
of users, mailboxes with their indexes and a queue with mail in every state, as
that release left them when the power went.  Nothing may be missing and
nothing may have changed its name: messages, recipients, UIDs, flags, dates,
users, aliases.  The last line is "N passed, N failed[, N skipped]"."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback

from harness import VEREDUS, Sink, free_base
from history_boxes import look_at_boxes

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "history")
PORTS = (25, 587, 465, 143, 993, 110, 995)


class Old:
    """What a release left, unpacked and run by today's program."""

    def __init__(self, archive):
        self.top = tempfile.mkdtemp(prefix="veredus-old-")
        os.chmod(self.top, 0o755)
        with tarfile.open(archive) as tar:
            tar.extractall(self.top, numeric_owner=True)
        with open(self.top + "/manifest.json") as f:
            self.manifest = json.load(f)
        self.dir = self.top + "/system"
        self.base = free_base()
        self.sink = Sink()
        for path in glob.glob(self.dir + "/**/*.cf", recursive=True):
            self.fill(path)

    def fill(self, path):
        with open(path) as f:
            text = f.read()
        for p in PORTS:
            text = text.replace(f"@PORT{p}@", str(self.base + p))
        text = text.replace("@DIR@", self.dir)
        text = text.replace("@SINK@", str(self.sink.port))
        with open(path, "w") as f:
            f.write(text)

    def run(self, *words):
        done = subprocess.run([VEREDUS, *words], text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def queue(self):
        """queue id -> name of the queue, recipients that are owed."""
        lines = self.run("postqueue", "-c", self.dir, "-j").splitlines()
        return {m["queue_id"]: (m["queue_name"],
                                sorted(r["address"] for r in m["recipients"]))
                for m in map(json.loads, lines)}

    def log(self):
        try:
            with open(self.dir + "/maillog", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def close(self):
        self.sink.close()
        subprocess.run([VEREDUS, "postfix", "-c", self.dir, "stop"],
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top)


def check_configuration(old):
    old.run("postfix", "-c", old.dir, "check")


def check_queue_at_rest(old):
    """The commands read the log themselves while the system is down."""
    found = old.queue()
    for queue_id, m in old.manifest["queue"].items():
        assert queue_id in found, (m, found)
        name, owed = found.pop(queue_id)
        assert owed == sorted(m["owed"]), (m, owed)
        assert name == m["state"] or m["state"] == "active", (m, name)
    dropped = [r for name, owed in found.values() if name == "maildrop"
               for r in owed]
    assert dropped == old.manifest["dropped"], found
    assert len(found) == len(dropped), found


def check_start(old):
    old.run("postfix", "-c", old.dir, "start")


def check_queue_delivered(old):
    """Every message that is owed arrives whole; what was held waits."""
    owed = {}
    for m in old.manifest["queue"].values():
        for r in m["owed"]:
            owed.setdefault(m["key"], set()).add(r)
    owed.setdefault("dropped", set()).update(old.manifest["dropped"])
    held = {m["key"] for m in old.manifest["queue"].values()
            if m["state"] == "hold"}
    old.run("postqueue", "-c", old.dir, "-f")
    free = sum(len(r) for k, r in owed.items() if k not in held)
    wait(lambda: recipients(old.sink) >= free, old)
    assert not held & set(old.sink.keys), old.sink.keys
    old.run("postsuper", "-c", old.dir, "-H", "ALL")
    wait(lambda: recipients(old.sink)
         >= sum(len(r) for r in owed.values()), old)
    got = {}
    for envelope, text in old.sink.messages:
        key = re.search(rb"^X-Key: (\S+)", text, re.M)[1].decode()
        to = {re.search(rb"<(\S+)>", line)[1].decode()
              for line in envelope if line.upper().startswith(b"RCPT")}
        got.setdefault(key, set()).update(to)
        whole(key, text)
    assert got == owed, (got, owed)
    wait(lambda: not old.queue(), old)


def whole(key, text):
    """Bodies count their own lines."""
    lines = re.findall(rb"^line (\d+) of (\S+)\r$", text, re.M)
    assert [int(n) for n, _ in lines] == list(range(len(lines))), key
    assert all(k.decode() == key for _, k in lines), key
    assert text.endswith((b"end\r\n", b"text\r\n")), (key, text[-100:])


def recipients(sink):
    return sum(line.upper().startswith(b"RCPT")
               for envelope, _ in list(sink.messages) for line in envelope)


def wait(true, old, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, old.log()[-4000:]
        time.sleep(0.05)


def check_boxes(old):
    found = look_at_boxes(old.base + 143, old.manifest["domain"],
                          old.manifest["users"])
    for user, want in old.manifest["boxes"].items():
        for folder, box in want.items():
            assert found[user][folder] == box, (user, folder, box,
                                                found[user][folder])


def check_new_mail(old):
    """UIDs go on where they were."""
    domain = old.manifest["domain"]
    subprocess.run([VEREDUS, "sendmail", "-C", old.dir, f"both@{domain}"],
                   input=b"Subject: new\nX-Key: new\n\ntext\n", check=True)
    wait(lambda: len(re.findall(r"relay=virtual.*status=sent",
                                old.log())) == 2, old)
    found = look_at_boxes(old.base + 143, domain, old.manifest["users"])
    for user, want in old.manifest["boxes"].items():
        uid, key = found[user]["INBOX"]["messages"][-1][:2]
        next_uid = int(re.search(r"UIDNEXT (\d+)",
                                 want["INBOX"]["status"])[1])
        assert (uid, key) == (next_uid, "new"), found[user]["INBOX"]


def check_users(old):
    listed = old.run("user", "list", "-c", old.dir)
    for user in old.manifest["users"]:
        assert f"{user}@{old.manifest['domain']}" in listed, listed
    assert "both@" in old.run("alias", "list", "-c", old.dir)


STEPS = (check_configuration, check_queue_at_rest, check_start, check_boxes,
         check_users, check_queue_delivered, check_new_mail)


def try_archive(path):
    passed = failed = 0
    name = os.path.basename(path)[:-len(".tar.xz")]
    old = Old(path)
    try:
        for step in STEPS:
            try:
                step(old)
                passed += 1
            except Exception:
                failed += 1
                print(f"FAILED {name}: {step.__name__}")
                traceback.print_exc(file=sys.stdout)
    finally:
        old.close()
    return passed, failed


def main():
    if os.geteuid() != 0:
        print("the files of a release belong to several users: needs root")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    total = [0, 0]
    for path in sorted(glob.glob(HERE + "/*.tar.xz")):
        for n, count in enumerate(try_archive(path)):
            total[n] += count
    print(f"{total[0]} passed, {total[1]} failed")
    return total[1] != 0 or total[0] == 0


if __name__ == "__main__":
    sys.exit(main())
