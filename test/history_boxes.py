# SPDX-License-Identifier: ISC
"""All that a client can say of users' mailboxes, for comparing what one
release wrote with what a later one reads (history.py, history/make)."""
import email
import imaplib
import re
import ssl

FOLDERS = ("INBOX", "Archive", "Archive.2026")


def login(port, name, password):
    context = ssl.create_default_context()
    context.check_hostname = False      # it is signed by itself
    context.verify_mode = ssl.CERT_NONE
    c = imaplib.IMAP4("127.0.0.1", port)
    c.starttls(context)
    c.login(name, password)
    return c


def look_at_boxes(port, domain, users):
    """user -> folder -> UIDVALIDITY, UIDNEXT and the messages."""
    found = {}
    for user, password in users.items():
        c = login(port, f"{user}@{domain}", password)
        found[user] = {"subscribed": sorted(
            re.search(rb"(\S+)$", line)[1].decode().strip('"')
            for line in c.lsub()[1])}
        for folder in FOLDERS:
            found[user][folder] = look_at(c, folder)
        c.logout()
    return found


def look_at(c, folder):
    _, status = c.status(folder, "(UIDVALIDITY UIDNEXT MESSAGES)")
    c.select(folder, readonly=True)
    _, data = c.fetch("1:*", "(UID FLAGS INTERNALDATE "
                      "BODY.PEEK[HEADER.FIELDS (X-KEY)])")
    return {"status": status[0].decode().split("(")[1],
            "messages": sorted(describe(d) for d in data
                               if isinstance(d, tuple))}


def describe(pair):
    line, text = pair
    key = email.message_from_bytes(text)["X-Key"]
    date = re.search(rb'INTERNALDATE "([^"]+)"', line)[1].decode()
    flags = sorted(f for f in re.search(rb"FLAGS \(([^)]*)\)", line)[1]
                   .decode().split() if f != r"\Recent")
    return [int(re.search(rb"UID (\d+)", line)[1]), key, date, flags]
