#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reading through the whole system: doors, readers, TLS, wrong passwords,
many users.  The last line is "N passed, N failed"."""
import imaplib
import os
import poplib
import shutil
import ssl
import subprocess
import sys
import tempfile

from harness import Instance, free_port

UID = os.geteuid() or 2000


class Fixture:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="veredus-mail-")
        os.chown(self.home, UID, UID)
        self.ports = {n: free_port() for n in ("imap", "imaps", "pop", "pops")}
        p = self.ports
        master = (f"{p['imap']} inet n - n - - imapd\n"
                  f"{p['imaps']} inet n - n - - imapd\n"
                  "  -o imapd_tls_wrappermode=yes\n"
                  f"{p['pop']} inet n - n - - pop3d\n"
                  f"{p['pops']} inet n - n - - pop3d\n"
                  "  -o pop3d_tls_wrappermode=yes\n")
        self.inst = Instance(master_cf=master, extra={
            "mailstore_uid": str(UID),
            "mailstore_home": self.home + "/%d/%n",
            "smtpd_tls_security_level": "may"})
        etc = self.inst.etc
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=mail.example.com", "-keyout", etc + "/key.pem", "-out",
             etc + "/cert.pem"], check=True, stderr=subprocess.DEVNULL)
        with open(etc + "/main.cf", "a") as f:
            f.write(f"smtpd_tls_cert_file = {etc}/cert.pem\n"
                    f"smtpd_tls_key_file = {etc}/key.pem\n")
        with open(etc + "/passwd", "w") as f:
            for n in range(20):
                f.write(f"u{n}@example.com:{{PLAIN}}secret{n}::::::\n")
        self.inst.start()

    def close(self):
        self.inst.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def context():
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


def test_plaintext_is_refused_without_tls(f):
    m = imaplib.IMAP4("127.0.0.1", f.ports["imap"])
    assert "LOGINDISABLED" in m.capabilities, m.capabilities
    try:
        m.login("u1@example.com", "secret1")
        raise AssertionError("login went through in clear")
    except imaplib.IMAP4.error:
        pass


def test_starttls(f):
    m = imaplib.IMAP4("127.0.0.1", f.ports["imap"])
    m.starttls(context())
    m.login("u1@example.com", "secret1")
    assert m.append("INBOX", None, None, b"Subject: a\r\n\r\nb\r\n")[0] == "OK"
    assert m.select()[1] == [b"1"]
    m.logout()


def test_wrapped_imap_large_message(f):
    body = b"Subject: big\r\n\r\n" + b"x" * 76 * 0 + b"0123456789\r\n" * 200000
    m = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    m.login("u2@example.com", "secret2")
    m.append("INBOX", None, None, body)
    m.select()
    got = m.fetch("1", "(BODY.PEEK[])")[1][0][1]
    assert got == body, (len(got), len(body))
    m.logout()


def test_wrapped_pop(f):
    p = poplib.POP3_SSL("127.0.0.1", f.ports["pops"], context=context())
    p.user("u1@example.com")
    p.pass_("secret1")
    assert p.stat()[0] == 1
    p.dele(1)
    p.quit()
    p = poplib.POP3("127.0.0.1", f.ports["pop"])
    p.stls(context())
    p.user("u1@example.com")
    p.pass_("secret1")
    assert p.stat()[0] == 0
    p.quit()


def test_wrong_password(f):
    m = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    try:
        m.login("u3@example.com", "nonsense")
        raise AssertionError("logged in")
    except imaplib.IMAP4.error as e:
        assert "AUTHENTICATIONFAILED" in str(e), e
    f.inst.wait_log(r"unknown\[127\.0\.0\.1\]: SASL \S+ authentication failed")


def test_idle_hears_of_new_mail(f):
    a = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    a.login("u4@example.com", "secret4")
    a.select()
    a.send(b"x IDLE\r\n")
    assert a.readline().startswith(b"+")
    b = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    b.login("u4@example.com", "secret4")
    b.append("INBOX", None, None, b"Subject: new\r\n\r\n")
    a.sock.settimeout(10)
    assert b"EXISTS" in a.readline()


def test_many_users_at_once(f):
    ms = []
    for n in range(20):
        m = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                              ssl_context=context())
        m.login(f"u{n}@example.com", f"secret{n}")
        ms.append(m)
    for m in ms:
        assert m.select()[0] == "OK"
    for m in ms:
        m.logout()


def test_reader_dies_and_comes_back(f):
    import signal
    m = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    m.login("u5@example.com", "secret5")
    for pid in f.inst.role_pids().get("reader", []):
        os.kill(pid, signal.SIGKILL)
    try:
        m.select()
    except (imaplib.IMAP4.abort, OSError):
        pass
    m = imaplib.IMAP4_SSL("127.0.0.1", f.ports["imaps"],
                          ssl_context=context())
    m.login("u5@example.com", "secret5")
    assert m.select()[0] == "OK"


def main():
    f = Fixture()
    passed = failed = 0
    try:
        for name, test in list(globals().items()):
            if not name.startswith("test_"):
                continue
            try:
                test(f)
                passed += 1
            except Exception as e:
                failed += 1
                print(f"FAILED {name}: {type(e).__name__}: {e}")
        if failed:
            print(f.inst.log_text()[-3000:])
    finally:
        f.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
