"""Does `tell_me_everything` tell of a product all there is, down to the code that made it?"""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.provenance import activities_of, activity, recipe
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.hot_pixel_map import HotPixelMap
from processing.recipe import recipe_digest
from processing.waivers import revoke, waive
from vo_server.awe_telling import tell_me_everything

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


def test_everything_is_told_of_a_product(session: Session) -> None:
    hot = HotPixelMap.get(**NIGHT, **{"BiasFrame.SIGMA_CLIP": 2.5})
    out = io.StringIO()
    tell_me_everything(hot, out)
    text, lines = out.getvalue(), [line.strip() for line in out.getvalue().splitlines()]
    bias, raws = hot.bias, hot.bias.raw_bias_frames
    assert text.startswith(f"<HotPixelMap {hot.object_id}>\n")
    for each in (hot, bias, bias.read_noise, *raws, hot.chip, hot.chip.instrument):
        named = [line for line in lines if line.endswith(repr(each))]
        assert len(named) == 1, each
    assert "parameter SIGMA_CLIP = 2.5 (set on purpose)" in lines
    assert f"parameter THRESHOLD = {hot.THRESHOLD}" in text
    for each in (hot, bias, *raws):
        assert f"file: {each.filename}, {each.file_size} byte, SHA-256 {each.file_sha256}" in lines
    making = activities_of(session, [hot.object_id])[hot.object_id]
    assert any(
        line.startswith(f"made: on {making.host} by {making.account} in process {making.pid}")
        for line in lines
    )
    assert f"numpy {making.versions['numpy']}" in text
    assert "quality: good (is_valid 1), flags none" in lines
    assert f"created {hot.creation_date.isoformat(' ', 'seconds')} UTC by {hot._creator} in project" in text
    assert "valid from 2003-02-14 " in text
    assert text.count(f"recipe of BiasFrame: {recipe_digest(BiasFrame)}") == 1
    assert (
        "        return Product(image=clipped_mean(frames, sigma=parameters.SIGMA_CLIP).mean)"
        in text.replace("    def", "def")
    )


def test_code_that_has_changed_since_is_told_as_it_was(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    bias = BiasFrame.get(**NIGHT)
    monkeypatch.setattr("vo_server.awe_telling.recipe_digest", lambda _cls: "another")
    out = io.StringIO()
    tell_me_everything(bias, out)
    assert f"recipe: {bias.recipe_digest} (the code has changed since)" in out.getvalue()
    monkeypatch.setattr("processing.waivers.recipe_digest", lambda _cls: "of today")
    number = waive(session, BiasFrame, bias.recipe_digest, "only its formatting changed")
    revoke(session, number)
    tell_me_everything(bias, out)
    waived = f"waived: {bias.recipe_digest[:16]} and of today give the same, says {session.caller.user} on "
    (line,) = [line for line in out.getvalue().splitlines() if line.startswith(waived)]
    assert f"UTC: only its formatting changed; revoked by {session.caller.user} on " in line
    assert "clipped_mean(frames, sigma=parameters.SIGMA_CLIP)" in out.getvalue()
    with session.transaction() as connection:
        connection.execute(sa.delete(activity))
        connection.execute(sa.delete(recipe))
    out = io.StringIO()
    tell_me_everything(bias, out)
    assert "made: how was not recorded" in out.getvalue()
    assert "of which the code was not kept" in out.getvalue()


@pytest.mark.thorough
def test_a_file_that_awe_runs_asks_plots_and_tells(observatory: Archive, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("""
targethot = HotPixelMap.get(date='2003-02-14', chip='A5382')
q = (RawBiasFrame.chip.name == 'A5382') and (RawBiasFrame.EXPTIME < 1)
pylab.scatter([k.EXPTIME for k in q], [k.chip.gain for k in q])
pylab.savefig('plot.png')
tell_me_everything(targethot)
""")
    at = {"VO_ARCHIVE": str(observatory.config.archive), "VO_DATABASE_URL": observatory.config.database_url}
    environment = os.environ | at | {"VO_WORKERS": "1", "VO_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "vo_server.awe", "script.py"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "recipe of HotPixelMap" in ran.stdout
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
