#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rewriting and resolving, asked of us and of Postfix' trivial-rewrite.

usage: route.py PEER_ROOT PROBE [SEED]

Beside the cases written out here, addresses are generated from local parts
and domains of every kind, and the tables of each kind hold some of the keys
that may be asked for them, quoted and not; the seed chooses which.

PEER_ROOT is where Debian's postfix package is unpacked, PROBE is
route_probe.c linked with the library.  Needs root, since Postfix' master
does; everything happens in a scratch directory.  Exits 77 when the peer
cannot be run.  The last line is "N passed, N failed".
"""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))))
from harness import peer_libraries  # noqa: E402

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
meta_directory = {dir}/etc
shlib_directory = no
mail_owner = daemon
setgid_group = tty
maillog_file = {dir}/log
maillog_file_prefixes = /tmp
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
in_flow_delay = 0
myhostname = mx.example.com
mydomain = example.com
myorigin = example.com
mydestination = $myhostname, local.org, localhost
inet_interfaces = 127.0.0.1
alias_maps =
local_recipient_maps = inline:{{ {{joe=x}}, {{ann@local.org=x}} }}
relay_recipient_maps = inline:{{ {{r@relay.org=x}}, {{@sub.relay.org=x}} }}
virtual_mailbox_maps = inline:{{ {{m@vm.org=x}} }}
unknown_relay_recipient_reject_code = 450
virtual_alias_domains = va.org
virtual_mailbox_domains = inline:{{ {{vm.org=x}} }}
virtual_transport = lmtp:unix:private/x
relay_domains = relay.org
relayhost = [smart.org]:587
append_dot_mydomain = yes
remote_header_rewrite_domain = domain.invalid
recipient_delimiter = +
transport_maps = inline:{{ {{a@x.org=smtp:[a]:26}}, {{x.org=uucp:}},
    {{.y.org=:via.org}}, {{keep.y.org=:}}, {{no.org=error:no such place}},
    {{gone.org=error:}}, {{retry.org=retry:}}, {{u+e@z.org=slow}} }}
relocated_maps = inline:{{ {{left@far.org=her new home}}, {{moved=x}},
    {{@alldead.org=nowhere}} }}
sender_dependent_relayhost_maps = inline:{{ {{@s.org=[s]}},
    {{d@s.org=DUNNO}}, {{<>=[null]}} }}
smtpd_recipient_restrictions = permit
smtpd_relay_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
smtpd_reject_unlisted_recipient = no
canonical_maps = inline:{{ {{joe=Joe.User}}, {{ann@a.org=ann@b.org}},
    {{@old.org=@new.org}}, {{loop@a.org=pool@a.org}},
    {{pool@a.org=loop@a.org}}, {{quo=\"x y\"@q.org}} }}
sender_canonical_maps = inline:{{ {{s@a.org=t@a.org}}, {{t@a.org=w@a.org}} }}
recipient_canonical_maps = inline:{{ {{r@a.org=q@a.org}} }}
masquerade_domains = !x.m.org m.org
masquerade_exceptions = root
always_bcc = archive
sender_bcc_maps = inline:{{ {{b@s.org=seen@b.org}} }}
recipient_bcc_maps = inline:{{ {{watch@a.org=watched@b.org}} }}
virtual_alias_expansion_limit = 5
virtual_alias_recursion_limit = 4
virtual_alias_maps = inline:{{ {{list=ann@v.org, bob@b.org}},
    {{ann@v.org=carl}}, {{self@a.org=self@a.org, copy@a.org}},
    {{many@a.org=a,b,c,d,e,f}}, {{1@a.org=2@a.org}}, {{2@a.org=3@a.org}},
    {{3@a.org=4@a.org}}, {{4@a.org=5@a.org}}, {{5@a.org=6@a.org}},
    {{@d.org=@e.org}}, {{dup@a.org=x@y.z,X@Y.z,x@y.z}},
    {{archive=keep@a.org}}, {{v1@a.org=v2@a.org, w@a.org}},
    {{v2@a.org=v1@a.org}}, {{name@a.org=Some One <o@a.org>}},
    {{five@a.org=a,b,c,d,e}}, {{joe.user=\"joe user\"@a.org}} }}
sender_dependent_default_transport_maps = inline:{{ {{u@s.org=slow:[slow]}},
    {{v@s.org=fast:}} }}
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{strict} inet n - n - - smtpd
    -o smtpd_reject_unlisted_recipient=yes
    -o smtpd_reject_unlisted_sender=yes
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
"""

