#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
#
# The same IMAP dialogue with Dovecot and with us, over the same messages:
# what clients depend on (structures, sizes, search results, lists, codes)
# must be equal.  Words of human text may differ.
#
#     test/peer/imap.py [build/asan/imap-test-server]
#
# Without Dovecot in PEER_DOVECOT_ROOT everything is skipped.

import os, re, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from dovecot import PEER, Dovecot, cooked, fill, talk

QUESTIONS = [
    "FETCH 1:* (UID RFC822.SIZE)",
    "FETCH 1:* (FLAGS)",
    "FETCH 1:* (ENVELOPE)",
    "FETCH 1:* (BODY)",
    "FETCH 1:* (BODYSTRUCTURE)",
    "FETCH 1:* (BODY.PEEK[])",
    "FETCH 1:* (BODY.PEEK[HEADER])",
    "FETCH 1:* (BODY.PEEK[TEXT])",
    "FETCH 1:* (BODY.PEEK[]<10.30>)",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT To)])",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS.NOT (Subject)])",
    "FETCH 1:* (BODY.PEEK[1])",
    "FETCH 6:9 (BODY.PEEK[1.MIME])",
    "FETCH 1:* (BODY.PEEK[2])",
    "FETCH 1:* (BODY.PEEK[3.HEADER])",
    "FETCH 1:* (BODY.PEEK[3.1])",
    "FETCH 1:* (BODY.PEEK[3.TEXT])",
    "FETCH 1:* (BODY.PEEK[3.1.HEADER])",
    "FETCH 1:* (BODY.PEEK[2.1])",
    "FETCH 2 RFC822.HEADER",
    "UID FETCH 5:* (INTERNALDATE)",
    "UID FETCH 100:* (UID)",
    "SEARCH ALL",
    "SEARCH SUBJECT plain",
    "SEARCH SUBJECT PLAIN",
    "SEARCH FROM q@y.z",
    "SEARCH TO user",
    "SEARCH BODY body",
    "SEARCH TEXT inner",
    "SEARCH CHARSET UTF-8 SUBJECT {7+}\r\ngr\u00fc\u00dfe",
    "SEARCH BODY K\u00f6ln",
    "SEARCH SENTON 1-Jan-2024",
    "SEARCH SENTBEFORE 2-Jan-2024",
    "SEARCH SENTSINCE 24-Nov-2026",
    "SEARCH LARGER 1000",
    "SEARCH SMALLER 60",
    "SEARCH OR SUBJECT nested SUBJECT caps",
    "SEARCH NOT SUBJECT a",
    "SEARCH HEADER Content-Type html",
    "SEARCH HEADER X-Long \"\"",
    "SEARCH 1:3,5",
    "SEARCH UID 1:3,5 SUBJECT n",
    "UID SEARCH *",
    "SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT n",
    "SEARCH RETURN () SUBJECT nowhere",
    "STORE 1 +FLAGS (\\Seen)",
    "STORE 1 +FLAGS (\\Seen)",
    "STORE 1:2 FLAGS (\\Answered key)",
    "STORE 2 -FLAGS.SILENT (key)",
    "FETCH 1:2 (FLAGS)",
    "FETCH 3 BODY[TEXT]",
    "CREATE a.b",
    "CREATE a.b",
    "CREATE Sent",
    'LIST "" *',
    'LIST "" %',
    'LIST "" a.%',
    'LIST "a." %',
    'LIST "" ""',
    'LIST "" (a.* Sent) RETURN (CHILDREN SPECIAL-USE)',
    'LIST (SUBSCRIBED) "" * RETURN (SUBSCRIBED)',
    "SUBSCRIBE a.b",
    'LSUB "" *',
    'LSUB "" %',
    'LIST (SUBSCRIBED) "" *',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
    "STATUS a.b (MESSAGES RECENT UIDNEXT UNSEEN)",
    "STATUS nowhere (MESSAGES)",
    "SELECT nowhere",
    "SELECT INBOX",
    "COPY 1:2 a.b",
    "COPY 1 nowhere",
    "STATUS a.b (MESSAGES UIDNEXT UNSEEN)",
    "UID COPY 3,5 a.b",
    "MOVE 3 a.b",
    "STORE 1,4 +FLAGS.SILENT (\\Deleted)",
    "UID EXPUNGE 1",
    "EXPUNGE",
    "FETCH 1:3 (UID FLAGS)",
    "RENAME a.b c.d",
    'LIST "" *',
    "DELETE c.d",
    "DELETE c.d",
    "DELETE INBOX",
    "FETCH 99 FLAGS",
    "FETCH 1 (FLAGS",
    "STORE 1 +FLAGS (\\Foo)",
    "SEARCH FOO",
    "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
    "NAMESPACE",
    "CHECK",
    "UNSELECT",
    "FETCH 1 FLAGS",
]


