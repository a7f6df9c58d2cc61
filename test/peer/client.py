#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What our SMTP and LMTP client makes of servers that are wrong at one stage
in one way, beside Postfix': status (sent, deferred, bounced), the enhanced
code, and the text.  Each case is a server of its own and one mail to it.

Where we differ on purpose a line of DIFFERENT says so.  Needs root, since
Postfix' master does, and build/peer/root; everything happens in scratch
directories, on loopback.  Exits 77 when the peer cannot be run.

    test/peer/client.py [-v] [STAGE/FAULT ...]
"""
import itertools
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from faulty import FAULTS, FaultyServer  # noqa: E402

ROOT = os.environ.get("PEER_POSTFIX_ROOT",
                      os.path.join(harness.ROOT, "build/peer/root"))
SECONDS = 90

COMMON = """
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = localhost
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
notify_classes =
default_process_limit = 300
transport_maps = inline:{{ {transport} }}
{timeouts}
"""
TIMEOUTS = "".join(
    f"smtp_{name}_timeout = 4s\nlmtp_{name}_timeout = 4s\n"
    for name in ("mail", "rcpt", "data_init", "data_xfer", "data_done",
                 "rset", "quit")) + \
    "smtp_helo_timeout = 4s\nlmtp_lhlo_timeout = 4s\n"

PEER_CF = """
smtp_host_lookup = native
queue_directory = {dir}/spool
data_directory = {dir}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
meta_directory = {dir}/etc
shlib_directory = no
mail_owner = daemon
setgid_group = tty
maillog_file = {dir}/maillog
maillog_file_prefixes = /tmp
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
in_flow_delay = 0
"""
PEER_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
scache unix - - n - 1 scache
"""


class Peer:
    name = "peer"

    def __init__(self, settings):
        self.dir = tempfile.mkdtemp(prefix="veredus-peer-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.log = os.path.join(self.dir, "maillog")
        self.smtp_port = harness.free_port()
        for name in ("etc", "data", "spool"):
            os.makedirs(os.path.join(self.dir, name))
        shutil.chown(os.path.join(self.dir, "data"), "daemon")
        for name in ("active bounce corrupt defer deferred flush hold "
                     "incoming maildrop pid private public saved "
                     "trace").split():
            os.makedirs(os.path.join(self.dir, "spool", name))
            if name != "pid":
                shutil.chown(os.path.join(self.dir, "spool", name), "daemon")
        etc = os.path.join(self.dir, "etc")
        with open(os.path.join(etc, "main.cf"), "w") as f:
            f.write(settings + PEER_CF.format(dir=self.dir, root=ROOT))
        with open(os.path.join(etc, "master.cf"), "w") as f:
            f.write(PEER_MASTER.format(port=self.smtp_port))
        env = dict(os.environ, MAIL_CONFIG=etc,
                   LD_LIBRARY_PATH=harness.peer_libraries(ROOT))
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "usr/lib/postfix/sbin/master"), "-c", etc,
             "-d"], env=env, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        self.process.terminate()
        self.process.wait()
        time.sleep(0.3)
        shutil.rmtree(self.dir, ignore_errors=True)


class Ours(harness.Instance):
    name = "we"

    def __init__(self, settings):
        super().__init__()
        own = {"queue_directory": os.path.join(self.dir, "queue"),
               "data_directory": os.path.join(self.dir, "data"),
               "maillog_file": self.log, "mail_owner": harness.mail_owner()}
        with open(os.path.join(self.etc, "main.cf"), "w") as f:
            f.write(settings + "".join(f"{k} = {v}\n"
                                       for k, v in own.items()))
        self.start()


class Case:
    def __init__(self, number, lmtp, offers, stage, fault):
        self.name = ("lmtp" if lmtp else "smtp") + \
            ("+" if offers else "") + f"/{stage}/{fault}"
        self.lmtp, self.offers = lmtp, offers
        self.stage, self.fault = stage, fault
        self.domain = f"c{number}.example"

    def server(self):
        return FaultyServer(self.stage, self.fault, self.lmtp, self.offers)


STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end", "idle", "QUIT")
NOISE = ("25", "2500", "letters", "empty", "blank", "tab")
# Where the peer believes what we do not: (stage or "", fault) -> our status.
DIFFERENT = {
    # it takes the reply to QUIT, sent with the end, for the answer to that
    ("end", "missing"): "deferred",
    **{("end", fault): "deferred" for fault in NOISE},
    # it cannot tell what was said before the question
    ("DATA", "and-250"): "bounced",
    ("", "early"): "bounced",
    ("", "and-junk"): "deferred",
}


def cases(wanted):
    ways = itertools.product((False, True), ((), ("PIPELINING",)), STAGES,
                             FAULTS)
    found = [Case(i, *way) for i, way in enumerate(ways)]
    wanted = wanted or ["smtp/", "smtp+/end", "lmtp+/end"]
    return [c for c in found if any(w in c.name for w in wanted)]


def send(system, found):
    end = time.time() + SECONDS
    while True:
        try:
            s = smtplib.SMTP("127.0.0.1", system.smtp_port, timeout=60)
            break
        except OSError:
            if time.time() > end:
                raise
            time.sleep(0.1)
    for c in found:
        s.sendmail("a@sender.example", [f"b@{c.domain}"],
                   f"Subject: {c.name}\r\n\r\nhi\r\n")
    s.quit()


LINE = re.compile(r": to=<b@(c\d+\.example)>, relay=.*, dsn=(\S+), "
                  r"status=(\S+) \((.*)$", re.M)


def normal(text):
    text = re.sub(r"\]:\d+", "]:PORT", text)
    return text


def outcomes(system, found):
    end = time.time() + SECONDS
    while time.time() < end:
        text = system.log_text()
        lines = {m[0]: (m[2], m[1], normal(m[3]))
                 for m in LINE.findall(text)}
        if len(lines) >= len(found):
            break
        time.sleep(0.2)
    return lines


def run(system_class, found):
    servers = [c.server() for c in found]
    transport = " ".join(
        f"{{ {c.domain} = {'lmtp:inet' if c.lmtp else 'smtp'}:"
        f"[127.0.0.1]:{s.port} }}" for c, s in zip(found, servers))
    if len(transport) > 30000:
        raise ValueError("too many cases at once")
    system = system_class(COMMON.format(transport=transport,
                                        timeouts=TIMEOUTS))
    try:
        send(system, found)
        lines = outcomes(system, found)
        if "-l" in sys.argv:
            print(system.log_text())
    finally:
        system.stop()
        for s in servers:
            s.close()
    return [lines.get(c.domain, ("none", "", "")) + (len(s.taken),)
            for c, s in zip(found, servers)]


def alike(c, want, got):
    """Status and enhanced code; a reply without any code has 4.5.0 here and
    runs into a time limit there."""
    if want[:2] == got[:2]:
        return True
    if want[0] == got[0]:
        return got[2].startswith("Protocol error: ") or c.fault == "and-550"
    return got[0] == DIFFERENT.get((c.stage, c.fault),
                                   DIFFERENT.get(("", c.fault)))


def compare(found, want, got):
    failed = 0
    for c, w, g in zip(found, want, got):
        same = alike(c, w, g)
        if "-v" in sys.argv or not same:
            print(("" if same else "DIFFERS ") + c.name)
            print("    peer:", *w)
            print("    we:  ", *g)
        failed += not same
    return failed


def main():
    if os.geteuid() != 0 or not os.path.exists(ROOT + "/usr/sbin/postfix"):
        print("the peer cannot be run here")
        return 77
    found = cases([a for a in sys.argv[1:] if not a.startswith("-")])
    failed = 0
    for i in range(0, len(found), 200):
        part = found[i:i + 200]
        failed += compare(part, run(Peer, part), run(Ours, part))
    print(f"{len(found) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