REWRITE = """user user@host u@a.b u@a.b. u@a.b.. u@[192.0.2.1] site!user
a.b!c.d!user user%a.b user%a.b%c.d user%a@b.c a!b%c u@host. "a" a%b!c
u@localhost a@b@c @a,@b:u@d.org x@.y "q\\"t"@x.org a.b.c -u u@-x user+ext
u@x..y UPPER@CASE "u@v"@w u.@x .u@x u..v@x.org a!b@c a%b@c.d
""".split() + ['"a b"', '"a b"@host']

RESOLVE = """u@local.org u@LOCAL.org. u@[127.0.0.1] u@[192.0.2.6] u@va.org
u@vm.org u@relay.org u@sub.relay.org u@far.org u%far.org@local.org
a.org!u@local.org u@far.org@local.org u%far.org@relay.org u@192.0.2.5 u@a..b
-u@a.b user u@a_b.org u@-a.org u@a-.org u@.x u@x. u@x.. u@[IPv6:::1] u@[::1]
u@[x] a@x.org a+b@x.org b@x.org u@a.b.y.org u@y.org u@keep.y.org u@no.org
u@gone.org u@retry.org u+e@z.org u@z.org left@far.org left+x@far.org
moved@local.org moved@example.com moved@far.org q@alldead.org
u%a@b%c@local.org a!b!c@local.org a!b%c.org@local.org u@mx.example.com
u@example.com u@vm.org@local.org u%vm.org@va.org u!x@vm.org x@1.2.3
x@127.0.0.1 u%@local.org !u@local.org %@local.org u@local.org@local.org
u%local.org%local.org@local.org MAILER-DAEMON double-bounce@local.org
u@3com.com u@a.b.c.d.e u@a{}.org""".format("b" * 63).split() + [""]

BY_SENDER = [("", "u@far.org"), ("e@s.org", "u@far.org"),
             ("d@s.org", "u@far.org"), ("u@s.org", "u@far.org"),
             ("v@s.org", "u@far.org"), ("u+x@s.org", "u@far.org"),
             ("u@s.org", "u@relay.org"), ("e@s.org", "u@relay.org"),
             ("e@s.org", "u@vm.org")]

EXPAND = [("f@z.org", a) for a in """joe joe+x joe@local.org joe@other.org
ann@a.org ann+x@a.org any@old.org any+y@old.org loop@a.org r@a.org s@a.org
list list+x ann@v.org self@a.org many@a.org 1@a.org 2@a.org 3@a.org u@d.org
u+x@d.org dup@a.org archive watch@a.org watch+x@a.org v1@a.org v2@a.org
name@a.org five@a.org u@sub.m.org Joe.User quo LIST List+X
""".split()] + [(a, "u@z.org") for a in """joe s@a.org u@sub.m.org
u@y.x.m.org root@sub.m.org b@s.org ann+x@a.org r@a.org b+q@s.org""".split()]
EXPAND += [("", "u@z.org"), ("f@z.org", '"a b"@z.org')]

HEADERS = [("To", "ann"), ("To", "joe (Joe), \"A, B\" <u@d.org>"),
           ("Cc", "g: <@x.org:k@d.org>, joe;"), ("From", "s@a.org"),
           ("From", "Sub <u@a.m.org>"), ("Reply-To", "joe"),
           ("Subject", "joe"), ("X-To", "joe"), ("To", "quo"),
           ("To", "undisclosed-recipients:;"), ("From", "r@a.org"),
           ("To", "r@a.org"), ("Sender", "a!b"), ("To", "u%h"),
           ("Errors-To", "joe"), ("Resent-To", "joe"), ("To", "<joe>")]

CHECK = [("rcpt", a) for a in """joe@local.org joe+x@local.org bob@local.org
bob JOE@LOCAL.org ann@local.org ann@mx.example.com joe@mx.example.com
joe@example.com bob@example.com r@relay.org q@relay.org z@sub.relay.org
z@sub2.relay.org m@vm.org m+x@vm.org n@vm.org u@va.org list@local.org
u@d.org double-bounce@local.org far@far.org left@local.org moved@local.org
u%far.org@local.org bob%local.org@local.org bob@[127.0.0.1] u@a..b u@no.org
u@retry.org u@gone.org left+x@far.org postmaster joe@tlocal.org 1@a.org
v1@a.org""".split()]
CHECK += [("mail", a) for a in """joe@local.org bob@local.org u@va.org n@vm.org
q@relay.org s@a.org far@far.org u@retry.org u@gone.org moved@local.org
u@no.org""".split()]

