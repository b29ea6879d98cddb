// How is the server asked? A query goes by POST to a service; its answer is read as it comes.

import { Refused, readVotable } from "./votable.js";

const MOST_BYTES = 64 << 20;
export const TABLEDATA = "application/x-votable+xml;serialization=tabledata";

/** Parameters of TAP for a query. */
export function parameters(query, more = {}) {
  return new URLSearchParams({ LANG: "ADQL", QUERY: query, ...more });
}

/** What tells the server that a request is from this page; nothing where nobody is logged in. */
export function ownPage() {
  const secret = document.querySelector("input[name=csrf_token]")?.value;
  return secret ? { "X-CSRF-Token": secret } : {};
}

/** The answer to a query; `progress` is told the bytes so far. Throws Refused with the server's words. */
export async function ask(url, query, maxrec, signal, progress = () => {}) {
  const body = parameters(query, { MAXREC: maxrec, RESPONSEFORMAT: TABLEDATA });
  const answer = await fetch(url, { method: "POST", body, signal, headers: ownPage() });
  const text = await read(answer, progress);
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.includes("xml")) return readVotable(text);
  throw new Refused(text.trim().slice(0, 500) || `the server answered with status ${answer.status}`);
}

async function read(answer, progress) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const parts = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > MOST_BYTES) {
      await reader.cancel();
      throw new Refused("the answer is too large to be shown here; show fewer rows, or download it");
    }
    parts.push(decoder.decode(value, { stream: true }));
    progress(bytes);
  }
  return parts.join("") + decoder.decode();
}

/** A query laid out by the server. */
export async function laidOut(url, query) {
  const answer = await fetch(url, { method: "POST", body: new URLSearchParams({ QUERY: query }), headers: ownPage() });
  if (!answer.ok) throw new Refused("the query could not be laid out");
  return answer.text();
}
