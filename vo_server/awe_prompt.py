"""How does one work with the archive in Python: at a prompt, in one line, or from a file?

``awe`` opens a prompt with the persistent classes by name; ``awe -c CODE`` and ``awe FILE`` run without
one. In code that is typed or given, and not in what it imports, ``and``, ``or`` and ``not`` combine conditions.
"""

import argparse
import importlib
import linecache
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodel.attributes import all_classes
from datamodel.config import read_config
from datamodel.errors import ArchiveError, UsageError
from datamodel.persistent import oidtype, persistent
from datamodel.session import Session
from processing.opening import session_of
from processing.pars import Pars
from processing.progress import shown_by
from vo_server.arguments import Commands
from vo_server.awe_completing import complete_with
from vo_server.awe_context import Context
from vo_server.awe_explaining import explain_with
from vo_server.awe_known import Known
from vo_server.awe_rewriting import FUNCTIONS, Rewriting, rewritten
from vo_server.awe_telling import tell_me_everything
from vo_server.interrupting import INTERRUPTED
from vo_server.progress_tree import ProgressTree


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


def prompt(names: dict[str, Any], session: Session) -> None:
    """The interactive prompt, with everything that `equipped` gives it."""
    from IPython.terminal import interactiveshell

    shell: Any = interactiveshell.TerminalInteractiveShell
    banner = f"{names['context']!r}\n- archive : {session.archive.config.archive}\n"
    shell = equipped(shell.instance(user_ns=names, banner1=banner, confirm_exit=False), session)
    shell.prompts = _prompts(shell)
    shell.show_banner()
    shell.mainloop()


def equipped(shell: Any, session: Session) -> Any:
    """An IPython shell that knows the archive.

    It rewrites what is typed, takes lines that were copied with their prompt, offers what may follow, explains what
    is asked with ``?``, and tells errors of the archive and Ctrl-C in one line.
    """
    shell.input_transformers_cleanup.append(_without_prompts)
    shell.ast_transformers.append(Rewriting())
    shell.set_custom_exc((ArchiveError, KeyboardInterrupt), _tell)
    complete_with(shell, Known(session))
    explain_with(shell)
    return shell


_PROMPT = re.compile(r"^[Aa]we> ?")


def _without_prompts(lines: list[str]) -> list[str]:
    return [_PROMPT.sub("", line) for line in lines]


def _prompts(shell: Any) -> Any:
    prompts: Any = importlib.import_module("IPython.terminal.prompts")
    shown = prompts.ClassicPrompts(shell)
    shown.in_prompt_tokens = lambda: [(prompts.Token.Prompt, "awe> ")]
    return shown


def _tell(
    _shell: Any, kind: type[BaseException], error: BaseException, _traceback: Any, **_options: Any
) -> None:
    print(f"{kind.__name__}: {error}".removesuffix(": "), file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``awe``; gives the exit status."""
    parser = Commands("awe", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
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
            prompt(names, session)
    except (ArchiveError, OSError, UnicodeDecodeError) as error:
        print(f"awe: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0
