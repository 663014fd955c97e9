// How ready each loop is: its level, its ML Test Score, and the one next step with the command for it.

import { Accordion, Progress, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { href, useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { MaturityReport } from "../../api/types";
import { value } from "../../format";
import { Command, Empty, Figure, Link, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

const LEVELS = ["by hand", "the loop trains by itself", "tests and releases are automatic, too"];

export function Maturity() {
  const [view, setView] = useView({ loop: "" });
  const from = useAll({ reports: ask("maturity/list", { limit: 200 }) });
  return (
    <Loaded from={from}>{({ reports }) => {
      const shown = reports.find((one) => one.loop === view.loop) ?? reports[0];
      if (!shown) return <Panel><Empty command="flyball apply">There is no loop yet. Once one is applied, it is told here how ready it is, and what is next:</Empty></Panel>;
      return (
        <div className="stack">
          {reports.length > 1 ? (
            <Panel title="Loops">
              <Table rows={reports} id={(r) => r.loop} first={60} columns={[
                { title: "loop", cell: (r) => <button type="button" className="linkish" aria-pressed={r === shown} onClick={() => setView({ loop: r.loop })}>{r.loop}</button> }, { title: "level", number: true, cell: (r) => r.level }, { title: "ML Test Score", number: true, cell: (r) => value(r.score) }, { title: "next step", cell: (r) => r.next_step || "–", wide: true },
              ]} />
            </Panel>
          ) : null}
          <One of={shown} />
        </div>
      );
    }}</Loaded>
  );
}

function One({ of }: { of: MaturityReport }) {
  return (
    <>
      <div className="figures">
        <Figure label={<Link to={href(["loops", of.loop])}>{of.loop}</Link>} under={LEVELS[of.level]}>Level {of.level}</Figure>
        <Figure label="ML Test Score" under={of.meaning}>{value(of.score)}</Figure>
        {of.sections.map((one) => <Figure key={one.section} label={one.section} under={`of ${of.tests.filter((test) => test.test.startsWith(`${one.section}.`)).length} points`}>{value(one.points)}</Figure>)}
      </div>
      {of.next_step ? <Panel title="The next step"><Text size="sm" mb="sm">{of.next_step}</Text>{of.command ? <Command>{of.command}</Command> : null}</Panel> : null}
      <Panel title="Levels">
        <Accordion multiple defaultValue={[String(Math.min(2, of.level + 1))]}>
          {[...new Set(of.criteria.map((one) => one.level))].map((level) => {
            const mine = of.criteria.filter((one) => one.level === level), met = mine.filter((one) => one.is_met).length;
            return (
              <Accordion.Item key={level} value={String(level)}>
                <Accordion.Control>Level {level}: {LEVELS[level] ?? ""} <span className="soft">{met} of {mine.length}</span><Progress mt={4} value={(100 * met) / mine.length} aria-label={`${met} of ${mine.length} of level ${level} are met`} /></Accordion.Control>
                <Accordion.Panel>
                  <Table rows={mine} id={(one) => one.title} first={60} columns={[{ title: "", cell: (one) => <State of={one.is_met ? "passed" : "warning"}>{one.is_met ? "met" : "open"}</State> }, { title: "what", cell: (one) => one.title, wide: true }, { title: "how", cell: (one) => (one.is_met ? "" : <span className="mono small">{one.mend}</span>) }]} />
                </Accordion.Panel>
              </Accordion.Item>
            );
          })}
        </Accordion>
        <Twin>{`flyball maturity ${of.loop}`}</Twin>
      </Panel>
      <Panel title="ML Test Score" aside={<Check of={of} />}>
        <Table rows={of.tests} id={(one) => one.test} first={60} columns={[
          { title: "points", number: true, cell: (one) => <State of={one.points >= 1 ? "passed" : one.points > 0 ? "warning" : "calm"}>{value(one.points)}</State> }, { title: "test", cell: (one) => one.title }, { title: "because", cell: (one) => one.why || "–", wide: true }, { title: "from", cell: (one) => (one.source ? <Ref to={one.source.split(" ")[0]!} /> : "–") }, { title: "how", cell: (one) => (one.points >= 1 ? "" : <span className="mono small">{one.mend}</span>) },
        ]} />
        <Checks loop={of.loop} />
      </Panel>
    </>
  );
}

function Check({ of }: { of: MaturityReport }) {
  const [test, setTest] = useState<string | null>(null), [evidence, setEvidence] = useState("");
  return (
    <FormAct title="A test that was made by hand" yes="Note it" verb="maturity/record_check" takes={() => ({ loop: of.loop, test: test ?? "", evidence })} twin={`flyball maturity ${of.loop} --check ${test ?? "TEST"} --evidence TEXT`} fields={<>
      <Select label="Test" required searchable data={of.tests.map((one) => ({ value: one.test, label: one.title }))} value={test} onChange={setTest} /><TextInput label="What shows it" required value={evidence} onChange={(e) => setEvidence(e.currentTarget.value)} />
    </>}>Note a check</FormAct>
  );
}

function Checks({ loop }: { loop: string }) {
  const { data } = useAsked(ask("maturity/list_checks", { loop, limit: 50 }));
  return data?.length ? <><Text size="sm" fw={550} mt="md">Made by hand</Text><Table rows={data} id={(one) => one.id} columns={[{ title: "at", cell: (one) => <When at={one.at} /> }, { title: "by", cell: (one) => one.by }, { title: "test", cell: (one) => one.test }, { title: "shown by", cell: (one) => one.evidence, wide: true }]} /></> : null;
}
