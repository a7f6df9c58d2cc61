# SPDX-License-Identifier: ISC
"""What functional tests share: an instance of Veredus in a directory of its
own on loopback, and a sink for mail."""
import glob
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VEREDUS = os.environ.get("VEREDUS",
                         os.path.join(ROOT, "build/release/veredus"))


def peer_libraries(root):
    """LD_LIBRARY_PATH for programs of an unpacked Postfix: its own
    libraries, and those of packages that it needs."""
    return ":".join([root + "/usr/lib/postfix",
                     *glob.glob(root + "/usr/lib/*-linux-gnu")])


MASTER_CF = """\
{smtp}    inet  n - n - -   smtpd
pickup    unix  n - n 60 1  pickup
qmgr      unix  n - n 300 1 qmgr
smtp      unix  - - n - -   smtp
relay     unix  - - n - -   smtp
lmtp      unix  - - n - -   lmtp
error     unix  - - n - -   error
retry     unix  - - n - -   error
discard   unix  - - n - -   discard
local     unix  - n n - -   local
virtual   unix  - n n - -   virtual
"""


# The kernel gives ports above these to clients, and tests run side by side.
PORTS = range(10000, 32700)
GIVEN = set()


def free_port():
    """A port that nobody uses, and that was not given before."""
    while True:
        port = random.choice(PORTS)
        if port not in GIVEN and unused(port):
            GIVEN.add(port)
            return port


def unused(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_base():
    """A base for `veredus init --ports`: nobody uses its seven ports, and
    the kernel does not give them to clients."""
    while True:
        base = random.randrange(10000, 31700)
        if all(unused(base + n) for n in (25, 587, 465, 143, 993, 110, 995)):
            return base


def mail_owner():
    """An unprivileged user that every Debian has, or ourselves."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return "daemon"


class Instance:
    """One running system; parameters by name, main.cf's defaults else."""

    def __init__(self, relayhost="", extra=None, master_cf="", keep=False):
        self.dir = tempfile.mkdtemp(prefix="veredus-test-")
        os.chmod(self.dir, 0o755)
        self.etc = os.path.join(self.dir, "etc")
        os.mkdir(self.etc)
        self.smtp_port = free_port()
        self.log = os.path.join(self.dir, "maillog")
        self.process = None
        self.keep = keep
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": os.path.join(self.dir, "queue"),
            "data_directory": os.path.join(self.dir, "data"),
            "maillog_file": self.log,
            "mail_owner": mail_owner(),
            "myhostname": "mail.example.com",
            "mydomain": "example.com",
            "mydestination": "example.com, localhost",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "local_recipient_maps": "",
            "relayhost": relayhost,
            "auth_sources": "passwd-file:" + os.path.join(self.etc, "passwd"),
        }
        settings.update(extra or {})
        with open(os.path.join(self.etc, "main.cf"), "w") as f:
            for name, value in settings.items():
                f.write(f"{name} = {value}\n")
        with open(os.path.join(self.etc, "master.cf"), "w") as f:
            f.write(MASTER_CF.format(smtp=self.smtp_port) + master_cf)
        open(os.path.join(self.etc, "passwd"), "w").close()

    def start(self, program=VEREDUS):
        ready, theirs = os.pipe()
        os.set_inheritable(theirs, True)
        self.process = subprocess.Popen(
            [program, "--master", self.etc, str(theirs)],
            close_fds=False, stderr=self.stderr(),
            start_new_session=True)
        os.close(theirs)
        word = os.read(ready, 4096)
        os.close(ready)
        if word != b"ready":
            raise RuntimeError(f"did not start: {word.decode()}")

    def stderr(self):
        """Sanitizers speak there: VEREDUS_STDERR names a file for it."""
        path = os.environ.get("VEREDUS_STDERR")
        return open(path, "a") if path else subprocess.DEVNULL

    def wait_ready(self, seconds=10):
        end = time.time() + seconds
        while time.time() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.smtp_port),
                                              timeout=2) as s:
                    if s.recv(100).startswith(b"220"):
                        return
            except OSError:
                pass
            time.sleep(0.02)

    def role_pids(self):
        """role name -> pids, master included."""
        found = {"master": [self.process.pid]}
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open(f"/proc/{pid}/stat") as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    argv = f.read().split(b"\0")
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and b"--role" in argv:
                role = argv[argv.index(b"--role") + 1].decode()
                found.setdefault(role, []).append(int(pid))
        return found

    def kill(self):
        """As a power loss would end the processes."""
        pids = [p for ps in self.role_pids().values() for p in ps]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, seconds=10):
        end = time.time() + seconds
        while time.time() < end:
            m = re.search(pattern, self.log_text())
            if m:
                return m
            time.sleep(0.02)
        raise AssertionError(f"not in the log: {pattern}\n" + self.log_text())


class Sink:
    """An SMTP server that keeps the X-Key of each message."""

    def __init__(self, reply=b"250 2.0.0 Ok\r\n"):
        self.keys = []
        self.messages = []
        self.reply = reply
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,),
                             daemon=True).start()

    def serve(self, s):
        # Replies to pipelined commands leave one by one: none waits for an ack.
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        f = s.makefile("rwb")
        try:
            f.write(b"220 sink.example ESMTP\r\n")
            f.flush()
            self.session(f)
        except OSError:
            pass
        finally:
            try:
                f.close()
            except OSError:
                pass  # the client went first
            s.close()

    def session(self, f):
        envelope = []
        while True:
            line = f.readline()
            verb = line[:4].upper()
            if not line:
                return
            if verb == b"EHLO":
                f.write(b"250-sink.example\r\n250-PIPELINING\r\n"
                        b"250-8BITMIME\r\n250 SIZE\r\n")
            elif verb == b"DATA":
                f.write(b"354 go\r\n")
                f.flush()
                text = self.read_text(f)
                if text is None:
                    return
                f.write(self.reply)
                if self.reply.startswith(b"250"):
                    self.keep(envelope, text)
                envelope = []
            elif verb == b"QUIT":
                f.write(b"221 bye\r\n")
                f.flush()
                return
            else:
                if verb in (b"MAIL", b"RCPT"):
                    envelope.append(line)
                f.write(b"250 2.0.0 Ok\r\n")
            f.flush()

    @staticmethod
    def read_text(f):
        lines = []
        while True:
            line = f.readline()
            if not line:
                return None
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def keep(self, envelope, text):
        m = re.search(rb"^X-Key: (\S+)", text, re.M)
        if m:
            self.keys.append(m.group(1).decode())
        self.messages.append((envelope, text))

    def close(self):
        self.listener.close()
