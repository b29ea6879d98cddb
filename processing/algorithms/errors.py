"""Why does a recipe refuse its inputs?

All are `ValueError`; whoever runs the recipe turns them into the archive's own error with the target's name.
"""


class AlgorithmError(ValueError):
    """Root of all refusals; the message says what was given and what was expected."""


class TooFewFramesError(AlgorithmError):
    """Fewer frames were given than the recipe can work with."""


class ShapeError(AlgorithmError):
    """Arrays that must have one shape have several, or an image is not two-dimensional."""


class SectionError(AlgorithmError):
    """A section of the detector is empty, lies outside the image or does not fit the other sections."""


class ParameterError(AlgorithmError):
    """A process parameter has a value that has no meaning."""


class NoGoodPixelsError(AlgorithmError):
    """Every pixel is masked or not a number, so there is nothing to measure."""


class NotEnoughLightError(AlgorithmError):
    """The exposure is too faint for what is to be measured from it."""


class NothingDetectedError(AlgorithmError):
    """No source was found where the recipe cannot go on without one."""


class TooCrowdedError(AlgorithmError):
    """Source extraction ran into its bound on pixels or on overlapping sources."""


class NoWcsError(AlgorithmError):
    """The header describes no celestial world coordinate system."""
