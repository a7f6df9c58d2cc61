#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""TLS of a whole system: sessions resumed by any process and after its end,
certificates changed under sessions, clients that resume, handshakes that
never end.  Beside the peer: test/peer/tls.py."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from harness import Instance, free_port

CASES = []


def test(fn):
    CASES.append(fn)
    return fn


def make(place, name, extra=()):
    key, cert = (os.path.join(place, f"{name}.{x}") for x in ("key", "pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", f"/CN={name}",
                    *extra], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


class System(Instance):
    def __init__(self, **extra):
        self.imaps = free_port()
        super().__init__(
            relayhost=extra.pop("relayhost", ""),
            extra={"smtpd_tls_security_level": "may",
                   "smtpd_tls_loglevel": "1", **extra},
            master_cf=f"{self.imaps} inet n - n - - imapd\n"
                      "    -o imapd_tls_wrappermode=yes\n")
        cert, key = make(self.etc, "mail.example.com")
        with open(self.etc + "/main.cf", "a") as f:
            f.write(f"smtpd_tls_cert_file = {cert}\n"
                    f"smtpd_tls_key_file = {key}\n")
        self.start()
        self.wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def open(self, c, session=None):
        s = socket.create_connection(("127.0.0.1", self.smtp_port), 10)
        f = s.makefile("rb")
        f.readline()
        say(s, f, "EHLO x")
        say(s, f, "STARTTLS")
        s = c.wrap_socket(s, session=session)
        f = s.makefile("rb")
        say(s, f, "EHLO x")
        return s, f


def say(s, f, command):
    s.sendall(command.encode() + b"\r\n")
    while True:
        line = f.readline()
        if line[3:4] != b"-":
            return line


def resumed(system, c, session, n=1):
    """How many of n connections resume it."""
    got = 0
    for _ in range(n):
        s, f = system.open(c, session)
        got += s.session_reused
        say(s, f, "QUIT")
        s.close()
    return got


def have(session, got):
    assert got == session, f"want {session}, got {got}"


def versions():
    for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        c = context()
        c.maximum_version = c.minimum_version = v
        yield c


@test
def sessions_resumed_by_all_processes():
    with System() as system:
        for c in versions():
            s, f = system.open(c)
            have(False, s.session_reused)
            session = s.session
            say(s, f, "QUIT")
            s.close()
            have(20, resumed(system, c, session, 20))
        pids = set(re.findall(r"smtpd\[(\d+)\]: Anonymous TLS",
                              system.log_text()))
        have(len(system.role_pids()["smtpd"]), len(pids))


@test
def sessions_survive_processes_and_reloads():
    with System() as system:
        c = context()
        s, f = system.open(c)
        session = s.session
        s.close()
        for pid in system.role_pids()["smtpd"]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        system.wait_ready()
        have(5, resumed(system, c, session, 5))
        reload(system)
        have(5, resumed(system, c, session, 5))
        system.process.send_signal(signal.SIGTERM)
        system.process.wait()
        system.start()
        system.wait_ready()
        have(0, resumed(system, c, session))    # the keys are on no disk


@test
def sessions_of_another_service_not_resumed():
    with System() as system:
        c = context()
        s, _ = system.open(c)
        session = s.session
        s.close()
        have(1, resumed(system, c, session))
        with socket.create_connection(("127.0.0.1", system.imaps), 5) as p:
            with c.wrap_socket(p, session=session) as s:
                have(b"* OK", s.recv(4))
                have(False, s.session_reused)
                own = s.session
        with socket.create_connection(("127.0.0.1", system.imaps), 5) as p:
            with c.wrap_socket(p, session=own) as s:
                have(b"* OK", s.recv(4))
                have(True, s.session_reused)


@test
def no_sessions_when_told_so():
    for extra in ({"smtpd_tls_session_cache_timeout": "0"},
                  {"tls_session_ticket_cipher": ""},
                  {"tls_ssl_options": "NO_TICKET"}):
        with System(**extra) as system:
            for c in versions():
                s, _ = system.open(c)
                session = s.session
                s.close()
                have(0, resumed(system, c, session))


def reload(system):
    n = system.log_text().count("reload -- ")
    system.process.send_signal(signal.SIGHUP)
    end = time.time() + 5
    while system.log_text().count("reload -- ") == n and time.time() < end:
        time.sleep(0.01)


@test
def new_certificate_without_losing_anybody():
    with System() as system:
        c = context()
        s, f = system.open(c)
        before = s.getpeercert(True)
        make(system.etc, "mail.example.com")
        reload(system)
        end = time.time() + 5
        after = before
        while after == before and time.time() < end:
            other, _ = system.open(c)
            after = other.getpeercert(True)
            other.close()
        assert after != before, "still the old certificate"
        have(b"250", say(s, f, "NOOP")[:3])
        have(b"250", say(s, f, "MAIL FROM:<x@example.com>")[:3])
        s.close()


@test
def broken_certificate_takes_nothing_away():
    with System() as system:
        c = context()
        s, _ = system.open(c)
        before = s.getpeercert(True)
        s.close()
        with open(system.etc + "/mail.example.com.pem", "w") as f:
            f.write("nonsense\n")
        system.process.send_signal(signal.SIGHUP)
        system.wait_log(r"mail.example.com.pem.*: .*certificate", 20)
        system.wait_log("reload refused", 20)
        s, _ = system.open(c)
        have(before, s.getpeercert(True))
        s.close()


@test
def half_handshakes_end():
    with System(smtpd_starttls_timeout="1") as system:
        s = socket.create_connection(("127.0.0.1", system.smtp_port), 10)
        f = s.makefile("rb")
        f.readline()
        say(s, f, "EHLO x")
        say(s, f, "STARTTLS")
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        start = time.time()
        have(b"", f.read())     # and nothing in clear
        assert time.time() - start < 4, "too late"
        system.wait_log(r"SSL_accept error from \S+: Connection timed out")
        system.wait_log(r"lost connection after STARTTLS")


@test
def clear_text_before_the_handshake_is_nothing():
    with System() as system:
        s = socket.create_connection(("127.0.0.1", system.smtp_port), 10)
        f = s.makefile("rb")
        f.readline()
        say(s, f, "EHLO x")
        have(b"220", say(s, f, "STARTTLS\r\nMAIL FROM:<evil@x.org>")[:3])
        s = context().wrap_socket(s)
        f = s.makefile("rb")
        say(s, f, "EHLO x")
        have(b"503", say(s, f, "RCPT TO:<joe@example.com>")[:3])


@test
def farewell_is_said():
    with System() as system:
        s, f = system.open(context())
        say(s, f, "QUIT")
        s.suppress_ragged_eofs = False
        have(b"", s.recv(10))   # no SSLEOFError


@test
def names_in_certificates_break_no_header():
    with System(smtpd_tls_received_header="yes", smtpd_tls_ask_ccert="yes",
                defer_transports="local, smtp, relay") as system:
        cert, key = make(system.etc, "joe",
                         ("-subj", "/CN=a\r\nX-Evil: 1\")(b", "-utf8"))
        c = context()
        c.load_cert_chain(cert, key)
        s, f = system.open(c)
        for line in ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>",
                     "DATA"):
            say(s, f, line)
        reply = say(s, f, "Subject: x\r\n\r\nx\r\n.")
        queue_id = re.search(rb"queued as (\w+)", reply).group(1).decode()
        text = subprocess.run(
            [os.environ.get("VEREDUS", ROOT_BINARY), "postcat", "-c",
             system.etc, "-q", queue_id], capture_output=True,
            check=True).stdout
        assert b'(Client CN "a??X-Evil: 1???b"' in text, text[:1500]


