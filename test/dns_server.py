#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A tiny DNS server on loopback, for tests without a network.

    dns_server.py [-p PORT] ZONEFILE        prints its port, serves until killed

or, from a test:

    server = dns_server.DnsServer({("example.com", "MX"): ["10 mx.test"]})
    server.port; server.questions; server.stop()

A zone line is "NAME TYPE DATA"; "NAME SERVFAIL" and "NAME SILENT" stand for
servers that fail or do not answer.  "*.NAME TYPE DATA" answers for all names
below NAME that are not there themselves.  Names above a known one exist; all
others do not.  Answers are unsigned; CNAMEs are followed.
"""
import socket
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}


def pack_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def pack_data(kind, data):
    words = data.split()
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, data)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, data)
    if kind in ("NS", "CNAME", "PTR"):
        return pack_name(data)
    if kind == "MX":
        return struct.pack(">H", int(words[0])) + pack_name(words[1])
    if kind == "SRV":
        return (struct.pack(">HHH", *map(int, words[:3]))
                + pack_name(words[3]))
    if kind == "TXT":
        return bytes([len(data.encode())]) + data.encode()
    raise ValueError(kind)


def parse_zone(text):
    zone = {}
    for line in text.splitlines():
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        key = (words[0].lower().rstrip("."), words[1])
        zone.setdefault(key, []).append(words[2] if len(words) > 2 else "")
    return zone


class DnsServer:
    """Serves zone, {(name, type): [data, ...]} or a text."""

    def __init__(self, zone, port=0, address="127.0.0.1"):
        self.zone = parse_zone(zone) if isinstance(zone, str) else zone
        self.questions = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.port = self.udp.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.udp.close()

    def run(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
                answer = self.answer(packet)
            except OSError:
                return
            except (ValueError, IndexError, struct.error) as e:
                print("dns_server:", e, file=sys.stderr)
                continue
            if answer:
                self.udp.sendto(answer, peer)

    def find(self, name, kind):
        """The data, or None."""
        found = self.zone.get((name, kind))
        parent = name
        known = any(owner == name for owner, _ in self.zone)
        while found is None and not known and "." in parent:
            parent = parent.split(".", 1)[1]
            found = self.zone.get(("*." + parent, kind))
        return found

    def exists(self, name):
        return any(owner == name or owner.endswith("." + name)
                   for owner, _ in self.zone)

    def collect(self, name, kind):
        """A response code and records, each (owner, type, data)."""
        records = []
        for _ in range(8):
            if self.find(name, "SERVFAIL") is not None:
                return 2, []
            if self.find(name, "SILENT") is not None:
                return None, []
            found = self.find(name, kind)
            if found is not None:
                records += [(name, kind, data) for data in found]
                return 0, records
            alias = self.find(name, "CNAME")
            if alias is None:
                break
            records.append((name, "CNAME", alias[0]))
            name = alias[0].lower().rstrip(".")
        return (0 if self.exists(name) else 3), records

    def answer(self, packet):
        number, flags, n_questions = struct.unpack(">HHH", packet[:6])
        if flags & 0x8000 or n_questions != 1:
            return None
        labels, at = [], 12
        while packet[at]:
            size = packet[at]
            labels.append(packet[at + 1:at + 1 + size].decode())
            at += 1 + size
        name = ".".join(labels).lower()
        kind = NAMES.get(struct.unpack(">H", packet[at + 1:at + 3])[0], "")
        self.questions.append((name, kind))
        code, records = self.collect(name, kind)
        if code is None:
            return None
        out = struct.pack(">HHHHHH", number, 0x8580 | code, 1, len(records),
                          0 if records else 1, 0) + packet[12:at + 5]
        for owner, type_, data in records:
            data = pack_data(type_, data)
            out += pack_name(owner) + struct.pack(
                ">HHIH", TYPES[type_], 1, 60, len(data)) + data
        if not records:  # who answers "no" says for how long
            data = (pack_name("ns.invalid") + pack_name("host.invalid")
                    + struct.pack(">IIIII", 1, 60, 60, 60, 60))
            out += b"\0" + struct.pack(">HHIH", 6, 1, 60, len(data)) + data
        return out


def main():
    args = sys.argv[1:]
    port = 0
    if args and args[0] == "-p":
        port = int(args[1])
        args = args[2:]
    with open(args[0]) as f:
        server = DnsServer(f.read(), port)
    print(server.port, flush=True)
    server.thread.join()


if __name__ == "__main__":
    main()
