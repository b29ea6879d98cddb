"""How is text written into an XML document so that it comes out the same?"""

import re

ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
"""What XML 1.0 section 2.2 has no place for, not even escaped; as the inside of a character class."""

_ILLEGAL = re.compile(f"[{ILLEGAL}\ud800-\udfff]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def text(value: str) -> str:
    """Character data; characters that are illegal in XML are left out."""
    return _ILLEGAL.sub("", value).translate(_TEXT)


def attributes(**values: str | None) -> str:
    """``' name="value"'`` for each value that there is, in the order given."""
    return "".join(
        f' {name}="{_ILLEGAL.sub("", value).translate(_ATTRIBUTE)}"'
        for name, value in values.items()
        if value is not None
    )


def element(tag: str, content: str = "", **values: str | None) -> str:
    """An element with character data, or an empty one."""
    start = f"<{tag}{attributes(**values)}"
    return f"{start}>{text(content)}</{tag}>" if content else f"{start}/>"
