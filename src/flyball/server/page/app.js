// The first page of a workspace: loops, runs, models, deployments, windows, alerts. Reads the same API as the CLI does.

import { chart } from "./chart.js";
import { act, html, list, read, show, table, time, value } from "./parts.js";

const ROOMS = {
  loops: ["Loops", loops, loop],
  runs: ["Runs", runs, run],
  models: ["Models", models, model],
  deployments: ["Deployments", deployments, deployment],
  data: ["Data", datasets, dataset],
  alerts: ["Alerts", alerts, null],
  events: ["Events", events, null],
};

const STATE = { watching: "good", training: "warn", "rolling out": "warn", paused: "bad", finished: "good", failed: "bad", running: "warn",
  champion: "good", challenger: "warn", promoted: "good", rolled_back: "bad", lost: "bad", open: "bad", critical: "bad", warning: "warn" };
const tag = (word) => html`<span class="tag ${STATE[word] ?? ""}">${word}</span>`;
const link = (room, name, text = name) => html`<a href="#/${room}/${encodeURIComponent(name)}">${text}</a>`;

async function loops() {
  const found = await read("loops/list");
  if (!found.length) {
    return html`<h1>Loops</h1><p class="empty">No loop yet. In a project's folder:</p><pre>flyball apply</pre>`;
  }
  const cards = found.map((state) => html`<section class="card">
    <h2>${link("loops", state.loop.name)}</h2><p>${tag(state.state)}</p>
    <p>${state.last_decision ? html`<span class="soft">${time(state.last_decision.at)}</span> ${state.last_decision.decision}: ${state.last_decision.reason}` : "Nothing has been decided yet."}</p>
  </section>`);
  return html`<h1>Loops</h1><div class="cards">${cards}</div>`;
}

async function loop(name) {
  const [state, history, windows, trainings] = await Promise.all([
    read("loops/get", { name }), read("loops/history", { name, limit: 60 }),
    read("monitoring/list_windows", { deployment: name, limit: 60 }), read("loops/list_trainings", { name, limit: 30 }),
  ]);
  const { loop: plan } = state;
  const metric = windows.flatMap((w) => w.performance)[0]?.name;
  const points = windows.filter((w) => w.performance.length).map((w) => {
    const found = w.performance.find((m) => m.name === metric) ?? {};
    return { at: Date.parse(w.end), value: found.value, low: found.low, high: found.high };
  }).filter((p) => p.value != null).reverse();
  const marks = history.filter((d) => ["promote", "refuse", "roll back", "deploy"].includes(d.decision))
    .map((d) => ({ at: Date.parse(d.at), kind: d.decision, text: d.reason }));
  const paused = Boolean(plan.paused);
  return html`<h1>${name} ${tag(state.state)}</h1>
    <div class="actions">
      ${act(paused ? "Resume" : "Pause", paused ? "loops/resume" : "loops/pause", { name })}
      ${act("Train now", "loops/trigger", { name })}
      ${link("models", name, "Versions")} ${link("deployments", name, "Deployment")}
    </div>
    ${points.length > 1 ? html`<h2>${metric} of the live predictions, window by window</h2>${chart(points, marks)}` : ""}
    <h2>What was decided, and why</h2>
    ${table(["when", "decision", "because"], history.map((d) => [time(d.at), tag(d.decision), d.reason]), "Nothing has been decided yet.")}
    <h2>Windows</h2>
    ${table(["from", "predictions", "labelled", "drift", "performance"], windows.map((w) => [time(w.start), w.predictions, w.labelled,
      w.drift ? (w.drift.drifted ? html`<span class="warn">${w.drift.columns.filter((c) => c.drifted).map((c) => c.column).join(", ")}</span>` : "none") : "–",
      w.performance.map((m) => `${m.name} ${value(m.value)}`).join(", ")]), "No window has closed yet.")}
    <h2>Trainings</h2>
    ${table(["when", "because", "state", "version"], trainings.map((t) => [time(t.created), t.reason, tag(t.state), t.version ?? "–"]), "None yet.")}
    <h2>Plan</h2>
    ${list({ pipeline: plan.pipeline, "retrain on": plan.retrain.map((t) => t.trigger).join(", "), gates: plan.gates.map((g) => g.gate).join(", "),
      rollout: `${plan.rollout.strategy} ${plan.rollout.steps.join(" → ")} %`, monitors: plan.monitors.map((m) => m.monitor).join(", "), code: plan.code.slice(0, 16) })}`;
}