CLASSES = {256: "local", 512: "alias", 1024: "mailbox", 2048: "relay",
           4096: "default"}


# Local parts as people write them; the second of each pair is what they mean.
LOCALS = [(x, x) for x in """u u+x U+X a%b a%far.org far.org!u far.org!u+x g..h
.i j. %u !u u% u! -u +x a!b%c u%h.org%k.org owner-u u-request postmaster
postmaster+x MAILER-DAEMON double-bounce a%gen-virtual.org a%local.org+x
a%[1.2.3.4] [1.2.3.4]!a u/v u=w {u} u|v 'u'""".split()] + [
    ('"a b"', "a b"), ('"a b+x"', "a b+x"), ('"c,d"', "c,d"),
    ('"e@f.org"', "e@f.org"), ('"e@f.org+x"', "e@f.org+x"),
    ('"e+x@f.org"', "e+x@f.org"), ('"q\\"r"', 'q"r'),
    ('"b\\\\s"', "b\\s"), ('"u"', "u"), ('"u+x"', "u+x"),
    ('"a%b.org"', "a%b.org"), ('"b.org!a"', "b.org!a"), ('"a b%f.org"',
    "a b%f.org"), ('"+x"', "+x"), ('"-u"', "-u"), ('"(c)"', "(c)"),
    ('"a@b@c.org"', "a@b@c.org"), ("a\\ b", "a b"),
    ('"<u>"', "<u>"), ('"a:b"', "a:b"), ('" a"', " a"), ('"a "', "a "),
]
# A table of each kind, and the domain whose addresses it knows.
TABLES = {
    "canonical_maps": ("gen-canonical.org", "c%d@canonical.out"),
    "recipient_canonical_maps": ("gen-rcpt.org", "r%d@rcpt.out"),
    "sender_canonical_maps": ("gen-sender.org", "s%d@sender.out"),
    "virtual_alias_maps": ("gen-virtual.org", "v%d@virtual.out"),
    "recipient_bcc_maps": ("gen-rbcc.org", "b%d@bcc.out"),
    "sender_bcc_maps": ("gen-sbcc.org", "b%d@bcc.out"),
    "transport_maps": ("gen-transport.org", "t%d:host"),
    "relocated_maps": ("gen-relocated.org", "place%d"),
    "local_recipient_maps": ("local.org", "x%d"),
    "relay_recipient_maps": ("relay.org", "x%d"),
    "virtual_mailbox_maps": ("vm.org", "x%d"),
    "sender_dependent_default_transport_maps": ("gen-sdt.org", "d%d:host"),
    "sender_dependent_relayhost_maps": ("gen-sdr.org", "[h%d]"),
}
DOMAINS = ["", "local.org", "va.org", "far.org", "[127.0.0.1]",
           "[192.0.2.1]", "localhost", "far.org."]


# We refuse what the peer takes for an address without a user, and do not say
# that one with no site is of ours.
HALVES = ("%u", "u!", "!u", "u%")
# cleanup(8) asks for addresses as they are shown alone; we ask for them as
# they are kept as well, which route_canonical of the unit tests covers.
SHOWN_ALONE = ("canonical_maps", "recipient_canonical_maps",
               "sender_canonical_maps", "virtual_alias_maps")


def quoted(local):
    """As it is shown."""
    if re.fullmatch(r"[!#$%&'*+/=?^_`{|}~\w-]+(\.[!#$%&'*+/=?^_`{|}~\w-]+)*",
                    local):
        return local
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def generated_tables(rng):
    """{parameter: entries} with some of the keys for each local part."""
    out = {}
    for name, (domain, value) in TABLES.items():
        keys = {}
        for _, meant in LOCALS:
            for form in (quoted(meant), meant):
                if name in SHOWN_ALONE and form != quoted(meant):
                    continue
                bare = form.replace("+x", "")
                for key in (f"{form}@{domain}", f"{bare}@{domain}"):
                    if rng.random() < 0.3:
                        keys[key.lower()] = None
                if name.startswith(("local_rec", "recipient_can", "virtual_a")) \
                        and rng.random() < 0.15:
                    keys[form.lower()] = None
        # inline: trims its keys, and has no way to write these marks
        out[name] = ", ".join(
            "{%s=%s}" % (k, value % i) for i, k in enumerate(keys)
            if k.count('"') % 2 == 0 and (" " not in k or '"' in k)
            and not set(k) & set("={}\\"))
    return out


