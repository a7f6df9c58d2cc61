#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rewriting and resolving, asked of us and of Postfix' trivial-rewrite.

usage: route.py PEER_ROOT PROBE

PEER_ROOT is where Debian's postfix package is unpacked, PROBE is
route_probe.c linked with the library.  Needs root, since Postfix' master
does; everything happens in a scratch directory.  Exits 77 when the peer
cannot be run.  The last line is "N passed, N failed".
"""
import os
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
u@retry.org u@gone.org left+x@far.org postmaster joe@tlocal.org 1@a.org v1@a.org""".split()]
CHECK += [("mail", a) for a in """joe@local.org bob@local.org u@va.org n@vm.org
q@relay.org s@a.org far@far.org u@retry.org u@gone.org moved@local.org
u@no.org""".split()]

CLASSES = {256: "local", 512: "alias", 1024: "mailbox", 2048: "relay",
           4096: "default"}


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
            out = value.strip() + ":"
        elif name == "original_recipient":
            original = value.strip()
        elif name == "recipient":
            out += " %s>%s" % (original, value.strip())
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


def start(root, place, port, strict):
    for name in ("etc", "data", "spool"):
        os.makedirs(os.path.join(place, name))
    shutil.chown(os.path.join(place, "data"), "daemon")
    for name in ("active bounce corrupt defer deferred flush hold incoming "
                 "maildrop pid private public saved trace").split():
        os.makedirs(os.path.join(place, "spool", name))
        if name != "pid":
            shutil.chown(os.path.join(place, "spool", name), "daemon")
    with open(os.path.join(place, "etc", "main.cf"), "w") as f:
        f.write(MAIN_CF.format(dir=place, root=root))
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


def compare(root, place, port, strict, probe):
    path = os.path.join(place, "spool/private/rewrite")
    cases = [("rewrite", c, a) for c in ("local", "remote") for a in REWRITE]
    cases += [("resolve", "f@z.org", a) for a in RESOLVE]
    cases += [("resolve", s, a) for s, a in BY_SENDER]
    cases += [("expand", s, a) for s, a in EXPAND]
    cases += [("header", s, a) for s, a in HEADERS]
    cases += [("check", s, a) for s, a in CHECK]
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
    if os.getuid() != 0 or not os.path.exists(
            os.path.join(root, "usr/lib/postfix/sbin/master")):
        print("the peer cannot be run here")
        return 77
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as one, \
                socket.create_server(("127.0.0.1", 0)) as two:
            port, strict = one.getsockname()[1], two.getsockname()[1]
        master = start(root, place, port, strict)
        try:
            for _ in range(100):
                if os.path.exists(os.path.join(place,
                                               "spool/private/rewrite")):
                    break
                time.sleep(0.1)
            return compare(root, place, port, strict, probe)
        except OSError:
            with open(os.path.join(place, "log")) as log:
                sys.stderr.write(log.read()[-2000:])
            raise
        finally:
            master.terminate()
            master.wait()
            time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
