"""Does a fuzzer that sees which branches it reaches find a failure, a leak of the inside, or an endless answer?"""

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 10
BOUNDS = ("-timeout=20", "-rss_limit_mb=2000")


@pytest.mark.clients
@pytest.mark.parametrize("target", ["parser", "tables", "parameters"])
def test_a_guided_fuzzer_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="the extra fuzz is not installed")
    folder = tmp_path / "corpus"
    folder.mkdir()
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzzing", target, str(folder)]
    bounds = [*BOUNDS, f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/"]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [*command, *bounds], cwd=root, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [path for path in folder.iterdir() if not path.name.startswith("seed")]
    assert len(found) > 10, "the fuzzer does not see branches"
