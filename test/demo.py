#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The demonstration, as root and as an ordinary user, to its end; and ended
by an interrupt.  The last line is "N passed, N failed"."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import ROOT

NOBODY = 65534
SHOWN = (r"^  S: 235 2\.7\.0 Authentication successful$",
         r"^  S: 250 2\.0\.0 Ok: queued as \w+$",
         r"^  -Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient",
         r"Connection refused\)$",
         r"^  S: \* 1 EXISTS$",
         r"^  S: Subject: Veredus at work$",
         r"^  S: \+OK \d+ octets$",
         r"^  Mail queue is empty$",
         r"to=<bob@example\.com>, relay=virtual, .* status=sent",
         r"to=<carol@example\.net>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, "
         r".* status=sent",
         r"^  S: Received: from mail\.example\.com ",
         r"^  IMAP \(TLS\) +127\.0\.0\.1:\d+$",
         r"^user alice@example\.com +password \S+$",
         r"^user bob@example\.com +password \S+$")


def copy_for(uid, d):
    """Where an ordinary user finds the tree: a checkout of root's may lie
    where nobody else gets in."""
    if uid is None:
        return ROOT
    top = os.path.join(d, "tree")
    shutil.copytree(ROOT, top, symlinks=True, ignore=lambda folder, names: [
        name for name in names if name == ".git"
        or folder == os.path.join(ROOT, "build") and name != "release"])
    subprocess.run(["chown", "-R", f"{uid}:{uid}", top], check=True)
    return top


def argv(top, uid, *words):
    who = [] if uid is None else ["setpriv", "--reuid", str(uid), "--regid",
                                  str(uid), "--clear-groups", "--"]
    return [*who, os.path.join(top, "demo"), *words]


def environment(d):
    return {**os.environ, "DEMO_NO_INSTALL": "1", "TMPDIR": d,
            "PYTHONUNBUFFERED": "1"}


def left(d):
    """Processes and files that should be gone."""
    found = os.listdir(d)
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if pid.isdigit() and d in line and int(pid) != os.getpid():
            found.append(line)
    return found


def check_once(top, uid, d):
    done = subprocess.run(argv(top, uid, "--once", "--ports", "22000"),
                          text=True, env=environment(d),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    for pattern in SHOWN:
        assert re.search(pattern, done.stdout, re.M), (pattern, done.stdout)
    assert done.stdout.endswith("demo: all of it worked\n"), done.stdout


def check_interrupt(top, uid, d):
    p = subprocess.Popen(argv(top, uid, "--ports", "26000"), text=True,
                         env=environment(d), stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True)
    text = ""
    for line in p.stdout:
        text += line
        if line.startswith("Ctrl-C stops"):
            p.send_signal(signal.SIGINT)
    assert p.wait() == 0, text
    assert text.endswith("demo: stopped\n"), text


def main():
    passed = failed = 0
    uids = [None, NOBODY] if os.geteuid() == 0 else [None]
    for name, test in (("once", check_once), ("interrupt", check_interrupt)):
        for uid in uids:
            with tempfile.TemporaryDirectory(prefix="veredus-d-") as d, \
                    tempfile.TemporaryDirectory(prefix="veredus-t-") as t:
                os.chmod(d, 0o1777)
                os.chmod(t, 0o755)
                try:
                    test(copy_for(uid, t), uid, d)
                    assert not left(d), left(d)
                    passed += 1
                except Exception as e:
                    failed += 1
                    print(f"FAILED {name} (uid {uid}): "
                          f"{type(e).__name__}: {e}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
