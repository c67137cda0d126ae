"""The command line: finds the command, runs it, and turns what ends it into one line and an exit status."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from syncer import __version__

if TYPE_CHECKING:
    from syncer.cli.output import Output

COMMANDS: Final = {
    "sync": "make the Maildir and the server equal, once, and exit",
    "watch": "keep the Maildir and the server equal by itself, until it is ended",
    "restore": "bring back what is missing on one side from the other, or what a sync removed",
    "verify": "read every message on both sides, compare, and with --repair mend what is damaged",
    "log": "tell what syncs did to which messages, when and why (no network)",
    "why": "tell what was done to one message (no network)",
    "status": "show what is configured, and what the last sync left (no network)",
    "check": "test the configuration, the Maildir, the index and the server, and say what to do",
    "mailbox": "list, create, rename or delete mailboxes on both sides at once",
}
"""Each is a module of this package with `DESCRIPTION`, `configure(parser)` and `run(options, output) -> int`."""

_DESCRIPTION: Final = "Keeps a local Maildir and an IMAP account equal, both ways, and loses nothing."

_EPILOG: Final = """\
first steps:
  syncer check                  is everything in order? changes nothing
  syncer sync --dry-run         what would be done? changes nothing
  syncer sync                   do it
  syncer COMMAND --help         what a command takes

exit status:
  0  done, nothing failed              3  could not connect or log in
  1  some failed, the rest was done    4  a guard held changes back: read what it says
  2  wrong usage or configuration    130  interrupted (143: terminated), after a clean stop

The configuration is read from -c FILE, $SYNCER_CONFIG, $XDG_CONFIG_HOME/syncer/syncer.conf
or ~/.config/syncer/syncer.conf.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns the exit status: the epilog of `--help` lists them, `report.exit_status` decides that of a pass.
    """
    if arguments is None:
        # What is loaded stays: looking for garbage in it every 700 objects costs a tenth of what loading takes.
        gc.set_threshold(50_000)
    status = _run(_parse(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        gc.freeze()  # or the interpreter would look for garbage among all of it before it goes
    return status


def _run(options: argparse.Namespace) -> int:
    from syncer.cli.output import Output, prepare_streams  # noqa: PLC0415 - not for --version
    from syncer.cli.signals import Terminated, leave_on_signals  # noqa: PLC0415 - as above
    from syncer.errors import AccountError, ConfigError, SyncerError  # noqa: PLC0415 - as above
    from syncer.report import FAILED, INTERRUPTED, USAGE, error_status  # noqa: PLC0415 - as above

    prepare_streams()
    _never_dump_core()
    output = Output(options.verbosity, options.log_format)
    run = cast("Callable[[argparse.Namespace, Output], int]", options.run)
    try:
        leave_on_signals()
        with _logs_said(options, output):
            status = run(options, output)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Terminated as signal:
        status = signal.status
    except ConfigError as error:
        for problem in error.problems:
            if problem.startswith(" "):  # an example to copy
                output.say(problem, least=-1)
            else:
                output.error(problem)
        status = USAGE
    except AccountError as error:
        output.error(str(error))
        status = error_status(error)
    except SyncerError as error:
        output.error(str(error))
        status = FAILED
    output.close()
    return status or (FAILED if output.failed else status)


def _logs_said(options: argparse.Namespace, output: "Output") -> AbstractContextManager[None]:
    """Say what is logged meanwhile as JSON; for a person, logging prints the little that there is by itself."""
    if options.log_format != "json":
        return nullcontext()
    import logging  # noqa: PLC0415 - slow to load

    from syncer.cli.logs import logs_said  # noqa: PLC0415 - as above

    return logs_said(output, logging.WARNING)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. Asking shutil for that, as argparse would for every option, takes 3 ms to load."""

    def __init__(self, prog: str) -> None:
        try:
            width = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (ValueError, OSError):
            width = 80
        super().__init__(prog, width=max(width, 40) - 2)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse in two steps, so that only the command that is run has to be loaded."""
    first = argparse.ArgumentParser(
        prog="syncer",
        usage="syncer [-c FILE] [-v | -q] [--log-format FORMAT] COMMAND ...",
        description=_DESCRIPTION,
        epilog="commands:\n" + "".join(f"  {name:9} {text}\n" for name, text in COMMANDS.items()) + f"\n{_EPILOG}",
        formatter_class=_Formatter,
    )
    first.add_argument("--version", action="version", version=f"syncer {__version__}")
    _add_common(first)
    first.add_argument("command", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    first.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = first.parse_args(arguments)
    if options.command is None:
        first.error(f"no command; there are {', '.join(COMMANDS)} (syncer --help says more)")
    if options.command not in COMMANDS:
        from syncer.config import closest  # noqa: PLC0415 - only who mistypes pays for it

        guess = closest(options.command, tuple(COMMANDS))
        hint = f"did you mean {guess!r}?" if guess else f"there are {', '.join(COMMANDS)}"
        first.error(f"unknown command {options.command!r}; {hint}")
    return _parse_command(options)


def _parse_command(options: argparse.Namespace) -> argparse.Namespace:
    module = import_module(f"syncer.cli.{options.command}")
    second = argparse.ArgumentParser(
        prog=f"syncer {options.command}",
        description=module.DESCRIPTION,
        formatter_class=_Formatter,
    )
    module.configure(second)
    _add_common(second, again=True)
    second.set_defaults(
        run=module.run,
        usage_error=second.error,
        config=options.config,
        verbosity=options.verbosity,
        log_format=options.log_format,
    )
    return second.parse_args(options.rest)


def _add_common(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """The options that may stand before the command or after it."""
    default = argparse.SUPPRESS if again else None
    parser.add_argument("-c", dest="config", metavar="FILE", default=default, help="the configuration file")
    parser.add_argument(
        "--log-format",
        choices=("human", "json"),
        default=default or "human",
        help="what is said on standard error: lines for people, or one JSON document for each (human)",
    )
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument(
        "-v",
        "--verbose",
        dest="verbosity",
        action="store_const",
        const=1,
        default=default or 0,
        help="say every action",
    )
    volume.add_argument(
        "-q",
        "--quiet",
        dest="verbosity",
        action="store_const",
        const=-1,
        default=default or 0,
        help="say only what went wrong",
    )


def _never_dump_core() -> None:
    """A core file would hold the password."""
    import resource  # noqa: PLC0415 - not for --version

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
