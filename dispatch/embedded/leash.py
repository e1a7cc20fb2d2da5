"""Becomes another program that ends when its parent ends, however the parent ends.

Run as a script of its own, before anything of ours can be imported:
`python -I -S leash.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...`; UID and GID are -1 to stay who we are.

It must be a process between `fork` and `exec`: the kernel forgets the wish when the user changes, so the user
changes here first; and a `preexec_fn` may hang a parent that has threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    libc = ctypes.CDLL(None)
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent ended before its child began")
    os.execv(program[0], program)  # noqa: S606 - an argument list from our own code, no shell


if __name__ == "__main__":
    main()
