#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""postmap and postalias beside Postfix' own: the same files, the same
commands, the same exit status, output and messages.

PEER_POSTFIX_ROOT names an unpacked Postfix 3.7, VEREDUS the binary.  The last
line is "N passed, N failed"."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))))
import postfix  # noqa: E402
from harness import peer_libraries  # noqa: E402

PEER = os.environ.get("PEER_POSTFIX_ROOT", "")
OURS = os.path.abspath(os.environ.get("VEREDUS", "build/release/veredus"))
VERBOSE = "-v" in sys.argv

passed = failed = 0


def make_dirs():
    """Two scratch directories with the same configuration."""
    top = tempfile.mkdtemp(prefix="postmap-")
    os.chmod(top, 0o755)
    lib = PEER + "/usr/lib/postfix"
    for who in ("peer", "ours"):
        etc = f"{top}/{who}/etc"
        os.makedirs(etc)
        os.makedirs(f"{top}/{who}/q")
        with open(etc + "/main.cf", "w") as f:
            f.write(f"""mail_owner = daemon
setgid_group = tty
queue_directory = {top}/{who}/q
data_directory = {top}/{who}/q
daemon_directory = {lib}/sbin
shlib_directory = {lib}
meta_directory = {etc}
compatibility_level = 3.6
default_database_type = hash
sq_dbpath = a.sq
sq_query = SELECT repl FROM al WHERE mailbox = '%s'
alias_database = hash:al
""")
        open(etc + "/master.cf", "w").close()
        shutil.copy(PEER + "/usr/share/postfix/dynamicmaps.cf", etc)
    return top


TOP = make_dirs()


def write(name, text):
    """The same file for both, old enough not to be "hot"."""
    if isinstance(text, str):
        text = text.encode()
    for who in ("peer", "ours"):
        path = f"{TOP}/{who}/{name}"
        with open(path, "wb") as f:
            f.write(text)
        os.utime(path, (time.time() - 50, time.time() - 50))


