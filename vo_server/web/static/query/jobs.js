// Which queries run in the background? Jobs of UWS that this browser began, or that the service lists.

import { made } from "./elements.js";
import { laidOut, parameters } from "./asking.js";

const XLINK = "http://www.w3.org/1999/xlink";
const KEPT = "vo-jobs";
const SHOWN = 30;
const BUSY = new Set(["PENDING", "QUEUED", "EXECUTING", "HELD", "SUSPENDED"]);
const SHORTEST_MS = 200;
const LONGEST_MS = 3000;

export class Jobs {
  /** In an element with a list; the paths are those of the service and of the layout. */
  constructor(element, urls, onOpen) {
    this.element = element;
    this.list = element.querySelector("ul");
    this.urls = urls;
    this.onOpen = onOpen;
    this.rows = new Map();
  }

  /** Show the jobs that there are. */
  async load() {
    const known = new Set([...(await this.listed()), ...kept()]);
    for (const id of [...known].sort().slice(-SHOWN)) await this.update(id);
    this.watch();
  }

  async listed() {
    const answer = await fetch(`${this.urls.jobs}?LAST=${SHOWN}`, { headers: { Accept: "application/xml" } });
    if (!answer.ok) return [];
    const parsed = new DOMParser().parseFromString(await answer.text(), "application/xml");
    return [...parsed.getElementsByTagNameNS("*", "jobref")].map((each) => each.getAttribute("id"));
  }

  /** Have a query run in the background; throws with the words of the server where it is refused. */
  async begin(query, format, maxrec) {
    const body = parameters(query, { RESPONSEFORMAT: format, MAXREC: maxrec, PHASE: "RUN" });
    const answer = await fetch(this.urls.jobs, { method: "POST", body, headers: { Accept: "application/xml" } });
    const job = answer.ok ? readJob(await answer.text()) : null;
    if (!job) throw new Error(`the query could not be begun in the background (status ${answer.status})`);
    keep([...kept(), job.id].slice(-SHOWN));
    this.show(job);
    this.watch();
  }

  /** Ask for the jobs that have not ended, one after the other, ever more slowly, until all have. */
  async watch() {
    if (this.watching) return;
    this.watching = true;
    for (let pause = SHORTEST_MS; this.busy().length; pause = Math.min(pause * 1.4, LONGEST_MS)) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      for (const id of this.busy()) await this.update(id);
    }
    this.watching = false;
  }

  busy() {
    return [...this.rows].filter(([, row]) => BUSY.has(row.dataset.phase)).map(([id]) => id);
  }

  async update(id) {
    const answer = await fetch(this.urlOf(id), { headers: { Accept: "application/xml" } }).catch(() => null);
    if (answer && [403, 404, 410].includes(answer.status)) this.forget(id);
    const job = answer?.ok ? readJob(await answer.text()) : null;
    if (job) this.show(job);
  }

  show(job) {
    const row = this.rows.get(job.id) ?? made("li", { "data-job": job.id });
    if (!this.rows.has(job.id)) this.list.prepend(row);
    this.rows.set(job.id, row);
    if (row.dataset.phase === job.phase) return;
    row.dataset.phase = job.phase;
    row.replaceChildren(
      made("span", { class: `status ${tone(job.phase)}` }, job.phase.toLowerCase()),
      made("span", { class: "when" }, when(job)),
      this.about(job),
      made("span", { class: "actions" }, ...this.actions(job)),
    );
    if (job.error) row.append(made("p", { class: "reason" }, job.error));
    this.refresh();
  }

  about(job) {
    const text = made("code", {}, job.query);
    const details = made("details", {}, made("summary", {}, job.query.replace(/\s+/g, " ").slice(0, 120)), made("pre", {}, text));
    details.addEventListener("toggle", () => laidOut(this.urls.layout, job.query).then((query) => (text.textContent = query)), { once: true });
    return details;
  }

  actions(job) {
    const actions = job.results.map((href) => made("a", { class: "button", href }, "Download the result"));
    const open = made(this.onOpen ? "button" : "a", this.onOpen ? { type: "button" } : { href: `${this.urls.page}?${new URLSearchParams({ q: job.query })}` }, "Edit");
    if (this.onOpen) open.addEventListener("click", () => this.onOpen(job.query));
    const busy = BUSY.has(job.phase);
    const end = made("button", { type: "button" }, busy ? "Stop" : "Delete");
    end.addEventListener("click", () => (busy ? this.stop(job.id) : this.remove(job.id)));
    return [...actions, open, end];
  }

  async stop(id) {
    await fetch(`${this.urlOf(id)}/phase`, { method: "POST", body: new URLSearchParams({ PHASE: "ABORT" }) });
    await this.update(id);
  }

  async remove(id) {
    const answer = await fetch(this.urlOf(id), { method: "POST", body: new URLSearchParams({ ACTION: "DELETE" }) });
    if (answer.ok || answer.status === 404) this.forget(id);
  }

  forget(id) {
    this.rows.get(id)?.remove();
    this.rows.delete(id);
    keep(kept().filter((each) => each !== id));
    this.refresh();
  }

  refresh() {
    this.element.classList.toggle("empty", this.rows.size === 0);
  }

  urlOf(id) {
    return `${this.urls.jobs}/${encodeURIComponent(id)}`;
  }
}

/** A job from its document; null where it is none. */
function readJob(text) {
  const parsed = new DOMParser().parseFromString(text, "application/xml");
  const job = parsed.documentElement;
  if (job.localName !== "job") return null;
  const one = (name) => [...job.children].find((each) => each.localName === name)?.textContent.trim() ?? "";
  const named = [...job.getElementsByTagNameNS("*", "parameter")].find((each) => each.getAttribute("id").toUpperCase() === "QUERY");
  const results = [...job.getElementsByTagNameNS("*", "result")].map((each) => each.getAttributeNS(XLINK, "href"));
  return {
    id: one("jobId"), phase: one("phase"), begun: one("startTime") || one("creationTime"), ended: one("endTime"),
    query: named?.textContent ?? "", results: results.filter((href) => /^https?:/.test(href)), error: one("errorSummary"),
  };
}

function when(job) {
  const begun = job.begun && new Date(job.begun);
  if (!begun || Number.isNaN(begun.valueOf())) return "";
  const seconds = job.ended ? (new Date(job.ended) - begun) / 1000 : NaN;
  return begun.toLocaleString() + (seconds >= 0 ? ` · ${seconds.toFixed(1)} s` : "");
}

function tone(phase) {
  return { COMPLETED: "good", ERROR: "stale", ABORTED: "stale" }[phase] ?? "";
}

/** Identifiers of the jobs that this browser began; there are none where it keeps nothing. */
function kept() {
  try {
    const ids = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}

function keep(ids) {
  try {
    localStorage.setItem(KEPT, JSON.stringify([...new Set(ids)]));
  } catch {
    // a browser that keeps nothing shows the jobs of this visit
  }
}
