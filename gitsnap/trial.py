"""A trial: a command runs as a child until it has shown that it works; signals, terminal and status pass through."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

PATIENCE = 20.0
"""A command that is still alive after so many seconds works."""
_FAILED = 1
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGTSTP", "SIGALRM", "SIGWINCH")
_FROM_THE_KEYBOARD = ("SIGINT", "SIGQUIT")


class _Verdict:
    """Says once that the command works: after a while, or when it ends well before."""

    def __init__(self, well: Callable[[], None]) -> None:
        """Begin to wait."""
        self._well = well
        self._once = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._say)
        self._timer.daemon = True
        self._timer.start()

    def ended(self, *, well: bool) -> None:
        """Take note of the command's end; returns when all is said."""
        self._timer.cancel()
        if well:
            self._say()
        with self._once:
            pass

    def _say(self) -> None:
        with self._once, contextlib.suppress(Exception):
            well, self._well = self._well, lambda: None
            well()


def run(become: Callable[[], int], well: Callable[[], None]) -> int:
    """Let a child *become* the command; return its exit status, or end by the signal that it ended by.

    *well* is called when the command ends with 0, or is still alive after a while.
    """
    if sys.platform == "win32":
        # There the command is a child in any case.
        verdict = _Verdict(well)
        status = become()
        verdict.ended(well=status == 0)
        return status
    return _fork(become, well)


if sys.platform != "win32":

    def _fork(become: Callable[[], int], well: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            status = _FAILED
            with contextlib.suppress(BaseException):
                # It comes back only where the command could not be started.
                status = become()
            os._exit(status)
        _pass_signals_on(child)
        verdict = _Verdict(well)
        status = _wait(child)
        verdict.ended(well=status == 0)
        if os.WIFSIGNALED(status):
            _end_by(os.WTERMSIG(status))
        return os.waitstatus_to_exitcode(status) & 0xFF

    def _pass_signals_on(child: int) -> None:
        """Hand signals to *child*; the terminal sends its own to both of us, and they are left to it."""

        def pass_on(number: int, _frame: FrameType | None) -> None:
            with contextlib.suppress(OSError):
                os.kill(child, number)

        def leave(number: int, frame: FrameType | None) -> None:
            if not _is_in_the_foreground():
                pass_on(number, frame)

        for name in _PASSED_ON + _FROM_THE_KEYBOARD:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, leave if name in _FROM_THE_KEYBOARD else pass_on)

    def _is_in_the_foreground() -> bool:
        try:
            terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:
            return False
        finally:
            os.close(terminal)

    def _wait(child: int) -> int:
        """Wait for *child*; when it is stopped, stop too, so that the shell sees it, and go on with it."""
        while True:
            _, status = os.waitpid(child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                return status
            os.kill(os.getpid(), signal.SIGSTOP)
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGCONT)

    def _end_by(number: int) -> None:
        """End by the signal *number*, as the command did; the core, if it left one, stays its own."""
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
