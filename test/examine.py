#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a configuration asks for and does not get stops check, start and
reload, with file, line, service and parameter; what it does not ask for does
not.  The last line is "N passed, N failed"."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import Instance, VEREDUS, mail_owner

TOP = tempfile.mkdtemp(prefix="veredus-test-")
MAIN = f"""\
compatibility_level = 3.6
queue_directory = {TOP}/queue
data_directory = {TOP}/data
mail_owner = {mail_owner()}
myhostname = mail.example.com
inet_interfaces = 127.0.0.1
alias_maps =
auth_sources = passwd-file:{TOP}/users
"""
FIRST = MAIN.count("\n") + 1
MASTER = "2525 inet n - n - - smtpd\n"
FAILED = []
PASSED = 0


def command(name, *args, main="", master=MASTER, base=MAIN):
    """(exit status, what it said) with these lines added."""
    etc = TOP + "/etc"
    os.makedirs(etc, exist_ok=True)
    open(TOP + "/users", "a").close()
    for file, text in (("main.cf", base + main), ("master.cf", master)):
        with open(f"{etc}/{file}", "w") as f:
            f.write(text)
    p = subprocess.run([name, "-c", etc, *args], executable=VEREDUS,
                       stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120)
    return p.returncode, (p.stdout + p.stderr).replace(etc, "ETC")


def judge(good, name, said):
    global PASSED
    if good:
        PASSED += 1
        return
    FAILED.append(name)
    print(f"FAILED {name}\n{said}")


def refused(main, *words, master=MASTER, base=MAIN):
    status, said = command("postfix", "check", main=main, master=master,
                           base=base)
    fatal = [x for x in said.split("\n") if "fatal: " in x]
    judge(status == 1 and any(all(w in x for w in words) for x in fatal),
          f"refused {main!r} {master!r} {words}", said)


def taken(main, master=MASTER, base=MAIN):
    status, said = command("postfix", "check", main=main, master=master,
                           base=base)
    judge(status == 0 and "fatal" not in said, f"taken {main!r} {master!r}",
          said)


# What decides about mail and is not built, set to something.
ASKED = """\
smtpd_upstream_proxy_protocol = haproxy
header_checks = pcre:/etc/postfix/header_checks
mime_header_checks = regexp:/x
nested_header_checks = regexp:/x
body_checks = regexp:/x
milter_header_checks = regexp:/x
smtp_header_checks = regexp:/x
smtp_body_checks = regexp:/x
smtp_mime_header_checks = regexp:/x
lmtp_nested_header_checks = regexp:/x
content_filter = scan:[127.0.0.1]:10025
smtpd_milters = inet:localhost:8891
non_smtpd_milters = unix:/run/x
smtpd_milter_maps = cidr:/x
smtpd_proxy_filter = 127.0.0.1:10025
smtpd_command_filter = pcre:/x
receive_override_options = no_address_mappings
smtpd_sasl_path = private/auth
smtp_tls_wrappermode = yes
lmtp_tls_wrappermode = yes
smtpd_client_connection_count_limit = 10
smtpd_client_connection_rate_limit = 10
smtpd_client_message_rate_limit = 10
smtpd_client_recipient_rate_limit = 10
smtpd_client_auth_rate_limit = 10
smtpd_client_new_tls_session_rate_limit = 10
tls_server_sni_maps = hash:/x
postscreen_greet_action = enforce
postscreen_dnsbl_action = drop
postscreen_dnsbl_sites = bl.example.com
postscreen_access_list = permit_mynetworks, cidr:/x
postscreen_pipelining_enable = yes
smtp_tls_policy_maps = hash:/x
lmtp_tls_policy_maps = hash:/x
smtp_tls_per_site = hash:/x
smtp_tls_trust_anchor_file = /x
smtp_sasl_mechanism_filter = plain
smtp_sender_dependent_authentication = yes
smtp_bind_address_enforce = yes
smtp_discard_ehlo_keyword_address_maps = cidr:/x
smtp_reply_filter = pcre:/x
smtp_dns_reply_filter = pcre:/x
smtpd_dns_reply_filter = pcre:/x
default_delivery_status_filter = pcre:/x
smtp_delivery_status_filter = pcre:/x
pipe_delivery_status_filter = pcre:/x
smtpd_sasl_mechanism_filter = plain
smtpd_authorized_xclient_hosts = 127.0.0.1
strict_7bit_headers = yes
strict_8bitmime = yes
message_reject_characters = \\0
local_login_sender_maps = hash:/x
cleanup_service_name = other
master_service_disable = inet
best_mx_transport = local
ignore_mx_lookup_error = yes
resolve_null_domain = yes
tls_wildcard_matches_multiple_labels = no
imapd_admins = root
smtp_generic_maps = hash:/x
"""

