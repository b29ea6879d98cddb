"""Do scripts of five lines run at the prompt as they stand in the books, and does plain Python stay plain?"""

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from datamodel.archive import Archive
from datamodel.dataobject import DataObject
from datamodel.frames import BaseFlatFrame, BaseFrame, RawScienceFrame
from datamodel.observatory import Chip, Filter, Imstat
from datamodel.persistent import persistent
from datamodel.query import Query
from datamodel.session import Session
from vo_server import awe_prompt as awe
from vo_server.awe_rewriting import FUNCTIONS, rewritten
from vo_server.awe_telling import tell_me_everything


class AweReducedFrame(BaseFrame):
    """A stand-in for a reduced frame."""

    flat = persistent("The flat field used", BaseFlatFrame)


@pytest.fixture
def session(archive: Archive) -> Iterator[Session]:
    """Nine reduced frames of three chips and two filters, with their flats."""
    filters = [Filter(name="#841"), Filter(name="#842")]
    with Session(archive, archive.caller("A", "P")) as opened, opened.transaction():
        for i in range(9):
            flat = BaseFlatFrame(imstat=Imstat(stdev=i / 100))
            chip = Chip(name=f"ccd5{i % 3}") if i < 3 else (Chip.name == f"ccd5{i % 3}")[0]
            frame = AweReducedFrame(
                chip=chip, filter=filters[i % 2], imstat=Imstat(stdev=float(i)), flat=flat
            )
            frame.commit()
    with Session(archive, archive.caller("A", "P")) as opened:
        yield opened


def evaluate(source: str, **names: Any) -> Any:
    names |= FUNCTIONS | {"C": AweReducedFrame, "Chip": Chip, "R": RawScienceFrame}
    exec(compile(rewritten(source), "<test>", "exec"), names)
    return names["result"]


def found(query: Any) -> list[float]:
    assert isinstance(query, Query)
    return [k.imstat.stdev for k in query]


def test_the_five_line_script_runs_verbatim(session: Session) -> None:
    script = """
q = (ReducedScienceFrame.chip.name == 'ccd50') and \\
(ReducedScienceFrame.filter == '#841')
x = [k.imstat.stdev for k in q]
y = [k.flat.imstat.stdev for k in q]
pylab.scatter(x,y)
"""
    names = awe.namespace(session) | {"ReducedScienceFrame": AweReducedFrame}
    assert awe.run(script, "<script>", names) == 0
    assert (names["x"], names["y"]) == ([0.0, 6.0], [0.0, 0.06])
    names["pylab"].close("all")


