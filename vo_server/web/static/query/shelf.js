// What is there to ask for? The tables with their columns; a click puts a name into the query.

import { made } from "./elements.js";

const WORDS_DELAY_MS = 120;

export class Shelf {
  /** In an element with a filter and one `details` for each table; `onPick` is called with a name. */
  constructor(element, onPick) {
    this.entries = [...element.querySelectorAll("details[data-table]")];
    this.schemas = [...element.querySelectorAll("[data-schema]")];
    this.none = element.querySelector(".none");
    this.onPick = onPick;
    const filter = element.querySelector("input");
    let timer = 0;
    filter.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.filter(filter.value.trim().toLowerCase()), WORDS_DELAY_MS);
    });
  }

  know(catalogue) {
    this.tables = new Map(catalogue.tables.map((table) => [table.name, table]));
    for (const entry of this.entries) {
      entry.addEventListener("toggle", () => entry.open && this.fill(entry));
      if (entry.open) this.fill(entry);
    }
  }

  fill(entry) {
    const table = this.tables.get(entry.dataset.table);
    if (!table || entry.querySelector(".columns")) return;
    const names = table.columns.map((column) => this.column(column));
    entry.append(this.button(table.name, "insert", `Insert ${table.name}`), made("ul", { class: "columns" }, ...names));
    this.select(entry, this.wanted ?? "");
  }

  column(column) {
    const about = [column.description, column.ucd, column.indexed ? "indexed" : ""].filter(Boolean).join(" · ");
    const unit = [column.unit, column.type].filter(Boolean).join(" · ");
    const item = made("li", { "data-words": `${column.name} ${about}`.toLowerCase() });
    item.append(this.button(column.name, "name", ""), made("span", { class: "unit" }, unit), made("p", {}, about));
    return item;
  }

  button(name, kind, label) {
    const button = made("button", { type: "button", class: kind }, label || name);
    button.addEventListener("click", () => this.onPick(name));
    return button;
  }

  /** Keep the tables that have a word in their name, description or columns. */
  filter(wanted) {
    this.wanted = wanted;
    let found = 0;
    for (const entry of this.entries) {
      entry.hidden = !this.matches(entry, wanted);
      found += !entry.hidden;
      this.select(entry, wanted);
    }
    for (const schema of this.schemas) schema.hidden = [...schema.querySelectorAll("details[data-table]")].every((each) => each.hidden);
    this.none.hidden = found > 0;
  }

  matches(entry, wanted) {
    const table = this.tables?.get(entry.dataset.table);
    const columns = (table?.columns ?? []).map((column) => `${column.name} ${column.description ?? ""} ${column.ucd ?? ""}`);
    return [entry.dataset.table, table?.description ?? "", ...columns].some((words) => words.toLowerCase().includes(wanted));
  }

  /** Within a table show the columns with the word, or all where the table itself has it. */
  select(entry, wanted) {
    const items = [...entry.querySelectorAll("li")];
    const matching = items.filter((item) => item.dataset.words.includes(wanted));
    for (const item of items) item.hidden = matching.length > 0 && !matching.includes(item);
  }
}
