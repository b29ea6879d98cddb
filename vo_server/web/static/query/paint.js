// How is a query coloured? The same text is drawn under the transparent text of the field.

import { stretchAt, tokens } from "./adql.js";

const MOST = 40_000; // characters beyond which a text is left plain
const COLOURED = { comment: "comment", string: "string", delimited: "delimited", number: "number" };

/** Draw a text into an element; `wrongAt` is the offset of what the server found wrong, or null. */
export function paint(element, text, catalogue, wrongAt) {
  const wrong = wrongAt === null ? null : stretchAt(text, wrongAt);
  const pieces = document.createDocumentFragment();
  for (const token of text.length > MOST ? [{ kind: "other", text, start: 0 }] : tokens(text)) {
    const name = COLOURED[token.kind] ?? wordKind(token, catalogue);
    const isWrong = wrong && token.start < wrong[1] && wrong[0] < token.start + token.text.length;
    pieces.append(name || isWrong ? span(token.text, name, isWrong) : token.text);
  }
  pieces.append("\n"); // a line break at the end takes up a line in the field too
  element.replaceChildren(pieces);
  element.normalize();
}

function span(text, name, isWrong) {
  const made = document.createElement("span");
  made.className = [name, isWrong && "wrong"].filter(Boolean).join(" ");
  made.textContent = text;
  return made;
}

function wordKind(token, catalogue) {
  if (token.kind !== "name" || !catalogue) return "";
  const word = token.text.toUpperCase();
  if (catalogue.functionNames.has(word)) return "function";
  return catalogue.reserved.has(word) ? "keyword" : "";
}

/** Where on the page the character at an offset is drawn. */
export function rectangleAt(element, offset) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let left = offset;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (left < node.length) {
      const range = document.createRange();
      range.setStart(node, left);
      range.setEnd(node, left + 1);
      return range.getClientRects()[0] ?? range.getBoundingClientRect();
    }
    left -= node.length;
  }
  return element.getBoundingClientRect();
}