# The same parameters asking for nothing.
NOT_ASKED = """\
smtpd_milters =
non_smtpd_milters = $smtpd_milters
content_filter =
header_checks =
mime_header_checks = $header_checks
receive_override_options =
smtpd_upstream_proxy_protocol =
smtpd_client_connection_count_limit = 50
smtpd_client_message_rate_limit = 0
smtpd_client_connection_count_limit = 0
postscreen_greet_action = ignore
smtp_tls_wrappermode = no
smtp_tls_policy_maps =
smtp_dns_support_level = enabled
smtp_host_lookup = DNS
smtpd_sasl_type = cyrus
smtp_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_mechanism_filter = !external  static:rest
tls_config_file = default
smtpd_relay_before_recipient_restrictions = yes
"""

# Words of closed sets: value, and what is said about it.
WORDS = [
    ("smtpd_tls_security_level = encrpyt", 'Invalid TLS level "encrpyt"'),
    ("smtpd_tls_security_level = dane", 'Invalid TLS level "dane"'),
    ("smtp_tls_security_level = mey", 'Invalid TLS level "mey"'),
    ("smtp_tls_security_level = dane", '"dane" is not built in'),
    ("lmtp_tls_security_level = fingerprint", "not built in"),
    ("imapd_tls_security_level = on", 'Invalid TLS level "on"'),
    ("pop3d_tls_security_level = yes", 'Invalid TLS level "yes"'),
    ("smtpd_tls_protocols = TLSv1.9", 'invalid protocol name "TLSv1.9"'),
    ("smtp_tls_mandatory_protocols = !SSLv2, >=TLS1.2",
     'invalid protocol name "TLS1.2"'),
    ("smtpd_tls_ciphers = strong", 'invalid cipher grade "strong"'),
    ("smtpd_tls_eecdh_grade = weak", 'invalid EECDH grade "weak"'),
    ("smtpd_tls_loglevel = 7", "log level"),
    ("smtpd_sasl_security_options = noplaintxt", '"noplaintxt"'),
    ("smtpd_sasl_tls_security_options = mutual_auth", "not built in"),
    ("smtp_sasl_security_options = noanonymus", '"noanonymus"'),
    ("auth_mechanisms = plain, cram-md5", '"cram-md5" is not built in'),
    ("auth_mechanisms = plane", '"plane"'),
    ("inet_protocols = ip4",
     'unknown inet_protocols value "ip4" in "ip4"'),
    ("notify_classes = resource, softwar",
     'unknown notify_classes value "softwar" in "resource, softwar"'),
    ("mynetworks_style = net", 'unknown mynetworks_style value "net"'),
    ("masquerade_classes = sender", '"sender"'),
    ("canonical_classes = envelope_sender header", '"header"'),
    ("sender_canonical_classes = envelope_recipient",
     '"envelope_recipient"'),
    ("propagate_unmatched_extensions = cannonical", '"cannonical"'),
    ("mailbox_delivery_lock = lockf", '"lockf"'),
    ("virtual_mailbox_lock = none", '"none"'),
    ("allow_mail_to_commands = aliases", '"aliases"'),
    ("prepend_delivered_header = files", '"files"'),
    ("local_header_rewrite_clients = permit_mynetwork",
     '"permit_mynetwork"'),
    ("smtp_address_preference = ip6", '"ip6"'),
    ("smtp_dns_support_level = dnssec", "not built in"),
    ("smtp_host_lookup = native", "not built in"),
    ("unknown_address_tempfail_action = reject", '"reject"'),
    ("syslog_facility = maillog", '"maillog"'),
    ("header_from_format = new", '"new"'),
    ("smtpd_sasl_type = dovecot", '"dovecot" is not built in'),
    ("smtpd_sasl_type = dovcot", '"dovcot"'),
    ("smtpd_forbid_bare_newline = reject", "not built in"),
    ("tls_ssl_options = NO_TICKETS", '"NO_TICKETS"'),
    ("tls_disable_workarounds = NOTHING", '"NOTHING"'),
    ("smtputf8_autodetect_classes = some", '"some"'),
]
GOOD_WORDS = """\
smtpd_tls_security_level = Encrypt
smtpd_tls_protocols = !SSLv2:!SSLv3, >=TLSv1.2
smtp_tls_mandatory_protocols = >=0303
inet_protocols = ipv4 IPv6
notify_classes =
propagate_unmatched_extensions =
masquerade_classes = envelope_sender,header_sender
mailbox_delivery_lock = flock, dotlock
local_header_rewrite_clients = permit_mynetworks, check_address_map hash:/x
smtpd_discard_ehlo_keywords = silent-discard, dsn, of-the-future
tls_ssl_options = NO_TICKET, 0x00000004
smtpd_tls_security_level =
smtpd_forbid_bare_newline = normalize
syslog_facility = LOCAL5
"""

