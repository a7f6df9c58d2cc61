# SPDX-License-Identifier: ISC
"""A system as an ordinary host has it: submission, IMAP and POP3 with TLS,
virtual mailboxes that SMTP fills and readers read, a certificate that clients
can check, and a few accounts."""
import imaplib
import os
import poplib
import shutil
import ssl
import subprocess
import tempfile

from harness import Instance, free_port

UID = os.geteuid() or 2000
DOMAIN = "house.example"
SERVICES = ("submission", "smtps", "imap", "imaps", "pop", "pops")

MASTER_CF = """\
{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
{imap} inet n - n - - imapd
{imaps} inet n - n - - imapd
  -o imapd_tls_wrappermode=yes
{pop} inet n - n - - pop3d
{pops} inet n - n - - pop3d
  -o pop3d_tls_wrappermode=yes
"""


class House:
    """extra: more of main.cf; users: how many accounts, u0 ..."""

    def __init__(self, extra=None, users=10):
        self.home = tempfile.mkdtemp(prefix="veredus-mail-")
        os.chown(self.home, UID, UID)
        os.chmod(self.home, 0o755)
        self.port = {name: free_port() for name in SERVICES}
        settings = {
            "mailstore_uid": str(UID),
            "mailstore_home": self.home + "/%d/%n",
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_base": self.home,
            "virtual_uid_maps": f"static:{UID}",
            "virtual_gid_maps": f"static:{UID}",
            "smtpd_tls_security_level": "may",
        }
        settings.update(extra or {})
        self.inst = Instance(master_cf=MASTER_CF.format(**self.port),
                             extra=settings)
        etc = self.inst.etc
        self.cert = os.path.join(etc, "cert.pem")
        self.certify(self.cert, os.path.join(etc, "key.pem"))
        boxes = ", ".join(f"{{u{n}@{DOMAIN}={DOMAIN}/u{n}/Maildir/}}"
                          for n in range(users))
        with open(etc + "/main.cf", "a") as f:
            f.write(f"smtpd_tls_cert_file = {etc}/cert.pem\n"
                    f"smtpd_tls_key_file = {etc}/key.pem\n"
                    f"virtual_mailbox_maps = inline:{{ {boxes} }}\n")
        with open(etc + "/passwd", "w") as f:
            for n in range(users):
                f.write(f"u{n}@{DOMAIN}:{{PLAIN}}secret{n}::::::\n")
        try:
            self.inst.start()
        except Exception:
            self.close()
            raise

    @staticmethod
    def certify(cert, key):
        """A certificate of its own for localhost."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
             "-out", cert], check=True, stderr=subprocess.DEVNULL)

    def close(self):
        self.inst.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def context(self):
        """Trusts our certificate and no other."""
        return ssl.create_default_context(cafile=self.cert)

    def maildir(self, n):
        return os.path.join(self.home, DOMAIN, f"u{n}", "Maildir")

    def imap(self, n, service="imaps"):
        if service == "imaps":
            m = imaplib.IMAP4_SSL("localhost", self.port["imaps"],
                                  ssl_context=self.context(), timeout=30)
        else:
            m = imaplib.IMAP4("localhost", self.port["imap"], timeout=30)
            m.starttls(self.context())
        m.login(f"u{n}@{DOMAIN}", f"secret{n}")
        return m

    def pop(self, n, service="pops"):
        if service == "pops":
            p = poplib.POP3_SSL("localhost", self.port["pops"],
                                context=self.context(), timeout=30)
        else:
            p = poplib.POP3("localhost", self.port["pop"], timeout=30)
            p.stls(self.context())
        p.user(f"u{n}@{DOMAIN}")
        p.pass_(f"secret{n}")
        return p
