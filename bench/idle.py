#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""1,000 IMAP sessions in IDLE: what they cost, beside Dovecot.

    bench/idle.py [veredus|peer|tls|tls-peer]

100 accounts with 100 messages each, ten sessions an account, INBOX selected.
Memory is the proportional set size of all processes, with the sessions less
without them.  Dovecot runs in a mount namespace of its own and keeps a process
for each session, as it does by default.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from secure import Figure, certify, context
from systems import PEER, ROOT, System, Veredus, write

SESSIONS, ACCOUNTS, MESSAGES = 1000, 100, 100
IDLE_S = 15     # until idle stacks and buffers have been given back
OWNER = 2000    # the user id that owns the mail; no role runs as it

MESSAGE = "From: a@example.com\nTo: b@example.com\nSubject: %d\n\nbody\n"

DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/state
libexec_dir = /usr/lib/dovecot
auth_mechanisms = plain login
log_path = {dir}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
default_client_limit = 4000
default_process_limit = 4000
mail_max_userip_connections = 2000
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{dir}/mail/%n/Maildir
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=2000 gid=2000 home={dir}/mail/%n
}}
service imap-login {{
  chroot =
  process_limit = 4000
  inet_listener imap {{
    port = {clear}
  }}
  inet_listener imaps {{
    port = {wrapped}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 4000
}}
service anvil {{
  chroot =
}}
"""


def fill(mail):
    for n in range(ACCOUNTS):
        box = os.path.join(mail, f"u{n}", "Maildir")
        for d in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(box, d))
        for i in range(MESSAGES):
            write(os.path.join(box, "cur", f"{1700000000 + i}.M1P{i}.x:2,S"),
                  MESSAGE % i)
    subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", mail], check=True)


class Ours(Veredus):
    def __init__(self, tls=False):
        super().__init__(
            mailstore_uid=OWNER, mailstore_home="$queue_directory/../mail/%n",
            imapd_client_connection_count_limit=2000,
            imapd_tls_security_level="may" if tls else "none")
        fill(self.path("mail"))
        write(self.etc + "/passwd",
              "".join(f"u{n}@example.com:{{PLAIN}}secret::::::\n"
                      for n in range(ACCOUNTS)))
        if tls:
            certify(self, more="imapd_tls_wrappermode = yes\n")

    def environment(self):
        return None


class Dovecot(System):
    name, title, master = "dovecot", "Dovecot", ""
    process = None

    def extra(self):
        return {}

    def __init__(self, tls=False):
        super().__init__()
        fill(self.path("mail"))
        self.conf = os.path.join(self.etc, "dovecot.conf")
        names = certify(self) if tls else None
        write(self.conf, DOVECOT.format(
            dir=self.dir, ssl="yes" if tls else "no",
            certificate="ssl_cert = <%s\nssl_key = <%s" % names if tls else "",
            clear=0 if tls else self.imap, wrapped=self.imap if tls else 0))

    def start(self):
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             f"mount -t overlay overlay -o lowerdir={PEER}/usr:/usr /usr && "
             f"exec /usr/sbin/dovecot -F -c {self.conf}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, LD_LIBRARY_PATH="/usr/lib/dovecot"))

    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None


class Client:
    """A session that idles in INBOX."""

    def __init__(self, port, n, tls):
        self.s = None
        for _ in range(100):
            try:
                self.s = socket.create_connection(("127.0.0.1", port), 30)
                break
            except OSError:     # it is just starting
                time.sleep(0.1)
        if tls:
            self.s.settimeout(None)
            self.s = tls.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.f.readline()
        self.ask(f"LOGIN u{n % ACCOUNTS}@example.com secret")
        self.ask("SELECT INBOX")
        self.s.sendall(b"i IDLE\r\n")
        if not self.f.readline().startswith(b"+"):
            raise RuntimeError("no IDLE")

    def ask(self, command):
        self.s.sendall(f"a {command}\r\n".encode())
        while True:
            line = self.f.readline()
            if not line or line.startswith((b"a NO", b"a BAD")):
                raise RuntimeError(f"{command}: {line}")
            if line.startswith(b"a OK"):
                return

    def close(self):
        self.f.close()
        self.s.close()


def measure(system, tls=None):
    """KiB a session."""
    clients = []
    try:
        system.start()
        first = Client(system.imap, 0, tls)
        time.sleep(1)
        before = system.memory_kb()
        clients = [Client(system.imap, n, tls) for n in range(SESSIONS)]
        time.sleep(IDLE_S)
        got = (system.memory_kb() - before) / SESSIONS
        first.close()
        return got
    finally:
        for c in clients:
            c.close()
        system.close()


class IdleImap:
    peer = "Dovecot"
    name, title = "idle-imap", "1,000 idle IMAP sessions"
    figures = [Figure("kib", "KiB a session, all processes (PSS)",
                      "at most 24 KiB")]
    tls = False

    def run(self, side):
        """{"kib": KiB a session, all processes (PSS)}"""
        system = (Ours if side == "veredus" else Dovecot)(self.tls)
        return {"kib": measure(system, context() if self.tls else None)}


class IdleImapTls(IdleImap):
    name, title = "idle-imap-tls", "1,000 idle IMAP sessions with TLS"
    figures = [Figure("kib", "KiB a session, all processes (PSS)")]
    tls = True


ALL = [IdleImap(), IdleImapTls()]


def main():
    sides = sys.argv[1:] or ["veredus", "peer"]
    for side in sides:
        case = IdleImapTls() if side.startswith("tls") else IdleImap()
        got = case.run("peer" if side.endswith("peer") else "veredus")["kib"]
        print(f"{side}: {got:.1f} KiB an idle IMAP session")


if __name__ == "__main__":
    main()
