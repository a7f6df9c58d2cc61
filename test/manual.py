#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The manual's word: what a page says is not built, is not; what it names
otherwise, is; and every example that can be run is run.

A section "Not built" names parameters and words with Cm, and words of TLS,
IMAP and the like with Li.  An example has a comment before it that says what it
is:

    .\\" example: shell                         commands, one a line
    .\\" example: files                         texts below names of files
    .\\" example: master.cf                     lines of it
    .\\" example: table TYPE: KEY => VALUE      a table, and what it answers
    .\\" example: not run: REASON

The last line is "N passed, N failed"."""
import glob
import os
import re
import shutil
import smtplib
import subprocess
import sys
import time

from admin import Place, context
from harness import ROOT

MEN = os.path.join(ROOT, "docs/man")
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED", text)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def source(path):
    return read(os.path.join(ROOT, "src", path))


def pages():
    """postconf(5) is made of params.def, which is held to the program."""
    for path in sorted(glob.glob(os.path.join(MEN, "*.[158]"))):
        if not path.endswith("postconf.5"):
            yield os.path.basename(path), read(path)


# --- what is not built -------------------------------------------------------

EFFECTS = dict(re.findall(r"^PARAM\(\w+, (\w+),(?:.|\n)*?, (\w+)\)$",
                          source("conf/params.def"), re.M))
WORDS = dict(re.findall(r'^WORD\("(\w+)", (\w+),', source("policy/words.def"),
                        re.M))
NOT_BUILT = re.compile(r"^\.S[sh] Not built\n(.*?)(?=^\.S[sh] |\Z)",
                       re.M | re.S)


def words_of(macro, text):
    """What stands behind Cm or Li: names, without marks."""
    found = []
    for line in re.sub(r"\\\n", "", text).split("\n"):
        for rest in re.findall(rf"\b{macro} (.*?)(?= [A-Z][a-z] |$)", line) \
                if line.startswith(".") else []:
            found += re.findall(r"[\w+=-]+", rest)
    return found


def built(name):
    return EFFECTS.get(name) == "FULL" or \
        WORDS.get(name, "NOT_BUILT") != "NOT_BUILT"


def known(name):
    return name in EFFECTS or name in WORDS


def statements(text):
    """Pieces that end with a full stop."""
    piece = ""
    for line in text.split("\n"):
        piece += line + "\n"
        if line.endswith(".") or line.startswith((".S", ".It", ".Pp")):
            yield piece
            piece = ""
    yield piece


def without(text):
    """What a page says is not there, and the rest of it."""
    none = NOT_BUILT.findall(text)
    rest = [s for s in statements(NOT_BUILT.sub("", text))]
    denied = [s for s in rest if re.search("no effect|not built", s)]
    return none + denied, [s for s in rest if s not in denied]


def names_hold():
    for page, text in pages():
        for section in NOT_BUILT.findall(text):
            check(words_of("Cm", section) + words_of("Li", section),
                  f"{page}: what is not built has no names")
        none, rest = without(text)
        for piece in none:
            for name in words_of("Cm", piece) + words_of("Li", piece):
                check(not built(name), f"{page}: {name} is built")
        for piece in rest:
            for name in words_of("Cm", piece):
                check(not known(name) or built(name)
                      or (page, name) in NAMED,
                      f"{page}: {name} has no effect")
    smtpd = words_of("Cm", "".join(NOT_BUILT.findall(read(MEN + "/smtpd.8"))))
    for name, what in WORDS.items():
        check(what != "NOT_BUILT" or name in smtpd, f"smtpd.8: no {name}")


# Parameters without an effect that a page names to say just that.
NAMED = {("local.8", "biff"), ("postmulti.1", "multi_instance_directories"),
         ("postdrop.1", "command_directory")}


def levels_hold(p):
    """smtp(8): of TLS' levels some are not built."""
    none = words_of("Li", "".join(NOT_BUILT.findall(read(MEN + "/smtp.8"))))
    for level in ("none", "may", "encrypt", "verify", "secure", "dane",
                  "dane-only", "fingerprint"):
        said = check_config(p, f"smtp_tls_security_level = {level}\n")
        check(("fatal" in said) == (level in none),
              f"smtp.8: {level}: {said}")


