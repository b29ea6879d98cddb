"""Are all words of one text in another? (UDF catalogue 1.2: ``ivo_hasword``).

Words are runs of letters and digits of any alphabet, without regard to case; the English plural counts as the
singular, by the rules of Harman 1991, "How effective is suffixing?", and one more. Of a text, `LONGEST` characters
are read a bounded number of times.
"""

import re
from functools import lru_cache

from datamodel.functions import Function

LONGEST = 1_000_000

_BETWEEN = r"\u0001-\u002f\u003a-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u3000-\u303f"
"""What no word has; of a text in lower case."""

_SINGULARS = (
    (f"([a-z](?:x|ch|sh|ss))es(?=[{_BETWEEN}]|$)", ""),
    (f"([a-z][^ae{_BETWEEN}])ies(?=[{_BETWEEN}]|$)", "y"),
    (f"([a-z][^aeo{_BETWEEN}]e)s(?=[{_BETWEEN}]|$)", ""),
    (f"([a-z][^eus{_BETWEEN}])s(?=[{_BETWEEN}]|$)", ""),
)


def words(text: str) -> frozenset[str]:
    """The different words of a text, in lower case and in the singular."""
    text = text[:LONGEST].lower()
    for form, ending in _SINGULARS:
        text = re.sub(form, rf"\g<1>{ending}", text)
    return frozenset(filter(None, re.split(f"[{_BETWEEN}]+", text)))


@lru_cache(maxsize=100)
def _looked_for(text: str) -> frozenset[str]:
    return words(text)


def has_words(haystack: str, needle: str) -> int:
    """1 if all words of `needle` are in `haystack`, else 0."""
    return int(_looked_for(needle) <= words(haystack))


def _in_sql() -> str:
    made = f'lower(left(written, {LONGEST}) COLLATE "und-x-icu")'
    for form, ending in _SINGULARS:
        made = f"regexp_replace({made}, '{form}', '\\1{ending}', 'g')"
    return f"SELECT array_remove(regexp_split_to_array({made}, '[{_BETWEEN}]+'), '')"


FUNCTIONS = (
    Function("vo_words", "written text", "text[]", _in_sql(), language="sql"),
    Function(
        "vo_has_words",
        "haystack text, needle text",
        "integer",
        "SELECT (vo_words(haystack) @> vo_words(needle))::integer",
        python=has_words,
        language="sql",
    ),
)
"""The words of a text; whether all of one text are in another."""
