// The first page of a workspace: loops, runs, models, deployments, windows, alerts. Reads the same API as the CLI does.

import { chart } from "./chart.js";
import { act, bytes, close, code, fold, html, limit, lines, link, list, long, query, read, room, score, show, span, table, tag, time, twin, value } from "./parts.js";
import { comparison, run, runs } from "./runs.js";
import { version } from "./versions.js";

const ROOMS = {
  loops: ["Loops", loops, loop],
  runs: ["Runs", runs, run],
  models: ["Models", models, model],
  deployments: ["Deployments", deployments, deployment],
  data: ["Data", datasets, dataset],
  alerts: ["Alerts", alerts, null],
  events: ["Events", events, null],
};
// Views that no one looks for in the navigation.
const VIEWS = { ...ROOMS, compare: ["Compare", comparison, comparison], versions: ["Versions", models, version] };

const command = (text) => html`<pre>${text}</pre>`;

const PLACES = { loops: "loops", models: "models", runs: "runs", deployments: "deployments", windows: "deployments", datasets: "data", snapshots: "data" };
function ref(text) {
  const [kind, name] = text.split(/:\/|\/|@/);
  return PLACES[kind] && name ? html`<a class="${text.length > 30 ? "long" : ""}" href="#/${PLACES[kind]}/${encodeURIComponent(name)}">${text}</a>` : long(text);
}

async function loops() {
  const [found, served, open] = await Promise.all([
    read("loops/list", { limit: 200 }), read("deployments/list", { limit: 1000 }), read("alerts/list", { state: "open", limit: 1000 }),
  ]);
  if (!found.length) {
    return html`<h1>Loops</h1><p class="empty">No loop yet. A loop takes a model round by itself: it watches, trains, judges and rolls out.
      Start a project, then hand its loops to this workspace:</p>${command("flyball init my-project\ncd my-project\nflyball apply")}
      <p class="empty">Or see one at work on a year of flights:</p>${command("flyball demo")}`;
  }
  const cards = found.map(({ loop: plan, state, last_decision: last }) => {
    const champion = served.find((d) => d.name === plan.name)?.champion;
    const alerting = open.filter((a) => a.subject === `deployments:/${plan.name}` || a.subject === `loops:/${plan.name}`).length;
    return html`<section class="card"><h2>${link("loops", plan.name)} ${tag(state)}</h2>
      ${plan.paused ? html`<p class="bad">Paused: ${plan.paused}</p>` : ""}
      <p>${champion ? `Version ${champion} answers.` : "Nothing is deployed yet."} ${alerting ? html`<a class="bad" href="#/alerts">${alerting} open alert${alerting === 1 ? "" : "s"}</a>` : ""}</p>
      <p>${last ? html`<span class="soft">${time(last.at)}</span> ${tag(last.decision)} ${last.reason}` : "Nothing has been decided yet."}</p></section>`;
  });
  return html`<h1>Loops</h1><div class="cards">${cards}</div>${twin("flyball loops list")}`;
}

