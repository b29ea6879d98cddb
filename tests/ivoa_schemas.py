"""Many XML schemas of the IVOA as one, each found by its namespace; they are looked for beside the project."""

from functools import cache
from pathlib import Path

import pytest
from lxml import etree

SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "ivoa"
XS = "{http://www.w3.org/2001/XMLSchema}"

needed = pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the IVOA schemas are not beside the project")


class _ByNamespace(etree.Resolver):
    """Gives the schema of a namespace, whatever place in the web an import names."""

    def __init__(self, found: dict[str, Path]) -> None:
        self._found = {f"urn:{namespace}": path for namespace, path in found.items()}

    def resolve(self, url: str, _public_id: object, context: object) -> object:
        document = etree.parse(self._found[url])
        for imported in document.iter(f"{XS}import"):
            imported.set("schemaLocation", f"urn:{imported.get('namespace')}")
        return self.resolve_string(etree.tostring(document), context)


@cache
def schema(*patterns: str) -> etree.XMLSchema:
    """All schemas whose files some patterns name; of two with the same namespace that of the later pattern counts."""
    paths = [path for p in patterns for path in sorted(SCHEMAS.glob(p)) if "benson" not in path.name]
    found = {etree.parse(path).getroot().get("targetNamespace"): path for path in paths}
    found.pop(None, None)
    root = etree.Element(f"{XS}schema", nsmap={"xs": XS[1:-1]})
    for namespace in found:
        etree.SubElement(root, f"{XS}import", namespace=namespace, schemaLocation=f"urn:{namespace}")
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_ByNamespace(found))
    return etree.XMLSchema(etree.fromstring(etree.tostring(root), parser))
