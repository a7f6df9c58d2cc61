# SPDX-License-Identifier: ISC
"""The two systems that are compared, each in a directory of its own on
loopback: ours, and Debian's Postfix unpacked under build/peer/root.

Both keep what they accept on the same disk and write no log (Postfix' goes to
a syslog that is not there, which favours it).  Postfix is tuned for
throughput: many processes, no client limits, no in_flow_delay, no chroot, a
connection cache, high concurrency.
"""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "test"))
import harness  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEER = os.environ.get("PEER_POSTFIX_ROOT",
                      os.path.join(ROOT, "build/peer/root"))
SCRATCH = os.environ.get("BENCH_DIR", os.path.join(ROOT, "build/bench"))
TICK = os.sysconf("SC_CLK_TCK")
PEER_ENV = {**os.environ, "LD_LIBRARY_PATH": harness.peer_libraries(PEER)}

COMMON = {
    "compatibility_level": "3.6",
    "myhostname": "mail.example.com",
    "mydomain": "example.com",
    "mydestination": "example.com, localhost",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "smtpd_peername_lookup": "no",
    "smtp_tls_security_level": "none",
    "default_destination_concurrency_limit": "100",
    "initial_destination_concurrency": "50",
    "smtpd_client_connection_count_limit": "0",
}

POSTFIX = {
    "smtp_host_lookup": "native",
    "default_process_limit": "600",
    "in_flow_delay": "0",
    "max_use": "10000",
    "max_idle": "3600s",
    "smtp_connection_cache_on_demand": "yes",
    "qmgr_message_active_limit": "40000",
    "qmgr_message_recipient_limit": "40000",
    "smtpd_client_connection_rate_limit": "0",
    "anvil_rate_time_unit": "1s",
    "disable_dns_lookups": "yes",
}

QUEUES = ("incoming", "active", "deferred", "defer", "bounce", "hold",
          "corrupt", "flush", "saved", "trace", "maildrop")

OURS_MASTER = """\
{smtp}    inet  n - n - -   smtpd
{imap}    inet  n - n - -   imapd
pickup    unix  n - n 60 1  pickup
qmgr      unix  n - n 300 1 qmgr
smtp      unix  - - n - -   smtp
relay     unix  - - n - -   smtp
error     unix  - - n - -   error
retry     unix  - - n - -   error
discard   unix  - - n - -   discard
local     unix  - n n - -   local
virtual   unix  - n n - -   virtual
"""

