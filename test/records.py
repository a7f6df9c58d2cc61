#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""veredus dns: the records that a domain needs, and whether they are there,
against a name server whose zone is changed record by record.

The last line is "N passed, N failed"."""
import json
import re
import subprocess
import sys
import time

from admin import Place
from dns_server import DnsServer

HOST, DOMAIN = "mail.example.com", "example.com"
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED", text)


def zone(p, **changes):
    """A zone in which all is well, and what is to be otherwise; None: gone."""
    z = {(HOST, "A"): ["192.0.2.1"],
         ("1.2.0.192.in-addr.arpa", "PTR"): [HOST],
         (DOMAIN, "MX"): ["10 " + HOST],
         (DOMAIN, "TXT"): ["site-verification=x", "v=spf1 mx -all"]}
    for name, port in (("imap", 143), ("imaps", 993), ("pop3", 110),
                       ("pop3s", 995), ("submission", 587),
                       ("submissions", 465)):
        z[f"_{name}._tcp.{DOMAIN}", "SRV"] = [f"0 1 {p.base + port} {HOST}"]
    for key, value in changes.items():
        kind = key.rstrip("0123456789")
        name = {"A": HOST, "AAAA": HOST, "PTR": "1.2.0.192.in-addr.arpa",
                "SRV": f"_imaps._tcp.{DOMAIN}"}.get(kind, DOMAIN)
        z.pop((name, kind), None)
        if value is not None:
            z[name, kind] = value
    return z


def ask(p, z, *words, settings=()):
    """Exit status and lines."""
    server = DnsServer(z)
    try:
        for setting in (f"lookup_dns_server=127.0.0.1:{server.port}",
                        *settings):
            p.call("postconf", "-c", p.etc, "-e", setting)
        done = subprocess.run(p.argv("dns", "-c", p.etc, *words), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        server.stop()
    check(not done.stderr, done.stderr)
    return done.returncode, done.stdout.splitlines()


def states(lines):
    return {(line.split()[1], line.split()[3]): line.split()[0]
            for line in lines}


def all_is_well(p):
    status, lines = ask(p, zone(p), DOMAIN)
    check(status == 0 and len(lines) == 10, lines)
    check(all(line.startswith("ok ") for line in lines), lines)
    check(f"ok       {DOMAIN}. IN MX 10 {HOST}." in lines, lines)
    check(f"ok       _imaps._tcp.{DOMAIN}. IN SRV 0 1 {p.base + 993} {HOST}."
          in lines, lines)


CASES = [
    # what is changed, the line's name and type, its state, what it shows
    ({"MX": None}, (DOMAIN, "MX"), "missing", f"10 {HOST}."),
    ({"MX": ["10 other.example"]}, (DOMAIN, "MX"), "differs",
     "found: 10 other.example."),
    ({"MX": ["5 other.example", "20 " + HOST]}, (DOMAIN, "MX"), "ok", HOST),
    ({"MX": ["10 other.example"]}, (DOMAIN, "TXT"), "differs",
     f'"v=spf1 mx a:{HOST} -all"  ; found: "v=spf1 mx -all"'),
    ({"A": None}, (HOST, "A"), "missing", "the address of this host"),
    ({"PTR": None}, ("1.2.0.192.in-addr.arpa", "PTR"), "missing", HOST),
    ({"PTR": ["host1.provider.example"]},
     ("1.2.0.192.in-addr.arpa", "PTR"), "differs", "host1.provider.example."),
    ({"TXT": None}, (DOMAIN, "TXT"), "missing", "v=spf1 mx -all"),
    ({"TXT": ["something else"]}, (DOMAIN, "TXT"), "missing", "v=spf1"),
    ({"TXT": ["v=spf1 -all"]}, (DOMAIN, "TXT"), "differs", "v=spf1 -all"),
    ({"TXT": ["v=spf1 -mx -all"]}, (DOMAIN, "TXT"), "differs", "-mx"),
    ({"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}, (DOMAIN, "TXT"), "ok", "/24"),
    ({"TXT": ["v=spf1 ip4:198.51.100.0/24 ~all"]}, (DOMAIN, "TXT"),
     "differs", "198.51"),
    ({"TXT": [f"v=spf1 a:{HOST} -all"]}, (DOMAIN, "TXT"), "ok", HOST),
    ({"TXT": ["v=spf1 a -all"]}, (DOMAIN, "TXT"), "differs", "a -all"),
    ({"TXT": ["v=spf1 include:_spf.example.net -all"]}, (DOMAIN, "TXT"),
     "ok", "include"),
    ({"TXT": ["v=spf1 mx -all", "v=spf1 a -all"]}, (DOMAIN, "TXT"),
     "differs", "2 records of SPF"),
    ({"TXT": ["v=spf10 mx -all"]}, (DOMAIN, "TXT"), "missing", "v=spf1 "),
    ({"SRV": None}, (f"_imaps._tcp.{DOMAIN}", "SRV"), "missing", HOST),
    ({"SRV": ["0 1 993 imap.example.net"]}, (f"_imaps._tcp.{DOMAIN}", "SRV"),
     "differs", "993 imap.example.net."),
    ({"AAAA": ["2001:db8::1"]},
     (".".join("1" + "0" * 23 + "8bd01002") + ".ip6.arpa", "PTR"),
     "missing", HOST),
]


def one_is_wrong(p):
    for changes, (name, kind), state, shows in CASES:
        status, lines = ask(p, zone(p, **changes), DOMAIN)
        line = [x for x in lines if x.split()[1::2][:2] == [name + ".", kind]]
        check(len(line) == 1 and line[0].startswith(state + " ")
              and shows in line[0], (changes, lines))
        check(status == (state != "ok"), (changes, status))


def settings_tell(p):
    """What the configuration says of addresses and services."""
    _, lines = ask(p, zone(p), DOMAIN,
                   settings=["proxy_interfaces=198.51.100.7"])
    check(states(lines)[HOST + ".", "A"] == "differs", lines)
    check(any("198.51.100.7  ; found: 192.0.2.1" in x for x in lines), lines)
    _, lines = ask(p, zone(p), DOMAIN,
                   settings=["proxy_interfaces=192.0.2.1"])
    check(states(lines)[HOST + ".", "A"] == "ok", lines)
    with open(p.etc + "/master.cf") as f:
        pop3 = re.search(r"^(\S*%d)\s+inet" % (p.base + 110), f.read(), re.M)
    p.call("postconf", "-c", p.etc, "-MX", pop3[1] + "/inet")
    _, lines = ask(p, zone(p), DOMAIN)
    check(len(lines) == 9 and not any("_pop3._tcp" in x for x in lines),
          lines)
    status, lines = ask(p, zone(p), DOMAIN, "other.example", "--json")
    rows = [json.loads(x) for x in lines]
    check(status == 1 and any(
        x == {"state": "missing", "name": "other.example", "type": "MX",
              "wanted": f"10 {HOST}.", "found": ""} for x in rows), rows)


def servers_fail(p):
    """Nobody waits long, and nobody is told that a record is missing."""
    z = zone(p)
    z.pop((DOMAIN, "MX"))
    z[DOMAIN, "SERVFAIL"] = [""]
    status, lines = ask(p, z, DOMAIN)
    check(states(lines)[DOMAIN + ".", "MX"] == "unknown" and status == 1,
          lines)
    started = time.monotonic()
    status, lines = ask(p, {(HOST, "SILENT"): [""], (DOMAIN, "SILENT"): [""]},
                        DOMAIN)
    check(time.monotonic() - started < 40, "silent servers hold it up")
    check(lines and all(x.startswith("unknown") for x in lines)
          and status == 1, lines)


def refused(p):
    check("not a domain" in p.call("dns", "-c", p.etc, "a..b", status=1), "")
    check("usage: veredus dns" in p.call("dns", status=2), "no domain")


def main():
    p = Place()
    try:
        p.init(DOMAIN)
        for test in (all_is_well, one_is_wrong, settings_tell, servers_fail,
                     refused):
            test(p)
    finally:
        p.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
