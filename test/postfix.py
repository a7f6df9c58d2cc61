# SPDX-License-Identifier: ISC
"""Postfix beside us: which version it is, and what later ones do otherwise
than 3.7, which is what ours is compared with.

A line of a table begins with the first version that it is about and ends with
the reason, unless that is being new; the release notes have most of them.  With
3.7 itself none of the lines does anything.
"""
import functools
import os
import re
import subprocess

from harness import peer_libraries

MODEL = "3.7.11"        # whose mail_version we say

# Defaults: name, the later value (None: whatever it shows), and the value
# that the peer is given where sessions would differ.
DEFAULTS = (
    ((3, 8), "mail_release_date", None, None, "another release"),
    ((3, 8), "tls_eecdh_auto_curves",
     "X25519 X448 prime256v1 secp384r1 secp521r1",
     "X25519 X448 prime256v1 secp521r1 secp384r1", "the slowest comes last"),
    ((3, 8), "tls_export_cipherlist", "", None, "OpenSSL has none"),
    ((3, 8), "tls_low_cipherlist", "", None, "OpenSSL has none"),
    ((3, 8), "tls_medium_cipherlist",
     "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH"
     ":!aDSS:!MD5:+RC4:@STRENGTH",
     "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH", "without obsolete ciphers"),
    ((3, 8), "tls_high_cipherlist",
     "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS"
     ":!MD5:@STRENGTH",
     "aNULL:-aNULL:HIGH:@STRENGTH", "without obsolete ciphers"),
    ((3, 8), "tls_null_cipherlist", "eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL",
     "eNULL:!aNULL", "without obsolete ciphers"),
    ((3, 9), "smtpd_forbid_bare_newline", "normalize", "no",
     "smuggled mail is stopped without a setting"),
    ((3, 9), "smtpd_forbid_unauth_pipelining", "yes", "no",
     "who speaks out of turn is cut off without a setting"),
    ((3, 9), "smtp_tls_dane_insecure_mx_policy", "dane", None,
     "no longer depends on the security level"),
    ((3, 9), "tlsproxy_client_policy_maps", None, None,
     "the older form was a mistake"),
    ((3, 9), "tlsproxy_client_security_level", None, None,
     "the older form was a mistake"),
    ((3, 10), "milter_default_action", "shutdown", None,
     "a filter that is away ends the session"),
)

# Parameters that are new; restrictions and options that one of the two does
# not have.
PARAMETERS = (
    ((3, 8), r"(use|ignore|allow)_srv_lookup(_error|_fallback)?"
             r"|smtpd_client_ipv[46]_prefix_length|tls_ffdhe_auto_groups"),
    ((3, 9), r"(smtp|lmtp|smtpd|tlsproxy)_tls_enable_rpk"
             r"|(smtp|lmtp)_sasl_password_result_delimiter"
             r"|force_mime_input_conversion|maillog_file_permissions"),
    ((3, 10), r"(smtp|lmtp)_(tlsrpt_\w+|tls_enforce_sts_mx_patterns)"
              r"|full_name_encoding_charset|smtpd_hide_client_session"
              r"|socketmap_max_reply_size|tls_required_enable"),
)
WITHOUT = (
    ((3, 9), r"permit_naked_ip_address", "removed"),
    ((3, 9), r"^postconf( \S+)* -\w*q", "new: no warnings"),
)

