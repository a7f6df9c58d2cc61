#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The doors for local mail, tried by those who mean no good and by those who
have much to say: sendmail, maildrop and its pickup, the sockets that every
user of the host may open.  Much of it needs root: other users are played by
processes that become them.

The last line is "N passed, N failed[, N skipped]".
"""
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time

from harness import Instance, Sink, VEREDUS

ROOT = os.geteuid() == 0
NOBODY = 65534
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def needs_root(fn):
    fn.needs_root = True
    return fn


class House:
    """An instance, a sink for what it sends on, and sendmail."""

    def __init__(self, start=True, **extra):
        self.sink = Sink()
        settings = {"relay_domains": "far.example",
                    "smtp_tls_security_level": "none",
                    "default_transport": "discard",
                    "myorigin": "example.com",
                    "transport_maps": "inline:{ {far.example=smtp:"
                    f"[127.0.0.1]:{self.sink.port}}} }}"}
        settings.update(extra)
        self.inst = Instance(extra=settings)
        self.etc = self.inst.etc
        self.queue = self.inst.dir + "/queue"
        self.sendmail = self.inst.dir + "/sendmail"
        # other users may not look into the checkout
        shutil.copy(VEREDUS, self.inst.dir + "/veredus")
        os.chmod(self.inst.dir + "/veredus", 0o755)
        os.symlink("veredus", self.sendmail)
        self.inst.start()
        if not start:
            self.down()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inst.stop()
        self.sink.close()

    def down(self):
        keep, self.inst.keep = self.inst.keep, True
        self.inst.stop()
        self.inst.keep = keep

    def up(self):
        self.inst.start()

    def send(self, *argv, text="Subject: s\n\nb\n", uid=None):
        return subprocess.run(
            [self.sendmail, "-C", self.etc, *argv], input=text, text=True,
            capture_output=True, timeout=120, user=uid, group=uid,
            extra_groups=[] if uid else None)

    def pickup(self):
        return subprocess.run(
            [VEREDUS, "pickup", "-c", self.etc], capture_output=True,
            text=True, timeout=120)

    def drops(self):
        return sorted(os.listdir(self.queue + "/maildrop"))

    def put(self, name, data, age=0):
        path = f"{self.queue}/maildrop/{name}"
        with open(path, "wb") as f:
            f.write(data)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def reports(self):
        return [text.decode("latin-1") for env, text in self.sink.messages
                if b"FROM:<>" in env[0]]

    def wait_reports(self, n=1, seconds=20):
        assert until(lambda: len(self.reports()) >= n, seconds), \
            self.inst.log_text()
        return self.reports()


def until(condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.03)
    return False


def dropped(house, *argv, text="Subject: s\n\nb\n", uid=None):
    """The bytes of what sendmail drops while the system is down."""
    before = set(house.drops())
    done = house.send(*argv, text=text, uid=uid)
    assert done.returncode == 0, done
    name, = set(house.drops()) - before
    with open(f"{house.queue}/maildrop/{name}", "rb") as f:
        return name, f.read()


def as_nobody(house, script):
    """A Python program that another user runs until it is killed; it says
    "ready" first."""
    child = subprocess.Popen(
        ["/usr/bin/python3", "-c", script], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
    assert child.stdout.readline() == b"ready\n"
    return child


MANY = 12000


def many_addresses():
    return [f"user{i}.with.a.longer.name@many.example" for i in range(MANY)]


@test
def many_recipients():
    """As many as there are, in the header and as arguments."""
    with House() as house:
        done = house.send("-t", text="Bcc: " + ",\n ".join(many_addresses())
                          + "\nSubject: s\n\nb\n")
        assert done.returncode == 0, done
        assert until(lambda: house.inst.log_text().count("status=sent")
                     == MANY, 60), house.inst.log_text()[-2000:]
        assert house.drops() == []
        ids = re.findall(r"message-id=(\S+)", house.inst.log_text())
        assert len(set(ids)) == 1, set(ids)


@test
def many_recipients_later():
    """Dropped while the system is down, and what lies behind them."""
    with House(start=False) as house:
        done = house.send("-t", text="Bcc: " + ",\n ".join(many_addresses())
                          + "\n\nb\n")
        assert done.returncode == 0, done
        assert house.send("after@many.example").returncode == 0
        house.up()
        assert until(lambda: house.inst.log_text().count("status=sent")
                     == MANY + 1, 60), house.inst.log_text()[-2000:]
        assert until(lambda: house.drops() == [])


@test
def one_bad_recipient():
    """It bounces; the others get their mail."""
    with House() as house:
        done = house.send("-f", "me@far.example", "a@many.example",
                          "@nobody.example", "b@", "c@many.example")
        assert done.returncode == 0, done
        report, = house.wait_reports()
        assert "@nobody.example" in report and "b@" in report, report
        assert "bad address syntax" in report, report
        for x in ("a@many.example", "c@many.example"):
            house.inst.wait_log(f"to=<{x}>.*status=sent")


@test
def one_bad_recipient_in_the_header():
    with House(start=False) as house:
        done = house.send("-f", "me@far.example", "-t",
                          text="To: a@many.example \"b@many.example\", "
                          "c@d..example\nSubject: s\n\nb\n")
        assert done.returncode == 0, done
        house.up()
        report, = house.wait_reports()
        assert "c@d..example" in report, report
        for x in ("a@many.example", "b@many.example"):
            house.inst.wait_log(f"to=<{x}>.*status=sent")


@test
def one_bad_member_of_a_virtual_alias():
    with House(virtual_alias_domains="v.example",
               virtual_alias_maps="inline:{ {v@v.example=a@many.example "
               "b@many.example, c@, \"d@many.example\"} }") as house:
        assert house.send("-f", "me@far.example",
                          "v@v.example").returncode == 0
        report, = house.wait_reports()
        assert "c@" in report, report
        for x in "abd":
            house.inst.wait_log(f"to=<{x}@many.example>, "
                                "orig_to=<v@v.example>.*status=sent")
        house.inst.wait_log("virtual_alias_maps: bad address \"c@\" in the "
                            "entry for v@v.example")


@test
def too_many_hops_come_back():
    """Taken while the system was down, refused at pickup."""
    with House(start=False, hopcount_limit="5") as house:
        text = "Received: from a by b\n" * 8 + "Subject: far too far\n\nb\n"
        assert house.send("-f", "me@far.example", "a@many.example",
                          text=text).returncode == 0
        house.up()
        report, = house.wait_reports()
        assert "too many hops" in report, report
        assert "far too far" in report, report
        house.inst.wait_log("pickup.*returned to its sender")
        assert os.listdir(house.queue + "/corrupt") == []
        assert "many.example>.*status=sent" not in house.inst.log_text()


@test
def too_large_comes_back():
    """The limit was higher when it was dropped."""
    with House(start=False) as house:
        assert house.send("-f", "me@far.example", "a@many.example",
                          text="Subject: s\n\n" + "x" * 70 * 3000
                          ).returncode == 0
        with open(house.etc + "/main.cf", "a") as f:
            f.write("message_size_limit = 100000\n")
        house.up()
        report, = house.wait_reports()
        assert "message file too big" in report, report
        assert len(report) < 100000, len(report)
        assert until(lambda: house.drops() == [])


@test
def oldest_first_and_each_by_itself():
    """Damage and refusals do not stop what lies behind."""
    with House(start=False) as house:
        name, data = dropped(house, "a@many.example")
        os.unlink(f"{house.queue}/maildrop/{name}")
        names = ["F", "B", "D", "A"]    # by age, not by name
        for i, x in enumerate(names):
            _, one = dropped(house, f"{x}@many.example")
            house.put(x, one, age=1000 - 10 * i)
        for x in house.drops():
            if x not in names:
                os.unlink(f"{house.queue}/maildrop/{x}")
        house.put("1", b"", 2000)
        house.put("2", b"VRDSDRP1", 2000)
        house.put("3", data[:-20], 2000)
        house.put("4", data[:40] + b"?" + data[41:], 2000)
        house.put("5", b"not a message\n", 2000)
        house.up()
        assert until(lambda: house.drops() == []), house.drops()
        log = house.inst.log_text()
        got = re.findall(r"to=<(\w)@many.example>.*status=sent", log)
        assert got == names, got
        for x in "12345":
            assert re.search(f"pickup.*: {x}: .*: moved to corrupt", log), x
        assert sorted(os.listdir(house.queue + "/corrupt")) == list("12345")


@test
def pickups_do_not_meet():
    """Several at once submit each file once."""
    with House(start=False) as house:
        name, data = dropped(house, "a@many.example")
        os.unlink(f"{house.queue}/maildrop/{name}")
        house.up()
        for i in range(150):
            house.put(f"D{i}", data)
        several = [subprocess.Popen([VEREDUS, "pickup", "-c", house.etc])
                   for _ in range(4)]
        assert [p.wait(60) for p in several] == [0] * 4
        assert house.drops() == []
        assert until(lambda: house.inst.log_text().count("status=sent")
                     >= 150)
        time.sleep(0.5)         # what would come twice comes now
        assert house.inst.log_text().count("status=sent") == 150


@test
def things_that_are_no_files():
    with House(start=False) as house:
        top = house.queue + "/maildrop/"
        os.mkfifo(top + "fifo")
        os.mkdir(top + "dir")
        os.symlink("/etc/passwd", top + "link")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(top + "socket")
        _, data = dropped(house, "a@many.example")
        os.link(house.put("one", data), house.inst.dir + "/other-name")
        big = struct.pack("<8sIQ", b"VRDSDRP1", 100, 1 << 40)
        with open(top + "sparse", "wb") as f:
            f.write(big)
            f.truncate((1 << 40) + 100 + 32)
        with open(top + "holes", "wb") as f:
            f.truncate(1 << 40)
        begun = time.time()
        house.up()
        house.inst.wait_log("to=<a@many.example>.*status=sent", 30)
        assert until(lambda: house.drops() == []), house.inst.log_text()
        assert time.time() - begun < 30
        log = house.inst.log_text()
        for x in ("fifo", "dir", "link", "socket", "one", "sparse", "holes"):
            assert re.search(f"pickup.*: {x}: ", log), (x, log)
        assert log.count("status=sent") == 1


@test
def what_was_put_away_stays():
    """Who dropped it cannot put something else in its place."""
    with House() as house:
        for i in range(3):
            house.put("same", b"junk %d" % i)
            house.pickup()
            assert house.drops() == []
        kept = sorted(os.listdir(house.queue + "/corrupt"))
        assert len(kept) == 3 and kept[0] == "same", kept
        texts = set()
        for name in kept:
            with open(f"{house.queue}/corrupt/{name}") as f:
                texts.add(f.read())
        assert texts == {"junk 0", "junk 1", "junk 2"}, texts


@test
@needs_root
def dropped_mail_is_private():
    """Readable for its owner alone, and delivered all the same."""
    with House(start=False) as house:
        assert house.send("a@many.example", uid=NOBODY).returncode == 0
        name, = house.drops()
        st = os.stat(f"{house.queue}/maildrop/{name}")
        assert st.st_uid == NOBODY
        assert stat.S_IMODE(st.st_mode) & 0o077 == 0, oct(st.st_mode)
        house.up()
        house.inst.wait_log(f"pickup.*uid={NOBODY} ")
        house.inst.wait_log("to=<a@many.example>.*status=sent")


IDLE = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
held = []
for _ in range({n}):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    try:
        s.connect({path!r})
        held.append(s)
    except OSError:
        break
print("ready", flush=True)
sys.stdin.read()
"""


