// Work that was asked for: run again, back-fill; what is under way of it, and what can be said to it.

import { Checkbox, MultiSelect, Select, SimpleGrid, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { go, href } from "../../address";
import { ask, useAsked } from "../../api/client";
import type { Errand, Run } from "../../api/types";
import { beginning, plain, quoted, short } from "../../format";
import { Act } from "../../parts/act";
import { Link, Panel, State, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

type Params = Record<string, string>;

export function RunAgain({ pipeline, run, steps }: { pipeline: string; run: Run; steps: string[] }) {
  const before: Params = Object.fromEntries(Object.entries(run.params).map(([key, given]) => [key, plainText(given)]));
  const [params, setParams] = useState<Params>(before);
  const [again, setAgain] = useState<string | null>(null);
  const [only, setOnly] = useState<string[]>([]);
  const [isFresh, setFresh] = useState(false);
  const changed = Object.fromEntries(Object.entries(params).filter(([key, given]) => given !== before[key]));
  const options = [...Object.entries(changed).map(([key, given]) => `-p ${quoted(`${key}=${given}`)}`), ...(again ? [`--from ${again}`] : []), ...only.map((step) => `--step ${step}`), ...(isFresh ? ["--no-cache"] : [])];
  return (
    <FormAct title={`Run ${pipeline} again`} yes="Run" verb="errands/run" button={{ variant: "filled" }} twin={`flyball errands run ${pipeline}${options.length ? ` ${options.join(" ")}` : ""}`} onDone={(made) => go(href(["pipelines", pipeline], { errand: made.id }))}
      takes={() => ({ pipeline, params: changed, again_from: again ? [again] : [], only, use_cache: !isFresh, like: run.id })}
      fields={<>
        <Text size="sm" c="dimmed">A worker of this workspace runs it, with the code of run {short(run.id)}. Steps that nothing changed for come from the cache.</Text>
        {Object.keys(params).length ? <SimpleGrid cols={{ base: 1, sm: 2 }}>{Object.keys(params).map((key) => <TextInput key={key} label={key} value={params[key]} onChange={(e) => setParams({ ...params, [key]: e.currentTarget.value })} />)}</SimpleGrid> : null}
        <Select label="Again from this step" description="It and all behind it run, whatever is kept" clearable data={steps} value={again} onChange={setAgain} disabled={only.length > 0} />
        <MultiSelect label="These steps alone" description="All others are taken from what is kept" clearable data={steps} value={only} onChange={setOnly} disabled={again !== null} />
        <Checkbox label="Run every step, whatever is kept" checked={isFresh} onChange={(e) => setFresh(e.currentTarget.checked)} />
      </>}>Run again</FormAct>
  );
}

const plainText = (given: unknown): string => (given === null || given === undefined ? "" : String(given));

export function BackFill({ pipeline, run }: { pipeline: string; run: Run }) {
  const [start, setStart] = useState(""), [end, setEnd] = useState(""), [every, setEvery] = useState("1d"), [isAgain, setAgain] = useState(false);
  return (
    <FormAct title={`Run ${pipeline} over a stretch of the past`} yes="Back-fill" verb="errands/back_fill" takes={() => ({ pipeline, start: beginning(start), end: beginning(end), every, again: isAgain, like: run.id })}
      twin={`flyball errands backfill ${pipeline} --start ${start || "TIME"} --end ${end || "TIME"} --every ${every}${isAgain ? " --again" : ""}`}
      fields={<>
        <Text size="sm" c="dimmed">It is run once for each window. It has to take parameters `start` and `end`, or others that name them. Windows that an earlier run has finished are left out.</Text>
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <TextInput label="From" type="date" required value={start} onChange={(e) => setStart(e.currentTarget.value)} /><TextInput label="Until before" type="date" required value={end} onChange={(e) => setEnd(e.currentTarget.value)} /><TextInput label="A window lasts" required value={every} onChange={(e) => setEvery(e.currentTarget.value)} />
        </SimpleGrid>
        <Switch label="Also windows that are finished" checked={isAgain} onChange={(e) => setAgain(e.currentTarget.checked)} />
      </>}>Back-fill</FormAct>
  );
}

const OPEN = ["pending", "running"];

export function Asked({ about }: { about: string }) {
  const { data } = useAsked({ ...ask("errands/list", { about, limit: 20 }), refetchInterval: (found) => (found?.some((one) => OPEN.includes(one.state)) ? 2000 : false) });
  if (!data?.length) return null;
  return (
    <Panel title="Asked for">
      <Table rows={data} id={(one) => one.id} first={6} columns={[
        { title: "what", cell: (one) => <Kind of={one} /> }, { title: "state", cell: (one) => <State of={one.state}>{one.wish === "go" || !OPEN.includes(one.state) ? one.state : one.wish === "pause" ? "pausing" : "stopping"}</State> }, { title: "asked", cell: (one) => <><When at={one.created} /> by {one.by}</> },
        { title: "how", wide: true, cell: (one) => one.error || one.done || how(one) }, { title: "", cell: (one) => <Wishes of={one} /> },
      ]} />
    </Panel>
  );
}

function Kind({ of }: { of: Errand }) {
  if (of.kind !== "run") return <>{of.kind}</>;
  return of.attempt ? <Link to={href(["runs", of.id])}>run {short(of.id)}</Link> : <>run {short(of.id)}</>;
}

const how = (one: Errand): string => [one.again_from.length ? `again from ${one.again_from.join(", ")}` : "", one.only.length ? `only ${one.only.join(", ")}` : "", one.use_cache ? "" : "without the cache", Object.entries(one.params).map(([k, v]) => `${k}=${plain(v)}`).join(", ")].filter(Boolean).join("; ") || "–";

export function Wishes({ of: { id, state, wish } }: { of: Pick<Errand, "id" | "state" | "wish"> }) {
  const small = { variant: "subtle", size: "compact-xs" } as const;
  return (
    <>
      {OPEN.includes(state) && wish === "go" ? <Act verb="errands/pause" takes={{ errand: id }} twin={`flyball errands pause ${id}`} button={small}>Pause</Act> : null}
      {state === "paused" || state === "failed" ? <Act verb="errands/resume" takes={{ errand: id }} twin={`flyball errands resume ${id}`} button={small}>Resume</Act> : null}
      {(OPEN.includes(state) && wish !== "cancel") || state === "paused" ? <Act verb="errands/cancel" takes={{ errand: id }} twin={`flyball errands cancel ${id}`} question="Stop it for good? What its steps have finished stays kept." button={small}>Cancel</Act> : null}
    </>
  );
}

export function Stop({ run }: { run: Run }) {
  if (run.tags.errand === run.id) return <Wishes of={{ id: run.id, state: "running", wish: "go" }} />;
  return <Act verb="tracking/finish_run" takes={{ run: run.id, state: "cancelled" }} twin={`flyball runs cancel ${run.id}`} question="Stop this run? Its process learns of it within seconds; what its steps have finished stays kept.">Cancel</Act>;
}