async function runs() {
  const found = await read("tracking/list_runs", { kind: "pipeline", limit: 100 });
  return html`<h1>Runs</h1>${table(["run", "experiment", "name", "state", "started", "metrics"], found.map((r) => [link("runs", r.id), r.experiment, r.name,
    tag(r.state), time(r.started), Object.entries(r.metrics).slice(0, 3).map(([k, v]) => `${k} ${value(v)}`).join(", ")]), "No run yet: flyball run")}`;
}

async function run(id) {
  const [found, steps, artifacts] = await Promise.all([
    read("tracking/get_run", { run: id }), read("tracking/list_runs", { parent: id, limit: 200 }), read("tracking/list_artifacts", { run: id }),
  ]);
  return html`<h1>Run ${id.slice(0, 10)} ${tag(found.state)}</h1>
    ${list({ experiment: found.experiment, name: found.name, started: time(found.started), ended: found.ended ? time(found.ended) : "–", attempt: found.attempt, code: found.code.slice(0, 16), ...found.params })}
    ${found.error ? html`<pre class="error">${found.error}</pre>` : ""}
    <h2>Steps</h2>${table(["step", "state", "why it ran"], steps.reverse().map((s) => [s.name, tag(s.state), s.tags.why ?? ""]), "No steps.")}
    <h2>Metrics</h2>${table(["metric", "value"], Object.entries(found.metrics).map(([k, v]) => [k, value(v)]), "No metrics.")}
    <h2>Artifacts</h2>${table(["artifact", "kind", "bytes"], artifacts.map((a) => [html`<a href="blobs/${a.digest}">${a.name}</a>`, a.kind, a.size]), "No artifacts.")}`;
}

async function models() {
  const found = await read("registry/list_models", { limit: 200 });
  return html`<h1>Models</h1>${table(["model", "versions", "champion"], found.map((m) => [link("models", m.name), m.versions, m.champion ?? "–"]), "No model yet: a pipeline registers one.")}`;
}

async function model(name) {
  const found = await read("registry/list_versions", { model: name, limit: 100 });
  const gates = (v) => !v.verdict ? "–" : v.verdict.passed ? html`<span class="good">passed</span>`
    : html`<span class="bad">${v.verdict.decisions.filter((d) => !d.passed).map((d) => `${d.gate}: ${d.reason}`).join("; ")}</span>`;
  return html`<h1>${name}</h1>${table(["version", "stage", "registered", "scores", "gates", "run"], found.map((v) => [v.version, tag(v.stage), time(v.created),
    (v.evaluation?.metrics ?? []).slice(0, 3).map((m) => `${m.name} ${value(m.value)}`).join(", "), gates(v), v.run ? link("runs", v.run, v.run.slice(0, 10)) : "–"]), "No version.")}`;
}

async function deployments() {
  const found = await read("deployments/list");
  return html`<h1>Deployments</h1>${table(["deployment", "champion", "rollout", "since"], found.map((d) => [link("deployments", d.name), d.champion,
    d.rollout ? `version ${d.rollout.to_version} at ${d.rollout.percent} %` : "–", time(d.updated)]), "Nothing is deployed yet.")}`;
}

async function deployment(name) {
  const [found, history, rollouts] = await Promise.all([
    read("deployments/get", { name }), read("deployments/history", { name, limit: 60 }), read("deployments/list_rollouts", { name, limit: 30 }),
  ]);
  return html`<h1>${name}</h1>
    <div class="actions">${act("Roll back", "deployments/roll_back", { name, reason: "from the page" }, "Go back to the version before?")}
    ${found.rollout ? html`${act("Promote now", "deployments/promote", { name })}${act(found.rollout.state === "paused" ? "Resume" : "Pause", `deployments/${found.rollout.state === "paused" ? "resume" : "pause"}`, { name })}` : ""}</div>
    ${list({ model: link("models", found.model), champion: found.champion, generation: found.generation, rollout: found.rollout ? `version ${found.rollout.to_version} at ${found.rollout.percent} %` : "none" })}
    <h2>Rollouts</h2>${table(["version", "how", "state", "started", "ended", "because"], rollouts.map((r) => [r.to_version, r.spec.strategy, tag(r.state), time(r.started), r.ended ? time(r.ended) : "–", r.reason]), "None yet.")}
    <h2>History</h2>${table(["generation", "champion", "challenger", "percent", "since", "because"], history.map((h) => [h.generation, h.champion, h.challenger ?? "–", h.percent, time(h.at), h.reason]), "None.")}`;
}

