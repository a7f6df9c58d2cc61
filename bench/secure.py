# SPDX-License-Identifier: ISC
"""TLS: what an idle session costs, and what a handshake does."""
import re
import ssl
import subprocess
import time

import load
from systems import Postfix, Veredus, free_port

SIDES = {"veredus": Veredus, "peer": Postfix}
IDLE_S = 15     # until idle stacks and buffers have been given back
SECONDS = 5     # of handshakes


class Figure:
    """What a case measures, and what is wanted of it."""

    def __init__(self, key, words, wanted="", more_is_better=False):
        self.key, self.words, self.wanted = key, words, wanted
        self.more_is_better = more_is_better


def certify(system, key="ec", more=""):
    """A key and a certificate, named in main.cf."""
    cert, path = system.path("cert.pem"), system.path("key.pem")
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" \
        else ["rsa:2048"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", path, "-out", cert], check=True,
        stderr=subprocess.DEVNULL)
    with open(system.etc + "/main.cf", "a") as f:
        f.write(f"smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {path}\n"
                + more)
    return cert, path


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


class Client(load.Client):
    """A session that has turned to TLS."""

    def __init__(self, port, tls):
        super().__init__(port)
        self.say(b"STARTTLS\r\n")
        self.s = tls.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.say(b"EHLO bench.example\r\n")


class IdleSmtpTls:
    peer = "Postfix"
    name, title = "idle-smtp-tls", "1,000 idle SMTP sessions with TLS"
    figures = [Figure("kib", "KiB a session, all processes (PSS)")]

    def run(self, side):
        system = SIDES[side](default_process_limit=1100,
                             smtpd_tls_security_level="may")
        certify(system)
        clients, tls = [], context()
        try:
            system.start()
            system.wait_port()
            Client(system.smtp, tls).close()
            time.sleep(1)
            before = system.memory_kb()
            clients = [Client(system.smtp, tls) for _ in range(1000)]
            time.sleep(IDLE_S)
            return {"kib": (system.memory_kb() - before) / 1000}
        finally:
            for c in clients:
                c.close()
            system.close()


class Handshakes:
    """openssl s_time, two of them, against port 465."""
    peer = "Postfix"
    figures = [Figure("rate", "handshakes a second", "1", True),
               Figure("cpu_us", "CPU a handshake, us", "1")]

    def __init__(self, name, how, title, key):
        self.name, self.how, self.key = name, how, key
        self.title = f"TLS handshakes, {title}"

    def run(self, side):
        system, port = SIDES[side](), free_port()
        certify(system, self.key)
        with open(system.etc + "/master.cf", "a") as f:
            f.write(f"{port} inet n - n - - smtpd\n"
                    "    -o smtpd_tls_wrappermode=yes\n")
        try:
            system.start()
            system.wait_port()
            self.shake(port, 1)
            before = system.cpu()
            n = self.shake(port, SECONDS)
            return {"rate": n / SECONDS,
                    "cpu_us": (system.cpu() - before) * 1e6 / n}
        finally:
            system.close()

    def shake(self, port, seconds):
        """How many handshakes two clients made."""
        running = [subprocess.Popen(
            ["openssl", "s_time", "-connect", f"127.0.0.1:{port}",
             self.how, "-tls1_2", "-time", str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(2)]
        said = [p.communicate()[0] for p in running]
        return sum(int(re.search(r"(\d+) connections in \d+ real", s)[1])
                   for s in said)


ALL = [
    IdleSmtpTls(),
    Handshakes("tls-full-ec", "-new", "full, P-256", "ec"),
    Handshakes("tls-full-rsa", "-new", "full, RSA 2048", "rsa"),
    Handshakes("tls-resumed", "-reuse", "resumed, RSA 2048", "rsa"),
]
