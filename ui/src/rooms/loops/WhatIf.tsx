// What another policy would have done with the recorded past, and which policy pays best for what a training costs.

import { Button, Group, NumberInput, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Loop, Simulation, Training, WouldHave } from "../../api/types";
import { Scatter } from "../../charts/Scatter";
import { linear } from "../../charts/scale";
import { useWidth } from "../../charts/size";
import { day, lasted, plural, quoted, span, value } from "../../format";
import { Command, Empty, Figure, Loaded, Panel, Twin } from "../../parts/basics";
import { Table } from "../../parts/table";
import { best, bestWait, gainOf, inProject, triggerText, worthOf, type Candidate, type Prices } from "./prices";

export function WhatIf({ loop, trainings }: { loop: Loop; trainings: Training[] }) {
  const [view, setView] = useView({ on: "", cooldown: "", most: "", worth: "", cost: "", loss: "" });
  return (
    <div className="stack">
      <Form key={`${view.on} ${view.cooldown} ${view.most}`} loop={loop} on={view.on} cooldown={view.cooldown} most={view.most} onAsk={setView} />
      <Decided loop={loop} trainings={trainings} on={view.on} cooldown={view.cooldown} most={view.most} />
      <Policies loop={loop} prices={{ worth: Number(view.worth) || 0, cost: Number(view.cost) || 0, loss: Number(view.loss) || 0 }} onPrice={setView} onTake={(one) => setView({ on: one.retrain.join("\n"), cooldown: one.cooldown })} />
    </div>
  );
}

interface Policy {
  on: string;
  cooldown: string;
  most: string;
}

function Form({ loop, on, cooldown, most, onAsk }: Policy & { loop: Loop; onAsk: (policy: Policy) => void }) {
  const present = loop.retrain.map(triggerText).join("\n");
  const [triggers, setTriggers] = useState(on || present);
  const [wait, setWait] = useState(cooldown);
  const [weekly, setWeekly] = useState<number | string>(most ? Number(most) : "");
  return (
    <Panel title="Another policy, on the recorded past">
      <form onSubmit={(event) => {
        event.preventDefault();
        onAsk({ on: triggers.trim() === present ? "" : triggers.trim(), cooldown: wait.trim(), most: String(weekly) });
      }}>
        <div className="grid">
          <Textarea className="c6" label="Train on" description="One a line, as in a project" autosize minRows={2} maxRows={8} value={triggers} onChange={(e) => setTriggers(e.currentTarget.value)} classNames={{ input: "mono" }} />
          <TextInput className="c3" label="Cool-down" description="Such as 3d" placeholder={span(loop.cooldown_seconds)} value={wait} onChange={(e) => setWait(e.currentTarget.value)} />
          <NumberInput className="c3" label="Trainings a week" description="At most" min={1} placeholder={String(loop.max_trainings_per_week)} value={weekly} onChange={setWeekly} />
        </div>
        <Group mt="sm" gap="xs"><Button type="submit">Simulate</Button><Button variant="subtle" onClick={() => onAsk({ on: "", cooldown: "", most: "" })}>As it is applied</Button></Group>
      </form>
    </Panel>
  );
}

function Decided({ loop, trainings, on, cooldown, most }: Policy & { loop: Loop; trainings: Training[] }) {
  const lines = on.split("\n").filter(Boolean);
  const from = useAll({ found: ask("simulations/simulate", { name: loop.name, ...(lines.length ? { on: lines } : {}), ...(cooldown ? { cooldown } : {}), ...(most ? { max_trainings_per_week: Number(most) } : {}) }) });
  const options = [...lines.map((line) => `--on ${quoted(line)}`), cooldown ? `--cooldown ${cooldown}` : "", most ? `--max-per-week ${most}` : ""].filter(Boolean).join(" ");
  return (
    <Panel title="What it would have done">
      <Loaded from={from}>{({ found }) => {
        const each = found.seconds_each || coreSeconds(trainings);
        return (<>
          <div className="figures figures-top">
            <Figure label="Trainings" under={`${found.trainings} were started by triggers`}>{found.would_have.length}</Figure>
            <Figure label="Training time" under={each ? `${lasted(each)} each` : "no training has ended yet"}>{each ? saved(found, each) : "–"}</Figure>
            <Figure label={found.metric || "quality"} under={found.quality === null ? "" : `${value(found.quality)} was recorded`} tone={tone(found)}>{found.quality_would_have === null ? "–" : value(found.quality_would_have)}</Figure>
            <Figure label="Let wait" under="fired, but something stood against it">{found.waits.length}</Figure>
          </div>
          <Lanes of={found} trainings={trainings} />
          {found.notes.map((note) => <Text key={note} size="sm" c="dimmed">{note}</Text>)}
          <Table rows={[...found.would_have, ...found.waits].sort((a, b) => a.at.localeCompare(b.at))} id={(w) => `${w.at} ${w.trigger} ${w.reason}`} first={8} empty={<Empty>It would have started no training.</Empty>} columns={[
            { title: "when", cell: (w) => day(w.at) }, { title: "trigger", cell: (w) => w.trigger }, { title: "because", cell: (w) => w.reason, wide: true }, { title: "but waited for", cell: (w) => w.waited_for || "–" },
          ]} />
          <Twin>{`flyball loops simulate ${loop.name}${options ? ` ${options}` : ""}`}</Twin>
        </>);
      }}</Loaded>
    </Panel>
  );
}

