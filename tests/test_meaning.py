"""Does an attribute say what it means, to ``help()`` and ``dir()`` of any Python?"""

import pydoc

from datamodel.query import Path
from processing.bias_frame import BiasFrame
from processing.reduced_science_frame import ReducedScienceFrame


def test_help_says_what_an_attribute_is_declared_to_be() -> None:
    text = pydoc.render_doc(ReducedScienceFrame.flat.imstat.stdev, renderer=pydoc.plaintext)
    assert "ReducedScienceFrame.flat.imstat.stdev: Standard deviation of the pixels" in text
    assert "Unit     adu" in text
    planned = pydoc.render_doc(ReducedScienceFrame.cold_pixels, renderer=pydoc.plaintext)
    assert "Planned  if inputs exist; null where what it is made from does not exist" in planned
    assert pydoc.getdoc(Path).startswith("An attribute of a class, or of what it links to")
    of_class = pydoc.render_doc(BiasFrame, renderer=pydoc.plaintext)
    assert "Master bias of a chip (541)." in of_class
    assert "SIGMA_CLIP = <BiasFrame.SIGMA_CLIP: Clipping of outliers" in of_class


def test_the_names_on_a_path_are_those_of_what_it_leads_to() -> None:
    assert {"imstat", "like", "chip"} <= set(dir(ReducedScienceFrame.flat))
    assert "imstat" not in dir(ReducedScienceFrame.flat.imstat.stdev)