async function datasets() {
  const [found, views] = await Promise.all([read("data/list"), read("features/list")]);
  return html`<h1>Data</h1>${table(["dataset", "source", "label", "description"], found.map((d) => [link("data", d.name), d.source, d.label, d.description]), "No dataset yet: flyball data snapshot NAME FILE")}
    <h2>Feature views</h2>${table(["view", "source", "entity"], views.map((v) => [v.name, v.source, v.entity.join(", ")]), "None yet.")}`;
}

async function dataset(name) {
  const found = await read("data/list_snapshots", { dataset: name, limit: 50 });
  return html`<h1>${name}</h1>${table(["snapshot", "taken", "rows", "files", "what changed"], found.map((s) => [s.id.slice(0, 12), time(s.created), s.rows ?? "–", s.files.length, s.summary]), "No snapshot yet.")}`;
}

async function alerts() {
  const found = await read("alerts/list", { limit: 100 });
  return html`<h1>Alerts</h1>${table(["severity", "what", "about", "state", "times", "last seen", ""], found.map((a) => [tag(a.severity), html`${a.title}<br><span class="soft">${a.detail}</span>`, a.subject, tag(a.state), a.count, time(a.last_seen),
    a.state === "open" ? act("Seen", "alerts/acknowledge", { alert: a.id }) : ""]), "Nothing to see to.")}`;
}

async function events() {
  const found = await read("events/list", { newest_first: true, limit: 100 });
  return html`<h1>Events</h1>${table(["at", "what", "about", "facts"], found.map((e) => [time(e.at), e.kind, e.subject, Object.entries(e.facts).map(([k, v]) => `${k}=${typeof v === "object" ? "…" : v}`).join(", ")]), "Nothing has happened yet.")}`;
}

let drawing = 0;
async function draw() {
  const mine = ++drawing;
  const [room = "loops", name] = location.hash.slice(2).split("/").map(decodeURIComponent);
  const [title, all, one] = ROOMS[room] ?? ROOMS.loops;
  document.title = `${name || title} – Flyball`;
  show(document.getElementById("nav"), Object.entries(ROOMS).map(([key, [text]]) => html`<a href="#/${key}" ${key === room ? 'aria-current="page"' : ""}>${text}</a>`));
  const main = document.getElementById("main");
  try {
    const drawn = await (name && one ? one(name) : all());
    if (mine === drawing) show(main, drawn);
  } catch (error) {
    if (mine === drawing) show(main, html`<h1>${title}</h1><p class="error">${error.message} <span class="soft">${error.hint ?? ""}</span></p>`);
  }
}

async function follow() {
  const live = document.getElementById("live");
  const newest = await read("events/list", { newest_first: true, limit: 1 }).catch(() => []);
  const source = new EventSource(`api/events/stream?after=${newest[0]?.id ?? 0}`);
  let pending;
  const soon = () => { pending ??= setTimeout(() => { pending = undefined; draw(); }, 400); };
  for (const kind of ["loops.decided", "loops.training_started", "loops.training_ended", "deployment.changed", "registry.version_registered", "monitoring.window_examined", "alerts.opened", "loops.paused", "loops.resumed"]) {
    source.addEventListener(kind, soon);
  }
  source.onopen = () => { live.textContent = "live"; };
  source.onerror = () => { live.textContent = "the server does not answer; trying again"; };
}

document.addEventListener("flyball:changed", draw);
addEventListener("hashchange", () => { draw(); document.getElementById("main").focus(); });
draw();
follow();