/** What a training takes of a processor, on average: in virtual time it takes no time by the clock. */
function coreSeconds(trainings: Training[]): number {
  const known = trainings.flatMap((t) => (t.core_seconds === null || t.kind !== "train" ? [] : [t.core_seconds]));
  return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : 0;
}

function saved({ trainings, would_have }: Simulation, each: number): string {
  const seconds = each * (trainings - would_have.length);
  return seconds === 0 ? "the same" : `${lasted(Math.abs(seconds))} ${seconds > 0 ? "less" : "more"}`;
}

function tone({ quality, quality_would_have }: Simulation): "good" | "bad" | undefined {
  if (quality === null || quality_would_have === null || Math.abs(quality - quality_would_have) < 1e-9) return undefined;
  return quality_would_have > quality ? "good" : "bad";
}

const LEFT = 104, ROW = 30;

function Lanes({ of, trainings }: { of: Simulation; trainings: Training[] }) {
  const [watch, width] = useWidth();
  const start = Date.parse(of.start), end = Date.parse(of.end);
  const x = linear([start, end], [LEFT, Math.max(LEFT + 1, width - 10)]);
  const started: WouldHave[] = trainings.filter((t) => t.kind === "train" && t.trigger !== "first").map((t) => ({ at: t.created, trigger: t.trigger, reason: t.reason, waited_for: "" }));
  const lanes: [string, WouldHave[], string][] = [["as it was", started, "var(--soft)"], ["would have", of.would_have, "var(--accent)"], ["let wait", of.waits, "var(--warn)"]];
  const height = lanes.length * ROW + 24;
  return (
    <div ref={watch}>
      {width ? (
        <svg className="chart" width={width} height={height} role="img" aria-label={`${plural(started.length, "training")} as it was, ${of.would_have.length} as it would have been, ${of.waits.length} let wait`}>
          {lanes.map(([name, marks, colour], i) => (
            <g key={name}>
              <line className="rule" x1={LEFT} x2={width - 10} y1={i * ROW + 16} y2={i * ROW + 16} /><text x={LEFT - 12} y={i * ROW + 20} textAnchor="end">{name}</text>
              {marks.map((mark, n) => <circle key={n} cx={x(Date.parse(mark.at))} cy={i * ROW + 16} r={6} fill={colour} stroke="var(--paper)" strokeWidth={1.5}><title>{`${day(mark.at)}: ${mark.reason}`}</title></circle>)}
            </g>
          ))}
          <text x={LEFT} y={height - 4}>{day(of.start)}</text><text x={width - 10} y={height - 4} textAnchor="end">{day(of.end)}</text>
        </svg>
      ) : null}
    </div>
  );
}

