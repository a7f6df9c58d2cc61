#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Dialogues with our SMTP server and with Postfix', which must answer alike.

Both run with the same main.cf, and with one listener for each group of cases
below, whose -o options are the group's settings.  What is compared: the
replies (code, enhanced code, text, each line of them) and the lines in the
log that say what was refused or done (reject:, warn:, hold: ...).  Where we
differ on purpose the case says because of what.

Needs root, since Postfix' master does, and build/peer/root; everything
happens in scratch directories, on loopback.  Exits 77 when the peer cannot be
run.  `smtpd.py -v [GROUP...]` shows what the peer says.
"""
import base64
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
sys.path.append(os.path.join(harness.ROOT, "test/talk"))
from cases.smtpd import GROUPS, MAIN_CF, TLS, ZONE  # noqa: E402
import dns_server  # noqa: E402
import postfix  # noqa: E402

DNS_ADDRESS = "127.88.1.53"    # port 53, since resolv.conf has no ports
ROOT = os.environ.get("PEER_POSTFIX_ROOT",
                      os.path.join(harness.ROOT, "build/peer/root"))

PEER_CF = """
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
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
"""

PEER_MASTER = """
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
flush unix n - n 1000? 0 flush
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


def free_ports(n):
    """Ports that are free, all different."""
    ports = set()
    while len(ports) < n:
        ports.add(harness.free_port())
    return list(ports)


def options(settings):
    return "".join(f"    -o {{ {k} = {v} }}\n" for k, v in settings.items())


