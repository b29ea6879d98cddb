"""Must each test wait for recipes? What a recipe made before from the same inputs is given again."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from processing.work import Given, Made, WorkOrder
from processing.workers import Workers

BY_CHANCE = {"object_id", "creation_date", "filename"}
"""What is another at each making; names that begin with an underscore are so too."""


class Remembering:
    """Workers that run each recipe once for the same inputs, and outlive the archives they are lent to.

    Parameters
    ----------
    workers
        Run what has not been run before.
    folder
        Where the bytes are kept; None where nothing is to be remembered.
    """

    def __init__(self, workers: Workers, folder: Path | None) -> None:
        self.count = workers.count
        self._workers = workers
        self._folder = folder
        self._made: dict[str, Made] = {}

    def submit(self, order: WorkOrder) -> "Future[Made]":
        """Have a recipe run, or give what it made before."""
        if self._folder is None:
            return self._workers.submit(order)
        key = _key(order)
        answer: Future[Made] = Future()
        if key in self._made:
            answer.set_result(_given(self._made[key], order.target))
        else:
            self._workers.submit(order).add_done_callback(lambda done: self._keep(key, done, answer))
        return answer

    def _keep(self, key: str, done: "Future[Made]", answer: "Future[Made]") -> None:
        if not answer.set_running_or_notify_cancel():
            return
        error = done.exception()
        if error is not None:
            answer.set_exception(error)
            return
        made = done.result()
        assert self._folder is not None
        self._made[key] = _given(made, self._folder / f"{key}.fits")
        answer.set_result(made)


def _given(made: Made, path: Path) -> Made:
    """The same with its bytes at another place, where it has any."""
    if made.path is None:
        return made
    shutil.copyfile(made.path, path)
    return replace(made, path=path)


def _key(order: WorkOrder) -> str:
    """Equal for two orders that give the same product, judged alike."""
    inputs = {name: _told(given) for name, given in order.inputs.given.items()}
    previous = None if order.previous is None else _lasting(order.previous)
    facts = [order.module, order.class_name, inputs, order.parameters, previous]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _told(given: Given | list[Given] | None) -> Any:
    if isinstance(given, Given):
        return [_lasting(given.values), given.path and _digest(given.path)]
    return [_told(each) for each in given] if given else None


def _lasting(values: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in values.items() if n not in BY_CHANCE and not n.startswith("_")}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
