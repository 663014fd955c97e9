// What every view is made of. Text is escaped unless it came out of `html`.

class Markup { constructor(text) { this.text = text; } }

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);
const render = (part) => part instanceof Markup ? part.text : Array.isArray(part) ? part.map(render).join("") : escape(part ?? "");

export function html(strings, ...parts) {
  return new Markup(strings.reduce((all, text, place) => all + text + (place < parts.length ? render(parts[place]) : ""), ""));
}

const showing = new WeakMap();
const reached = "a[href], button, input, select";
const same = (one, other) => one.outerHTML === other.outerHTML;
const box = (one) => `${one.name}\n${one.type === "checkbox" ? one.value : ""}`;

// Leaves alone what has not changed, and the focus where it was: views are drawn again whenever something happens.
export function show(element, part) {
  const text = render(part);
  if (showing.get(element) === text) return;
  showing.set(element, text);
  const held = element !== document.activeElement && element.contains(document.activeElement) ? document.activeElement : null;
  const place = held ? [...element.querySelectorAll(reached)].indexOf(held) : -1;
  const given = new Map([...element.querySelectorAll("input")].filter((one) => one.checked || one.value !== one.defaultValue).map((one) => [box(one), one]));
  element.innerHTML = text;
  for (const one of element.querySelectorAll("input")) {
    const before = given.get(box(one));
    if (!before) continue;
    if (one.type === "checkbox") one.checked = before.checked;
    else if (before.defaultValue === one.defaultValue) one.value = before.value;
  }
  if (held) {
    const now = [...element.querySelectorAll(reached)];
    (now.find((one) => same(one, held)) ?? now[place] ?? element).focus({ preventScroll: true });
  }
}

export async function read(path, asked = {}) {
  const pairs = Object.entries(asked).flatMap(([key, given]) => (Array.isArray(given) ? given : [given]).map((one) => [key, one]));
  return taken(await fetch(`api/${path}?${new URLSearchParams(pairs)}`));
}

// What stands behind the question mark of the place one is at.
let asked = new URLSearchParams();
export const query = { set: (text) => { asked = new URLSearchParams(text); }, get: (name) => asked.get(name) ?? "" };