def tables_hold(p):
    """tables(5): each type is described, or is not built."""
    page = read(MEN + "/tables.5")
    none = words_of("Cm", "".join(NOT_BUILT.findall(page)))
    types = p.call("postconf", "-m").split()
    for name in types:
        check(name not in none and name in words_of(
            "Cm", NOT_BUILT.sub("", page)), f"tables.5: {name}")
    for name in none:
        check(name not in types and "unsupported" in p.call(
            "postmap", "-c", p.etc, "-q", "x", f"{name}:/x", status=1),
              f"tables.5: {name}")


def services_hold(p):
    """master(5): programs that are there, that are accepted, that are not."""
    page = read(MEN + "/master.5")
    accepted = page[page.index(".It Cm cleanup"):]
    accepted = accepted[:accepted.index("Are accepted")]
    programs = page[page.index(".Ss Programs"):page.index(".It Cm cleanup")]
    for name, role in re.findall(r'^SERVICE\("([\w-]+)", \w+, (\w+)\)',
                                 source("role/services.def"), re.M):
        where = accepted if role == "N_ROLES" else programs
        check(name in words_of("Cm", where), f"master.5: {name}")
    for name in ("spawn", "dnsblog", "postscreen", "tlsproxy"):
        said = check_config(p, "", f"x unix - n n - - {name}\n")
        check(name in said and "not built" in said, f"master.5: {name}: {said}")


def imap_holds():
    page = read(MEN + "/imapd.8")
    real = re.search(r'IMAP_CAPABILITIES\s+((?:\\|\s|"[^"]*")+)',
                     source("imap/imap.h"))[1]
    real = set("".join(re.findall('"([^"]*)"', real)).split())
    said = page[page.index(".Ss Extensions"):page.index("With IDLE")]
    said = set(re.findall(r"[A-Z][A-Z][\w+=-]*", said))
    check(real == said, f"imapd.8: {sorted(real ^ said)}")
    for name in words_of("Li", "".join(NOT_BUILT.findall(page))):
        check(not any(x.startswith(name) for x in real), f"imapd.8: {name}")


def smtp_holds(p):
    """smtpd(8): the extensions are those that a client hears of."""
    page = read(MEN + "/smtpd.8")
    said = re.search(r"The extensions are ((?:.|\n)*?)\.$", page, re.M)[1]
    said = set(re.findall(r"[A-Z0-9]{3,}", said))
    with smtplib.SMTP("127.0.0.1", p.base + 587, timeout=60) as s:
        s.ehlo()
        real = set(s.esmtp_features)
        s.starttls(context=context())
        s.ehlo()
        real = {x.upper() for x in real | set(s.esmtp_features)}
        flush = [s.docmd("ETRN", x)[0] for x in ("example.org", "x.example")]
    check(real == said, f"smtpd.8: {sorted(real ^ said)}")
    check(flush == [250, 459], f"smtpd.8: ETRN: {flush}")


