// What may stand where the caret is? Pure: a text, an offset and the catalogue give proposals.

import { plain, tokens } from "./adql.js";

const MOST = 60;
const NO_NAMES = new Set(["comment", "string", "number"]);
const ENDS_TABLES = new Set(["WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "SELECT", "ON", "USING"]);
const KEYWORDS = (
  "SELECT DISTINCT TOP FROM WHERE AND OR NOT IN IS NULL LIKE ILIKE BETWEEN EXISTS AS ON USING JOIN INNER LEFT " +
  "RIGHT FULL OUTER CROSS NATURAL UNION ALL EXCEPT INTERSECT WITH CASE WHEN THEN ELSE END ASC DESC OFFSET"
).split(" ").concat(["GROUP BY", "ORDER BY", "HAVING"]);

/** The proposals at an offset: {from, to, items}; items have kind, label, insert, detail, info. */
export function proposals(text, caret, catalogue) {
  const all = tokens(text);
  const at = all.findIndex((each) => each.start < caret && caret <= each.start + each.text.length);
  const token = all[at];
  if (token && NO_NAMES.has(token.kind) && !endsBefore(token, caret)) return nothing(caret);
  const begun = token && (token.kind === "name" || token.kind === "delimited");
  const from = begun ? token.start : caret;
  const prefix = begun ? text.slice(from, caret).replace(/^"/, "").toLowerCase() : "";
  const before = all.slice(0, begun ? at : at + 1).filter((each) => each.kind !== "space" && each.kind !== "comment");
  const items = candidates(all, before, catalogue);
  return { from, to: caret, items: ranked(items, prefix), prefix };
}

function nothing(caret) {
  return { from: caret, to: caret, items: [], prefix: "" };
}

/** Whether a string or comment is over where the caret is. */
function endsBefore(token, caret) {
  if (caret !== token.start + token.text.length) return false;
  return token.kind === "string" ? /^'(?:[^']|'')*'$/.test(token.text) : false;
}

function candidates(all, before, catalogue) {
  const scope = tablesIn(all, catalogue);
  const qualifier = qualifierOf(before);
  if (qualifier) return qualified(qualifier, scope, catalogue);
  if (expectsTable(before)) return [...named(scope), ...tableItems(catalogue)];
  const columns = [...new Map(scope.map((each) => [each.table, each])).values()]
    .filter((each) => each.table)
    .flatMap((each) => columnItems(each.table));
  return [...columns, ...aliases(scope), ...functionItems(catalogue), ...keywordItems(), ...tableItems(catalogue, 4)];
}

/** The names before a dot, joined by dots; empty where there is no dot. */
function qualifierOf(before) {
  const parts = [];
  let i = before.length - 1;
  while (i >= 1 && before[i].text === "." && ["name", "delimited"].includes(before[i - 1].kind)) {
    parts.unshift(plain(before[i - 1]));
    i -= 2;
  }
  return parts.join(".");
}

/** Whether a table is named next: after FROM, JOIN, or a comma between the tables of FROM. */
function expectsTable(before) {
  let depth = 0;
  for (let i = before.length - 1; i >= 0; i--) {
    const word = before[i].text.toUpperCase();
    if (word === ")") depth++;
    if (word === "(" && depth-- === 0) return false;
    if (depth > 0) continue;
    if (word === "FROM" || word === "JOIN") return i === before.length - 1 || before.at(-1).text === ",";
    if (ENDS_TABLES.has(word)) return false;
  }
  return false;
}

/** The tables that a query names, each with its alias; `table` is missing for those of WITH. */
export function tablesIn(all, catalogue) {
  const words = all.filter((each) => each.kind !== "space" && each.kind !== "comment");
  const found = [];
  let open = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i].text.toUpperCase();
    if (word === "WITH" && words[i + 1]) found.push({ alias: plain(words[i + 1]), written: words[i + 1].text });
    if (word === "FROM" || word === "JOIN" || (word === "," && open)) {
      const read = readTable(words, i + 1, catalogue);
      if (read) {
        found.push(read);
        i = read.next - 1;
      }
      open = true;
    } else if (ENDS_TABLES.has(word) || word === "(" || word === ")") open = false;
  }
  return found;
}

function readTable(words, start, catalogue) {
  const parts = [];
  let i = start;
  while (words[i] && ["name", "delimited"].includes(words[i].kind)) {
    parts.push(plain(words[i++]));
    if (words[i]?.text !== ".") break;
    i++;
  }
  const table = parts.length ? catalogue.table(parts.slice(-2).join(".")) : undefined;
  if (!table) return null;
  if (words[i]?.text.toUpperCase() === "AS") i++;
  const next = words[i];
  const isAlias = next && (next.kind === "delimited" || (next.kind === "name" && !catalogue.reserved.has(next.text.toUpperCase())));
  if (!isAlias) return { table, alias: parts.at(-1), written: "", next: i };
  return { table, alias: plain(next), written: next.text, next: i + 1 };
}

function qualified(qualifier, scope, catalogue) {
  const meant = scope.find((each) => each.alias === qualifier && each.table)?.table ?? catalogue.table(qualifier);
  if (meant) return columnItems(meant);
  const schema = catalogue.schema(qualifier);
  return (schema?.tables ?? []).map((table) => tableItem(table, table.name.slice(schema.name.length + 1)));
}

function columnItems(table) {
  return table.columns.map((column) => ({
    kind: "column", rank: 0, label: column.name, insert: column.name,
    detail: [column.unit, column.type].filter(Boolean).join(" · "),
    info: [column.description, column.ucd, column.indexed ? "indexed" : ""].filter(Boolean).join(" · "),
  }));
}

function aliases(scope) {
  return scope.filter((each) => each.written && each.table).map((each) => ({
    kind: "alias", rank: 1, label: each.written, insert: each.written, detail: each.table.name, info: each.table.description,
  }));
}

/** Queries named by WITH, as tables. */
function named(scope) {
  return scope.filter((each) => !each.table).map((each) => ({
    kind: "table", rank: 0, label: each.written, insert: each.written, detail: "WITH", info: "named in this query",
  }));
}

function functionItems(catalogue) {
  return catalogue.functions.map((each) => ({
    kind: "function", rank: 2, label: each.name, insert: `${each.name}(`, detail: each.form.slice(each.name.length), info: each.description,
  }));
}

function keywordItems() {
  return KEYWORDS.map((word) => ({ kind: "keyword", rank: 3, label: word, insert: `${word} `, detail: "", info: "" }));
}

function tableItems(catalogue, rank = 1) {
  return catalogue.tables.map((table) => ({ ...tableItem(table, table.name), rank }));
}

function tableItem(table, insert) {
  return { kind: "table", rank: 0, label: insert, insert, detail: `${table.columns.length} columns`, info: table.description };
}

/** Those that begin with the prefix, then those that have it inside; what is written out already is none. */
function ranked(items, prefix) {
  const scored = [];
  for (const item of items) {
    const label = item.label.toLowerCase().replaceAll('"', "");
    const where = label.indexOf(prefix);
    const inside = where > 0 && /[._]/.test(label[where - 1]);
    if (where === 0 || inside) scored.push({ item, score: (where === 0 ? 0 : 10) + item.rank });
    else if (where > 0 && prefix.length > 2) scored.push({ item, score: 20 + item.rank });
  }
  scored.sort((a, b) => a.score - b.score);
  return scored.slice(0, MOST).map((each) => each.item);
}