# Bounds and units.
TAKEN = """\
in_flow_delay = 0
smtp_tls_session_cache_timeout = 0
default_destination_recipient_limit = -1
postscreen_dnsbl_allowlist_threshold = -1
message_size_limit = 99999999999
ipc_timeout = 1hour
maximal_queue_lifetime = 1days
queue_run_delay = +5
default_process_limit = 7
"""
NOT_TAKEN = [
    "ipc_timeout = 0", "ipc_timeout = 1H", "ipc_timeout = 1xx",
    "ipc_timeout = -1", "ipc_timeout = 1 h", "line_length_limit = 0",
    "hopcount_limit = 0x10", "hopcount_limit = 5x", "hopcount_limit =",
    "hopcount_limit = 99999999999", "bounce_queue_lifetime = 101d",
    "maximal_queue_lifetime = fortnight", "soft_bounce = maybe",
    "smtpd_tls_ciphers =",
]


def by_lines():
    for line in ASKED.splitlines():
        name = line.split(" ")[0]
        refused(line + "\n", "ETC/main.cf", f"line {FIRST}", name)
        option = f"2525 inet n - n - - smtpd\n  -o {{ {line} }}\n"
        refused("", "ETC/master.cf, line 1", '"2525"', name, master=option)
    taken(NOT_ASKED)
    for line in NOT_ASKED.splitlines():
        taken("", master=f"2525 inet n - n - - smtpd -o {{ {line} }}\n")


def by_words():
    for line, text in WORDS:
        name = line.split(" ")[0]
        refused(line + "\n", f"line {FIRST}: {name}: ", text)
        refused("", "ETC/master.cf, line 1", '"2525"', name, text,
                master=f"2525 inet n - n - - smtpd -o {{ {line} }}\n")
    for line in GOOD_WORDS.splitlines():
        taken(line + "\n")
    for word in ("verify", "secure", "fingerprint"):
        status, said = command("postfix", "check",
                               main=f"smtpd_tls_security_level = {word}\n")
        judge(status == 0 and said.count('using "encrypt"') == 1,
              f"{word} of a server", said)


def by_bounds():
    for line in TAKEN.splitlines():
        taken(line + "\n")
    for line in NOT_TAKEN:
        refused(line + "\n", f"line {FIRST}: {line.split(' ')[0]}: ")


def by_options():
    for options, text in (
            ("-o smtpd_tls_security_level = encrypt -o soft_bounce=yes",
             "missing '=' after attribute name"),
            ("-o smtpd_tls_security_level", "missing '='"),
            ("-o soft_bounce=yes -o", "option requires an argument"),
            ("-o {smtpd_banner a}", "missing '='"),
            ("-o =x", "missing attribute name"),
            ("-v foo", "unexpected command-line argument: foo")):
        refused("", "line 1", '"2525"', text,
                master=f"2525 inet n - n - - smtpd {options}\n")
    taken("", master="2525 inet n - n - - smtpd -v -osoft_bounce=yes\n"
          "  -o {smtpd_banner = a b} -o { soft_bounce=no }\n"
          "  -o syslog_name=postfix/$service_name -o smtpd_milters=\n"
          "p unix - n n - - pipe flags=R user=nobody argv=/bin/true -o = x\n")
    # What a service's options make of main.cf's value.
    refused("smtpd_milters = $mine\nmine =\n", '"2525"', "smtpd_milters",
            master=MASTER.strip() + " -o mine=inet:127.0.0.1:1\n")
    # A restriction says which.
    for list_, word in (
            ("smtpd_recipient_restrictions", "check_policy_service"),
            ("smtpd_sender_restrictions", "reject_unverified_sender"),
            ("smtpd_client_restrictions", "reject_maps_rbl")):
        refused(f"{list_} = {word} inet:127.0.0.1:1\n", list_,
                f'"{word}" is not built in')
        refused("", '"2525"', list_, f'"{word}" is not built in',
                master=MASTER.strip() + f" -o {list_}={word},permit\n")


