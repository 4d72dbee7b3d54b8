"""Runs a command in a terminal of its own and types at its question.

    terminal.py WAIT_FOR KEYS COMMAND...

Types KEYS (backslash escapes as in Python) once WAIT_FOR was shown, and says as JSON how it ended: exit code or signal,
what was shown, and whether the terminal is as it was. Standard library only.
"""

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios

wait_for, keys, *command = sys.argv[1:]
keys = keys.encode().decode("unicode_escape").encode()

master, terminal = pty.openpty()
before = termios.tcgetattr(terminal)


def take_over_the_terminal():
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


child = subprocess.Popen(
    command, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_over_the_terminal
)
shown = b""
typed = False
while True:
    readable, _, _ = select.select([master], [], [], 0.05)
    if readable:
        shown += os.read(master, 65536)
    elif child.poll() is not None:
        break
    if not typed and wait_for.encode() in shown:
        os.write(master, keys)
        typed = True
code = child.returncode
after = termios.tcgetattr(terminal)
json.dump(
    {
        "code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "typed": typed,
        "shown": shown.decode(),
        "as_before": before == after,
    },
    sys.stdout,
)
