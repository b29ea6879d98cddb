"""Are rows read that stand in a VOTable as a FITS file, and refused where they are not as its FIELDs say?"""

import base64
import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from datamodel.errors import UsageError
from tests.readings import read_columns


def table(format, values, **cards):
    made = fits.BinTableHDU.from_columns([fits.Column(name="x", format=format, array=np.array(values))])
    made.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), made]).writeto(content := io.BytesIO())
    return content.getvalue()


def votable(field, content, attributes="", stream='encoding="base64"'):
    data = f"<FITS {attributes}><STREAM {stream}>{base64.b64encode(content).decode()}</STREAM></FITS>"
    field = f'<FIELD name="x" {field}/>'
    return f"<VOTABLE><RESOURCE><TABLE>{field}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>".encode()


NUMBERS = table("J", [1, -9], TNULL1=-9)
LISTS = table("3J", [[1, 2, -9], [-9, -9, -9]], TNULL1=-9)
PAIRS = table("2D", [[1.0, 2.0], [np.nan, np.nan]])
TEXTS = table("6A", ["hello", "x"])
TIMES = table("20A", ["2020-01-02T03:04:05Z", ""])
TRUTHS = table("4L", [[True, False, True, False], [True] * 4])
UNKNOWN = TRUTHS.replace(b"TFTFTTTT", b"TFTFTT\0T")
BYTES = table("B", [1, 9])

ARE = {
    "numbers": ('datatype="int"', NUMBERS, [1, None]),
    "numbers of a packed file": ('datatype="int"', gzip.compress(NUMBERS), [1, None]),
    "arrays": ('datatype="int" arraysize="3"', LISTS, [[1, 2, None], None]),
    "points": ('datatype="double" arraysize="2" xtype="point"', PAIRS, [[1.0, 2.0], None]),
    "texts": ('datatype="char" arraysize="*"', TEXTS, ["hello", "x"]),
    "times": ('datatype="char" arraysize="*" xtype="timestamp"', TIMES, ["2020-01-02T03:04:05.000000", None]),
    "bits": ('datatype="bit" arraysize="4"', TRUTHS, [[True, False, True, False], [True] * 4]),
    "truths": ('datatype="boolean" arraysize="*"', UNKNOWN, [[True, False] * 2, [True, True, None, True]]),
}


@pytest.mark.parametrize("case", ARE)
def test_the_rows_are_those_of_the_fits_file(case):
    field, content, expected = ARE[case]
    assert read_columns(votable(field, content))[1]["x"] == expected


@pytest.mark.parametrize("attributes", ["", 'extnum=""', 'extnum="1"', 'extnum=" 1 "'])
def test_the_extension_is_that_which_is_meant(attributes):
    assert read_columns(votable('datatype="int"', NUMBERS, attributes))[1]["x"] == [1, None]


REFUSED = {
    "another datatype": ('datatype="long"', NUMBERS, "which has int"),
    "arrays of another length": (
        'datatype="int" arraysize="2"',
        LISTS,
        "an arraysize of '2' allows, found 3",
    ),
    "points of one number": ('datatype="double" arraysize="3" xtype="circle"', PAIRS, "'3' allows, found 2"),
    "longer texts": ('datatype="char" arraysize="3"', TEXTS, "at most 3 characters.*'hello'"),
    "times that are none": (
        'datatype="char" arraysize="*" xtype="timestamp"',
        TEXTS,
        "a time such as.*'hello'",
    ),
    "bits that are undefined": ('datatype="bit" arraysize="4"', UNKNOWN, "bits, each 0 or 1"),
    "a bit of nine": ('datatype="bit"', BYTES, "a bit, 0 or 1, found 9"),
    "no FITS": ('datatype="int"', b"<VOTABLE/>", "breaks off within a header"),
    "nothing": ('datatype="int"', b"", "no binary table"),
    "a part": ('datatype="int"', NUMBERS[:5765], "breaks off after 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_fits_file_that_is_not_as_the_votable_says_is_refused(case):
    field, content, told = REFUSED[case]
    with pytest.raises(UsageError, match=told):
        read_columns(votable(field, content))


@pytest.mark.parametrize("number", ["0", "7", "-1", "one", "1.5", "9" * 5000])
def test_an_extension_that_is_not_there_is_refused(number):
    with pytest.raises(UsageError, match=f"no binary table '{number}'|the number of an extension as extnum"):
        read_columns(votable('datatype="int"', NUMBERS, f'extnum="{number}"'))


@pytest.mark.parametrize("attribute", ['href="file:///etc/passwd"', 'href="http://localhost/"'])
def test_a_fits_file_elsewhere_is_not_fetched(attribute):
    with pytest.raises(UsageError, match="not fetched"):
        read_columns(votable('datatype="int"', b"", stream=attribute))
    with pytest.raises(UsageError, match="not fetched"):
        read_columns(votable('datatype="int"', b"", attribute))
