#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Logging in to read mail, through the whole system: what may be sent in
clear, wrong passwords and their log lines, limits, time limits, clients that
leave at any point.  The last line is "N passed, N failed".

    test/login.py [name ...]
"""
import base64
import re
import socket
import sys
import time

from mailhouse import DOMAIN, House

# As fail2ban's filter "postfix" has it, mode "auth".
FAIL2BAN = (r"^\S+ +\d+ [\d:]+ \S+ postfix(-\w+)?/\w+(?:/smtp[ds])?\[\d+\]: "
            r"(?:warning: )?[^[]*\[(?P<host>[^]]+)\]: SASL "
            r"((?i:LOGIN|PLAIN|(?:CRAM|DIGEST)-MD5)) authentication failed:"
            r"(?! Connection lost to authentication server"
            r"| Invalid authentication mechanism)")


class Wire:
    """Lines over a socket, with TLS when asked."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 20)
        self.f = self.s.makefile("rb")

    def tls(self, context):
        self.s = context.wrap_socket(self.s, server_hostname="localhost")
        self.f = self.s.makefile("rb")
        return self

    def line(self):
        return self.f.readline().decode("latin-1").rstrip("\r\n")

    def say(self, text):
        self.s.sendall(text.encode("latin-1") + b"\r\n")

    def ask(self, text):
        """IMAP: up to the tagged line."""
        self.say("a " + text)
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith("a "):
            lines.append(self.line())
        return lines

    def close(self):
        self.f.close()
        self.s.close()


def imaps(house):
    w = Wire(house.port["imaps"]).tls(house.context())
    w.line()
    return w


def test_nothing_in_clear(house):
    w = Wire(house.port["imap"])
    assert "LOGINDISABLED" in w.line()
    assert "AUTH=" not in w.ask("CAPABILITY")[0]
    assert w.ask(f"LOGIN u0@{DOMAIN} secret0")[-1].startswith(
        "a NO [PRIVACYREQUIRED]")
    assert "a NO" in w.ask("AUTHENTICATE PLAIN AHUwAHNlY3JldDA=")[-1]
    w.close()
    w = Wire(house.port["pop"])
    w.line()
    w.say("USER u0@" + DOMAIN)
    assert w.line().startswith("-ERR")
    w.say("CAPA")
    caps = []
    while not caps or caps[-1] != ".":
        caps.append(w.line())
    assert "STLS" in caps and not any(c.startswith(("USER", "SASL"))
                                      for c in caps), caps
    w.close()


def test_what_follows_starttls_is_thrown_away(house):
    for service, word in (("imap", "a STARTTLS\r\nb CAPABILITY\r\n"),
                          ("pop", "STLS\r\nCAPA\r\n")):
        w = Wire(house.port[service])
        w.line()
        w.s.sendall(word.encode())
        assert re.match(r"a OK|\+OK", w.line())
        w.tls(house.context())
        w.say("c NOOP" if service == "imap" else "NOOP")
        # the first word under TLS answers ours, not what came before it
        assert re.match(r"c OK|\+OK$", w.line())
        w.say("c LOGOUT" if service == "imap" else "QUIT")
        assert re.match(r"\* BYE|\+OK Logging", w.line())
        w.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def test_wrong_passwords(house):
    w = imaps(house)
    start = time.monotonic()
    assert "AUTHENTICATIONFAILED" in w.ask(f"LOGIN u0@{DOMAIN} x")[-1]
    assert time.monotonic() - start > 0.9, "no delay"
    bad = b64(f"\0u0@{DOMAIN}\0x")
    assert "AUTHENTICATIONFAILED" in w.ask("AUTHENTICATE PLAIN " + bad)[-1]
    for _ in range(7):
        assert "AUTHENTICATIONFAILED" in w.ask("AUTHENTICATE PLAIN "
                                               + bad)[-1]
    w.say(f"a LOGIN nosuch@{DOMAIN} secret0")
    lines = [w.line(), w.line()]
    assert "a NO [AUTHENTICATIONFAILED]" in lines[0], lines
    assert lines[1].startswith("* BYE") and w.line() == "", lines
    w.close()
    p = Wire(house.port["pops"]).tls(house.context())
    p.line()
    p.say("USER u0@" + DOMAIN)
    p.line()
    p.say("PASS x")
    assert p.line().startswith("-ERR [AUTH]")
    p.close()