def by_sources():
    """Users of the system are no stand-in for others."""
    bare = MAIN[:MAIN.index("auth_sources")]
    sasl = "smtpd_sasl_auth_enable = yes\n"
    taken(sasl, base=bare)
    taken(sasl + "smtpd_sasl_type = veredus\n", base=bare)
    taken("smtpd_sasl_type = cyrus\n", base=bare)
    refused(sasl + "smtpd_sasl_type = cyrus\n", "smtpd_sasl_type",
            "auth_sources", base=bare)
    refused(sasl + "smtpd_sasl_path = smtpd\n", "smtpd_sasl_path",
            "auth_sources", base=bare)
    taken(sasl + "smtpd_sasl_type = cyrus\nauth_sources = shadow\n",
          base=bare)


def certificate(name, host):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
                    "-subj", f"/CN={host}", "-keyout", f"{TOP}/{name}.key",
                    "-out", f"{TOP}/{name}.pem"], check=True,
                   capture_output=True)


def by_host():
    """What the machine must have, and what start would stumble over."""
    for line, text in (
            ("inet_interfaces = no-such-host.invalid", "host not found"),
            ("proxy_interfaces = 192.0.2.1, no.such.invalid",
             "host not found: no.such.invalid"),
            ("mynetworks = 127.0.0.0/8, 300.1.1.1/8", "300.1.1.1/8"),
            ("mynetworks = 127.0.0.1/8", "127.0.0.1/8"),
            ("mynetworks = 127.0.0.0/8 10.0.0.0/99", "10.0.0.0/99"),
            ("permit_mx_backup_networks = 1.2.3.4/99", "1.2.3.4/99"),
            ("smtp_bind_address = foo", "bad address: foo"),
            ("smtp_bind_address6 = 127.0.0.1", "bad address: 127.0.0.1"),
            ("default_privs = no-such-user", "no-such-user"),
            ("setgid_group = no-such-group", "no-such-group"),
            ("mailstore_location = mdbox:~/mail", "mdbox"),
            ("auth_sources = ldap:/x", "ldap:/x"),
            ("default_destination_concurrency_negative_feedback = fast",
             '"fast"')):
        refused(line + "\n", f"line {FIRST}: ", line.split(" ")[0], text)
    for address, text in (("nosuchport", "unknown port: nosuchport"),
                          ("no.such.invalid:2525", "host not found")):
        refused("", "line 1", text,
                master=f"{address} inet n - n - - smtpd\n")
    taken("", master="[127.0.0.1]:2525 inet n - n - - smtpd\n"
          "localhost:smtp inet n - n - - smtpd\n")
    taken("default_destination_concurrency_positive_feedback = "
          "0.5/sqrt_concurrency\nmynetworks = !192.0.2.1 192.0.2.0/24 [::1]"
          " /etc/hosts\n")
    certificate("one", "one.example.com")
    certificate("two", "two.example.com")
    for side in ("smtpd", "imapd", "pop3d", "smtp", "lmtp"):
        prefix = f"{side}_tls"
        good = (f"{prefix}_cert_file = {TOP}/one.pem\n"
                f"{prefix}_key_file = {TOP}/one.key\n")
        taken(good)
        refused(good.replace("one.key", "two.key"), f"{prefix}_cert_file",
                f"{TOP}/one.pem", f"{TOP}/two.key")
        refused(good.replace("one.pem", "gone.pem"), f"{prefix}_cert_file",
                f"{TOP}/gone.pem")
        refused(good.replace("one.pem", "users"), f"{prefix}_cert_file")
        refused(f"{prefix}_chain_files = {TOP}/two.key {TOP}/one.pem\n",
                f"{prefix}_chain_files")
    refused("", '"2525"', "smtpd_tls_cert_file", f"{TOP}/gone.pem",
            master=MASTER.strip()
            + f" -o smtpd_tls_cert_file={TOP}/gone.pem\n")


