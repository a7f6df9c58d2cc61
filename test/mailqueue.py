#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The queue manager with real sockets and short times: when mail is tried
again, how much at once, when it goes back, what its sender is told, and what
the queue's commands do with it, the system up or down.

The last line is "N passed, N failed".
"""
import json
import os
import re
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

from client import Relayed, Server, Site, relay, want
from harness import VEREDUS, free_port

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


LATER = b"450 4.2.0 later"


def tool(site, *argv, text=None):
    return subprocess.run(
        [VEREDUS, argv[0], "-c", site.inst.etc, *argv[1:]],
        input=text, capture_output=True, text=True, timeout=60)


def rows(site):
    out = tool(site, "postqueue", "-j").stdout
    return [json.loads(line) for line in out.splitlines()]


def until(condition, seconds=12):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def tries(site, q):
    """When each try of a message ended, in seconds since the first."""
    return len(re.findall(f"{q}: to=", site.inst.log_text()))


@test
def back_off():
    """1 s at least, then as long again as it is old, 3 s at most."""
    times = []

    def rcpt(line):
        times.append(time.time())
        return LATER
    with Relayed({"minimal_backoff_time": "1s", "maximal_backoff_time": "3s"},
                 RCPT=rcpt) as (site, server):
        site.send("b@r.example")
        assert until(lambda: len(times) >= 5, 15), times
        gaps = [b - a for a, b in zip(times, times[1:])][:4]
        assert 0.9 < gaps[0] < 1.5, gaps
        assert gaps[0] - 0.2 < gaps[1] < 2, gaps
        assert all(g < 3.6 for g in gaps), gaps
        assert gaps[3] > 2, gaps


@test
def expires_after_a_last_try():
    with Relayed({"minimal_backoff_time": "1s", "maximal_queue_lifetime": "2s"},
                 RCPT=lambda l: LATER if b"b@" in l else b"250 ok"
                 ) as (site, server):
        q = site.send("b@r.example")
        site.inst.wait_log(f"{q}: from=<a@sender.example>, status=expired, "
                           "returned to sender")
        site.inst.wait_log(f"{q}: sender non-delivery notification: ")
        site.inst.wait_log(f"{q}: removed")
        assert until(lambda: server.texts)
        text = server.texts[0].decode()
        want(text, r"Final-Recipient: rfc822; b@r\.example\r\n(.+\r\n)*Action: "
             r"failed\r\nStatus: 4\.2\.0\r\n")
        assert tries(site, q) >= 2


@test
def lifetime_of_nothing():
    with Relayed({"maximal_queue_lifetime": "0"},
                 RCPT=lambda l: LATER if b"b@" in l else b"250 ok"
                 ) as (site, server):
        q = site.send("b@r.example")
        site.inst.wait_log(f"{q}: sender non-delivery notification: ")
        assert tries(site, q) == 1


@test
def report_itself():
    def rcpt(line):
        return b"550 5.1.1 unknown <x>" if b"b@" in line else b"250 ok"
    with Relayed(RCPT=rcpt) as (site, server):
        q = site.send(["b@r.example"], options=["ENVID=abc"],
                      body="Subject: s\r\n\r\nthe body\r\n")
        assert until(lambda: server.texts)
        text = server.texts[0].decode()
        want(text, r"^Received: by mail\.example\.com \(Postfix\)\r\n\tid ",
             r"\r\nFrom: Mail Delivery System "
             r"<MAILER-DAEMON@mail\.example\.com>\r\n",
             r"\r\nTo: a@sender\.example\r\n",
             r"\r\nAuto-Submitted: auto-replied\r\n",
             r"\r\n<b@r\.example>: host 127\.0\.0\.1\[127\.0\.0\.1\] "
             r"said: 550 ",
             r"\r\nOriginal-Envelope-Id: abc\r\n",
             rf"\r\nX-Postfix-Queue-ID: {q}\r\n",
             r"\r\nDiagnostic-Code: smtp; 550 5\.1\.1 unknown <x>\r\n",
             r"\r\nReturn-Path: <a@sender\.example>\r\n", r"the body\r\n")
        assert "MAIL FROM:<>" in [x.split(" SIZE")[0] for x in server.lines]
        q = site.send("b@r.example", options=["RET=HDRS"],
                      body="Subject: s\r\n\r\nthe body\r\n")
        assert until(lambda: len(server.texts) == 2)
        text = server.texts[1].decode()
        want(text, "Content-Description: Undelivered Message Headers",
             "text/rfc822-headers", "Subject: s")
        assert "the body" not in text
        q = site.send("b@r.example", rcpt_options=["NOTIFY=NEVER"])
        site.inst.wait_log(f"{q}: removed")
        q = site.send("b@r.example", sender="")
        site.inst.wait_log(f"{q}: removed")
        time.sleep(0.3)
        assert len(server.texts) == 2


@test
def texts_of_reports():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        with open(d + "/bounce.cf", "w") as f:
            f.write("failure_template = <<EOF\nCharset: us-ascii\nFrom: "
                    "MAILER-DAEMON (Our System)\nSubject: It came back\n\n"
                    "Words of $myhostname.\nEOF\n")
        with Relayed({"bounce_template_file": d + "/bounce.cf"},
                     RCPT=lambda line: b"550 5.1.1 no" if b"b@" in line
                     else b"250 ok") as (site, server):
            site.send("b@r.example")
            assert until(lambda: server.texts)
            want(server.texts[0].decode(), r"\nSubject: It came back\r\n",
                 r"\nFrom: Our System <MAILER-DAEMON@mail\.example\.com>",
                 r"\nWords of mail\.example\.com\.\r\n")


@test
def large_mail_is_not_returned_whole():
    def rcpt(line):
        return b"550 5.1.1 no" if b"b@" in line else b"250 ok"
    with Relayed({"bounce_size_limit": "1000"}, RCPT=rcpt) as (site, server):
        site.send("b@r.example", body="Subject: s\r\n\r\n" + "x" * 2000)
        assert until(lambda: server.texts)
        assert b"xxxx" not in server.texts[0]


@test
def reports_of_any_size():
    """More failures than a report has room for, mail larger than it."""
    def rcpt(line):
        return b"250 ok" if b"a@" in line else b"550 5.1.1 " + b"no " * 300
    with Relayed({"bounce_size_limit": "100000000",
                  "smtp_destination_recipient_limit": "1000"},
                 RCPT=rcpt) as (site, server):
        q = site.send([f"u{i}@r.example" for i in range(900)],
                      body="Subject: s\r\n\r\n" + "x" * 70 + "\r\n"
                      + ("y" * 70 + "\r\n") * 20000)
        site.inst.wait_log(f"{q}: sender non-delivery notification: ", 30)
        site.inst.wait_log(f"{q}: removed", 30)
        want_all = {f"u{i}@r.example" for i in range(900)}
        assert until(lambda: named(server) >= want_all, 60), \
            len(named(server))
        assert all(100000 < len(t) < 1000000 for t in server.texts)


def named(server):
    """All recipients that any report is about."""
    return {x.decode() for t in list(server.texts) for x in
            re.findall(rb"Final-Recipient: rfc822; (\S+)", t)}


@test
def everybody_is_named_once():
    """Failures, to the sender and to the postmaster; delays; successes."""
    users = [f"u{i}@r.example" for i in range(1000)]

    no = b"550-5.1.1 " + b"no " * 150 + b"\r\n"
    no = no * 3 + no.replace(b"550-", b"550 ").rstrip()

    def rcpt(line):
        return no if b"<u" in line else b"250 ok"
    with Relayed({"notify_classes": "bounce",
                  "bounce_notice_recipient": "pm@r.example"},
                 RCPT=rcpt) as (site, server):
        q = site.send(users)
        site.inst.wait_log(f"{q}: removed", 60)
        n = len(re.findall(f"{q}: sender non-delivery",
                           site.inst.log_text()))
        m = len(re.findall(f"{q}: postmaster non-delivery",
                           site.inst.log_text()))
        assert n > 1 and m > 0, (n, m)
        assert until(lambda: len(server.texts) == n + m, 60)
        finals = [x.decode() for t in server.texts for x in
                  re.findall(rb"Final-Recipient: rfc822; (\S+)", t)]
        assert sorted(finals) == sorted(users * 2), len(finals)


@test
def header_ends_in_the_next_piece():
    """RET=HDRS, and the empty line lies over the end of a piece, byte by
    byte."""
    def rcpt(line):
        return b"550 5.1.1 no" if b"b@" in line else b"250 ok"
    with Relayed(RCPT=rcpt) as (site, server):
        filler = "".join(f"X-{i:04}: {'y' * 60}\r\n" for i in range(450))
        near = 32 * 1024 - len(filler) - 400
        with smtplib.SMTP("127.0.0.1", site.inst.smtp_port, timeout=60) as s:
            s.ehlo("test.example")
            for extra in range(0, 420):
                s.mail("a@sender.example", ["RET=HDRS"])
                s.rcpt("b@r.example", ["NOTIFY=FAILURE"])
                code, text = s.data(filler + "X-Z: " + "z" * (near + extra - 9)
                                    + "\r\n\r\nsecret body\r\n")
                assert code == 250, text
        assert until(lambda: len(server.texts) == 420, 60), len(server.texts)
        assert all(b"X-Z: " in t for t in server.texts)
        assert not any(b"secret" in t for t in server.texts)


def kill_qmgr(site):
    pid = site.inst.role_pids()["qmgr"][0]
    os.kill(pid, 9)
    assert until(lambda: site.inst.role_pids().get("qmgr", [pid]) != [pid])


@test
def a_delivery_outlives_the_queue_manager():
    """Its result is heard of by the next one: while it still runs, and when
    it came to its end meanwhile."""
    for pause in (6, 0.5):
        got = threading.Event()

        def end(_):
            got.set()
            time.sleep(pause)
            return b"250 ok"
        with Relayed(end=end) as (site, server):
            q = site.send("b@r.example")
            assert got.wait(20)
            kill_qmgr(site)
            site.inst.wait_log(f"{q}: removed", 40)
            assert len(server.texts) == 1, len(server.texts)


@test
def an_idle_system_sleeps():
    """Nobody wakes up by the clock, nor after mail has come and gone."""
    def switches(pid):
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                 f.read()).group(1))
    with Relayed() as (site, server):
        want(site.line(site.send("b@r.example")), "status=sent")
        pids = {f"{role} {p}": p for role, all_ in
                site.inst.role_pids().items() for p in all_}

        def woken():
            before = {k: switches(p) for k, p in pids.items()}
            time.sleep(3)
            return {k: switches(p) - before[k] for k, p in pids.items()
                    if switches(p) - before[k] > 1}
        assert until(lambda: not woken(), 40), woken()


@test
def postmaster_is_told():
    def rcpt(line):
        return b"250 ok" if b"pm" in line else b"550 5.1.1 no"
    with Relayed({"notify_classes": "bounce, 2bounce",
                  "bounce_notice_recipient": "pm1@r.example",
                  "2bounce_notice_recipient": "pm2@r.example"},
                 RCPT=rcpt) as (site, server):
        q = site.send("b@r.example")
        site.inst.wait_log(f"{q}: sender non-delivery notification: ")
        site.inst.wait_log(f"{q}: postmaster non-delivery notification: ")
        assert until(lambda: len(server.texts) == 2), site.inst.log_text()
        both = b"".join(server.texts)
        assert both.count(b"Subject: Postmaster Copy: Undelivered Mail") == 2
        mails = [x for x in server.lines if x.startswith("MAIL FROM:<double")]
        assert len(mails) == 2 and "double-bounce@mail.example.com" in mails[0]


@test
def nothing_goes_in_circles():
    """A notice to the postmaster that comes back ends here."""
    with Relayed({"notify_classes": "bounce, 2bounce",
                  "bounce_notice_recipient": "pm1@r.example",
                  "2bounce_notice_recipient": "pm2@r.example"},
                 RCPT=lambda line: b"550 5.1.1 no") as (site, server):
        site.send("b@r.example")
        site.inst.wait_log("warning: [0-9A-F]+: undeliverable postmaster "
                           "notification discarded")
        assert until(lambda: not rows(site))
        n = len(server.lines)
        time.sleep(0.5)
        assert len(server.lines) == n


@test
def notices_to_ourselves_end():
    with Relayed() as (site, server):
        q = site.send("double-bounce@example.com")
        want(site.line(q), r"relay=none, .*dsn=2\.0\.0, status=sent "
             r"\(undeliverable postmaster notification discarded\)")


@test
def late_mail_is_announced_once():
    def rcpt(line):
        return LATER if b"b@" in line else b"250 ok"
    with Relayed({"minimal_backoff_time": "1s", "delay_warning_time": "1s",
                  "maximal_backoff_time": "1s"}, RCPT=rcpt) as (site, server):
        q = site.send("b@r.example")
        site.inst.wait_log(f"{q}: sender delay notification: ")
        assert until(lambda: tries(site, q) >= 4)
        assert len(server.texts) == 1
        want(server.texts[0].decode(), "Action: delayed", "Will-Retry-Until: ",
             "Subject: Delayed Mail")


@test
def soft_bounce():
    with Relayed({"soft_bounce": "yes"},
                 RCPT=b"550 5.1.1 no") as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"dsn=4\.1\.1, status=SOFTBOUNCE \(host .* said: "
             r"550 5\.1\.1 no")
        assert until(lambda: rows(site) and rows(site)[0]["queue_name"]
                     == "deferred")


@test
def deferred_transports():
    with Relayed({"defer_transports": "smtp"}) as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), r"relay=none, .*dsn=4\.3\.2, status=deferred "
             r"\(deferred transport\)")
        assert tool(site, "postqueue", "-f").returncode == 0
        want(site.inst.wait_log(f"{q}: to=.*status=sent.*").group(0), "sent")


@test
def concurrency_is_obeyed():
    state = {"now": 0, "most": 0}
    lock = threading.Lock()

    def end(_):
        time.sleep(0.2)
        with lock:
            state["now"] -= 1
        return b"250 ok"

    def mail(_):
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        return b"250 ok"
    for limit, first in ((1, 5), (3, 5), (6, 2)):
        state.update(now=0, most=0)
        with Relayed({"smtp_destination_concurrency_limit": str(limit),
                      "initial_destination_concurrency": str(first),
                      "smtp_connection_cache_on_demand": "yes"},
                     offers=("SIZE",), MAIL=mail, end=end) as (site, server):
            for _ in range(12):
                site.send("b@r.example")
            assert until(lambda: len(server.texts) == 12), state
            assert state["most"] <= limit, (limit, state)
            assert state["most"] >= min(limit, 2), (limit, state)


@test
def process_limit_is_obeyed():
    """Over all destinations together."""
    state = {"now": 0, "most": 0}
    lock = threading.Lock()

    def end(_):
        time.sleep(0.15)
        with lock:
            state["now"] -= 1
        return b"250 ok"

    def mail(_):
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        return b"250 ok"
    server = Server(MAIL=mail, end=end)
    names = [f"d{i}.example" for i in range(8)]
    site = Site({"transport_maps": "inline:{ " + ", ".join(
        f"{{{n}=smtp:[127.0.0.{i + 1}]:{server.port}}}"
        for i, n in enumerate(names)) + " }"},
        master_cf="smtp unix - - n - 3 smtp\n")
    others = [Server(f"127.0.0.{i + 2}", server.port, MAIL=mail, end=end)
              for i in range(7)]
    try:
        for n in names * 2:
            site.send(f"b@{n}")
        every = [server] + others
        assert until(lambda: sum(len(s.texts) for s in every) == 16, 15)
        assert state["most"] == 3, state
    finally:
        site.stop()
        for s in [server] + others:
            s.close()


@test
def rates():
    for name in ("smtp_destination_rate_delay", "smtp_transport_rate_delay"):
        times = []

        def mail(_):
            times.append(time.time())
            return b"250 ok"
        with Relayed({name: "1s"}, MAIL=mail) as (site, server):
            for i in range(3):
                site.send(f"b@r{i}.example" if "transport" in name
                          else "b@r.example")
            assert until(lambda: len(times) == 3), (name, times)
            gaps = [b - a for a, b in zip(times, times[1:])]
            assert all(0.9 < g < 2 for g in gaps), (name, gaps)


@test
def recipients_of_one_delivery():
    with Relayed({"smtp_destination_recipient_limit": "2"}
                 ) as (site, server):
        site.send([f"u{i}@r.example" for i in range(5)])
        assert until(lambda: len(server.texts) == 3), len(server.texts)
        assert sum(x.startswith("RCPT") for x in server.lines) == 5


@test
def dead_destination():
    """One failure does not put off what else waits; some in a row do."""
    port = free_port()
    site = Site({"relayhost": f"[127.0.0.1]:{port}",
                 "initial_destination_concurrency": "2",
                 "minimal_backoff_time": "3s"})
    try:
        first = site.send("b@r.example")
        want(site.line(first), "connect to .*Connection refused")
        ids = [site.send("b@r.example") for _ in range(12)]
        lines = [site.line(q) for q in ids]
        assert "delivery temporarily suspended: connect to" in lines[-1], lines
        want(site.inst.log_text(), r"postfix/error\[\d+\]: .*relay=none, "
             r".*dsn=4\.4\.1, status=deferred \(delivery temp")
        server = Server(port=port)
        for q in [first] + ids:
            site.inst.wait_log(f"{q}: to=.*status=sent", 15)
        server.close()
    finally:
        site.stop()


@test
def slow_destination_blocks_no_other():
    """More destinations than the transport has places: all get their turn."""
    hold = threading.Event()
    slow = Server(MAIL=lambda _: hold.wait(8) and b"250 ok" or None)
    fast = Server()
    site = Site({"transport_maps": "inline:{ "
                 + ", ".join(f"{{s{i}.example=smtp:{relay(slow)}}}"
                             for i in range(2)) + " }",
                 "relayhost": relay(fast), "smtp_destination_concurrency_limit":
                 "2", "smtp_connection_cache_on_demand": "yes"},
                master_cf="smtp unix - - n - 4 smtp\n")
    try:
        for i in range(20):
            site.send(f"b@s{i % 2}.example")
        ids = [site.send("b@r.example") for _ in range(5)]
        for q in ids:
            want(site.line(q), "status=sent")
        hold.set()
        assert until(lambda: len(slow.texts) == 20), len(slow.texts)
    finally:
        site.stop()
        slow.close()
        fast.close()


@test
def busy_destination_gives_way():
    """One with endless mail holds all places; another's mail comes through."""
    def slow(_):
        time.sleep(0.1)
        return b"250 ok"
    busy, other = Server(end=slow), Server()
    site = Site({"transport_maps": "inline:{ {busy.example=smtp:"
                 + relay(busy) + "} }", "relayhost": relay(other),
                 "smtp_destination_concurrency_limit": "2",
                 "smtp_connection_cache_on_demand": "yes"},
                master_cf="smtp unix - - n - 2 smtp\n")
    try:
        for _ in range(60):
            site.send("b@busy.example")
        q = site.send("b@r.example")
        want(site.line(q), "status=sent")
        assert len(busy.texts) < 40, len(busy.texts)
    finally:
        site.stop()
        busy.close()
        other.close()


