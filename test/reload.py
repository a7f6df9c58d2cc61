#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reload: no connection is refused or left waiting, no session is cut, one
configuration is taken by all roles or by none, who asks hears the outcome,
and nothing of an old configuration stays.  The last line is "N passed, N
failed"."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from dns_server import DnsServer
from harness import Instance, Sink, VEREDUS, free_port

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class System(Instance):
    """An Instance that ends with its block."""
    program = VEREDUS

    def __enter__(self):
        self.start(self.program)
        return self

    def __exit__(self, kind, *_):
        if kind and os.environ.get("LOG_TAIL"):
            print(self.log_text()[-int(os.environ["LOG_TAIL"]):])
        self.stop()

    def set(self, **values):
        with open(self.etc + "/main.cf", "a") as f:
            for name, value in values.items():
                f.write(f"{name} = {value}\n")

    def services(self, text=None, more=""):
        """Sets master.cf, or adds to it; what it was before."""
        with open(self.etc + "/master.cf") as f:
            before = f.read()
        with open(self.etc + "/master.cf", "w") as f:
            f.write((before if text is None else text) + more)
        return before

    def postfix(self, *argv, seconds=120):
        return subprocess.run([VEREDUS, "postfix", "-c", self.etc, *argv],
                              capture_output=True, text=True,
                              timeout=seconds)

    def reload(self):
        r = self.postfix("reload")
        assert r.returncode == 0, r.stderr
        return r.stderr

    def refused(self, *words):
        r = self.postfix("reload")
        assert r.returncode == 1, (r.returncode, r.stderr)
        for word in words:
            assert re.search(word, r.stderr), (word, r.stderr)
        return r.stderr


def certificate(etc, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                    "-subj", f"/CN={name}", "-keyout", f"{etc}/{name}.key",
                    "-out", f"{etc}/{name}.pem"],
                   check=True, stderr=subprocess.DEVNULL)
    return {"smtpd_tls_cert_file": f"{etc}/{name}.pem",
            "smtpd_tls_key_file": f"{etc}/{name}.key"}


def lax():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        return s.recv(200).decode()