@test
@needs_root
def idle_connections_to_pickup():
    with House() as house:
        child = as_nobody(house, IDLE.format(
            n=60, path=house.queue + "/public/pickup"))
        try:
            house.inst.wait_log(f"too many connections to public/pickup from "
                                f"user id {NOBODY}")
            begun = time.time()
            for uid in (None, 1, NOBODY):
                done = house.send("a@many.example", uid=uid)
                assert done.returncode == 0, (uid, done)
            assert time.time() - begun < 15
            # two of the three at once, the third from maildrop
            assert until(lambda: house.inst.log_text().count("status=sent")
                         >= 2), house.inst.log_text()
            house.pickup()
            assert until(lambda: house.inst.log_text().count("status=sent")
                         == 3), house.inst.log_text()
        finally:
            child.kill()
            child.wait()


@test
@needs_root
def idle_connections_to_qmgr():
    with House() as house:
        child = as_nobody(house, IDLE.format(
            n=1500, path=house.queue + "/public/qmgr"))
        try:
            for uid in (None, 1):
                done = subprocess.run(
                    [house.inst.dir + "/veredus", "postqueue", "-c",
                     house.etc, "-p"], capture_output=True, text=True,
                    timeout=60, user=uid, group=uid)
                assert done.returncode == 0, done
                assert "empty" in done.stdout, done
            assert house.send("a@many.example").returncode == 0
            house.inst.wait_log("to=<a@many.example>.*status=sent")
        finally:
            child.kill()
            child.wait()


