# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the signals that end a command into one exception, so that every context cleans up. Assumes the
main thread."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal came that ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # The cleanup that follows takes a bounded time: a second Ctrl-C must not cut it short.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    """Python drops an exception in a finalizer or a hook: an interrupt that came there is sent again."""
    if isinstance(what.exc_value, Interrupted):
        number = what.exc_value.number
        signal.signal(signal.SIGALRM, lambda *_: _interrupt(number, None))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(what)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Within it, each of SIGNALS raises Interrupted. A SIGHUP that is ignored, as under nohup, stays so."""
    taken = [each for each in SIGNALS
             if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, _interrupt) for each in taken}
    sys.unraisablehook = _unraisable
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