def keywords(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        f = s.makefile("rwb")
        f.readline()
        f.write(b"EHLO x\r\n")
        f.flush()
        lines = []
        while True:
            lines.append(f.readline().decode())
            if lines[-1][3:4] != "-":
                return "".join(lines)


def common_name(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        f = s.makefile("rwb")
        for line in (b"", b"EHLO x\r\n", b"STARTTLS\r\n"):
            f.write(line)
            f.flush()
            while f.readline()[3:4] == b"-":
                pass
        with lax().wrap_socket(s) as tls:
            der = tls.getpeercert(True)
    pem = ssl.DER_cert_to_PEM_cert(der)
    out = subprocess.run(["openssl", "x509", "-noout", "-subject"],
                         input=pem, capture_output=True, text=True)
    return out.stdout


def ends(seconds, condition, what):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, what
        time.sleep(0.02)


def closed(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def send(system, to="who@sink.example", text="X-Key: 1\r\n\r\nhello\r\n"):
    with socket.create_connection(("127.0.0.1", system.smtp_port),
                                  timeout=20) as s:
        f = s.makefile("rwb")
        f.readline()
        for line in ("HELO x", "MAIL FROM:<a@example.com>",
                     f"RCPT TO:<{to}>", "DATA", text + ".", "QUIT"):
            f.write(line.encode() + b"\r\n")
            f.flush()
            got = f.readline()
            assert got[:1] in b"23", (line, got)


# --- sessions and listeners ------------------------------------------------


class Knocker(threading.Thread):
    """Connects again and again; remembers who did not answer in time."""

    def __init__(self, connect, word, seconds=20):
        super().__init__(daemon=True)
        self.connect, self.word, self.seconds = connect, word, seconds
        self.good = 0
        self.bad = []
        self.stop = False

    def run(self):
        while not self.stop:
            try:
                s = self.connect()
                s.settimeout(self.seconds)
                with s:
                    if self.word is None or s.recv(200).startswith(self.word):
                        self.good += 1
                    else:
                        self.bad.append("no greeting")
            except OSError as e:
                self.bad.append(f"{self.word}: {e}")


def tcp(port):
    return lambda: socket.create_connection(("127.0.0.1", port), 20)


def local(path):
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(path)
        return s
    return connect


def knocked(knockers, between):
    for k in knockers:
        k.start()
    between()
    for k in knockers:
        k.stop = True
    for k in knockers:
        k.join()
    bad = [b for k in knockers for b in k.bad]
    assert not bad, bad[:5]
    for k in knockers:
        assert k.good > 10, (k.word, k.good)


@test
def no_refusals_and_no_session_cut():
    with System() as system:
        old = socket.create_connection(("127.0.0.1", system.smtp_port), 20)
        old.recv(200)

        def turns():
            for n in range(10):
                system.set(smtpd_banner=f"$myhostname ESMTP turn{n}")
                system.reload()     # in force when it says so
                assert f"turn{n}" in greeting(system.smtp_port)
        knocked([Knocker(tcp(system.smtp_port), b"220") for _ in range(4)],
                turns)
        old.sendall(b"EHLO still.example\r\n")
        got = old.recv(500)
        assert got.startswith(b"250"), f"a session was cut: {got}"
        old.close()


@test
def every_listener_answers_beside_reloads():
    imap, pop = free_port(), free_port()
    lines = f"127.0.0.1:{imap} inet n - n - - imapd\n" \
            f"127.0.0.1:{pop} inet n - n - - pop3d\n"
    with System(master_cf=lines) as system:
        queue = system.dir + "/queue/public/"

        def turns():
            for n in range(25):
                system.set(smtpd_banner=f"turn{n}")
                system.reload()
        knocked([Knocker(local(queue + "pickup"), b"220"),
                 Knocker(tcp(system.smtp_port), b"220"),
                 Knocker(tcp(imap), b"* OK"), Knocker(tcp(pop), b"+OK")],
                turns)


@test
def sendmail_right_after_a_reload():
    with System() as system:
        for n in range(15):
            system.set(smtpd_banner=f"turn{n}")
            system.process.send_signal(signal.SIGHUP)
            start = time.time()
            r = subprocess.run([VEREDUS, "sendmail", "-C", system.etc,
                                "x@example.com"], input="hello\n", text=True,
                               capture_output=True, timeout=60)
            assert r.returncode == 0, r.stderr
            assert time.time() - start < 30, "sendmail hung"
        ends(30, lambda: system.log_text().count(" removed") >= 0, "never")


def shares(system, at_once):
    """How many of 40 connections each process takes."""
    n = system.log_text().count(": connect from ")
    held = []
    for _ in range(40):
        held.append(tcp(system.smtp_port)())
        if not at_once:
            assert held[-1].recv(200).startswith(b"220")
    ends(20, lambda: system.log_text().count(": connect from ") >= n + 40,
         "not all came")
    lines = re.findall(r"smtpd\[(\d+)\]: connect from",
                       system.log_text())[-40:]
    for s in held:
        s.close()
    return [lines.count(str(pid)) for pid in system.role_pids()["smtpd"]]


@test
def connections_are_shared():
    with System() as system:
        for at_once, least in ((False, 12), (True, 4)):
            counts = shares(system, at_once)
            if os.environ.get("SHOW"):
                print(counts)
            assert min(counts) * len(counts) / 2 >= least, (at_once, counts)


@test
def nobody_wakes_by_the_clock():
    imap = free_port()
    with System(master_cf=f"127.0.0.1:{imap} inet n - n - - imapd\n") as system:
        greeting(imap)

        def switches():
            found = {}
            for role, pids in system.role_pids().items():
                if role == "qmgr":
                    continue
                for pid in pids:
                    with open(f"/proc/{pid}/status") as f:
                        found[role, pid] = int(re.search(
                            r"^voluntary_ctxt_switches:\s+(\d+)", f.read(),
                            re.M).group(1))
            return found
        time.sleep(3)           # what a start leaves to be done
        before = switches()
        time.sleep(6)           # nothing can be waited for here
        after = switches()
        awake = {k: after[k] - before[k] for k in before
                 if after[k] - before[k] > 2}
        assert not awake, awake


# --- all or none -----------------------------------------------------------


@test
def a_broken_configuration_changes_nothing():
    with System() as system:
        before = greeting(system.smtp_port)
        good = system.services(more="nonsense inet n - n - - nosuchprogram\n")
        system.refused("nosuchprogram")
        assert greeting(system.smtp_port) == before
        system.process.send_signal(signal.SIGHUP)
        system.wait_log("reload refused")
        system.wait_log("nosuchprogram")
        assert greeting(system.smtp_port) == before
        system.services(good)
        system.reload()
        assert greeting(system.smtp_port) == before


@test
def what_one_role_refuses_no_role_takes():
    with System() as system:
        good = open(system.etc + "/main.cf").read()
        for bad in ({"auth_sources": "nonsense:/x"},
                    {"mailstore_uid": "nobodyofthatname"}):
            system.set(smtpd_banner="new", **bad)
            system.refused(*bad)
            assert "new" not in greeting(system.smtp_port)
            n = system.log_text().count("reload refused")
            system.process.send_signal(signal.SIGHUP)
            ends(20, lambda: system.log_text().count("reload refused") > n,
                 "not in the log")
            assert "new" not in greeting(system.smtp_port)
            with open(system.etc + "/main.cf", "w") as f:
                f.write(good)
        system.set(smtpd_banner="new")
        system.reload()
        assert "new" in greeting(system.smtp_port)


@test
def what_a_running_system_cannot_change():
    with System() as system:
        system.set(queue_directory=system.dir + "/elsewhere")
        os.mkdir(system.dir + "/elsewhere")
        r = system.postfix("reload")
        assert r.returncode == 1, r.stderr
        system.process.send_signal(signal.SIGHUP)
        system.wait_log("queue_directory: a reload cannot change it")


@test
def a_role_that_does_not_answer_fails_the_reload():
    with System() as system:
        pid = system.role_pids()["authd"][0]
        system.set(smtpd_banner="new")
        os.kill(pid, signal.SIGSTOP)
        try:
            system.refused("authd: no answer in time")
            assert "new" not in greeting(system.smtp_port)
        finally:
            os.kill(pid, signal.SIGCONT)
        system.reload()
        assert "new" in greeting(system.smtp_port)


@test
def a_role_that_dies_comes_back_with_what_is_in_force():
    with System() as system:
        system.set(smtpd_banner="new")
        pid = system.role_pids()["authd"][0]
        os.kill(pid, signal.SIGSTOP)
        asked = subprocess.Popen([VEREDUS, "postfix", "-c", system.etc,
                                  "reload"], stderr=subprocess.PIPE,
                                 text=True)
        time.sleep(0.5)         # it may be asked by now, or not yet
        os.kill(pid, signal.SIGKILL)
        _, text = asked.communicate(timeout=100)
        if asked.returncode:
            assert "authd" in text, text
            assert "new" not in greeting(system.smtp_port)
        else:
            assert "new" in greeting(system.smtp_port)
        ends(20, lambda: len(system.role_pids().get("authd", [])) == 1
             and system.role_pids()["authd"][0] != pid, "authd stays away")
        system.reload()
        assert "new" in greeting(system.smtp_port)
        for pid in system.role_pids()["smtpd"]:
            os.kill(pid, signal.SIGKILL)
        ends(20, lambda: "new" in greeting(system.smtp_port), "old again")


# --- services come and go --------------------------------------------------


@test
def services_added_and_removed():
    imap, pop, more = free_port(), free_port(), free_port()
    with System() as system:
        good = system.services(
            more=f"127.0.0.1:{imap} inet n - n - - imapd\n"
                 f"127.0.0.1:{pop} inet n - n - - pop3d\n"
                 f"127.0.0.1:{more} inet n - n - - smtpd\n")
        assert "imapd" not in system.role_pids()
        system.reload()
        assert greeting(imap).startswith("* OK")
        assert greeting(pop).startswith("+OK")
        assert greeting(more).startswith("220")
        system.services(good)
        system.reload()
        for port in (imap, pop, more):
            ends(20, lambda: closed(port), f"port {port} is still open")
        ends(20, lambda: "imapd" not in system.role_pids(),
             "imapd goes on without a service")
        assert greeting(system.smtp_port).startswith("220")


@test
def a_refused_reload_opens_no_port():
    imap, more = free_port(), free_port()
    with System() as system:
        good = system.services(
            more=f"127.0.0.1:{imap} inet n - n - - imapd\n"
                 f"127.0.0.1:{more} inet n - n - - smtpd\n")
        text = open(system.etc + "/main.cf").read()
        system.set(auth_sources="nonsense:/x")
        system.refused("auth_sources")
        for port in (imap, more):
            ends(20, lambda: closed(port), f"port {port} is open")
        ends(20, lambda: "imapd" not in system.role_pids(), "imapd was left")
        with socket.create_server(("127.0.0.1", imap)):
            system.refused("auth_sources")
        with open(system.etc + "/main.cf", "w") as f:
            f.write(text)
        with socket.create_server(("127.0.0.1", imap)):
            system.refused(f"{imap}.*bind")
            assert closed(more)
        system.reload()
        assert greeting(imap).startswith("* OK")
        assert greeting(more).startswith("220")
        system.services(good)


@test
def local_sockets_follow():
    with System() as system:
        path = system.dir + "/queue/public/pickup"
        assert os.stat(path).st_mode & 0o777 == 0o666
        system.set(authorized_submit_users="root")
        system.reload()
        assert os.stat(path).st_mode & 0o777 == 0o600


# --- certificates ----------------------------------------------------------


@test
def a_bad_certificate_never_takes_effect():
    with System() as system:
        good = certificate(system.etc, "one")
        system.set(smtpd_tls_security_level="may", **good)
        system.reload()
        assert "one" in common_name(system.smtp_port)
        certificate(system.etc, "two")
        shutil.copy(system.etc + "/one.key", system.etc + "/kept.key")
        bad = {
            "another's key": ("two.key", "one.key"),
            "no key at all": ("/dev/null", "one.key"),
        }
        for what, (source, to) in bad.items():
            shutil.copy(source if source[0] == "/"
                        else f"{system.etc}/{source}", f"{system.etc}/{to}")
            system.refused("one.key", "one.pem")
            assert "one" in common_name(system.smtp_port), what
        os.remove(system.etc + "/one.key")
        system.refused("one.key")
        for pid in system.role_pids()["smtpd"]:
            os.kill(pid, signal.SIGKILL)
        ends(20, lambda: "STARTTLS" in keywords(system.smtp_port),
             "a new process has not the old certificate")
        assert "one" in common_name(system.smtp_port)
        shutil.copy(system.etc + "/kept.key", system.etc + "/one.key")
        system.set(smtpd_tls_cert_file=system.etc + "/two.pem",
                   smtpd_tls_key_file=system.etc + "/two.key")
        system.reload()
        assert "two" in common_name(system.smtp_port)


def bad_start(words, more="", **extra):
    """No start with a certificate that does not fit its key."""
    system = System(extra=extra, master_cf=more)
    try:
        good = certificate(system.etc, "one")
        certificate(system.etc, "two")
        shutil.copy(system.etc + "/two.key", system.etc + "/one.key")
        system.set(**good)
        try:
            system.start()
        except RuntimeError as e:
            for word in words:
                assert re.search(word, str(e)), e
        else:
            raise AssertionError("it started")
    finally:
        system.stop()


@test
def no_start_with_a_certificate_that_does_not_fit():
    files = ("one.pem", "one.key")
    port = free_port()
    line = f"127.0.0.1:{port} inet n - n - - "
    bad_start(files, line + "smtpd -o smtpd_tls_wrappermode=yes\n")
    bad_start(files, line + "imapd -o imapd_tls_wrappermode=yes\n")
    bad_start(files, line + "pop3d -o pop3d_tls_wrappermode=yes\n")
    bad_start(files, smtpd_tls_security_level="encrypt")
    bad_start(files, smtpd_tls_security_level="may")


# --- what is old goes ------------------------------------------------------


@test
def kept_connections_end_with_their_configuration():
    sink = Sink()
    with System(relayhost=f"[127.0.0.1]:{sink.port}",
                extra={"smtp_connection_cache_time_limit": "600s"}) as system:
        send(system)
        ends(30, lambda: len(sink.messages) == 1, "not relayed")
        system.set(smtp_tls_security_level="encrypt")
        system.reload()
        send(system)
        system.wait_log("TLS is required, but was not offered", 30)
        assert len(sink.messages) == 1, "sent in clear"
        system.set(smtp_tls_security_level="may")
        system.reload()
        system.postfix("flush")
        ends(30, lambda: len(sink.messages) == 2, "not relayed again")
    sink.close()


@test
def name_servers_follow():
    sink = Sink()
    one = DnsServer({("one.example", "A"): ["127.0.0.1"]})
    two = DnsServer({("two.example", "A"): ["127.0.0.1"]})
    with System(extra={"lookup_dns_server": f"127.0.0.1:{one.port}",
                       "relayhost": f"[one.example]:{sink.port}"}) as system:
        send(system)
        ends(30, lambda: len(sink.messages) == 1, "not relayed")
        for n in range(2, 6):   # to and fro
            server, name = (two, "two") if n % 2 == 0 else (one, "one")
            system.set(lookup_dns_server=f"127.0.0.1:{server.port}",
                       relayhost=f"[{name}.example]:{sink.port}")
            system.reload()
            send(system)
            ends(30, lambda: len(sink.messages) == n,
                 f"not relayed by way of {name}")
        system.set(lookup_dns_server="nonsense")
        system.refused("lookup_dns_server: bad address")
    sink.close()


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss_Anon:\s+(\d+)", f.read(), re.M).group(1))


def footprint(system):
    found = {}
    for role, pids in system.role_pids().items():
        for pid in pids:
            found[role, pid] = (resident(pid),
                                len(os.listdir(f"/proc/{pid}/fd")))
    return found


class Lean(System):
    """Without a sanitizer, which keeps what was freed for a while."""
    program = VEREDUS.replace("/asan/", "/release/")


@test
def reloads_do_not_grow_anybody():
    imap = free_port()
    with Lean(master_cf=f"127.0.0.1:{imap} inet n - n - - imapd\n",
                extra={"smtpd_tls_security_level": "may",
                       "virtual_alias_maps": "inline:{a@b.example=c@d.example}"
                       }) as system:
        owner = ["--mail-owner", "daemon"] if os.geteuid() == 0 else []
        subprocess.run([VEREDUS, "init", "-c", system.dir + "/init",
                        "--ports", "21000", *owner, "example.com"],
                       check=True, capture_output=True)
        system.set(auth_sources=f"sqlite:{system.dir}/init/directory.db",
                   **certificate(system.etc, "one"))
        text = open(system.etc + "/main.cf").read()

        def turns(n):
            for i in range(n):
                if i % 2:       # every other one is of the same text
                    with open(system.etc + "/main.cf", "w") as f:
                        f.write(text + f"smtpd_banner = turn{i % 10}\n")
                n_before = system.log_text().count("reload -- ")
                system.process.send_signal(signal.SIGHUP)
                ends(60, lambda: system.log_text().count("reload -- ")
                     > n_before, "a reload never came")
                assert greeting(system.smtp_port).startswith("220")
        turns(60)
        before = footprint(system)
        turns(200)
        after = footprint(system)
        assert set(before) == set(after), "a process ended"
        grown = {k: (before[k], after[k]) for k in before
                 if after[k][0] > before[k][0] + 400     # 2 KB a reload
                 or after[k][1] > before[k][1] + 2}
        if os.environ.get("SHOW"):
            print({k: (before[k], after[k]) for k in before})
        assert not grown, grown


# --- upgrade, end ----------------------------------------------------------


@test
def another_program_in_its_place_is_not_mixed_in():
    system = System()
    program = system.dir + "/veredus"
    shutil.copy(VEREDUS, program)
    ready, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    system.process = subprocess.Popen(
        [program, "--master", system.etc, str(theirs)], close_fds=False,
        stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(theirs)
    assert os.read(ready, 4096) == b"ready"
    os.close(ready)
    try:
        assert "another version" not in system.reload()
        shutil.copy(VEREDUS, program + ".new")
        os.rename(program + ".new", program)
        pids = system.role_pids()["smtpd"]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        ends(20, lambda: len(set(system.role_pids().get("smtpd", []))
                             - set(pids)) == len(pids), "no new processes")
        for pid in system.role_pids()["smtpd"]:
            where = os.readlink(f"/proc/{pid}/exe")
            assert where.endswith("(deleted)"), where
        assert "another version" in system.reload()
        assert greeting(system.smtp_port).startswith("220")
    finally:
        system.stop()


def family(pid):
    """A process' descendants, and theirs."""
    found, parents = [], {pid}
    table = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/stat") as f:
                    table[int(p)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    while parents:
        parents = {p for p, parent in table.items() if parent in parents}
        found += parents
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@test
def stop_ends_everything_in_time():
    alias = "|/bin/sleep 600"
    system = System()
    with open(system.etc + "/aliases", "w") as f:
        f.write(f'slow: "{alias}"\n')
    with system:
        subprocess.run([VEREDUS, "postalias", "-c", system.etc,
                        "hash:" + system.etc + "/aliases"], check=True)
        system.set(alias_maps="hash:" + system.etc + "/aliases",
                   default_privs=os.environ.get("USER", "nobody"))
        system.reload()
        send(system, "slow@example.com")

        def sleeping():
            return any("sleep" in open(f"/proc/{p}/cmdline").read()
                       for p in family(system.process.pid) if alive(p))
        ends(30, sleeping, "the command was never run")
        everybody = family(system.process.pid)
        start = time.time()
        r = system.postfix("stop")
        assert r.returncode == 0, r.stderr
        assert system.process.wait(timeout=20) == 0, "not an ordinary end"
        assert time.time() - start < 30, time.time() - start
        ends(10, lambda: not any(map(alive, everybody)),
             f"left: {[p for p in everybody if alive(p)]}")


@test
def the_unit_lets_it_stay_down():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(here + "/../dist/postfix.service") as f:
        unit = f.read()
    words = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    assert words["Type"] == "forking"
    assert words["PIDFile"].endswith("/pid/master.pid")
    assert words["Restart"] in ("no", "on-failure", "on-abnormal"), words
    # systemd runs ExecStop after an end that it did not ask for, too; what
    # fails there is a failure of the service, and restarts it
    with System() as system:
        assert system.postfix("stop").returncode == 0
        assert system.process.wait(timeout=30) == 0
        again = system.postfix("stop").returncode
        assert again == 0 or words["ExecStop"].startswith("-"), words


def main():
    chosen = [t for t in TESTS if not sys.argv[1:]
              or t.__name__ in sys.argv[1:]]
    passed = failed = 0
    for t in chosen:
        start = time.time()
        try:
            t()
            passed += 1
        except Exception as e:
            failed += 1
            print(f"FAILED {t.__name__}: {type(e).__name__}: {e}")
        if os.environ.get("SHOW"):
            print(f"{t.__name__}: {time.time() - start:.1f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