def test_a_data_object_is_stored_and_found_verbatim(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("example.txt").write_text("an example")
    script = """
example = DataObject(pathname='example.txt')
example.store()
example.commit()
g = DataObject.filename.like('example*')
plain = DBObject()
plain.commit()
oid = plain.object_id
result = DBObject(object_id = oid)
"""
    names = awe.namespace(session)
    assert awe.run(script, "<script>", names) == 0
    assert list(names["g"]) == [names["example"]]
    assert names["result"] is names["plain"]
    assert isinstance(names["example"], DataObject)


STDEVS = [float(i) for i in range(9)]

CONDITIONS = {
    "and": ("C.imstat.stdev > 2 and C.imstat.stdev < 5", [3, 4]),
    "and and": ("C.imstat.stdev > 2 and C.chip == 'ccd50' and C.filter == '#841'", [6]),
    "or": ("C.imstat.stdev < 1 or C.imstat.stdev > 7", [0, 8]),
    "not": ("not C.imstat.stdev > 2", [0, 1, 2]),
    "mixed": (
        "not (C.imstat.stdev > 2 and C.imstat.stdev < 8) and C.chip == 'ccd50' or C.imstat.stdev == 5",
        [0, 5],
    ),
    "chained": ("1 < C.imstat.stdev < 5", [2, 3, 4]),
    "chained often": ("1 < C.imstat.stdev <= 5 != 4", [2, 3, 4, 5]),
    "chained and": ("1 < C.imstat.stdev < 5 and not C.chip == 'ccd50'", [2, 4]),
    "plain truth before": ("1 < 2 and C.imstat.stdev < 2", [0, 1]),
    "plain truth after": ("C.imstat.stdev < 2 and 1 < 2", [0, 1]),
    "plain untruth in or": ("'' or C.imstat.stdev < 2 or None", [0, 1]),
    "in a comprehension": ("[C.chip == c and C.imstat.stdev < 5 for c in ['ccd51']][0]", [1, 4]),
    "in a lambda": ("(lambda low: low < C.imstat.stdev < 5 and C.chip == 'ccd51')(1)", [4]),
    "in a conditional": ("C.imstat.stdev < 2 and C.imstat.stdev > 0 if 1 < 2 < 3 else None", [1]),
    "as an argument": ("(lambda q: q)(C.imstat.stdev < 2 and C.imstat.stdev > 0)", [1]),
}


def test_conditions_are_combined(session: Session) -> None:
    for name, (source, expected) in CONDITIONS.items():
        assert found(evaluate(f"result = {source}")) == expected, name


def test_conditions_are_combined_in_functions_methods_and_statements(session: Session) -> None:
    source = """
def brightest(low, high):
    limit = high
    def inner():
        return low < C.imstat.stdev < limit and not C.chip == 'ccd50'
    return inner()

class Holder:
    low = 1
    wide = low and 5 or 7
    def find(self, high):
        __private = high
        return self.low < C.imstat.stdev < __private and C.filter == '#841'

result = [brightest(1, 5), Holder().find(5), Holder.wide,
          f"{len(C.imstat.stdev > 1 and C.imstat.stdev < 3)} {1 < 2 < 3 and 'yes' or 'no'}"]
"""
    first, second, wide, text = evaluate(source)
    assert (found(first), found(second), wide, text) == ([2.0, 4.0], [2.0, 4.0], 5, "1 yes")


PLAIN = """
0 and 1/0 or 'x'
1 or 1/0
[] or {} or ()
'' and 1/0
not []
not 3
None and None.x
1 < 2 < 3
3 > 2 > 5 > 1/0
1 < 2 > 1 == 1 != 0
1 in [1] in [[1]]
'a' not in ['b'] is not None
[i for i in range(9) if i % 2 and i > 3 or not i]
{k: v and k for k, v in {1: 2, 3: 0}.items()}
(lambda a, b=1 and 2: a and b or 0)(5)
(y := 5) and y + 1
[y for x in range(5) if (y := x) and y > 2]
any(not x and x is not None for x in (0, None))
sorted([3, 1, 2], key=lambda v: v > 1 and -v or v)
f"{1 and 2!r:>{3 or 4}}"
[[a and b for a in (0, 1)] for b in (0, 2)]
(lambda: (yield 1) and 2)().__next__()
1 if not 0 and 2 else 3
next(v for v in [1, 2] if v and not v == 1)
"""


@pytest.mark.parametrize("source", PLAIN.strip().splitlines())
def test_plain_values_keep_the_meaning_they_have_in_python(source: str) -> None:
    assert evaluate(f"result = {source}") == eval(source)


def test_operands_are_evaluated_once_and_in_order() -> None:
    source = """
seen = []
def say(value):
    seen.append(value)
    return value
say(1) and say(0) and say(5)
say(2) < say(3) < say(1) < say(9)
result = seen
"""
    assert evaluate(source) == [1, 0, 2, 3, 1]


def test_code_that_cannot_be_moved_into_a_lambda_still_runs() -> None:
    source = """
import asyncio
async def one():
    return 1
async def both():
    return await one() and [await one() for _ in range(2)]
def numbers():
    got = (yield 1) or 5
    yield got
def counted():
    if (n := 3) and n > 2:
        return n
def names():
    inner = 1
    return inner and sorted(locals())
result = [asyncio.run(both()), list(numbers()), counted(), names()]
"""
    assert evaluate(source) == [[1, 1], [1, 5], 3, ["inner"]]


def test_positions_are_kept_and_nothing_else_is_touched() -> None:
    source = "x = [1, 2]\nfor i in x:\n    print(i + 1, -i, i == 1)\nclass A:\n    b: int = 3\n"
    assert ast.dump(rewritten(source), include_attributes=True) == ast.dump(
        ast.parse(source), include_attributes=True
    )
    calls = [n for n in ast.walk(rewritten("a = 1\nb = (a and\n  not a)")) if isinstance(n, ast.Call)]
    assert [(c.lineno, c.col_offset) for c in calls] == [(2, 5), (3, 2)]


def test_cells_at_the_prompt_are_rewritten(session: Session) -> None:
    names = awe.namespace(session) | {"C": AweReducedFrame}
    shell = awe.equipped(InteractiveShell(user_ns=names), session)
    try:
        cell = "def f(high):\n    return 1 < C.imstat.stdev < high and not C.chip == 'ccd50'\nf(5)"
        ran = shell.run_cell(cell, store_history=False)
        assert found(ran.result) == [2.0, 4.0]
        assert shell.run_cell("q = C.chip == 'ccd50' and C.imstat.stdev < 1\nlen(q)").result == 1
        assert repr(shell.run_cell("C.chip").result) == "<AweReducedFrame.chip: The chip>"
    finally:
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("x = 1", 0, ""),
        ("1 +", 1, "SyntaxError"),
        ("x = 1\nDBObject(object_id='none')", 1, "<code>:2: NotFoundError: there is no DBObject"),
        ("x = 1\nx.y", 1, 'File "<code>", line 2, in <module>\n    x.y'),
        ("RawFrame.EXPTIME > 'long'", 1, "expected DOUBLE, not 'long'"),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('enough')", 1, "enough"),
        ("raise SystemExit", 0, ""),
        ("raise KeyboardInterrupt", 130, ""),
        ("assert __name__ == '__main__' and __file__ == '<code>'", 0, ""),
    ],
)
def test_what_goes_wrong_is_said_and_gives_a_status(
    source: str, status: int, said: str, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert awe.run(source, "<code>", awe.namespace(session)) == status
    error = capsys.readouterr().err
    assert said in error
    assert bool(said) or error == ""
    assert "awe.py" not in error


def test_the_command_runs_code_and_files_on_an_archive_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("VO_ARCHIVE", str(tmp_path / "by-environment"))
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    (tmp_path / "neighbour.py").write_text("VALUE = 1 and 2\n")
    script = tmp_path / "script.py"
    script.write_text("from neighbour import VALUE\nprint(VALUE, len(DBObject.select_all()), context)\n")
    assert awe.main([str(script)]) == 0
    assert capsys.readouterr().out.startswith("2 0 - username : ")
    assert (tmp_path / "by-environment" / "archive.sqlite").exists()
    assert awe.main(["--archive", str(tmp_path / "other"), "-c", "DBObject().commit(); print(7)"]) == 0
    assert capsys.readouterr().out == "7\n"
    assert awe.main(["-c", "1/0"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert awe.main([str(tmp_path / "none.py")]) == 1
    assert "none.py" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        awe.main(["-c", "1", str(script)])


def test_the_context_changes_what_is_seen(session: Session) -> None:
    names = awe.namespace(session) | {"C": AweReducedFrame}
    script = """
counts = [len(C.select_all())]
context.set_privileges(2)
counts.append(len(C.select_all()))
context.set_privileges(1)
context.set_project('ALL')
counts.append(len(C.select_all()))
"""
    assert awe.run(script, "<script>", names) == 0
    assert names["counts"] == [9, 0, 9]
    assert repr(names["context"]) == "- username : A\n- project : ALL\n- current privileges : 1 (MyDB)"
    assert awe.run("context.set_project('Q')", "<script>", names) == 1
    assert awe.run("context.set_privileges(9)", "<script>", names) == 1


def test_everything_is_told_of_an_object_and_what_it_links_to(session: Session) -> None:
    out = io.StringIO()
    tell_me_everything(AweReducedFrame.select_all()[2], out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("<AweReducedFrame ")
    assert "    stdev = 2.0 adu" in lines
    assert "      stdev = 0.02 adu" in lines
    assert [line.split(":")[0] for line in lines if ": <" in line] == [
        "  chip",
        "  filter",
        "  imstat",
        "  flat",
        "    imstat",
    ]
