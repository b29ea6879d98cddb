"""`ProcessTarget`: a persistent object that can be made; ask for it and it is.

``HotPixelMap.get(date='2003-02-14', chip='A5382')`` gives the stored one if it exists and is up to
date, else makes it, and first whatever it needs.
"""

from typing import Any

from datamodel.persistent import persistent
from datamodel.session import current
from processing.asking import ask
from processing.claims import Progress
from processing.execute import Execution, workers_of
from processing.keys import Keys, keys_of_raw
from processing.listing import refresh
from processing.plan import Node, Planner
from processing.reasons import Reason
from processing.selection import select, with_compatibility
from processing.site import instruments_of
from processing.work import Product


class ProcessTarget:
    """Mixin of all classes whose objects can be made.

    A class declares its roles and parameters, and three pure functions: `make`, `verify` and `compare`.
    """

    needs_filter = False
    """Whether the filter is one of the keys."""

    of_exposure = False
    """Whether it belongs to one raw exposure; else it is a calibration with a validity in time."""

    process_status = persistent("What was done: bits 1 made, 2 verified, 4 compared", "INTEGER", 0)
    derivation_key = persistent("Digest of all it was derived from", str, indexed=True)
    recipe_digest = persistent("Digest of the code that made it", str)
    parameters_given = persistent("Parameters that were set on purpose, separated by spaces", str, "")

    @staticmethod
    def make(inputs: Any, parameters: Any) -> Product:
        """Compute the product from its inputs; pure: no look-ups, no choices."""
        raise NotImplementedError

    @staticmethod
    def verify(values: dict[str, Any], parameters: Any) -> set[str]:
        """The names of the quality flags that the product raises against its limits."""
        return set()

    @staticmethod
    def compare(values: dict[str, Any], previous: dict[str, Any] | None, parameters: Any) -> set[str]:
        """The names of the quality flags that the difference to the version before raises."""
        return set()

    @staticmethod
    def check_preconditions(inputs: dict[str, Any]) -> str:
        """What is lacking among the planned inputs taken together; empty when nothing is."""
        return ""

    @staticmethod
    def keep(product: Any, table: Any, connection: Any) -> None:
        """Add rows of a catalogue in the transaction that keeps the product, just before it is committed."""

    @classmethod
    def get(cls, *, progress: Progress | None = None, **keys: Any) -> Any:
        """The best object for these keys, made if it does not exist or is not up to date.

        Parameters
        ----------
        progress
            Told of each step.
        **keys
            ``date`` (a night ``'2003-02-14'`` or an instant), ``chip``, ``instrument`` (taken from a unique
            chip name), ``filter``, or ``raw`` (an exposure); process parameters by name.

        Raises
        ------
        UsageError
            A key is unknown, missing or ambiguous; the message lists the candidates.
        MissingInputError
            It cannot be made: raw frames are lacking.
        RecipeError
            A recipe refused its inputs.
        """
        session = current()
        execution = Execution(session, workers_of(session), progress)
        product = execution.run(cls.plan(**keys))
        if execution.made:
            refresh(session)
        return product

    @classmethod
    def exist(cls, **keys: Any) -> bool:
        """Whether there is a usable object for these keys."""
        return cls.select(**keys) is not None

    @classmethod
    def select(cls, **keys: Any) -> Any:
        """The best stored object for these keys, or None; never makes one."""
        asked, _ = ask(cls, keys)
        return select(cls, with_compatibility(cls, asked).for_class(cls))

    @classmethod
    def plan(cls, **keys: Any) -> Node:
        """What `get` would do, as a tree with statuses and reasons."""
        asked, overrides = ask(cls, keys)
        planner = Planner(instruments_of(current().archive), overrides)
        return planner.node(cls, with_compatibility(cls, asked))

    def why(self) -> tuple[Reason, ...]:
        """The reasons why it must be made again; empty when it is up to date."""
        return self._node().reasons

    def uptodate(self) -> bool:
        """Whether making it again would change nothing: no reason, at any depth."""
        return not self.why()

    def status(self) -> str:
        """``ok``, ``outdated`` or ``eclipsed`` (a newer one is used in its place)."""
        best = select(type(self), self.own_keys().for_class(type(self)))
        return self._node().status if best is None or best is self else "eclipsed"

    def _node(self) -> Node:
        planner = Planner(instruments_of(current().archive))
        return planner.node_of(self, self.own_keys())

    def own_keys(self) -> Keys:
        """The keys it was made for."""
        this: Any = self
        if self.of_exposure:
            return keys_of_raw(this.raw)
        return Keys(
            this.instrument, this.chip, this.filter, this.date_obs, compatibility=this.compatibility or ""
        )


class CalibrationTarget(ProcessTarget):
    """Mixin of targets that are valid for an interval of time."""

    date_obs = persistent("Midnight of the night it was made for (UTC)", "TIMESTAMP", ucd="time.epoch")
    compatibility = persistent("What its raw frames have in common, as a JSON object", str, "")
    timestamp_start = persistent(
        "Start of its validity (UTC)", "TIMESTAMP", ucd="time.start", indexed=True, mutable=True
    )
    timestamp_end = persistent(
        "End of its validity, not included (UTC)", "TIMESTAMP", ucd="time.end", indexed=True, mutable=True
    )
