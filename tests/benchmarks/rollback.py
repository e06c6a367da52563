"""How long a rollback of one package takes: `python -m tests.benchmarks.rollback` from a checkout.

The goal: within 1.5 times what `uv pip install` of that package and two freezes take, everything cached.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks import scene
from tests.benchmarks.timing import Case, measure
from tests.wheels import wheel

COUNT = 110


def main() -> int:
    """Measure in turn and print one row of Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rollback", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how many (default: 20)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="gitsnap-benchmarks-") as name:
        folder = Path(name)
        variables = scene.variables(folder / "home")
        tool = scene.install_gitsnap(folder / "tool")
        subprocess.run([tool.python, "-m", "pip", "-q", "install", "uv"], env=scene.installing(), check=True)
        lab = scene.make_environment(folder / "lab", COUNT, pip=True)
        for version in ("1.0", "2.0"):
            wheel(folder / "wheels", "bench", version)
        local = ["--offline", "--find-links", str(folder / "wheels")]
        install = [tool.program("uv"), "pip", "install", "--no-deps", "--python", lab.python, *local]
        gitsnap = [tool.program("gitsnap"), "--python", lab.python]

        def put(version: str) -> None:
            command = [*install, f"bench=={version}"]
            subprocess.run(command, env=variables, check=True, capture_output=True)

        put("1.0")
        subprocess.run([*gitsnap, "save"], env=variables, check=True, stdout=subprocess.DEVNULL)
        cases = [
            Case("rollback", [*gitsnap, "rollback", "--yes", *local], lambda: put("2.0")),
            Case("uv pip install", [*install, "bench==1.0"], lambda: put("2.0")),
            Case("pip freeze", [lab.python, "-m", "pip", "freeze"]),
            Case("gitsnap freeze", [*gitsnap, "freeze"]),
        ]
        times = measure(cases, rounds, variables).wall
    for freeze in ("pip freeze", "gitsnap freeze"):
        rows = zip(times["rollback"], times["uv pip install"], times[freeze], strict=True)
        ratio = statistics.median(one / (other + 2 * twice) for one, other, twice in rows)
        print(
            f"| rollback of one package of {COUNT}, to `uv pip install` and two `{freeze}` | ≤ 1.5 | {ratio:.2f} |"
        )
    print({name: round(statistics.median(values), 3) for name, values in times.items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
