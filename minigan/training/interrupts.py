"""Ctrl-C between steps, never inside one: half a step cannot be resumed."""

import signal
import threading
from contextlib import contextmanager

# What these signals do unless someone has said otherwise; another's handler stays where it is.
USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextmanager
def interrupts_noted():
    """Note Ctrl-C (SIGINT) and a polite kill (SIGTERM) instead of stopping at once.

    KeyboardInterrupt is raised at the end of the ``with`` block, or at once by a second signal. Outside the main
    thread nothing changes: Python allows no handlers there.

    Yields
    ------
    callable () -> bool
        Whether one has arrived.
    """
    arrived = []

    def note(signum, frame):
        if arrived:
            raise KeyboardInterrupt
        arrived.append(signum)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    ours = [signum for signum, usual in USUAL.items() if signal.getsignal(signum) is usual]
    for signum in ours:
        signal.signal(signum, note)
    try:
        yield lambda: bool(arrived)
    finally:
        for signum in ours:
            signal.signal(signum, USUAL[signum])
    if arrived:
        raise KeyboardInterrupt