@test
def mail_that_kills():
    """A message over which the client dies again and again is put off."""
    hold = threading.Event()
    with Relayed(MAIL=lambda _: hold.wait(60) and b"250 ok" or None
                 ) as (site, server):
        q = site.send("b@r.example")
        for i in range(4):
            assert until(lambda: sum(x.startswith("MAIL")
                                     for x in server.lines) == i + 1, 30), i
            for pid in site.inst.role_pids().get("smtpc", []):
                os.kill(pid, 9)
        want(site.line(q), r"relay=none, .*dsn=4\.3\.0, status=deferred "
             r"\(unknown mail transport error\)")
        hold.set()


@test
def commands_while_it_runs():
    accept = [False]

    def rcpt(line):
        return b"250 ok" if accept[0] else LATER
    with Relayed({"relay_domains": "r.example, other.example"},
                 RCPT=rcpt) as (site, server):
        ids = [site.send(f"u{i}@r.example") for i in range(3)]
        other = site.send("x@other.example")
        assert until(lambda: [r["queue_name"] for r in rows(site)]
                     == ["deferred"] * 4), rows(site)
        listing = tool(site, "postqueue", "-p")
        want(listing.stdout, r"^-Queue ID-  --Size-- ----Arrival Time---- "
             r"-Sender/Recipient-------\n", rf"\n{ids[1]} +\d+ \w+ ",
             r"\(host .*said: 450 4\.2\.0 later", r"u1@r\.example\n",
             r"\n-- \d+ Kbytes in 4 Requests\.\n$")
        mailq = subprocess.run([VEREDUS, "mailq"], capture_output=True,
                               text=True, env={"MAIL_CONFIG": site.inst.etc})
        assert mailq.stdout == listing.stdout, mailq
        r = tool(site, "postsuper", "-h", ids[0])
        assert r.stderr == (f"postsuper: {ids[0]}: placed on hold\n"
                            "postsuper: Placed on hold: 1 message\n"), r
        r = tool(site, "postsuper", "-h", "-", text=f"{ids[1]}\n")
        assert "Placed on hold: 1 message\n" in r.stderr, r
        want(tool(site, "postqueue", "-p").stdout, rf"\n?{ids[0]}! ")
        accept[0] = True
        assert tool(site, "postqueue", "-i", ids[2]).returncode == 0
        site.inst.wait_log(f"{ids[2]}: to=.*status=sent")
        r = tool(site, "postqueue", "-s", "nowhere.example")
        assert r.returncode == 69 and "Flush service is not configured for " \
            "destination \"nowhere.example\"" in r.stderr, r
        assert tool(site, "postqueue", "-s", "other.example").returncode == 0
        site.inst.wait_log(f"{other}: to=.*status=sent")
        assert len(rows(site)) == 2
        r = tool(site, "postsuper", "-d", ids[0])
        assert r.stderr.endswith("postsuper: Deleted: 1 message\n"), r
        r = tool(site, "postsuper", "-H", "ALL")
        assert r.stderr == ("postsuper: Released from hold: 1 message\n"), r
        site.inst.wait_log(f"{ids[1]}: to=.*status=sent")
        assert until(lambda: not rows(site))
        assert tool(site, "postqueue", "-p").stdout == "Mail queue is empty\n"


