#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Quotas through the whole system: what does not fit is refused while the
sender is there, what fits is taken, room that was made is seen; and what the
log says of damaged or unreadable mailboxes.  The last line is
"N passed, N failed"."""
import glob
import imaplib
import os
import shutil
import smtplib
import sys
import tempfile
import threading
import time

from harness import Instance, free_port

UID = os.geteuid() or 2000
LIMIT = 20000


class Fixture:
    def __init__(self, extra=None):
        self.home = tempfile.mkdtemp(prefix="veredus-quota-")
        os.chown(self.home, UID, UID)
        self.imap = free_port()
        names = ["a", "b", "c", "big", "free"]
        boxes = " ".join("{ %s@virt.test = %s/ }" % (n, n) for n in names)
        settings = {
            "virtual_mailbox_domains": "virt.test",
            "virtual_mailbox_maps": "inline:{ %s }" % boxes,
            "virtual_alias_maps":
                "inline:{ { all@virt.test = a@virt.test } }",
            "virtual_mailbox_base": self.home,
            "virtual_uid_maps": "static:%d" % UID,
            "virtual_gid_maps": "static:%d" % UID,
            "virtual_minimum_uid": "1",
            "mailstore_quota": str(LIMIT),
            "mailstore_uid": str(UID),
            "mailstore_home": self.home,
            "mailstore_location": "maildir:" + self.home + "/%n",
            "auth_allow_plaintext": "yes",
        }
        settings.update(extra or {})
        self.inst = Instance(
            extra=settings,
            master_cf=f"{self.imap} inet n - n - - imapd\n"
                      "virtual unix - n n - - virtual\n")
        with open(self.inst.etc + "/passwd", "w") as f:
            for n in names:
                quota = "userdb_quota_bytes=100000" if n == "big" else ""
                f.write(f"{n}@virt.test:{{PLAIN}}pw::::::{quota}\n")
        self.inst.start()
        self.inst.wait_ready()

    def close(self):
        self.inst.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.inst.smtp_port, timeout=60)

    def put(self, name, size, n=1):
        """Mail that is there without anybody having been told."""
        path = os.path.join(self.home, name)
        for d in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, d), exist_ok=True)
        for i in range(n):
            with open(f"{path}/cur/17000000{i:02}.M{i}P1.h:2,S", "w") as f:
                f.write("Subject: x\n\n" + "y" * (size - 13) + "\n")
        os.system("chown -R %d:%d %s" % (UID, UID, path))

    def files(self, name):
        return glob.glob(f"{self.home}/{name}/[cn]*/17*") \
            + glob.glob(f"{self.home}/{name}/[cn]*/1[89]*")

    def client(self, name):
        m = imaplib.IMAP4("127.0.0.1", self.imap)
        m.login(name + "@virt.test", "pw")
        return m


def codes(s, to, size=0):
    s.ehlo()
    s.mail("s@example.com", ["SIZE=%d" % size] if size else [])
    code, text = s.rcpt(to)
    s.rset()
    return code, text.decode()


def body(size):
    return b"Subject: t\r\n\r\n" + (b"x" * 98 + b"\r\n") * (size // 100)


def wait_files(f, name, n):
    end = time.time() + 60
    while len(f.files(name)) != n:
        assert time.time() < end, f.files(name)
        time.sleep(0.05)


def test_full_mailbox_is_refused_at_rcpt(f):
    f.put("a", 10000, 2)
    s = f.smtp()
    code, text = codes(s, "a@virt.test")
    assert code == 552 and text.startswith("5.2.2 <a@virt.test>"), text
    assert codes(s, "b@virt.test")[0] == 250
    assert codes(s, "all@virt.test")[0] == 250      # somebody's alias
    f.inst.wait_log(r"NOQUEUE: reject: RCPT from \S+: 552 5\.2\.2 "
                    r"<a@virt\.test>: Recipient address rejected")
    # another program makes room, and nobody is told
    os.unlink(f.files("a")[0])
    assert codes(s, "a@virt.test")[0] == 250
    s.quit()


def test_message_larger_than_all_of_it(f):
    s = f.smtp()
    assert codes(s, "b@virt.test", LIMIT + 1000)[0] == 552
    assert codes(s, "big@virt.test", LIMIT + 1000)[0] == 250
    assert codes(s, "big@virt.test", 100001)[0] == 552
    s.ehlo()
    s.mail("s@example.com")                 # no size is announced
    assert s.rcpt("b@virt.test")[0] == 250
    code, text = s.data(body(LIMIT + 1000))
    assert code == 552, (code, text)
    s.mail("s@example.com")                 # one of two has room
    assert s.rcpt("b@virt.test")[0] == 250
    assert s.rcpt("big@virt.test")[0] == 250
    assert s.data(body(LIMIT + 1000))[0] == 250
    wait_files(f, "big", 1)
    s.quit()


def test_bound_before_the_first_login(f):
    """Many at once, for a user who never logged in and has mailstore_quota
    alone: as many as fit arrive."""
    def send():
        s = f.smtp()
        try:
            s.sendmail("s@example.com", ["c@virt.test"], body(6000))
        except smtplib.SMTPException:
            pass
        s.close()

    threads = [threading.Thread(target=send) for _ in range(12)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    wait_files(f, "c", 3)
    assert codes(f.smtp(), "c@virt.test", 6000)[0] == 552
    m = f.client("c")
    usage = m.getquota('"User quota"')[1][0]
    assert b"STORAGE 19 19" in usage, usage
    m.select()
    m.store("1", "+FLAGS", "\\Deleted")
    m.expunge()
    assert codes(f.smtp(), "c@virt.test", 6000)[0] == 250
    m.logout()


def test_damage_is_said_with_its_path(f):
    m = f.client("free")
    m.append("INBOX", None, None, b"Subject: 1\r\n\r\nx\r\n")
    m.create("sub")
    m.select()
    old = m.response("UIDVALIDITY")[1]
    m.logout()
    index = f.home + "/free/veredus-index"
    with open(index, "r+b") as x:
        x.truncate(64)
    m = f.client("free")
    assert m.select()[1] == [b"1"]
    assert m.response("UIDVALIDITY")[1] != old
    f.inst.wait_log(f.home + r"/free/veredus-index is damaged")
    if os.geteuid() == 0:
        path = glob.glob(f.home + "/free/cur/*")[0]
        os.chmod(path, 0)
        m.fetch("1", "(BODY[])")
        f.inst.wait_log(r"/free/cur/\S+: cannot read the message: ")
    m.logout()


def test_reply_can_be_temporary_or_none(f):
    for code, want in (("452", 452), ("0", 250)):
        g = Fixture({"mailstore_quota_reject_code": code})
        try:
            g.put("a", 10000, 3)
            got, text = codes(g.smtp(), "a@virt.test")
            assert got == want, (got, text)
            assert want == 250 or text.startswith("4.2.2"), text
        finally:
            g.close()


def main():
    failed = passed = 0
    f = Fixture()
    try:
        for name, test in sorted(globals().items()):
            if not name.startswith("test_") or not callable(test):
                continue
            try:
                test(f)
                passed += 1
            except Exception as e:      # each failure is one line
                failed += 1
                print(f"FAILED {name}: {type(e).__name__}: {e}")
        if failed and os.environ.get("VERBOSE"):
            print(f.inst.log_text())
    finally:
        f.close()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
