#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Local delivery and commands, by Postfix and by us: the same users, aliases,
.forward files and messages.  Compared are the log lines' recipients, DSN
codes and texts, the files that deliveries leave, and what is sent on.

Needs root: it makes a few temporary users.  Exits 77 when it cannot run.
The last line is "N passed, N failed".
"""
import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import harness  # noqa: E402
import postfix  # noqa: E402

ROOT = os.environ.get("PEER_POSTFIX_ROOT",
                      os.path.join(harness.ROOT, "build/peer/root"))
USERS = ["vxann", "vxbob", "vxcat", "vxdan"]

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
mail_owner = daemon
maillog_file = {dir}/log
maillog_file_prefixes = /tmp
myhostname = mx.example.com
mydomain = example.com
myorigin = example.com
mydestination = example.com, other.example, localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps = texthash:{dir}/aliases, texthash:{dir}/daemon.aliases
local_recipient_maps =
recipient_delimiter = +
mail_spool_directory = {dir}/mail
relayhost = [127.0.0.1]:{sink}
default_privs = nobody
command_time_limit = 2s
deliver_lock_attempts = 2
biff = no
smtpd_client_connection_rate_limit = 0
smtp_tls_security_level = none
transport_maps = texthash:{dir}/transport
smtpd_tls_security_level = none
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

PEER_CF = """
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
meta_directory = {dir}/etc
shlib_directory = no
setgid_group = tty
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
"""

# What the cases of one name have in main.cf beside MAIN_CF.
SETTINGS = {
    "local": [],
    "maildir": ["home_mailbox=Maildir/"],
    "mboxhome": ["home_mailbox=box/mail"],
    "spooldir": ["mail_spool_directory={dir}/md/"],
    "small": ["mailbox_size_limit=2000", "message_size_limit=1990"],
    "owner": ["expand_owner_alias=yes"],
    "unfrozen": ["frozen_delivered_to=no"],
    "propagate": ["propagate_unmatched_extensions=alias,forward,include"],
    "plain": ["prepend_delivered_header="],
    "spoolgrp": ["mail_spool_directory={dir}/gmail"],
    "anything": ["allow_mail_to_commands=alias,forward,include",
                 "allow_mail_to_files=alias,forward,include"],
    "nothing": ["allow_mail_to_commands=", "allow_mail_to_files="],
    "luser": ["luser_relay=$user+$extension@far.example"],
    "luserin": ["luser_relay=vxbob+$local"],
    "fallback": ["fallback_transport=error:5.1.6 gone away"],
    "fallmaps": ["fallback_transport_maps="
                 "inline:{{ {{nosuch=error:moved}} }}"],
    "mboxtrans": ["mailbox_transport=relay:[127.0.0.1]:{sink}"],
    "mboxtmaps": ["mailbox_transport_maps="
                  "inline:{{ {{vxann=error:5.2.1 no}} }}"],
    "command": ["mailbox_command={dir}/bin/args one \"$EXTENSION\" "
                "> {dir}/out/said"],
    "cmdmaps": ["mailbox_command_maps="
                "inline:{{ {{vxbob={dir}/bin/show}} }}"],
    "execdir": ["mailbox_command=pwd", "command_execution_directory=$home"],
    "noexecdir": ["mailbox_command=pwd",
                  "command_execution_directory=/nonexistent/$user"],
    "fwdpath": ["forward_path={dir}/fwd/$user.$extension,{dir}/fwd/$user,"
                "{dir}/fwd/x-${{extension:none}}$extension"],
    "nofwd": ["forward_path="],
    "mustown": ["strict_mailbox_ownership=yes"],
    "home": ["require_home_directory=yes"],
    "reset": ["reset_owner_alias=yes"],
    "unspecial": ["owner_request_special=no"],
    "shell": ["local_command_shell=/bin/sh -c"],
}
PIPES = {
    "pshow": "flags=DRhu user=nobody argv={dir}/bin/args ${{sender}} "
             "${{recipient}} ${{user}} ${{extension}} ${{mailbox}} "
             "${{domain}} ${{nexthop}} ${{original_recipient}} "
             "$$x ${{client_address}} ${{client_helo}} "
             "${{client_protocol}} $(user)",
    "pflags": "flags=FORXB.> user=nobody:nogroup argv={dir}/bin/keep",
    "peol": "flags=q. eol=\\r\\n user=nobody null_sender= "
            "argv={dir}/bin/args {{ a b }} -f ${{sender}} ${{recipient}}",
    "pnull": "flags=FR user=nobody argv={dir}/bin/args ${{sender}}",
    "psize": "size=200 user=nobody argv={dir}/bin/keep",
    "pfail": "user=nobody argv=/bin/sh -c {{ echo 4.7.9 later; exit 67 }}",
    "pexit": "user=nobody argv=/bin/sh -c {{ echo no; exit $$((64 + 3)) }}",
    "pdir": "user=nobody directory={dir}/bin argv=/bin/pwd",
    "pnodir": "user=nobody directory={dir}/nosuch argv=/bin/pwd",
    "pnone": "user=nobody argv={dir}/bin/nosuch",
    "ploop": "flags=D user=nobody argv={dir}/bin/keep",
}

ALIASES = r"""
one vxann
self vxbob, self
list vxann, vxbob, away@far.example
nested list, vxcat, list
owned vxann, vxbob@other.example
owner-owned boss@far.example
ownedcmd "|exit 1"
owner-ownedcmd boss@far.example
ownednest owned2, vxcat
owner-ownednest boss@far.example
owned2 vxdan, out@far.example
ring1 ring2
ring2 ring1
vxcat vxcat, copy@far.example
inc :include:{dir}/lists/good
incno :include:{dir}/lists/nosuch
incw :include:{dir}/lists/world
incdir :include:{dir}/lists
incown :include:{dir}/lists/bobs
inccmd :include:{dir}/lists/commands
incself :include:{dir}/lists/nested
file {dir}/out/file
fileq "{dir}/out/a file"
filedir {dir}/out
filenull /dev/null
filemd {dir}/out/md/
fileno {dir}/nosuch/file
filepm {dir}/lists/new
filepm2 {dir}/lists/good
filemdno {dir}/lists/md/
cmd "|{dir}/bin/show a b"
cmdq "|{dir}/bin/show 'a b' \"$EXTENSION\" $LOCAL"
cmdid "|id -un; id -gn; pwd"
cmd1 "|exit 1"
cmd64 "|exit 64"
cmd65 "|exit 65"
cmd66 "|exit 66"
cmd67 "|echo out; exit 67"
cmd68 "|exit 68"
cmd69 "|exit 69"
cmd70 "|exit 70"
cmd71 "|exit 71"
cmd72 "|exit 72"
cmd73 "|exit 73"
cmd74 "|exit 74"
cmd75 "|echo wait; exit 75"
cmd76 "|exit 76"
cmd77 "|exit 77"
cmd78 "|exit 78"
cmd255 "|exit 255"
cmddsn "|echo 4.2.9 some more; exit 1"
cmddsn5 "|echo 5.7.99 bad; exit 75"
cmddsn0 "|echo 5.7.99 bad; exit 0"
cmdkill "|kill -9 $$"
cmdslow "|sleep 20"
cmdnone "|/nonexistent/program x"
cmdnosh "|nosuchprogram x"
cmdout "|echo one; echo two"
cmdenv "|env | {dir}/bin/sorted > {dir}/out/env"
cmdbig "|head -c 5000 /dev/zero > {dir}/out/big"
cmdnoread "|exit 0"
cmdnl "|printf 'a\\n\\tb\\001c\\303\\244d'; exit 75"
cmdcat "|cat > {dir}/out/cat"
mixed vxann, nosuchuser, vxbob
mixdefer vxann, "|exit 75"
ext+sions vxann
esc \vxdan
escno \nosuchuser
dup vxann, vxann, vxann@other.example, "|{dir}/bin/show", "|{dir}/bin/show"
group friends: vxann, vxbob;
outside away@far.example
outext away@far.example
noowner vxann+x, vxbob+y
root vxdan
spaces "vx bob"@example.com, vxbob
blanks vxann vxbob out@far.example
badone vxann, a@, vxbob a@b..c
nonsense vxann, a@-x.example, x@[1.2
whole "vxann@example.com", "out@far.example"
aftercmd "|{dir}/bin/show a" vxann
nobody1 ,
nobody2 <>
nobody3 (x)
increl vxann, :include:rel
incnone vxann, :include:
homefile vxann, ~vxann/x
bracket <vxann
named Ann <vxann>, "Bob, B" <vxbob> vxcat
deep1 deep2
deep2 deep3
deep3 vxann
"""

DAEMON_ALIASES = r"""
dcmd "|id -un; id -gn"
dinc :include:{dir}/lists/bobs
dfile {dir}/out/dfile
"""

FILES = {
    "lists/good": ("root", 0o644, "# comment\nvxann, vxbob\n\n"
                   "out@far.example\nlist\n"),
    "lists/world": ("root", 0o666, "vxann\n"),
    "lists/bobs": ("vxbob", 0o600, "\"|id -un\"\n"),
    "lists/commands": ("vxbob", 0o644, "\"|id -un\"\nvxann\n/dev/null\n"),
    "lists/nested": ("root", 0o644, ":include:{dir}/lists/good\n"),
    "fwd/vxann.x": ("vxann", 0o644, "ext@far.example\n"),
    "fwd/vxann": ("vxann", 0o644, "plain@far.example\n"),
    "fwd/x-only": ("vxbob", 0o644, "only@far.example\n"),
    "bin/show": ("root", 0o755, "#!/bin/sh\necho \"$#:$*\"\n"),
    "bin/args": ("root", 0o755, "#!/bin/sh\nfor x in \"$@\"; do "
                 "printf '[%s]' \"$x\"; done | tee {dir}/out/args; "
                 "cat > {dir}/out/pipe\n"),
    "bin/sorted": ("root", 0o755, "#!/bin/sh\ngrep -v '^PWD=\\|^_=\\|^LD_'"
                   " | sort\n"),
    "bin/keep": ("root", 0o755, "#!/bin/sh\ncat > {dir}/out/pipe\n"),
}

# What is in a user's home for one case: (case, {file: (mode, text)}).
HOMES = {
    "fwd-self": {"vxann/.forward": (0o644, "vxann, copy@far.example\n")},
    "fwd-esc": {"vxann/.forward": (0o644, "\\vxann\n")},
    "fwd-other": {"vxann/.forward": (0o600, "vxbob\n")},
    "fwd-cmd": {"vxann/.forward": (0o644, "\"|id -un; pwd\"\n")},
    "fwd-file": {"vxann/.forward": (0o644, "{dir}/home/vxann/kept\n")},
    "fwd-rel": {"vxann/.forward": (0o644, "~/kept\n")},
    "fwd-ext": {"vxann/.forward+x": (0o644, "ext@far.example\n"),
                "vxann/.forward": (0o644, "plain@far.example\n")},
    "fwd-noext": {"vxann/.forward": (0o644, "plain@far.example\n")},
    "fwd-world": {"vxann/.forward": (0o666, "plain@far.example\n")},
    "fwd-empty": {"vxann/.forward": (0o644, "\n# nothing\n")},
    "fwd-loop": {"vxann/.forward": (0o644, "vxbob\n"),
                 "vxbob/.forward": (0o644, "vxann\n")},
    "fwd-inc": {"vxann/.forward": (0o644, ":include:{dir}/lists/bobs\n")},
    "fwd-inc2": {"vxann/.forward": (0o644, ":include:{dir}/lists/good\n")},
    "fwd-noread": {"vxann/.forward": (0o000, "plain@far.example\n")},
    "fwd-path": {}, "fwd-path-x": {}, "fwd-path-only": {},
    "fwd-off": {"vxann/.forward": (0o644, "plain@far.example\n")},
    "fwd-prop": {"vxann/.forward": (0o644, "plain@far.example\n")},
    "fwd-multi": {"vxann/.forward": (0o644, "a@far.example\nb@far.example,"
                                     " vxbob\n/dev/null\n")},
    "fwd-dir": {},
}

BIG = "x" * 70 + "\r\n"

# (name, transport, recipient, what is special about the message)
CASES = [
    ("mbox", "local", "vxann", {}),
    ("mbox-case", "local", "VXann", {}),
    ("mbox-ext", "local", "vxann+e", {}),
    ("mbox-null", "local", "vxann", {"sender": ""}),
    ("mbox-from", "local", "vxann", {"body": "From me\r\n>From you\r\n..x"
                                     "\r\nno end"}),
    ("unknown", "local", "nosuch", {}),
    ("unknown-ext", "local", "nosuch+Ext", {}),
    ("postmaster", "local", "postmaster", {}),
    ("mailer", "local", "MAILER-DAEMON", {}),
    ("double", "local", "double-bounce", {}),
    # routes inside addresses of ours, and what is quoted in the log
    ("route-here", "local", "vxann%example.com", {}),
    ("route-bang", "local", "example.com!vxann", {}),
    ("route-quoted", "local", "\"vxann@example.com\"@example.com", {}),
    ("route-alias", "local", "unknown%example.com", {}),
    ("route-away", "local", "u%far.example", {}),
    ("route-away-quoted", "local", "\"a b@far.example\"@example.com", {}),
    ("quoted-away", "local", "\"a b\"@far.example", {}),
    ("quoted-plain", "local", "\"vxann\"@example.com", {}),
    ("quoted-unknown", "local", "\"no such\"@example.com", {}),
    ("quoted-at", "local", "\"e@f\"@far.example", {}),
    ("quoted-dots", "local", "a..b@far.example", {}),
    ("loop", "local", "vxann", {"headers": "Delivered-To: VXANN@example.com"
                                "\r\n"}),
    ("loop-owned", "local", "owned", {"headers": "Delivered-To: "
                                      "owned@example.com\r\n"}),
    ("maildir", "maildir", "vxann", {}),
    ("maildir-ext", "maildir", "vxann+e", {}),
    ("mboxhome", "mboxhome", "vxann", {}),
    ("spooldir", "spooldir", "vxann", {}),
    ("spooldir-no", "spooldir", "vxbob", {}),
    ("small", "small", "vxann", {"mbox": "vxann", "fill": 1900,
                                  "sender": ""}),
    ("smallcmd", "small", "cmdbig", {"sender": ""}),
    ("report", "local", "ownedcmd", {"reports": True}),
    ("report-sender", "local", "cmd67", {"reports": True}),
    ("locked", "local", "vxann", {"setup": "touch {dir}/mail/vxann.lock",
                                  "after": "rm {dir}/mail/vxann.lock"}),
    ("boxdir", "local", "vxann", {"setup": "mkdir {dir}/mail/vxann",
                                  "after": "rmdir {dir}/mail/vxann"}),
    ("boxtwice", "local", "vxann", {"setup": "touch {dir}/mail/vxann; "
                                    "chown vxann {dir}/mail/vxann; "
                                    "ln {dir}/mail/vxann {dir}/mail/other"}),
    ("boxmode", "local", "vxann", {"setup": "touch {dir}/mail/vxann; "
                                   "chown vxann {dir}/mail/vxann; "
                                   "chmod 400 {dir}/mail/vxann"}),
    ("fwdlink", "local", "vxann", {"setup": "echo x@far.example > "
                                   "{dir}/home/vxann/f; ln -s f "
                                   "{dir}/home/vxann/.forward"}),
    ("fwddir", "local", "vxann", {"setup": "mkdir "
                                  "{dir}/home/vxann/.forward"}),
    ("spoolgrp", "spoolgrp", "vxann", {}),
    ("cmdnoread", "local", "cmdnoread", {"body": BIG * 3000}),
    ("cmdnl", "local", "cmdnl", {}),
    ("plain", "plain", "vxann", {}),
    ("rootmail", "unspecial", "root+x", {}),
] + [(n, "local", n, {}) for n in """
one self list nested owned ownedcmd ownednest ring1 inc incno incw incdir
incown inccmd incself file fileq filedir filenull filemd fileno filepm
filepm2 filemdno cmd cmdq cmdid cmd1 cmd64 cmd65 cmd66 cmd67 cmd68 cmd69
cmd70 cmd71 cmd72 cmd73 cmd74 cmd75 cmd76 cmd77 cmd78 cmd255 cmddsn cmddsn5
cmddsn0 cmdkill cmdslow cmdnone cmdnosh cmdout cmdcat mixed mixdefer
ext+sions ext+other esc escno dup group outside outext+abc noowner root
blanks badone nonsense whole aftercmd nobody1 nobody2 nobody3 increl incnone
homefile
bracket named
spaces deep1 dcmd dinc dfile vxcat owner-owned one+e LIST list@other.example
""".split()] + [
    ("cmdenv", "local", "cmdenv+Ex", {}),
    ("cmdenv-null", "local", "cmdenv+a=`b", {"sender": ""}),
    ("xowner", "owner", "owned", {}),
    ("xunfrozen", "unfrozen", "one", {}),
    ("xunfrozen2", "unfrozen", "outside", {}),
    ("prop-alias", "propagate", "outext+abc", {}),
    ("prop-inc", "propagate", "inc+abc", {}),
    ("prop-one", "propagate", "one+abc", {}),
    ("any-inc", "anything", "inccmd", {}),
    ("no-cmd", "nothing", "cmd", {}),
    ("no-file", "nothing", "file", {}),
    ("luser", "luser", "nosuch+e", {}),
    ("luserin", "luserin", "nosuch+e", {}),
    ("fallback", "fallback", "nosuch", {}),
    ("fallmaps", "fallmaps", "nosuch", {}),
    ("fallmaps-no", "fallmaps", "nosuch2", {}),
    ("mboxtrans", "mboxtrans", "vxann", {}),
    ("mboxtrans2", "mboxtrans", "nosuch", {}),
    ("mboxtmaps", "mboxtmaps", "vxann", {}),
    ("mboxtmaps2", "mboxtmaps", "vxbob", {}),
    ("command", "command", "vxann+two", {}),
    ("command-filter", "command", "vxann+t`o", {}),
    ("cmdmaps", "cmdmaps", "vxbob", {}),
    ("cmdmaps2", "cmdmaps", "vxann", {}),
    ("execdir", "execdir", "vxann", {}),
    ("noexecdir", "noexecdir", "vxann", {}),
    ("xmustown", "mustown", "vxdan", {"mbox": "vxbob"}),
    ("xhome", "home", "vxann", {"nohome": True}),
    ("xreset", "reset", "ownednest", {}),
    ("shell", "shell", "cmd", {}),
    ("fwd-path", "fwdpath", "vxann", {}),
    ("fwd-path-x", "fwdpath", "vxann+x", {}),
    ("fwd-path-only", "fwdpath", "vxbob+only", {}),
    ("fwd-off", "nofwd", "vxann", {}),
    ("fwd-prop", "propagate", "vxann+abc", {}),
] + [(n, "local", "vxann+x" if n in ("fwd-ext", "fwd-noext") else "vxann", {})
     for n in HOMES if n not in ("fwd-path", "fwd-path-x", "fwd-path-only",
                                 "fwd-off", "fwd-prop")] + [
    ("pshow", "pshow", "User+Ext", {"domain": "Pipe.Example"}),
    ("pflags", "pflags", "user", {"domain": "pipe.example", "body":
                                  "..dot\r\nFrom x\r\nend"}),
    ("peol", "peol", "\"a b\"", {"domain": "pipe.example", "sender": ""}),
    ("pnull", "pnull", "user", {"domain": "pipe.example", "sender": ""}),
    ("psize", "psize", "user", {"domain": "pipe.example", "body": BIG * 5}),
    ("ploop", "ploop", "user", {"domain": "pipe.example", "headers":
                                "Delivered-To: user@pipe.example\r\n"}),
] + [(n, n, "user", {"domain": "pipe.example"})
     for n in ("pfail", "pexit", "pdir", "pnodir", "pnone")]


class System:
    """One of the two, in the same directory one after the other."""

    def __init__(self, place, ports):
        self.dir, self.ports = place, ports
        self.at = 0             # where the case begins in the log

    def fill(self, text):
        return text.format(dir=self.dir, root=ROOT, port=self.ports[0],
                           sink=self.ports[1])

    def put(self, name, text, owner="root", mode=0o644):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(self.fill(text))
        os.chmod(path, mode)
        shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)

    def main_cf(self, setting):
        lines = [line.replace("=", " = ", 1) for line in SETTINGS[setting]]
        self.put("etc/main.cf", MAIN_CF + self.own_cf()
                 + "".join(line + "\n" for line in lines))

    def prepare(self):
        for name in os.listdir(self.dir):
            shutil.rmtree(os.path.join(self.dir, name), ignore_errors=True)
            if os.path.isfile(os.path.join(self.dir, name)):
                os.unlink(os.path.join(self.dir, name))
        for name in "etc data spool out home mail md lists fwd bin".split():
            os.mkdir(os.path.join(self.dir, name), 0o755)
        for name in ("out", "mail"):
            os.chmod(os.path.join(self.dir, name), 0o1777)
        shutil.chown(self.dir + "/data", "daemon")
        os.mkdir(self.dir + "/gmail")
        shutil.chown(self.dir + "/gmail", "root", "mail")
        os.chmod(self.dir + "/gmail", 0o2775)
        os.mkdir(self.dir + "/md/vxann", 0o700)
        shutil.chown(self.dir + "/md/vxann", "vxann", "vxann")
        self.put("aliases", ALIASES.strip() + "\n")
        self.put("daemon.aliases", DAEMON_ALIASES.strip() + "\n", "vxdan")
        for name, (owner, mode, text) in FILES.items():
            self.put(name, text, owner, mode)
        self.put("transport", "".join(
            f"{n}.pipe.example {n}:next.{n.upper()}\n" for n in PIPES))
        self.put("etc/master.cf", MASTER_CF + "".join(
            f"{n} unix - n n - 1 pipe\n  {v}\n" for n, v in PIPES.items()))

    def homes(self, case, nohome):
        """Users' homes, new for each case."""
        for user in USERS:
            home = os.path.join(self.dir, "home", user)
            shutil.rmtree(home, ignore_errors=True)
            if not nohome:
                os.mkdir(home, 0o711)
                shutil.chown(home, user, user)
        for name, (mode, text) in HOMES.get(case, {}).items():
            self.put("home/" + name, text, name.split("/")[0], mode)

    def collect(self):
        """Files that deliveries left; taken away."""
        found = []
        for top in ("home", "mail", "gmail", "out", "md"):
            for folder, _, names in os.walk(os.path.join(self.dir, top)):
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    if name.startswith(".forward"):
                        continue
                    with open(path, "rb") as f:
                        text = f.read().decode("latin-1")
                    st = os.stat(path)
                    owner = "%s %d %o" % (pwd.getpwuid(st.st_uid).pw_name,
                                          st.st_gid, st.st_mode & 0o777)
                    where = os.path.relpath(path, self.dir)
                    if "/new/" in where:
                        where = os.path.dirname(where)
                    found.append((where, owner, normal(text)))
                    os.unlink(path)
        return sorted(found)

    def text(self):
        try:
            with open(self.dir + "/log", errors="replace") as f:
                f.seek(self.at)
                text = f.read()
            return text[:text.rfind("\n") + 1]  # whole lines
        except FileNotFoundError:
            return ""

    def submit(self, case):
        name, setting, to, special = case
        log = self.dir + "/log"
        self.at = os.path.getsize(log) if os.path.exists(log) else 0
        domain = special.get("domain", "example.com")
        if "domain" in special:
            domain = name + "." + domain
        if "@" not in to:
            to += "@" + domain
        with socket.create_connection(("127.0.0.1", self.ports[0]),
                                      20) as peer:
            f = peer.makefile("rwb")

            def say(line):
                if line is not None:
                    f.write(line.encode() + b"\r\n")
                    f.flush()
                answer = f.readline().decode()
                while answer[3:4] == "-":
                    answer = f.readline().decode()
                return answer.strip()

            for line in (None, "EHLO client.example", "MAIL FROM:<%s>"
                         % special.get("sender", "from@far.example"),
                         "RCPT TO:<%s>" % to, "DATA"):
                answer = say(line)
                if answer[0] not in "23":
                    return None, answer
            headers = special.get("headers", "").replace(
                "@pipe", "@" + name + ".pipe")
            answer = say(headers + "Subject: s\r\nFrom: a@far.example\r\n"
                         "To: b@far.example\r\nMessage-ID: <x@y>\r\n"
                         "Date: Sat, 28 Nov 2026 18:00:00 +0000\r\n\r\n"
                         + special.get("body", "text") + "\r\n.")
            return answer.split()[-1], answer

    def lines(self, queue_id):
        """Delivery lines of a message and of what was made of it, once they
        have all come to an end."""
        end = time.time() + 15
        while time.time() < end:
            ids, got, open_ = [queue_id], [], 0
            text = self.text()
            for one in ids:
                mine = [x for x in text.split("\n") if f" {one}: " in x]
                done = [x for x in mine if ", status=" in x]
                for x in done:
                    got.append((ids.index(one), x))
                    m = re.search(r"forwarded as (\w+)", x)
                    if m and m.group(1) not in ids:
                        ids.append(m.group(1))
                if not any(x.endswith(" removed") for x in mine) and \
                        not any("status=deferred" in x for x in done):
                    open_ += 1
            if not open_:
                time.sleep(0.05 if "deferred" not in str(got) else 0.4)
                return [self.line(*x) for x in got]
            time.sleep(0.03)
        return [self.line(*x) for x in got] + ["not finished"]

    def line(self, depth, x):
        m = re.search(r"(to=<.*?>,)( orig_to=<.*?>,)? relay=(.*?), .*dsn="
                      r"(\S+), status=(.*)", x)
        to, orig, relay, dsn, status = m.groups()
        status = re.sub(r"(local|pipe): fatal: (pipe_command: )?execvp",
                        "execute", status)
        status = re.sub(r"(cannot append message to file \S+): .*: (.*)",
                        r"\1: \2", status)
        status = re.sub(r"(cannot update mailbox \S+ for user \S+). .*: (.*)",
                        r"\1: \2", status)
        status = re.sub(r"(maildir delivery failed): .*", r"\1", status)
        status = status.replace(" /bin/sh: ", " sh: ")
        status = status.replace(" )", ")")
        status = re.sub(r"forwarded as \w+", "forwarded as ID", status)
        status = re.sub(r"\b(uid=)?\d{4,}\b", "N", status)
        status = re.sub(r"queued as \w+", "queued", status)
        return f"{depth} {to}{orig or ''} {relay} {dsn} {status}"

    def run(self, case, sink):
        name, setting, to, special = case
        self.homes(name, special.get("nohome"))
        if special.get("mbox"):
            self.put("mail/" + to, "x" * special.get("fill", 0),
                     special["mbox"], 0o666)
        if special.get("setup"):
            subprocess.run(self.fill(special["setup"]), shell=True,
                           check=True)
        sink.messages.clear()
        queue_id, answer = self.submit(case)
        if not queue_id:
            return {"lines": [answer], "files": [], "sent": []}
        lines = self.lines(queue_id)
        if special.get("after"):
            subprocess.run(self.fill(special["after"]), shell=True,
                           check=True)
        sent = sorted((sorted(re.sub(" SIZE=.*", "", x.decode().strip())
                              for x in env),
                       normal(text.decode("latin-1")))
                      for env, text in sink.messages
                      if b"MAIL FROM:<>" not in env[0])
        if special.get("reports"):  # who hears of it is enough
            time.sleep(0.5)
            sent += sorted(str(env[1:]) for env, _ in sink.messages
                           if b"MAIL FROM:<>" in env[0])
        return {"lines": sorted(lines), "files": self.collect(),
                "sent": sent}


class Peer(System):
    name = "peer"

    def own_cf(self):
        return PEER_CF

    def line(self, depth, x):
        return super().line(depth, postfix.as_model(ROOT, x))

    def env(self):
        return dict(os.environ, MAIL_CONFIG=self.dir + "/etc",
                    LD_LIBRARY_PATH=harness.peer_libraries(ROOT))

    def start(self, setting):
        for name in ("active bounce corrupt defer deferred flush hold "
                     "incoming maildrop pid private public saved "
                     "trace").split():
            os.makedirs(os.path.join(self.dir, "spool", name),
                        exist_ok=True)
            if name != "pid":
                shutil.chown(os.path.join(self.dir, "spool", name), "daemon")
        self.main_cf(setting)
        self.process = subprocess.Popen(
            [ROOT + "/usr/lib/postfix/sbin/master", "-c", self.dir + "/etc",
             "-d"], env=self.env(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.ports[0])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        time.sleep(0.3)


class Ours(System):
    name = "ours"

    def own_cf(self):
        return ""

    def start(self, setting):
        self.main_cf(setting)
        ready, theirs = os.pipe()
        os.set_inheritable(theirs, True)
        errors = os.environ.get("VEREDUS_STDERR")
        self.process = subprocess.Popen(
            [harness.VEREDUS, "--master", self.dir + "/etc", str(theirs)],
            close_fds=False, start_new_session=True,
            stderr=open(errors, "a") if errors else subprocess.DEVNULL)
        os.close(theirs)
        word = os.read(ready, 4096)
        os.close(ready)
        if word != b"ready":
            raise RuntimeError(f"did not start: {word.decode()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
        time.sleep(0.3)


def wait_port(port):
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                if s.recv(100).startswith(b"220"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("no answer")


def normal(text):
    """Without what differs from one message to the next."""
    text = re.sub(r"^(From \S+) .*$", r"\1", text, flags=re.M)
    text = re.sub(r"^PATH=.*\n", "", text, flags=re.M)
    text = re.sub(r"^Received: (by|from)(.*\n)([ \t].*\n)*",
                  r"Received: \1\n", text.replace("\r\n", "\n"), flags=re.M)
    return text


def run(system, sink, wanted):
    results = {}
    system.prepare()
    for setting in SETTINGS:
        cases = [c for c in CASES if wanted(c[0]) and
                 (c[1] if c[1] in SETTINGS else "local") == setting]
        if not cases:
            continue
        system.start(setting)
        try:
            for case in cases:
                results[case[0]] = system.run(case, sink)
        finally:
            system.stop()
    if os.environ.get("KEEP_LOGS"):
        shutil.copy(system.dir + "/log",
                    os.environ["KEEP_LOGS"] + "/" + system.name)
    return results


def show(what, x):
    print("   ", what)
    for line in x["lines"]:
        print("       ", line)
    for part in x["files"] + x["sent"]:
        print("       ", part)


def users(place, add):
    for user in USERS:
        if add:
            subprocess.run(["useradd", "-M", "-U", "-s", "/bin/sh", "-d",
                            f"{place}/home/{user}", user], check=True)
        else:
            subprocess.run(["userdel", user], stderr=subprocess.DEVNULL)


def main():
    only = sys.argv[1:]
    if os.getuid() != 0 or not shutil.which("useradd") or not os.path.exists(
            ROOT + "/usr/lib/postfix/sbin/master"):
        print("this needs root, useradd and the peer")
        return 77

    def wanted(name):
        return not only or name in only

    accounts = open("/etc/passwd")  # one run at a time makes users
    fcntl.flock(accounts, fcntl.LOCK_EX)
    sink = harness.Sink()
    place = tempfile.mkdtemp(prefix="veredus-local-", dir="/tmp")
    os.chmod(place, 0o755)
    users(place, False)
    users(place, True)
    failed = passed = 0
    try:
        ports = (harness.free_port(), sink.port)
        theirs = run(Peer(place, ports), sink, wanted)
        mine = {} if os.environ.get("PEER_ONLY") else \
            run(Ours(place, ports), sink, wanted)
        for name, want in theirs.items():
            got = mine.get(name)
            if got == want:
                passed += 1
                continue
            failed += 1
            print(name)
            show("peer:", want)
            if got:
                show("ours:", got)
    finally:
        users(place, False)
        shutil.rmtree(place, ignore_errors=True)
        sink.close()
        accounts.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
