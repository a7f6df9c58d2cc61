#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""veredus doctor: what it finds in settings, aliases, DNS and the host, what
it says to who is not root, and that it leaves no complaints in the log.

The last line is "N passed, N failed"."""
import os
import re
import subprocess
import sys
import time

from admin import NOBODY, ROOTS, Place
from dns_server import DnsServer
from records import HOST, zone

passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED", text)


def doctor(p, *words, uid=None):
    before, p.uid = p.uid, uid if uid is not None else p.uid
    done = subprocess.run(p.argv("doctor", "-c", p.etc, *words), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.uid = before
    check(not done.stderr and re.fullmatch(
        r"((ok|warning|problem) +\S.*\n)*", done.stdout), done)
    check(done.returncode == ("\nproblem" in "\n" + done.stdout), done)
    return done.stdout


def edit(p, *settings):
    p.call("postconf", "-c", p.etc, "-e", *settings)


def finds(p, level, text, *settings):
    """Said with these settings, and not without."""
    with open(p.etc + "/main.cf") as f:
        before = f.read()
    quiet = doctor(p)
    edit(p, *settings)
    said = doctor(p)
    with open(p.etc + "/main.cf", "w") as f:
        f.write(before)
    found = re.compile(rf"^{level} +.*{text}", re.M)
    check(found.search(said), (settings, text, said))
    check(not found.search(quiet), (settings, text, "without", quiet))


def settings(p):
    main = re.escape(p.etc + "/main.cf")
    for name in ("localhost", "localhost.localdomain", "box.localdomain"):
        finds(p, "problem", f"{main}: myhostname = {name}",
              "myhostname=" + name)
    finds(p, "warning", f"{main}: myhostname = box: .*full name",
          "myhostname=box")
    for network in ("0.0.0.0/0", "[::]/0", "static:all"):
        finds(p, "problem", f"{main}: mynetworks = {re.escape(network)}: "
              "everybody", "mynetworks=127.0.0.0/8 " + network)
    finds(p, "warning", f"{main}: mynetworks = 8.0.0.0/5: so many",
          "mynetworks=8.0.0.0/5")
    networks = p.etc + "/networks"
    with open(networks, "w") as f:
        f.write("# ours\n10.0.0.0/8\n0.0.0.0/0\n")
    for spec in (networks, "cidr:" + networks):
        finds(p, "problem", f"mynetworks = {re.escape(spec)} "
              r"\(0.0.0.0/0\): everybody", "mynetworks=" + spec)
    finds(p, "problem", f"{main}: mail_owner = nobody-of-that-name",
          "mail_owner=nobody-of-that-name")


def examination(p):
    """What postfix check finds is found, and does not end the looking."""
    finds(p, "warning", "transport_maps: table hash:.*/none.db: No such file",
          f"transport_maps=hash:{p.etc}/none")
    finds(p, "warning", 'default_transport: no transport "nowhere"',
          "default_transport=nowhere")
    finds(p, "problem", "main.cf, line .*smtpd_milters",
          "smtpd_milters=inet:127.0.0.1:9")
    edit(p, "queue_run_delay=soon")
    said = doctor(p)
    check(re.search("^problem .*main.cf, line .*queue_run_delay", said, re.M)
          and "can be had" in said and "the directory has" in said, said)
    p.call("postconf", "-c", p.etc, "-X", "queue_run_delay")


def mailboxes(p):
    base = p.dir + "/boxes"
    finds(p, "ok", f"mailboxes are put below {base}",
          f"virtual_mailbox_base={base}",
          *(["virtual_uid_maps=static:0", "virtual_gid_maps=static:0"]
            if ROOTS else []))
    os.makedirs(base, exist_ok=True)
    os.chmod(base, 0o555)
    if ROOTS:
        finds(p, "problem", f"user 7777, .* may not write in {base}",
              f"virtual_mailbox_base={base}/below",
              "virtual_uid_maps=static:7777", "virtual_gid_maps=static:7777")
    finds(p, "problem", "virtual_mailbox_base = .*master.cf: this is no dir",
          f"virtual_mailbox_base={p.etc}/master.cf")


def aliases(p):
    text = p.etc + "/loops"
    with open(text, "w") as f:
        f.write("good: alice, bob\nbob: bob, carol\nalice: \\bob\n"
                "one: two\ntwo: three,\n  alice\nthree: ONE@localhost\n"
                "list: :include:/list\nprog: \"|list\"\n")
    finds(p, "problem", f"{re.escape(text)}: aliases go in a circle: "
          "one -> two -> three -> one", f"alias_maps=texthash:{text}",
          "mydestination=localhost")
    said = doctor(p)
    check("bob" not in said and "circle" not in said, said)
    with open(text, "w") as f:
        for i in range(50000):      # a long chain that ends is no circle
            f.write(f"a{i} a{i + 1}@x\n")
        f.write("b@x c@x\nc@x b@x\n")
    started = time.monotonic()
    finds(p, "problem", f"{re.escape(text)}: aliases go in a circle: "
          "b@x -> c@x -> b@x", f"virtual_alias_maps=texthash:{text}")
    check(time.monotonic() - started < 60, "long texts take long")
    for name, target in (("info", "sales"), ("sales", "info")):
        p.admin("alias", "add", "--force", name + "@example.com",
                target + "@example.com")
    said = doctor(p)
    check(re.search("^problem +the directory: aliases go in a circle: "
                    "(info|sales)@example.com -> (info|sales)@example.com -> ",
                    said, re.M), said)
    p.admin("alias", "delete", "info@example.com")


def dns(p):
    for changes, text in (
            ({"MX": None}, "example.com MX is missing; wanted: 10 " + HOST),
            ({"MX": ["10 a.example"]}, "example.com MX is 10 a.example."),
            ({"PTR": ["b.example"]}, "PTR is b.example.; wanted: " + HOST),
            ({"A": None}, HOST + " A is missing"),
            ({"TXT": None}, "example.com TXT is missing; wanted: .v=spf1"),
            ({}, None)):
        server = DnsServer(zone(p, **changes))
        edit(p, f"lookup_dns_server=127.0.0.1:{server.port}")
        said = doctor(p)
        server.stop()
        check(re.search("^warning +DNS: .*" + text, said, re.M) if text else
              f"DNS has the records of {HOST}" in said, (changes, said))
        check(said.count("DNS:") == len(changes)
              or set(changes) <= {"A", "MX"}, said)
    server = DnsServer({(HOST, "SILENT"): [""],
                        ("example.com", "SILENT"): [""]})
    edit(p, f"lookup_dns_server=127.0.0.1:{server.port}")
    started = time.monotonic()
    said = doctor(p)
    server.stop()
    check("DNS does not answer" in said and "is missing" not in said, said)
    check(time.monotonic() - started < 40, "silent servers hold it up")
    edit(p, f"lookup_dns_server=127.0.0.1:{p.server.port}")


def runs(p):
    """Every port is spoken to, and nothing is complained about in the log."""
    p.call("postfix", "-c", p.etc, "start")
    try:
        said = doctor(p)
        check(said.count(" answers\n") == 7, said)
        with open(p.etc + "/maillog") as f:
            log = f.read()
        bad = re.findall("(?i).*(?:lost connection|error|disconnected|abort|"
                         "warning|non-smtp|timeout).*", log)
        check(not bad, bad)
        if ROOTS:
            said = doctor(p, uid=NOBODY)
            check("the system runs" in said, said)
    finally:
        p.call("postfix", "-c", p.etc, "stop")


def not_root(p):
    """What only root sees is no finding about the system."""
    said = doctor(p, uid=NOBODY)
    check("problem" not in said, said)
    for path in ("/tls/key.pem", "/directory.db"):
        check(re.search(rf"^warning .*{path}.* ask as root$", said, re.M),
              (path, said))
    edit(p, "queue_directory=" + p.dir + "/none")
    with open(p.etc + "/master.cf") as f:
        master = f.read()
    p.call("postconf", "-c", p.etc, "-M",
           "127.0.0.1:19/inet=127.0.0.1:19 inet n - n - - smtpd")
    said = doctor(p, uid=NOBODY)
    if re.search("port 19 .*can be had", said) is None:
        check(re.search(r"^warning +port 19 .* ask as root$", said, re.M),
              said)
    with open(p.etc + "/master.cf", "w") as f:
        f.write(master)


def system_users(p):
    """A host without a directory."""
    edit(p, "auth_sources=shadow", "mydestination=$myhostname example.com",
         "virtual_mailbox_domains=", "virtual_mailbox_maps=",
         "virtual_alias_maps=", f"alias_maps=texthash:{p.etc}/local",
         f"alias_database=hash:{p.etc}/aliases", "home_mailbox=Maildir/")
    with open(p.etc + "/local", "w") as f:
        f.write("root: alice\n")
    with open(p.etc + "/aliases") as f:
        aliases = f.read()
    with open(p.etc + "/aliases", "w") as f:
        f.write("root: alice\n")
    os.utime(p.etc + "/aliases", (0, 0))
    said = doctor(p)
    check("problem" not in said and "users of the system" in said
          and "nobody gets the mail of postmaster" in said, said)
    with open(p.etc + "/local", "a") as f:
        f.write("Postmaster: root\n")
    said = doctor(p)
    check("postmaster" not in said, said)
    edit(p, "home_mailbox=", "mail_spool_directory=/nowhere/mail")
    check(re.search("^problem .*/nowhere/mail", doctor(p), re.M), "spool")
    edit(p, "auth_sources=passwd-file:" + p.etc + "/none")
    check(re.search(f"^problem .*{p.etc}/none", doctor(p), re.M), "users")
    with open(p.etc + "/aliases", "w") as f:
        f.write(aliases)


def certificates(p):
    """Of every service, not of main.cf alone."""
    cert = p.etc + "/tls/other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj",
         "/CN=" + HOST, "-keyout", cert + ".key", "-out", cert], check=True,
        stderr=subprocess.DEVNULL)
    with open(cert + ".key") as key, open(cert, "a") as f:
        f.write(key.read())
    os.chmod(cert, 0o600)
    soon = rf"certificate {re.escape(cert)} is good until"
    finds(p, "warning", soon, "imapd_tls_chain_files=" + cert)
    with open(p.etc + "/master.cf", "r+") as f:
        text = f.read()
        f.write(f"{p.base + 26} inet n - n - - smtpd\n"
                f"  -o smtpd_tls_cert_file={cert}\n"
                f"  -o smtpd_tls_key_file={cert}.key\n")
    said = doctor(p)
    check(re.search("^warning .*" + soon, said, re.M), said)
    with open(p.etc + "/master.cf", "w") as f:
        f.write(text)


def main():
    p = Place()
    try:
        p.init("example.com")
        p.admin("user", "add", "--stdin", "alice@example.com",
                stdin="correct horse battery\n")
        p.server = DnsServer(zone(p))
        edit(p, f"lookup_dns_server=127.0.0.1:{p.server.port}")
        tests = [settings, examination, mailboxes,
                 aliases, certificates, dns, runs]
        for test in tests + ([not_root] if ROOTS else []) + [system_users]:
            try:
                test(p)
            except Exception as e:
                check(False, f"{test.__name__}: {type(e).__name__}: {e}")
    finally:
        p.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
