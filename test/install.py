#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""make install: where things lie, a tree that runs in place, and a whole host
with the real ports in name spaces of its own.  The last line is
"N passed, N failed[, N skipped]"."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from harness import ROOT, free_base

PEER = os.path.join(ROOT, "build/peer/root")
SKIP = "skipped"


def make_install(*words):
    subprocess.run(["make", "-s", "install", *words], cwd=ROOT, check=True)


def text_of(path):
    with open(path) as f:
        return f.read()


def test_places_of_the_distribution(d):
    make_install(f"DESTDIR={d}", "PREFIX=/usr")
    if not os.path.isdir(PEER):
        return SKIP
    for folder in ("usr/sbin", "usr/bin"):
        ours = set(os.listdir(os.path.join(d, folder))) - {"veredus"}
        theirs = set(os.listdir(os.path.join(PEER, folder)))
        assert ours and ours <= theirs, ours - theirs
    for path in ("etc/init.d/postfix", "usr/lib/systemd/system/"
                 "postfix.service", "usr/share/doc/veredus/LICENSE",
                 "usr/share/doc/veredus/example/main.cf"):
        assert os.path.isfile(os.path.join(d, path)), path
    pages = os.listdir(d + "/usr/share/man/man1")
    assert "veredus.1" in pages and "postmap.1" in pages
    return None


def test_links_lead_to_one_binary(d):
    make_install(f"DESTDIR={d}", "PREFIX=/usr")
    binary = os.path.join(d, "usr/bin/veredus")
    for folder in ("usr/sbin", "usr/bin", "usr/lib"):
        for name in os.listdir(os.path.join(d, folder)):
            path = os.path.join(d, folder, name)
            if name != "systemd":
                assert os.path.realpath(path) == os.path.realpath(binary)
    assert not os.stat(binary).st_mode & (stat.S_ISUID | stat.S_ISGID)
    # Once more over itself.
    make_install(f"DESTDIR={d}", "PREFIX=/usr")


def test_nothing_outside_of_the_prefix(d):
    make_install(f"PREFIX={d}/tree")
    assert os.listdir(d) == ["tree"]
    for path in ("etc/init.d/postfix", "lib/systemd/system/postfix.service"):
        text = text_of(os.path.join(d, "tree", path))
        assert f"{d}/tree/sbin/postfix" in text and "@" not in text, path
    subprocess.run(["sh", "-n", d + "/tree/etc/init.d/postfix"], check=True)


def files(d):
    return sorted(os.path.join(folder, name) for folder, _, names
                  in os.walk(d) for name in names)


def test_uninstall_takes_what_install_put(d):
    for words in ([], ["SETGID_GROUP=daemon"] if os.geteuid() == 0 else []):
        os.makedirs(d + "/usr/share/man/man1", exist_ok=True)
        with open(d + "/usr/share/man/man1/other.1", "w") as f:
            f.write("another package's\n")
        where = [f"DESTDIR={d}", "PREFIX=/usr", *words]
        make_install(*where)
        # Somebody else's command in the place of ours stays.
        os.remove(d + "/usr/sbin/postmap")
        os.symlink("other", d + "/usr/sbin/postmap")
        subprocess.run(["make", "-s", "uninstall", *where], cwd=ROOT,
                       check=True)
        left = [p[len(d):] for p in files(d)]
        assert left == ["/usr/sbin/postmap",
                        "/usr/share/man/man1/other.1"], left
        # And once more, when there is nothing.
        subprocess.run(["make", "-s", "uninstall", *where], cwd=ROOT,
                       check=True)
        shutil.rmtree(d + "/usr")