# What it says, and what 3.7 says there (None: nothing).
WORDS = (
    ((3, 9), r"214 2\.0\.0 Commands: .*",
     "500 5.5.2 Error: command not recognized", "HELP is new"),
    ((3, 9), r".* support for restriction \"permit_mx_backup\" will be "
             r"removed from Postfix; .*\n", None, "deprecated"),
    ((3, 10), r".*: #comment after other text is not allowed: .*\n?", None,
     "new"),
    ((3, 9), r"(?<=warning: )\S+/(main\.cf: (missing|syntax error after) "
             r"'\}' in )", r"\1", "the whole path is new"),
    ((3, 10), r"(?<=\]: )(?:NOQUEUE|\w+): (?=(?:lost connection|timeout"
              r"|too many errors) after )", "",
     "the end of a session has the queue id"),
    ((3, 10), r"(?<=Invalid authentication mechanism): '\w+'", "",
     "the mechanism's name is new"),
    ((3, 10), r"( reject: .*) sasl_method=\S+ sasl_username=\S+$", r"\1",
     "who had logged in is new"),
    ((3, 10), r"(?<=key-exchange )x25519\b", "X25519", "OpenSSL's name"),
    ((3, 10), r"(?<=key-exchange )x448\b", "X448", "OpenSSL's name"),
    ((3, 10), r"(?<=key-exchange )secp256r1\b", "ECDHE (prime256v1)",
     "OpenSSL's name"),
    ((3, 10), r"(?<=key-exchange )(secp(?:384|521)r1)\b", r"ECDHE (\1)",
     "OpenSSL's name"),
    ((3, 10), r"(to=<(\w+)@.* \()recipient nesting limit exceeded\)",
     r"\1alias database loop for \2)", "aliases in a circle, other words"),
    ((3, 10), r".*: warning: unsupported dictionary type: .*\n?", None,
     "comes before the error"),
    ((3, 10), r"unsupported map type: (?=\w+$)",
     "unsupported dictionary type: ", "other words"),
    ((3, 10), r"no 'map create' support for this type: (\w+)$",
     r"unsupported dictionary type: \1 does not support bulk-mode creation.",
     "other words"),
    ((3, 10), r".*: text after null byte may be ignored$\n?", None, "new"),
    ((3, 10), r"(?<=name must be local) and have no domain$", "",
     "other words"),
)


@functools.cache
def mail_version(root):
    """The unpacked Postfix' own word; "" where there is none."""
    program = root + "/usr/sbin/postconf"
    if not os.path.exists(program):
        return ""
    env = {"LD_LIBRARY_PATH": peer_libraries(root), "PATH": "/usr/bin:/bin",
           "MAIL_CONFIG": "/nonexistent"}
    return subprocess.run([program, "-dh", "mail_version"], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout.strip()


@functools.cache
def version(root):
    """(3, 7) or later."""
    m = re.match(r"(\d+)\.(\d+)", mail_version(root))
    return (int(m[1]), int(m[2])) if m else (0, 0)


def of(root, table):
    """The table's lines that are about this Postfix."""
    return [line[1:] for line in table if line[0] <= version(root)]


def has(root, text):
    """Whether it and 3.7 have all that the text names."""
    return not any(re.search(name, text) for name, _ in of(root, WITHOUT))


def settings(root):
    """Lines of main.cf with which sessions are as with 3.7's defaults."""
    return "".join(f"{name} = {old}\n"
                   for name, _, old, _ in of(root, DEFAULTS) if old)


def as_model(root, text):
    """What 3.7 would have said."""
    for pattern, by, _ in of(root, WORDS):
        text = re.sub(pattern, by or "", text, flags=re.M)
    if version(root) > (3, 7):
        text = text.replace(mail_version(root), MODEL)
    return text


def listings(root, theirs, ours):
    """The lines of two listings of parameters, without those that 3.7 does
    not have and those that show a later default."""
    unknown = re.compile("|".join(x for x, in of(root, PARAMETERS)) or "(?!)")
    later = {name: value for name, value, _, _ in of(root, DEFAULTS)}
    out = {name for name, value in map(named, entries(theirs))
           if unknown.fullmatch(name)
           or name in later and later[name] in (None, value)}
    return [[line for entry in entries(lines) if named(entry)[0] not in out
             for line in entry] for lines in (theirs, ours)]


def entries(lines):
    """Each parameter's lines; a long value goes on with a blank."""
    found = []
    for line in lines:
        if line[:1].isspace() and found:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def named(entry):
    name, _, value = " ".join(" ".join(entry).split()).partition(" =")
    return name, value.strip()