def generated_cases(rng):
    cases = []
    for written, meant in LOCALS:
        for name, (domain, _) in TABLES.items():
            address = f"{written}@{domain}"
            if name.startswith("sender") or name == "canonical_maps":
                cases.append(("expand", address, "u@z.org"))
            else:
                cases.append(("expand", "f@z.org", address))
            if "dependent" in name:
                cases.append(("resolve", f"{meant}@{domain}", "u@far.org"))
            cases.append(("resolve", "f@z.org", f"{meant}@{domain}"))
            cases.append(("check", rng.choice(("rcpt", "mail")), address))
        for domain in DOMAINS:
            if not domain and set(meant) & set("@[") or \
                    not domain and written != meant and set(meant) & set("%!"):
                continue    # only routes inside tell what a user part is
            at = "@" if domain else ""
            cases += [("expand", "f@z.org", written + at + domain),
                      ("resolve", "f@z.org", meant + at + domain),
                      ("check", "rcpt", written + at + domain),
                      ("check", "mail", written + at + domain),
                      ("rewrite", "local", written + at + domain)]
    return [c for c in cases if c[2].split("@")[0] not in HALVES]


def ask(path, fields):
    """One request of Postfix' null-separated attribute protocol."""
    def read():
        data = b""
        while not data.endswith(b"\0\0"):
            piece = peer.recv(4096)
            if not piece:
                break
            data += piece
        return data

    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(path)
        read()
        peer.sendall(b"".join(k.encode() + b"\0" + v.encode() + b"\0"
                              for k, v in fields) + b"\0")
        words = read()[:-2].decode().split("\0")
    return dict(zip(words[0::2], words[1::2]))


def peer_resolve(path, sender, address):
    got = ask(path, [("request", "resolve"), ("sender", sender),
                     ("address", address)])
    flags = int(got["flags"])
    if flags & 4:
        return "bad"
    if flags & 8:
        return "failed"
    name = [v for k, v in CLASSES.items() if flags & k][0]
    return "%s %s:%s %s%s" % (name, got["transport"], got["nexthop"],
                              got["recipient"],
                              " routed" if flags & 2 else "")


def submit(port, sender, recipient, headers):
    """Sends one message; its queue id, or None if it was refused."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        f = peer.makefile("rwb")

        def say(line):
            if line is not None:
                f.write(line.encode() + b"\r\n")
                f.flush()
            answer = f.readline().decode()
            while answer[3:4] == "-":
                answer = f.readline().decode()
            return answer

        for line in (None, "EHLO x", "MAIL FROM:<%s>" % sender,
                     "RCPT TO:<%s>" % recipient, "DATA"):
            answer = say(line)
            if answer[0] not in "23":
                return None
        text = "".join("%s: %s\r\n" % h for h in headers)
        answer = say(text + "Message-ID: <x>\r\n\r\nx\r\n.")
        return answer.split()[-1] if answer[0] == "2" else None


def postcat(root, place, queue_id):
    env = dict(os.environ, LD_LIBRARY_PATH=peer_libraries(root))
    for _ in range(50):
        path = os.path.join(place, "spool/incoming", queue_id)
        if os.path.exists(path):
            break
        time.sleep(0.02)
    return subprocess.run(
        [os.path.join(root, "usr/sbin/postcat"), "-c",
         os.path.join(place, "etc"), path], env=env, text=True,
        capture_output=True, check=True).stdout.split("\n")


def peer_expand(root, place, port, sender, recipient):
    queue_id = submit(port, sender, recipient, [])
    if not queue_id:
        return "refused"
    out, original = "", ""
    for line in postcat(root, place, queue_id):
        name, _, value = line.partition(": ")
        if name == "sender":
            out = value + ":"
        elif name == "original_recipient":
            original = value
        elif name == "recipient":
            out += " %s>%s" % (original, value)
    return out


def peer_header(root, place, port, name, value):
    queue_id = submit(port, "f@z.org", "u@z.org", [(name, value)])
    lines = postcat(root, place, queue_id)
    for i, line in enumerate(lines):
        if line.startswith(name + ":"):
            while lines[i + 1][:1] in (" ", "\t"):
                i += 1
                line += " " + lines[i].strip()
            return line
    return ""


def peer_check(port, what, address):
    """The reply to an address, without its code when that is good."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        f = peer.makefile("rwb")
        sender, to = (address, "u@z.org") if what == "mail" else ("", address)
        answer = ""
        for line in ("", "EHLO x", "MAIL FROM:<%s>" % sender,
                     "RCPT TO:<%s>" % to):
            f.write((line + "\r\n").encode() if line else b"")
            f.flush()
            answer = f.readline().decode()
            while answer[3:4] == "-":
                answer = f.readline().decode()
            if answer[0] not in "23":
                break
        return "" if answer[0] == "2" else answer.strip()


