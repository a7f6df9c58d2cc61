#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The queue beside Postfix' own: both get the same mail and the same servers;
their listings, reports and commands must say the same.  Then the queue that
Postfix leaves is taken over.

The last line is "N passed, N failed[, N skipped]".
"""
import email
import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../bench"), os.path.join(HERE, "..")]

import systems  # noqa: E402
from client import Server  # noqa: E402
from harness import VEREDUS  # noqa: E402

BODY = ("Subject: hello\r\nMessage-Id: <1@x>\r\nDate: Sat, 28 Nov 2026 "
        "19:33:40 +0000\r\nFrom: a@sender.example\r\n\r\nline one\r\n.dot\r\n")


def rcpt(line):
    return (b"550 5.1.1 no such <x>" if b"bad" in line
            else b"450 4.2.0 later" if b"later" in line else b"250 2.1.5 ok")


class Side:
    """One of the two, with a server that mail goes to."""

    def __init__(self, kind):
        self.server = Server(RCPT=rcpt, offers=("PIPELINING", "SIZE",
                                                "8BITMIME"))
        self.system = kind(
            default_transport=f"smtp:[127.0.0.1]:{self.server.port}",
            smtp_connection_cache_on_demand="no",
            relay_domains="relayed.example", maillog_file="",
            smtpd_peername_lookup="no")
        self.system.binary = VEREDUS
        self.system.start()
        self.ids = {}

    def send(self, key, to, sender="a@sender.example", options=(), wishes=()):
        with smtplib.SMTP("127.0.0.1", self.system.smtp, timeout=20) as s:
            s.ehlo("t.example")
            s.mail(sender, options)
            for x in to:
                s.rcpt(x, wishes)
            _, text = s.data(BODY)
        self.ids[re.search(rb"as (\S+)", text).group(1).decode()] = key

    def run(self, *argv, text=None):
        return subprocess.run(self.system.tool(*argv), input=text, text=True,
                              env=self.system.environment(), timeout=60,
                              capture_output=True)

    def known(self, text):
        """Queue ids by the mail's name; times and sizes apart."""
        for q, key in self.ids.items():
            text = re.sub(rf"\b{q}\b *", f"<{key}>", text)
        text = re.sub(r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8}",
                      "DATE", text)
        text = re.sub(r"\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} \+0000 \(UTC\)",
                      "DATE", text)
        return text

    def close(self):
        self.system.close()
        self.server.close()


def fill(side):
    side.send("some", ["good@r.example", "bad@r.example", "later@r.example"],
              options=["ENVID=abc+2Bd"])
    side.send("waits", ["later1@r.example", "later2@r.example"])
    side.send("null", ["later3@r.example"], sender="")
    side.send("header", ["bad2@r.example"], options=["RET=HDRS"],
              wishes=["ORCPT=rfc822;orig@r.example"])
    side.send("never", ["bad3@r.example"], wishes=["NOTIFY=NEVER"])
    side.send("success", ["good4@r.example"], wishes=["NOTIFY=SUCCESS"])
    end = time.time() + 15
    while time.time() < end:
        if len(side.server.texts) >= 5 and len(listing(side)) == 3:
            return
        time.sleep(0.1)
    raise AssertionError(side.run("postqueue", "-p").stdout
                         + repr(side.server.texts))


def listing(side):
    out = side.run("postqueue", "-j").stdout
    found = {}
    for line in out.splitlines():
        row = json.loads(line)
        row.pop("arrival_time")
        row.pop("message_size")
        row["queue_id"] = key = side.ids[row["queue_id"]]
        found[key] = row
    return found


def shown(side):
    """mailq's text, by messages."""
    text = side.known(side.run("postqueue", "-p").stdout)
    blocks = text.split("\n\n")
    head, blocks[0] = blocks[0].split("\n", 1)
    return head, sorted(re.sub(r"> *\d+ DATE", "> SIZE DATE", b)
                        for b in blocks[:-1]), \
        re.sub(r"\d+ Kbytes", "N Kbytes", blocks[-1])


