// What every view is made of. Text is escaped unless it came out of `html`.

class Markup { constructor(text) { this.text = text; } }

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);
const render = (part) => part instanceof Markup ? part.text : Array.isArray(part) ? part.map(render).join("") : part === 'aria-current="page"' ? part : escape(part ?? "");

export function html(strings, ...parts) {
  return new Markup(strings.reduce((all, text, place) => all + text + (place < parts.length ? render(parts[place]) : ""), ""));
}

export function show(element, part) { element.innerHTML = render(part); }

export async function read(path, query = {}) {
  const answer = await fetch(`api/${path}?${new URLSearchParams(query)}`);
  return taken(answer);
}

export async function change(path, body) {
  const answer = await fetch(`api/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  return taken(answer);
}

async function taken(answer) {
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.message), { hint: body.hint });
  return body;
}

export function table(columns, rows, empty) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  const number = (cell) => typeof cell === "number" ? "n" : "";
  return html`<div class="wide"><table><thead><tr>${columns.map((c, place) => html`<th scope="col" class="${number(rows[0][place])}">${c}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td class="${number(cell)}">${typeof cell === "number" ? cell.toLocaleString("en") : cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

export function list(facts) {
  return html`<dl>${Object.entries(facts).map(([name, fact]) => html`<dt>${name}</dt><dd>${fact === "" || fact == null ? "–" : fact}</dd>`)}</dl>`;
}

export function act(text, path, body, question = "") {
  return html`<button type="button" data-path="${path}" data-body="${JSON.stringify(body)}" data-question="${question}">${text}</button>`;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (!button || (button.dataset.question && !confirm(button.dataset.question))) return;
  button.disabled = true;
  try {
    await change(button.dataset.path, JSON.parse(button.dataset.body));
  } catch (error) {
    alert([error.message, error.hint].filter(Boolean).join("\n"));
  }
  document.dispatchEvent(new Event("flyball:changed"));
});

export const value = (number) => number == null ? "–" : Math.abs(number) < 1000 ? number.toFixed(3) : Math.round(number).toLocaleString("en");
export const time = (text) => text.slice(0, 16).replace("T", " ");
