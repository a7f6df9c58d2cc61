# SPDX-License-Identifier: ISC
"""A program in a terminal of its own: its screen, its keys, its end."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

LIMIT_S = 20


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(env, TERM="xterm", COLUMNS="100", LINES="40")
            # Before the program looks: some will not open one of size 0.
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack("HHHH", 40, 100, 0, 0))
            os.execvp(argv[0], argv)
        self.seen = b""
        self.status = None

    def read(self, until, seconds=LIMIT_S):
        """Until that was on the screen; None: until the end."""
        end = time.monotonic() + seconds
        while until is None or not re.search(until, self.seen):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"not on the screen: {until}: "
                                     f"{self.seen[-1500:]}")
            try:
                piece = os.read(self.fd, 65536)
            except OSError:     # what a terminal says at the end
                piece = b""
            if not piece:
                assert until is None, (until, self.seen[-1500:])
                return
            self.seen += piece

    def keys(self, text):
        os.write(self.fd, text)

    def end(self):
        try:
            self.read(None)
        finally:
            self.close()
        return os.waitstatus_to_exitcode(self.status)

    def close(self):
        if self.status is not None:
            return
        done, self.status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            time.sleep(0.2)
            done, self.status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
