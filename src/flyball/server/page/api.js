// The HTTP API's description, as a page.

import { html, list, show } from "./parts.js";

const described = await (await fetch("openapi.json")).json();
const type = (schema) => schema.$ref ? schema.$ref.split("/").pop() : schema.anyOf ? schema.anyOf.map(type).join(" or ")
  : schema.type === "array" ? `list of ${schema.items ? type(schema.items) : "anything"}` : [schema.type ?? "anything"].flat().join(" or ");
const rooms = new Map();
for (const [path, methods] of Object.entries(described.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const given = Object.fromEntries([
      ...(operation.parameters ?? []).map((p) => [p.name, type(p.schema) + (p.required ? "" : ", optional")]),
      ...Object.entries(operation.requestBody?.content["application/json"].schema.properties ?? {}).map(([name, schema]) => [name, type(schema)]),
    ]);
    const answer = operation.responses["200"].content["application/json"].schema;
    const room = operation.tags[0];
    rooms.set(room, [...(rooms.get(room) ?? []), html`<section class="card" id="${operation.operationId}"><h2><code>${method.toUpperCase()} ${path}</code></h2>
      <p>${operation.description}</p>${list({ ...given, answer: type(answer) })}</section><br>`]);
  }
}
show(document.getElementById("main"), html`<h1>HTTP API ${described.info.version}</h1>
  <p>Reads are GET with query parameters, changes are POST with a JSON body. Errors are <code>{code, message, hint, facts}</code>.</p>
  ${[...rooms].map(([room, operations]) => html`<h1>${room}</h1>${operations}`)}`);