# Where we mean it: a Content-Type without a slash is broken, a value with a
# slash is read whole, a message without Date: was not sent before anything,
# STORE answers also for what was so already, codes say more.
MEANT = [
    r"^\* 12 FETCH \(BODY", r'"type" "text(/html)?"',
    r"^\* SEARCH 2 3 4 5 6", r"^\* SEARCH 18$", r"^\* SEARCH 1 5 7 (12 )?13",
    r"^\* 1 FETCH \(FLAGS \(\\Seen\)\)$",
    r"^a\d+ NO( \[(NONEXISTENT|CANNOT)\])?$",
    r"^\* OK \[(MAILBOXID|HIGHESTMODSEQ)",
    # they answer an empty mailbox between two commas, we leave it out
    r"^\* 5 FETCH \(ENVELOPE",
    # they leave the empty line out where the header has none
    r"^\* 3 FETCH \(BODY\[HEADER.FIELDS.NOT",
    # [2.1] where 2 has no parts
    r"^\* (6|17) FETCH \(BODY\[[23].1\]",
    # [1] of a multipart whose boundary is not there
    r"^\* 1[01] FETCH \(BODY\[1\]",
]


# Messages that are appended to a mailbox of their own, and what is asked of
# them: encodings, NULs, repeated fields; blanks, numbers, depth.
APPENDED = [
    "Subject: a\r\n\r\nx\0y\r\nbare\rcr\r\n",
    "Subject: b\r\nContent-Transfer-Encoding: base64\r\n\r\nAGEKYg==\r\n",
    "Subject: c\r\nContent-Transfer-Encoding: x-what\r\n\r\nbody\r\n",
    "Subject: d\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b\r\n"
    "X: y\r\ncontent-transfer-encoding: quoted-printable\r\n\r\nq=3Dp\r\n"
    "--b--\r\nepilogue\r\n",
    "Subject: e\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    "Content-Transfer-Encoding: x-q\r\n\r\naGVsbG8=\r\n--b\r\n\r\nplain"
    "\r\n--b--\r\n",
    "From: \"Smith, John\" <js@ex.com>\r\n"
    "To: =?utf-8?q?J=C3=B6rg?= <joe@ex.com> (note), G: a@b.c, d@e.f;, \r\n"
    "Cc: <@r,@s:me@there.org>\r\nTo: second@x.y\r\nSubject: f\r\n\r\n"
    "body\r\n",
    "From: a@b.c\r\nSender: x@y.z\r\nSender: v@w.x\r\nReply-To: one@a.b"
    "\r\nReply-To: two@a.b\r\nBcc: u@v.w\r\nBcc: (nobody)\r\nBcc: z@z.z"
    "\r\n" + "".join(f"To: u{i}@x.org\r\n" for i in range(3000))
    + "Subject: many\r\n\r\nbody\r\n",
    "Subject: in\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n",
]