ROOT_BINARY = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "build/release/veredus")


class TlsSink:
    """Takes mail with STARTTLS, one message a connection; remembers which
    connections were resumed, and the name each asked for."""

    def __init__(self, place, **how):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*make(place, "sink.example"))
        self.context.sni_callback = lambda s, name, _: self.names.append(name)
        self.names, self.reused, self.how = [], [], how
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.serve(s)
            except (OSError, ssl.SSLError):
                pass

    def serve(self, s):
        s.sendall(b"220 sink\r\n")
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"250-sink\r\n250 STARTTLS\r\n")
        if not f.readline().startswith(b"STARTTLS"):
            s.sendall(b"250 ok\r\n")
            self.talk(s, f)
            return
        s.sendall(b"220 go\r\n")
        if self.how.get("silent"):
            s.close()
            f.close()
            return
        if self.how.get("nonsense"):
            s.sendall(b"250 this is no handshake\r\n" * 20)
            f.read()
            return
        with self.context.wrap_socket(s, server_side=True) as s:
            self.reused.append(s.session_reused)
            self.talk(s, s.makefile("rb"))

    @staticmethod
    def talk(s, f):
        while True:
            line = f.readline()
            if not line:
                return
            if line.startswith(b"DATA"):
                s.sendall(b"354 go\r\n")
                while f.readline() not in (b".\r\n", b""):
                    pass
            if line.startswith(b"QUIT"):
                s.sendall(b"221 bye\r\n")
                return
            s.sendall(b"250 ok\r\n")

    def close(self):
        self.listener.close()