export async function change(path, body) {
  return taken(await fetch(`api/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
}

async function taken(answer) {
  const body = await answer.json().catch(() => ({ message: `The server answered ${answer.status}, which is not one of its own answers.` }));
  if (!answer.ok) throw Object.assign(new Error(body.message), { hint: body.hint });
  return body;
}

// Lists are cut; how far each is opened is kept until another view is opened.
const MOST = 999;
const opened = new Map();
export const close = () => opened.clear();
const length = (key, first) => opened.get(key) ?? first;
export const limit = (key, first = 20) => length(key, first) + 1;

export function table(columns, found, cells, { empty, key = "", first = 20 }) {
  if (!found.length) return html`<p class="empty">${empty}</p>`;
  const count = key ? length(key, first) : found.length;
  const rows = found.slice(0, count).map(cells);
  const numbers = columns.map((_, place) => rows.some((row) => typeof row[place] === "number"));
  const side = (place) => numbers[place] ? "n" : "";
  const rest = found.length <= count ? "" : count >= MOST ? html`<p class="soft">These are the first ${MOST}.</p>`
    : html`<p><button type="button" data-more="${key}" data-count="${count}">Show more</button></p>`;
  return html`<div class="wide"><table><thead><tr>${columns.map((c, place) => html`<th scope="col" class="${side(place)}">${c}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((cell, place) => html`<td class="${side(place)}" data-label="${columns[place]}"><div>${typeof cell === "number" ? cell.toLocaleString("en") : cell === "" || cell == null ? "–" : fold(cell)}</div></td>`)}</tr>`)}</tbody></table></div>${rest}`;
}

export function list(facts) {
  return html`<dl>${Object.entries(facts).map(([name, fact]) => html`<dt>${name}</dt><dd>${fact === "" || fact == null ? "–" : fact}</dd>`)}</dl>`;
}

// A button that calls a verb. `question` is asked before; `reason` also asks why. `twin` is the same as a command.
// `by` asks who does it; `reason` may be the name of what the text is called.
export function act(text, path, body, { twin, question = "", reason = false, by = false }) {
  return html`<button type="button" title="${twin}" data-path="${path}" data-body="${JSON.stringify(body)}" data-question="${question}" data-reason="${reason === true ? "reason" : reason || ""}" data-by="${by ? "yes" : ""}">${text}</button>`;
}

const byId = (id) => document.getElementById(id);

function say(text) {
  byId("said").textContent = text;
  byId("said").hidden = !text;
}

function ask({ dataset, textContent, title }) {
  const dialog = byId("ask"), input = dialog.querySelector("input[name=reason]"), who = dialog.querySelector("input[name=by]");
  byId("who").hidden = !dataset.by;
  who.required = Boolean(dataset.by);
  who.value = localStorage.getItem("flyball-name") ?? "";
  byId("why").firstChild.textContent = dataset.reason === "text" ? "Text " : "Reason ";
  byId("question").textContent = dataset.question;
  byId("why").hidden = !dataset.reason;
  byId("twin").textContent = title;
  byId("yes").textContent = textContent;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  (dataset.by && !who.value ? who : dataset.reason ? input : byId("no")).focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes" ? { reason: input.value.trim(), by: who.value.trim() } : null), { once: true });
  });
}

document.addEventListener("click", async (event) => {
  if (event.target.id === "no") byId("ask").close();
  const more = event.target.closest("button[data-more]");
  if (more) {
    opened.set(more.dataset.more, Math.min(MOST, 3 * Number(more.dataset.count)));
    document.dispatchEvent(new Event("flyball:changed"));
  }
  const button = event.target.closest("button[data-path]");
  if (!button) return;
  const answer = button.dataset.question ? await ask(button) : {};
  if (!answer) return;
  const body = JSON.parse(button.dataset.body);
  if (answer.reason) body[button.dataset.reason] = answer.reason;
  if (button.dataset.by) {
    body.by = answer.by;
    localStorage.setItem("flyball-name", answer.by);
  }
  button.disabled = true;
  say("");
  try {
    await change(button.dataset.path, body);
  } catch (error) {
    say([error.message, error.hint].filter(Boolean).join(" "));
  }
  button.disabled = false;
  document.dispatchEvent(new Event("flyball:changed"));
});

const STATE = { watching: "good", training: "warn", "rolling out": "warn", paused: "bad", finished: "good", succeeded: "good", failed: "bad", running: "warn",
  champion: "good", challenger: "warn", promoted: "good", promote: "good", refuse: "warn", rolled_back: "bad", "roll back": "bad", lost: "bad", open: "bad", critical: "bad", warning: "warn" };
export const tag = (word) => html`<span class="tag ${STATE[word] ?? ""}">${word.replaceAll("_", " ")}</span>`;
export const link = (place, name, text = name) => html`<a href="#/${place}/${encodeURIComponent(name)}">${text}</a>`;
export const score = (m) => `${m.name} ${value(m.value)}${m.low == null ? "" : ` (${value(m.low)} to ${value(m.high)})`}`;
const main = document.getElementById("main");
export const room = () => main ? Math.max(280, Math.floor(main.clientWidth - 2 * parseFloat(getComputedStyle(main).paddingLeft))) : 800;

export const twin = (command) => html`<p class="twin">In a terminal: <code>${command}</code></p>`;
export const lines = (texts) => html`<span class="lines">${fold(texts.join("\n"))}</span>`;
export const long = (text) => html`<span class="long">${text}</span>`;
// Only what has no place to break is broken anywhere: a column would else be squeezed down to its letters.
export const fold = (text) => typeof text === "string" && /\S{40}/.test(text) ? long(text) : text;
export const code = (text) => html`<code>${text}</code>`;
export const time = (text) => text ? html`<time datetime="${text}">${text.slice(0, 16).replace("T", " ")}</time>` : "–";

export function value(number) {
  const size = Math.abs(number ?? 0);
  if (number == null) return "–";
  if (Number.isInteger(number) || size >= 1000) return Math.round(number).toLocaleString("en");
  return size < 0.001 ? number.toExponential(1) : number.toFixed(3);
}

export function bytes(number) {
  const power = number < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(number) / 3));
  return `${(number / 1000 ** power).toFixed(power ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

export function span(seconds) {
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([s]) => seconds >= s && seconds % s === 0) ?? [1, "second"];
  const count = seconds / size;
  return `${Number(count.toFixed(3)).toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;
}
