// Who did what, and the proof that nobody touched what was written about it.

import { Button, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useView } from "../../address";
import { ask, read, useAll } from "../../api/client";
import type { AuditCheck, AuditRow } from "../../api/types";
import { beginning, count, plain, plural, quoted, short } from "../../format";
import { Code, Empty, Fault, Loaded, Panel, Ref, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";

const PAGE = 100;
const NONE = { who: "", action: "", subject: "", since: "", until: "" };

export function Audit() {
  const [view, setView] = useView(NONE);
  const [asked, setAsked] = useState(view);
  const [limit, setLimit] = useState(PAGE);
  const given = Object.fromEntries(Object.entries(view).filter(([key, text]) => text && key in NONE));
  const from = useAll({ rows: ask("audit/list", { newest_first: true, limit, ...Object.fromEntries(Object.entries(given).map(([key, text]) => [key, beginning(String(text))])) }) });
  const options = Object.entries(given).map(([key, text]) => `--${key} ${quoted(String(text))}`).join(" ");
  const field = (key: keyof typeof NONE, label: string, placeholder: string, type = "text") => (
    <TextInput label={label} placeholder={placeholder} type={type} value={asked[key]} onChange={(e) => setAsked({ ...asked, [key]: e.currentTarget.value })} w={type === "date" ? 150 : 190} />
  );
  return (
    <div className="stack">
      <Proof />
      <form className="toolbar" onSubmit={(event) => {
        event.preventDefault();
        setView(asked);
      }}>
        {field("who", "Who", "ada")}{field("action", "Action", "registry.")}{field("subject", "To what", "models:/churn/")}{field("since", "From", "", "date")}{field("until", "Until before", "", "date")}
        <Button type="submit" variant="default">Search</Button>
        {Object.keys(given).length ? <Button variant="subtle" onClick={() => { setAsked(NONE); setView(NONE); }}>All</Button> : null}
      </form>
      <Loaded from={from}>{({ rows }) => (
        <Panel title="Audit log" aside={<span>rows are chained by hashes; nothing is changed or removed</span>}>
          <Table rows={rows} id={(row) => row.id} first={PAGE} empty={<Empty command="flyball audit list">{Object.keys(given).length ? "Nothing fits." : "Nothing was done yet."}</Empty>} columns={[
            { title: "no.", number: true, cell: (row) => count(row.id) }, { title: "at", cell: (row) => <When at={row.at} /> }, { title: "who", cell: (row) => <><strong>{row.who}</strong>{row.kind !== "user" ? <span className="soft"> {row.kind}</span> : null}</> },
            { title: "did", cell: (row) => <Code>{row.action || row.verb}</Code> }, { title: "to", cell: (row) => (row.subject ? <Ref to={row.subject} /> : "–"), wide: true }, { title: "facts", cell: (row) => <Details of={row} /> },
          ]} />
          {rows.length === limit && limit < 5000 ? <Button variant="subtle" onClick={() => setLimit(limit * 4)}>Older ones</Button> : null}
          <Twin>{`flyball audit list${options ? ` ${options}` : ""}`}</Twin>
          <Twin>{"flyball audit export --output audit.jsonl"}</Twin>
        </Panel>
      )}</Loaded>
    </div>
  );
}

function Details({ of }: { of: AuditRow }) {
  const facts = { ...of.facts, verb: of.verb, project: of.project, ...(of.token ? { token: of.token } : {}), hash: of.hash, "hash before": of.previous };
  return <details><summary className="soft small">{plural(Object.keys(of.facts).length, "fact")}</summary><pre className="block">{Object.entries(facts).map(([key, given]) => `${key}: ${plain(given)}`).join("\n")}</pre></details>;
}

function Proof() {
  const [state, setState] = useState<{ check?: AuditCheck; error?: Error; isBusy?: boolean }>({});
  const verify = () => {
    setState({ isBusy: true });
    read("audit/verify", {}).then((check) => setState({ check }), (error: Error) => setState({ error }));
  };
  const { check, error } = state;
  return (
    <Panel title="Proof" aside={<Button onClick={verify} loading={state.isBusy}>Verify the whole log</Button>}>
      {error ? <Fault of={error} /> : null}
      {check ? (check.broken ? (
        <Text size="sm" className="bad" role="status"><strong>{check.broken.id ? `Row ${count(check.broken.id)}` : "The log"}: {check.broken.what}.</strong> {check.broken.why}</Text>
      ) : <Text size="sm" className="good" role="status">All {plural(check.rows, "row")} are what was written, up to number {count(check.last)}; the head of the chain is {short(check.hash)}, {check.signed ? `and ${plural(check.signed, "seal")} were checked` : "no seal was written yet"}.</Text>
      ) : <Text size="sm" c="dimmed">Each row holds the hash of the one before it. Verifying goes through all of them and finds the first that was changed, removed or put in.</Text>}
      <Twin>flyball audit verify</Twin>
    </Panel>
  );
}
