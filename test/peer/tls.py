#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""TLS of the SMTP server beside Postfix' own: what is agreed, whom it lets
relay, what it logs, what it writes into Received:.

    test/peer/tls.py [-v] [group ...]
"""
import glob
import importlib.util
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location(
    "peer_smtpd", os.path.join(HERE, "smtpd.py"))
peer_smtpd = importlib.util.module_from_spec(spec)
sys.path.insert(0, HERE)
spec.loader.exec_module(peer_smtpd)

warnings.simplefilter("ignore", DeprecationWarning)     # old protocols
DIR = tempfile.mkdtemp(prefix="veredus-tls-", dir="/tmp")
os.chmod(DIR, 0o755)


def path(name):
    return os.path.join(DIR, name)


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make(name, key, ca=None, extra=()):
    """NAME.key and NAME.pem, signed by ca or itself; NAME.chain has both."""
    kind = {"rsa": ["rsa:2048"],
            "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}[key]
    signed = ["-CA", path(ca + ".pem"), "-CAkey", path(ca + ".key")] \
        if ca else []
    try:
        openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", "3",
                "-keyout", path(name + ".key"), "-out", path(name + ".pem"),
                "-subj", f"/CN={name}.example", *signed, *extra)
    except subprocess.CalledProcessError:
        raise RuntimeError("openssl req") from None
    with open(path(name + ".chain"), "w") as f:
        for end in (".key", ".pem"):
            with open(path(name + end)) as g:
                f.write(g.read())


def fingerprint(name, key=False):
    with open(path(name + ".pem"), "rb") as f:
        der = ssl.PEM_cert_to_DER_cert(f.read().decode())
    if key:
        pem = subprocess.run(["openssl", "x509", "-in", path(name + ".pem"),
                              "-pubkey", "-noout"], capture_output=True,
                             check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"],
                             input=pem, capture_output=True,
                             check=True).stdout
    import hashlib
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[i:i + 2] for i in range(0, len(digest), 2))


def certificates():
    make("rsa", "rsa")
    make("ec", "ec")
    make("ca", "ec")
    make("other", "ec")
    make("joe", "rsa", "ca")
    make("ann", "ec", "ca")
    make("eve", "ec", "other")
    os.mkdir(path("cas"))
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in",
                           path("ca.pem")], capture_output=True, text=True,
                          check=True).stdout.strip()
    shutil.copy(path("ca.pem"), path(f"cas/{name}.0"))
    openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
            "group:ffdhe2048", "-out", path("dh.pem"))


class How:
    """What a client of ours does."""

    def __init__(self, least=None, most=None, ciphers=None, curve=None,
                 cert=None, wrapped=False, raw=None, then=(), wait=0):
        self.least, self.most, self.ciphers = least, most, ciphers
        self.curve, self.cert, self.wrapped = curve, cert, wrapped
        self.raw, self.then, self.wait = raw, then, wait

    def context(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        ciphers = self.ciphers
        c.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        c.minimum_version = self.least or ssl.TLSVersion.TLSv1
        if self.most:
            c.maximum_version = self.most
        if self.curve:
            c.set_ecdh_curve(self.curve)
        if self.cert:
            c.load_cert_chain(path(self.cert + ".pem"),
                              path(self.cert + ".key"))
        return c


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
V11 = ssl.TLSVersion.TLSv1_1
MAIL = ["MAIL FROM:<x@y.org>", "RCPT TO:<x@far.org>", "QUIT"]
HERE_MAIL = ["MAIL FROM:<x@y.org>", "RCPT TO:<joe@local.org>", "DATA",
             "Subject: x\r\n\r\nx\r\n.", "QUIT"]
TWO = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"


def may(**more):
    return {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            **more}


def must(**more):
    return may(**{"smtpd_tls_security_level": "encrypt", **more})


def relays(words, **more):
    return must(smtpd_tls_ask_ccert="yes", smtpd_tls_CAfile=path("ca.pem"),
                smtpd_tls_fingerprint_digest="sha256", mynetworks="",
                smtpd_relay_restrictions=words + ", reject", **more)


def groups():
    plain = [How(), How(most=V12), How(most=V11)]
    who = [How(then=MAIL), How(cert="joe", then=MAIL),
           How(cert="ann", then=MAIL), How(cert="eve", then=MAIL)]
    both = f"{path('rsa.chain')}, {path('ec.chain')}"
    split = f"{path('ec.key')}, {path('ec.pem')}"
    joe, key = fingerprint("joe"), fingerprint("ann", True)
    return {
        "may": (may(), plain + [How(curve="prime256v1"), How(curve="secp384r1"),
                                How(curve="secp521r1"),
                                How(most=V12, curve="prime256v1")]),
        "quiet": (may(smtpd_tls_loglevel="0"), [How()]),
        "most": (may(smtpd_tls_protocols=">=TLSv1.2, <=TLSv1.2"), plain),
        "not": (may(smtpd_tls_protocols="!SSLv2, !SSLv3, !TLSv1.3"), plain),
        "only": (may(smtpd_tls_protocols="TLSv1.3"), plain),
        "mandatory": (must(smtpd_tls_mandatory_protocols=">=TLSv1.3",
                           smtpd_tls_protocols="<=TLSv1.2"), plain),
        "exclude": (may(smtpd_tls_exclude_ciphers="AES128, SHA1"),
                    [How(most=V12, ciphers=TWO),
                     How(most=V12, ciphers="ECDHE-RSA-AES128-GCM-SHA256")]),
        "exclude_must": (must(smtpd_tls_mandatory_exclude_ciphers="AES256"),
                         [How(most=V12, ciphers=TWO),
                          How(most=V12,
                              ciphers="ECDHE-RSA-AES256-GCM-SHA384")]),
        "grade": (may(smtpd_tls_ciphers="high",
                      tls_high_cipherlist="ECDHE-RSA-AES256-GCM-SHA384"),
                  [How(most=V12, ciphers=TWO),
                   How(most=V12, ciphers="ECDHE-RSA-AES128-GCM-SHA256")]),
        "order": (may(tls_preempt_cipherlist="yes"),
                  [How(most=V12, ciphers=TWO)]),
        "no_order": (may(), [How(most=V12, ciphers=TWO)]),
        "curves": (may(tls_eecdh_auto_curves="secp384r1 nonsense X448"),
                   [How(), How(most=V12), How(curve="prime256v1", most=V12,
                                              ciphers=TWO)]),
        # these grades leave the peer's choice for TLS 1.3 as it was, against
        # what its manual says; ours is the manual's
        "grade_strong": (may(smtpd_tls_eecdh_grade="strong"),
                         [How(most=V12), How(curve="prime256v1")]),
        "grade_ultra": (may(smtpd_tls_eecdh_grade="ultra"),
                        [How(most=V12), How(curve="secp384r1")]),
        "dh": (may(smtpd_tls_dh1024_param_file=path("dh.pem")),
               [How(most=V12, ciphers="kDHE:@SECLEVEL=1")]),
        "dh_built_in": (may(), [How(most=V12, ciphers="kDHE:@SECLEVEL=1")]),
        "chain": (may(smtpd_tls_chain_files=both),
                  [How(), How(most=V12, ciphers="aRSA"),
                   How(most=V12, ciphers="aECDSA")]),
        "chain_split": (may(smtpd_tls_chain_files=split),
                        [How(), How(most=V12)]),
        "eccert": (may(smtpd_tls_eccert_file=path("ec.pem"),
                       smtpd_tls_eckey_file=path("ec.key")),
                   [How(), How(most=V12, ciphers="aRSA"),
                    How(most=V12, ciphers="aECDSA")]),
        "options": (may(tls_ssl_options="NO_TICKET, PRIORITIZE_CHACHA"),
                    [How(), How(most=V12)]),
        "ask": (may(smtpd_tls_ask_ccert="yes",
                    smtpd_tls_CAfile=path("ca.pem")),
                who + [How(cert="joe", most=V12)]),
        "ask_dir": (may(smtpd_tls_ask_ccert="yes",
                        smtpd_tls_CApath=path("cas")), who),
        "require": (must(smtpd_tls_req_ccert="yes",
                         smtpd_tls_CAfile=path("ca.pem")), who),
        "require_may": (may(smtpd_tls_req_ccert="yes",
                            smtpd_tls_CAfile=path("ca.pem")), who[:2]),
        "relay_all": (relays("permit_tls_all_clientcerts"), who),
        "relay_some": (relays("permit_tls_clientcerts",
                              relay_clientcerts="inline:{ {%s=joe} {%s=ann} }"
                              % (joe, key)), who),
        "relay_self": (relays("permit_tls_clientcerts",
                              relay_clientcerts="inline:{ {%s=eve} }"
                              % fingerprint("eve")), who),
        "access": (relays("check_ccert_access inline:{ {%s=OK} "
                          "{%s=REJECT not you} }" % (joe, key)), who),
        "wrapped": (must(smtpd_tls_wrappermode="yes"),
                    [How(wrapped=True), How(wrapped=True, raw=b"EHLO x\r\n")]),
        "broken": (may(smtpd_starttls_timeout="1s"),
                   [How(raw=b"GET / HTTP/1.0\r\n\r\n" * 9), How(raw=b""),
                    How(raw=b"", wait=2),
                    How(raw=b"\x16\x03\x01\x00\x05\x01\x00", wait=2)]),
        "received": (may(smtpd_tls_received_header="yes",
                         smtpd_tls_ask_ccert="yes",
                         smtpd_tls_CAfile=path("ca.pem")),
                     [How(then=HERE_MAIL), How(most=V12, then=HERE_MAIL),
                      How(cert="joe", then=HERE_MAIL),
                      How(cert="eve", then=HERE_MAIL),
                      How(cert="ann", most=V12, then=HERE_MAIL)]),
        "received_none": (may(smtpd_tls_received_header="yes"),
                          [How(then=HERE_MAIL),
                           How(curve="prime256v1", then=HERE_MAIL)]),
    }


def line_of(f):
    try:
        return f.readline().decode("latin-1").rstrip() or "(closed)"
    except OSError:
        return "(closed)"


def reply_of(f):
    while True:
        line = line_of(f)
        if line[3:4] != "-":
            return line


def raw_end(s, how):
    """Whatever comes after bytes that are no handshake; alerts are bytes."""
    s.settimeout(5)
    got = b""
    try:
        if how.wait:
            time.sleep(how.wait)
        else:
            s.shutdown(socket.SHUT_WR)
        while True:
            more = s.recv(1000)
            if not more:
                break
            got += more
    except OSError:
        pass
    return ["an alert" if got[:1] == b"\x15" else got[:20].decode("latin-1")]


def play(port, how):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        f = s.makefile("rb")
        if not how.wrapped:
            said = [reply_of(f)]
            for word in ("EHLO x", "STARTTLS"):
                s.sendall(word.encode() + b"\r\n")
                said.append(reply_of(f))
        if how.raw is not None:
            s.sendall(how.raw)
            return raw_end(s, how)
        try:
            s = how.context().wrap_socket(s)
        except (ssl.SSLError, OSError) as e:
            return [getattr(e, "reason", None) or "closed"]
        return talk(s, how)


def talk(s, how):
    with s:
        f = s.makefile("rb")
        said = [s.version(), s.cipher()[0]]
        if how.wrapped:
            said.append(reply_of(f))
        for word in ["EHLO x", *how.then]:
            try:
                s.sendall(word.encode() + b"\r\n")
            except OSError:
                pass
            said.append(reply_of(f))
        f.close()
        return [re.sub("queued as .*", "queued", x) for x in said]


LINES = re.compile(r"smtpd\[\d+\]: (.*(?:TLS|SSL_accept|lost connection"
                   r"|timeout after|client certs|NOQUEUE).*)")
ENDED = re.compile(r"smtpd\[\d+\]: disconnect from.*\n")


def log_since(system, at):
    end, text = time.time() + 5, ""
    while time.time() < end and not ENDED.search(text):
        time.sleep(0.02)
        with open(system.log, errors="replace") as f:
            f.seek(at)
            text = system.normal(f.read())
    lines = [re.sub(r":\.\./.*", ":", x) for x in LINES.findall(text)]
    return [re.sub(r"helo=.*", "", x) for x in lines
            if "Can't require" not in x]


def received(system, seen):
    """What the headers of messages say that were not there before."""
    found = []
    for name in (glob.glob(os.path.join(system.dir, "spool", "*", "*"))
                 + glob.glob(os.path.join(system.dir, "queue", "log", "*"))):
        if not os.path.isfile(name):
            continue
        with open(name, "rb") as f:
            text = f.read()
        at = text.find(b"(using TLS")
        while at >= 0:
            found.append(system.normal(text[at:at + 500].decode("latin-1")))
            at = text.find(b"(using TLS", at + 1)
    # the peer's queue files have a record's head before each line
    new = {re.sub(r"\s+", " ", re.sub(r"[\r\n]*(N.)?\t", " ", h))
           .partition(" by mx.")[0] for h in found if h not in seen}
    seen.update(found)
    return sorted(new)


def outcome(system, port, how, seen, wants_received):
    try:
        at = os.path.getsize(system.log)
    except OSError:
        at = 0
    said = play(port, how)
    lines = log_since(system, at)
    return {"said": said, "log": lines,
            "received": received(system, seen) if wants_received else []}


def compare(peer, ours, cases, verbose):
    passed = failed = 0
    seen = {peer: set(), ours: set()}
    for name, (_, hows) in cases.items():
        for n, how in enumerate(hows):
            wants = name.startswith("received")
            a = outcome(peer, peer.ports[name], how, seen[peer], wants)
            b = outcome(ours, ours.ports[name], how, seen[ours], wants)
            good = a == b and (not wants or a["received"])
            passed, failed = passed + bool(good), failed + (not good)
            if verbose or not good:
                print(f"{name} {n}:", "alike" if good else "DIFFERS")
                for k, v in a.items():
                    print("   peer", k, v)
                    if v != b[k]:
                        print("     we", k, b[k])
    return passed, failed


def main():
    if os.getuid() != 0 or not os.path.exists(
            os.path.join(peer_smtpd.ROOT, "usr/lib/postfix/sbin/master")):
        print("the peer cannot be run here")
        return 77
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    peer = ours = None
    try:
        certificates()
        cases = {k: v for k, v in groups().items() if not words or k in words}
        peer = peer_smtpd.Peer(cases, None)
        ours = peer_smtpd.Ours(cases, None)
        passed, failed = compare(peer, ours, cases, "-v" in sys.argv)
    finally:
        if ours and "-l" in sys.argv:
            print(ours.log_text())
        for system in (peer, ours):
            if system:
                system.stop()
        shutil.rmtree(DIR, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
