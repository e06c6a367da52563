"""Make what is to be measured, measure it, and print the table as Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import scene
from tests.benchmarks.scene import Environment
from tests.benchmarks.timing import BASE, Case, Timings, measure

SIZES = (10, 110, 480)
MANY = 5_000
HISTORIES = (100, 1_000, 10_000)
LINES = 300
_SCAN = """
import json, sys, time
from gitsnap import scan
times = []
for _ in range(int(sys.argv[3])):
    begin = time.process_time()
    scan.freeze([sys.argv[1]], sys.version_info[:2], sys.argv[2])
    times.append(time.process_time() - begin)
print(json.dumps(times))
"""
_PYMODAQ = "from pymodaq_utils.environment import EnvironmentBackupManager as M; M().save_backup()"


@dataclass(frozen=True)
class Scene:
    """Everything that is measured."""

    variables: Mapping[str, str]
    tool: Environment
    sized: Mapping[int, Environment]
    aged: Mapping[int, Environment]
    pymodaq: Environment | None
    bytes_packed: float
    bytes_plain: float

    def gitsnap(self, environment: Environment, *verb: str) -> list[str]:
        """Return the command that runs *verb* on *environment*; without a verb the hook's."""
        program = self.tool.program("gitsnap" if verb else "gitsnap-hook")
        return [program, "--python", environment.python, *verb]


