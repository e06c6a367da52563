"""The command line: parse, call, render; and every error becomes an exit code in one place."""

from __future__ import annotations

import gc
import os
import sys

BUG = 3
INTERRUPTED = 130
USAGE = 2


def main() -> int:
    """Run `gitsnap`; returns the exit code.

    `run` comes before click is imported: a launch must not wait for what it does not need.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        from gitsnap.launch import options, run

        ours = arguments[1 : arguments.index("--")] if "--" in arguments else []
        plain = [word for word in ours if word != "--no-mark"]
        python, name, command = options(plain + arguments[1 + len(ours) :])
        if command[:1] == ["--"] and command[1:] and not (python and name):
            return run(command[1:], python, name, mark=plain == ours)
    # Looking for garbage, while modules load and once more at the end, would take as long as three bare interpreters.
    gc.disable()
    try:
        return _guarded(arguments)
    finally:
        gc.freeze()


def _guarded(arguments: list[str]) -> int:
    """Run a command; its answer goes to stdout, what went wrong to stderr, a bug's traceback to the log."""
    import click

    from gitsnap.cli import commands, render
    from gitsnap.errors import GitsnapError

    _never_fail_to_print()
    as_json = "--json" in arguments
    try:
        code = commands.gitsnap.main(arguments, prog_name="gitsnap", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except GitsnapError as error:
        render.failure(error.message, error.hint, error.candidates, error.exit_code, as_json=as_json)
        return error.exit_code
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            # click 8.2 and newer: a group without a verb shows its help.
            render.say(error.format_message())
            return USAGE
        hint = (
            f"`{error.ctx.command_path} --help` shows how"
            if isinstance(error, click.UsageError) and error.ctx
            else ""
        )
        render.failure(error.format_message().rstrip("."), hint, (), USAGE, as_json=as_json)
        return USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        render.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our answer has had enough: `gitsnap log | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001 - a bug is told in one line, its traceback kept for the report
        place = _log_traceback()
        render.failure(
            f"this is a bug in gitsnap: {type(error).__name__}: {error}", place, (), BUG, as_json=as_json
        )
        return BUG


def _never_fail_to_print() -> None:
    """Let text that the terminal's encoding lacks be shown escaped, rather than end in an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _log_traceback() -> str:
    """Write the traceback to the log in the state path; returns the hint that names it."""
    import traceback

    from gitsnap import locations
    from gitsnap.line import redact

    try:
        log = locations.state_path(os.environ) / "gitsnap.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(redact(traceback.format_exc()) + "\n")
    except OSError:
        return "run it again with `python -X dev -m gitsnap` and report what it prints"
    return f"please report it with the end of `{log}`"
