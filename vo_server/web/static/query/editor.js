// How is a query written? A plain text field with colours under it and proposals beside it.

import { proposals } from "./completion.js";
import { paint, rectangleAt } from "./paint.js";
import { Proposals } from "./proposals.js";

const WORD = /[A-Za-z0-9_"]$/;

export class Editor {
  /** Around a field that works without this; `onRun` is called on Ctrl-Enter. */
  constructor(root, onRun) {
    this.root = root;
    this.field = root.querySelector("textarea");
    this.paper = root.querySelector(".paint");
    this.catalogue = null;
    this.wrongAt = null;
    this.onRun = onRun;
    this.onChange = () => {};
    this.list = new Proposals(root.querySelector(".proposals"), this.field, (item) => this.accept(item));
    this.field.addEventListener("input", (event) => this.changed(event));
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    this.field.addEventListener("blur", () => this.list.close());
    this.field.addEventListener("pointerdown", () => this.list.close());
    root.classList.add("live");
    this.draw();
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    this.replace(0, this.field.value.length, value);
  }

  know(catalogue) {
    this.catalogue = catalogue;
    this.draw();
  }

  /** Mark the place of a mistake and put the caret there; null takes the mark away. */
  mark(offset) {
    this.wrongAt = offset;
    this.draw();
    if (offset !== null) this.jump(offset);
  }

  jump(offset) {
    this.field.focus();
    this.field.setSelectionRange(offset, offset);
    this.paper.querySelector(".wrong")?.scrollIntoView({ block: "nearest" });
  }

  /** Put text in the place of another, so that undo knows of it. */
  replace(from, to, text) {
    this.field.focus();
    this.field.setSelectionRange(from, to);
    const inserted = text ? document.execCommand("insertText", false, text) : document.execCommand("delete");
    if (!inserted) {
      this.field.setRangeText(text, from, to, "end");
      this.field.dispatchEvent(new Event("input"));
    }
  }

  /** Put a word where the caret is, apart from the word before it. */
  insert(word) {
    const { selectionStart: from, selectionEnd: to } = this.field;
    this.replace(from, to, (WORD.test(this.text.slice(0, from)) ? " " : "") + word);
    this.list.close();
  }

  draw() {
    paint(this.paper, this.text, this.catalogue, this.wrongAt);
  }

  changed(event) {
    this.wrongAt = null;
    this.draw();
    this.onChange();
    const typed = event.inputType === "insertText" && event.data?.length === 1 && /[A-Za-z0-9_."]/.test(event.data);
    const shortened = event.inputType === "deleteContentBackward" && this.list.isOpen;
    if ((typed && !this.accepting) || shortened) this.propose(2);
    else this.list.close();
  }

  /** Show what may stand at the caret, where at least so many characters of a word are there, or a dot. */
  propose(least = 0) {
    const caret = this.field.selectionStart;
    if (!this.catalogue || caret !== this.field.selectionEnd) return;
    const found = proposals(this.text, caret, this.catalogue);
    const begun = found.prefix.length >= least || this.text[found.from - 1] === ".";
    const alone = found.items.length === 1 && found.items[0].insert.toLowerCase() === found.prefix;
    if (!begun || alone) this.list.close();
    else this.list.open(found, rectangleAt(this.paper, found.from), this.root.getBoundingClientRect());
  }

  accept(item) {
    const { from } = this.list.found;
    this.list.close();
    this.accepting = true;
    this.replace(from, this.field.selectionStart, item.insert);
    this.accepting = false;
  }

  pressed(event) {
    if (this.list.pressed(event)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.list.close();
      this.onRun();
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.propose();
    }
  }
}
