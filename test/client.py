#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The SMTP and LMTP client against servers that misbehave in every way: what
arrives, what is tried next, and what the log says.

Servers are threads that follow a script; names come from a DNS server of our
own.  The last line is "N passed, N failed".
"""
import base64
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from dns_server import DnsServer
from harness import Instance, free_port

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class Server:
    """An SMTP server.  say: verb -> reply, or a function of the line; "end"
    is the reply to the text.  None closes the connection."""

    def __init__(self, address="127.0.0.1", port=0,
                 offers=("PIPELINING", "8BITMIME", "SIZE", "SMTPUTF8", "DSN"),
                 greeting=b"220 fake ESMTP", **say):
        self.offers, self.greeting, self.say = offers, greeting, say
        self.lines, self.texts, self.sessions = [], [], 0
        self.lmtp = False
        self.tls = None
        if address.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address)
            self.listener.listen(50)
            os.chmod(address, 0o666)
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.listener = socket.create_server((address, port), backlog=50,
                                                 family=family)
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

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def serve(self, s):
        self.sessions += 1
        if s.family != socket.AF_UNIX:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        f = s.makefile("rwb")
        try:
            if self.session(f):
                s = self.tls.wrap_socket(s, server_side=True)
                f = s.makefile("rwb")
                self.session(f, False)
        except (OSError, ValueError):
            pass
        for x in (f, s):
            try:
                x.close()
            except OSError:
                pass

    def put(self, f, reply):
        if callable(reply):
            reply = reply()
        if reply is None:
            raise ValueError("gone")
        if isinstance(reply, str):
            reply = reply.encode()
        f.write(reply + b"\r\n")
        f.flush()
        return reply

    def session(self, f, greet=True):
        """True: TLS is to begin."""
        if greet:
            self.put(f, self.greeting)
        n = 0
        for line in f:
            line = line.rstrip(b"\r\n")
            self.lines.append(line.decode("utf-8", "replace"))
            verb = line.split(b" ")[0].upper().decode()
            reply = self.say.get(verb, b"250 2.0.0 Ok")
            if callable(reply):
                reply = reply(line)
            if verb in ("EHLO", "LHLO") and verb not in self.say:
                words = ["fake"] + list(self.offers)
                reply = "\r\n".join(
                    "250%s%s" % (" " if i == len(words) - 1 else "-", w)
                    for i, w in enumerate(words))
            elif verb == "DATA" and verb not in self.say:
                reply = b"354 go" if n else b"554 5.5.1 no valid recipients"
            elif verb == "QUIT":
                self.put(f, b"221 bye")
                return False
            elif verb == "STARTTLS" and self.tls:
                self.put(f, b"220 go")
                return True
            reply = self.put(f, reply)
            if verb == "RCPT" and reply.startswith(b"2"):
                n += 1
            if reply.startswith(b"354"):
                self.text(f, n)
                n = 0
        return False

    def text(self, f, n):
        lines = []
        for line in f:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        else:
            raise ValueError("cut")
        end = self.say.get("end", b"250 2.0.0 Ok: queued")
        text = b"".join(lines)
        if isinstance(end, list):
            replies = end
        else:
            replies = [end] * (n if self.lmtp else 1)
        for reply in replies:
            reply = reply(b"") if callable(reply) else reply
            if reply is None:
                raise ValueError("gone")
            if reply[:1] in (b"2", "2"):
                self.texts.append(text)
            self.put(f, reply)


class Site:
    """One instance for many tests: each uses domains of its own."""

    def __init__(self, extra=None, zone="", master_cf=""):
        self.dns = DnsServer(zone)
        settings = {
            "lookup_dns_server": f"127.0.0.1:{self.dns.port}",
            "notify_classes": "",
            "bounce_queue_lifetime": "0",
            "smtp_connection_cache_on_demand": "no",
        }
        settings.update(extra or {})
        self.inst = Instance(extra=settings, master_cf=master_cf)
        self.inst.start()
        self.n = 0

    def send(self, to, sender="a@sender.example",
             body="Subject: x\r\n\r\nhi\r\n", options=(), rcpt_options=()):
        with smtplib.SMTP("127.0.0.1", self.inst.smtp_port, timeout=20) as s:
            s.ehlo("test.example")
            code, text = s.mail(sender, options)
            assert code == 250, text
            for x in [to] if isinstance(to, str) else to:
                code, text = s.rcpt(x, rcpt_options)
                assert code == 250, text
            code, text = s.data(body)
            assert code == 250, text
            return re.search(rb"queued as (\S+)", text).group(1).decode()

    def line(self, queue_id, to="", seconds=12):
        """The delivery line of a recipient."""
        return self.inst.wait_log(
            rf"{queue_id}: to=<{re.escape(to)}[^>]*>.*\n", seconds).group(0)

    def stop(self):
        self.inst.stop()
        self.dns.stop()


def want(line, *patterns):
    for p in patterns:
        assert re.search(p, line), f"{p!r} not in {line!r}"


def relay(server):
    return f"[127.0.0.1]:{server.port}"


class Relayed:
    """An instance whose relayhost is one fake server."""

    def __init__(self, extra=None, lmtp=False, **say):
        self.server = Server(**say)
        self.server.lmtp = lmtp
        hop = relay(self.server)
        settings = {"relayhost": hop}
        if lmtp:
            settings = {"default_transport": f"lmtp:inet:{hop}"}
        settings.update(extra or {})
        self.site = Site(settings)

    def __enter__(self):
        return self.site, self.server

    def __exit__(self, *_):
        self.site.stop()
        self.server.close()


@test
def sent_line():
    with Relayed() as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"relay=127\.0\.0\.1\[127\.0\.0\.1\]:"
             rf"{server.port}, "
             r"delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2\.0\.0, "
             r"status=sent \(250 2\.0\.0 Ok: queued\)\n")
        assert server.texts[0].endswith(b"\r\nhi\r\n")


@test
def greeting_refused():
    with Relayed(greeting=b"554 5.7.1 go away") as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"dsn=4\.7\.1, status=deferred \(host "
             r"127\.0\.0\.1\[127\.0\.0\.1\] refused to talk to me: "
             r"554 5\.7\.1 go away\)")


@test
def greeting_refused_for_good():
    with Relayed({"smtp_skip_5xx_greeting": "no"},
                 greeting=b"554 go away") as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"dsn=5\.0\.0, status=bounced \(host .* refused "
             r"to talk to me: 554 go away\)")


@test
def hello_falls_back():
    with Relayed(EHLO=b"502 5.5.2 what?") as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        assert "HELO mail.example.com" in server.lines
        assert any(x == "MAIL FROM:<a@sender.example>" for x in server.lines)


@test
def hello_never_extended():
    with Relayed({"smtp_never_send_ehlo": "yes"}) as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        assert server.lines[0] == "HELO mail.example.com", server.lines


@test
def hello_by_greeting():
    with Relayed({"smtp_always_send_ehlo": "no"},
                 greeting=b"220 fake SMTP") as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        assert server.lines[0] == "HELO mail.example.com", server.lines


@test
def keywords_discarded():
    with Relayed({"smtp_discard_ehlo_keywords": "size, dsn, pipelining"}
                 ) as (site, server):
        want(site.line(site.send("b@r.example", options=["RET=HDRS"])),
             "status=sent")
        mail = [x for x in server.lines if x.startswith("MAIL")][0]
        assert mail == "MAIL FROM:<a@sender.example>", mail


@test
def each_command_refused():
    cases = [("MAIL", "MAIL FROM command"), ("RCPT", "RCPT TO command"),
             ("DATA", "DATA command"), ("end", "end of DATA command")]
    for verb, name in cases:
        for code, status in (("550 5.7.9", "bounced"),
                             ("451 4.7.9", "deferred")):
            with Relayed(**{verb: f"{code} no".encode()}) as (site, server):
                q = site.send("b@r.example")
                want(site.line(q), rf"dsn={code[4:]}, status={status} \(host "
                     r"127\.0\.0\.1\[127\.0\.0\.1\] said: "
                     rf"{code} no \(in reply to {name}\)\)")


@test
def recipients_apart():
    def rcpt(line):
        return (b"550 5.1.1 unknown" if b"bad" in line else
                b"450 4.2.0 later" if b"later" in line else b"250 ok")
    with Relayed(RCPT=rcpt) as (site, server):
        q = site.send(["good@r.example", "bad@r.example", "later@r.example"],
                      sender="")
        want(site.line(q, "good"), "status=sent")
        want(site.line(q, "bad"), r"dsn=5\.1\.1, status=bounced")
        want(site.line(q, "later"), r"dsn=4\.2\.0, status=deferred")
        assert len(server.texts) == 1


@test
def lost_at_each_stage():
    cases = [("EHLO", "performing the EHLO handshake"),
             ("MAIL", "sending MAIL FROM"), ("RCPT", "sending RCPT TO"),
             ("DATA", "sending DATA command"),
             ("end", "sending end of data -- message may be sent more than "
                     "once")]
    for verb, stage in cases:
        with Relayed(**{verb: lambda line: None}) as (site, server):
            q = site.send("b@r.example")
            want(site.line(q), r"dsn=4\.4\.2, status=deferred \(lost "
                 r"connection with 127\.0\.0\.1\[127\.0\.0\.1\] while "
                 rf"{stage}\)")


@test
def lost_before_the_greeting():
    with Relayed(greeting=lambda: None) as (site, server):
        want(site.line(site.send("b@r.example")), r"dsn=4\.4\.2, "
             r"status=deferred \(lost connection with .* while receiving the "
             r"initial server greeting\)")


@test
def timed_out():
    def slow(line=b""):
        time.sleep(3)
        return b"250 ok"
    cases = [("MAIL", "mail", "sending MAIL FROM"),
             ("RCPT", "rcpt", "sending RCPT TO"),
             ("end", "data_done", "sending end of data -- message may be "
                                  "sent more than once")]
    for verb, name, stage in cases:
        with Relayed({f"smtp_{name}_timeout": "1s"},
                     **{verb: slow}) as (site, server):
            want(site.line(site.send("b@r.example")), r"dsn=4\.4\.2, "
                 r"status=deferred \(conversation with 127\.0\.0\.1"
                 rf"\[127\.0\.0\.1\] timed out while {stage}\)")


@test
def nobody_there():
    port = free_port()
    site = Site({"relayhost": f"[127.0.0.1]:{port}"})
    try:
        want(site.line(site.send("b@r.example")),
             r"relay=none, .*dsn=4\.4\.1, "
             r"status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:"
             rf"{port}: Connection refused\)")
    finally:
        site.stop()


@test
def size_and_utf8():
    with Relayed(offers=("SIZE 100",)) as (site, server):
        q = site.send("b@r.example", body="Subject: x\r\n\r\n" + "x" * 200)
        want(site.line(q), r"dsn=5\.3\.4, status=bounced \(message size \d+ "
             r"exceeds size limit 100 of server "
             r"127\.0\.0\.1\[127\.0\.0\.1\]\)")
        assert not any(x.startswith("MAIL FROM:<a@") for x in server.lines)
    with Relayed(offers=("8BITMIME",)) as (site, server):
        q = site.send("b@r.example", body="Subject: \xfc\r\n\r\nx\r\n".encode(),
                      options=["SMTPUTF8", "BODY=8BITMIME"])
        want(site.line(q), r"dsn=5\.6\.7, status=bounced \(SMTPUTF8 is "
             r"required, but was not offered by host "
             r"127\.0\.0\.1\[127\.0\.0\.1\]\)")


@test
def eightbit_mail_for_seven_bits():
    body = ("Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
            "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "Gr\u00fc\u00dfe =\r\n.dot\r\n").encode()
    with Relayed(offers=("SIZE",)) as (site, server):
        q = site.send("b@r.example", body=body, options=["BODY=8BITMIME"])
        want(site.line(q), "status=sent")
        head, text = server.texts[0].split(b"\r\n\r\n", 1)
        assert text == b"Gr=C3=BC=C3=9Fe =3D\r\n.dot\r\n", text
        assert head.endswith(b"\r\nContent-Transfer-Encoding: "
                             b"quoted-printable"), head
        assert head.count(b"Transfer-Encoding") == 1
    for settings, offers in (({"disable_mime_output_conversion": "yes"}, ()),
                             ({}, ("8BITMIME",))):
        with Relayed(settings, offers=offers) as (site, server):
            q = site.send("b@r.example", body=body, options=["BODY=8BITMIME"])
            want(site.line(q), "status=sent")
            assert "Gr\u00fc\u00dfe".encode() in server.texts[0]
            assert ("BODY=8BITMIME" in server.lines[1]) == bool(offers)


@test
def notification_wishes_passed_on():
    with Relayed() as (site, server):
        q = site.send("b@r.example", options=["RET=HDRS", "ENVID=e+2B1"],
                      rcpt_options=["NOTIFY=SUCCESS,DELAY",
                                    "ORCPT=rfc822;o@r.example"])
        want(site.line(q), "status=sent")
        mail = [x for x in server.lines if x.startswith("MAIL")][0]
        rcpt = [x for x in server.lines if x.startswith("RCPT")][0]
        want(mail, r"^MAIL FROM:<a@sender\.example> SIZE=\d+ RET=HDRS "
             r"ENVID=e\+2B1$")
        assert rcpt == ("RCPT TO:<b@r.example> NOTIFY=SUCCESS,DELAY "
                        "ORCPT=rfc822;o@r.example"), rcpt
        time.sleep(0.3)
        assert "notification" not in site.inst.log_text()


@test
def success_told_where_nobody_else_will():
    with Relayed(offers=("SIZE",)) as (site, server):
        q = site.send("b@r.example", rcpt_options=["NOTIFY=SUCCESS"])
        want(site.line(q), "status=sent")
        site.inst.wait_log(f"{q}: sender delivery status notification: ")
        end = time.time() + 10
        while len(server.texts) < 2 and time.time() < end:
            time.sleep(0.05)
        assert len(server.texts) == 2, site.inst.log_text()
        assert b"Action: relayed" in server.texts[1], server.texts


@test
def long_lines_and_dots():
    body = "Subject: x\r\n\r\n.dot\r\n..\r\n" + "y" * 2500 + "\r\n.z"
    with Relayed({"smtp_line_length_limit": "998"}) as (site, server):
        want(site.line(site.send("b@r.example", body=body)), "status=sent")
        text = server.texts[0].split(b"\r\n\r\n", 1)[1]
        lines = text.split(b"\r\n")
        assert lines[:2] == [b".dot", b".."], lines[:2]
        assert lines[2] == b"y" * 998, len(lines[2])
        assert lines[3] == b" " + b"y" * 997, len(lines[3])
        assert lines[4] == b" " + b"y" * 505, len(lines[4])
        assert lines[5] == b".z", lines[5]


@test
def connections_reused():
    with Relayed({"smtp_connection_cache_on_demand": "yes",
                  "smtp_connection_cache_time_limit": "5s"}
                 ) as (site, server):
        for i in range(3):
            line = site.line(site.send("b@r.example"))
            want(line, "status=sent")
            assert ("conn_use=%d" % (i + 1) in line) == (i > 0), line
        assert server.sessions == 1
    with Relayed({"smtp_connection_cache_on_demand": "yes",
                  "smtp_connection_reuse_count_limit": "1"}
                 ) as (site, server):
        for i in range(2):
            want(site.line(site.send("b@r.example")), "status=sent")
        assert server.sessions == 2, server.sessions


@test
def idle_connection_dies():
    """The server ends it after one message; the next is not deferred."""
    class Once(Server):
        def text(self, f, n):
            super().text(f, n)
            raise ValueError("enough")
    with Relayed({"smtp_connection_cache_on_demand": "yes"}
                 ) as (site, server):
        server.__class__ = Once
        ids = [site.send("b@r.example") for _ in range(6)]
        for q in ids:
            want(site.line(q), "status=sent")
        assert len(server.texts) == 6, len(server.texts)


@test
def closing_down_in_the_middle():
    n = [0]

    def mail(line):
        n[0] += 1
        return b"421 4.3.2 closing" if n[0] == 1 else b"250 ok"
    with Relayed(MAIL=mail) as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"status=deferred \(host .* said: 421 4\.3\.2 "
             r"closing \(in reply to MAIL FROM command\)\)")


@test
def lmtp_answers_each():
    with Relayed(lmtp=True, offers=("PIPELINING",),
                 end=[b"250 2.1.5 one", b"452 4.2.2 full"]
                 ) as (site, server):
        q = site.send(["one@r.example", "two@r.example"])
        want(site.line(q, "one"), r"postfix/lmtp|dsn=2\.1\.5, status=sent "
             r"\(250 2\.1\.5 one\)")
        want(site.line(q, "two"), r"dsn=4\.2\.2, status=deferred \(host .* "
             r"said: 452 4\.2\.2 full \(in reply to end of DATA command\)\)")
        assert server.lines[0] == "LHLO mail.example.com"


@test
def lmtp_over_a_path():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        server = Server(d + "/lmtp", offers=("PIPELINING",))
        server.lmtp = True
        site = Site({"default_transport": f"lmtp:unix:{d}/lmtp"})
        try:
            q = site.send(["b@r.example", "c@r.example"])
            for to in "bc":
                want(site.line(q, to), rf"relay=mail\.example\.com\[{d}/lmtp\]"
                     ", .*status=sent")
        finally:
            site.stop()
            server.close()


@test
def families():
    six = Server("::1")
    site = Site({"inet_protocols": "all", "smtp_tcp_port": str(six.port),
                 "smtp_address_preference": "ipv6"},
                "both.example AAAA ::1\nboth.example A 127.0.0.1\n")
    try:
        want(site.line(site.send("b@both.example")),
             rf"relay=both\.example\[::1\]:{six.port}, .*status=sent")
    finally:
        site.stop()
        six.close()


ZONE = """
two.example MX 10 mx1.two.example
two.example MX 20 mx2.two.example
mx1.two.example A 127.0.0.11
mx2.two.example A 127.0.0.12
null.example MX 0 .
bare.example A 127.0.0.11
noaddr.example MX 10 none.noaddr.example
fails.example SERVFAIL
numeric.example MX 10 127.0.0.12
alias.example CNAME two.example
loop.example MX 10 me.loop.example
me.loop.example A 127.0.0.1
backup.example MX 5 mx1.two.example
backup.example MX 10 me.loop.example
backup.example MX 20 mx2.two.example
"""


def pair(**say):
    """Two servers on one port of two addresses."""
    first = Server("127.0.0.11", **say)
    try:
        return first, Server("127.0.0.12", first.port)
    except OSError:
        first.close()
        return pair(**say)


def with_pair(check, extra=None, **say):
    first, second = pair(**say)
    settings = {"smtp_tcp_port": str(first.port),
                "smtp_host_lookup": "dns"}
    settings.update(extra or {})
    site = Site(settings, ZONE)
    try:
        check(site, first, second)
    except AssertionError as e:
        raise AssertionError(f"{e}\n{site.inst.log_text()}") from e
    finally:
        site.stop()
        first.close()
        second.close()


@test
def exchangers_in_order():
    def check(site, first, second):
        for domain in ("two.example", "alias.example"):
            want(site.line(site.send(f"b@{domain}")),
                 r"relay=mx1\.two\.example\[127\.0\.0\.11\]:\d+, .*status=sent")
        want(site.line(site.send("b@bare.example")),
             r"relay=bare\.example\[127\.0\.0\.11\]:\d+, .*status=sent")
        assert not second.texts
    with_pair(check)


@test
def next_exchanger_after_a_temporary_refusal():
    for verb in ("MAIL", "RCPT", "DATA", "end"):
        def check(site, first, second):
            q = site.send("b@two.example")
            want(site.line(q), r"relay=mx2\.two\.example\[127\.0\.0\.12\]"
                 r":\d+, .*status=sent")
            log = site.inst.log_text()
            assert len(re.findall(f"{q}: to=", log)) == 1, log
        with_pair(check, **{verb: b"451 4.3.0 not now"})

    def stays(site, first, second):
        q = site.send("b@two.example")
        want(site.line(q), r"relay=mx1\.two\.example.*status=bounced")
        assert not second.texts
    with_pair(stays, RCPT=b"550 5.1.1 never")


@test
def next_exchanger_after_a_loss():
    def check(site, first, second):
        want(site.line(site.send("b@two.example")),
             r"relay=mx2\.two\.example.*status=sent")
    with_pair(check, MAIL=lambda line: None)
    with_pair(check, greeting=b"421 busy")



@test
def sessions_are_counted_past_the_hello():
    def one(site, first, second):
        q = site.send("b@two.example")
        want(site.line(q), r"status=deferred \(host mx1\.two\.example"
             r"\[127\.0\.0\.11\] said: 451 later")
        assert second.sessions == 0
    with_pair(one, {"smtp_mx_session_limit": "1"}, MAIL=b"451 later")

    def second_of_two(site, first, second):
        q = site.send("b@two.example")
        want(site.line(q), r"relay=mx2\.two\.example.*status=sent")
        want(site.inst.log_text(), rf"postfix/smtp\[\d+\]: {q}: host "
             r"mx1\.two\.example\[127\.0\.0\.11\] refused to talk to me: "
             r"421 busy\n")
    for say in ({"greeting": b"421 busy"}, {"EHLO": b"421 busy"}):
        with_pair(second_of_two, {"smtp_mx_session_limit": "1"}, **say)


@test
def each_failure_is_logged():
    """Of an exchanger that was tried, where there was another."""
    cases = [({"MAIL": b"451 4.3.0 not now"}, r"said: 451 4\.3\.0 not now "
              r"\(in reply to MAIL FROM command\)"),
             ({"RCPT": b"451 4.3.0 not now"}, r"said: 451 4\.3\.0 not now "
              r"\(in reply to RCPT TO command\)"),
             ({"end": b"451 4.3.0 not now"}, r"said: 451 4\.3\.0 not now "
              r"\(in reply to end of DATA command\)")]
    for say, text in cases:
        def check(site, first, second):
            q = site.send("b@two.example")
            want(site.line(q), "relay=mx2.*status=sent")
            want(site.inst.log_text(), rf"postfix/smtp\[\d+\]: {q}: host "
                 rf"mx1\.two\.example\[127\.0\.0\.11\] {text}\n")
        with_pair(check, **say)

    def lost(site, first, second):
        q = site.send("b@two.example")
        want(site.line(q), "relay=mx2.*status=sent")
        want(site.inst.log_text(), rf"postfix/smtp\[\d+\]: {q}: lost "
             r"connection with mx1\.two\.example\[127\.0\.0\.11\] while "
             r"sending MAIL FROM\n")
    with_pair(lost, MAIL=lambda line: None)


@test
def exchanger_that_is_an_address():
    def check(site, first, second):
        want(site.line(site.send("b@numeric.example")),
             r"relay=127\.0\.0\.12\[127\.0\.0\.12\]:\d+, .*status=sent")
        want(site.inst.log_text(), r"warning: numeric domain name in resource "
             r"data of MX record for numeric\.example: 127\.0\.0\.12\n")
    with_pair(check)


@test
def some_recipients_go_on():
    def rcpt(line):
        return b"450 4.2.0 later" if b"later" in line else b"250 ok"

    def check(site, first, second):
        q = site.send(["now@two.example", "later@two.example"])
        want(site.line(q, "now"), r"relay=mx1\.two.*status=sent")
        want(site.line(q, "later"), r"relay=mx2\.two.*status=sent")
        assert len(first.texts) == len(second.texts) == 1
    with_pair(check, RCPT=rcpt)


@test
def exchanger_is_down():
    def check(site, first, second):
        first.close()
        q = site.send("b@two.example")
        want(site.line(q), r"relay=mx2\.two\.example.*status=sent")
        site.inst.wait_log(r"postfix/smtp\[\d+\]: connect to "
                           r"mx1\.two\.example\[127\.0\.0\.11\]:\d+: "
                           r"Connection refused")
    with_pair(check)


@test
def domains_without_mail():
    def check(site, first, second):
        cases = [
            ("null.example", r"dsn=5\.1\.0, status=bounced \(Domain "
             r"null\.example does not accept mail \(nullMX\)\)"),
            ("nowhere.invalid", r"dsn=5\.4\.4, status=bounced \(Host or "
             r"domain name not found\. Name service error for "
             r"name=nowhere\.invalid type=A: Host not found\)"),
            ("noaddr.example", r"status=bounced \(no MX host for "
             r"noaddr\.example has a valid address record\)"),
            ("fails.example", r"dsn=4\.4\.3, status=deferred \(Host or "
             r"domain name not found\. Name service error for "
             r"name=fails\.example type=MX: Host not found, try again\)"),
        ]
        for domain, pattern in cases:
            line = site.line(site.send(f"b@{domain}"))
            want(line, "relay=none", pattern)
    with_pair(check)


@test
def mail_does_not_come_back():
    """Only where the port is the standard one can a host be ourselves."""
    site = Site({"smtp_host_lookup": "dns"}, ZONE)
    try:
        want(site.line(site.send("b@loop.example")), r"dsn=5\.4\.6, "
             r"status=bounced \(mail for loop\.example loops back to myself\)")
        # ours is 10: neither we nor 20 are tried, and 5 is not there
        want(site.line(site.send("b@backup.example")),
             r"connect to mx1\.two\.example\[127\.0\.0\.11\]:25")
        assert "mx2.two.example" not in site.inst.log_text()
    finally:
        site.stop()


@test
def server_with_our_own_name():
    try:
        server = Server("127.0.0.21", 25, EHLO=b"250 mail.example.com")
    except OSError:
        return  # somebody has the port, or we may not have it
    site = Site({"relayhost": "[127.0.0.21]", "inet_interfaces": "127.0.0.1"})
    try:
        want(site.line(site.send("b@r.example")), r"dsn=5\.4\.6, "
             r"status=bounced \(mail for \[127\.0\.0\.21\] loops back to "
             r"myself\)")
        want(site.inst.log_text(), r"warning: host 127\.0\.0\.21"
             r"\[127\.0\.0\.21\] replied to HELO/EHLO with my own hostname "
             r"mail\.example\.com")
    finally:
        site.stop()
        server.close()


@test
def relays_in_a_list_and_fallback():
    second = Server()
    down = free_port()
    site = Site({"relayhost": f"[127.0.0.1]:{down}, {relay(second)}"})
    try:
        want(site.line(site.send("b@r.example")),
             rf":{second.port}, .*status=sent")
    finally:
        site.stop()
    site = Site({"relayhost": f"[127.0.0.1]:{down}",
                 "smtp_fallback_relay": relay(second)})
    try:
        want(site.line(site.send("b@r.example")),
             rf":{second.port}, .*status=sent")
    finally:
        site.stop()
        second.close()


@test
def login():
    n = []

    def auth(line):
        n.append(base64.b64decode(line.split()[2]))
        return b"235 2.7.0 in"
    with Relayed({"smtp_sasl_auth_enable": "yes",
                  "smtp_sasl_security_options": "noanonymous",
                  "smtp_sasl_password_maps":
                  "inline:{{127.0.0.1=user:pass:word}}"},
                 offers=("AUTH CRAM-MD5 PLAIN LOGIN",),
                 AUTH=auth) as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        assert n == [b"\0user\0pass:word"], n
    with Relayed({"smtp_sasl_auth_enable": "yes",
                  "smtp_sasl_security_options": "noanonymous",
                  "smtp_sasl_password_maps": "inline:{{127.0.0.1=u:p}}"},
                 offers=("AUTH PLAIN",),
                 AUTH=b"535 5.7.8 no") as (site, server):
        want(site.line(site.send("b@r.example")), r"status=deferred \(SASL "
             r"authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] "
             r"said: 535 5\.7\.8 no\)")
    with Relayed({"smtp_sasl_auth_enable": "yes",
                  "smtp_sasl_password_maps": "inline:{{127.0.0.1=u:p}}"},
                 offers=("AUTH PLAIN",)) as (site, server):
        want(site.line(site.send("b@r.example")), r"status=deferred \(SASL "
             r"authentication failed: server .* offered no compatible")


@test
def tls_wishes():
    with Relayed({"smtp_tls_security_level": "encrypt"}) as (site, server):
        want(site.line(site.send("b@r.example")), r"dsn=4\.7\.4, "
             r"status=deferred \(TLS is required, but was not offered by "
             r"host 127\.0\.0\.1\[127\.0\.0\.1\]\)")
    # a server that offers TLS and cannot do it: opportunistic mail goes plain
    with Relayed({"smtp_tls_security_level": "may"},
                 offers=("STARTTLS",), STARTTLS=lambda line: b"220 go\r\nxx"
                 ) as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        assert server.sessions == 2


@test
def certificates():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        key, cert = d + "/key.pem", d + "/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
             cert, "-days", "2", "-subj", "/CN=fake", "-addext",
             "subjectAltName=DNS:mx.fake.example"], check=True,
            capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        trusted = {"smtp_tls_CAfile": cert, "smtp_tls_loglevel": "1"}
        cases = [
            ({"smtp_tls_security_level": "may", "smtp_tls_loglevel": "1"},
             "status=sent", "Untrusted TLS connection established to "
             r"127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher "
             r"TLS_AES_256_GCM_SHA384 \(256/256 bits\)"),
            ({"smtp_tls_security_level": "encrypt", **trusted},
             "status=sent", "Trusted TLS connection established"),
            ({"smtp_tls_security_level": "secure",
              "smtp_tls_secure_cert_match": ".fake.example", **trusted},
             "status=sent", "Verified TLS connection established"),
            ({"smtp_tls_security_level": "verify", **trusted},
             r"dsn=4\.7\.5, status=deferred \(Server certificate not "
             r"verified\)", "Trusted TLS connection"),
            ({"smtp_tls_security_level": "verify",
              "smtp_tls_verify_cert_match": "mx.fake.example"},
             r"dsn=4\.7\.5, status=deferred \(Server certificate not "
             r"trusted\)", ""),
        ]
        for settings, status, log in cases:
            with Relayed(settings, offers=("STARTTLS",)) as (site, server):
                server.tls = context
                want(site.line(site.send("b@r.example")), status)
                want(site.inst.log_text(), log)


@test
def levels_that_are_not_built():
    for settings in ({"smtp_tls_security_level": "dane"},
                     {"smtp_tls_policy_maps": "inline:{{x=secure}}"}):
        inst = Instance(extra=settings)
        try:
            inst.start()
        except RuntimeError as e:
            want(str(e), "is not built in")
        else:
            raise AssertionError("it started")
        finally:
            inst.stop()


def main():
    wanted = sys.argv[1:]
    passed = failed = 0
    for fn in TESTS:
        if wanted and fn.__name__ not in wanted:
            continue
        try:
            fn()
            passed += 1
        except Exception as e:  # each test counts, whatever it ran into
            failed += 1
            line = e.__traceback__.tb_next.tb_lineno
            print(f"{fn.__name__}, line {line}: "
                  f"{type(e).__name__}: {e}"[:1500])
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
