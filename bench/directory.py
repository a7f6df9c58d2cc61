# SPDX-License-Identifier: ISC
"""What the number of users costs: recipients that are looked up in the
directory of users, by the queries that `veredus init` writes, and logins."""
import base64
import os
import random
import sqlite3
import subprocess
import time

import load
from secure import Figure
from systems import Veredus

SIZES = (100, 10000, 1000000)
YOUNG_S = 3     # a file that has just changed is read for each login
QUERIES = {
    "virtual_mailbox_domains":
        "SELECT name FROM virtual_domain WHERE name = '%s'",
    "virtual_mailbox_maps":
        "SELECT path || 'Maildir/' FROM virtual_mailbox WHERE address = "
        "'%s'",
    "virtual_alias_maps":
        "SELECT targets FROM virtual_alias WHERE address = '%s' UNION ALL "
        "SELECT address FROM virtual_mailbox WHERE address = '%s' AND NOT "
        "EXISTS (SELECT 1 FROM alias WHERE address = '%s')",
}


def fill(path, n):
    """Each second user has an alias."""
    # the commands make the file, with its tables and indexes
    etc = os.path.dirname(path) + "/init"
    subprocess.run([Veredus.binary, "init", "-c", etc, "--ports", "20000",
                    "--mail-owner", "daemon", "boxes.example"], check=True,
                   stdout=subprocess.DEVNULL)
    os.rename(etc + "/directory.db", path)
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO user (domain, name, password, created) "
            "VALUES ('boxes.example', ?, '{PLAIN}secret', 1)",
            ((f"user{i}",) for i in range(n)))
        db.executemany("INSERT INTO alias VALUES (?, ?)",
                       ((f"alias{i}@boxes.example", f"user{i}@boxes.example")
                        for i in range(0, n, 2)))


class Directory:
    peer = None
    name = "directory"
    title = "RCPT of users and aliases in the directory (SQLite)"
    figures = [Figure(f"us_{n}", f"CPU a RCPT among {n:,} users, us",
                      "the same for each") for n in SIZES]
    rcpts = 4000

    def run(self, side):
        return {f"us_{n}": self.measure(n) for n in SIZES}

    def measure(self, n):
        system = Veredus(virtual_mailbox_base="/boxes",
                         virtual_uid_maps="static:2000",
                         virtual_gid_maps="static:2000",
                         smtpd_recipient_limit=self.rcpts + 1,
                         smtpd_recipient_overshoot_limit=self.rcpts + 1)
        db = system.path("directory.db")
        try:
            fill(db, n)
            with open(system.etc + "/main.cf", "a") as main:
                for name, query in QUERIES.items():
                    path = f"{system.etc}/{name}.cf"
                    main.write(f"{name} = sqlite:{path}\n")
                    with open(path, "w") as f:
                        f.write(f"dbpath = {db}\nquery = {query}\n")
            system.start()
            system.wait_port()
            self.ask(system, n, 200)
            before = system.cpu()
            self.ask(system, n, self.rcpts)
            return (system.cpu() - before) * 1e6 / self.rcpts
        finally:
            system.close()

    @staticmethod
    def ask(system, n, rcpts):
        client = load.Client(system.smtp)
        client.say(b"MAIL FROM:<a@sender.example>\r\n")
        for _ in range(rcpts):
            i = random.randrange(n)
            name = f"alias{i - i % 2}" if i % 4 == 0 else f"user{i}"
            client.say(f"RCPT TO:<{name}@boxes.example>\r\n".encode())
        client.close()


class Logins:
    """AUTH PLAIN, one connection after the other."""
    peer = None
    logins = 2000

    def __init__(self, name, title, source):
        self.name, self.title, self.source = name, title, source
        self.figures = [Figure(f"us_{n}", f"CPU a login among {n:,} users, "
                               "us", "the same for each") for n in SIZES]

    def run(self, side):
        return {f"us_{n}": self.measure(n) for n in SIZES}

    def measure(self, n):
        system = Veredus(smtpd_sasl_auth_enable="yes")
        path = system.path("users")
        try:
            if self.source == "sqlite":
                fill(path, n)
            else:
                with open(path, "w") as f:
                    f.writelines(f"user{i}@boxes.example:{{PLAIN}}secret\n"
                                 for i in range(n))
            with open(system.etc + "/main.cf", "a") as f:
                f.write(f"auth_sources = {self.source}:{path}\n")
            system.start()
            time.sleep(YOUNG_S)
            self.log_in(system, n, 100)
            before = system.cpu()
            self.log_in(system, n, self.logins)
            return (system.cpu() - before) * 1e6 / self.logins
        finally:
            system.close()

    @staticmethod
    def log_in(system, n, logins):
        for _ in range(logins):
            who = f"\0user{random.randrange(n)}@boxes.example\0secret"
            client = load.Client(system.smtp)
            client.say(b"AUTH PLAIN " + base64.b64encode(who.encode())
                       + b"\r\n")
            client.close()


ALL = [Directory(),
       Logins("login-sqlite", "Logins, directory (SQLite)", "sqlite"),
       Logins("login-passwd", "Logins, passwd-file", "passwd-file")]
