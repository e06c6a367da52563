"""Run whole processes in turn and compare them round by round, so that a busy machine disturbs all alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

BASE = "python -I -c pass"


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    """One command to time; what *prepare* does before each run is not timed."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], None] = _nothing


@dataclass
class Timings:
    """Seconds of every run of every case, in the order of the rounds."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, name: str, base: str = BASE) -> float:
        """Return the median, over the rounds, of the time of *name* to that of *base*."""
        return _ratio(self.wall[name], self.wall[base])

    def cpu_ratio(self, name: str, base: str = BASE) -> float | None:
        """Return the same of processor time, children included; None where the system does not tell it."""
        return _ratio(self.cpu[name], self.cpu[base]) if all(self.cpu[base]) else None


def _ratio(times: Sequence[float], base: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(times, base, strict=True))


def measure(cases: Sequence[Case], rounds: int, variables: Mapping[str, str]) -> Timings:
    """Run every case once to warm it, then all in turn *rounds* times. Raises CalledProcessError."""
    timings = Timings({case.name: [] for case in cases}, {case.name: [] for case in cases})
    for turn in range(rounds + 1):
        print(f"\rround {turn} of {rounds}", end="", file=sys.stderr, flush=True)
        for case in cases:
            case.prepare()
            wall, cpu = _run(case.command, variables)
            if turn:
                timings.wall[case.name].append(wall)
                timings.cpu[case.name].append(cpu)
    print(file=sys.stderr)
    return timings


def _run(command: Sequence[str], variables: Mapping[str, str]) -> tuple[float, float]:
    cpu, wall = _cpu(), time.perf_counter()
    subprocess.run(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, check=True,
    )  # fmt: skip
    return time.perf_counter() - wall, _cpu() - cpu


if sys.platform == "win32":

    def _cpu() -> float:
        return 0.0

else:

    def _cpu() -> float:
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