THEIR_MASTER = """\
{smtp}    inet  n - n - -   smtpd
pickup    unix  n - n 60 1  pickup
cleanup   unix  n - n - 0   cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - -   trivial-rewrite
bounce    unix  - - n - 0   bounce
defer     unix  - - n - 0   bounce
trace     unix  - - n - 0   bounce
verify    unix  - - n - 1   verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - -   proxymap
proxywrite unix - - n - 1   proxymap
smtp      unix  - - n - -   smtp
relay     unix  - - n - -   smtp
showq     unix  n - n - -   showq
error     unix  - - n - -   error
retry     unix  - - n - -   error
discard   unix  - - n - -   discard
local     unix  - n n - -   local
virtual   unix  - n n - -   virtual
anvil     unix  - - n - 1   anvil
scache    unix  - - n - 1   scache
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def stat(pid):
    """(parent, own ticks, ticks of children waited for) of a process."""
    with open(f"/proc/{pid}/stat") as f:
        w = f.read().rsplit(")", 1)[1].split()
    return int(w[1]), int(w[11]) + int(w[12]), int(w[13]) + int(w[14])


def tree(top):
    """pid -> stat of a process and all below it."""
    seen = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            seen[int(pid)] = stat(pid)
        except (OSError, IndexError):
            pass
    found, todo = {}, [top]
    while todo:
        pid = todo.pop()
        if pid in seen:
            found[pid] = seen[pid]
            todo += [p for p, s in seen.items() if s[0] == pid]
    return found


class System:
    """What both have in common.  settings: main.cf beside COMMON."""

    def __init__(self, **settings):
        os.makedirs(SCRATCH, exist_ok=True)
        os.chmod(SCRATCH, 0o755)
        self.dir = tempfile.mkdtemp(prefix=self.name + "-", dir=SCRATCH)
        os.chmod(self.dir, 0o755)
        self.etc = os.path.join(self.dir, "etc")
        self.smtp, self.imap = free_port(), free_port()
        os.mkdir(self.etc)
        settings = {k: str(v) for k, v in settings.items()}
        text = {**COMMON, **self.extra(), **settings}
        write(self.etc + "/main.cf",
              "".join(f"{k} = {v}\n" for k, v in text.items()))
        write(self.etc + "/master.cf",
              self.master.format(smtp=self.smtp, imap=self.imap))

    def path(self, name):
        return os.path.join(self.dir, name)

    def cpu(self):
        """Seconds of all its processes so far, ended ones included."""
        return sum(own + ended
                   for _, own, ended in tree(self.pid()).values()) / TICK

    def memory_kb(self):
        """The proportional set size of all its processes."""
        total = 0
        for pid in tree(self.pid()):
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += next(int(line.split()[1]) for line in f
                                  if line.startswith("Pss:"))
            except (OSError, StopIteration):
                pass
        return total

    def wait_port(self):
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.smtp)) as s:
                    if s.recv(100).startswith(b"220"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not answer")

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Veredus(System):
    name, title, master = "veredus", "Veredus", OURS_MASTER
    binary = os.path.join(ROOT, "build/release/veredus")
    process = None

    def extra(self):
        owner = "daemon" if os.geteuid() == 0 else \
            pwd.getpwuid(os.geteuid()).pw_name
        return {"queue_directory": self.path("queue"),
                "data_directory": self.path("data"), "mail_owner": owner,
                "auth_sources": "passwd-file:" + self.etc + "/passwd"}

    def start(self):
        open(self.etc + "/passwd", "a").close()
        ready, theirs = os.pipe()
        os.set_inheritable(theirs, True)
        self.process = subprocess.Popen(
            [self.binary, "--master", self.etc, str(theirs)],
            close_fds=False, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(theirs)
        word = os.read(ready, 4096)
        os.close(ready)
        if word != b"ready":
            raise RuntimeError("Veredus: " + word.decode())

    def pid(self):
        return self.process.pid

    def tool(self, *argv):
        return [self.binary, argv[0], "-c", self.etc, *argv[1:]]

    def environment(self):
        return None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


class Postfix(System):
    name, title, master = "postfix", "Postfix", THEIR_MASTER
    process = None

    def extra(self):
        return {**POSTFIX, "queue_directory": self.path("queue"),
                "data_directory": self.path("data"),
                "mail_owner": "daemon", "setgid_group": "tty",
                "daemon_directory": PEER + "/usr/lib/postfix/sbin",
                "command_directory": PEER + "/usr/sbin",
                "meta_directory": PEER + "/etc/postfix",
                "shlib_directory": PEER + "/usr/lib/postfix",
                "mailq_path": PEER + "/usr/bin/mailq",
                "newaliases_path": PEER + "/usr/bin/newaliases",
                "sendmail_path": PEER + "/usr/sbin/sendmail",
                "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH PATH"}

    def tool(self, *argv):
        return [f"{PEER}/usr/sbin/{argv[0]}", "-c", self.etc, *argv[1:]]

    def environment(self):
        return {**PEER_ENV, "MAIL_CONFIG": self.etc}

    def start(self):
        """Master alone: the start script wants an installed tree."""
        for d in ("queue", "data", "queue/pid", "queue/private",
                  "queue/public", *("queue/" + q for q in QUEUES)):
            os.makedirs(self.path(d), exist_ok=True)
            if d not in ("queue", "queue/pid"):
                shutil.chown(self.path(d), "daemon")
        self.process = subprocess.Popen(
            [PEER + "/usr/lib/postfix/sbin/master", "-c", self.etc, "-d"],
            env=self.environment(), stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.wait_port()

    def pid(self):
        return self.process.pid

    def stop(self):
        """Master takes its children, a process group, along."""
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


def have_peer():
    return os.geteuid() == 0 and os.path.exists(PEER + "/usr/sbin/postfix")
