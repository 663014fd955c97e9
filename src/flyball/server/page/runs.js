// Runs: searched, one by one with their curves, and side by side.

import { curves } from "./chart.js";
import { act, bytes, code, html, limit, lines, link, list, long, query, read, room, table, tag, time, twin, value } from "./parts.js";

const command = (text) => html`<pre>${text}</pre>`;
const MOST_CURVES = 24, BUCKETS = 400;
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const short = (id) => code(id.slice(0, 12));
const name = (run) => run.name || run.id.slice(0, 12);

export async function runs() {
  const [filter, experiment, order] = ["filter", "experiment", "order"].map(query.get);
  const most = limit("runs", 30);
  const asked = { limit: most, total: true, ...(filter ? { filter } : { filter: "attributes.parent = ''" }), ...(experiment ? { experiments: [experiment] } : {}), ...(order ? { order_by: [order] } : {}) };
  const [experiments, found] = await Promise.all([read("experiments/list", { limit: 200 }), read("run_search/search", asked).catch((error) => ({ error, runs: [] }))]);
  const keys = [...new Set(found.runs.flatMap((r) => Object.keys(r.metrics)).filter((key) => !key.startsWith("system/")))].slice(0, 4);
  const form = html`<form class="actions" data-place="runs" role="search">
    <label class="grow">Filter <input type="text" name="filter" value="${filter}" placeholder="metrics.auc > 0.7 AND params.depth = '5'" autocomplete="off" spellcheck="false"></label>
    <label>Experiment <select name="experiment"><option value="">all</option>${experiments.map((e) => html`<option value="${e.id}" ${e.id === experiment || e.name === experiment ? html`selected` : ""}>${e.name}</option>`)}</select></label>
    <label>Order <input type="text" name="order" value="${order}" placeholder="metrics.auc DESC" autocomplete="off" spellcheck="false" size="18"></label>
    <button class="main">Search</button> <button type="button" data-compare="yes">Compare picked</button></form>`;
  const said = `flyball runs list${experiment ? ` --experiment ${experiment}` : ""}${filter ? ` --filter ${quoted(filter)}` : ""}${order ? ` --order ${quoted(order)}` : ""}`;
  if (found.error) return html`<h1>Runs</h1>${form}<p class="error" role="alert">${found.error.message} <span class="soft">${found.error.hint ?? ""}</span></p>${twin(said)}`;
  return html`<h1>Runs</h1>${form}
    ${found.total == null ? "" : html`<p class="soft">${found.total.toLocaleString("en")} ${found.total === 1 ? "run" : "runs"}</p>`}
    ${table(["", "run", "experiment", "name", "state", "started", ...keys], found.runs, (r) => [html`<input type="checkbox" name="pick" value="${r.id}" aria-label="Pick run ${name(r)}">`, link("runs", r.id, short(r.id)), r.experiment, r.name,
    tag(r.state), time(r.started), ...keys.map((key) => html`${value(r.metrics[key])}`)],
  { key: "runs", first: 30, empty: filter || experiment ? "No run fits." : html`No run yet. In a project's folder: ${command("flyball run PIPELINE")} or from any script: ${command("import flyball as fb\nwith fb.run(): fb.log(accuracy=0.9)")}` })}${twin(said)}`;
}