def smtps(house):
    w = Wire(house.port["smtps"]).tls(house.context())
    w.line()
    w.say("EHLO x")
    while w.line()[3:4] == "-":
        pass
    return w


def tries_imap(w, user, secret):
    yield w.ask(f"LOGIN {user} {secret}")[-1].startswith("a OK")
    yield w.ask("AUTHENTICATE PLAIN " + b64(f"\0{user}\0{secret}"))[
        -1].startswith("a OK")
    w.say("a AUTHENTICATE LOGIN")
    for word in (user, secret):
        assert w.line().startswith("+ ")
        w.say(b64(word))
    answer = w.line()
    while answer.startswith("*"):
        answer = w.line()
    yield answer.startswith("a OK")


def tries_pop(w, user, secret):
    w.say("USER " + user)
    assert w.line().startswith("+OK")
    w.say("PASS " + secret)
    yield w.line().startswith("+OK")
    w.say("AUTH PLAIN " + b64(f"\0{user}\0{secret}"))
    yield w.line().startswith("+OK")


def tries_smtp(w, user, secret):
    w.say("AUTH PLAIN " + b64(f"\0{user}\0{secret}"))
    yield w.line().startswith("235")
    w.say("AUTH LOGIN")
    for word in (user, secret):
        assert w.line().startswith("334")
        w.say(b64(word))
    yield w.line().startswith("235")


def pops(house):
    w = Wire(house.port["pops"]).tls(house.context())
    w.line()
    return w


def test_zz_one_password_by_every_mechanism(house):
    """A program that has a wrong password tries it in every way, shows a
    dialog, and goes on with the right one on the connection that it has."""
    user = "u3@" + DOMAIN
    for connect, tries in ((imaps, tries_imap), (pops, tries_pop),
                           (smtps, tries_smtp)):
        w = connect(house)
        start = time.monotonic()
        for _ in range(2):
            assert not any(list(tries(w, user, "mistyped"))), tries
        assert next(tries(w, user, "secret3")), tries
        took = time.monotonic() - start
        assert took < 20, (tries, took)     # the delay of 6, and a busy host
        w.close()


def quick(house, n):
    """How long a right login takes from here."""
    w = imaps(house)
    start = time.monotonic()
    assert "a OK" in w.ask(f"LOGIN u{n}@{DOMAIN} secret{n}")[-1]
    took = time.monotonic() - start
    w.ask("LOGOUT")
    w.close()
    return took


def test_zz_neighbours_of_a_guesser(house):
    """Somebody guesses; others behind the same address get in within a
    second, and that they do is no help to who guesses on."""
    many = [smtps(house) for _ in range(5)]
    for i, w in enumerate(many):
        w.say("AUTH PLAIN " + b64(f"\0u1@{DOMAIN}\0guess{i}"))
    for w in many:
        assert w.line().startswith("535")
    for _ in range(3):
        assert quick(house, 2) < 8          # of 16, where it waited whole
    start = time.monotonic()
    many[0].say("AUTH PLAIN " + b64(f"\0u1@{DOMAIN}\0guess9"))
    assert many[0].line().startswith("535")
    assert time.monotonic() - start > 10, "own logins end the penalty"
    for w in many:
        w.close()


def test_log_lines(house):
    time.sleep(1)  # for what the sessions before have to say
    before = house.inst.log_text().count("\n")
    w = imaps(house)
    w.ask(f"LOGIN u0@{DOMAIN} wrong")
    assert "a OK" in w.ask(f"LOGIN u0@{DOMAIN} secret0")[-1]
    w.ask("LOGOUT")
    w.close()
    house.inst.wait_log(r"postfix/imap\[\d+\]: logout: user=<u0@[^>]*>, "
                        r"in=\d+ out=\d+")
    p = Wire(house.port["pops"]).tls(house.context())
    p.line()
    for word in ("USER u0@" + DOMAIN, "PASS wrong"):
        p.say(word)
        p.line()
    p.close()
    for _ in range(400):  # who failed before waits longer
        lines = house.inst.log_text().split("\n")[before:]
        if any("pop3d" in x and "authentication failed" in x for x in lines):
            break
        time.sleep(0.1)
    hits = [m for m in (re.match(FAIL2BAN, l) for l in lines) if m]
    assert [m["host"] for m in hits] == ["127.0.0.1"] * 2, lines
    assert any(re.search(r"login: user=<u0@\S+>, method=LOGIN, "
                         r"rip=127\.0\.0\.1, lip=127\.0\.0\.1, TLS", l)
               for l in lines), lines
    assert not any("secret" in l or "wrong" in l for l in lines), lines