function Policies({ loop, prices, onPrice, onTake }: { loop: Loop; prices: Prices; onPrice: (prices: { worth?: string; cost?: string; loss?: string }) => void; onTake: (one: Candidate) => void }) {
  const [isAsked, setAsked] = useState(prices.worth > 0 || prices.cost > 0);
  const from = useAll({ found: ask("simulations/search", { name: loop.name }, isAsked), now: ask("simulations/simulate", { name: loop.name }, isAsked) });
  if (!isAsked) return <Panel title="Which policy pays"><Text size="sm" c="dimmed" mb="sm">Each number in the triggers and each cool-down is tried from a quarter to four times what it is. That takes some seconds.</Text><Button onClick={() => setAsked(true)}>Try policies</Button></Panel>;
  return (
    <Panel title="Which policy pays">
      <Loaded from={from}>{({ found, now }) => {
        const weeks = (Date.parse(now.end) - Date.parse(now.start)) / 604_800_000;
        const present = found.find((one) => one.is_present);
        const isKnown = found.some((one) => one.gain !== null);
        const isWorth = prices.worth > 0 && (isKnown || prices.loss > 0);
        const chosen = isWorth ? best(found, prices, weeks) : undefined;
        const gain = (one: Candidate) => gainOf(one, present, prices, weeks);
        const shown = found.filter((one) => one.is_best || one.is_present || one === chosen);
        return (
          <>
            <div className="toolbar">
              <NumberInput label={`What 0.01 of ${now.metric || "quality"} is worth a week`} min={0} value={prices.worth || ""} onChange={(worth) => onPrice({ worth: String(worth) })} w={250} />
              <NumberInput label="What a training costs" min={0} value={prices.cost || ""} onChange={(cost) => onPrice({ cost: String(cost) })} w={180} />
              {isKnown ? null : <NumberInput label={`Assumed loss of ${now.metric || "quality"} a day`} min={0} step={0.0001} value={prices.loss || ""} onChange={(loss) => onPrice({ loss: String(loss) })} w={220} />}
            </div>
            {isKnown ? null : <Text size="sm" mb="sm">What is recorded does not tell how fast a model ages here. Assume a loss, and policies are compared by it.</Text>}
            {chosen ? (
              <div className="note good-note">
                <Text size="sm" fw={550}>{chosen.is_present ? "The applied policy pays best." : `This would have paid ${value(worthOf(chosen, present, prices, weeks))} in ${value(weeks)} weeks; the applied one ${present ? value(worthOf(present, present, prices, weeks)) : "–"}.`}</Text>
                {!isKnown && prices.cost ? <Text size="sm">With that loss a training pays about every {value(bestWait(prices))} days.</Text> : null}
                {chosen.is_present ? null : <><Text size="xs" c="dimmed" mt={4} mb={4}>In the project</Text><Command>{inProject(chosen)}</Command></>}
              </div>
            ) : <Text size="sm" c="dimmed" mb="sm">Say what quality is worth and what a training costs, in any one unit, and the policy that pays best is named.</Text>}
            {isKnown || prices.loss ? (<>
              <Scatter xName="trainings" yName={`gain in ${now.metric}`} dots={found.map((one) => ({ x: one.trainings, y: gain(one) ?? 0, colour: one === chosen ? "#d9580d" : one.is_present ? "#6b4fd8" : one.is_best ? "#0b7f8a" : "#9aa5b1", label: `${one.retrain.join(" ")}, cool-down ${one.cooldown}`, to: "" }))} />
            <div className="legend"><span><i className="swatch" style={{ background: "#0b7f8a" }} />none beats it</span><span><i className="swatch" style={{ background: "#6b4fd8" }} />applied</span><span><i className="swatch" style={{ background: "#9aa5b1" }} />beaten</span></div></>) : null}
            <Table rows={shown} id={(one) => `${one.retrain.join()} ${one.cooldown}`} first={12} columns={[
              { title: "trainings", number: true, cell: (one) => one.trainings }, { title: "gain", number: true, cell: (one) => value(gain(one)) }, { title: "train on", cell: (one) => <span className="mono small">{one.retrain.join("\n")}</span>, wide: true }, { title: "cool-down", cell: (one) => one.cooldown },
              { title: "", cell: (one) => (one.is_present ? "applied" : one.is_best ? "none beats it" : "") }, { title: "try", cell: (one) => <button type="button" className="linkish" onClick={() => onTake(one)}>simulate it</button> },
            ]} />
            <Text size="xs" c="dimmed" mt={6}>{plural(found.length, "policy", "policies")} were tried around the applied one. Gain is what quality would probably have been above what was recorded.</Text>
            <Twin>{`flyball loops simulate ${loop.name} --search`}</Twin>
          </>
        );
      }}</Loaded>
    </Panel>
  );
}