def arrived(p, text):
    """The mail with this in it, from below the mailboxes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in glob.glob(p.etc + "/mail/**/new/*", recursive=True):
            if text in read(path):
                return read(path)
        time.sleep(0.1)
    return ""


def gateway_holds(p):
    """sendmail(1): -G neither completes addresses nor adds From:."""
    for options, cc, sender in (([], "bob@mail.example.com", True),
                                (["-G"], "bob", False)):
        key = f"key{len(options)}"
        subprocess.run(
            p.argv("sendmail", "-C", p.etc, *options, "-f", "a@example.com",
                   "alice@example.com"), check=True, text=True,
            input=f"Subject: {key}\nCc: bob\n\nx\n")
        mail = arrived(p, f"Subject: {key}\n")
        check(f"Cc: {cc}\n" in mail and ("\nFrom: " in mail) == sender,
              f"sendmail.1: {options}: {mail}")


# What a page says is refused or not built, and how it is seen.  {etc} is a
# configuration.
REFUSED = {
    "sendmail.1": [["sendmail", "-bv", "x@example.com"],
                   ["sendmail", "-n", "x@example.com"],
                   ["sendmail", "-qX"], ["sendmail", "-XV", "x@example.com"]],
    "postfix.1": [["postfix", "-c", "{etc}", "tls"]],
    "postmulti.1": [["postmulti", "-e", "init"], ["postmulti", "-G", "x", "-l"],
                    ["postmulti", "-I", "x", "-l"]],
    "postsuper.1": [["postsuper", "-c", "{etc}", "-e", "ABC"],
                    ["postsuper", "-c", "{etc}", "-f", "ABC"]],
    "postconf.1": [["postconf", "-c", "{etc}", "-b"],
                   ["postconf", "-c", "{etc}", "-t"],
                   ["postconf", "-c", "{etc}", "-T", "compile-version"]],
    "pop3d.8": [],      # a server without APOP gives no time in its greeting
}


def commands_refuse(p):
    says = re.compile(r"(?<!Ss )not built|^Refused[:.]|of Postfix are refused",
                      re.M)
    for page, text in pages():
        says_so = says.search(NOT_BUILT.sub("", text))
        check(bool(says_so) <= (page in {*REFUSED, "master.5", "smtpd.8"}),
              f"{page}: \"{says_so and says_so[0]}\" is held by nothing")
    for page, commands in REFUSED.items():
        check(says.search(read(os.path.join(MEN, page))),
              f"{page} does not say what is refused")
        for words in commands:
            words = [w.replace("{etc}", p.etc) for w in words]
            done = subprocess.run(p.argv(*words), text=True,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE,
                                  env={**os.environ, "MAIL_CONFIG": p.etc})
            check(done.returncode != 0 and done.stderr,
                  f"{page}: {words}: {done}")
    check("APOP" not in source("imap/pop3.c"), "pop3d.8: APOP")


def check_config(p, main, master=""):
    """What postfix check says with these lines more."""
    before = {}
    for name, more in (("main.cf", main), ("master.cf", master)):
        path = os.path.join(p.etc, name)
        before[path] = read(path)
        with open(path, "a") as f:
            f.write(more)
    done = subprocess.run(p.argv("postfix", "-c", p.etc, "check"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for path, text in before.items():
        with open(path, "w") as f:
            f.write(text)
    return done.stdout


# --- examples ----------------------------------------------------------------

def plain(text):
    """Of roff, what is shown."""
    text = re.sub(r"\\\((dq)", '"', text)
    text = text.replace("\\&", "").replace("\\en", "\\n").replace("\\-", "-")
    return text.replace("\\e", "\\")


def examples(page, text):
    """Kinds and texts; complains about one without a kind."""
    start = re.search(r"^\.S[hH] EXAMPLES\n(.*?)(?=^\.S[hH] |\Z)", text,
                      re.M | re.S)
    kind, body, inside = None, [], False
    for line in (start[1] if start else "").split("\n"):
        mark = re.match(r'\.\\" example: (.*)', line)
        if mark:
            kind = mark[1]
        elif line.startswith((".Bd", ".nf")):
            inside, body = True, []
            check(kind, f"{page}: an example without a kind")
        elif line.startswith((".Ed", ".fi")):
            inside = False
            yield kind or "not run: ?", "\n".join(body) + "\n"
            kind = None
        elif inside:
            body.append(plain(line))
        elif line.startswith((".Dl ", ".D1 ")):
            check(kind, f"{page}: an example without a kind")
            yield kind or "not run: ?", plain(line[4:]) + "\n"


def here(p, text):
    return text.replace("/etc/postfix", p.etc)


def run_shell(p, page, text):
    for line in text.splitlines():
        line = here(p, re.sub(r"^[$#] ", "", line))
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=p.dir, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "MAIL_CONFIG": p.etc,
                 "PATH": p.dir + "/bin:" + os.environ["PATH"]})
        check(done.returncode == 0 and "fatal" not in done.stderr
              and "warning" not in done.stderr, f"{page}: {line}: {done}")


def run_files(p, page, text):
    """Each is a line "/path:" and its indented text."""
    more = {"main.cf": "", "master.cf": ""}
    for path, body in re.findall(r"^(/\S+):\n((?:[ \t]+.*\n|\n)+)", text,
                                 re.M):
        body = here(p, re.sub(r"^    ", "", body, flags=re.M))
        name = os.path.basename(path)
        if name in more:
            more[name] = body
            continue
        with open(here(p, path), "w") as f:
            f.write(body)
        if f"hash:{here(p, path)}" in more["main.cf"] \
                and f"texthash:{here(p, path)}" not in more["main.cf"]:
            p.call("postmap", "-c", p.etc, "hash:" + here(p, path))
    # What the place has already would be said twice.
    for name in re.findall(r"^(\w+) =", more["main.cf"], re.M):
        p.call("postconf", "-c", p.etc, "-X", name)
    said = check_config(p, more["main.cf"], more["master.cf"])
    said = "\n".join(x for x in said.splitlines()
                     if "not owned by" not in x and "do not list" not in x)
    check("fatal" not in said and "warning" not in said, f"{page}: {said}")
    shutil.copy(p.dir + "/main.cf", p.etc + "/main.cf")


def run_master(p, page, text):
    path = os.path.join(p.etc, "master.cf")
    before = read(path)
    with open(path, "w") as f:
        f.write(text)
    said = check_config(p, "")
    with open(path, "w") as f:
        f.write(before)
    check("fatal" not in said and "warning" not in said, f"{page}: {said}")


def run_table(p, page, kind, text):
    of, key, value = re.fullmatch(r"table (\w+): (.+?) => (.+)", kind).groups()
    path = os.path.join(p.dir, "table")
    with open(path, "w") as f:
        f.write(here(p, text))
    if of == "aliases":
        of = "hash"
        p.call("postalias", "-c", p.etc, "hash:" + path)
        key = key.lower()
    done = subprocess.run(p.argv("postmap", "-c", p.etc, "-q", key,
                                 f"{of}:{path}"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.stdout.strip() == value and not done.stderr,
          f"{page}: {kind}: {done}")


def run_examples(p):
    n = 0
    for page, text in pages():
        for kind, body in examples(page, text):
            n += not kind.startswith("not run")
            if kind == "shell":
                run_shell(p, page, body)
            elif kind == "files":
                run_files(p, page, body)
            elif kind == "master.cf":
                run_master(p, page, body)
            elif kind.startswith("table "):
                run_table(p, page, kind, body)
            else:
                check(re.match(r"not run: \S", kind), f"{page}: {kind}")
    check(n > 25, f"{n} examples are run")


def furnish(p):
    """What the examples name is there."""
    p.init("example.com")
    p.admin("user", "add", "--stdin", "alice@example.com",
            stdin="correct horse battery\n")
    p.admin("alias", "add", "info@example.com", "alice@example.com")
    for name, text in (("virtual", "info@example.com alice@example.com\n"),
                       ("access", "x OK\n"),
                       ("header_checks", "/^Subject:/ WARN\n"),
                       ("table", "")):
        with open(os.path.join(p.etc, name), "w") as f:
            f.write(text)
    with open(p.dir + "/message", "w") as f:
        f.write("To: alice@example.com\nSubject: hello\n\nhello\n")
    os.mkdir(p.dir + "/bin")
    os.chmod(p.dir + "/bin", 0o755)
    for name in re.findall(r"^TOOL\((\w+),", source("role/tool/tools.def"),
                           re.M):
        os.symlink(p.binary, os.path.join(p.dir, "bin", name))
    # Its mail may be asked for with postqueue -s.
    p.call("postconf", "-c", p.etc, "-e", "fast_flush_domains = example.org")
    shutil.copy(p.etc + "/main.cf", p.dir + "/main.cf")


def main():
    p = Place()
    try:
        furnish(p)
        names_hold()
        for test in (levels_hold, tables_hold, services_hold):
            test(p)
        imap_holds()
        commands_refuse(p)
        p.call("postfix", "-c", p.etc, "start")
        try:
            smtp_holds(p)
            gateway_holds(p)
            run_examples(p)
        finally:
            p.call("postfix", "-c", p.etc, "stop")
    finally:
        p.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