async function loop(name) {
  const [state, history, windows, trainings] = await Promise.all([
    read("loops/get", { name }), read("loops/history", { name, limit: Math.max(100, limit("decisions")) }),
    read("monitoring/list_windows", { deployment: name, limit: Math.max(60, limit("windows", 10)) }), read("loops/list_trainings", { name, limit: limit("trainings", 10) }),
  ]);
  const { loop: plan } = state;
  const calls = (found, what) => lines(found.map((f) => call(f[what], f.params)));
  return html`<h1>${name} ${tag(state.state)}</h1>
    ${plan.paused ? html`<p class="error">Paused: ${plan.paused}</p>` : ""}
    <div class="actions">
      ${plan.paused ? act("Resume", "loops/resume", { name }, { twin: `flyball loops resume ${name}` })
        : act("Pause", "loops/pause", { name }, { twin: `flyball loops pause ${name}`, question: `Pause ${name}? It starts no training and no rollout by itself until it is resumed; what is served goes on.`, reason: true })}
      ${act("Train now", "loops/trigger", { name }, { twin: `flyball loops trigger ${name}`, question: `Train ${name} now, whatever its cool-down and budget say?`, reason: true })}
      ${link("models", name, "Versions")} ${link("deployments", name, "Deployment")}
    </div>
    ${performance(windows, history)}
    <h2>What was decided, and why</h2>
    ${table(["when", "decision", "because"], history, (d) => [time(d.at), tag(d.decision), d.reason], { key: "decisions", empty: "Nothing has been decided yet." })}
    ${twin(`flyball loops why ${name}`)}
    ${windowTable(windows)}
    <h2>Trainings</h2>
    ${table(["when", "because", "state", "version"], trainings, (t) => [time(t.created), t.error ? lines([t.reason, t.error]) : t.reason, tag(t.state), t.version ?? "–"],
      { key: "trainings", first: 10, empty: html`None yet. One is started when a trigger fires, or by hand: ${code(`flyball loops trigger ${name}`)}` })}
    <h2>Plan</h2>
    ${list({ pipeline: call(plan.pipeline, plan.params), "retrain on": calls(plan.retrain, "trigger"), gates: calls(plan.gates, "gate"), monitors: calls(plan.monitors, "monitor"),
      rollout: rolloutText(plan.rollout), window: span(plan.window_seconds), "truth is waited for": span(plan.label_delay_seconds), "cool-down": span(plan.cooldown_seconds),
      "trainings a week": `at most ${plan.max_trainings_per_week}`, declared: html`in ${plan.module || "–"}, applied ${time(state.applied)}`, code: plan.code ? code(plan.code.slice(0, 12)) : "–" })}
    ${twin(`flyball loops show ${name}`)}`;
}