def by_doubt():
    """What start goes on with, and check warns of."""
    transports = "smtp unix - - n - - smtp\n"
    for main, text in (
            ("virtual_alias_maps = hash:/gone/virtual\n",
             'open /gone/virtual.db: No such file or directory (run '
             '"postmap hash:/gone/virtual")'),
            ("transport_maps = regexp:/gone/t\n", "open /gone/t: No such"),
            ("alias_maps = hash:/gone/aliases\n",
             '(run "postalias hash:/gone/aliases")'),
            ("smtpd_sender_restrictions = check_sender_access "
             "proxy:lmdb:/gone/s\n", '(run "postmap lmdb:/gone/s")'),
            ("default_transport = nope:x\n", 'no transport "nope"'),
            ("mydestination = a.example, $myhostname\n"
             "virtual_mailbox_domains = b.example A.example\n",
             "do not list domain a.example in BOTH mydestination and "
             "virtual_mailbox_domains"),
            ("virtual_alias_domains = a.example\n"
             "relay_domains = a.example\n",
             "do not list domain a.example in BOTH virtual_alias_domains and "
             "relay_domains"),
            ("smtpd_client_port_logging = yes\n", "no effect yet")):
        status, said = command("postfix", "check", main=main,
                               master=MASTER + transports)
        judge(status == 0 and said.count(text) == 1
              and f"ETC/main.cf, line {FIRST + main.count(chr(10)) - 1}: "
              in said, f"doubt {text}", said)


def all_at_once():
    """One run says everything, and each thing once."""
    main = ("content_filter = x:\nhopcount_limit = x\nzork = 1\n"
            "virtual_alias_maps = nope:/x\nnotify_classes = all\n"
            "broken line\n")
    master = ("2525 inet n - n - - smtpd -o smtpd_milters=a -o 1\n"
              "2526 inet n - n - - smtpd -o smtpd_timeout=soon\n"
              "scan unix - - n - - postscreen\n"
              "short inet n\n")
    for action in ("check", "start"):
        status, said = command("postfix", action, main=main, master=master)
        for text in ("content_filter", "hopcount_limit: ", "zork",
                     "dictionary type: nope", "notify_classes: ",
                     "broken line", "smtpd_milters", '"-o 1"',
                     "smtpd_timeout", '"postscreen"', "bad field count"):
            judge(status == 1 and said.count(text) == 1,
                  f"{action} says {text} once", said)


def commands():
    """A bad value stops who uses it."""
    bad = ("smtpd_timeout = soon\nin_flow_delay = x\n"
           "smtp_tls_security_level = x\nnotify_classes = x\n")
    for name, args in (("postconf", ["-h", "myhostname"]),
                       ("postmap", ["-q", "a", f"static:b"]),
                       ("postlog", ["x"])):
        status, said = command(name, *args, main=bad)
        judge(status == 0 and "warning" not in said,
              f"{name} beside bad values", said)
    status, said = command("postqueue", "-p", main=bad)
    judge("smtpd_timeout" not in said and "in_flow" not in said,
          "postqueue beside bad values", said)
    status, said = command("postlog", "x", main="syslog_facility = x\n")
    judge(status == 1 and f"line {FIRST}: syslog_facility: " in said,
          "postlog with a bad value of its own", said)


def running():
    """Start and reload take what check takes, and nothing else."""
    inst = Instance(extra={"smtpd_milters": "inet:127.0.0.1:1"})
    try:
        try:
            inst.start()
            judge(False, "start refuses", "it started")
        except RuntimeError as e:
            judge("smtpd_milters" in str(e) and "main.cf, line" in str(e),
                  "start refuses", str(e))
    finally:
        inst.stop()
    inst = Instance()
    try:
        inst.start()
        with open(inst.etc + "/main.cf", "a") as f:
            f.write("myhostname = new.example.com\n"
                    "smtpd_upstream_proxy_protocol = haproxy\n")
        inst.process.send_signal(signal.SIGHUP)
        end = time.time() + 60
        while "smtpd_upstream_proxy" not in inst.log_text() \
                and time.time() < end:
            time.sleep(0.05)
        judge("smtpd_upstream_proxy" in inst.log_text()
              and "reload -- " not in inst.log_text(),
              "reload refuses", inst.log_text())
    finally:
        inst.stop()


def main():
    try:
        for part in (by_lines, by_words, by_bounds, by_options, by_sources,
                     by_host, by_doubt, all_at_once, commands, running):
            part()
    finally:
        shutil.rmtree(TOP, ignore_errors=True)
    print(f"{PASSED} passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
