"""How are measured figures printed, each with what it is to be compared with, and kept to be judged?"""

from bench.timing import Target


class Figures:
    """The figures of one kind of database.

    Parameters
    ----------
    kind
        Of the database; begins every line.

    Attributes
    ----------
    kind
        The same.
    targets
        What is judged in the end.
    """

    def __init__(self, kind: str) -> None:
        self.targets: list[Target] = []
        self.kind = kind

    def say(self, name: str, value: float, unit: str, **references: float) -> None:
        """Print a figure, and how many times each reference it is; names of these have ``_`` for spaces."""
        told = [
            f"{reference.replace('_', ' ')} {other:.4g} {unit}, {value / other:.3g} times"
            for reference, other in references.items()
        ]
        print("; ".join([f"{self.kind:10} {name}: {value:.4g} {unit}", *told]), flush=True)

    def at_most(self, name: str, value: float, must: float, unit: str) -> None:
        """Have a figure judged that has to be small."""
        told = f"{self.kind}, {name}: {value:.4g} {unit}, must be under {must:g}; margin"
        self.targets.append(Target(told, must / value if value else float("inf"), 1.0, "times"))

    def at_least(self, name: str, value: float, must: float) -> None:
        """Have a figure judged that has to be great."""
        self.targets.append(Target(f"{self.kind}, {name}", value, must))