class Peer:
    """Postfix' master with its SMTP servers."""
    name = "peer"

    @staticmethod
    def normal(text):
        return postfix.as_model(ROOT, text)

    def __init__(self, groups, dns):
        self.dir = tempfile.mkdtemp(prefix="veredus-peer-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.log = os.path.join(self.dir, "maillog")
        for name in ("etc", "data", "spool"):
            os.makedirs(os.path.join(self.dir, name))
        shutil.chown(os.path.join(self.dir, "data"), "daemon")
        for name in ("active bounce corrupt defer deferred flush hold "
                     "incoming maildrop pid private public saved "
                     "trace").split():
            os.makedirs(os.path.join(self.dir, "spool", name))
            if name != "pid":
                shutil.chown(os.path.join(self.dir, "spool", name), "daemon")
        self.auth = AuthServer(os.path.join(self.dir, "spool/private/auth"))
        self.ports = dict(zip(groups, free_ports(len(groups))))
        with open(os.path.join(self.dir, "etc", "main.cf"), "w") as f:
            f.write(MAIN_CF.format(dir=self.dir))
            f.write(PEER_CF.format(dir=self.dir, root=ROOT))
            f.write(postfix.settings(ROOT))
            f.write(make_certificate(self.dir))
        with open(os.path.join(self.dir, "etc", "master.cf"), "w") as f:
            f.write(PEER_MASTER)
            for g, (settings, _) in groups.items():
                f.write(f"127.0.0.1:{self.ports[g]} inet n - n - - smtpd\n"
                        + options(settings))
        env = dict(os.environ, MAIL_CONFIG=os.path.join(self.dir, "etc"),
                   LD_LIBRARY_PATH=harness.peer_libraries(ROOT))
        resolv = os.path.join(self.dir, "etc", "resolv.conf")
        with open(resolv, "w") as f:
            f.write(f"nameserver {DNS_ADDRESS}\noptions timeout:2\n")
        mounted = ["unshare", "-m", "sh", "-c",
                   'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv]
        self.process = subprocess.Popen(
            (mounted if dns else [])
            + [os.path.join(ROOT, "usr/lib/postfix/sbin/master"), "-c",
               os.path.join(self.dir, "etc"), "-d"], env=env,
            start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(os.path.join(self.dir,
                                           "spool/private/rewrite")):
                break
            time.sleep(0.1)

    def stop(self):
        self.auth.stop()
        self.process.terminate()
        self.process.wait()
        time.sleep(0.3)
        shutil.rmtree(self.dir, ignore_errors=True)


class Ours(harness.Instance):
    name = "we"

    @staticmethod
    def normal(text):
        return text

    def __init__(self, groups, dns):
        self.ports = dict(zip(groups, free_ports(len(groups))))
        master = "".join(
            f"127.0.0.1:{self.ports[g]} inet n - n - - smtpd\n"
            + options(settings) for g, (settings, _) in groups.items())
        super().__init__(master_cf=master)
        own = {k: v for k, v in self.settings_of_directories().items()}
        with open(os.path.join(self.etc, "main.cf"), "w") as f:
            f.write(MAIN_CF.format(dir=self.dir))
            f.write("".join(f"{k} = {v}\n" for k, v in own.items()))
            f.write(make_certificate(self.etc))
            f.write("defer_transports = smtp local relay\n")
            if dns:
                f.write(f"lookup_dns_server = {DNS_ADDRESS}\n")
        with open(os.path.join(self.etc, "passwd"), "w") as f:
            f.write("joe:{PLAIN}secret\n")
        try:
            self.start()
        except RuntimeError:
            print(self.log_text()[-3000:])
            self.stop()
            raise

    def settings_of_directories(self):
        return {"queue_directory": os.path.join(self.dir, "queue"),
                "data_directory": os.path.join(self.dir, "data"),
                "maillog_file": self.log,
                "mail_owner": harness.mail_owner(),
                "auth_sources": "passwd-file:"
                                + os.path.join(self.etc, "passwd")}


class AuthServer:
    """The least of a Dovecot authentication server, for the peer: one user,
    joe, whose password is secret."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(20)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,),
                             daemon=True).start()

    def serve(self, peer):
        f = peer.makefile("rw")
        f.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\n"
                "MECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\n"
                "COOKIE\tx\nDONE\n")
        f.flush()
        steps = {}
        for line in f:
            answer = self.answer(line.rstrip("\n").split("\t"), steps)
            if answer:
                f.write(answer + "\n")
                f.flush()

    @staticmethod
    def answer(words, steps):
        if words[0] not in ("AUTH", "CONT"):
            return None
        number = words[1]
        if words[0] == "AUTH":
            steps[number] = [words[2].upper()]
            said = [w[5:] for w in words if w.startswith("resp=")]
        else:
            said = words[2:3]
        steps[number] += [base64.b64decode(w + "==") for w in said]
        mech, given = steps[number][0], steps[number][1:]
        if mech == "LOGIN" and len(given) < 2:
            word = b"Password:" if given else b"Username:"
            return f"CONT\t{number}\t{base64.b64encode(word).decode()}"
        if mech == "PLAIN" and not given:
            return f"CONT\t{number}\t"
        if mech == "PLAIN":
            given = given[0].split(b"\0")[1:]
        if given == [b"joe", b"secret"]:
            return f"OK\t{number}\tuser=joe"
        return (f"FAIL\t{number}\treason=authentication failure"
                f"\tuser={given[0].decode() if given else ''}")

    def stop(self):
        self.listener.close()


def read_reply(f):
    lines = []
    while True:
        try:
            line = f.readline()
        except OSError:
            line = b""
        if not line:
            return lines + ["(closed)"]
        lines.append(line.decode("latin-1").rstrip("\r\n"))
        if line[3:4] != b"-":
            return lines


def start_tls(peer, f):
    f.flush()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    peer = context.wrap_socket(peer.dup(), do_handshake_on_connect=True)
    return peer, peer.makefile("rwb")


def make_certificate(place):
    """A key and a certificate for both sides; the end of their main.cf."""
    key, cert = (os.path.join(place, n) for n in ("key.pem", "cert.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=mx.example.com"], check=True,
                   stderr=subprocess.DEVNULL)
    return f"smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n"


def talk(port, dialogue, source="127.0.0.1"):
    """Each item is sent and its reply read.  A str is a command line; bytes
    go as they are and get one reply; (n, bytes) gets n replies."""
    replies = []
    with socket.create_connection(("127.0.0.1", port), 15,
                                  (source, 0)) as peer:
        f = peer.makefile("rwb")
        replies.append(read_reply(f))
        for item in dialogue:
            if replies[-1][-1] == "(closed)":
                break
            n = 1
            if item == TLS:
                try:
                    peer, f = start_tls(peer, f)
                except ssl.SSLError:
                    replies.append(["(no handshake)"])
                    break
                continue
            if isinstance(item, tuple):
                n, item = item
            if isinstance(item, str):
                item = item.encode() + b"\r\n"
            try:
                f.write(item)
                f.flush()
            except OSError:
                pass
            for _ in range(n):
                replies.append(read_reply(f))
    return replies


def normal(line):
    line = re.sub(r"queued as [0-9A-Za-z]+", "queued as ID", line)
    return line


ACTS = re.compile(r" (?:postfix/)?\S*smtpd\[\d+\]: (?:(NOQUEUE|[0-9A-Za-z]+): "
                  r"(reject|reject_warning|warn|info|hold|discard|filter|"
                  r"redirect|bcc|prepend|permit|hangup): (.*)|"
                  r"((?:warning|improper|non-SMTP|too many).*))")
INLINE = re.compile(r"inline:\{.*\}")
ENDED = re.compile(r" connect from .*\n(?:.*\n)*?.* disconnect from .*\n")
NOT_ALIKE = re.compile(r"hostname \S+ does not resolve|dict_|"
                       r"process .* pid|"
                       # we say more about what is wrong with a table
                       r"table lookup problem|query error|"
                       r"unknown DSN NOTIFY command value")


def acts(text):
    found = []
    # the peer shows each such byte as "?" or " " where SMTPUTF8 is off
    text = re.sub(r"[^\x00-\x7f]", "  ", text).replace("??", "  ")
    for line in text.split("\n"):
        m = ACTS.search(line)
        if m and m.group(4):
            if not NOT_ALIKE.search(line):
                line = INLINE.sub("inline:{}", m.group(4))
                line = re.sub(r"^warning: [0-9A-F]{6,}:", "warning: ID:",
                              line)
                # the peer keeps what it heard of a DNS list for a while
                if "RBL lookup error" not in line or line not in found:
                    found.append(line)
        elif m:
            queue_id = "NOQUEUE" if m.group(1) == "NOQUEUE" else "ID"
            found.append(f"{queue_id}: {m.group(2)}: "
                         + INLINE.sub("inline:{}", m.group(3)))
    return found


def play(system, group, case):
    """The replies and the lines in the log of one case."""
    source = "127.0.0.1"
    if case and isinstance(case[0], dict):
        source = case[0].get("from", source)
        case = case[1:]
    try:
        with open(system.log, errors="replace") as f:
            f.seek(0, 2)
            at = f.tell()
    except FileNotFoundError:
        at = 0
    replies = talk(system.ports[group], case, source)
    end = time.time() + 2
    text = ""
    while time.time() < end and not ENDED.search(text):
        time.sleep(0.01)
        try:
            with open(system.log, errors="replace") as f:
                f.seek(at)
                text = f.read()
        except FileNotFoundError:
            continue
    if not ENDED.search(text):
        print(f"{system.name}: no end of the session in the log")
    return [[[normal(system.normal(x)) for x in r] for r in replies],
            acts(system.normal(text))]


def show(case, got):
    replies, log = got
    case = case[1:] if case and isinstance(case[0], dict) else case
    print("    S:", " | ".join(replies[0]))
    at = 1
    for item in [x for x in case if x != TLS]:
        n = item[0] if isinstance(item, tuple) else 1
        print("    C:", item)
        for r in replies[at:at + n]:
            print("    S:", " | ".join(r))
        at += n
    for line in log:
        print("    L:", line)


def show_difference(case, want, got):
    """What was said before the first difference, and the difference."""
    items = [x for x in case if not isinstance(x, dict) and x != TLS]
    said = ["(connect)"]
    for item in items:
        n = item[0] if isinstance(item, tuple) else 1
        said += [str(item)] + ["..."] * (n - 1)
    mine, theirs = got[0], want[0]
    for i in range(max(len(mine), len(theirs))):
        a = theirs[i] if i < len(theirs) else ["nothing"]
        b = mine[i] if i < len(mine) else ["nothing"]
        if a != b:
            print("  after", " / ".join(said[max(0, i - 3):i + 1]))
            print("    peer:", " | ".join(a))
            print("    we:  ", " | ".join(b))
            break
    for line in [x for x in want[1] if x not in got[1]][:2]:
        print("    only the peer logs:", line)
    for line in [x for x in got[1] if x not in want[1]][:2]:
        print("    only we log:", line)
    if want[0] == got[0] and sorted(want[1]) == sorted(got[1]):
        print("    log lines in another order")


def on_purpose(how, want, got):
    """What we are to answer where we differ, and say why in the case; the
    peer's answer must really be another one."""
    replies = list(want[0])
    for i, text in how["we"].items():
        replies[i] = [text] if replies[i] != [text] else ["the peer agrees"]
    return [replies, got[1]]


def compare(peer, ours, groups, verbose):
    passed = failed = 0
    for g, (_, cases) in groups.items():
        for case in cases:
            start = time.time()
            want = play(peer, g, case)
            middle = time.time()
            got = play(ours, g, case) if ours else want
            if isinstance(case[0], dict) and "we" in case[0]:
                want = on_purpose(case[0], want, got)
            good = want == got
            if "-t" in sys.argv:
                print(f"{middle - start:.2f} {time.time() - middle:.2f}")
            passed, failed = passed + good, failed + (not good)
            if verbose:
                print(f"{g}:")
                show(case, want)
            if not good:
                print(f"{g} differs:")
                show_difference(case, want, got)
    return passed, failed


def name_server():
    """One for both sides.  The peer asks the servers of /etc/resolv.conf only,
    so it gets a mount of its own there; None where that is not allowed."""
    try:
        subprocess.run(["unshare", "-m", "mount", "--bind", __file__,
                        "/etc/resolv.conf"], check=True,
                       stderr=subprocess.DEVNULL)
        return dns_server.DnsServer(ZONE, 53, DNS_ADDRESS)
    except (OSError, subprocess.CalledProcessError) as e:
        print("no name server for both sides:", e)
        return None


def main():
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    if os.getuid() != 0 or not os.path.exists(
            os.path.join(ROOT, "usr/lib/postfix/sbin/master")):
        print("the peer cannot be run here")
        return 77
    groups = {g: x for g, x in GROUPS.items() if (not words or g in words)
              and postfix.has(ROOT, str(x))}
    ours = peer = None
    dns, skipped = name_server(), 0
    if not dns:
        with_dns = [g for g in groups if g.startswith(("d:", "dns_"))]
        skipped = sum(len(groups.pop(g)[1]) for g in with_dns)
    try:
        peer = Peer(groups, dns)
        if "-p" not in sys.argv:
            ours = Ours(groups, dns)
        passed, failed = compare(peer, ours, groups, "-v" in sys.argv)
    finally:
        if "-l" in sys.argv:
            with open((peer if "-p" in sys.argv else ours).log) as f:
                print(f.read())
        if dns:
            dns.stop()
        for system in (peer, ours):
            if system:
                system.stop()
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
