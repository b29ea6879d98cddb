// What can be written in a query here? The server's words, looked up by name.

import { plain, tokens } from "./adql.js";

/** A name as it is looked up: without quotes, in small letters. */
function key(name) {
  return tokens(name).map(plain).join("");
}

export class Catalogue {
  constructor(words) {
    this.schemas = words.schemas;
    this.functions = words.functions;
    this.reserved = new Set(words.reserved);
    this.functionNames = new Set(words.functions.map((each) => each.name.toUpperCase()));
    this.tables = words.schemas.flatMap((schema) => schema.tables.map((table) => ({ ...table, schema })));
    this.byName = new Map();
    for (const table of this.tables) {
      const short = key(table.name).slice(key(table.schema.name).length + 1);
      this.byName.set(key(table.name), table);
      this.byName.set(short, this.byName.has(short) ? null : table);
    }
  }

  /** The table of a name, with or without its schema; undefined where there is none or several. */
  table(name) {
    return this.byName.get(name) ?? undefined;
  }

  schema(name) {
    return this.schemas.find((each) => key(each.name) === name);
  }
}

/** The catalogue of the server; asked for once. */
export async function fetchCatalogue(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the tables could not be read (${answer.status})`);
  return new Catalogue(await answer.json());
}