export async function run(id) {
  const [found, steps, artifacts, made] = await Promise.all([
    read("tracking/get_run", { run: id }), read("tracking/list_runs", { parent: id, limit: 200 }), read("tracking/list_artifacts", { run: id, limit: limit("artifacts") }),
    read("registry/find_by_run", { run: id }),
  ]);
  const gone = found.deleted != null;
  return html`<h1>Run ${id.slice(0, 12)} ${tag(found.state)}</h1>
    <div class="actions">${gone ? act("Restore", "tracking/restore_run", { run: id }, { twin: `flyball runs restore ${id}` })
    : found.state === "running" ? "" : act("Put into the trash", "tracking/delete_run", { run: id }, { twin: `flyball runs delete ${id}`, question: "Put this run into the trash? It can be restored." })}</div>
    ${gone ? html`<p class="error">In the trash since ${time(found.deleted)}.</p>` : ""}
    ${list({ id: code(id), experiment: found.experiment, name: found.name, kind: found.kind, by: found.user, started: time(found.started), ended: time(found.ended), attempt: found.attempt,
    code: found.code ? code(found.code.slice(0, 12)) : "–", ...(found.parent ? { "part of": link("runs", found.parent, code(found.parent.slice(0, 12))) } : {}),
    ...(made.length ? { registered: made.map((v) => html`${link("models", v.model, `${v.model} version ${v.version}`)} `) } : {}) })}
    ${found.notes ? html`<h2>Notes</h2><p class="notes">${found.notes}</p>` : ""}
    ${found.error ? html`<h2>Error</h2><pre class="error">${found.error}</pre>` : ""}
    <h2>Parameters</h2>${Object.keys(found.params).length ? list(texts(found.params)) : html`<p class="empty">None: the pipeline's defaults.</p>`}
    ${steps.length ? html`<h2>Steps and runs inside</h2>${table(["run", "state", "why it ran"], steps.reverse(), (s) => [link("runs", s.id, name(s)), tag(s.state), s.tags.why ?? ""], { empty: "" })}` : ""}
    <h2>Metrics</h2>${Object.keys(found.metrics).length ? list(Object.fromEntries(Object.entries(found.metrics).map(([k, v]) => [k, value(v)]))) : html`<p class="empty">No metrics.</p>`}
    ${await drawn([found])}
    <h2>Artifacts</h2>${table(["artifact", "kind", "size"], artifacts, (a) => [html`<a href="blobs/${a.digest}" download="${a.name}">${a.name}</a>`, a.kind, bytes(a.size)], { key: "artifacts", empty: "No artifacts." })}
    ${Object.keys(found.tags).length ? html`<h2>Tags</h2>${list(texts(found.tags))}` : ""}
    ${Object.keys(found.environment).length ? html`<details><summary>Environment</summary>${list(texts(found.environment))}</details>` : ""}
    ${twin(`flyball runs show ${id}`)}`;
}

export async function comparison(given = "") {
  const ids = given.split(",").filter(Boolean);
  if (!ids.length) return html`<h1>Compare</h1><p class="empty">Pick runs in the table of ${html`<a href="#/runs">runs</a>`}, then compare them.</p>`;
  const found = await read("run_search/compare", { runs: ids });
  const heads = found.runs.map((r) => html`${link("runs", r.id, name(r))}`);
  const wide = (title, rows, cells) => !rows.length ? "" : html`<h2>${title}</h2><div class="wide"><table><thead><tr><th scope="col"></th>${heads.map((h) => html`<th scope="col">${h}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr><th scope="row">${row.key ?? row.name}</th>${cells(row).map((cell) => html`<td>${cell === null || cell === "" ? "–" : cell}</td>`)}</tr>`)}</tbody></table></div>`;
  return html`<h1>Compare ${found.runs.length} runs</h1>
    ${wide("Params that differ", found.params, (row) => row.values.map(plain))}
    ${wide("Metrics", found.metrics, (row) => row.values.map((v, i) => row.best.includes(i) ? html`<strong class="good">${value(v)}</strong>` : value(v)))}
    ${await drawn(found.runs)}
    ${wide("Data", found.data, (row) => row.states.map((s) => s === null ? null : html`<code>${s.slice(0, 16)}</code>`))}
    ${wide("Environment", found.environment, (row) => row.values.map(plain))}
    ${wide("Tags", found.tags, (row) => row.values.map(plain))}
    ${found.code.map((c) => html`<h2>Code of ${c.run.slice(0, 12)}</h2>${c.known ? c.files.map((f) => html`<details><summary>${f.change} ${f.path}</summary><pre>${f.diff}</pre></details>`) : html`<p class="soft">Its code is not kept here.</p>`}`)}
    ${twin(`flyball runs compare ${ids.join(" ")}`)}`;
}

const plain = (v) => v === null ? null : typeof v === "object" ? JSON.stringify(v) : long(String(v));
const texts = (given) => Object.fromEntries(Object.entries(given).map(([k, v]) => [k, plain(v) ?? "none"]));

// Only what has more than one point is a curve.
async function drawn(found) {
  const keys = [...new Set(found.flatMap((r) => Object.keys(r.metrics)))].sort((a, b) => a.startsWith("system/") - b.startsWith("system/") || a.localeCompare(b)).slice(0, MOST_CURVES);
  const ids = found.map((r) => r.id);
  const all = await Promise.all(keys.map((key) => read("tracking/chart", { runs: ids, key, buckets: BUCKETS, axis: key.startsWith("system/") ? "relative" : "step" }).catch(() => [])));
  const shown = keys.map((key, i) => [key, all[i].filter((c) => c.steps.length > 1)]).filter(([, lines]) => lines.length);
  if (!shown.length) return "";
  const wide = room(), width = wide < 700 ? wide : Math.floor((wide - 32) / 2);
  return html`<div class="curves">${shown.map(([key, lines]) => html`<figure><figcaption>${key}</figcaption>${curves(key, lines.map((c) => ({
    label: name(found.find((r) => r.id === c.run)), index: ids.indexOf(c.run),
    points: c.values.map((v, i) => [key.startsWith("system/") ? c.times[i] / 1e6 : c.steps[i], v]).filter(([, v]) => v !== null),
  })), width, key.startsWith("system/") ? "seconds" : "step")}</figure>`)}</div>`;
}