@test
def who_says_nothing_goes():
    """A connection that never says HELO ends soon."""
    with House() as house:
        s = socket.socket(socket.AF_UNIX)
        s.connect(house.queue + "/public/pickup")
        s.settimeout(60)
        begun = time.time()
        text = b""
        while True:
            more = s.recv(1000)
            if not more:
                break
            text += more
        assert b"421" in text, text
        assert time.time() - begun < 50
        s.close()


@test
def xpickup_is_for_the_mail_system():
    """Nobody else has mail bounced or speaks for others."""
    if not ROOT:
        return
    with House() as house:
        script = ("import socket\ns = socket.socket(socket.AF_UNIX)\n"
                  f"s.connect({house.queue + '/public/pickup'!r})\n"
                  "f = s.makefile('rwb')\n"
                  "f.readline()\nfor x in (b'EHLO x', b'XPICKUP UID=0', "
                  f"b'XPICKUP UID={NOBODY} BOUNCE=5.0.0+20x', "
                  f"b'XPICKUP UID={NOBODY}'):\n"
                  "    f.write(x + b'\\r\\n'); f.flush()\n"
                  "    y = f.readline()\n"
                  "    while y[3:4] == b'-': y = f.readline()\n"
                  "    print(y.decode()[:3])\n")
        done = subprocess.run(["/usr/bin/python3", "-c", script],
                              capture_output=True, text=True, timeout=30,
                              user=NOBODY, group=NOBODY, extra_groups=[])
        assert done.stdout.split() == ["250", "550", "550", "250"], done


