// What happens when something is pressed on the query page? Everything works without this too, with fewer comforts.

import { placeOf } from "./adql.js";
import { ask, laidOut } from "./asking.js";
import { fetchCatalogue } from "./catalogue.js";
import { Editor } from "./editor.js";
import { Jobs } from "./jobs.js";
import { Result } from "./result.js";
import { Shelf } from "./shelf.js";

const LONGEST_URL = 4000;
const TICK_MS = 100;

const form = document.querySelector("#ask");
const urls = form.dataset;
const wrong = document.querySelector("#wrong");
const told = document.querySelector("#told");
const answer = document.querySelector("#answer");
const stop = form.querySelector("#stop");
const run = form.querySelector("#run");

const editor = new Editor(document.querySelector("#editor"), () => runQuery());
const result = new Result(answer, urls.root);
const shelf = new Shelf(document.querySelector("#tables"), (name) => editor.insert(name));
const jobs = new Jobs(document.querySelector("#jobs"));
let running = null;

/** Begin with another query, as one that was chosen from the page. */
function take(query) {
  complain(null);
  editor.text = query;
  editor.field.scrollIntoView({ block: "nearest" });
}

function complain(message) {
  wrong.hidden = !message;
  wrong.querySelector("span").textContent = message ?? "";
  const place = message === null ? null : placeOf(message, editor.text);
  wrong.querySelector("button").hidden = place === null;
  editor.mark(place);
}

function remember(query) {
  const url = new URL(location.href);
  url.search = new URLSearchParams({ q: query });
  if (url.href.length > LONGEST_URL) url.search = "";
  if (url.href !== location.href) history.pushState({ query }, "", url);
}

async function runQuery() {
  running?.abort();
  const own = (running = new AbortController());
  const query = editor.text;
  const began = performance.now();
  let bytes = 0;
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  const tick = setInterval(() => (told.textContent = `${bytes ? `Reading, ${size(bytes)}` : "Running"} … ${seconds()} s`), TICK_MS);
  complain(null);
  busy(true);
  remember(query);
  try {
    const found = await ask(urls.sync, query, form.elements.SHOW.value, own.signal, (count) => (bytes = count));
    result.show(found);
    answer.hidden = false;
    answer.classList.remove("old");
    told.textContent = summary(found, ((performance.now() - began) / 1000).toFixed(2));
  } catch (error) {
    if (own !== running) return;
    told.textContent = own.signal.aborted ? "Stopped." : "";
    if (!own.signal.aborted) complain(error.message);
  } finally {
    clearInterval(tick);
    if (own === running) busy(false);
  }
}

function busy(is) {
  stop.hidden = !is;
  run.disabled = is;
  answer.setAttribute("aria-busy", String(is));
  if (is) answer.classList.add("old"); // until there is another one
}

function summary(found, seconds) {
  const count = found.rows.length;
  const rows = `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}`;
  const cut = found.overflow ? " There are more: show more of them, or download all." : "";
  return `${found.overflow ? `The first ${rows}` : rows} in ${seconds} s.${cut}`;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Look first whether the query can be answered, so that a mistake is shown here and not saved as a file. */
async function download(button) {
  complain(null);
  try {
    await ask(urls.sync, editor.text, 0, undefined);
  } catch (error) {
    return complain(error.message);
  }
  form.dataset.checked = "yes";
  form.requestSubmit(button);
  delete form.dataset.checked;
}

async function background() {
  complain(null);
  try {
    await ask(urls.sync, editor.text, 0, undefined);
    await jobs.begin(editor.text, form.elements.RESPONSEFORMAT.value, form.elements.MAXREC.value);
  } catch (error) {
    complain(error.message);
  }
}

async function layOut() {
  try {
    const text = await laidOut(urls.layout, editor.text);
    if (text && text !== editor.text) editor.text = text;
  } catch (error) {
    complain(error.message);
  }
}

const actions = { run: () => runQuery(), layout: () => layOut(), background: () => background(), download };

form.addEventListener("submit", (event) => {
  const action = actions[event.submitter?.id ?? "run"];
  if (!action || form.dataset.checked) return;
  event.preventDefault();
  action(event.submitter);
});
stop.addEventListener("click", () => running?.abort());
editor.onChange = () => (wrong.hidden = true);
wrong.querySelector("button").addEventListener("click", () => editor.mark(placeOf(wrong.querySelector("span").textContent, editor.text)));
document.querySelector(".desk").addEventListener("click", (event) => {
  const link = event.target.closest("a[data-query]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  take(link.dataset.query);
});
addEventListener("popstate", () => take(new URL(location.href).searchParams.get("q") ?? editor.text));

document.documentElement.classList.add("scripted");
if (!wrong.hidden) complain(wrong.querySelector("span").textContent);
fetchCatalogue(urls.words).then(
  (catalogue) => {
    editor.know(catalogue);
    shelf.know(catalogue);
    document.documentElement.classList.add("ready");
  },
  (error) => (told.textContent = `There is no completion: ${error.message}.`),
);
