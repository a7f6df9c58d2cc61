#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Delivery over LMTP: the default of lmtp_connect_timeout, 0, is no limit
rather than no time at all."""
import smtplib
import sys

import harness


def main():
    sink = harness.Sink()
    v = harness.Instance(extra={
        "transport_maps": f"static:lmtp:inet:[127.0.0.1]:{sink.port}"})
    v.start()
    try:
        with smtplib.SMTP("127.0.0.1", v.smtp_port) as s:
            s.sendmail("a@example.com", ["b@example.com"],
                       "Subject: x\r\n\r\nx\r\n")
        v.wait_log(r"postfix/lmtp\[\d+\]: \S+: to=<b@example.com>, "
                   r"relay=.* status=sent")
        good = len(sink.messages) == 1
    except AssertionError as e:
        print(e)
        good = False
    finally:
        v.stop()
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
