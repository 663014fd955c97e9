import { Select, Text } from "@mantine/core";
import { ask, useAll, useAsked } from "../../api/client";
import type { Snapshot } from "../../api/types";
import { bytes, count, moment, plural, short } from "../../format";
import { Empty, Facts, Loaded, Panel, Twin } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Profile } from "./Profile";
import { columnChanges } from "./shape";

export function SnapshotDiff({ name, snapshots, now, before, onChange }: { name: string; snapshots: Snapshot[]; now: Snapshot; before: string; onChange: (id: string) => void }) {
  const others = snapshots.filter((s) => s.id !== now.id);
  const old = others.find((s) => s.id === before) ?? others[0];
  if (!old) return <Panel><Empty command={`flyball data snapshot ${name}`}>There is one snapshot only. When the source has changed, take another:</Empty></Panel>;
  return (
    <div className="stack">
      <Select label="Compared with" maw={320} allowDeselect={false} value={old.id} data={others.map((s) => ({ value: s.id, label: `${moment(s.created)}  ${short(s.id)}` }))} onChange={(id) => id && onChange(id)} />
      <Differences name={name} old={old} now={now} />
    </div>
  );
}

function Differences({ name, old, now }: { name: string; old: Snapshot; now: Snapshot }) {
  const from = useAll({ before: ask("data/get_snapshot", { dataset: name, version: old.id }), after: ask("data/get_snapshot", { dataset: name, version: now.id }) });
  const profiles = useAsked(ask("quality/get_profiles", { dataset: name, snapshots: [old.id, now.id] })).data ?? [];
  const [first, second] = [profiles.find((p) => p.snapshot === old.id), profiles.find((p) => p.snapshot === now.id)];
  return (
    <Loaded from={from}>{({ before, after }) => {
      const changes = columnChanges(before.schema?.columns ?? [], after.schema?.columns ?? []);
      const known = new Map(before.files.map((f) => [f.path, f]));
      const fresh = after.files.filter((f) => !known.has(f.path)), changed = after.files.filter((f) => known.has(f.path) && known.get(f.path)!.digest !== f.digest), kept = new Set(after.files.map((f) => f.path)), gone = before.files.filter((f) => !kept.has(f.path));
      return (
        <>
          <div className="grid">
            <Panel className="c6" title="In short"><Facts of={{ rows: `${old.rows === null ? "–" : count(old.rows)} → ${now.rows === null ? "–" : count(now.rows)}`, size: `${bytes(old.size)} → ${bytes(now.size)}`, files: `${plural(fresh.length, "file")} new, ${changed.length} changed, ${gone.length} gone`, columns: changes.length ? `${changes.length} differ` : "the same" }} /><Twin>{`flyball data diff ${name} ${short(old.id)} ${short(now.id)}`}</Twin></Panel>
            <Panel className="c6" title="Columns">{changes.length ? <Table rows={changes} id={(c) => c.column} columns={[{ title: "column", cell: (c) => c.column }, { title: "what", cell: (c) => c.what, wide: true }]} /> : <Text size="sm" c="dimmed">They have the same columns.</Text>}</Panel>
          </div>
          <Panel title="Files"><Table rows={[...fresh.map((f) => ({ f, what: "new" })), ...changed.map((f) => ({ f, what: "changed" })), ...gone.map((f) => ({ f, what: "gone" }))]} id={(r) => `${r.what} ${r.f.path}`} first={12} empty={<Text size="sm" c="dimmed">The same files.</Text>} columns={[{ title: "file", cell: (r) => <span className="long">{r.f.path}</span>, wide: true }, { title: "what", cell: (r) => r.what }, { title: "size", number: true, cell: (r) => bytes(r.f.size) }]} /></Panel>
          {second ? <Profile of={second} before={first} /> : <Panel><Empty command={`flyball data profile ${name}@${short(old.id)}\nflyball data profile ${name}@${short(now.id)}`}>With a profile of each, their columns stand side by side here:</Empty></Panel>}
        </>
      );
    }}</Loaded>
  );
}
