#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""postconf beside Postfix' own: the same main.cf and master.cf, the same
arguments; the same output, exit status, messages (in any order) and, after an
edit, the same bytes in the files.

PEER_POSTFIX_ROOT names an unpacked Postfix, VEREDUS the binary.  Words
on the command line choose the cases whose names contain one of them; -v shows
every difference in full.  The last line is "N passed, N failed"."""

import concurrent.futures
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))))
import postfix  # noqa: E402
from harness import peer_libraries  # noqa: E402

PEER = os.environ.get("PEER_POSTFIX_ROOT", "")
OURS = os.path.abspath(os.environ.get("VEREDUS", "build/release/veredus"))
VERBOSE = "-v" in sys.argv
WANTED = [a for a in sys.argv[1:] if not a.startswith("-")]
TOP = tempfile.mkdtemp(prefix="postconf-")

# Parameters that only Veredus has.
OWN_PARAMETERS = re.compile(
    r"^(auth|mailstore|imapd|pop3d|lmtpd|managesieved|lookup)_"
    r"|^(sendmail_compatibility_directory|smtpd_sasl_single_from)\b")

# What differs by design in our messages: (pattern, what Postfix says, why).
OUR_MESSAGES = [
    (r"(CONF/main\.cf), line \d+: (logical line must)", r"\1: \2",
     "we say the line"),
    (r"(CONF/master\.cf), line \d+: (logical line must)", r"\1: \2",
     "we say the line"),
    (r"CONF/(master\.cf), line \d+: ((missing|syntax error|missing '=').*)",
     r"\1: \2", "we say the whole path and the line"),
    (r"CONF/master\.cf, line (\d+): (bad field count)",
     r"file CONF/master.cf: line \1: \2", "one form for both files"),
    (r"CONF/master\.cf, line \d+: (invalid \w+ field)", r"\1",
     "we say file and line"),
    (r"CONF/main\.cf: \w+: (truncated macro|empty macro|attribute name syntax"
     r"|\":\" expected|unexpected input|\"\{expression\}|\"\?\" or|\"==\" or"
     r"|malformed compat|bad operator|unbalanced)", r"\1",
     "we say whose value it is"),
    (r" \(use class, subnet, host\)$", "", "we say the fix"),
    (r"\[-C param_class\]", "[-c param_class]", "the option is -C"),
]

# What Postfix says that we do not, and why.
PEER_NOISE = [
    r"open \"\w+\" configuration",  # it reads the tables' own files too
]


class Case:
    def __init__(self, name, args, main="", master="", messages=True,
                 output=True, expect=None):
        self.name, self.args, self.main, self.master = name, args, main, master
        self.messages, self.output = messages, output
        self.expect = expect    # ours differs by design: (status, regex)


CASES = []


def case(name, *args, **more):
    if postfix.has(PEER, " ".join(["postconf", *args])):
        CASES.append(Case(f"{name} {' '.join(args)}", list(args), **more))


def write(path, text):
    """Old enough that Postfix does not wait for the file to settle."""
    if text is None:
        return
    with open(path, "wb") as f:
        f.write(text.encode() if isinstance(text, str) else text)
    os.chmod(path, 0o640)
    os.utime(path, (1000000000, 1000000000))


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read(), oct(os.stat(path).st_mode)
    except FileNotFoundError:
        return None


def run(number, who, c):
    """Returns (status, stdout lines, messages, files)."""
    conf = f"{TOP}/{number}/{who}"
    os.makedirs(conf)
    write(conf + "/main.cf", c.main)
    write(conf + "/master.cf", c.master)
    env = {"PATH": "/usr/bin:/bin", "LANG": "C", "MAIL_CONFIG": conf}
    program = OURS
    if who == "peer":
        env["LD_LIBRARY_PATH"] = peer_libraries(PEER)
        program = PEER + "/usr/sbin/postconf"
    p = subprocess.run(["postconf"] + c.args, executable=program, env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60, cwd=conf)
    out = p.stdout.decode(errors="replace").replace(conf, "CONF")
    err = p.stderr.decode(errors="replace").replace(conf, "CONF")
    if who == "peer":
        out, err = (postfix.as_model(PEER, x) for x in (out, err))
    # Postfix gives what it edits mode 644; we keep the mode.
    files = [read(conf + "/" + f) for f in ("main.cf", "master.cf")]
    if who == "ours" and any(f and f[1] != "0o100640" for f in files):
        err += f"modes {files}"
    files = [f and f[0] for f in files]
    return p.returncode, normal_output(who, out), normal(who, err), files


def normal_output(who, text):
    lines = text.split("\n")
    if who == "ours":
        lines = [x for x in lines if not OWN_PARAMETERS.match(x)]
    return [re.sub(r"^process_id = \d+$", "process_id = N", x) for x in lines]


def normal(who, text):
    """Messages as a set; see OUR_MESSAGES."""
    lines = text.splitlines()
    if who == "ours":
        for pattern, by, _ in OUR_MESSAGES:
            lines = [re.sub(pattern, by, x) for x in lines]
    else:
        lines = [re.sub(r"(missing '=' after attribute name: .*?) *\"$",
                        r'\1"', x) for x in lines
                 if not any(re.search(p, x) for p in PEER_NOISE)]
    # What the peer met before a value that ends it is chance: it walks its
    # table of names from a place of its own choice.
    if any(x.endswith("fatal: macro processing error") for x in lines):
        lines = [re.sub(r"(macro call nesting): .*", r"\1", x) for x in lines
                 if "undefined parameter" not in x]
    return sorted(set(lines))


def differences(c, peer, ours):
    if c.expect:
        status, pattern = c.expect
        text = "\n".join(ours[1] + ours[2])
        if ours[0] != status or not re.search(pattern, text):
            yield f"ours by design: {ours[0]} {text!r}"
        return
    if peer[0] != ours[0]:
        yield f"status: peer {peer[0]}, ours {ours[0]}"
    shown, mine = postfix.listings(PEER, peer[1], ours[1])
    if c.output and shown != mine:
        more = [x for x in mine if x not in shown]
        theirs = [x for x in shown if x not in mine]
        yield f"output: peer {theirs}, ours {more}" if more or theirs \
            else "output: other order"
    if c.messages and peer[2] != ours[2]:
        yield (f"messages: peer {[x for x in peer[2] if x not in ours[2]]}, "
               f"ours {[x for x in ours[2] if x not in peer[2]]}")
    if peer[3] != ours[3]:
        yield f"files: peer {peer[3]}, ours {ours[3]}"


def judge(item):
    number, c = item
    return c, list(differences(c, run(number, "peer", c),
                               run(number, "ours", c)))


# main.cf, shown.

SAMPLE = open(PEER + "/usr/share/postfix/master.cf.dist").read() \
    if os.path.exists(PEER + "/usr/share/postfix/master.cf.dist") else ""

LONG = " ".join(["a.example.com"] + ["b" * 40 + ",cc"] * 3
                + [str(i) * 5 for i in range(30)])


def cases_defaults():
    for args in (["-d"], ["-dx"], ["-df"], ["-dH"], [], ["-x"],
                 ["-dh", "myorigin", "relayhost"],
                 ["-f"], ["-n"], ["-C", "service"],
                 ["-C", "builtin"], ["-C", "user"], ["-C", "user,service"],
                 ["-p"], ["-h", "mynetworks"], ["-d", "mynetworks"]):
        case("defaults", *args, master=SAMPLE)
    for level in ("0", "1", "2", "3.5", "3.6", "3.10", "9999"):
        case(f"level {level}", "-x", main=f"compatibility_level = {level}\n",
             master=SAMPLE)


MAIN_TEXTS = [
    "a = b\n c\n# foo\n d\n\n  e\nmyorigin=$a\n",
    "a = b\nx y = z\n", " a = b\n", "=x\n", "foo\n", "myorigin=x",
    "mail_name=z\n\nfoo\n bar\n\nx=y\n",
    "myorigin=x\nmyorigin = y\n", "mail_name=z\nmail_name=b\n c\n",
    "myorigin=$foo\nfoo=bar\nbaz=1\n", "myorigin=$undefd\n",
    "myorigin  =  a   b\t\tc  \n", "myorigin=a  \n   b  \n\t  \n  c\n",
    "myorigin=\n", f"mydestination = {LONG}\n",
    "mydestination=" + "a" * 100 + " g\n",
    "myorigin =x\r\nrelayhost = y \r\n",
    "foo=$bar\nbar=$baz\nmyorigin=$foo\nbaz=1\n", "foo=$bar\nbar=$foo\n",
    "mua_foo=1\nsmtpd_restriction_classes = c1, c2\nc1=permit\nc3=reject\n",
    "smtpd_restriction_classes = c1, c2\nc1=permit\nc2=$zork\nzork=1\n",
    "virtual_alias_maps=hash:/a\nvirtual_maps=a\nfallback_relay=b\n"
    "authorized_verp_clients=c\nlmtp_per_record_deadline=yes\n"
    "tlsproxy_client_level=3\n",
    "relayhost=\nprocess_name=a\nprocess_id=3\nmail_version=4\n"
    "myorigin=$process_name\n",
    "config_directory=/x\n", "myhostname=a.b.c\n", "mydomain=b.c\n",
    "myhostname=foo\n", "myhostname=$mydomain\n", "myhostname=mail.$mydomain\n",
    "mydomain=x.$foo\nfoo=q\n", "myhostname=\n", "myhostname=a.b.\n",
    "myhostname=a.b.$foo\nfoo=c\n", "myhostname=a.b.c\nmydomain=d\n",
    "inet_interfaces=loopback-only\n", "inet_interfaces=127.0.0.1\n",
    "inet_interfaces=127.0.0.1, ::1\n",
    "inet_interfaces=$foo\nfoo=127.0.0.1\n",
    "inet_protocols=ipv4\n", "inet_protocols=ipv6\n",
    "inet_protocols=ipv4, ipv6\n", "mynetworks_style=host\n",
    "mynetworks_style=class\n", "mynetworks_style=subnet\n",
    "mynetworks=1.2.3.4\n",
    "mailbox_command=$zork\nzork=1\n", "forward_path=$home/x $foo\nfoo=1\n",
    "default_rbl_reply=$a $b\nmyorigin=$default_rbl_reply\n",
    "alias_maps=ldap:foo, mysql:bar proxy:mysql:baz pgsql:q sqlite:s "
    "memcache:mc pcre:zz\nfoo_server_host=1\nfoo_search_base=2\nfoo_junk=2\n"
    "bar_user=3\nbaz_query=3\nq_hosts=7\ns_dbpath=8\nmc_memcache=9\n"
    "zz_foo=1\n",
    "alias_maps=$foo\nfoo=ldap:z\nz_bind=yes\nz_zork=1\n",
    "alias_maps=proxy:pipemap:{ldap:z,mysql:w},unionmap:{ldap:z2} foo\n"
    "z_bind=yes\nz2_bind=1\nw_user=f\n",
    "smtpd_sender_restrictions=check_sender_access ldap:z, "
    "{check_sender_access {ldap:z2, default=ok}}\nz_bind=yes\nz2_bind=1\n",
    "x_destination_recipient_limit=3\nx_time_limit=4\n",
    "relay_destination_recipient_limit=3\nuucp_time_limit=4\n"
    "discard_recipient_limit=3\nmaildrop_transport_rate_delay=3s\n",
    "2bounce_notice_recipient = a\nsmtpd_tls_CAfile = b\nZ = $z\nz = $Z\n",
]


def cases_main():
    for i, text in enumerate(MAIN_TEXTS):
        for args in (["-n"], ["-nf"], ["-nx"], ["-nh"], ["-nH"], ["-x"],
                     ["mynetworks", "myhostname", "mydomain"]):
            case(f"main {i}", *args, main=text, master=SAMPLE)
    plain = "myorigin=$foo\nfoo=bar $baz\nbaz = 3\nzork = 1\n"
    for args in (["foo"], ["-x", "foo", "baz"], ["zork"], ["-n", "zork"],
                 ["-d", "foo"], ["nope", "myorigin"], ["-d", "nope"],
                 ["-H", "nope", "myorigin", "relayhost"],
                 ["-hf", "nope", "myorigin", "relayhost"],
                 ["myorigin", "myorigin", "Myorigin"],
                 ["smtp_recipient_limit", "smtp_time_limit"],
                 ["-d", "smtp_recipient_limit", "-x"],
                 ["-h", "-x", "relayhost", "--", "-d"], ["--", "-d"],
                 ["-o", "foo=1", "-n"], ["-x", "-o", "baz=7", "foo"],
                 ["-o", "foo", "myorigin"], ["-o", "new=1", "-n"],
                 ["-o", "myorigin={ a b }", "myorigin"],
                 ["-o", "foo= a ", "-o", "foo = b", "-nx"],
                 ["-n", "-C", "user"], ["-n", "-C", "builtin"],
                 ["-C", "foo"], ["-C", "all,foo"],
                 ["-nhH"], ["-l"], ["-l", "foo"], ["-q"],
                 ["-c"], ["-C"], ["-o"], ["-nq"]):
        case("named", *args, main=plain, master=SAMPLE)
    case("plug-ins", "-a", expect=(0, r"^cyrus\nveredus\n$"))
    case("plug-ins", "-A", expect=(0, r"^cyrus\nveredus\n$"))
    case("missing", "myorigin", main=None)
    case("missing", "-d", "myorigin", main=None)
    case("missing", "myorigin", main="", master=None)
    case("missing", "-M", main="", master=None)
    case("missing", "-M", main=None, master=SAMPLE)
    case("missing", "-e", "a=b", main=None)
    case("missing", "-MX", "a/inet", master=None)
    case("missing", "-c", "/nonexistent", "myorigin")
    case("style", "mynetworks", main="mynetworks_style=junk\n")
    case("broken", "-M", main="foo\n", master=SAMPLE)
    case("broken", "-d", "myorigin", main="foo\n")
    case("broken", "myorigin", master="smtp inet\n")


EXPRESSIONS = [
    "${mydomain", "a b ${mydomain x", "a $mydomain ${} x", "$myorigin",
    "a ${mydomain?$} x", "a ${mydomain?${foo bar}} x",
    "a $$ $$mydomain $${mydomain} x", "a $(mydomain x",
    "a $(mydomain?(x)) ${mydomain?(x}", "$ a", "$. b",
    "${mydomain?a}${mydomain:b}${x?c}${x:d} ${mydomain?{e}:{f}} $(x)",
    "${mydomain? a b c }|${mydomain?{ a b c }}|${ mydomain }",
    "${mydomain ? { a b c } : { d } }| $mydomain? $(mydomain?x)",
    "${mydomain?{a}:b}|${mydomain:{q}}", "${x?{a}:b}", "${mydomain=x}",
    "${mydomain?{a} b}", "${mydomain?{a}:{b} c}", "${mydomain?{a}:{b}}} c}",
    "${mydomain?{a", "${mydomain?{a}:}|${mydomain?}|${mydomain:}|${x?{a}:}",
    "${mydomain?{}:{}}|", "${mydomain-x}|", "${a b}",
    "$mydomain.$mydomain-x$mydomain{y}",
    "${{${mydomain}} == {localdomain} ? {$myhostname} : {y}}",
    "${ { a } == {a} ? { x }:{y} }|", "${{ a } =={a}?x y :z}|",
    "${{a}=={b}?{x y} :z}|", "${{a}=={b}:z}|${{a}=={a}:z}|",
    "${{a}=={b}}|${{a}=={a}}|${{1}<{2}}", "${{a}=={b}|x}", "${{a}==}",
    "${{a}}", "${{a} ? {b}}", "${{a", "${{a} = {b} ? {x} : {y}}",
    "${{a} == b ? {x} : {y}}", "${{a} == {b} }",
    "${{a} == {b} ? {x} : {y}} ${{3} < {10}?{n}:{l}} ${{a3} < {a10}?{n}:{l}}",
    "${{a}!={b}?z}${{a}>={b}?z}${{a}<={b}?z}${{a}>{b}?z}",
    "${{3.10} <level {3.6} ? {x} : {y}}", "${{3.10} <=level {junk}?{x}:{y}}",
    "${{1} <=level {2}?y:n}${{1} <level {2}?y:n}${{1} ==level {1.0.0}?y:n}"
    "${{1.2}!=level {1}?y:n}${{1} >=level {2}?y:n}${{1} >level {2}?y:n}",
    "${{1.0.0.0} >level {2}?y:n}", "${{1.} ==level {1.0}?y:n}",
    "${{1.a} ==level {1.0}?y:n}", "${{-1} ==level {1.0}?y:n}",
    "${{} ==level {1.0}?y:n}", "${{1} ==lev {1.0}?y:n}",
    "${{999999999999} < {99999999999}?y:n} ${{010}=={8}?y:n}",
    "${{10}=={010}?y:n} ${{} < {1}?y:n}",
    "${{99999999999999999999} < {9999999999999999999}?y:n}",
    "${i?x}${i:y}|${empty?x}${empty:y}", "${x?${bad name}}",
    "${mydomain?${x?${mydomain?{${mydomain}}}}}|",
    "${mydomain?{${x?{q}:{${mydomain}}}}:{z}}|",
]


def cases_expressions():
    for i, text in enumerate(EXPRESSIONS):
        # A number that is too large is "fatal" there, a warning before
        # "macro processing error" here; a branch that is not taken and
        # cannot be read is only warned about there.
        case(f"expression {i}", "-x", "myorigin",
             main=f"i=$empty\nempty=\nmyorigin={text}\n",
             messages="99999999999999999999" not in text
             and "bad name" not in text)


# Options that fit together or not.

def cases_options():
    letters = "aAbdefFhHlmMnopPtxX#C"
    more = {"o": ["-o", "a=b"], "C": ["-C", "all"]}
    for a, b in itertools.combinations(letters, 2):
        if {a, b} & set("bt") and not {a, b} & set("dehHnoxX#"):
            continue            # bounce templates are not built
        if "m" in (a, b) and not {a, b} - set("mC"):
            continue            # the types are our own
        args = more.get(a, ["-" + a]) + more.get(b, ["-" + b])
        if (a, b) in (("m", "C"), ("b", "C"), ("t", "C")):
            continue
        if (a, b) in (("a", "C"), ("A", "C"), ("a", "x"), ("A", "x")) \
                or {a, b} == {"a", "A"}:
            continue            # so are the plug-ins
        case("options", *args, "zz=1" if "e" in (a, b) else "zz",
             messages={a, b} != {"M", "C"})
    for args in (["-d", "x=y"], ["-X", "a=b"], ["-#", "-X", "a=b"], ["-e"],
                 ["-X"], ["-#"], ["-M", "-e"], ["-MX"], ["-M#"], ["-PX"],
                 ["-Fe"], ["-P#", "smtp/inet/a"], ["-FX", "smtp/inet/a"],
                 ["-Mhd"], ["-fex", "a=b"]):
        case("options", *args)


# master.cf, shown.

H = "smtp inet n - y - - "
MASTER_LINES = [H + x for x in (
    "smtpd -v a b", "smtpd -D -v -o a=b c -o d=e", "smtpd -o", "smtpd -o a",
    "smtpd -oa=b", "smtpd -oa=b -o { c= d } x", "pipe -o a=b flags=R user=x",
    "smtpd x {-o c=d}", "smtpd -o {a}", "smtpd -o {=a}", "smtpd -o { a b=c }",
    "smtpd -o a=", "smtpd -o {a=}", "smtpd -o {a=b c} {x",
    "smtpd -o {a=b}c", "smtpd -v -v -o a=b",
    "smtpd -x foo -o a=b", "smtpd -o a=b -x foo",
    "smtpd -o a={b} -o {c={ d }}", "smtpd -o a={ b }",
    "smtpd x a={b c} {a b}{c d}",
    "smtpd -o {a = b  c }", "smtpd -- -o a=b", "smtpd -vo a=b",
    "smtpd -o -v -o a=b", "smtpd -vD x", "smtpd -n foo -o a=b",
    "smtpd -vvoa=b", "smtpd -xo a=b", "smtpd -oa={b c}", "smtpd -o{a=b c}",
    "smtpd -dlSV -m 3 -t -o a=b", "smtpd -v x -o {a = b} {q r}",
    "smtpd aaaaaaaaaaaaaaaaaaaaa bbbbb cc dddddddd {eeeee ffffff} ggggg",
    "smtpd -o " + "x" * 60 + "=" + "y" * 30 + " ggggg",
    "smtpd " + "-v " * 9, "smtpd -o a=$b -o c=$a -o myorigin=$c d=$e",
    "smtpd -o mailbox_command=$x -o myorigin=y -o myorigin=z",
    "smtpd -o process_name=x -o foo=$process_name",
    "smtpd -o smtpd_restriction_classes=cc,dd -o cc=reject",
    "smtpd -o alias_maps=ldap:z -o z_bind=no -o z_zork=1",
)] + [
    "smtp", "smtp inet", "smtp inet n - - -", "smtp inet n - n - -",
    "smtp foo n - n - - smtpd", "smtp inet x - n - - smtpd",
    "smtp inet y - n - - smtpd", "smtp inet - - n - - smtpd",
    "smtp inet n x n - - smtpd", "smtp inet n - x - - smtpd",
    "smtp inet n - n x - smtpd", "smtp inet n - n 10?? - smtpd",
    "smtp inet n - n -1 - smtpd", "smtp inet n - n - x smtpd",
    "smtp inet n - n - -1 smtpd", "smtp inet n - n ? - smtpd",
    "smtp inet n - n 0? - smtpd", " smtp inet n - n 0? - smtpd",
    "smtp inet n - n 0? - /a/b", "{s m} unix - - n 0 - smtpd",
    "sm/tp inet n - n - - smtpd", "a inet n - n - 1?  smtpd",
    "smtp fifo n - n - 010 smtpd", "smtp INET N - n - - smtpd",
    "smtp pass n - n 99999999999999999999 0 smtpd",
    "127.0.0.1:10025 inet n - n - - smtpd",
    "very-long-service-name unix-dgram n - n - - smtpd",
    "a unix n - - - - a\n#foo\n -o x=y\n  # foo\n\n -o y=z\nb unix - - - - - "
    "b", "a unix - - - - -\n b", "a unix - - - - - b\na unix - - - - - c",
]


def cases_master():
    for i, text in enumerate(MASTER_LINES):
        for args in (["-M"], ["-Mf"], ["-F"], ["-Ff"], ["-P"], ["-Px"],
                     ["-Mx"], ["-PH"], ["-n"]):
            case(f"master {i}", *args, master=text + "\n",
                 main="b = 1\nmyorigin = $q\n")
    for args in (["-M", "smtp"], ["-M", "smtp/unix"], ["-M", "*/inet"],
                 ["-M", "smtp/inet", "nope"], ["-M", "smtp.unix"],
                 ["-F", "smtp/unix/command"], ["-F", "*/*/chroot"],
                 ["-F", "smtp/unix/foo"], ["-F", "smtp"],
                 ["-Fh", "smtp/unix/command"], ["-FH", "smtp/*/type"],
                 ["-P", "relay"], ["-P", "*/*/syslog_name", "smtp/unix/q"],
                 ["-Ph", "*/unix/syslog_name"], ["-M", "smtp/inet/x"],
                 ["-M", "smtp/foo"], ["-F", "smtp/inet/x/y"],
                 ["-F", "smtp/foo/type"], ["-F", "smtp/inet/"], ["-M", ""],
                 ["-M", "/inet"], ["-P", "x", "smtp/inet/a/b"], ["-Mf"],
                 ["-Px", "-o", "syslog_name=x"], ["-Pf"], ["-Mfx"],
                 ["-F", "smtp/inet/chroot", "-x"]):
        case("services", *args, master=SAMPLE)
    case("by design", "-Fh", master="a unix - - - - - pipe flags=R\n",
         expect=(0, "pipe flags=R"))      # the peer loses the blank
    case("by design", "-M", master=H + "smtpd {} {{a}}\n",
         expect=(0, r"smtpd \{\} \{\{a\}\}"))  # can be read again
    case("by design", "-M", master=H + "smtpd {a b}\n",
         expect=(0, r"smtpd \{a b\}"))           # so can this
    case("by design", "-F", "nope/inet/chroot=x", master="",
         expect=(1, "invalid chroot field"))     # not only where it matches


# Edits.

TEXT = ("# top\na = b\n c\n# mid\n d\n\n#a = old\nx=$a\n\n  # indented\n"
        "y = 1\na=2\n")


def cases_edit_main():
    for args in (["-e", "a=new value"], ["-e", "q = z"], ["q=z", "q=w"],
                 ["-e", "a = new  value "], ["-e", "q"], ["-e", "=q"],
                 ["-e", "a b=q"], ["-e", "a=q\nr"], ["-e", "#a=q"],
                 ["-e", "x="], ["-X", "a"], ["-X", "nope", "x"],
                 ["-#", "a"], ["-#", "nope", "y"], ["a=1", "x=2", "y=3"],
                 ["-e", "y=${a?{b}:{c}}"], ["-X", "a", "x", "y"],
                 ["-e", "y = { a b }"], ["-e", "smtpd_banner=x y"],
                 ["-X", "a\nb"], ["-#", "#a"], ["-e", "y=a=b"]):
        case("edit", *args, main=TEXT)
    for i, text in enumerate((
            "", " foo\na=b\n", "foo\na=b\n", "a=b\n\n\n",
            "x=1\na=b\n#c1\n c\n#c2\ny=2\n", "a\n", "a = b\\\n",
            "x=1\na=b\n#c1\n c\n\n \n#c2\n#c3\n d\n#c4\na=2\n",
            "a=b\n\tc\nA = 3\n", "a=\n", "a=b\r\n c\r\n")):
        for args in (["-e", "a=7"], ["-X", "a"], ["-#", "a"]):
            case(f"edit {i}", *args, main=text)
    case("by design", "-e", "b=1", main="a=2", expect=(0, "^$"))


SERVICES = ("#c\nsmtp      inet  n       -       y       -       -       smtpd"
            "\n  -o a=b -o {c = d e} -o { myorigin=$foo }\n    # comment\n"
            "  -v -o smtpd_banner=x\n\n127.0.0.1:10025  inet n - n - - smtpd "
            "-o x=y\n  -o m=n\n#last\n  -o z=n\n"
            "scalemail-backend unix -       n       n       -       2       "
            "pipe\n  flags=R user=scalemail argv=/usr/lib/scalemail/bin/"
            "scalemail-store ${nexthop} ${user} ${extension}\n"
            "flush     unix  n       -       y       1000?   0       flush\n"
            "smtp unix - - y - - smtp -o { smtp_foo = bar baz } x { a b }\n"
            "#last\n")

MASTER_EDITS = [
    ["-M", "-e", "flush/unix=flush unix - - - - - flush -o {a= b c}"],
    ["-Me", "new/inet=new inet - - - - - smtpd"],
    ["-M", "flush/unix=new inet - - - - - smtpd"], ["-M", "flush/unix="],
    ["-M", "flush/unix=foo"], ["-M", "flush=foo"], ["-MX", "smtp"],
    ["-M", "*/unix=foo unix - - - - - a"], ["-MX", "smtp/unix"],
    ["-MX", "smtp/inet"], ["-MX", "*/unix"], ["-MX", "smtp/*"],
    ["-MX", "nope/unix"], ["-M#", "smtp/inet"],
    ["-M#", "smtp/inet", "flush/unix"], ["-F", "smtp/inet/chroot=n"],
    ["-Fe", "*/*/chroot=n"], ["-F", "smtp/*/process_limit=5"],
    ["-F", "smtp/inet/foo=n"], ["-F", "smtp/inet/chroot=q"],
    ["-F", "smtp/inet=x"], 
    ["-F", "nope/inet/chroot=n"], ["-F", "smtp/inet/wakeup=1 2"],
    ["-F", "smtp/inet/command=smtpd -v x {a b} -o x=y"],
    ["-F", "smtp/inet/command=smtpd -o {a = b c} d"],
    ["-F", "smtp/inet/service=new", "flush/unix/type=inet"],
    ["-F", "smtp/inet/*=n"], ["-F", "*/*/type=unix"],
    ["-F", "*/*/type=foo"], ["-F", "smtp/inet/wakeup=7", "*/*/chroot=-"],
    ["-P", "smtp/inet/a=c"], ["-P", "smtp/inet/c=f  g"],
    ["-P", "smtp/inet/new="], ["-P", "smtp/inet/new= {x} "],
    ["-P", "smtp/*/new=x"], ["-P", "*/unix/new=x"], ["-P", "smtp/inet/*=x"],
    ["-P", "nope/inet/a=x"], ["-P", "smtp/a=x"], ["-PX", "smtp/inet/a"],
    ["-PX", "smtp/inet/nope"], ["-PX", "smtp/inet/*"], ["-PX", "*/*/x"],
    ["-PX", "smtp/inet"], ["-P", "smtp/unix/z=1"],
    ["-P", "smtp/inet/a=c", "smtp/inet/a=d", "*/*/e=f"],
    ["-M", "smtp/inet=smtp inet - - - - - a",
     "smtp/inet=smtp inet - - - - - b"], ["-MX", "smtp/inet", "smtp/inet"],
    ["-M", "n/inet=n inet - - - - - b", "r"],
    ["-M", "n/inet/x=n inet - - - - - b"], ["-M", "=n inet - - - - - b"],
    ["-M", "n/=n inet - - - - - b"], ["-Fe", "smtp/inet/chroot"],
    ["-Pe", "smtp/inet/chroot"], ["-P", "smtp/inet/=r"],
    ["-P", "smtp/inet/a b=r"], ["-P", "smtp/inet/a=r\n"],
    ["-P", "smtp/inet/process_name=q"], ["-M", "n/inet=n inet x - - - - b"],
    ["-MX", "smtp/foo"], ["-M", "127.0.0.1:10025/inet=a inet - - - - - b",
                          "smtp/inet=smtp inet - - - - - smtpd"],
]


def cases_edit_master():
    for args in MASTER_EDITS:
        case("edit master", *args, master=SERVICES)
        case("edit twice", *args,
             master=SERVICES + "smtp inet n - - - - foo\n x\n")
    for args in (["-P", "127.0.0.1:10025/inet/a=7"],
                 ["-MX", "127.0.0.1:10025/inet"],
                 ["-M", "n/inet=n inet - - - - - b"]):
        # It counts the lines before the bad one in its own way with -P.
        case("edit odd", *args, master=SERVICES + "foo\n",
             messages=args[0] != "-P")
        case("edit odd", *args, master="a b c\n")
        case("edit odd", *args, master="a")
        case("edit odd", *args, master="")
    case("by design", "-F", "smtp/inet/chroot=", master=SERVICES,
         expect=(1, "invalid chroot field"))
    case("by design", "-F", "smtp/inet/command=", master=SERVICES,
         expect=(1, "invalid command field"))
    case("by design", "-b", expect=(1, "fatal: option -b is not supported"))
    case("by design", "-t", expect=(1, "fatal: option -t is not supported"))


# Lines put together by chance.

def generated(n, seed=1):
    """Lines of main.cf with uses of $name, braces and blanks put together by
    chance; the same each time."""
    r = random.Random(seed)
    pieces = ["$", "${", "}", "{", "$(", ")", "a", "foo", "mydomain",
              "myorigin", " ", "?", ":", "==", "x", "$foo", "${foo}",
              "${foo?", "${mydomain:", "{b c}", ",", "$$", "#", "=", "<level",
              "${{a} == {a}?", "\n  ", "\n\t", "\n# c\n "]
    for _ in range(n):
        name = r.choice(["foo", "bar", "a b", "relayhost", "mydestination",
                         "smtpd_banner", "default_rbl_reply", "x"])
        value = "".join(r.choice(pieces) for _ in range(r.randrange(1, 8)))
        yield (f"{name}{r.choice(['=', ' = ', ' =', ' ', ''])}{value}\n"
               + r.choice(["", "foo = $bar\n", "unused_one = 1\n",
                           " goes on\n", "myorigin = $foo\n", "bar = }{\n"]))


def cases_generated():
    for i, text in enumerate(generated(150)):
        for args in (["-n"], ["-nx"], ["foo", "relayhost"]):
            case(f"generated {i}", *args, main=text)


def merged(who, args, main, place):
    """What comes out when both streams go to one place, in its order."""
    conf = f"{TOP}/{place}-{who}"
    os.makedirs(conf)
    write(conf + "/main.cf", main)
    write(conf + "/master.cf", SAMPLE)
    env = {"PATH": "/usr/bin:/bin", "LANG": "C", "MAIL_CONFIG": conf,
           "LD_LIBRARY_PATH": peer_libraries(PEER)}
    p = subprocess.run(["postconf"] + args, stdin=subprocess.DEVNULL,
                       executable=OURS if who == "ours"
                       else PEER + "/usr/sbin/postconf", env=env, timeout=60,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = p.stdout.decode().replace(conf, "CONF")
    return (postfix.as_model(PEER, said) if who == "peer"
            else said).splitlines()


def order():
    """How many cases come in another order."""
    failed = 0
    for i, (args, main) in enumerate((
            (["-n"], "zork = 1\nmyorigin = $foo\n"),
            (["-nx"], "myorigin = x\nzork = 1\n"),
            (["-n"], "process_name = a\nzork = 1\nmyorigin = x\n"),
            (["myorigin", "nope", "relayhost"], "zork = 1\n"),
            (["-M", "smtp/inet"], "zork = 1\n"),
            # one alone: the peer finds them in an order of its table
            (["-n"], "relayhost = {a\nmyorigin = x\n"))):
        peer = [merged("peer", args, main, f"order{i}"),
                merged("ours", args, main, f"order{i}")]
        peer, ours = [[re.sub(r"main\.cf: x: (trunc)", r"\1", x) for x in y]
                      for y in peer]
        if sorted(set(peer)) == sorted(set(ours)) and peer != ours:
            print(f"FAILED order {args} {main!r}: peer {peer}, ours {ours}")
            failed += 1
    return failed


def main():
    if not os.path.exists(PEER + "/usr/sbin/postconf"):
        print("no Postfix at PEER_POSTFIX_ROOT", file=sys.stderr)
        return 2
    for name, fn in list(globals().items()):
        if name.startswith("cases_"):
            fn()
    chosen = [c for c in CASES
              if not WANTED or any(w in c.name for w in WANTED)]
    failed = 0
    # Postfix sleeps for a second before it ends with "fatal".
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for c, found in pool.map(judge, enumerate(chosen)):
            failed += bool(found)
            for text in found:
                print(f"FAILED {c.name!r}\n  "
                      f"{text if VERBOSE else text[:600]}")
    failed += 0 if WANTED else order()
    shutil.rmtree(TOP)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
