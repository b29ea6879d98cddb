// How is an answer shown? A table whose columns can be sorted, more rows as they are asked for.

import { made } from "./elements.js";

const STEP = 200;
const URL_START = /^https?:\/\//i;
const NOTHING = /^(?:NaN(?: NaN)+)?$/; // an empty cell, or a point or circle without a number

export class Result {
  /** In an element that has a table and a button for more rows; `root` is the path of the server. */
  constructor(element, root) {
    this.head = element.querySelector("thead");
    this.body = element.querySelector("tbody");
    this.more = element.querySelector(".more");
    this.root = root;
    this.more.addEventListener("click", () => this.extend());
  }

  show(answer) {
    this.columns = answer.columns;
    this.rows = answer.rows;
    this.original = answer.rows;
    this.sorted = { column: -1, down: false };
    this.head.replaceChildren(made("tr", {}, ...this.columns.map((column, i) => this.heading(column, i))));
    this.refill();
  }

  refill() {
    this.body.replaceChildren();
    this.shown = 0;
    this.extend();
  }

  extend() {
    const next = this.rows.slice(this.shown, this.shown + STEP);
    this.body.append(...next.map((row) => this.row(row)));
    this.shown += next.length;
    const left = this.rows.length - this.shown;
    this.more.hidden = left === 0;
    this.more.textContent = `Show ${Math.min(STEP, left)} more of ${left.toLocaleString("en")}`;
  }

  heading(column, index) {
    const sort = made("button", { type: "button", title: column.description }, column.name);
    sort.addEventListener("click", () => this.sort(index));
    const of = [column.unit, column.ucd].filter(Boolean);
    return made("th", { scope: "col", class: column.isNumber ? "number" : "" }, sort, ...of.map((text, i) => made("span", { class: i || !column.unit ? "ucd" : "unit" }, text)));
  }

  row(values) {
    return made("tr", {}, ...values.map((value, i) => this.cell(value, this.columns[i])));
  }

  cell(value, column) {
    if (NOTHING.test(value)) return made("td", { class: "null" }, "–");
    const url = this.urlOf(value, column);
    const shown = url ? made("a", { href: url, rel: "noreferrer nofollow" }, value) : value;
    return made("td", { class: column.isNumber ? "number" : "", title: value.length > 40 ? value : "" }, shown);
  }

  urlOf(value, column) {
    if (column.name === "object_id" && /^[0-9a-f-]{36}$/.test(value)) return `${this.root}/object/${value}`;
    const isUrl = column.name === "access_url" || column.ucd.startsWith("meta.ref.url");
    return isUrl && URL_START.test(value) ? value : "";
  }

  /** By a column: upwards, then downwards, then as the server gave them. */
  sort(index) {
    const again = this.sorted.column === index;
    this.sorted = again && this.sorted.down ? { column: -1, down: false } : { column: index, down: again };
    const by = this.sorted.column;
    this.rows = by < 0 ? this.original : sortedRows(this.original, by, this.columns[by], this.sorted.down);
    [...this.head.rows[0].cells].forEach((cell, i) => {
      if (i === by) cell.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.refill();
  }
}

/** Rows by one of their values; what has none stands last both ways. */
function sortedRows(rows, index, column, down) {
  const value = column.isWhole ? whole : column.isNumber ? number : (text) => text;
  const keyed = rows.map((row) => ({ row, key: row[index] === "" ? null : value(row[index]) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
    return a.key < b.key ? -sign : a.key > b.key ? sign : 0;
  });
  return keyed.map((each) => each.row);
}

function whole(text) {
  return /^[+-]?\d+$/.test(text) ? BigInt(text) : null; // identifiers have more digits than a double
}

function number(text) {
  const read = Number(text.replace(/Inf$/, "Infinity"));
  return Number.isNaN(read) ? null : read;
}
