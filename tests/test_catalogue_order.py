"""Do rows that do not fit into memory come out in the same order as if they did?"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datamodel.catalogue_order import Sorter


def batches(keys: np.ndarray, text: bool, random: np.random.Generator) -> list[pa.RecordBatch]:
    """Rows that say which they are, in batches of any size."""
    columns = {"key": pa.array(keys), "row": pa.array(np.arange(len(keys)))}
    if text:
        columns["text"] = pa.array([None if k % 7 == 0 else f"é{k}" * (k % 5) for k in range(len(keys))])
    whole = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    cuts = sorted(random.integers(0, len(keys) + 1, 9).tolist())
    return [whole.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True) if b > a]


@pytest.mark.parametrize("run_bytes", [1, 3_000, 1 << 30], ids=["a run a batch", "some runs", "in memory"])
@pytest.mark.parametrize("fan_in", [2, 100])
@pytest.mark.parametrize("spread", [1, 5, 10**17])
def test_rows_are_sorted_and_equal_ones_keep_their_order(
    run_bytes: int, fan_in: int, spread: int, tmp_path: Path
) -> None:
    random = np.random.default_rng([run_bytes % 1000, fan_in, spread % 1000])
    keys = random.integers(-spread, spread, 1500)
    sorter = Sorter(tmp_path, "key", run_bytes, fan_in)
    for batch in batches(keys, spread > 1, random):
        sorter.add(batch)
    made = pa.Table.from_batches(list(sorter.batches()))
    order = np.argsort(keys, kind="stable")
    assert made.column("row").to_numpy().tolist() == order.tolist()
    assert made.column("key").to_numpy().tolist() == keys[order].tolist()
    if spread > 1:
        expected = [None if k % 7 == 0 else f"é{k}" * (k % 5) for k in order.tolist()]
        assert made.column("text").to_pylist() == expected
    assert (len(list(tmp_path.iterdir())) > 0) == (run_bytes < 1 << 30)


def test_no_rows_stay_none(tmp_path: Path) -> None:
    assert list(Sorter(tmp_path, "key").batches()) == []


def test_merging_holds_blocks_and_not_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodel.catalogue_order.BLOCK_ROWS", 100)
    keys = np.random.default_rng(3).permutation(20_000)
    sorter = Sorter(tmp_path, "key", run_bytes=32_000)
    for start in range(0, 20_000, 500):
        sorter.add(pa.RecordBatch.from_arrays([pa.array(keys[start : start + 500])], names=["key"]))
    pieces = [batch.column(0).to_numpy() for batch in sorter.batches()]
    assert len(list(tmp_path.iterdir())) > 4
    assert max(map(len, pieces)) <= 100 * len(list(tmp_path.iterdir()))
    assert np.concatenate(pieces).tolist() == list(range(20_000))
