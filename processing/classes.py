"""Every persistent class and table of a complete archive: import this before one is opened."""

from datamodel import jobs, making, observations, provenance, sources, unique_names
from datamodel.comments import Comment
from datamodel.frames import (
    RawBiasFrame,
    RawDarkFrame,
    RawDomeFlatFrame,
    RawScienceFrame,
    RawTwilightFlatFrame,
)
from datamodel.standings import STANDING_TABLES
from processing.activity import failure
from processing.bias_frame import BiasFrame
from processing.claims import claim
from processing.cold_pixel_map import ColdPixelMap
from processing.cosmic_map import CosmicMap
from processing.defaults import default_value
from processing.dome_flat_frame import DomeFlatFrame
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.quality_delivery import qc_delivery
from processing.read_noise import ReadNoise
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.twilight_flat_frame import TwilightFlatFrame
from processing.waivers import waiver
from processing.weight_frame import WeightFrame

RAW_CLASSES = (RawBiasFrame, RawDarkFrame, RawDomeFlatFrame, RawTwilightFlatFrame, RawScienceFrame)

OTHER_CLASSES = (Comment,)
"""Classes that nothing here names, but that an archive has."""

TARGET_CLASSES = (
    ReadNoise,
    BiasFrame,
    HotPixelMap,
    DomeFlatFrame,
    ColdPixelMap,
    TwilightFlatFrame,
    MasterFlatFrame,
    CosmicMap,
    ReducedScienceFrame,
    WeightFrame,
    SourceList,
)

LISTED_CLASSES = (ReducedScienceFrame, SourceList)
"""The products that ObsCore lists for every exposure they can be made of."""

TABLES = [
    claim,
    failure,
    waiver,
    default_value,
    jobs.job,
    making.making,
    observations.cover,
    observations.edges,
    observations.listing_state,
    observations.observation,
    *STANDING_TABLES,
    provenance.activity,
    provenance.recipe,
    qc_delivery,
    sources.counter,
    sources.source,
    sources.source_owner,
    unique_names.unique_name,
]
"""The tables that hold something else than objects."""