def structure(side, text):
    """What a report says, without the words of its notification."""
    m = email.message_from_bytes(text)
    parts = m.get_payload()
    status = [[(k, re.sub(r"\s+", " ", v)) for k, v in block.items()
               if k not in ("Arrival-Date", "X-Postfix-Queue-ID")]
              for block in parts[1].get_payload()]
    status = [[(k, v.replace("rfc822; ", "rfc822;")) for k, v in block]
              for block in status]
    original = parts[2].as_string()
    notice = re.sub(r"\]:\d+:", "]:PORT:", parts[0].get_payload())
    return {
        "names": [k for k in m.keys() if k not in (
            "Content-Transfer-Encoding",)],
        "from": m["From"], "to": m["To"], "subject": m["Subject"],
        "auto": m["Auto-Submitted"], "type": m.get_content_type(),
        "report": m.get_param("report-type"),
        "parts": [(p.get_content_type(), p["Content-Description"])
                  for p in parts],
        "reason": re.sub(r"\s+", " ", notice[notice.find("<"):]),
        "status": status,
        "original": [line for line in original.splitlines()
                     if line.startswith(("Subject", "Return-Path", "From",
                                         "line", ".dot"))],
    }


def reports(side):
    found = {}
    for text in side.server.texts:
        m = re.search(rb"X-Postfix-Queue-ID: (\S+)", text)
        if m:
            found[side.ids[m.group(1).decode()]] = structure(side, text)
    return found


def envelope_records(side, key):
    q = [q for q, k in side.ids.items() if k == key][0]
    wanted = ("sender", "recipient", "done_recipient", "original_recipient",
              "message_arrival_time")
    lines = side.run("postcat", "-eq", q).stdout.splitlines()
    return [x if "arrival" not in x else "message_arrival_time"
            for x in lines if x.split(":")[0] in wanted]


def content(side, key):
    q = [q for q, k in side.ids.items() if k == key][0]
    return side.known(side.run("postcat", "-bhq", q).stdout)


COMMANDS = [
    ("postqueue",), ("postqueue", "-x"), ("postqueue", "-p", "-f"),
    ("postqueue", "-i", "XYZ"), ("postqueue", "-i", "0123ABC"),
    ("postqueue", "-s", "nowhere.example"), ("postqueue", "-s", "a b"),
    ("postqueue", "-s", "relayed.example"),
    ("postsuper", "-d", "ABCDEF"), ("postsuper", "-d", "a/b"),
    ("postsuper", "-h", "-"), ("postsuper", "-H", "ALL"),
    ("postsuper", "-h", "ALL", "deferred"), ("postsuper", "-H", "ALL"),
    ("postsuper", "-d", "ALL", "hold"), ("postsuper", "-d", "ALL", "nosuch"),
]


def said(side, argv):
    """Exit status and what was said, without the configuration's place."""
    r = side.run(*argv, text="")
    return (r.returncode, r.stdout,
            sorted(x for x in side.known(r.stderr).splitlines()
                   if "main.cf" not in x))


class Count:
    passed = failed = 0

    def same(self, name, peer, ours):
        if peer == ours:
            self.passed += 1
            return
        self.failed += 1
        print(f"{name}:\n  Postfix: {peer}\n  ours:    {ours}")


def compare(c, peer, ours):
    for side in (peer, ours):
        fill(side)
    c.same("postqueue -j", listing(peer), listing(ours))
    c.same("postqueue -p", shown(peer), shown(ours))
    theirs, mine = reports(peer), reports(ours)
    c.same("reports made", sorted(theirs), sorted(mine))
    for key in sorted(set(theirs) & set(mine)):
        for what, value in theirs[key].items():
            c.same(f"report {key}: {what}", value, mine[key][what])
    for key in ("waits", "null", "some"):
        c.same(f"postcat -eq {key}", envelope_records(peer, key),
               envelope_records(ours, key))
        c.same(f"postcat -bhq {key}", content(peer, key), content(ours, key))
    for argv in COMMANDS:
        c.same(" ".join(argv), said(peer, argv), said(ours, argv))


