// Which proposal is chosen? A list beside the caret, worked by keys while the caret stays in the field.

export class Proposals {
  /** A list in an element, for a field; `onAccept` is called with the item that was chosen. */
  constructor(element, field, onAccept) {
    this.element = element;
    this.list = element.querySelector("[role=listbox]");
    this.info = element.querySelector(".info");
    this.field = field;
    this.onAccept = onAccept;
    this.found = { items: [] };
    this.chosen = 0;
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.list.id);
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Show proposals under a rectangle, within another. */
  open(found, place, within) {
    if (!found.items.length) return this.close();
    this.found = found;
    this.list.replaceChildren(...found.items.map((item, i) => this.option(item, i)));
    this.element.hidden = false;
    const left = Math.min(place.left - within.left, within.width - this.element.offsetWidth);
    this.element.style.setProperty("left", `${Math.max(0, left)}px`);
    this.element.style.setProperty("top", `${place.bottom - within.top + 4}px`);
    this.choose(0);
  }

  close() {
    this.element.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  choose(index) {
    const count = this.found.items.length;
    this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = (index + count) % count;
    const option = this.list.children[this.chosen];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", option.id);
    this.info.textContent = this.found.items[this.chosen].info;
    this.info.hidden = !this.info.textContent;
  }

  /** Whether a key was for the list. */
  pressed(event) {
    if (!this.isOpen || event.ctrlKey || event.metaKey || event.altKey) return false;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in steps) this.choose(this.chosen + steps[event.key]);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) this.onAccept(this.found.items[this.chosen]);
    else return false;
    event.preventDefault();
    return true;
  }

  option(item, index) {
    const option = document.createElement("li");
    option.id = `proposal${index}`;
    option.className = item.kind;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    for (const [name, text] of [["label", item.label], ["detail", item.detail]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      option.append(part);
    }
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the caret stays in the field
      this.onAccept(item);
    });
    return option;
  }
}