def main_cf(root, place, tables):
    text = MAIN_CF.format(dir=place, root=root)
    for name, entries in tables.items():
        begin = f"\n{name} = inline:{{ "
        if begin not in text:
            text += begin + "}\n"
        text = text.replace(begin, begin + entries
                            + (", " if text.partition(begin)[2][0] == "{"
                               else " "), 1)
    return text


def start(root, place, port, strict, tables):
    for name in ("etc", "data", "spool"):
        os.makedirs(os.path.join(place, name))
    shutil.chown(os.path.join(place, "data"), "daemon")
    for name in ("active bounce corrupt defer deferred flush hold incoming "
                 "maildrop pid private public saved trace").split():
        os.makedirs(os.path.join(place, "spool", name))
        if name != "pid":
            shutil.chown(os.path.join(place, "spool", name), "daemon")
    with open(os.path.join(place, "etc", "main.cf"), "w") as f:
        f.write(main_cf(root, place, tables))
    with open(os.path.join(place, "etc", "master.cf"), "w") as f:
        f.write(MASTER_CF.format(port=port, strict=strict))
    env = dict(os.environ, MAIL_CONFIG=os.path.join(place, "etc"),
               LD_LIBRARY_PATH=peer_libraries(root))
    return subprocess.Popen(
        [os.path.join(root, "usr/lib/postfix/sbin/master"), "-c",
         os.path.join(place, "etc"), "-d"], env=env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def normal(line):
    """White space and the quoting of names are the rewriter's own matter."""
    return " ".join(line.split()).replace(" ,", ",").replace("; ", ";")


def compare(root, place, port, strict, probe, generated):
    path = os.path.join(place, "spool/private/rewrite")
    cases = [("rewrite", c, a) for c in ("local", "remote") for a in REWRITE]
    cases += [("resolve", "f@z.org", a) for a in RESOLVE]
    cases += [("resolve", s, a) for s, a in BY_SENDER]
    cases += [("expand", s, a) for s, a in EXPAND]
    cases += [("header", s, a) for s, a in HEADERS]
    cases += [("check", s, a) for s, a in CHECK] + generated
    ours = subprocess.run(
        [probe, os.path.join(place, "etc", "main.cf")], text=True,
        input="".join("\t".join(c) + "\n" for c in cases),
        stdout=subprocess.PIPE, check=True).stdout.split("\n")
    failed = 0
    for (what, first, address), mine in zip(cases, ours):
        if what == "rewrite":
            want = ask(path, [("request", "rewrite"), ("rule", first),
                              ("address", address)])["address"]
        elif what == "expand":
            want = peer_expand(root, place, port, first, address)
        elif what == "check":
            want = peer_check(strict, first, address)
        elif what == "header":
            want = normal(peer_header(root, place, port, first, address))
            mine = normal(mine)
        else:
            want = peer_resolve(path, first, address)
            if mine.endswith(" bad"):
                mine = "bad"
        if mine != want:
            failed += 1
            print("%s %s %r: peer %r, we %r" % (what, first, address, want,
                                                mine))
    print("%d passed, %d failed" % (len(cases) - failed, failed))
    return failed != 0


def main():
    root, probe = sys.argv[1:3]
    rng = random.Random(int(sys.argv[3]) if sys.argv[3:] else 20261201)
    tables, generated = generated_tables(rng), generated_cases(rng)
    if os.getuid() != 0 or not os.path.exists(
            os.path.join(root, "usr/lib/postfix/sbin/master")):
        print("the peer cannot be run here")
        return 77
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as one, \
                socket.create_server(("127.0.0.1", 0)) as two:
            port, strict = one.getsockname()[1], two.getsockname()[1]
        master = start(root, place, port, strict, tables)
        try:
            for _ in range(100):
                if os.path.exists(os.path.join(place,
                                               "spool/private/rewrite")):
                    break
                time.sleep(0.1)
            return compare(root, place, port, strict, probe, generated)
        except (OSError, LookupError, TypeError):
            with open(os.path.join(place, "log")) as log:
                sys.stderr.write(log.read()[-200000:])
            raise
        finally:
            master.terminate()
            master.wait()
            time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