@test
def commands_while_it_is_down():
    with Relayed(RCPT=LATER) as (site, server):
        ids = [site.send(f"u{i}@r.example", body="Subject: s\r\n\r\ntext\r\n")
               for i in range(4)]
        assert until(lambda: [r["queue_name"] for r in rows(site)]
                     == ["deferred"] * 4)
        before = tool(site, "postqueue", "-p").stdout
        cat = tool(site, "postcat", "-q", ids[0]).stdout
        want(cat, r"\*\*\* ENVELOPE RECORDS deferred/", r"\nsender: a@sender",
             r"\nrecipient: u0@r\.example\n", r"\nSubject: s\n(.+\n)+\ntext\n")
        site.inst.keep = True
        site.inst.stop()
        site.inst.keep = False
        after = tool(site, "postqueue", "-p")
        assert after.stdout == before, (before, after)
        assert tool(site, "postcat", "-q", ids[0]).stdout == cat
        r = tool(site, "postqueue", "-f")
        assert r.returncode == 69 and "mail system is down" in r.stderr, r
        r = tool(site, "postsuper", "-d", ids[0], "-h", ids[1])
        assert r.returncode == 0, r
        r = tool(site, "postsuper", "-d", "ALL", "hold")
        assert "Deleted: 1 message\n" in r.stderr, r
        assert {x["queue_id"] for x in rows(site)} == set(ids[2:])
        server.say["RCPT"] = b"250 ok"
        site.inst.start()
        tool(site, "postqueue", "-f")
        for q in ids[2:]:
            site.inst.wait_log(f"{q}: to=.*status=sent")
        assert len(server.texts) == 2