def send(system, n):
    """One message after the other, each on a connection of its own."""
    for i in range(n):
        with socket.create_connection(("127.0.0.1", system.smtp_port)) as s:
            f = s.makefile("rb")
            f.readline()
            for line in ("HELO x", "MAIL FROM:<a@example.com>",
                         f"RCPT TO:<b{i}@far.example>", "DATA",
                         "Subject: x\r\n\r\nx\r\n."):
                say(s, f, line)
        system.wait_log(rf"to=<b{i}@far.example>.*status=")


def with_sink(check, how=None, **extra):
    with tempfile.TemporaryDirectory() as place:
        sink = TlsSink(place, **(how or {}))
        try:
            with System(relayhost=f"[127.0.0.1]:{sink.port}",
                        smtp_tls_loglevel="1",
                        smtp_connection_cache_on_demand="no",
                        **{"smtp_tls_security_level": "encrypt",
                           **extra}) as system:
                check(system, sink, place)
        finally:
            sink.close()


@test
def client_resumes():
    def check(system, sink, _):
        send(system, 4)
        have([False, True, True, True], sink.reused)
        have([None] * 4, sink.names)
        system.wait_log(r"Untrusted TLS connection established to "
                        r"127.0.0.1\[127.0.0.1\]:\d+: TLSv1.3 with cipher "
                        r"\S+ \(256/256 bits\) key-exchange")
    with_sink(check)
    with_sink(lambda system, sink, _: (send(system, 2),
                                       have([False, True], sink.reused)),
              smtp_tls_mandatory_protocols="<=TLSv1.2")


@test
def client_asks_for_a_name():
    def check(system, sink, _):
        send(system, 1)
        have(["mx.sink.example"], sink.names)
    with_sink(check, smtp_tls_servername="mx.sink.example")
    with_sink(lambda system, sink, _: (send(system, 1),
                                       have([None], sink.names)),
              smtp_tls_servername="hostname")   # an address is none


def copied(cert, place, name):
    shutil.copy(cert, os.path.join(place, name))


def linked(cert, place, name):
    """As c_rehash and update-ca-certificates do: NAME.0 -> NAME.pem -> the
    file, beside one whose file is gone."""
    os.symlink(cert, os.path.join(place, "authority.pem"))
    os.symlink("authority.pem", os.path.join(place, name))
    os.symlink("gone.pem", os.path.join(place, "00000000.0"))


@test
def client_trusts_authorities_of_a_directory():
    for how in copied, linked:
        trusts_directory(how)


def trusts_directory(how):
    def check(system, sink, place):
        cas = os.path.join(system.etc, "cas")
        os.mkdir(cas)
        cert = os.path.join(place, "sink.example.pem")
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in",
                               cert], capture_output=True, text=True,
                              check=True).stdout.strip()
        how(cert, cas, name + ".0")
        with open(system.etc + "/main.cf", "a") as f:
            f.write(f"smtp_tls_CApath = {cas}\n")
        reload(system)
        time.sleep(0.5)
        send(system, 1)
        system.wait_log("Trusted TLS connection established to")
    with_sink(check)


@test
def client_tells_failures():
    for how, pattern in (
            ({"silent": True}, "SSL_connect error to .*: lost connection"),
            ({"nonsense": True}, "SSL_connect error to .*: -1")):
        def check(system, sink, _):
            send(system, 1)
            system.wait_log(pattern)
            system.wait_log(r"dsn=4.7.5.*Cannot start TLS: handshake failure")
            if "-1" in pattern:
                system.wait_log("warning: TLS library problem: error:.*wrong "
                                "version number")
        with_sink(check, how)


@test
def client_notes_offers():
    def check(system, sink, _):
        send(system, 1)
        system.wait_log(r"Host offered STARTTLS: \[127.0.0.1\]")
    with_sink(check, smtp_tls_security_level="none",
              smtp_tls_note_starttls_offer="yes")


def main():
    words = sys.argv[1:]
    passed = failed = 0
    for fn in [c for c in CASES if not words or c.__name__ in words]:
        try:
            fn()
            passed += 1
        except Exception as e:      # whatever it is, the next one runs
            failed += 1
            print(f"{fn.__name__}: {type(e).__name__}: {str(e)[-3000:]}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
