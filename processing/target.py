"""`ProcessTarget`: a persistent object that can be made; ask for it and it is.

``HotPixelMap.get(date='2003-02-14', chip='A5382')`` gives the stored one if it exists and is up to
date, else makes it, and first whatever it needs.
"""

from typing import Any

from datamodel import pinning
from datamodel.context import NEWEST
from datamodel.errors import NotFoundError, UsageError
from datamodel.persistent import persistent
from datamodel.session import current
from datamodel.standings import NOT_CHECKED
from datamodel.state import Restricted
from processing import standing
from processing.activity import look
from processing.asking import ask, keys_of_group, looking
from processing.claims import Progress
from processing.costs import price
from processing.execute import Execution, workers_of
from processing.impact import Impact, impact
from processing.keys import Keys, is_displaced, keys_of_raw
from processing.node import FLAGGED, INVALID, Node, status_of
from processing.plan import Depth, Planner, depth_of
from processing.quality import Quality
from processing.reasons import Reason, of_bytes, of_judgements
from processing.rejudging import judged_again
from processing.selection import EXACT, Choice, Demands, best_id_like, choose, with_compatibility
from processing.site import instruments_of
from processing.timeline import Timeline, timeline
from processing.upkeep import catch_up
from processing.work import Product


class ProcessTarget(Quality):
    """Mixin of all classes whose objects can be made.

    A class declares its roles and parameters, and three pure functions: `make`, `verify` and `compare`.
    """

    needs_filter = False
    """Whether the filter is one of the keys."""

    recallable = True
    """Whether a product that was made before can be kept again without its recipe: it has no rows of its own."""

    libraries: tuple[str, ...] = ()
    """Distributions that compute, beside those that its recipe names: another version makes it outdated."""

    of_exposure = False
    """Whether it belongs to one raw exposure; else it is a calibration with a validity in time."""

    process_status = persistent(
        "What was done: bits 1 made, 2 verified, 4 compared, 8 inspected", "INTEGER", 0, mutable=True
    )
    derivation_key = persistent("Digest of all it was derived from", str, indexed=True)
    recipe_digest = persistent("Digest of the code that made it", str)
    parameters_given = persistent("Parameters that were set on purpose, separated by spaces", str, "")
    selection_grades = persistent("How each input was chosen, as a JSON object by role", str, "")
    selection_grade = persistent(
        "How the least trusted of all that it was made from was chosen: exact, eclipsing, favourite or "
        "fallback-forever",
        str,
        EXACT,
    )
    selection_policy = persistent("The policy by which its inputs were chosen", str, NEWEST)

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

    @classmethod
    def forgives(cls, reason: Reason, product: Any) -> bool:
        """Whether a product stays up to date in spite of a reason."""
        return False

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
            chip name), ``filter``, or ``raw`` (an exposure); ``compatibility`` (what its raw frames have in common,
            such as ``{'binning': '2x2'}``); process parameters by name; and the options of choosing: ``as_of`` (the
            best as it was at that instant; then nothing is made), ``policy`` (one of
            `datamodel.context.POLICIES`), ``allow_forever=False`` (no calibration that is valid for ever), ``depth``
            (how many levels of what it is made from are looked at and made: 0, 1, ...; ``pipeline`` takes
            calibrations as they are).

        Raises
        ------
        UsageError
            A key is unknown, missing or ambiguous; the message lists the candidates.
        NotFoundError
            There was none at the instant that was asked for.
        MissingInputError
            It cannot be made: raw frames are lacking.
        RecipeError
            A recipe refused its inputs.
        """
        depth = depth_of(keys.pop("depth", None))
        with looking(keys) as (rest, demands):
            session = current()
            if session.caller.as_of is not None:
                return cls._as_it_was(rest, demands)
            execution = Execution(session, workers_of(session), progress)
            product = execution.run(cls._planned(rest, demands, depth))
            if execution.made:
                catch_up(session)
            return product

    @classmethod
    def _as_it_was(cls, given: dict[str, Any], demands: Demands) -> Any:
        """What was best at the instant from which the caller looks back."""
        asked, _ = ask(cls, given)
        asked = with_compatibility(cls, asked).for_class(cls)
        choice = choose(cls, asked, demands)
        if choice is None:
            instant = current().caller.as_of
            assert instant is not None
            raise NotFoundError(f"as of {instant.isoformat()} there was no {cls.__name__} of {asked}")
        return choice.winner

    @classmethod
    def exist(cls, **keys: Any) -> bool:
        """Whether there is a usable object for these keys."""
        return cls.choose(**keys) is not None

    @classmethod
    def select(cls, **keys: Any) -> Any:
        """The best stored object for these keys, or None; never makes one."""
        choice = cls.choose(**keys)
        return None if choice is None else choice.winner

    @classmethod
    def choose(cls, **keys: Any) -> Choice | None:
        """The best stored object for these keys with how it was chosen, or None; never makes one.

        The keys and options are those of `get`; with ``only_good=False`` one that the system found fault with
        will do.
        """
        with looking(keys) as (rest, demands):
            asked, _ = ask(cls, rest)
            return choose(cls, with_compatibility(cls, asked).for_class(cls), demands)

    @classmethod
    def plan(cls, **keys: Any) -> Node:
        """What `get` would do, as a tree with statuses and reasons."""
        depth = depth_of(keys.pop("depth", None))
        with looking(keys) as (rest, demands):
            node = cls._planned(rest, demands, depth)
            look(current(), node)
            price(node)
            return node

    @classmethod
    def _planned(cls, given: dict[str, Any], demands: Demands, depth: Depth) -> Node:
        if not demands.only_good:
            raise UsageError(
                "only_good=False is for select and choose: what the system flagged is made again"
            )
        asked, overrides = ask(cls, given)
        planner = Planner(instruments_of(current().archive), overrides, demands, depth)
        return planner.node(cls, with_compatibility(cls, asked))

    def why(self, depth: Depth = None) -> tuple[Reason, ...]:
        """The reasons why it must be made again; empty when it is up to date.

        Parameters
        ----------
        depth
            How many levels of what it is made from are looked at: 0, 1, ...; ``pipeline`` passes over
            calibrations; None for all.
        """
        if depth_of(depth) is None and (kept := standing.kept(current(), self)) is not None:
            return (*kept, *of_bytes(self))
        if self.is_displaced:
            this: Any = self
            return (*of_judgements(type(this), this.is_valid, this.quality_flags), *of_bytes(this))
        return self._node(depth).reasons

    def impact(self, **changes: Any) -> Impact:
        """What a change such as ``is_valid=0`` would make outdated, as one sees it; nothing is changed.

        Raises
        ------
        UsageError
            There is no such attribute, or it cannot be changed.
        ForbiddenError
            The caller may not change it.
        """
        return impact(current(), self, **changes)

    def uptodate(self, depth: Depth = None) -> bool:
        """Whether making it again would change nothing: no reason, at any level or down to a depth."""
        return not self.why(depth)

    def status(self, depth: Depth = None) -> str:
        """One of `processing.node.STATUSES`, or ``eclipsed`` (a newer one is used in its place)."""
        status = self.status_for(self.why(depth))
        if status in (INVALID, FLAGGED) or self.is_displaced:
            return status
        best = best_id_like(self)
        this: Any = self
        return status if best in (None, this.object_id) else "eclipsed"

    def status_for(self, reasons: tuple[Reason, ...]) -> str:
        """How it stands for the reasons that `why` gave, not counting newer ones."""
        return NOT_CHECKED if not reasons and self.is_displaced else status_of(reasons)

    @property
    def is_displaced(self) -> bool:
        """Whether what it belongs to is hidden from the caller: its exposure, or the instrument, chip or filter.

        It has no plan for the caller then, and what is wrong with it is seen as far as it lies in itself.
        """
        this: Any = self
        place = this.raw if self.of_exposure else this
        if place is None or isinstance(place, Restricted):
            return place is not None
        return is_displaced(place)

    def verify_again(self, **limits: Any) -> Any:
        """Judge it by the limits of today, or by these, without making it.

        Gives a new object with the same content where the limits or the verdict differ, else this one; a verdict
        that is worse is no error.

        Raises
        ------
        UsageError
            One of the names is not that of a limit, or the class cannot be judged without being made.
        """
        again = judged_again(current(), self, limits)
        if again is not self:
            catch_up(current())
        return again

    def _node(self, depth: Depth = None) -> Node:
        planner = Planner(instruments_of(current().archive), depth=depth_of(depth))
        return planner.node_of(self, self.own_keys())

    def own_keys(self) -> Keys:
        """The keys it was made for.

        Raises
        ------
        NotFoundError
            What it belongs to is hidden from the caller.
        """
        this: Any = self
        if self.is_displaced:
            raise NotFoundError(
                f"what the {type(this).__name__} {this.object_id} belongs to is not public: it has no plan"
            )
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

    def check_values(self) -> None:
        """Refuse a validity that ends before it begins.

        Raises
        ------
        UsageError
            It does.
        """
        start, end = self.timestamp_start, self.timestamp_end
        if start is not None and end is not None and end < start:
            raise UsageError(f"{type(self).__name__}: its validity ends {end}, before it begins, {start}")
        super().check_values()  # type: ignore[misc]  # of the class that it is mixed into

    @classmethod
    def timeline(cls, **keys: Any) -> Timeline:
        """When which of the stored ones is used: the eclipsing of all that have these keys.

        Parameters
        ----------
        **keys
            Those of `get` without ``date``, and its options; process parameters by name narrow to those made with
            them. ``compatibility`` is needed where there are calibrations of several.

        Raises
        ------
        UsageError
            A key is unknown, missing or ambiguous; the message lists the candidates.
        """
        with looking(keys) as (rest, demands):
            return timeline(cls, keys_of_group(cls, rest), demands)

    def pin(self) -> None:
        """Have the current project prefer it to all others, until `unpin`; recorded with who and when."""
        pinning.pin(current(), self)

    def unpin(self) -> None:
        """End the preference of the current project."""
        pinning.unpin(current(), self)