function call(name, params) {
  const given = Object.entries(params).filter(([, v]) => v != null && v !== "" && v.length !== 0);
  return given.length ? `${name}(${given.map(([k, v]) => `${k}=${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ")})` : name;
}

function rolloutText({ strategy, steps, hold_seconds: hold, min_predictions: least }) {
  return strategy === "canary" ? `canary: ${steps.join(" → ")} %, each for ${span(hold)} and ${least.toLocaleString("en")} predictions` : strategy;
}

function performance(windows, history) {
  const metric = windows.flatMap((w) => w.performance)[0]?.name;
  const points = windows.flatMap((w) => w.performance.filter((m) => m.name === metric && m.value != null)
    .map((m) => ({ at: Date.parse(w.end), value: m.value, low: m.low, high: m.high }))).reverse();
  const marks = history.map((d) => ({ at: Date.parse(d.at), kind: d.decision, text: d.reason }));
  return points.length < 2 ? "" : html`<h2>${metric} of the live predictions, window by window</h2>${chart(metric, points, marks, room())}`;
}

function windowTable(windows) {
  return html`<h2>Windows</h2>${table(["from", "predictions", "labelled", "answered by version", "performance", "findings"], windows, (w) => [time(w.start), w.predictions, w.labelled,
    Object.keys(w.versions).join(", "), lines(w.performance.map(score)), w.findings.length ? lines(w.findings) : html`<span class="soft">nothing</span>`],
  { key: "windows", first: 10, empty: "No window has closed yet: the first one ends a window's length after the first prediction." })}`;
}

async function models() {
  const found = await read("registry/list_models", { limit: limit("models", 50) });
  return html`<h1>Models</h1>${table(["model", "versions", "latest", "champion", "changed"], found, (m) => [link("models", m.name), m.versions, m.latest, m.champion ?? "–", time(m.updated)],
    { key: "models", first: 50, empty: html`No model yet. A pipeline whose step calls <code>fb.register</code> makes one: ${command("flyball run PIPELINE")}` })}${twin("flyball models list")}`;
}

async function model(name) {
  const found = await read("registry/list_versions", { model: name, limit: limit("versions") });
  const gates = ({ verdict }) => !verdict ? "not judged" : verdict.passed ? html`<span class="good">passed</span>`
    : html`<span class="bad">held back</span> ${lines(verdict.decisions.filter((d) => !d.passed).map((d) => `${d.gate}: ${d.reason}`))}`;
  return html`<h1>${name}</h1>${table(["version", "stage", "registered", "scores on held-out rows (95 %)", "gates", "run"], found, (v) => [link("versions", `${name}/${v.version}`, String(v.version)), tag(v.stage), time(v.created),
    html`<span class="keep">${lines((v.evaluation?.metrics ?? []).slice(0, 3).map(score))}</span>`, gates(v), v.run ? link("runs", v.run, code(v.run.slice(0, 12))) : "–"],
  { key: "versions", empty: html`No version of this model yet. ${command("flyball run PIPELINE")}` })}${twin(`flyball models list ${name}`)}`;
}

const stands = (d) => d.rollout ? `version ${d.rollout.to_version} at ${d.rollout.percent} %${d.rollout.state === "paused" ? ", paused" : ""}` : "none";

async function deployments() {
  const found = await read("deployments/list", { limit: limit("deployments", 50) });
  return html`<h1>Deployments</h1>${table(["deployment", "model", "champion", "rollout", "changed"], found, (d) => [link("deployments", d.name), link("models", d.model), d.champion, stands(d), time(d.updated)],
    { key: "deployments", first: 50, empty: html`Nothing is deployed yet. A loop deploys by itself; by hand: ${command("flyball deployments deploy NAME MODEL/VERSION")}` })}${twin("flyball deployments list")}`;
}

async function deployment(name) {
  const [found, history, rollouts, windows, loops] = await Promise.all([
    read("deployments/get", { name }), read("deployments/history", { name, limit: limit("history") }), read("deployments/list_rollouts", { name, limit: limit("rollouts", 10) }),
    read("monitoring/list_windows", { deployment: name, limit: limit("windows", 10) }), read("loops/list", { limit: 1000 }),
  ]);
  const { rollout } = found;
  const paused = rollout?.state === "paused";
  const before = history.find((h) => h.champion !== found.champion)?.champion;
  const back = rollout ? `End the rollout of version ${rollout.to_version}, so that version ${found.champion} answers all again?`
    : before ? `Take version ${found.champion} back, so that the champion before it answers all again?` : "";
  return html`<h1>${name}</h1>
    <div class="actions">
      ${back ? act("Roll back", "deployments/roll_back", { name }, { twin: `flyball deployments rollback ${name}`, question: back, reason: true }) : ""}
      ${!rollout ? "" : html`${act("Promote now", "deployments/promote", { name }, { twin: `flyball deployments promote ${name}`, question: `Let version ${rollout.to_version} answer all now?`, reason: true })}
        ${act(paused ? "Resume rollout" : "Pause rollout", `deployments/${paused ? "resume" : "pause"}`, { name }, { twin: `flyball deployments ${paused ? "resume" : "pause"} ${name}` })}`}
      ${loops.some((l) => l.loop.name === name) ? link("loops", name, "Loop") : ""} ${link("models", found.model, "Versions")}
    </div>
    ${list({ model: link("models", found.model), champion: `version ${found.champion}`, generation: found.generation, rollout: stands(found), changed: time(found.updated) })}
    <h2>Rollouts</h2>${table(["version", "how", "state", "started", "ended", "because"], rollouts, (r) => [r.to_version, r.spec.strategy, tag(r.state), time(r.started), time(r.ended), r.reason],
      { key: "rollouts", first: 10, empty: "None yet: versions were deployed at once." })}
    <h2>History</h2>${table(["generation", "since", "champion", "challenger", "challenger's share", "because"], history, (h) => [h.generation, time(h.at), h.champion, h.challenger ?? "–", h.challenger ? `${h.percent} %` : "–", h.reason],
      { key: "history", empty: "None." })}
    ${twin(`flyball deployments show ${name}`)}
    ${windowTable(windows)}`;
}

async function datasets() {
  const [found, views] = await Promise.all([read("data/list", { limit: limit("datasets", 50) }), read("features/list", { limit: limit("views", 50) })]);
  return html`<h1>Data</h1>${table(["dataset", "source", "label", "description"], found, (d) => [link("data", d.name), long(d.source || d.query), d.label, d.description],
    { key: "datasets", first: 50, empty: html`No dataset yet. Take a snapshot of a file, and it is one: ${command("flyball data snapshot NAME FILE")}` })}
    <h2>Feature views</h2>${table(["view", "source", "entity", "kept for"], views, (v) => [v.name, long(v.source), v.entity.join(", "), v.ttl_seconds ? span(v.ttl_seconds) : "ever"],
    { key: "views", first: 50, empty: html`No feature view yet. Declare one in the project with <code>fb.feature_view</code>, then: ${command("flyball apply")}` })}${twin("flyball data list")}`;
}

async function dataset(name) {
  const [found, snapshots] = await Promise.all([read("data/get", { name }), read("data/list_snapshots", { dataset: name, limit: limit("snapshots") })]);
  return html`<h1>${name}</h1>${list({ source: long(found.source || found.query), key: found.key, time: found.time, label: found.label, "label is known at": found.label_time })}
    <h2>Snapshots</h2>${table(["snapshot", "taken", "rows", "files", "size", "what changed"], snapshots, (s) => [code(s.id.slice(0, 12)), time(s.created), s.rows ?? "–", s.files.length, bytes(s.size), s.summary],
    { key: "snapshots", empty: html`No snapshot yet. ${command(`flyball data snapshot ${name}`)}` })}${twin(`flyball data history ${name}`)}`;
}

async function alerts() {
  const [active, over] = await Promise.all([read("alerts/list", { state: "active", limit: limit("active", 50) }), read("alerts/list", { state: "resolved", limit: limit("over") })]);
  const what = (a) => html`<strong>${fold(a.title)}</strong>${lines(["", a.detail])}`;
  return html`<h1>Alerts</h1>${table(["severity", "what", "about", "state", "times", "last seen", "do"], active, (a) => [tag(a.severity), what(a), ref(a.subject),
    html`${tag(a.state)} ${a.acknowledged_by ? `by ${a.acknowledged_by}` : ""}`, a.count, time(a.last_seen), html`<span class="do">${a.state === "open" ? act("Acknowledge", "alerts/acknowledge", { id: a.id }, { twin: `flyball alerts ack ${a.id}` }) : ""}
    ${act("Resolve", "alerts/resolve", { id: a.id }, { twin: `flyball alerts resolve ${a.id}`, question: `Is “${a.title}” over?`, reason: true })}</span>`],
  { key: "active", first: 50, empty: "Nothing to see to. Monitors of a loop open alerts when inputs drift, data is faulty, or a model does worse." })}
    ${twin("flyball alerts list")}
    <h2>Resolved</h2>${table(["severity", "what", "about", "times", "opened", "resolved", "because"], over, (a) => [tag(a.severity), what(a), ref(a.subject), a.count, time(a.opened), time(a.resolved), a.resolution],
    { key: "over", empty: "None yet." })}`;
}

async function events() {
  const found = await read("events/list", { newest_first: true, limit: limit("events", 50) });
  const fact = (v) => typeof v === "object" ? JSON.stringify(v) : v;
  return html`<h1>Events</h1>${table(["at", "what", "about", "facts"], found, (e) => [time(e.at), e.kind, ref(e.subject),
    html`<span class="facts">${Object.entries(e.facts).filter(([, v]) => v !== "").map(([k, v]) => html`<span><span class="soft">${k}</span> ${fact(v)}</span> `)}</span>`],
  { key: "events", first: 50, empty: html`Nothing has happened yet. ${command("flyball apply")}` })}${twin("flyball events")}`;
}

const main = document.getElementById("main");

// Clients of MLflow name runs and models by its own page's addresses.
const THEIRS = [[/^experiments\/[^/]+\/runs\/([^/?]+).*/, "runs/$1"], [/^experiments\/([^/?]+).*/, "runs?experiment=$1"], [/^models\/([^/]+)\/versions\/([0-9]+).*/, "versions/$1%2F$2"]];

function place() {
  const asked = location.hash.replace(/^#\/?/, "");
  const [, theirs] = THEIRS.reduce(([done, text], [pattern, ours]) => done || !pattern.test(text) ? [done, text] : [true, text.replace(pattern, ours)], [false, asked]);
  const [path] = theirs.split("?");
  query.set(theirs.slice(path.length + 1));
  const [key = "loops", name] = path.split("/");
  try {
    return [decodeURIComponent(key) || "loops", name && decodeURIComponent(name)];
  } catch {
    return [key, name];
  }
}

let drawing = 0;
async function draw() {
  const mine = ++drawing;
  const [key, name] = place();
  const [title, all, one] = Object.hasOwn(VIEWS, key) ? VIEWS[key] : [key, null, null];
  document.title = `${name || title} – Flyball`;
  show(document.getElementById("nav"), Object.entries(ROOMS).map(([other, [text]]) => html`<a href="#/${other}" ${other === key ? html`aria-current="page"` : ""}>${text}</a>`));
  let drawn;
  try {
    if (!all) throw new Error(`There is no page '${key}'.`);
    drawn = await (name && one ? one(name) : all());
  } catch (error) {
    drawn = html`<h1>${name || title}</h1><p class="error" role="alert">${error.message} <span class="soft">${error.hint ?? ""}</span></p>`;
  }
  if (mine !== drawing) return;
  show(main, drawn);
  const [[now], virtual] = await Promise.all([read("clock/state"), read("clock/is_set")]).catch(() => [[null], false]);
  show(document.getElementById("clock"), now && virtual ? html`Times are UTC. This workspace's time is virtual; it stands at ${time(now)}.` : "Times are UTC.");
}

// Kinds of events after which a view may look otherwise. The stream names each event by its kind.
const KINDS = ["loops.applied", "loops.removed", "loops.decided", "loops.training_started", "loops.training_ended", "loops.paused", "loops.resumed",
  "deployment.changed", "deployment.removed", "deployment.rolled_back", "deployment.rollout_started", "deployment.rollout_advanced", "deployment.rollout_ended", "deployment.rollout_paused", "deployment.rollout_resumed", "registry.version_registered", "registry.verdict_recorded",
  "registry.version_updated", "registry.version_deleted", "registry.stage_changed", "registry.alias_moved", "monitoring.window_examined", "alerts.opened", "alerts.acknowledged",
  "alerts.resolved", "alerts.escalated", "tracking.run_started", "tracking.run_ended", "tracking.run_lost", "tracking.run_deleted", "tracking.run_restored", "tracking.experiment_created",
  "registry.approval_requested", "registry.approval_withdrawn", "registry.version_approved", "registry.version_rejected", "registry.commented", "registry.version_deprecated", "registry.version_retired", "registry.version_restored", "data.dataset_declared", "data.snapshot_taken", "features.view_declared"];

let source, pending;
const soon = () => { pending ??= setTimeout(() => { pending = undefined; draw(); }, 500); };

// A browser keeps few connections to a server: a page that nobody sees lets its own go.
async function follow() {
  if (document.hidden) { source?.close(); source = undefined; return; }
  const after = await newest();
  if (source || document.hidden) return;
  const live = document.getElementById("live");
  source = new EventSource(`api/events/stream?after=${after}`);
  for (const kind of KINDS) source.addEventListener(kind, soon);
  source.onopen = () => { live.textContent = "live"; };
  source.onerror = () => { live.textContent = "no answer; trying again"; };
}

async function newest() {
  return (await read("events/list", { newest_first: true, limit: 1 }).catch(() => []))[0]?.id ?? 0;
}

document.addEventListener("flyball:changed", draw);
document.addEventListener("visibilitychange", () => { follow(); if (!document.hidden) soon(); });
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-place]");
  if (!form) return;
  event.preventDefault();
  const asked = new URLSearchParams([...new FormData(form)].filter(([, text]) => text !== ""));
  location.hash = `#/${form.dataset.place}${asked.size ? `?${asked}` : ""}`;
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("button[data-compare]")) return;
  const ids = [...main.querySelectorAll("input[name=pick]:checked")].map((box) => box.value);
  if (ids.length) location.hash = `#/compare/${ids.join(",")}`;
});
addEventListener("hashchange", () => { if (location.hash === "#main") return; close(); draw().then(() => scrollTo(0, 0)); main.focus({ preventScroll: true }); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; soon(); } });
draw();
follow();