MORE = (
    ["FETCH %d %s" % (n, item) for n in range(1, 9) for item in (
        "ENVELOPE", "BODY.PEEK[]", "BODY.PEEK[1]", "BODY.PEEK[]<3.30>",
        "BINARY.PEEK[]", "BINARY.SIZE[]", "BINARY.PEEK[1]", "BINARY.SIZE[1]",
        "BINARY.PEEK[2]", "BINARY.PEEK[]<3.30>", "BINARY.PEEK[9]",
        "BINARY.SIZE[9]", "RFC822.SIZE")]
    + ["SEARCH %s %s" % (field, text) for field in ("FROM", "TO", "CC")
       for text in ('"Smith, John"', "js@ex.com", '"John <js"', '"\\"Smith"',
                    '"<js@ex.com>"', '"\\"Smith, John\\" <js@ex.com>"',
                    '"Smith, John <js@ex.com>"', "note", '"G:"', "second",
                    "@r", '"@s:me"', '""', "u2999@x.org")]
    + [
        "SEARCH HEADER To note",
        "FETCH 3 (UID BINARY.PEEK[1] FLAGS)",
        "FETCH 1:5 (BINARY.SIZE[1])",
        "FETCH 4 (BINARY.PEEK[1] BINARY.PEEK[2] BINARY.SIZE[2])",
        "FETCH 4294967295 (UID)", "UID FETCH 4294967295 (UID)",
        "UID FETCH 4294967295:* (UID)", "UID FETCH *:4294967295 (UID)",
        "SEARCH 4294967295", "SEARCH UID 4294967295",
        "UID SEARCH UID 1:4294967295 UID *", "FETCH 1:4294967295 (UID)",
        "FETCH 0 (UID)", "UID FETCH 4294967296 (UID)",
        "FETCH 2:1,1:3,2,5:4 (UID)",
        "SEARCH  ALL", "SEARCH SUBJECT  a", "FETCH  1  ( UID  FLAGS )",
        "FETCH 1 ( UID)", "UID FETCH  1 (UID)",
        "STORE 1  +FLAGS  ( \\Seen  \\Flagged )", "LIST  \"\"  *",
        "STATUS  x.y  ( MESSAGES  UIDNEXT )", "NOOP ",
        " NOOP", "UID  SEARCH ALL", "CREATE  x1", "COPY 1  x1",
        "FETCH 1 (BODY.PEEK[HEADER.FIELDS  ( Subject  To )])",
        "FETCH 1 (BODY.PEEK[ ])", "SEARCH NOT  ALL",
        "SEARCH OR  SEEN  UNSEEN", "SEARCH ( ALL )",
        "SEARCH (SEEN  UNSEEN)", "SEARCH RETURN  ( MIN  MAX )  ALL",
        "LIST (SUBSCRIBED  RECURSIVEMATCH) \"\" *",
        "SEARCH " + "NOT " * 200 + "ALL", "SEARCH " + "NOT " * 201 + "ALL",
        "SEARCH " + "OR DELETED " * 200 + "SEEN",
        "SEARCH " + "(" * 200 + "SEEN" + ")" * 200,
        "SEARCH OR (SUBJECT b SEEN) OR NOT UNSEEN (NOT SUBJECT a NOT "
        "SUBJECT many)",
        "CREATE p.q.r", "SUBSCRIBE p.q.r",
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" p',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" *',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" p.%',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" (p p.q p.q.r)',
        "ENABLE  CONDSTORE",
        "STORE 2 +FLAGS.SILENT (\\Answered)",
        "STORE 7 +FLAGS.SILENT (\\Answered)",
    ])

MEANT_MORE = [
    # a part that is not there is empty either way
    r"^a\d+ NO( \[(NONEXISTENT|CANNOT)\])?$",
    r"^\* OK \[(MAILBOXID|HIGHESTMODSEQ)", r"^\* ENABLED",
]


def same(theirs, ours, question, meant):
    """Whether both answer alike; says how not."""
    question = question.encode().decode("latin-1")
    want, got = cooked(theirs.ask(question)), cooked(ours.ask(question))
    want, got = ([l for l in ls if not any(
        re.search(m, l) for m in meant)] for ls in (want, got))
    if want == got:
        return True
    print("--- %s" % question)
    for w in want:
        if w not in got:
            print("  theirs: %s" % w[:600])
    for g in got:
        if g not in want:
            print("  ours:   %s" % g[:600])
    if set(want) == set(got):
        print("  order: %r\n         %r" % (want, got))
    return False