def complete(d, line):
    """What bash would offer at the end of the line."""
    words = line.split(" ")
    script = (f"source {d}/usr/share/bash-completion/completions/veredus\n"
              f"COMP_WORDS=({' '.join(w or chr(39) * 2 for w in words)})\n"
              f"COMP_CWORD={len(words) - 1}\n"
              f"$(complete -p {words[0]} | sed 's/.*-F //; s/ .*//') "
              f"{words[0]} '{words[-1]}' '{words[-2]}'\n"
              "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
    return subprocess.run(
        ["bash", "-c", script], text=True, stdout=subprocess.PIPE,
        env={**os.environ, "PATH": f"{d}/usr/bin:{d}/usr/sbin:"
             + os.environ["PATH"]}).stdout.split()


def test_completion(d):
    make_install(f"DESTDIR={d}", "PREFIX=/usr")
    assert complete(d, "veredus doc") == ["doctor"]
    assert complete(d, "veredus user pa") == ["passwd"]
    assert complete(d, "postfix rel") == ["reload"]
    assert complete(d, "postconf -e myhostn") == ["myhostname="]
    assert complete(d, "postconf myhostn") == ["myhostname"]


def test_unit_file(d):
    if not shutil.which("systemd-analyze"):
        return SKIP
    make_install(f"PREFIX={d}/tree")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no",
         d + "/tree/lib/systemd/system/postfix.service"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert "postfix.service" not in done.stdout, done.stdout
    return None


def test_tree_runs_in_place(d):
    make_install(f"PREFIX={d}/tree")
    env = {**os.environ, "PATH": f"{d}/tree/sbin:{d}/tree/bin:"
           + os.environ["PATH"], "MAIL_CONFIG": d + "/etc"}

    def call(*words):
        return subprocess.run(words, env=env, check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    owner = ["--mail-owner", "daemon"] if os.geteuid() == 0 else []
    call("veredus", "init", "-c", d + "/etc", *owner, "--ports",
         str(free_base()), "example.com")
    call("veredus", "user", "add", "-g", "a@example.com")
    call("newaliases")
    call("postfix", "start")
    try:
        call("postfix", "status")
        subprocess.run(["sendmail", "a@example.com"], env=env, check=True,
                       input=b"Subject: x\n\nbody\n")
        call("mailq")
    finally:
        call("postfix", "stop")
    assert "to=<a@example.com>" in text_of(d + "/etc/maillog")


def test_set_group_id_is_for_two(d):
    if os.geteuid() != 0:
        return SKIP
    make_install(f"PREFIX={d}/tree", "SETGID_GROUP=daemon")
    for name in ("postdrop", "postqueue"):
        st = os.stat(f"{d}/tree/sbin/{name}")
        assert st.st_mode & stat.S_ISGID and st.st_gid == 1, name
    assert os.path.islink(d + "/tree/sbin/postconf")

    def as_nobody(called, *words):
        # The caller chooses argv[0].
        return subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534",
             "--clear-groups", "--", "bash", "-c", 'exec -a "$@"', "sh",
             called, d + "/tree/sbin/postdrop", *words], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    for called in ("postconf", "veredus", "sendmail", "x"):
        done = as_nobody(called, "--version")
        assert done.returncode == 1 and "set-group-id" in done.stdout, done
    assert "set-group-id" not in as_nobody("postdrop", "-x").stdout
    return None


# A host of its own: /etc, /var and /usr are copies on write, its network is
# a loopback that nobody else sees.
HOST = r"""
set -e
S=$1; mount -t tmpfs scratch "$S"
for d in etc var usr; do
    mkdir -p "$S/$d.up" "$S/$d.work"
    mount -t overlay overlay \
        -o "lowerdir=/$d,upperdir=$S/$d.up,workdir=$S/$d.work" "/$d"
done
python3 - <<'END'
import fcntl, socket, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))
END
rm -f /etc/aliases /dev/log
rm -rf /etc/postfix /var/lib/postfix /var/spool/postfix
echo ready
make -s install PREFIX=/usr
veredus init --create-users --log /var/log/mail.log example.com
echo 'correct horse battery' | veredus user add --stdin alice@example.com
veredus alias add postmaster@example.com alice@example.com
test "$(postfix check 2>&1)" = ""
/etc/init.d/postfix start
/etc/init.d/postfix start
echo 'Subject: hello' | sendmail postmaster@example.com
echo 'Subject: from cron' | sendmail root
setpriv --reuid nobody --regid nogroup --clear-groups -- sh -c '
    echo "Subject: hello" | sendmail alice@example.com && mailq'
python3 - <<'END'
import imaplib, ssl, time
c = ssl._create_unverified_context()
n = b""
for _ in range(100):
    m = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=c)
    m.login("alice", "correct horse battery")
    n = m.select()[1][0]
    m.logout()
    if n == b"3":
        break
    time.sleep(0.1)
print("messages:", n.decode())
END
ps axo user:12,args | sed -n 's/ .*--role / /p' | sort -u
/etc/init.d/postfix reload
/etc/init.d/postfix restart
/etc/init.d/postfix status && echo runs
/etc/init.d/postfix stop
/etc/init.d/postfix status || echo "status $?"
stat -c '%U %a %n' /var/mail/vhosts/example.com/alice/Maildir \
    /var/spool/postfix/log /etc/postfix/directory.db
"""


def test_host(d):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return SKIP
    done = subprocess.run(
        ["unshare", "-mnpf", "--mount-proc", "bash", "-c", HOST, "host", d],
        cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if "ready\n" not in done.stdout:
        return SKIP             # no name spaces here
    assert done.returncode == 0, done.stdout
    for text in ("made   user postfix\n", "messages: 3\n", "runs\n",
                 "status 3\n", "postfix smtpd\n", "vmail reader\n",
                 "root deliver\n", "vmail 700 /var/mail/vhosts/example.com",
                 "postfix 700 /var/spool/postfix/log\n",
                 "root 640 /etc/postfix/directory.db\n"):
        assert text in done.stdout, (text, done.stdout)
    roots = re.findall(r"^root (\S+)$", done.stdout, re.M)
    assert set(roots) == {"deliver"}, roots
    return None


def main():
    count = {True: 0, False: 0, SKIP: 0}
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        d = tempfile.mkdtemp(prefix="veredus-install-")
        os.chmod(d, 0o755)
        try:
            result = test(d) or True
        except Exception as e:
            print(f"FAILED {name}: {type(e).__name__}: {e}")
            result = False
        finally:
            shutil.rmtree(d, ignore_errors=True)
        count[result] += 1
    print(f"{count[True]} passed, {count[False]} failed"
          + (f", {count[SKIP]} skipped" if count[SKIP] else ""))
    return count[False] != 0


if __name__ == "__main__":
    sys.exit(main())