@test
def options():
    with House() as house:
        for argv, status, text in (
                (["-n", "a"], 75, "-n option not supported"),
                (["-qf"], 75, "-qf is not implemented"),
                (["-q15m"], 0, ""),
                (["-bv", "a"], 75, "verifying addresses is not available"),
                (["-bd", "a"], 75, "daemon mode requires no recipient")):
            done = house.send(*argv)
            assert done.returncode == status, done
            assert text in done.stderr, done
        done = house.send("-f", "x@far.example, y@far.example",
                          "a@many.example")
        assert done.returncode == 0 and "malformed sender" in done.stderr
        house.inst.wait_log("from=<x@far.example>")
        done = house.send("a@far.example",
                          text=">From x\nFrom y\nSubject: s\n\nb\n")
        assert done.returncode == 0
        assert until(lambda: house.sink.messages)
        assert b"From x" not in house.sink.messages[0][1]


def requeue(up):
    with House(virtual_alias_domains="v.example", default_transport="smtp",
               transport_maps="inline:{ {stuck.example=smtp:[127.0.0.1]:1} "
               "{many.example=discard:} {far.example=discard:} }",
               virtual_alias_maps="texthash:" + "{dir}") as house:
        def tables(text):
            with open(house.etc + "/virtual", "w") as f:
                f.write(text)

        with open(house.etc + "/main.cf") as f:
            text = f.read()
        with open(house.etc + "/main.cf", "w") as f:
            f.write(text.replace("texthash:{dir}",
                                 f"texthash:{house.etc}/virtual"))
        house.down()
        tables("v@v.example a@stuck.example k@many.example\n")
        house.up()
        with socket.create_connection(("127.0.0.1",
                                       house.inst.smtp_port)) as s:
            f = s.makefile("rwb")
            for line in (b"HELO x", b"MAIL FROM:<me@far.example>",
                         b"RCPT TO:<v@v.example>", b"DATA",
                         b"From: me@far.example\r\nSubject: s\r\n\r\n"
                         b"body\r\n.", b"QUIT"):
                f.readline()
                f.write(line + b"\r\n")
                f.flush()
            f.readline()
        old = house.inst.wait_log(r"(\w+): to=<a@stuck.example>.*"
                                  "status=deferred").group(1)
        house.inst.wait_log("to=<k@many.example>.*status=sent")
        tables("a@stuck.example b@many.example\n")
        time.sleep(1.5)         # tables are looked at once a second
        if not up:
            house.down()
        for id_ in (old, "ALL"):
            done = subprocess.run(
                [VEREDUS, "postsuper", "-c", house.etc, "-r", id_],
                capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done
            if id_ == old:
                assert f"{old}: requeued" in done.stderr, done
                assert "Requeued: 1 message" in done.stderr, done
        if not up:
            house.up()
        m = house.inst.wait_log(r"(\w+): to=<b@many.example>, "
                                "orig_to=<v@v.example>.*delay=([0-9.]+),.*"
                                "status=sent")
        assert m.group(1) != old and float(m.group(2)) > 1, m.group(0)
        assert len(re.findall("to=<k@many", house.inst.log_text())) == 1
        assert until(lambda: house.drops() == [])
        left = subprocess.run([VEREDUS, "postqueue", "-c", house.etc, "-p"],
                              capture_output=True, text=True, timeout=60)
        assert "empty" in left.stdout, left


@test
def requeued_mail_is_mapped_anew():
    requeue(True)


@test
def requeued_while_down():
    requeue(False)


@test
@needs_root
def another_systems_postdrop():
    """What lies in command_directory may be anybody's; ours lies beside
    us."""
    with House(start=False) as house:
        foreign = house.inst.dir + "/foreign"
        os.mkdir(foreign)
        with open(house.etc + "/main.cf", "a") as f:
            f.write(f"command_directory = {foreign}\n")

        def set_group_id(source, path):
            shutil.copy(source, path)
            os.chown(path, 0, 1)
            os.chmod(path, 0o2755)

        set_group_id("/bin/true", foreign + "/postdrop")
        assert house.send("a@many.example", uid=NOBODY).returncode == 0
        assert len(house.drops()) == 1
        set_group_id(VEREDUS, house.inst.dir + "/postdrop")
        os.chmod(house.queue + "/maildrop", 0o1730)
        os.chown(house.queue + "/maildrop", 1, 1)
        done = house.send("b@many.example", uid=NOBODY)
        # it is asked, and takes nobody's configuration but the default one
        assert done.returncode == 75 and "postdrop: fatal" in done.stderr, \
            done


def main():
    failed = passed = skipped = 0
    for fn in TESTS:
        if sys.argv[1:] and fn.__name__ not in sys.argv[1:]:
            continue
        if getattr(fn, "needs_root", False) and not ROOT:
            skipped += 1
            continue
        try:
            fn()
            passed += 1
        except Exception as e:  # noqa: BLE001
            failed += 1
            print(f"{fn.__name__}: {type(e).__name__}: {e}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
