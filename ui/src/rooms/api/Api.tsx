// The description of the HTTP API, as the server gives it.

import { TextInput } from "@mantine/core";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { send, useAsked, type Asked } from "../../api/client";
import { Head, Loaded, Panel, Link } from "../../parts/basics";
import { partsOf, typeOf, type Schema } from "./schema";

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters?: { name: string; required: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content: Record<string, { schema: Schema }> }>;
}
interface Described {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}
const JSON_TYPE = "application/json";
const description: Asked<Described> = { queryKey: ["openapi"], queryFn: () => send("api/openapi.json") as Promise<Described>, staleTime: Infinity };

export default function Api({ parts: [room] }: ViewProps) {
  const from = useAsked(description);
  const [words, setWords] = useState("");
  return (
    <>
      <Head title="HTTP API" under={<>Reads are GET with query parameters, changes are POST with a JSON body; errors are {"{code, message, hint, facts}"}. The whole of it: <a href="api/openapi.json">openapi.json</a></>} />
      <TextInput mb="md" maw={420} size="sm" placeholder="Search verbs" aria-label="Search verbs" value={words} onChange={(e) => setWords(e.currentTarget.value)} />
      <Loaded from={from}>{(found) => {
        const verbs = Object.entries(found.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
        const rooms = [...new Set(verbs.map((v) => v.operation.tags[0] ?? ""))];
        const asked = words.trim().toLowerCase();
        const shown = verbs.filter((v) => (asked ? `${v.path} ${v.operation.summary}`.toLowerCase().includes(asked) : !room || v.operation.tags[0] === room));
        return (
          <>
            <nav className="api-rooms" aria-label="Rooms of the API"><Link to="#/api">all</Link>{rooms.map((one) => <a key={one} href={`#/api/${one}`} aria-current={one === room ? "page" : undefined}>{one}</a>)}<a href="#/api/nouns" aria-current={room === "nouns" ? "page" : undefined}>nouns</a></nav>
            {room === "nouns" && !asked ? <Nouns of={found.components.schemas} /> : <div className="stack">{shown.map((v) => <Verb key={v.operation.operationId} {...v} />)}</div>}
          </>
        );
      }}</Loaded>
    </>
  );
}

function Verb({ path, method, operation }: { path: string; method: string; operation: Operation }) {
  const { said, args, raises } = partsOf(operation.description);
  const body = operation.requestBody?.content[JSON_TYPE]?.schema;
  const given = [...(operation.parameters ?? []).map((p) => ({ name: p.name, schema: p.schema, isNeeded: p.required })), ...Object.entries(body?.properties ?? {}).map(([name, schema]) => ({ name, schema, isNeeded: body?.required?.includes(name) ?? false }))];
  const failures = Object.entries(raises);
  return (
    <section className="panel verb" id={operation.operationId}>
      <h2><code><span className={`method ${method}`}>{method.toUpperCase()}</span> {path}</code></h2>
      <p className="notes small">{said}</p>
      <dl className="facts">
        {given.map(({ name, schema, isNeeded }) => <div key={name}><dt>{name}{isNeeded ? "" : " (optional)"}</dt><dd><code>{typeOf(schema)}</code>{args[name] ? <span className="soft"> {args[name]}</span> : null}</dd></div>)}
        <div><dt>answer</dt><dd><code>{typeOf(operation.responses["200"]?.content[JSON_TYPE]?.schema)}</code></dd></div>
        {failures.length ? <div><dt>may fail</dt><dd>{failures.map(([name, why]) => `${name}: ${why}`).join("\n")}</dd></div> : null}
      </dl>
    </section>
  );
}

function Nouns({ of }: { of: Record<string, Schema> }) {
  return <div className="stack">{Object.entries(of).sort(([a], [b]) => a.localeCompare(b)).map(([name, schema]) => <Panel key={name} title={name}><dl className="facts">{Object.entries(schema.properties ?? {}).map(([field, kind]) => <div key={field}><dt>{field}</dt><dd><code>{typeOf(kind)}</code></dd></div>)}</dl></Panel>)}</div>;
}