def run(who, command, args, stdin):
    env = {"PATH": "/usr/bin:/bin", "LANG": "C"}
    if who == "peer":
        env["LD_LIBRARY_PATH"] = peer_libraries(PEER)
        argv = [PEER + "/usr/sbin/" + command]
    else:
        argv = [OURS, command]
    if isinstance(stdin, str):
        stdin = stdin.encode()
    p = subprocess.run(argv + ["-c", "etc"] + args, cwd=f"{TOP}/{who}",
                       env=env, input=stdin, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    said = p.stderr.decode(errors="replace")
    return p.returncode, p.stdout, normal(
        postfix.as_model(PEER, said) if who == "peer" else said)


def normal(text):
    """What may differ: the order of files in a path, the scratch names."""
    text = text.replace(f"{TOP}/peer/", "").replace(f"{TOP}/ours/", "")
    text = text.replace("out-of-range", "out of range")
    return re.sub(r"\. Is the postfix-\w+ package installed\?", "", text)


def judge(what, good, peer, ours):
    global passed, failed
    if good:
        passed += 1
        return
    failed += 1
    print(f"FAILED {what}")
    for who, r in (("peer", peer), ("ours", ours)):
        other = ours if who == "peer" else peer
        if not isinstance(r, tuple) or not isinstance(other, tuple):
            print(f"  {who}: {r}")
            continue
        for mine, theirs in zip(r, other):
            if mine == theirs:
                continue
            if isinstance(mine, str) and isinstance(theirs, str):
                lines = theirs.splitlines()
                mine = [x for x in mine.splitlines() if x not in lines]
            print(f"  {who}: {mine}")


def same(*args, command="postmap", stdin=b"", sort=False, messages=True,
         output=True):
    """Both do the same.  sort: the order of the lines is the database's own.
    messages: also on standard error."""
    args = list(args)
    peer = run("peer", command, args, stdin)
    ours = run("ours", command, args, stdin)
    if VERBOSE:
        print(command, args, peer)

    def view(r):
        out = sorted(r[1].splitlines()) if sort else r[1]
        return (r[0], out if output else None, r[2] if messages else None)
    judge(" ".join([command] + args), view(peer) == view(ours), view(peer),
          view(ours))


def ours_is(*args, command="postmap", status=0, out=None, said=None,
            stdin=b""):
    """What is ours alone: the expected behaviour is written here."""
    r = run("ours", command, list(args), stdin)
    good = r[0] == status
    if out is not None:
        good = good and r[1] == out.encode()
    if said is not None:
        good = good and said in r[2]
    judge(" ".join([command] + list(args)), good, (status, out, said), r)


def case_usage():
    for args in ([], ["-q"], ["-z"], ["-q", "a"], ["-s", "-q", "a", "hash:x"],
                 ["-d", "a", "-q", "a", "hash:x"],
                 ["-q", "a", "-q", "b", "hash:x"], ["-q", "a", "-s", "x:y"],
                 ["-d", "a", "-s", "hash:x"], ["-b", "hash:x"],
                 ["-h", "-q", "x", "static:x"]):
        same(*args)
    for args in ([], ["-F", "x"], ["-q", "a"]):
        same(*args, command="postalias")


def case_absent():
    for t in ("hash", "btree", "cdb", "lmdb", "texthash", "regexp", "pcre",
              "cidr"):
        same("-q", "a", t + ":nofile")
    for t in ("hash", "cdb", "lmdb"):
        same(t + ":nofile")
        same("-s", t + ":nofile")
    same("-d", "a", "hash:nofile")
    same("-q", "a", "sqlite:/nofile")
    same("nofile")
    same("-q", "a", "nofile")
    for name in ("bogus:x", "sdbm:x", "dbmx:x"):
        same("-q", "a", name)
    write("t", "a b\n")
    for t in ("texthash", "static", "regexp", "inline", "bogus"):
        same(t + ":t")


def case_words():
    for spec in ("static:x", "static:{ a b }", "static:", "static:{a",
                 "static:{a}b", "fail:x", "inline:{a=b}", "inline:{a}",
                 "inline:{a=}", "inline:a=b", "inline:{}", "inline:{ }",
                 "inline:{{a=b}x}", "inline:{{a=b}", "inline:{a=b a=c}",
                 "inline:{a=b}c", "inline:{x=1, {a = b c}}",
                 "pipemap:{static:b,inline:{b=c}}", "pipemap:{}",
                 "pipemap:x", "pipemap:{static:b,bogus:x}",
                 "pipemap:{static:b foo}", "pipemap:{inline:{b=c}}",
                 "unionmap:{static:b,inline:{a=c,}}",
                 "unionmap:{static:b,fail:q}", "unionmap:{}",
                 "unionmap:{inline:{b=c}}", "unionmap:{inline:{a=c} static:d}",
                 "randmap:{b}", "randmap:{}", "randmap:x",
                 "unix:passwd.byname", "unix:foo", "regexp:{{/a/ x}, {/b/ y}}",
                 "regexp:{/a/ x}", "regexp:{{/a/ x} {/b/ y}", "regexp:{}",
                 "regexp:{{/c/ x}b}", "cidr:{{a b}, {1.1.1.1 a}}",
                 "pcre:{{x}}", "pcre:{  {/a/ } }", "noname:"):
        same("-q", "a", spec)
    same("-q", "A", "inline:{a=b}")
    same("-fq", "A", "inline:{a=b}")
    same("-q", "root", "unix:passwd.byname")
    same("-q", "root", "unix:group.byname")
    same("-q", "no-such", "unix:passwd.byname")
    same("-q", "", "static:x")
    same("-s", "inline:{a=b, c=d,{e = f g}}", sort=True)
    for spec in ("static:x", "regexp:{{/a/ x}}"):
        same("-s", spec)
    same("-q", "k", "static:\udcff")
    same("-uq", "k", "static:\udcff")
    same("-q", "\udcff", "static:x")
    same("-q", "b", "static:x", "static:y")
    same("-q", "a", "inline:{b=1}", "inline:{a=2}")
    same("-q", "-", "inline:{b=1}", "inline:{a=2}", stdin="a\nb\nc\n\na")
    same("-q", "-", "inline:{b=1}", stdin="c\n")


SOURCE = b"""# comment
  # comment2
Foo bar
  baz\t quux  
# mid comment
  cont
k2
"q k" v2
"q\\"k\\\\2" v3
"unterm v4
foo dup
"k"x v5
k3:\tv6
colon: v7
\tleadws
"" v8
"a b"
k9 \xc3\xa9
k\xc3\x89 v
bad\xff v
a\\ b c d
x	y
 lead v
k:v w
dup 1
dup 2
z "quoted value"
nul a\0b
crlf value\r
"""


def case_build():
    write("src", SOURCE)
    for t in ("hash", "btree", "cdb", "lmdb"):
        same(t + ":src")
        if t != "cdb":
            same("-s", t + ":src", sort=True)
        for key in ("foo", "FOO", '"q k"', "q k", '"q\\"k\\\\2"', "k\u00e9",
                    "k\u00c9", "k3:", "a\\ b", "x", "dup", "nul", "crlf",
                    "none"):
            same("-q", key, t + ":src")
        same("-q", "-", t + ":src", stdin="foo\nnone\nDUP\n")
        same("-f", t + ":src", messages=t != "cdb")
        same("-fq", "Foo", t + ":src")
        same("-q", "Foo", t + ":src")
        same("-w", t + ":src")
        same("-u", t + ":src")
    same("-s", "texthash:src", sort=True)
    same("-q", "foo", "texthash:src")
    write("lead", "  lead v\n#\n  more and more and more and more and more\n"
          "k v\n")
    same("hash:lead")
    same("-s", "hash:lead")
    write("empty", "\n\n  \n#\n")
    same("hash:empty")
    same("-s", "hash:empty")
    write("noeol", "a b")
    same("src", "noeol")
    same("-s", "noeol")


def case_update():
    write("u", "a 1\nb 2\nc 3\n")
    for t in ("hash", "btree", "lmdb"):
        spec = t + ":u"
        same(spec)
        same("-i", spec, stdin="b x\nd 4\nbad\n")
        same("-s", spec, sort=True)
        same("-ir", spec, stdin="b x\nd 4\n")
        same("-s", spec, sort=True)
        same("-iw", spec, stdin="b y\ne 5\n")
        same("-s", spec, sort=True)
        same("-d", "B", spec)
        same("-d", "B", spec)
        same("-d", "-", spec, stdin="a\nnone\nc\n")
        same("-d", "-", spec, stdin="none\n")
        same("-s", spec, sort=True)
        same("-i", f"{t}:new{t}", stdin="k v\n")
        same("-s", f"{t}:new{t}")
        same("-d", "k", f"{t}:new{t}", t + ":u")
    ours_is("cdb:u")
    ours_is("-i", "cdb:u", stdin="z 9\n")
    ours_is("-s", "cdb:u", out="a\t1\nb\t2\nc\t3\nz\t9\n")
    ours_is("dbm:u")
    ours_is("-q", "a", "dbm:u", out="1\n")
    judge("dbm files", os.path.exists(f"{TOP}/ours/u.pag")
          and os.path.exists(f"{TOP}/ours/u.dir"), "", "")


def case_modes():
    def modes(name):
        return [oct(os.stat(f"{TOP}/{who}/{name}").st_mode & 0o7777)
                for who in ("peer", "ours")]
    for mode in (0o600, 0o640, 0o644, 0o666):
        for t, suffix in (("hash", ".db"), ("cdb", ".cdb"),
                          ("lmdb", ".lmdb")):
            for flags in ([], ["-p"]):
                name = f"m{mode:o}{t}{len(flags)}"
                write(name, "a b\n")
                for who in ("peer", "ours"):
                    os.chmod(f"{TOP}/{who}/{name}", mode)
                same(*flags, f"{t}:{name}")
                m = modes(name + suffix)
                judge(f"mode of {name}", m[0] == m[1], m[0], m[1])


def case_exchange():
    """Each reads what the other wrote: cdb and lmdb are the same format."""
    write("ex", "Key value\ntwo 2\n")
    same("cdb:ex")
    same("lmdb:ex")
    for name in ("ex.cdb", "ex.lmdb"):
        a, b = f"{TOP}/peer/{name}", f"{TOP}/ours/{name}"
        shutil.copy(a, a + ".tmp")
        shutil.copy(b, a)
        shutil.copy(a + ".tmp", b)
    for t in ("cdb", "lmdb"):
        same("-q", "kEY", t + ":ex")
        same("-q", "none", t + ":ex")
    same("-s", "lmdb:ex")
    write("nul", "a b\n")
    same("-N", "cdb:nul")
    for who, other in (("peer", "ours"), ("ours", "peer")):
        shutil.copy(f"{TOP}/{who}/nul.cdb", f"{TOP}/{other}/x{who}.cdb")
    same("-q", "a", "cdb:nul")
    shutil.copy(f"{TOP}/peer/nul.cdb", f"{TOP}/ours/nul.cdb")
    ours_is("-q", "a", "cdb:nul", out="b\n")


def case_berkeley():
    write("bdb", "a b\n")
    run("peer", "postmap", ["hash:bdb"], b"")
    shutil.copy(f"{TOP}/peer/bdb.db", f"{TOP}/ours/bdb.db")
    ours_is("-q", "a", "hash:bdb", status=1, said="Berkeley DB; run")
    run("peer", "postmap", ["btree:bdb"], b"")
    shutil.copy(f"{TOP}/peer/bdb.db", f"{TOP}/ours/bdb.db")
    ours_is("-q", "a", "btree:bdb", status=1, said="Berkeley DB; run")
    write("older", "a b\n")
    same("hash:older")
    for who in ("peer", "ours"):
        os.utime(f"{TOP}/{who}/older", (time.time() - 200,) * 2)
        os.utime(f"{TOP}/{who}/older.db", (time.time() - 300,) * 2)
    same("-q", "a", "hash:older")


RULES = r"""/^a(b+)c(d)?$/ x$1-${2}z$(1)$$ end
/foo/i FOO
/Bar/x bar
foo
/unterm
/a(/ v
/void/
/a/q v
!/a/ x$1
/a/ $1
/(a)/ $2
/(a)/ $x
/(a)/ ${1
/(a)/ a$
/(a)/ $ 1
/(a)/ $1_
/(a)/ ${1?x}
if /x/
/xy/ 1
if !/z/
/x/ 2
endif
/x/ 3
endif foo
endif
if
if /a/ junk
if foo
/b/x
 contin
|pipe| p
/a\/b/ slash
/ sp ace/ spv
a/b/ v
if /unclosed/
  /foo/ bar
ENDIF
!!/qq/ dbl
! /qr/ sp
ENDIF
if ! /qr/
/(a)(b)/ $0
/(c)/ $$1 $(1) ${1} $1.$1-x_$1,$1
/(d)?e/ [$1]
/^$/ empty
/l1.l2/ dot
/^l2$/ one
/^l3$/m two
/[[:alpha:]]9/ class
ENDIF
/qr/ qr2
"""


def case_patterns():
    write("rules", RULES)
    keys = ("aa", "abbc", "abbcd", "foo", "FOO", "bar", "Bar", "xy", "xz",
            "xzz", "a/b", "pipe", "b", "qq", "qr", " sp ace", "a", "c", "e",
            "", "l1\nl2", "l2", "x9", "void", "\u00e9")
    for t in ("regexp", "pcre"):
        for i, key in enumerate(keys):
            same("-q", key, f"{t}:rules")
    write("pc", "/^(?<n>a)(b)?c/ $1-$2-\n/x y z/x xyz\n/(a+)+$/ evil\n"
          "/b.b/s dot\n/^anch/A A\n/un(g.*e)/U <$1>\n/end$/E E\n/\\Qa.b\\E/ q\n"
          "/(?i)abc/ i\n/a{1,99999}/ v\n/[[:foo:]]/ v\n/a**/ v\n/*a/ v\n"
          "/[z-a]/ v\n")
    for key in ("ac", "abc", "xyz", "a" * 40 + "b", "b\nb", "xanch", "anch",
                "ungeee", "end\n", "end", "a.b", "ABC"):
        same("-q", key, "pcre:pc")
    write("re", "/((((((((a))))))))/ $8\n/b{1,99999}/ v\n/[[:foo:]]/ v\n"
          "/c**/ c\n/*d/ v\n/[z-a]/ v\n//  empty\n/x/ q\n")
    for key in ("a", "c", "x"):
        same("-q", key, "regexp:re")
    case_pairs()
    write("all", "/(.*)/ <$1>\n")
    same("-q", "-", "regexp:all", stdin="a\n\nb c \n")


def case_pairs():
    """Rules of two patterns, which regexp tables alone have; pcre's refusals
    of them are compared as well."""
    write("pairs", "/^a/!/b$/ first\n/^c/i!/d$/i second\n"
          "/(q)(h)/!/x(y)/ got $1 $2\n/(q)(i)/!/x(y)/ got $3\n"
          "/(q)(j)/!/x(y)/m got $2\n/qk/ ! /l/ v\n/qr/!!/s/ w\n"
          "/qt/! /u/ w\n/qv/!/w/!/x/ w\n/qy/!#z# hash\n/qz/!\n/qA/!/B\n"
          "/qb/!/(/ v\n/qd/!/e/q v\nif /^m/!/n$/\n/m/ in\nendif\n"
          "!/^e/!/^[^q]/ third $1\n!/^e/!/^[^q]/ third\n!/qC/!/q/ neg\n")
    for key in ("a ab abc c cd Cd q qh qhxy qi qj qkl qk qr qrs qt qtu qv qvw "
                "qvwx qvx qyz qy qz qa qab qc exx qb qd qde mn mp m").split():
        same("-q", key, "regexp:pairs")
    same("-q", "qk", "pcre:pairs")


CIDR = """1.2.3.4 a
1.2.3.0/24 b
1.2.3.5/24 bad
10.0.0.0/8
!2001:db8::/32 notv6
::/0 all6
300.1.1.1 x
1.2.3.4/33 x
foo bar
if 5.0.0.0/8
5.1.0.0/16 five
endif x
endif
if !6.0.0.0/8
6.0.0.0/8 no
[9.9.9.9] nine
[9.9.8.0/24] ninea
[9.9.7.0]/24 nineb
7.7.7.7 s $1
endif
endif
if
if 1.1.1.1 x
 /cont
[::1]/128 x
if foo
010.1.1.1 oct
0x10.1.1.1 hex
1.2.3 x
1.2.3.4/ x
[1.1.1.1 x
[1.1.1.1]x y
1.1.1.1] z
[1.1.1.0/24]z x
[1.1.1.0]/24x x
1.1.1.0/-1 x
!
! 1.2.3.4 x
!! 1.2.3.4 xx
if!1.2.3.4
endifx
if 8.0.0.0/8
8.8.8.8 eight
"""


def case_cidr():
    write("nets", CIDR)
    for key in ("1.2.3.4", "1.2.3.9", "5.1.2.3", "5.2.2.2", "6.1.1.1",
                "9.9.9.9", "9.9.8.1", "9.9.7.7", "7.7.7.7", "2001:db8::1",
                "2001:db9::1", "::1", "foo", "8.1.1.1", "8.8.8.8",
                "[1.2.3.4]", "010.1.1.1", "::ffff:1.2.3.4", ""):
        same("-q", key, "cidr:nets")


ALIASES = """# c
Postmaster: root
a: b, c@d,
  "|cmd x y", :include:/foo
"q name": x
"a@b": y
colon:: z
novalue:
nocolon foo
a b: c
x@y: z
"x:y" : foo
A: dup
e: foo (comment) bar, <baz@x>
f: :include: /x
g: |"a b"
"h\\"i": x
i: a,b
"/file/n": x
:include:x: y
/abs: x
: x
k: "a, b"
l:"unterm
m: \u00e9
\u00c9: n
o: a"b c"d , e ,, f,
p: a(b)c [1.2.3.4] \\root a\\,b
r: "a\\b\\"c\\\\d"
s: a (c(d)e\\)f) b
t,u: x
v;w: x
<k>: x
(k) z: x
k(c): x
owner-a: b
lit: user@[1.2.3.4], g: a, b;
"""


def case_aliases():
    write("al", ALIASES)
    for t in ("hash", "cdb", "lmdb"):
        same(f"{t}:al", command="postalias")
        for key in ("a", "A", "q name", "postmaster", "a@b", "colon", "f",
                    "g", 'h"i', "i", "e", "l", "m", "\u00e9", "o", "p", "r",
                    "s", "a b", "x:y", "v;w", "<k>", "k (c)", "lit", "none"):
            same("-q", key, f"{t}:al", command="postalias")
    same("-q", "-", "hash:al", command="postalias", stdin="a\nnone\nA\n")
    same("-fq", "A", "hash:al", command="postalias")
    same("-d", "a", "hash:al", command="postalias")
    same("-d", "a", "hash:al", command="postalias")
    same("-i", "hash:al", command="postalias", stdin="z: y\nbad\n")
    same("-i", "hash:al", command="postalias", stdin="z: y\n")
    same("-q", "z", "hash:al", command="postalias")
    # what follows the peer's own @ and YP_ entries is the same
    def listed(who):
        out = run(who, "postalias", ["-s", "hash:al"], b"")[1].splitlines()
        return sorted(x for x in out if not x.startswith((b"@:", b"YP_")))
    judge("postalias -s", listed("peer") == listed("ours"), listed("peer"),
          listed("ours"))


def case_sqlite():
    for who in ("peer", "ours"):
        db = sqlite3.connect(f"{TOP}/{who}/a.sq")
        db.execute("create table al(mailbox text, repl text, n int)")
        db.executemany("insert into al values(?,?,?)", [
            ("a@ex.com", "x@y", 1), ("a@ex.com", "z@w", 2), ("b", "bb", 3),
            ("o'x", "q", 4), ("e@ex.com", "", 5), ("n@ex.com", None, 6),
            ("ex.com", "dom", 7), ("p%", "pct", 8), ("c,d@e", "m,n@o", 9),
            ("@ex.com", "at", 10)])
        db.commit()
        db.close()

    def asks(settings, *keys, dbpath=True, **kw):
        write("sq.cf", ("dbpath = a.sq\n" if dbpath else "") + settings)
        for key in keys:
            same("-q", key, "sqlite:./sq.cf", **kw)
    s = "query = SELECT repl FROM al WHERE mailbox = '%s'\n"
    asks(s, "a@ex.com", "b", "o'x", "e@ex.com", "n@ex.com", "none", "p%",
         "c,d@e", "A@EX.com", "' or 'a'='a")
    asks("query = SELECT repl FROM al WHERE mailbox = '%u@%d'", "a@ex.com",
         "b", "@ex.com", "a@")
    asks("query = SELECT repl FROM al WHERE mailbox = '%2.%1'", "a@ex.com",
         "b@x.ex.com", "b@com", "ex.com")
    asks("query = SELECT repl FROM al WHERE n = %s", "1", "4")
    asks(s + "result_format = <%s|%u|%d|%S|%U|%D|%1%%>", "a@ex.com", "b")
    asks(s + "result_format = [%d]", "a@ex.com", "b", "c,d@e")
    asks(s + "expansion_limit = 1", "b")
    asks(s + "expansion_limit = 1", "a@ex.com", messages=False)
    asks(s + "domain = ex.com, foo", "a@ex.com", "b", "c,d@e", "@ex.com",
         "ex.com")
    asks("table = al\nselect_field = repl\nwhere_field = mailbox\n"
         "additional_conditions = and n > 1", "a@ex.com", "b")
    asks("query = SELECT nope FROM al", "b", messages=False)
    asks(s + "result_format = %x", "b", messages=False)
    asks("query =", "b")
    asks("expansion_limit = x\nquery=select 1", "b")
    asks("query = x", "b", dbpath=False)
    asks("dbpath\n", "b", dbpath=False)
    same("-q", "a@ex.com", "sqlite:sq")
    same("-q", "b", "sqlite:nosuch")


MESSAGE = """From: a@b
Subject: hello
 world
To: c@d
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=xx

preamble
--xx
Content-Type: text/plain

body line

second
--xx
Content-Type: message/rfc822

Subject: nested
X: y

nested body
--xx
Content-Type: message/delivery-status

Reporting-MTA: x

Foo: bar
--xx--
epilogue
"""


def case_message():
    write("all", "/(.*)/ <$1>\n")
    for options in ("-h", "-b", "-hm", "-bm", "-hb", "-hbm"):
        same(options, "-q", "-", "regexp:all", stdin=MESSAGE)
        for text in ("plain text\nfoo: bar\n\nx: y\n",
                     "a: b\nno header\nfoo: bar\n\nx: y\n", "a: b\n",
                     "a: b", "a: b\n\n", "", "\nx\n\n"):
            if options in ("-h", "-b", "-hb"):
                same(options, "-q", "-", "regexp:all", stdin=text)
    same("-hq", "-", "regexp:all", stdin=b"A: \xff\n")
    same("-hUq", "-", "regexp:all", stdin=b"A: \xff\n")


def case_files():
    write("f1", "one\n")
    write("f2", "two")
    write("ff", "x f1 ,f2\ny /nofile\n z\n")
    same("-F", "hash:ff")
    write("ff", "x f1 ,f2\n")
    same("-F", "hash:ff")
    for args in (["-s", "hash:ff"], ["-Fs", "hash:ff"],
                 ["-Fq", "x", "hash:ff"], ["-q", "x", "hash:ff"],
                 ["-Fq", "x", "texthash:ff"], ["-Fq", "x", "static:x"],
                 ["-Fq", "x", "static:f1"], ["-Fq", "x", "inline:{x=f1}"],
                 ["-Fq", "x", "regexp:{{/x/ f1}}"],
                 ["-Fq", "x", "regexp:{{/x/ /nofile}}"],
                 ["-Fq", "1.1.1.1", "cidr:{{1.1.1.1 /nofile}}"]):
        same(*args)
    write("fb", "a !!!\nb eA=\n")
    same("hash:fb")
    same("-Fq", "a", "hash:fb")
    same("-Fs", "hash:fb", output=False, messages=False)


def case_newaliases():
    write("al", "root: admin\n")
    r = subprocess.run([OURS, "newaliases"], cwd=f"{TOP}/ours",
                       env={"PATH": "/usr/bin:/bin", "MAIL_CONFIG": "etc"},
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    judge("newaliases", r.returncode == 0, "", r)
    ours_is("-q", "ROOT", "hash:al", command="postalias", out="admin\n")


def main():
    if not os.path.exists(PEER + "/usr/sbin/postmap"):
        print("no Postfix at PEER_POSTFIX_ROOT", file=sys.stderr)
        return 2
    for name, fn in list(globals().items()):
        wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
        if name.startswith("case_") and (not wanted or name[5:] in wanted):
            fn()
    shutil.rmtree(TOP)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
