// The HTTP API's description, as a page.

import { html, list, show } from "./parts.js";

function type(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return html`<a href="#noun-${name}">${name}</a>`;
  }
  if (schema.anyOf) return schema.anyOf.map((one, place) => html`${place ? " or " : ""}${type(one)}`);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.type === "array") return html`list of ${type(schema.items || {})}`;
  return [schema.type ?? "anything"].flat().join(" or ") + (schema.format ? ` (${schema.format})` : "");
}

// A docstring's parts: what it says, and what it says of each argument and error.
function parts(text) {
  const [said, ...sections] = text.split(/\n\n?(?=(?:Args|Raises|Returns):\n)/);
  const of = (title) => Object.fromEntries((sections.find((s) => s.startsWith(`${title}:`)) ?? "").split("\n").slice(1).join("\n").split(/\n(?= {4}\S)/)
    .map((entry) => entry.trim().replace(/\s*\n\s*/g, " ").match(/^(\w+): (.*)$/)).filter(Boolean).map(([, name, words]) => [name, words]));
  return { said, args: of("Args"), raises: of("Raises") };
}

function verb(path, method, operation) {
  const { said, args, raises } = parts(operation.description);
  const body = operation.requestBody?.content["application/json"].schema;
  const given = [
    ...(operation.parameters ?? []).map((p) => [p.name, p.schema, p.required]),
    ...Object.entries(body?.properties ?? {}).map(([name, schema]) => [name, schema, body.required?.includes(name)]),
  ];
  const rows = Object.fromEntries(given.map(([name, schema, required]) => [name, html`${type(schema)}${required ? "" : ", optional"}${args[name] ? html`<br><span class="soft">${args[name]}</span>` : ""}`]));
  const answer = operation.responses["200"].content["application/json"].schema;
  const failures = Object.entries(raises).map(([name, words]) => html`${name}: ${words} `);
  return html`<section class="card verb" id="${operation.operationId}"><h3><code>${method.toUpperCase()} ${path}</code></h3>
    <p class="lines">${said}</p>${list({ ...rows, answer: type(answer), ...(failures.length ? { "may fail": failures } : {}) })}</section>`;
}

const answer = await fetch("openapi.json");
const described = await answer.json();
const rooms = new Map();
for (const [path, methods] of Object.entries(described.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    rooms.set(operation.tags[0], [...(rooms.get(operation.tags[0]) ?? []), verb(path, method, operation)]);
  }
}
const nouns = Object.entries(described.components.schemas).sort(([one], [other]) => one < other ? -1 : 1);
show(document.getElementById("main"), html`<h1>HTTP API ${described.info.version}</h1>
  <p>Reads are GET with query parameters, changes are POST with a JSON body. Errors are <code>{code, message, hint, facts}</code>. Times are ISO 8601, in UTC.</p>
  <nav class="rooms" aria-label="Rooms of the API">${[...rooms.keys()].map((room) => html`<a href="#room-${room}">${room}</a>`)} <a href="#nouns">nouns</a></nav>
  ${[...rooms].map(([room, verbs]) => html`<h2 id="room-${room}">${room}</h2>${verbs}`)}
  <h2 id="nouns">Nouns</h2>
  ${nouns.map(([name, schema]) => html`<section class="card verb" id="noun-${name}"><h3>${name}</h3>${list(Object.fromEntries(Object.entries(schema.properties ?? {}).map(([field, kind]) => [field, type(kind)])))}</section>`)}`);
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