@test
def large_queues_are_walked_quickly():
    n = 3000
    with Relayed({"defer_transports": "smtp"}) as (site, server):
        import smtplib
        with smtplib.SMTP("127.0.0.1", site.inst.smtp_port) as s:
            for _ in range(n):
                s.sendmail("a@sender.example", "b@r.example", "x\r\n")
        assert until(lambda: len(rows(site)) == n, 20)
        start = time.time()
        tool(site, "postsuper", "-h", "ALL")
        r = tool(site, "postsuper", "-d", "ALL")
        assert f"Deleted: {n} messages" in r.stderr, r
        assert time.time() - start < 5, time.time() - start


@test
def transport_goes_and_comes():
    """A reload takes a transport away while it has mail, and gives it back."""
    hold = threading.Event()
    slow = Server(MAIL=lambda _: hold.wait(20) and b"250 ok" or None)
    site = Site({"transport_maps": "inline:{ {x.example=extra:"
                 + relay(slow) + "} }",
                 "extra_destination_concurrency_limit": "1"},
                master_cf="extra unix - - n - - smtp\n")
    path = site.inst.etc + "/master.cf"
    try:
        ids = [site.send("b@x.example") for _ in range(6)]
        assert until(lambda: slow.sessions)
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("extra unix", "#extra unix"))
        tool(site, "postfix", "reload")
        q = site.send("b@x.example")
        want(site.line(q), r"dsn=4\.3\.0, status=deferred \(mail transport "
             r"unavailable\)")
        hold.set()
        assert until(lambda: all(r["queue_name"] == "deferred"
                                 for r in rows(site)))
        with open(path, "w") as f:
            f.write(text)
        tool(site, "postfix", "reload")
        time.sleep(1)
        tool(site, "postqueue", "-f")
        for x in ids + [q]:
            site.inst.wait_log(f"{x}: to=.*status=sent")
    finally:
        site.stop()
        slow.close()


def descriptors(site):
    """How many each role has open."""
    return {role: len(os.listdir(f"/proc/{pids[0]}/fd"))
            for role, pids in site.inst.role_pids().items()}


@test
def reloads_forget_nothing():
    with Relayed(RCPT=LATER) as (site, server):
        q = site.send("b@r.example")
        want(site.line(q), "status=deferred")
        before = descriptors(site)
        for _ in range(20):
            r = tool(site, "postfix", "reload")
            assert r.returncode == 0, r
        assert until(lambda: all(n <= before[role] + 3 for role, n
                                 in descriptors(site).items())), \
            (before, descriptors(site))
        server.say["RCPT"] = b"250 ok"
        assert until(lambda: tool(site, "postqueue", "-f").returncode == 0)
        site.inst.wait_log(f"{q}: to=.*status=sent")
        q = site.send("c@r.example")
        want(site.line(q), "status=sent")


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