def drop(peer, ours):
    """Mail that Postfix' postdrop took while its system was down."""
    records = [("S", "a@sender.example"), ("R", "dropped@r.example"),
               ("M", ""), ("N", "Subject: dropped"), ("N", ""),
               ("N", "from postdrop"), ("X", ""), ("E", "")]
    subprocess.run(
        [systems.PEER + "/usr/sbin/postdrop", "-r"], check=True, timeout=60,
        env=peer.system.environment(), capture_output=True,
        input=b"".join(kind.encode() + bytes([len(data)]) + data.encode()
                       for kind, data in records))
    source = peer.system.path("queue/maildrop")
    for name in os.listdir(source):
        target = ours.system.path("queue/maildrop/" + name)
        shutil.copy(os.path.join(source, name), target)
        os.chmod(target, 0o600)
        shutil.chown(target, "daemon")


def take_over(c, peer, ours):
    """What Postfix has queued becomes ours, message by message."""
    before = listing(peer)
    for row in before.values():
        for x in row["recipients"]:
            x.pop("delay_reason", None)
    peer.system.stop()
    ours.run("postsuper", "-d", "ALL")
    ours.system.stop()
    for name in ("incoming", "active", "deferred", "hold"):
        target = ours.system.path("queue/" + name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(peer.system.path("queue/" + name), target)
        subprocess.run(["chown", "-R", "daemon", target], check=True)
    junk = ours.system.path("queue/deferred/rubbish")
    with open(junk, "wb") as f:
        f.write(b"no queue file")
    shutil.chown(junk, "daemon")
    drop(peer, ours)
    r = ours.run("takeover")
    c.same("takeover", (0, ""), (r.returncode, r.stderr))
    left = [n for top in ("incoming", "active", "deferred", "hold")
            for _, _, names in os.walk(ours.system.path("queue/" + top))
            for n in names]
    c.same("files left", [], left)
    c.same("unreadable ones", ["rubbish"],
           os.listdir(ours.system.path("queue/corrupt")))
    rows = [json.loads(x)
            for x in ours.run("postqueue", "-j").stdout.splitlines()]

    def essence(all_rows):
        return sorted((r["queue_name"], r["sender"],
                       [x["address"] for x in r["recipients"]])
                      for r in all_rows)
    c.same("taken over", essence(before.values()), essence(rows))
    ours.server.say["RCPT"] = b"250 ok"
    n = len(ours.server.texts)
    ours.system.start()
    ours.run("postsuper", "-H", "ALL")
    ours.run("postqueue", "-f")
    # one more: master empties maildrop at the start
    end = time.time() + 15
    while time.time() < end and len(ours.server.texts) <= n + len(before):
        time.sleep(0.1)
    texts = ours.server.texts[n:]
    dropped = [x for x in texts if b"Subject: dropped" in x]
    c.same("delivered", len(before), len(texts) - len(dropped))
    c.same("picked up", [True],
           [b"\r\n\r\nfrom postdrop\r\n" in x for x in dropped])


def main():
    if not systems.have_peer():
        print("no Postfix to compare with")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    c = Count()
    peer, ours = Side(systems.Postfix), Side(systems.Veredus)
    try:
        compare(c, peer, ours)
        for side in (peer, ours):
            side.send("again", ["later5@r.example", "good5@r.example"])
            side.send("held", ["later6@r.example"], sender="")
        time.sleep(2)
        q = [q for q, k in peer.ids.items() if k == "held"][0]
        peer.run("postsuper", "-h", q)
        take_over(c, peer, ours)
    finally:
        peer.close()
        ours.close()
    print(f"{c.passed} passed, {c.failed} failed")
    return c.failed > 0


if __name__ == "__main__":
    sys.exit(main())
