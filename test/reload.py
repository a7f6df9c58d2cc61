#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reload under load: no connection is refused, no session is cut, new
sessions get the new configuration, a broken configuration changes nothing.
The last line is "N passed, N failed"."""
import os
import signal
import socket
import sys
import threading
import time

from harness import Instance


class Knocker(threading.Thread):
    """Connects as fast as it can; remembers who did not answer."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.good = 0
        self.bad = []
        self.stop = False

    def run(self):
        while not self.stop:
            try:
                with socket.create_connection(("127.0.0.1", self.port),
                                              timeout=5) as s:
                    if s.recv(200).startswith(b"220"):
                        self.good += 1
                    else:
                        self.bad.append("no greeting")
            except OSError as e:
                self.bad.append(str(e))


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        return s.recv(200).decode()


def set_parameter(inst, name, value):
    with open(inst.etc + "/main.cf", "a") as f:
        f.write(f"{name} = {value}\n")


def reload(inst):
    n = inst.log_text().count("reload -- ")
    inst.process.send_signal(signal.SIGHUP)
    end = time.time() + 5
    while inst.log_text().count("reload -- ") == n and time.time() < end:
        time.sleep(0.01)


def wait_greeting(inst, word):
    end = time.time() + 10
    while time.time() < end:
        if word in greeting(inst.smtp_port):
            return True
        time.sleep(0.05)
    return False


def test_no_refusals(inst):
    old = socket.create_connection(("127.0.0.1", inst.smtp_port), timeout=5)
    old.recv(200)
    knockers = [Knocker(inst.smtp_port) for _ in range(4)]
    for k in knockers:
        k.start()
    for n in range(10):
        set_parameter(inst, "smtpd_banner", f"$myhostname ESMTP turn{n}")
        reload(inst)
        assert wait_greeting(inst, f"turn{n}"), f"turn {n} never came"
    for k in knockers:
        k.stop = True
    for k in knockers:
        k.join()
    bad = [b for k in knockers for b in k.bad]
    assert not bad, bad[:5]
    assert sum(k.good for k in knockers) > 100
    old.sendall(b"EHLO still.example\r\n")
    got = old.recv(500)
    assert got.startswith(b"250"), f"a session was cut: {got}"
    old.close()


def test_broken_configuration_changes_nothing(inst):
    before = greeting(inst.smtp_port)
    with open(inst.etc + "/master.cf") as f:
        good = f.read()
    with open(inst.etc + "/master.cf", "a") as f:
        f.write("nonsense inet n - n - - nosuchprogram\n")
    inst.process.send_signal(signal.SIGHUP)
    inst.wait_log("nosuchprogram")
    assert greeting(inst.smtp_port) == before
    with open(inst.etc + "/master.cf", "w") as f:
        f.write(good)
    reload(inst)
    assert greeting(inst.smtp_port) == before


def main():
    inst = Instance()
    inst.start()
    passed = failed = 0
    try:
        for test in (test_no_refusals,
                     test_broken_configuration_changes_nothing):
            try:
                test(inst)
                passed += 1
            except Exception as e:
                failed += 1
                print(f"FAILED {test.__name__}: {type(e).__name__}: {e}")
        if failed:
            print(inst.log_text()[-int(os.environ.get("LOG_TAIL", 3000)):])
    finally:
        inst.stop()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
