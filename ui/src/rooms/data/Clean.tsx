// What is wrong with a dataset, and the line of code that mends each; looked for by a worker.

import { CopyButton, Text } from "@mantine/core";
import { ask, useAsked } from "../../api/client";
import type { Errand, Snapshot } from "../../api/types";
import { count, percent, plain, short } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Fault, Panel, State, Twin, Waiting, When } from "../../parts/basics";
import { Table } from "../../parts/table";

interface Finding {
  kind: string;
  confidence: number;
  rows: number;
  found: string;
  column: string;
  examples: unknown[];
  fix: string;
}

export function useErrand(kind: Errand["kind"], about: string, snapshot: string): { newest: Errand | undefined; finished: Errand | undefined; isOpen: boolean; isLoaded: boolean } {
  const { data } = useAsked({ ...ask("errands/list", { about, kind, limit: 30 }), refetchInterval: (found) => (found?.some((one) => one.state === "pending" || one.state === "running") ? 1500 : false) });
  const mine = (data ?? []).filter((one) => one.snapshot === snapshot);
  return { newest: mine[0], finished: mine.find((one) => one.state === "finished"), isOpen: mine[0]?.state === "pending" || mine[0]?.state === "running", isLoaded: data !== undefined };
}

export function Clean({ name, of }: { name: string; of: Snapshot }) {
  const { newest, finished, isOpen, isLoaded } = useErrand("clean", name, of.id);
  const findings = (finished?.result.findings as Finding[] | undefined) ?? [];
  const again = <Act verb="errands/clean" takes={{ dataset: name, snapshot: of.id }} twin={`flyball data clean ${name}@${short(of.id)}`} button={isOpen ? { disabled: true } : {}}>{finished ? "Look again" : "Look through it"}</Act>;
  if (!isLoaded) return <Waiting />;
  return (
    <Panel title="What is wrong with it, and the line that mends it" aside={again}>
      {isOpen ? <Waiting /> : null}
      {newest?.state === "failed" ? <Fault of={new Error(newest.error)} /> : null}
      {finished ? (
        <>
          <Text size="sm" c="dimmed" mb="sm">{count(Number(finished.result.rows))} rows{finished.result.sample ? `, of which ${count(Number(finished.result.sample))} were looked at` : ""}; looked through <When at={finished.ended} />. The surest and largest first.</Text>
          <Table rows={findings} id={(f) => `${f.kind} ${f.column} ${f.found}`} first={40} empty={<Empty>Nothing was found.</Empty>} columns={[
            { title: "sure", number: true, cell: (f) => percent(f.confidence) }, { title: "kind", cell: (f) => <State of="warning">{f.kind.replaceAll("_", " ")}</State> }, { title: "found", cell: (f) => f.found, wide: true }, { title: "such as", cell: (f) => f.examples.slice(0, 3).map(plain).join("\n") || "–" }, { title: "the line that mends it", cell: (f) => (f.fix ? <Fix of={f.fix} /> : "–") },
          ]} />
          {((finished.result.skipped as string[] | undefined) ?? []).map((one) => <Text key={one} size="xs" c="dimmed">Not looked for: {one}</Text>)}
        </>
      ) : isOpen ? null : <Empty>Duplicates, missing values, spellings, types, leaks and label errors are looked for by a worker, and each finding comes with the line of code that mends it.</Empty>}
      <Twin>{`flyball data clean ${name}@${short(of.id)}`}</Twin>
    </Panel>
  );
}

function Fix({ of }: { of: string }) {
  return <><code className="code">{of}</code> <CopyButton value={of}>{({ copied, copy }) => <button type="button" className="linkish" onClick={copy}>{copied ? "copied" : "copy"}</button>}</CopyButton></>;
}
