#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Local delivery and pipes in a running system: aliases from tables that only
root may read, .forward files, lists, commands, mail sent on, kill -9 in the
middle.  Needs root and useradd for all of it (makes temporary users); as an
ordinary user only what an ordinary user can have is tried.
The last line is "N passed, N failed[, N skipped]"."""
import fcntl
import os
import pwd
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time

from harness import Instance, Sink, VEREDUS

ROOT = os.geteuid() == 0 and shutil.which("useradd") is not None
USERS = ["vlann", "vlbob"]

ALIASES = """\
list vlann, vlbob, away@far.example
lists :include:{dir}/lists/members
owned vlann, vlbob
owner-owned boss@far.example
cmd "|cat > {dir}/out/$LOCAL"
slow "|sleep 1; cat >> {dir}/out/slow"
fail "|exit 67"
later "|exit 75"
broken "|exit 67"
owner-broken boss@far.example
root vlann
none :include:{dir}/lists/none
itself :include:{dir}/lists/itself
missing :include:{dir}/lists/nowhere
nested :include:{dir}/lists/outer
void ,
oddone vlann, bad@, vlbob
full {dir}/small/file
"""


class Fixture:
    def __init__(self):
        me = pwd.getpwuid(os.geteuid() or 65534).pw_name
        self.sink = Sink()
        self.inst = Instance(
            relayhost=f"[127.0.0.1]:{self.sink.port}",
            extra={"myorigin": "example.com", "recipient_delimiter": "+",
                   "default_privs": me,
                   "smtp_tls_security_level": "none",
                   "mailbox_transport_maps": "inline:{ {vlaway=relay:"
                   f"[127.0.0.1]:{self.sink.port}}} }}",
                   "fallback_transport_maps":
                   "inline:{ {vlgone=error:5.1.6 moved on} }",
                   "local_destination_concurrency_limit": "20",
                   "transport_maps": "inline:{ {pipe.example=keep:}, "
                   "{one.example=one:}, {jail.example=jail:} }"},
            master_cf="keep unix - n n - - pipe\n  flags=FDRX user={} "
            "argv=/bin/sh -c { cat >> OUT/piped }\n"
            "one unix - n n - 1 pipe\n  flags= user={} argv=/bin/sh -c "
            "{ mkdir OUT/lock && sleep 0.3 && rmdir OUT/lock && "
            "echo x >> OUT/ones || echo overlap >> OUT/ones }\n"
            "jail unix - n n - - pipe\n  flags=R user={} "
            "chroot=OUT/../jail argv=/cat\n")
        self.dir = d = self.inst.dir
        for name in ("mail", "out", "lists", "home"):
            os.mkdir(f"{d}/{name}", 0o755)
        for name in ("mail", "out"):
            os.chmod(f"{d}/{name}", 0o1777)
        path = self.inst.etc + "/master.cf"
        with open(path) as f:
            text = f.read().replace("user={}", f"user={me}")
        with open(path, "w") as f:
            f.write(text.replace("OUT", d + "/out"))
        with open(d + "/aliases", "w") as f:
            f.write(ALIASES.format(dir=d))
        os.chmod(d + "/aliases", 0o600)
        with open(self.inst.etc + "/main.cf", "a") as f:
            f.write(f"alias_maps = texthash:{d}/aliases\n"
                    f"mail_spool_directory = {d}/mail\n"
                    "local_recipient_maps =\n")
        self.accounts = open("/etc/passwd")
        if ROOT:                # one run at a time makes users
            fcntl.flock(self.accounts, fcntl.LOCK_EX)
        self.users(False)
        self.users(True)
        try:
            self.inst.start()
        except Exception:
            self.users(False)
            raise

    def users(self, add):
        if not ROOT:
            return
        for user in USERS:
            home = f"{self.dir}/home/{user}"
            if add:
                subprocess.run(["useradd", "-M", "-U", "-d", home, user],
                               check=True)
                os.mkdir(home, 0o700)
                shutil.chown(home, user, user)
            else:
                subprocess.run(["userdel", user], stderr=subprocess.DEVNULL)

    def put(self, name, text, owner):
        path = f"{self.dir}/{name}"
        with open(path, "w") as f:
            f.write(text)
        shutil.chown(path, owner, owner)
        os.chmod(path, 0o600)

    def send(self, *to, sender="from@far.example", key="1", size=0):
        with smtplib.SMTP("127.0.0.1", self.inst.smtp_port) as s:
            body = f"X-Key: {key}\r\nSubject: x\r\n\r\nFrom me\r\n"
            body += ("y" * 70 + "\r\n") * (size // 72)
            s.sendmail(sender, [t if "@" in t else t + "@example.com"
                                for t in to], body)

    def text(self, name):
        try:
            with open(f"{self.dir}/{name}") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait(self, check, seconds=15):
        end = time.time() + seconds
        while time.time() < end:
            if check():
                return
            time.sleep(0.05)
        raise AssertionError("not in time\n" + self.inst.log_text()[-3000:])

    def close(self):
        self.inst.stop()
        self.users(False)
        self.accounts.close()
        self.sink.close()


def test_mailbox(f):
    f.send("vlann+ext", key="mb")
    f.wait(lambda: "X-Key: mb" in f.text("mail/vlann"))
    st = os.stat(f.dir + "/mail/vlann")
    assert st.st_uid == pwd.getpwnam("vlann").pw_uid
    assert st.st_mode & 0o777 == 0o600
    f.inst.wait_log(r"to=<vlann\+ext@example.com>, relay=local, delay=\S+, "
                    r"delays=\S+, dsn=2.0.0, status=sent \(delivered to "
                    r"mailbox\)")
    assert "\n>From me\n" in f.text("mail/vlann")


def test_success_report(f):
    with smtplib.SMTP("127.0.0.1", f.inst.smtp_port) as s:
        s.sendmail("from@far.example", ["vlann@example.com"],
                   "Subject: x\r\n\r\nx\r\n",
                   rcpt_options=["NOTIFY=SUCCESS"])
    f.wait(lambda: any(b"\nAction: delivered\r\nStatus: 2.0.0\r\n" in t
                       for _, t in f.sink.messages))


def test_list_and_forward(f):
    f.send("list", key="li")
    f.wait(lambda: "li" in f.sink.keys)
    f.wait(lambda: "X-Key: li" in f.text("mail/vlbob"))
    f.inst.wait_log(r"to=<list@example.com>, relay=local, .*status=sent "
                    r"\(forwarded as \w+\)")
    env, text = f.sink.messages[-1]
    assert b"RCPT TO:<away@far.example>\r\n" in env, env
    assert b"\r\nDelivered-To: list@example.com\r\n" in text, text


def test_include_of_a_user(f):
    f.put("lists/members", "# us\nvlann, out@far.example\n", "vlbob")
    f.send("lists", key="inc")
    f.wait(lambda: "inc" in f.sink.keys)
    f.wait(lambda: "X-Key: inc" in f.text("mail/vlann"))


def test_owner_is_the_sender(f):
    f.send("owned", key="ow")
    f.wait(lambda: "X-Key: ow" in f.text("mail/vlbob"))
    assert "Return-Path: <owner-owned@example.com>" in f.text("mail/vlbob")


def test_owner_hears_of_failures(f):
    f.send("broken", sender="poster@far.example", key="br")
    f.wait(lambda: "br" in f.sink.keys)
    time.sleep(0.3)
    to = [e[1] for e, t in f.sink.messages if b"X-Key: br" in t]
    assert to == [b"RCPT TO:<boss@far.example>\r\n"], to


def test_dot_forward(f):
    f.put("home/vlbob/.forward", "\\vlbob, copy@far.example\n"
          "\"|id -un > $HOME/who\"\n", "vlbob")
    f.send("vlbob", key="fw")
    f.wait(lambda: "fw" in f.sink.keys)
    f.wait(lambda: f.text("home/vlbob/who") == "vlbob\n")
    f.wait(lambda: "X-Key: fw" in f.text("mail/vlbob"))
    os.unlink(f.dir + "/home/vlbob/.forward")


def test_lists_for_nobody_come_back(f):
    """Who wrote to them hears of it, and so does the log."""
    f.put("lists/none", "# nobody yet\n\n", "vlbob")
    f.put("lists/itself", f":include:{f.dir}/lists/itself\n", "vlbob")
    f.put("lists/inner", f"<>, (note) ;\n:include:{f.dir}/lists/outer\n",
          "vlbob")
    f.put("lists/outer", f":include:{f.dir}/lists/inner\n", "vlbob")
    for name in ("none", "itself", "nested"):
        key = "nobody-" + name
        f.send(name, key=key)
        f.inst.wait_log(f"to=<{name}@example.com>.*dsn=5.3.5, "
                        "status=bounced .*without any recipient")
        f.wait(lambda k=key: k in f.sink.keys)
    f.send("missing", key="missing")
    f.inst.wait_log("to=<missing@example.com>.*dsn=5.3.5, status=bounced")
    f.send("void", key="void")
    f.inst.wait_log("no recipient in alias lookup result for void")
    f.inst.wait_log("to=<void@example.com>.*status=deferred")


def test_one_bad_member(f):
    f.send("oddone", key="odd")
    f.wait(lambda: "X-Key: odd" in f.text("mail/vlann")
           and "X-Key: odd" in f.text("mail/vlbob"))
    f.inst.wait_log(r"texthash:\S+, key oddone: bad item \"bad@\"")
    f.inst.wait_log("status=bounced .bad recipient address syntax: bad@")
    f.wait(lambda: "odd" in f.sink.keys)


def test_unknown_user_bounces(f):
    f.send("nosuch", key="un")
    f.inst.wait_log(r"dsn=5.1.1, status=bounced \(unknown user: \"nosuch\"\)")
    f.wait(lambda: any(b"unknown user" in t for _, t in f.sink.messages))


def test_commands(f):
    f.send("cmd", "fail", "later", key="cm")
    f.wait(lambda: "X-Key: cm" in f.text("out/cmd"))
    f.inst.wait_log(r"to=<fail@.*dsn=5.1.1, status=bounced \(user unknown\)")
    f.inst.wait_log(r"to=<later@.*dsn=4.3.0, status=deferred \(temporary "
                    r"failure\)")
    if ROOT:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert os.stat(f.dir + "/out/cmd").st_uid == nobody


def test_other_transports(f):
    """The queue manager gives the recipient to whom local names."""
    f.send("vlaway", "vlgone", key="aw")
    f.wait(lambda: "aw" in f.sink.keys)
    f.inst.wait_log(r"smtp\[\d+\]: \w+: to=<vlaway@example.com>, relay=127.0")
    f.inst.wait_log(r"to=<vlgone@.*, relay=none, .*dsn=5.1.6, status=bounced "
                    r"\(moved on\)")


def test_tables_that_change(f):
    """A changed alias file is noticed; so is a lookup role that died."""
    with open(f.dir + "/aliases", "a") as aliases:
        aliases.write('fresh "|cat > ' + f.dir + '/out/fresh"\n')
    time.sleep(1.2)
    f.send("fresh", key="fr1")
    f.wait(lambda: "X-Key: fr1" in f.text("out/fresh"))
    os.kill(f.inst.role_pids()["lookup"][0], signal.SIGKILL)
    time.sleep(1)
    f.send("fresh", key="fr2")
    f.wait(lambda: "X-Key: fr2" in f.text("out/fresh"))


def test_others_wait_in_plain_mode(f):
    f.send("daemon")
    f.inst.wait_log(r"to=<daemon@.*status=deferred \(another user's mail "
                    r"needs a system that was started by root\)")


def test_pipe(f):
    f.send("u@pipe.example", key="pi")
    f.wait(lambda: "X-Key: pi" in f.text("out/piped"))
    assert re.match("From from@far.example  .*\nReturn-Path: <from@far."
                    "example>\nDelivered-To: u@pipe.example\n",
                    f.text("out/piped"))
    f.inst.wait_log(r"relay=keep, .*status=sent \(delivered via keep "
                    r"service\)")


def test_pipe_in_a_jail(f):
    """The command sees nothing but its directory."""
    cat = shutil.which("cat")
    libs = re.findall(r"(/\S+) \(0x", subprocess.run(
        ["ldd", cat], capture_output=True, text=True).stdout)
    for path in libs:
        os.makedirs(f.dir + "/jail" + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, f.dir + "/jail" + path)
    shutil.copy(cat, f.dir + "/jail/cat")
    f.send("u@jail.example", key="ja")
    f.inst.wait_log(r"relay=jail, .*status=sent \(delivered via jail service "
                    r"\(Return-Path: <from@far.example>")


def test_pipe_process_limit(f):
    for n in range(4):
        f.send("u@one.example", key=f"o{n}")
    f.wait(lambda: f.text("out/ones").count("\n") == 4)
    assert f.text("out/ones") == "x\n" * 4


def test_full_disk_defers(f):
    """Nothing of the message stays, and it comes when there is room."""
    small = f.dir + "/small"
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=1777",
                    "tmpfs", small], check=True)
    try:
        f.send("full", key="small1")
        f.wait(lambda: "X-Key: small1" in f.text("small/file"))
        size = os.stat(small + "/file").st_size
        f.send("full", key="small2", size=200000)
        f.inst.wait_log(r"to=<full@example.com>.*dsn=4\.\S+, status=deferred "
                        r"\(cannot append message to file .*"
                        r"No space left on device")
        assert os.stat(small + "/file").st_size == size
        subprocess.run(["mount", "-o", "remount,size=1m", small], check=True)
        subprocess.run([VEREDUS, "postqueue", "-c", f.inst.etc, "-f"],
                       check=True)
        f.wait(lambda: "X-Key: small2" in f.text("small/file"))
    finally:
        subprocess.run(["umount", small])


def hands(f):
    """Processes that deliveries are done by: those of the role's spawner."""
    found = []
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as c:
                mine = b"--role\0deliver" in c.read()
            with open(f"/proc/{pid}/stat") as s:
                parent = int(s.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if mine and parent != f.inst.process.pid:
            found.append(int(pid))
    roles = f.inst.role_pids().get("deliver", [])
    return [p for p in found if p not in roles], roles


def test_killed_in_the_middle(f):
    """A hand or the planner dies: what was not delivered comes again."""
    keys = [f"k{n}" for n in range(6)]
    for n, key in enumerate(keys):
        f.send("slow", key=key)
    time.sleep(0.5)
    others, roles = hands(f)
    assert others and roles
    for pid in others[-1:]:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    os.kill(hands(f)[1][0], signal.SIGKILL)
    for _ in range(20):
        time.sleep(1)
        subprocess.run([VEREDUS, "postqueue", "-c", f.inst.etc, "-f"],
                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        text = f.text("out/slow")
        if all(f"X-Key: {k}\n" in text for k in keys):
            return
    raise AssertionError(text + f.inst.log_text()[-3000:])


def test_full_mailbox_bounces(f):
    with open(f.dir + "/mail/vlbob", "a") as box:
        box.truncate(51200000 - 100)
    size = os.stat(f.dir + "/mail/vlbob").st_size
    f.send("vlbob", key="full")
    f.inst.wait_log(r"dsn=5.2.2, status=bounced \(cannot update mailbox "
                    r"\S+ for user vlbob. error writing message: File too "
                    r"large\)")
    assert os.stat(f.dir + "/mail/vlbob").st_size == size
    os.unlink(f.dir + "/mail/vlbob")


def can_mount():
    """Containers often may not."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as d:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", d],
                          stderr=subprocess.DEVNULL).returncode:
            return False
        return subprocess.run(["umount", d]).returncode == 0


NEEDS_USERS = [test_pipe_in_a_jail, test_mailbox, test_success_report,
               test_list_and_forward, test_include_of_a_user,
               test_owner_is_the_sender, test_dot_forward,
               test_lists_for_nobody_come_back, test_one_bad_member,
               test_full_mailbox_bounces]
TESTS = NEEDS_USERS + [test_owner_hears_of_failures,
                       test_unknown_user_bounces, test_commands, test_pipe,
                       test_other_transports, test_tables_that_change,
                       test_others_wait_in_plain_mode,
                       test_pipe_process_limit, test_full_disk_defers,
                       test_killed_in_the_middle]


def main():
    fixture = Fixture()
    passed = failed = skipped = 0
    try:
        for test in TESTS:
            if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
                continue
            if test in NEEDS_USERS and not ROOT or \
                    test is test_others_wait_in_plain_mode \
                    and os.geteuid() == 0 or \
                    test is test_full_disk_defers and not can_mount():
                skipped += 1
                continue
            try:
                test(fixture)
                passed += 1
            except Exception as e:  # a failed check or a broken system
                failed += 1
                print(f"FAILED {test.__name__}: {e}")
    finally:
        fixture.close()
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