def test_clients_that_leave(house):
    """At any point of a dialogue, with and without a farewell."""
    talk = (f"a LOGIN u1@{DOMAIN} secret1\r\nb SELECT INBOX\r\n"
            "c APPEND INBOX {9}\r\nSubject: \r\nd IDLE\r\nDONE\r\n").encode()
    for n in range(0, len(talk), 7):
        w = imaps(house)
        w.s.sendall(talk[:n])
        if n % 2:
            w.s.shutdown(socket.SHUT_RDWR)
        w.close()
        time.sleep(0.05)        # not all of them at once: there is a limit
    talk = f"USER u1@{DOMAIN}\r\nPASS secret1\r\nSTAT\r\nLIST\r\n".encode()
    for n in range(0, len(talk), 5):
        w = Wire(house.port["pops"]).tls(house.context())
        w.s.sendall(talk[:n])
        w.close()
    for n in range(0, 40, 5):   # in the middle of a handshake
        w = Wire(house.port["imaps"])
        w.s.sendall(b"\x16\x03\x01\x00\xa0\x01\x00\x00\x9c\x03\x03"
                    + b"x" * n)
        w.close()
    m = house.imap(1)
    assert m.select()[0] == "OK"
    m.logout()
    assert "panic" not in house.inst.log_text()


def test_garbage_before_login(house):
    w = imaps(house)
    try:
        for _ in range(25):
            w.say("GET / HTTP/1.1")
    except OSError:
        pass            # it has heard enough already
    lines = []
    while not lines or lines[-1]:
        lines.append(w.line())
    assert "* BYE" in lines[-2] and len(lines) < 25, lines
    w.close()
    w = imaps(house)
    w.say("a " + "x" * 100000)
    assert "BAD" in w.line()
    w.say("b LOGIN {100000}")
    assert "BAD" in w.line()
    w.say("c NOOP")
    assert "c OK" in w.line()
    w.close()


def test_one_address_has_its_limit(house):
    many = []
    for _ in range(15):
        w = imaps(house)
        assert "a OK" in w.ask(f"LOGIN u2@{DOMAIN} secret2")[-1]
        many.append(w)
    w = Wire(house.port["imap"])
    assert w.line().startswith("* BYE Too many connections"), w
    assert w.line() == ""
    house.inst.wait_log(r"\[127\.0\.0\.1\]: too many connections")
    many.pop().close()
    time.sleep(0.5)
    imaps(house).close()
    for w in many:
        w.close()
    time.sleep(0.5)


def test_silence_ends_sessions(house):
    """imapd_idle_timeout and pop3d_idle_timeout, each its own."""
    w = imaps(house)
    assert "a OK" in w.ask(f"LOGIN u3@{DOMAIN} secret3")[-1]
    p = house.pop(3)
    start = time.monotonic()
    assert p.file.readline().startswith(b"-ERR Disconnected")
    after_pop = time.monotonic() - start
    assert w.line() == "* BYE Disconnected for inactivity."
    after_imap = time.monotonic() - start
    assert 2 < after_pop < 15 and 5 < after_imap < 25, (after_pop,
                                                        after_imap)


def main():
    names = sys.argv[1:]
    passed = failed = 0
    house = House(users=4, extra={
        "imapd_client_connection_count_limit": "15",
        "imapd_idle_timeout": "7s", "pop3d_idle_timeout": "3s",
        "auth_failure_delay": "1s", "default_process_limit": "5"})
    try:
        # zz: last, as who follows them would wait
        for name, test in sorted(globals().items(),
                                 key=lambda i: i[0].startswith("test_zz")):
            if not name.startswith("test_") or names and not any(
                    name[5:].startswith(n) for n in names):
                continue
            try:
                test(house)
                passed += 1
            except Exception as e:
                failed += 1
                at = e.__traceback__.tb_next
                print(f"FAILED {name}:{at.tb_lineno}: {type(e).__name__}: "
                      f"{e}")
        if failed:
            print(house.inst.log_text()[-3000:])
    finally:
        house.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
