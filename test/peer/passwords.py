#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stored passwords: what Dovecot's doveadm makes by each of its schemes lets
its user in here and nobody else, and what it cannot read lets nobody in here.
The last line is "N passed, N failed".

    test/peer/passwords.py [-v]
"""
import base64
import os
import secrets
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import dovecot       # noqa: E402
from harness import ROOT, Instance, free_port       # noqa: E402

PEER = os.environ.get("PEER_DOVECOT_ROOT", os.path.join(ROOT,
                                                        "build/peer/root"))
DOVEADM = os.path.join(PEER, "usr/bin/doveadm")
# One-time passwords are no passwords, and MD4 is in no library of today.
NOT_OURS = {"OTP", "PLAIN-MD4"}
SECRETS = ["secret", "p\u00e4ss w\u00f6rd", "x" * 65, "{}:$,%\\\"'",
           secrets.token_urlsafe(9)]
WRONG = "not the one"

# Whether Dovecot takes these for "secret" is asked, not known.
ODD = [
    "{plain}secret", "{PLAIN.b64}c2VjcmV0", "{PLAIN.B64}c2VjcmV0",
    "{PLAIN.base64}c2VjcmV0", "{PLAIN.hex}736563726574",
    "{PLAIN.HEX}736563726574", "{PLAIN.x}secret", "{PLAIN-TRUNC}4-secr",
    "{PLAIN-TRUNC}9-secret", "{PLAIN-TRUNC}6-secret", "{PLAIN-TRUNC}secret",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ",
    "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA.HEX}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4",
    "{SHA.b64}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{CRAM-MD5}zTun3qrW5cojRIukLjeXR6ng9/H7wAyKgbuqw5VzG1Y=",
    "{SHA256-CRYPT}$1$HuBXswqC$urRstSteJHvSf7aAkgr1U1",
    "{CRYPT}$1$HuBXswqC$urRstSteJHvSf7aAkgr1U1",
    "{SSHA}f42b838dfe2f687b52fe0985cb5328a5153dd25d5eeaaf7f",
    "{NONESUCH}secret", "{SHA}", "{SHA}secret", "{PBKDF2}$1$a$1$00",
    "{SCRAM-SHA-1}4096,x", "{ARGON2ID}x", "{CRYPT}x", "{CRYPT}*",
]


def pw(*words):
    env = dovecot.environment(PEER + "/usr/lib/dovecot")
    return subprocess.run([DOVEADM, "-O", "pw", *words], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def made(scheme, secret, user):
    done = pw("-s", scheme, "-p", secret, "-u", user)
    return done.stdout.strip() if done.returncode == 0 else None


def read(stored, secret, user):
    """Whether Dovecot takes one for the other; it does not read all that it
    makes."""
    return "(verified)" in pw("-t", stored, "-p", secret, "-u", user).stdout


def cases():
    """(user, stored, secret, whether it is right)"""
    schemes = [s for s in pw("-l").stdout.split() if s not in NOT_OURS]
    plain = [s + e for s in schemes for e in ("", ".b64", ".hex")]
    jobs = [(s, SECRETS[(i + k) % len(SECRETS)])
            for i, s in enumerate(plain) for k in range(2)]
    users = [f"u{n}@house.example" for n in range(len(jobs))]
    with ThreadPoolExecutor(2) as pool:
        stored = list(pool.map(lambda j: made(*j[0], j[1]),
                               zip(jobs, users)))
    for (scheme, secret), user, text in zip(jobs, users, stored):
        # a field of a passwd-file ends at a colon
        if text and ":" not in text:
            yield user, text, secret, read(text, secret, user)
    for n, text in enumerate(ODD):
        user = f"odd{n}@house.example"
        yield user, text, "secret", read(text, "secret", user)


def login(port, n, user, secret):
    """From an address of its own: nobody pays for others' wrong ones."""
    with socket.create_connection(
            ("127.0.0.1", port), 120,
            (f"127.1.{n // 250}.{n % 250 + 1}", 0)) as s:
        f = s.makefile("rwb")
        f.readline()
        f.write(b"EHLO x\r\n")
        f.flush()
        while f.readline()[3:4] == b"-":
            pass
        f.write(b"AUTH PLAIN " + base64.b64encode(
            f"\0{user}\0{secret}".encode()) + b"\r\n")
        f.flush()
        return f.readline().decode()[:3]


def main():
    verbose = "-v" in sys.argv
    if not os.path.exists(DOVEADM):
        print("0 passed, 0 failed, 1 skipped")
        return 0
    asked = list(cases())
    port = free_port()
    inst = Instance(extra={"smtpd_sasl_auth_enable": "yes",
                           "auth_failure_delay": "1s"},
                    master_cf=f"{port} inet n - n - - smtpd\n")
    with open(inst.etc + "/passwd", "w") as f:
        for user, stored, _, _ in asked:
            f.write(f"{user}:{stored}::::::\n")
    passed = failed = 0
    inst.start()
    try:
        questions = [(*a, False) for a in asked] + [(*a, True) for a in asked]
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(
                lambda n, q: login(port, n, q[0], WRONG if q[4] else q[2]),
                range(len(questions)), questions))
        for (user, stored, secret, good, wrong), got in zip(questions,
                                                            answers):
            want = "235" if good and not wrong else "535"
            passed += got == want
            failed += got != want
            if got != want or verbose:
                print("FAILED" if got != want else "ok", user, stored,
                      repr(WRONG if wrong else secret), got)
    finally:
        inst.stop()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
