"""What does a request ask of a job, or of the list of jobs? Every usage error of UWS 1.1 is raised here."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.jobs import PHASES
from vo_server.dali import Parameters, shown

LONGEST_WAIT_S = 60.0
"""How long a request may wait for a change, whatever it asks for."""

OWN = ("PHASE", "ACTION", "WAIT", "DESTRUCTION", "EXECUTIONDURATION")
"""Parameters that say what to do with a job, and are none of the job's own."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class Wanted:
    """Which jobs a list shall have; see `datamodel.jobs.listed`."""

    phases: tuple[str, ...]
    after: datetime | None
    last: int | None


@dataclass(frozen=True)
class Wait:
    """For how many seconds a request waits, and in which phase the job must be for that (None: in any)."""

    seconds: float
    phase: str | None


def wanted(parameters: Parameters) -> Wanted:
    """The filters of a list (UWS 1.1 section 2.2.2.1)."""
    phases = tuple(_phase(value) for value in parameters.all("PHASE"))
    after, last = parameters.one("AFTER"), parameters.one("LAST")
    number = None if last is None else _whole("LAST", last)
    if number is not None and number < 1:
        raise UsageError(f"LAST is {shown(last or '')}, expected a number of jobs, 1 or more")
    return Wanted(phases, None if after is None else instant("AFTER", after), number)


def wait(parameters: Parameters) -> Wait:
    """How long to wait for a change of phase; -1 is as long as may be (UWS 1.1 section 2.2.1.1)."""
    text, phase = parameters.one("WAIT"), parameters.one("PHASE")
    seconds = 0 if text is None else _whole("WAIT", text)
    if seconds < -1:
        raise UsageError(
            f"WAIT is {shown(text or '')}, expected a number of seconds, or -1 for as long as may be"
        )
    longest = LONGEST_WAIT_S if seconds == -1 else min(float(seconds), LONGEST_WAIT_S)
    return Wait(longest, None if phase is None else _phase(phase))


def command(parameters: Parameters) -> str | None:
    """``RUN``, ``ABORT`` or None where there is no PHASE."""
    text = parameters.one("PHASE")
    if text is not None and text.upper() not in ("RUN", "ABORT"):
        raise UsageError(f"PHASE is {shown(text)}, expected RUN or ABORT")
    return None if text is None else text.upper()


def deletes(parameters: Parameters) -> bool:
    """Whether ACTION=DELETE is given, which is the only action that there is."""
    text = parameters.one("ACTION")
    if text is not None and text.upper() != "DELETE":
        raise UsageError(f"ACTION is {shown(text)}, expected DELETE")
    return text is not None


def duration(text: str, config: Config) -> int:
    """Seconds that a job may run, within the limit; 0 asks for as long as may be."""
    seconds = _whole("EXECUTIONDURATION", text)
    if seconds < 0:
        raise UsageError(f"EXECUTIONDURATION is {shown(text)}, expected a number of seconds, 0 for no limit")
    return min(seconds or config.job_seconds_limit, config.job_seconds_limit)


def destruction(text: str, created: datetime, config: Config) -> datetime:
    """When a job is to be deleted, within the limit."""
    return min(instant("DESTRUCTION", text), created + timedelta(days=config.job_days_limit))


def own(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """What belongs to the job itself."""
    return tuple((name, value) for name, value in parameters.values if name not in OWN)


def instant(name: str, text: str) -> datetime:
    """An instant in ISO 8601, in UTC where it names no zone; naive UTC."""
    try:
        read = datetime.fromisoformat(text.strip())
        return read if read.tzinfo is None else read.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{name} is {shown(text)}, expected an instant in UTC such as 2026-01-31T12:00:00Z"
        ) from None


def _phase(text: str) -> str:
    if text.upper() not in PHASES:
        raise UsageError(f"PHASE is {shown(text)}, expected one of {', '.join(PHASES)}")
    return text.upper()


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text.strip()) or not text.isascii():
        raise UsageError(f"{name} is {shown(text)}, expected a whole number")
    return int(text)
