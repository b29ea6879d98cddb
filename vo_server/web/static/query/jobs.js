// Which queries run in the background? The list is the server's; it is asked for again while any of them runs.

import { ownPage, parameters } from "./asking.js";

const SHORTEST_MS = 200;
const LONGEST_MS = 3000;

export class Jobs {
  /** In an element that has the list as the server made it. */
  constructor(element) {
    this.element = element;
    this.list = element.querySelector("ul");
    this.urls = element.dataset;
    this.rounds = 0;
    this.list.addEventListener("submit", (event) => this.submitted(event));
    this.watch();
  }

  /** Have a query run in the background; throws where it is refused. */
  async begin(query, format, maxrec) {
    const body = parameters(query, { RESPONSEFORMAT: format, MAXREC: maxrec, PHASE: "RUN" });
    await this.send(this.urls.jobs, body, "the query could not be begun in the background");
  }

  /** Stop, Save and Delete are forms; here their answer is not shown, but the list is brought up to date. */
  submitted(event) {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(event.target, event.submitter));
    this.send(event.target.action, body, "the job could not be changed")
      .then(() => event.target.reset())
      .catch((error) => (event.submitter.title = error.message));
  }

  async send(url, body, complaint) {
    const answer = await fetch(url, { method: "POST", body, headers: ownPage() });
    if (!answer.ok && answer.status !== 404) throw new Error(`${complaint} (status ${answer.status})`);
    await this.update();
    this.watch();
  }

  /** Ask again, ever more slowly, until no job is under way. */
  async watch() {
    const round = ++this.rounds; // an earlier one ends where another has begun
    for (let pause = SHORTEST_MS; this.list.querySelector("[data-busy]"); pause = Math.min(pause * 1.4, LONGEST_MS)) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (round !== this.rounds) return;
      await this.update().catch(() => {}); // the server may be back at the next time
    }
  }

  async update() {
    const answer = await fetch(this.urls.list);
    if (!answer.ok) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    this.list.replaceChildren(...[...parsed.querySelectorAll("li")].map((item) => this.kept(item)));
    this.element.classList.toggle("empty", this.list.children.length === 0);
  }

  /** The item that is there already, where it says the same: what was opened in it stays open. */
  kept(item) {
    const own = [...this.list.children].find((each) => each.dataset.job === item.dataset.job);
    if (own?.dataset.state === item.dataset.state) return own;
    const fresh = document.importNode(item, true);
    if (own?.querySelector("details").open) fresh.querySelector("details").open = true;
    return fresh;
  }
}
