"""How does one work with the archive in Python: at a prompt, in one line, or from a file?

``awe`` opens a prompt with the persistent classes by name; ``awe -c CODE`` and ``awe FILE`` run without
one. In code that is typed or given, and not in what it imports, ``and``, ``or`` and ``not`` combine conditions.
"""

import argparse
import importlib
import linecache
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodel.attributes import all_classes
from datamodel.config import read_config
from datamodel.context import EVERY_PROJECT, LEVELS, Caller
from datamodel.errors import ArchiveError, UsageError
from datamodel.persistent import oidtype, persistent
from datamodel.session import Session
from processing.asking import instant as as_instant
from processing.opening import session_of
from processing.pars import Pars
from processing.progress import shown_by
from vo_server.awe_rewriting import FUNCTIONS, Rewriting, rewritten
from vo_server.awe_telling import tell_me_everything
from vo_server.interrupting import INTERRUPTED
from vo_server.progress_tree import ProgressTree


class Context:
    """Who asks, in which project, and from which level on: the object called ``context`` at the prompt.

    Parameters
    ----------
    session
        The session that the prompt works in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def caller(self) -> Caller:
        """The caller in force."""
        return self._session.caller

    def set_project(self, name: str) -> None:
        """Work in another project; ``ALL`` is every project.

        Raises
        ------
        UsageError
            The account is not a member of it.
        """
        if name != EVERY_PROJECT and name not in self.caller.projects:
            known = ", ".join(sorted(self.caller.projects | {EVERY_PROJECT}))
            raise UsageError(f"{self.caller.user} is not a member of project '{name}'; there are {known}")
        self._session.caller = self.caller.at(project=name)

    def set_privileges(self, level: int) -> None:
        """Hide what has lower privileges than `level` (1 to 5), and make new objects at it.

        Raises
        ------
        UsageError
            There is no such level.
        """
        if level not in LEVELS:
            raise UsageError(f"privileges are {level!r}, expected one of {', '.join(map(str, LEVELS))}")
        self._session.caller = self.caller.at(level=level)

    def as_of(self, instant: Any) -> None:
        """See the archive as it was at an instant, such as ``'2010-10-11'`` (UTC); None for as it is.

        Raises
        ------
        UsageError
            It is no instant, or has not come yet.
        """
        seen = None if instant is None else as_instant(instant, "as_of")
        self._session.caller = replace(self.caller, as_of=seen)

    def get_current_project(self) -> str:
        """The name of the current project."""
        return self.caller.project

    def __repr__(self) -> str:
        level = f"{self.caller.level} ({LEVELS[self.caller.level]})"
        past = f"\n- as of : {self.caller.as_of.isoformat(sep=' ')}" if self.caller.as_of else ""
        who = f"- username : {self.caller.user}\n- project : {self.caller.project}"
        return f"{who}\n- current privileges : {level}{past}"


def namespace(session: Session) -> dict[str, Any]:
    """What is known by name at the prompt."""
    classes = {cls.__name__: cls for cls in all_classes()}
    return (
        classes
        | FUNCTIONS
        | {
            "Pars": Pars,
            "context": Context(session),
            "oidtype": oidtype,
            "persistent": persistent,
            "pylab": _pylab(),
            "tell_me_everything": tell_me_everything,
        }
    )


def _pylab() -> Any:
    """Matplotlib's pylab; it draws into files where there is no display."""
    import matplotlib

    shown = any(os.environ.get(name) for name in ("MPLBACKEND", "DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform == "linux" and not shown:
        matplotlib.use("Agg")
    return importlib.import_module("pylab")


def run(source: str, filename: str, names: dict[str, Any]) -> int:
    """Run code in a namespace; gives the exit status, after saying on stderr what went wrong."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    names |= {"__name__": "__main__", "__file__": filename}
    try:
        exec(compile(rewritten(source, filename), filename, "exec", dont_inherit=True), names)  # noqa: S102 - the user's own code
    except SystemExit as end:
        return _status(end)
    except (ArchiveError, SyntaxError) as error:
        print(f"{_where(error, filename)}{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        own = error.__traceback__.tb_next if error.__traceback__ else None
        print("".join(traceback.format_exception(type(error), error, own)), end="", file=sys.stderr)
        return 1
    return 0


def _status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return int(end.code or 0)
    print(end.code, file=sys.stderr)
    return 1


def _where(error: BaseException, filename: str) -> str:
    """The line of the user's code that the error came from, as ``file:line:``."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == filename]
    return f"{filename}:{lines[-1]}: " if lines else ""


def prompt(names: dict[str, Any], archive: Path) -> None:
    """The interactive prompt, with the rewriting switched on."""
    from IPython.terminal import interactiveshell

    shell: Any = interactiveshell.TerminalInteractiveShell
    banner = f"{names['context']!r}\n- archive : {archive}\n"
    shell = equipped(shell.instance(user_ns=names, banner1=banner, confirm_exit=False))
    shell.prompts = _prompts(shell)
    shell.show_banner()
    shell.mainloop()


def equipped(shell: Any) -> Any:
    """An IPython shell that rewrites what is typed and tells errors of the archive in one line."""
    shell.ast_transformers.append(Rewriting())
    shell.set_custom_exc((ArchiveError,), _tell)
    return shell


def _prompts(shell: Any) -> Any:
    prompts: Any = importlib.import_module("IPython.terminal.prompts")
    shown = prompts.ClassicPrompts(shell)
    shown.in_prompt_tokens = lambda: [(prompts.Token.Prompt, "awe> ")]
    return shown


def _tell(
    _shell: Any, kind: type[BaseException], error: BaseException, _traceback: Any, **_options: Any
) -> None:
    print(f"{kind.__name__}: {error}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``awe``; gives the exit status."""
    parser = argparse.ArgumentParser(
        "awe", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--archive", type=Path, help="folder of the archive; else $VO_ARCHIVE, else ./archive"
    )
    parser.add_argument("-c", dest="code", help="run this code instead of a prompt")
    parser.add_argument("file", nargs="?", type=Path, help="run this file instead of a prompt")
    given = parser.parse_args(arguments)
    if given.code is not None and given.file is not None:
        parser.error("give either -c CODE or FILE")
    try:
        source = given.file.read_text(encoding="utf-8") if given.file else given.code
        with session_of(read_config(archive=given.archive)) as session, shown_by(ProgressTree):
            names = namespace(session)
            if source is not None:
                sys.path.insert(0, str(given.file.parent.resolve()) if given.file else "")
                return run(source, str(given.file or "<command>"), names)
            prompt(names, session.archive.config.archive)
    except (ArchiveError, OSError, UnicodeDecodeError) as error:
        print(f"awe: {error}", file=sys.stderr)
        return 1
    return 0
