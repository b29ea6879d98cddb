"""How long does it take, and is that good enough?"""

import time
from collections.abc import Callable
from dataclasses import dataclass


def best_s(run: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some runs in seconds: what the machine can do when nothing disturbs it."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


@dataclass(frozen=True)
class Target:
    """A measured value and the floor that it must not fall under."""

    name: str
    value: float
    floor: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the value is at least the floor."""
        return self.value >= self.floor

    def __str__(self) -> str:
        verdict = "PASS" if self.met else "FAIL"
        return f"{verdict}  {self.name}: {self.value:.4g} {self.unit} (at least {self.floor:g})"


def verdict(*targets: Target) -> int:
    """Print each target; the exit code is 0 only where all are met."""
    for target in targets:
        print(target)
    return 0 if all(target.met for target in targets) else 1
