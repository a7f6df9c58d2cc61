#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The manual: every command and service has a page, a page's options are
those of its command, references lead somewhere, postconf(5) is up to date."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MEN = os.path.join(ROOT, "docs/man")
ROLE = os.path.join(ROOT, "src/role")
# Sections that are ours, and pages in them that are others'.
OURS, THEIRS = "158", {"sqlite3.1", "crypt.5", "passwd.5"}
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


def has_page(name):
    """A page of its own, or one that names it; what is no classic command
    may stand in veredus(1)."""
    own = os.path.join(MEN, "veredus.1")
    return any(re.search(rf"^\.Nm {name}\b|^{name} \\\\-", read(path), re.M)
               for s in OURS for path in glob.glob(f"{MEN}/*.{s}")) or \
        (os.path.exists(own) and re.search(rf"\b{name}\b", read(own)))


def pages_there():
    for name in re.findall(r"^(?:TOOL|OWN)\((\w+)[,)]",
                           read(os.path.join(ROLE, "tool/tools.def")), re.M):
        check(has_page(name.replace("_", "-")), f"no page of {name}")
    for name, role in re.findall(r'^SERVICE\("([\w-]+)", \w+, (\w+)\)',
                                 read(os.path.join(ROLE, "services.def")),
                                 re.M):
        if role != "N_ROLES" and name != "oqmgr":
            check(has_page(name), f"no page of the service {name}")


def letters(words):
    """The options in what follows Fl on a line: Fl a , b Ar x Fl cd."""
    found = set()
    for part in words.split("Fl ")[1:]:
        for word in part.split():
            word = word.replace("\\&", "")
            if re.fullmatch(r"[A-Z][a-z]", word):   # the next macro
                break
            if re.fullmatch(r"\w+", word):
                found |= set(word)
    return found


def options():
    """Options of the command's code against those of its page."""
    for path in sorted(glob.glob(os.path.join(MEN, "*.1"))):
        name = os.path.basename(path)[:-2]
        page = read(path)
        code = "".join(read(p) for p in glob.glob(
            os.path.join(ROLE, f"tool/{name}*.c")) if "_test" not in p)
        known = re.search(r'tool_options_of\([^;]*?"([\w:]+)"\)', code) or \
            re.search(r'letters\[\] = "([\w:]+)"', code)
        if ".Dt " not in page or not known:
            continue
        wanted = set(known[1]) - {":"}
        said = set().union(*(letters(x) for x in page.split("\n")
                             if x.startswith((".Fl", ".It Fl", ".Op Fl"))))
        listed = set().union(*(letters(x) for x in page.split("\n")
                               if x.startswith((".It Fl", ".Op Fl"))))
        check(wanted <= said, f"{name}.1: without "
              f"-{''.join(sorted(wanted - said))}")
        if name != "sendmail":      # -bd, -qI: words, not letters
            check(listed <= wanted, f"{name}.1: {name} has no "
                  f"-{''.join(sorted(listed - wanted))}")


def references():
    for path in sorted(glob.glob(os.path.join(MEN, "*"))):
        base, page = os.path.basename(path), read(path)
        name, section = base.rsplit(".", 1)
        title = re.search(r"^\.(?:Dt|TH) (\S+) (\d)", page, re.M)
        check(title and title[1] == name.upper() and title[2] == section,
              f"{base}: its title")
        for to in re.findall(r"\bXr (\S+) (\d)", page):
            to = ".".join(to)
            if to[-1] in OURS and to not in THEIRS:
                check(os.path.exists(os.path.join(MEN, to)),
                      f"{base}: no page {to}")


def generated():
    run = subprocess.run([os.path.join(ROOT, "tools/man-postconf"),
                          "--check"], capture_output=True, text=True)
    check(run.returncode == 0, run.stdout.strip() + run.stderr.strip())


def effects():
    """params.def claims an effect only for what the program reads."""
    run = subprocess.run([os.path.join(ROOT, "tools/man-postconf"),
                          "--differ"], capture_output=True, text=True)
    bad = [x for x in run.stdout.splitlines() if "FULL" in x]
    check(not bad, "\n".join(bad))


def main():
    pages_there()
    options()
    references()
    generated()
    effects()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