def main() -> int:
    """Run the benchmarks; the only answer on stdout is the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how many (default: 20)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="gitsnap-benchmarks-") as folder:
        made = prepare(Path(folder))
        timings = measure(cases(made), rounds, made.variables)
        verify(made, Path(folder), rounds)
        scans = {count: scan(made, count, rounds) for count in (*SIZES[1:], MANY)}
    print(table(made, timings, scans))
    print(f"\n{orientation(timings, rounds)}")
    return 0


def prepare(folder: Path) -> Scene:
    """Make the environments, the histories and the tools in *folder*."""
    variables = scene.variables(folder / "home")
    say("installing gitsnap")
    tool = scene.install_gitsnap(folder / "tool")
    say(f"making environments of {', '.join(map(str, SIZES))} distributions")
    sized = {count: scene.make_environment(folder / f"env{count}", count, pip=True) for count in SIZES}
    sized[MANY] = scene.make_environment(folder / "many", MANY)
    aged = {count: scene.make_environment(folder / f"history{count}", LINES) for count in HISTORIES}
    # The environment that saves are timed on has reached its limit too, as any has after a while.
    for environment, count in ((sized[SIZES[1]], HISTORIES[0]), *zip(aged.values(), aged, strict=True)):
        say(f"making a history of {count:,} snapshots")
        save = [tool.program("gitsnap"), "--python", environment.python, "save"]
        subprocess.run(save, env=variables, stdout=subprocess.DEVNULL, check=True)
        scene.make_history(environment, _repository(folder, environment), count, variables)
    say("installing pymodaq_utils")
    pymodaq = scene.install_pymodaq(folder / "pymodaq", SIZES[1])
    if pymodaq is None:
        say("pymodaq_utils cannot be installed here; it is left out")
    repository = _repository(folder, aged[HISTORIES[1]])
    packed = scene.size(repository / ".git" / "objects") / HISTORIES[1]
    plain = (repository / "current.txt").stat().st_size
    return Scene(variables, tool, sized, aged, pymodaq, packed, plain)


def _repository(folder: Path, environment: Environment) -> Path:
    return folder / "home" / "repositories" / environment.prefix.name


def verify(made: Scene, folder: Path, rounds: int) -> None:
    """See that every save was a commit: a hook that fails is fast, and exits 0 too."""
    expected = {made.sized[SIZES[1]]: HISTORIES[0] + 2 * (rounds + 1)}
    expected |= {environment: count + rounds + 1 for count, environment in made.aged.items()}
    if os.name != "nt":
        # The push of one snapshot saves it first.
        expected[made.aged[HISTORIES[1]]] += rounds + 1
    for environment, count in expected.items():
        command = ["git", "-C", str(_repository(folder, environment)), "rev-list", "--count", "main"]
        found = int(subprocess.run(command, env=made.variables, capture_output=True, check=True).stdout)
        if found != count:
            raise SystemExit(
                f"{environment.prefix.name} has {found} snapshots, not {count}: nothing is shown"
            )


def cases(made: Scene) -> list[Case]:
    """Return what is timed, in the order of a round: what is as short as the base runs beside it."""
    middle = made.sized[SIZES[1]]
    found = [
        Case(BASE, [made.tool.python, "-I", "-c", "pass"]),
        *(Case(f"hook {count}", made.gitsnap(made.sized[count])) for count in SIZES),
        Case("hook changed", made.gitsnap(middle), middle.change),
        Case("save changed", made.gitsnap(middle, "save"), middle.change),
        Case("save unchanged", made.gitsnap(middle, "save")),
        *(Case(f"pip {count}", [made.sized[count].python, "-m", "pip", "freeze"]) for count in SIZES),
    ]
    for count, environment in made.aged.items():
        found += [
            Case(f"save at {count}", made.gitsnap(environment, "save"), environment.change),
            Case(f"log at {count}", made.gitsnap(environment, "log", "-n", "25")),
            Case(f"status at {count}", made.gitsnap(environment, "status")),
        ]
    if made.pymodaq:
        command = [made.pymodaq.python, "-c", _PYMODAQ]
        found += [Case("pymodaq changed", command, made.pymodaq.change), Case("pymodaq unchanged", command)]
    return found + (_pushes(made) if os.name != "nt" else [])


def _pushes(made: Scene) -> list[Case]:
    """Return the push of a whole history to an empty repository, and of one snapshot."""
    environment = made.aged[HISTORIES[1]]
    remote = environment.prefix.parent / "remote.git"
    program = made.tool.program("gitsnap")
    push = ["env", f"GITSNAP_REMOTE_URL={remote}", program, "push", "--env", environment.prefix.name]

    def empty() -> None:
        shutil.rmtree(remote, ignore_errors=True)
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], env=made.variables, check=True)

    def save() -> None:
        environment.change()
        command = made.gitsnap(environment, "save")
        subprocess.run(command, env=made.variables, stdout=subprocess.DEVNULL, check=True)

    return [Case("first push", push, empty), Case("push of one", push, save)]


def scan(made: Scene, count: int, rounds: int) -> float:
    """Return the median milliseconds of processor time of a scan, in one process."""
    environment = made.sized[count]
    command = [
        made.tool.python,
        "-I",
        "-c",
        _SCAN,
        str(environment.site),
        str(environment.prefix),
        str(rounds),
    ]
    answer = subprocess.run(command, env=made.variables, capture_output=True, check=True).stdout
    times: list[float] = json.loads(answer)
    return 1000 * statistics.median(times)


def table(made: Scene, timings: Timings, scans: Mapping[int, float]) -> str:
    """Return the table: what is promised, what was measured, and what there was before."""
    rows = [
        _row("work", "goal", "measured", "processor time", "`pip freeze`", "pymodaq_utils"),
        _row("---", *["--:"] * 5),
    ]
    for count, goal in zip(SIZES, (1.25, 1.25, 1.5), strict=True):
        others = [f"pip {count}", *(["pymodaq unchanged"] if count == SIZES[1] else [])]
        rows.append(
            _timed(timings, f"hook, nothing changed, {count} distributions", goal, f"hook {count}", others)
        )
    middle = [f"pip {SIZES[1]}", "pymodaq changed"]
    unchanged = [f"pip {SIZES[1]}", "pymodaq unchanged"]
    rows += [
        _timed(timings, "hook with a change, up to the commit", 15, "hook changed", middle),
        _timed(timings, "`gitsnap save` with a change", 20, "save changed", middle),
        _timed(timings, "`gitsnap save`, nothing changed", None, "save unchanged", unchanged),
    ]
    oldest, newest = HISTORIES[0], HISTORIES[-1]
    for verb, name in (
        ("`gitsnap save` with a change", "save"),
        ("`log -n 25`", "log"),
        ("`status`", "status"),
    ):
        for count in HISTORIES:
            rows.append(
                _timed(timings, f"{verb}, {count:,} snapshots of {LINES}", None, f"{name} at {count}")
            )
        pair = f"{name} at {newest}", f"{name} at {oldest}"
        both = _shown(timings.ratio(*pair), 1.1), _shown(timings.cpu_ratio(*pair))
        rows.append(_row(f"{verb}, {newest:,} against {oldest:,}", "≤ 1.1", *both))
    if "first push" in timings.wall:
        rows += [
            _timed(timings, f"first push of {HISTORIES[1]:,} snapshots to a folder", None, "first push"),
            _timed(timings, "push of one snapshot to a folder", None, "push of one"),
        ]
    for count, limit in ((SIZES[1], 3), (SIZES[2], 20), (MANY, None)):
        promised = f"≤ {limit} ms" if limit else ""
        rows.append(
            _row(
                f"scan, in process, {count:,} distributions", promised, "", _shown(scans[count], limit, " ms")
            )
        )
    space = f"bytes a snapshot of {LINES} distributions, packed; a plain file has {made.bytes_plain:,.0f}"
    rows.append(
        _row(space, "≤ 600", f"{made.bytes_packed:.0f}" + (" (missed)" if made.bytes_packed > 600 else ""))
    )
    return "\n".join(rows)


def _timed(
    timings: Timings, work: str, goal: float | None, name: str, others: list[str] | None = None
) -> str:
    """Return the row of one case, beside what others need for the same."""
    beside = [_shown(timings.ratio(other)) if other in timings.wall else "" for other in others or []]
    promised = f"≤ {goal:g}" if goal else ""
    return _row(work, promised, _shown(timings.ratio(name), goal), _shown(timings.cpu_ratio(name)), *beside)


def _shown(value: float | None, goal: float | None = None, unit: str = "") -> str:
    if value is None:
        return ""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}{unit}" + (" (missed)" if goal and value > goal else "")


def _row(*cells: str) -> str:
    return "| " + " | ".join([*cells, *[""] * (6 - len(cells))]) + " |"


def orientation(timings: Timings, rounds: int) -> str:
    """Return what the figures are ratios of."""
    milliseconds = 1000 * statistics.median(timings.wall[BASE])
    return (
        f"Ratios to `{BASE}` ({milliseconds:.0f} ms here), medians of {rounds} rounds; "
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors."
    )


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
