// A form from the model's signature; what it answers, and what each column did to the answer.

import { Button, NumberInput, Select, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { send, useAsked, type Asked } from "../../api/client";
import { plain, value } from "../../format";
import { Empty, Fault, Loaded, Panel } from "../../parts/basics";
import { curlOf } from "./request";

type Row = Record<string, unknown>;

interface Described {
  version: number;
  request: { properties: { rows: { items: { properties: Record<string, { type: string | string[] }>; required: string[] } } } };
  example: { rows: Row[] };
}
export interface Explained {
  version: number;
  explanation: {
    how: string; scale: string; base: number; target: unknown;
    rows: { prediction: number; contributions: { column: string; value: unknown; contribution: number }[] }[];
  };
}

const describe = (deployment: string): Asked<Described> => ({ queryKey: ["serving", deployment], queryFn: () => send(`serving/predict/${encodeURIComponent(deployment)}`) as Promise<Described> });
const askUrl: Asked<string> = { queryKey: ["serving", "serving/url"], queryFn: async () => (await fetch("serving/url")).text(), staleTime: Infinity };
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

export function TryIt({ deployment, version }: { deployment: string; version?: number }) {
  const url = useAsked(askUrl);
  const from = useAsked({ ...describe(deployment), enabled: Boolean(url.data) });
  if (url.data === "") return <Panel><Empty command="flyball up">No model server stands beside this server; it starts with the workspace:</Empty></Panel>;
  return <Loaded from={from}>{(found) => version !== undefined && found.version !== version ? <Panel><Empty command={`flyball predict models:/${deployment}/${version} --input rows.csv`}>Version {found.version} answers now; the form asks the version that answers. This one can be asked in a terminal:</Empty></Panel> : <Form deployment={deployment} of={found} />}</Loaded>;
}

function Form({ deployment, of }: { deployment: string; of: Described }) {
  const fields = Object.entries(of.request.properties.rows.items.properties);
  const [row, setRow] = useState<Row>(of.example.rows[0] ?? {});
  const asking = useMutation({ mutationFn: (given: Row) => send(`serving/explain/${encodeURIComponent(deployment)}`, { rows: [given] }) as Promise<Explained> });
  const { mutate } = asking;
  useEffect(() => mutate(of.example.rows[0] ?? {}), [mutate, of]);
  const change = (name: string, given: unknown) => setRow((now) => ({ ...now, [name]: given }));
  return (
    <div className="grid">
      <Panel className="c5" title={`Ask version ${of.version}`} aside="not written to the prediction log">
        <form onSubmit={(event) => {
          event.preventDefault();
          mutate(row);
        }}>
          <div className="fields">{fields.map(([name, { type }]) => <Field key={name} name={name} type={[type].flat()} given={row[name]} onChange={(given) => change(name, given)} />)}</div>
          <Button type="submit" loading={asking.isPending} mt="sm" fullWidth>Ask</Button>
        </form>
      </Panel>
      <div className="c7 stack">
        {asking.error ? <Fault of={asking.error} /> : null}
        {asking.data ? <Answer of={asking.data} /> : null}
        <Panel title="The same from elsewhere"><Examples deployment={deployment} row={row} /></Panel>
      </div>
    </div>
  );
}

function Field({ name, type, given, onChange }: { name: string; type: string[]; given: unknown; onChange: (given: unknown) => void }) {
  const label = type.includes("null") ? `${name} (may be missing)` : name;
  if (type.includes("boolean")) return <Select label={label} data={["true", "false"]} value={given == null ? null : String(given)} onChange={(v) => onChange(v === null ? null : v === "true")} />;
  if (type.includes("number") || type.includes("integer")) return <NumberInput label={label} hideControls value={(given as number | null) ?? ""} onChange={(v) => onChange(v === "" ? null : Number(v))} />;
  return <TextInput label={label} value={given == null ? "" : String(given)} onChange={(e) => onChange(e.currentTarget.value === "" && type.includes("null") ? null : e.currentTarget.value)} />;
}

function Answer({ of: { explanation } }: { of: Explained }) {
  const row = explanation.rows[0];
  if (!row) return null;
  const isLogOdds = explanation.scale === "log-odds";
  const most = Math.max(...row.contributions.map((c) => Math.abs(c.contribution)), 1e-12);
  const shown = row.contributions.slice(0, 12);
  return (
    <Panel title="The answer">
      <div className="answer"><span className="big">{isLogOdds ? `${(100 * logistic(row.prediction)).toFixed(1)} %` : value(row.prediction)}</span><span className="soft">{isLogOdds ? `chance of ${plain(explanation.target)}` : explanation.scale}; on average {isLogOdds ? `${(100 * logistic(explanation.base)).toFixed(1)} %` : value(explanation.base)}</span></div>
      <div className="bars" aria-label="What each column did to it">{shown.map((c) => (
        <div key={c.column} className="force"><span className="bar-name" title={c.column}>{c.column} = {plain(c.value)}</span>
          <span className="force-track"><i className={c.contribution < 0 ? "less" : "more"} style={{ width: `${(50 * Math.abs(c.contribution)) / most}%`, [c.contribution < 0 ? "right" : "left"]: "50%" }} /></span><span className="n">{c.contribution > 0 ? "+" : ""}{value(c.contribution)}</span></div>
      ))}</div>
      <p className="soft small">{explanation.how} In {explanation.scale}.</p>
    </Panel>
  );
}

export function Examples({ deployment, row }: { deployment: string; row: Row }) {
  const url = useAsked(askUrl).data ?? "";
  const { curl, python } = curlOf(url || "http://127.0.0.1:8081", deployment, row);
  return <div className="stack"><div><span className="soft small">curl</span><pre className="block" tabIndex={0}>{curl}</pre></div><div><span className="soft small">Python</span><pre className="block" tabIndex={0}>{python}</pre></div></div>;
}
