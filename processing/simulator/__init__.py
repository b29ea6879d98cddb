"""A simulated wide-field camera looking at a real sky; for the demo and the tests only."""

from processing.simulator.plan import Exposure, Night, SurveyPlan, exposures
from processing.simulator.survey import write_exposure, write_survey

__all__ = ["Exposure", "Night", "SurveyPlan", "exposures", "write_exposure", "write_survey"]
