// What does a VOTable in TABLEDATA say? A document becomes columns, rows of text, and what it tells of itself.

/** An error that the server reports in its document, in its own words. */
export class Refused extends Error {}

/** Columns, rows, and whether rows were cut off. Throws Refused where the document reports an error. */
export function readVotable(text) {
  const parsed = new DOMParser().parseFromString(text, "application/xml");
  if (parsed.getElementsByTagName("parsererror").length) throw new Refused("the answer of the server was cut off");
  const resource = [...parsed.getElementsByTagNameNS("*", "RESOURCE")].find((each) => each.getAttribute("type") === "results");
  const states = [...(resource?.children ?? [])].filter((each) => each.localName === "INFO" && each.getAttribute("name") === "QUERY_STATUS");
  const failed = states.find((each) => each.getAttribute("value") === "ERROR");
  if (failed) throw new Refused(failed.textContent.trim());
  if (!states.length) throw new Refused("the answer of the server is no result of a query");
  const columns = [...resource.getElementsByTagNameNS("*", "FIELD")].map(column);
  const rows = [...resource.getElementsByTagNameNS("*", "TR")].map((row) => [...row.children].map((cell) => cell.textContent));
  return { columns, rows, overflow: states.some((each) => each.getAttribute("value") === "OVERFLOW") };
}

function column(field) {
  const [description] = [...field.children].filter((each) => each.localName === "DESCRIPTION");
  const datatype = field.getAttribute("datatype");
  const isText = datatype === "char" || datatype === "unicodeChar" || datatype === "boolean";
  return {
    name: field.getAttribute("name"),
    unit: field.getAttribute("unit") ?? "",
    ucd: field.getAttribute("ucd") ?? "",
    description: description?.textContent ?? "",
    isNumber: !isText && !field.getAttribute("arraysize"),
    isWhole: datatype === "long" || datatype === "int" || datatype === "short" || datatype === "unsignedByte",
  };
}
