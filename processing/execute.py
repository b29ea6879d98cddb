"""A plan is carried out: what is up to date stays, the rest is made, inputs first, each product once.

Workers compute; only this process touches the database. The bytes come first, then the row, its
lineage and the end of the claim in one transaction.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from datamodel import crash
from datamodel.errors import ArchiveError, DataLostError, MissingInputError, RecipeError
from datamodel.session import Session
from processing.activity import forget_failure, remember_failure
from processing.claims import (
    ELSEWHERE,
    FAILED,
    GIVEN_UP,
    LEFT_OUT,
    MADE,
    MAKING,
    PLANNED,
    THERE,
    Claim,
    ClaimLostError,
    Progress,
    Step,
)
from processing.declarations import flag_names, parameters
from processing.derivation import derivation_key, new_object, recalled, work_order
from processing.node import Node
from processing.progress import following
from processing.recording import record, record_again
from processing.selection import select, usable
from processing.work import Made, WorkOrder
from processing.workers import Workers

log = logging.getLogger("vo_server.processing")

COMPUTED = crash.declare("make.computed", "the bytes lie aside, the parent has not taken them")
POLL_S = 0.05
TRIES = 3


@dataclass
class _Job:
    node: Node
    key: str
    claim: Claim
    order: WorkOrder
    started: datetime
    began_s: float
    tries: int = 1


class Execution:
    """One plan under way.

    Parameters
    ----------
    session
        The caller, who becomes the creator of what is made.
    workers
        Where recipes run.
    progress
        Told of each step; where None, what `processing.progress.shown_by` has set, else nobody.
    """

    def __init__(self, session: Session, workers: Workers, progress: Progress | None = None) -> None:
        self.session = session
        self.workers = workers
        self.progress = progress
        self.results: dict[int, Any] = {}
        self.failed: dict[int, ArchiveError] = {}
        self.made: list[Any] = []
        self._jobs: dict[Future[Made], _Job] = {}
        self._elsewhere: set[int] = set()
        self._took_s: dict[int, float] = {}
        self._made: set[int] = set()
        self._given_up: set[int] = set()

    def run(self, root: Node) -> Any:
        """Carry a plan out and give its product.

        Raises
        ------
        MissingInputError
            The target cannot be made.
        RecipeError
            A recipe refused its inputs, or what it made was found faulty.
        """
        nodes = list(root.walk())
        with following(self.progress) as progress:
            try:
                self._carry_out(nodes, progress)
            finally:
                self._abandon()
                self._tell(nodes, progress)
        if id(root) in self.failed:
            raise self.failed[id(root)]
        return self.results[id(root)]

    def _carry_out(self, nodes: list[Node], progress: Progress | None) -> None:
        waiting = nodes
        while waiting or self._jobs:
            waiting = [node for node in waiting if not self._advance(node)]
            self._tell(nodes, progress)
            self._collect(bool(waiting))

    def _tell(self, nodes: list[Node], progress: Progress | None) -> None:
        if progress is not None:
            progress([self._step(node) for node in nodes])

    def _step(self, node: Node) -> Step:
        """How far a node is."""
        which = id(node)
        if node.is_out_of_reach:
            return Step(node, LEFT_OUT)
        if which in self.failed:
            return Step(node, FAILED, self._took_s.get(which, 0.0), str(self.failed[which]))
        if which in self.results:
            return Step(node, MADE if which in self._made else THERE, self._took_s.get(which, 0.0))
        for job in self._jobs.values():
            if job.node is node:
                return Step(node, MAKING, time.monotonic() - job.began_s)
        if which in self._given_up:
            return Step(node, GIVEN_UP)
        return Step(node, ELSEWHERE if which in self._elsewhere else PLANNED)

    def _abandon(self) -> None:
        """Give up what is still under way, so that others may make it."""
        for future, job in self._jobs.items():
            self._given_up.add(id(job.node))
            future.cancel()
            job.claim.release()
            job.order.target.unlink(missing_ok=True)
        self._jobs.clear()

    def _advance(self, node: Node) -> bool:
        """Do what can be done for a node now; true when it needs no more attention."""
        children = node.needed()
        broken = next((self.failed[id(c)] for c in children if id(c) in self.failed), None)
        if broken is not None:
            self._settle_failure(node, broken)
            return True
        if any(id(c) not in self.results for c in children):
            return False
        if not node.reasons and node.existing is not None:
            self.results[id(node)] = node.existing
            return True
        missing = self._missing(node)
        if missing:
            text = f"cannot make {_title(node)}: {'; '.join(missing)}"
            self._settle_failure(node, MissingInputError(text))
            return True
        return self._decide(node)

    def _settle_failure(self, node: Node, error: ArchiveError) -> None:
        """A node that cannot be remade falls back on what there is."""
        if node.existing is not None and usable(node.existing) and isinstance(error, MissingInputError):
            self.results[id(node)] = node.existing
        else:
            self.failed[id(node)] = error

    def _decide(self, node: Node) -> bool:
        if len(self._jobs) >= self.workers.count:
            return False
        inputs = self._inputs(node)
        key = derivation_key(node, inputs)
        if self._is_settled(node, key):
            return True
        claim = Claim(self.session.archive, key)
        if not claim.acquire():
            self._elsewhere.add(id(node))
            return False  # somebody else is making it: its result will be the best
        if self._is_settled(node, key):
            claim.release()
            return True
        before = self._made_before(node, key)
        if before is not None:
            self._recall(node, before, claim, inputs)
        else:
            self._submit(node, key, claim, inputs)
        return True

    def _made_before(self, node: Node, key: str) -> Any:
        """A product that was derived alike: what making gives is known, and only to be judged anew."""
        if not node.cls.recallable:
            return None
        same = (node.cls.derivation_key == key) & (node.cls.is_valid > 0)
        there = (p for p in same.order_by("-creation_date") if not p.filename or p.is_on_dataserver())
        return next(there, None)

    def _recall(self, node: Node, before: Any, claim: Claim, inputs: dict[str, Any]) -> None:
        """Keep again what was made before, judged by the limits of today."""
        try:
            product = recalled(self.session, node, inputs, before)
            with self.session.transaction() as connection:
                if not claim.release(connection):
                    raise ClaimLostError(f"the right to make {_title(node)} was lost")
                record_again(connection, product, before)
                product.commit()
        except ClaimLostError:
            self._take_what_is_there(node, before.derivation_key)
            return
        except BaseException:
            claim.release()
            raise
        log.info("recalled %s %s", _title(node), product.object_id)
        self._settle_new(node, product)

    def _settle_new(self, node: Node, product: Any) -> None:
        self.made.append(product)
        self._made.add(id(node))
        if product.quality_flags:
            self._settle_judged(node, product, select(node.cls, node.keys))
        else:
            self.results[id(node)] = product

    def _is_settled(self, node: Node, key: str) -> bool:
        """Whether what making would give is there already, good or bad."""
        best = select(node.cls, node.keys)
        for stored in (best, node.existing):
            if stored is not None and usable(stored) and self._serves(stored, node, key):
                self.results[id(node)] = stored
                return True
        judged = self._judged_bad(node, key)
        if judged is not None:
            self._settle_judged(node, judged, best)
        return judged is not None

    def _missing(self, node: Node) -> tuple[str, ...]:
        """What a node cannot be made for want of."""
        if not node.missing and node.cls.check_preconditions(self._inputs(node)):
            return tuple(each for i in node.children() if i.is_out_of_reach for each in i.missing)
        return node.missing

    def _inputs(self, node: Node) -> dict[str, Any]:
        """What a node is made from, by role; None where it does without."""
        return {name: self._resolved(given) for name, given in node.inputs.items()}

    def _resolved(self, given: Any) -> Any:
        if not isinstance(given, Node):
            return given
        return None if given.is_out_of_reach else self.results[id(given)]

    def _serves(self, best: Any, node: Node, key: str) -> bool:
        """Whether a stored product is what making it now would give."""
        qc = parameters(node.cls, "qc")
        same_limits = all(getattr(best, name) == node.parameters[name] for name in qc)
        bytes_there = not best.filename or self.session.archive.store.has(best.filename)
        return bool(best.derivation_key == key and same_limits and bytes_there)

    def _judged_bad(self, node: Node, key: str) -> Any:
        """An identical product that a person or the system found fault with, under the same limits."""
        same = node.cls.derivation_key == key
        for product in same.order_by("-creation_date"):
            limits = parameters(node.cls, "qc")
            if not usable(product) and all(getattr(product, n) == node.parameters[n] for n in limits):
                return product
        return None

    def _settle_judged(self, node: Node, judged: Any, best: Any) -> None:
        """A faulty product is an error where its limits were asked for or there is nothing else."""
        if best is not None and not node.given & set(parameters(node.cls, "qc")):
            self.results[id(node)] = best
            return
        why = ", ".join(flag_names(type(judged), judged.quality_flags)) or "judged bad by a person"
        text = f"{_title(node)} was found faulty: {why}; change its inputs or parameters"
        self.failed[id(node)] = RecipeError(text)

    def _submit(self, node: Node, key: str, claim: Claim, inputs: dict[str, Any]) -> None:
        try:
            target = self.session.archive.store.aside(".fits")
            order = work_order(self.session, node, inputs, target)
            started, began_s = self.session.archive.clock(), time.monotonic()
            self._jobs[self.workers.submit(order)] = _Job(node, key, claim, order, started, began_s)
        except DataLostError as error:
            claim.release()
            self.failed[id(node)] = error
        except BaseException:
            claim.release()
            raise

    def _collect(self, waits: bool) -> None:
        if not self._jobs:
            if waits:
                time.sleep(POLL_S)
            return
        done, _ = wait(self._jobs, timeout=POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            job = self._jobs.pop(future)
            self._took_s[id(job.node)] = time.monotonic() - job.began_s
            self._finish(job, future)

    def _finish(self, job: _Job, future: "Future[Made]") -> None:
        try:
            made = future.result()
        except BrokenProcessPool:
            self._again(job)
            return
        except ValueError as error:
            job.claim.release()
            self._fail(job, str(error))
            return
        except BaseException:
            job.claim.release()
            raise
        crash.reach(COMPUTED)
        self._keep(job, made)

    def _fail(self, job: _Job, reason: str) -> None:
        name, who = job.node.cls.__name__, self.session.caller.user
        remember_failure(self.session.archive, job.key, name, who, reason)
        self.failed[id(job.node)] = RecipeError(f"{_title(job.node)}: {reason}")

    def _again(self, job: _Job) -> None:
        """A worker was killed: the job is run again, a few times."""
        if job.tries >= TRIES:
            job.claim.release()
            self._fail(job, f"its process was killed {TRIES} times")
            return
        log.warning("a worker was lost while making %s; trying again", _title(job.node))
        job.order.target.unlink(missing_ok=True)
        self._jobs[self.workers.submit(job.order)] = replace(job, tries=job.tries + 1)

    def _keep(self, job: _Job, made: Made) -> None:
        node = job.node
        inputs = self._inputs(node)
        assert made.effort is not None, "workers measure what they do"
        try:
            product = new_object(self.session, node, inputs, job.key, made)
            with self.session.transaction() as connection:
                if not job.claim.release(connection):
                    raise ClaimLostError(f"the right to make {_title(node)} was lost")
                record(connection, product, made.effort, job.started, self.session.archive.clock())
                node.cls.keep(product, made.table, connection)
                forget_failure(connection, job.key)
                product.commit()
        except ClaimLostError:
            log.warning("%s took too long: somebody else has made it", _title(node))
            self._take_what_is_there(node, job.key)
            return
        except BaseException:
            job.claim.release()
            raise
        log.info("made %s %s", _title(node), product.object_id)
        self._settle_new(node, product)

    def _take_what_is_there(self, node: Node, key: str) -> None:
        if not self._is_settled(node, key):
            self.failed[id(node)] = RecipeError(f"{_title(node)} could not be kept; ask again")


def _title(node: Node) -> str:
    return f"{node.cls.__name__} of {node.keys}"


def workers_of(session: Session) -> Workers:
    """The archive's own workers, started when first needed."""
    archive = session.archive
    make: Callable[[], Workers] = lambda: Workers(archive.config.workers)  # noqa: E731
    workers: Workers = archive.resource("workers", make)
    return workers