def more(theirs, ours):
    """The questions of MORE; how many were answered alike, and not."""
    for r in (theirs, ours):
        r.ok("CREATE more")
        for text in APPENDED:
            r.ok("APPEND more ~{%d+}\r\n%s" % (len(text), text))
        r.ok("SELECT more")
    results = [same(theirs, ours, q, MEANT_MORE) for q in MORE]
    return results.count(True), results.count(False)


def state(r, boxes):
    """All that a client keeps of these mailboxes."""
    out = []
    for box in boxes:
        lines = r.ok("EXAMINE " + box)
        out.append((box, re.search(r"UIDVALIDITY (\d+)",
                                   "".join(lines))[1]))
        # what the two ways of listing flags have in common
        for line in r.ok("FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)"):
            m = re.match(r"\* (\d+) FETCH \(UID (\d+) FLAGS \((.*?)\) (.*)\)",
                         line)
            if m:
                flags = sorted(set(m[3].split()) - {"\\Recent"})
                out.append((m[1], m[2], flags,
                            re.sub(r'" (\d)-', r'"0\1-', m[4])))
    return out


def take_over(peer):
    """A Maildir of Dovecot's is served with the same UIDs and flags, and
    Dovecot reads it again afterwards."""
    boxes = ["INBOX", "here.there"]
    theirs = peer.raw()
    theirs.ok("CREATE here.there")
    theirs.ok("SUBSCRIBE here.there")
    theirs.ok("SELECT INBOX")
    theirs.ok("STORE 2:4 +FLAGS (\\Flagged $Forwarded Junk)")
    theirs.ok("COPY 2:8 here.there")
    theirs.ok("STORE 1 +FLAGS (\\Deleted)")
    theirs.ok("EXPUNGE")
    theirs.ok("UNSELECT")
    before = state(theirs, boxes)
    theirs.ok("LOGOUT")
    place = talk.Place(prepare=lambda path: shutil.copytree(
        peer.path("root"), path, copy_function=shutil.copy2))
    with place:
        ours = place.raw()
        talk.equal(state(ours, boxes), before)
        talk.has(ours.ok('LSUB "" *'), "here.there")
        ours.ok("SELECT INBOX")
        ours.ok("STORE 1 +FLAGS (\\Answered Junk Later)")
        ours.ok("UNSELECT")
        ours.ok("SUBSCRIBE INBOX")
        after = state(ours, ["INBOX"])
        # and back
        shutil.rmtree(peer.path("root"))
        shutil.copytree(place.path, peer.path("root"),
                        copy_function=shutil.copy2)
        peer.own("root")
        theirs = peer.raw()
        talk.equal(state(theirs, ["INBOX"]), after)
        talk.has(theirs.ok('LSUB "" *'), "INBOX")


def main():
    if len(sys.argv) > 1:
        talk.SERVER = sys.argv[1]
    try:
        if not os.path.exists(PEER + "/usr/sbin/dovecot"):
            raise talk.Skip("no dovecot")
        peer = Dovecot()
    except talk.Skip as s:
        print("skipped: %s" % s)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    try:
        fill(peer.path("root"))
        peer.own("root")
        with talk.Place(prepare=fill) as place:
            theirs, ours = peer.raw(), place.raw()
            for q in ["SELECT INBOX"] + QUESTIONS:
                alike = same(theirs, ours, q, MEANT)
                passed, failed = passed + alike, failed + (not alike)
            alike, not_alike = more(theirs, ours)
            passed, failed = passed + alike, failed + not_alike
        try:
            take_over(peer)
            passed += 1
        except AssertionError as e:
            print("--- take_over: %s" % e)
            failed += 1
    finally:
        peer.stop()
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
