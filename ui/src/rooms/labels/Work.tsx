// Labelling, with the keyboard first: 1 to 9 choose, S skips, U undoes, Enter is done.

import { Button, Group, Kbd, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { ask, post, useAll, useAsked, type Asked } from "../../api/client";
import type { Item, LabelSet } from "../../api/types";
import { count, plain } from "../../format";
import { useName } from "../../parts/act";
import { Empty, Facts, Fault, Head, Loaded, Panel, Twin, Waiting } from "../../parts/basics";
import { colourOf } from "../../theme";
import { choices, classOfKey, keyOf, pieces, signsIn, withSpan, type Frame, type Mark } from "./answer";

export function Work({ name }: { name: string }) {
  const [annotator, setAnnotator] = useName();
  const [typed, setTyped] = useState("");
  const from = useAll({ set: ask("labels/get", { name }) });
  return (
    <>
      <Head title={`Label ${name}`} trail={[["Labels", "#/labels"], [name, `#/labels/${encodeURIComponent(name)}`]]} />
      {annotator ? <Loaded from={from}>{({ set }) => <Desk set={set} annotator={annotator} />}</Loaded> : (
        <Panel title="Who labels?"><form onSubmit={(event) => {
          event.preventDefault();
          setAnnotator(typed.trim());
        }}><Group align="flex-end"><TextInput label="Your name" required autoFocus value={typed} onChange={(e) => setTyped(e.currentTarget.value)} /><Button type="submit">Begin</Button></Group></form></Panel>
      )}
    </>
  );
}

function Desk({ set, annotator }: { set: LabelSet; annotator: string }) {
  const queries = useQueryClient();
  const [item, setItem] = useState<Item | null | undefined>(undefined);
  const [tags, setTags] = useState<string[]>([]);
  const [marks, setMarks] = useState<Mark[]>([]);
  const [frames, setFrames] = useState<Frame[]>([]);
  const [text, setText] = useState("");
  const [current, setCurrent] = useState(choices(set)[0] ?? "");
  const { data: progress } = useAsked(ask("labels/progress", { name: set.name }));
  const show = useCallback((next: Item | null) => {
    setItem(next);
    setTags([]);
    setMarks([]);
    setFrames([]);
    setText("");
    void queries.invalidateQueries({ queryKey: ["labels"] });
  }, [queries]);
  const take = useMutation({ mutationFn: () => post("labels/next", { name: set.name, annotator }), onSuccess: (found) => show(found[0] ?? null) });
  const save = useMutation({ mutationFn: (value: unknown) => post("labels/label", { name: set.name, item: item!.key, value, annotator, source: "page" }), onSuccess: () => take.mutate() });
  const skip = useMutation({ mutationFn: () => post("labels/skip", { name: set.name, item: item!.key, annotator }), onSuccess: () => take.mutate() });
  const undo = useMutation({ mutationFn: () => post("labels/undo", { name: set.name, annotator }), onSuccess: (again) => again && show(again) });
  const { mutate: begin } = take;
  useEffect(() => begin(), [begin]);

  const isBusy = take.isPending || save.isPending || skip.isPending || undo.isPending;
  const answer = useCallback(() => ({ tags, span: marks, boxes: frames, text }[set.task as string]), [tags, marks, frames, text, set.task]);
  const choose = useCallback((label: string) => {
    if (set.task === "classify") save.mutate(label);
    else if (set.task === "accept") save.mutate(label === "yes");
    else if (set.task === "tags") setTags((now) => (now.includes(label) ? now.filter((one) => one !== label) : [...now, label]));
    else setCurrent(label);
  }, [set.task, save]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (typing || event.ctrlKey || event.metaKey || event.altKey || isBusy) return;
      if (event.key === "u") undo.mutate();
      else if (!item) return;
      else if (event.key === "s") skip.mutate();
      else if (event.key === "Enter" && answer() !== undefined && !(event.target instanceof HTMLButtonElement)) save.mutate(answer());
      else {
        const label = classOfKey(event.key, set);
        if (!label) return;
        choose(label);
      }
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [item, isBusy, set, choose, answer, save, skip, undo]);

  const fault = take.error ?? save.error ?? skip.error ?? undo.error;
  return (
    <div className="desk">
      {progress ? <Text size="sm" c="dimmed" role="status">{count(progress.done)} of {count(progress.items)} done; you have labelled {count(progress.annotators[annotator] ?? 0)}.</Text> : null}
      {fault ? <Fault of={fault} /> : null}
      {set.instructions ? <Text size="sm" className="notes" my="xs">{set.instructions}</Text> : null}
      {item === undefined ? <Waiting /> : item === null ? <Panel><Empty command={`flyball labels show ${set.name}`}>Nothing is left for you to label here. What counts now:</Empty><Button variant="default" onClick={() => undo.mutate()}>Undo the last one</Button></Panel> : (
        <>
          <Panel className="thing"><Thing item={item} set={set} marks={marks} onMark={(start, end) => setMarks((now) => withSpan(now, { start, end, label: current }))} onUnmark={(start) => setMarks((now) => now.filter((one) => one.start !== start))} frames={frames} onFrames={setFrames} label={current} /></Panel>
          {item.prediction && Object.keys(item.prediction).length ? <Text size="sm" c="dimmed">The model says {plain(item.prediction)}.</Text> : null}
          {set.task === "text" ? <Textarea label="Text" autosize minRows={3} autoFocus value={text} onChange={(e) => setText(e.currentTarget.value)} /> : (
            <Group gap="xs" my="sm" role="group" aria-label="Classes">{choices(set).map((label, place) => {
              const isOn = set.task === "tags" ? tags.includes(label) : (set.task === "span" || set.task === "boxes") && label === current;
              return <Button key={label} size="sm" variant={isOn ? "filled" : "default"} aria-pressed={isOn} disabled={isBusy} onClick={() => choose(label)} leftSection={keyOf(place) ? <Kbd size="xs">{keyOf(place)}</Kbd> : null}>{label}</Button>;
            })}</Group>
          )}
          <Group gap="xs">
            {answer() !== undefined ? <Button onClick={() => save.mutate(answer())} loading={save.isPending} rightSection={<Kbd size="xs">Enter</Kbd>}>Done</Button> : null}
            <Button variant="subtle" onClick={() => skip.mutate()} disabled={isBusy} rightSection={<Kbd size="xs">S</Kbd>}>Skip</Button><Button variant="subtle" onClick={() => undo.mutate()} disabled={isBusy} rightSection={<Kbd size="xs">U</Kbd>}>Undo</Button>
          </Group>
          {set.task === "span" ? <Text size="xs" c="dimmed" mt="xs">Choose a class, then mark the text with the mouse; a click on a mark takes it back.</Text> : set.task === "boxes" ? <Text size="xs" c="dimmed" mt="xs">Choose a class, then draw boxes; a click on a box takes it back.</Text> : null}
        </>
      )}
      <Twin>{`flyball labels work ${set.name} --as ${annotator}`}</Twin>
    </div>
  );
}

const askText = (digest: string): Asked<string> => ({ queryKey: ["blobs", digest, "text"], queryFn: async ({ signal }) => (await fetch(`blobs/${digest}`, { signal })).text(), staleTime: Infinity });

function Thing({ item, set, marks, onMark, onUnmark, frames, onFrames, label }: {
  item: Item; set: LabelSet; marks: Mark[]; onMark: (start: number, end: number) => void; onUnmark: (start: number) => void; frames: Frame[]; onFrames: (frames: Frame[]) => void; label: string;
}) {
  const name = item.key.split("/").pop() ?? "thing";
  if (item.digest && set.items === "image") return <Picture src={`view/${item.digest}/${encodeURIComponent(/\.\w+$/.test(name) ? name : `${name}.png`)}`} name={item.key} frames={frames} onFrames={onFrames} label={label} isDrawn={set.task === "boxes"} set={set} />;
  if (item.digest && set.items === "audio") return <audio controls autoPlay src={`view/${item.digest}/${encodeURIComponent(/\.\w+$/.test(name) ? name : `${name}.wav`)}`} aria-label={item.key} />;
  if (set.items === "text") return <Words item={item} marks={marks} onMark={onMark} onUnmark={onUnmark} isMarked={set.task === "span"} set={set} />;
  return <Facts of={Object.fromEntries(Object.entries(item.data).map(([key, v]) => [key, plain(v)]))} />;
}

function Words({ item, marks, onMark, onUnmark, isMarked, set }: { item: Item; marks: Mark[]; onMark: (start: number, end: number) => void; onUnmark: (start: number) => void; isMarked: boolean; set: LabelSet }) {
  const kept = useAsked({ ...askText(item.digest), enabled: item.digest !== "" });
  const text = item.digest ? kept.data ?? "" : String(item.data.text ?? Object.values(item.data)[0] ?? "");
  const home = useRef<HTMLParagraphElement>(null);
  const marked = () => {
    const selection = window.getSelection();
    if (!isMarked || !selection || selection.isCollapsed || !home.current?.contains(selection.anchorNode)) return;
    const range = selection.getRangeAt(0);
    const before = document.createRange();
    before.setStart(home.current, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const start = signsIn(before.toString()), end = start + signsIn(range.toString());
    selection.removeAllRanges();
    if (end > start) onMark(start, end);
  };
  return <p className="words" ref={home} onMouseUp={marked}>{pieces(text, marks).map((piece) => (piece.label === null ? <span key={piece.start}>{piece.text}</span> : <mark key={piece.start} style={{ background: `color-mix(in srgb, ${colourOf(set.classes.indexOf(piece.label))} 28%, transparent)` }} title={`${piece.label}; click to take back`} onClick={() => onUnmark(piece.start)}>{piece.text}</mark>))}</p>;
}

function Picture({ src, name, frames, onFrames, label, isDrawn, set }: { src: string; name: string; frames: Frame[]; onFrames: (frames: Frame[]) => void; label: string; isDrawn: boolean; set: LabelSet }) {
  const [size, setSize] = useState<[number, number]>([0, 0]);
  const [drawing, setDrawing] = useState<Frame | null>(null);
  const at = (event: React.PointerEvent<SVGSVGElement>): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [Math.round(((event.clientX - box.left) / box.width) * size[0]), Math.round(((event.clientY - box.top) / box.height) * size[1])];
  };
  const colour = (frame: Frame) => colourOf(Math.max(0, set.classes.indexOf(frame.label)));
  return (
    <div className="picture">
      <img src={src} alt={name} onLoad={(e) => setSize([e.currentTarget.naturalWidth, e.currentTarget.naturalHeight])} />
      {isDrawn && size[0] ? (
        <svg viewBox={`0 0 ${size[0]} ${size[1]}`} aria-label="Boxes" role="group"
          onPointerDown={(e) => {
            const [x, y] = at(e);
            e.currentTarget.setPointerCapture(e.pointerId);
            setDrawing({ x, y, width: 0, height: 0, label });
          }}
          onPointerMove={(e) => {
            if (!drawing) return;
            const [x, y] = at(e);
            setDrawing({ ...drawing, width: x - drawing.x, height: y - drawing.y });
          }}
          onPointerUp={() => {
            if (!drawing) return;
            const { x, y, width, height } = drawing;
            setDrawing(null);
            if (Math.abs(width) > 3 && Math.abs(height) > 3) onFrames([...frames, { x: Math.min(x, x + width), y: Math.min(y, y + height), width: Math.abs(width), height: Math.abs(height), label }]);
            else onFrames(frames.filter((f) => x < f.x || x > f.x + f.width || y < f.y || y > f.y + f.height));
          }}>
          {[...frames, ...(drawing ? [{ ...drawing, x: Math.min(drawing.x, drawing.x + drawing.width), y: Math.min(drawing.y, drawing.y + drawing.height), width: Math.abs(drawing.width), height: Math.abs(drawing.height) }] : [])].map((f, i) => (
            <g key={i}><rect x={f.x} y={f.y} width={f.width} height={f.height} fill={colour(f)} fillOpacity={0.15} stroke={colour(f)} strokeWidth={size[0] / 300} /><text x={f.x} y={f.y - size[0] / 200} fill={colour(f)} fontSize={size[0] / 40}>{f.label}</text></g>
          ))}
        </svg>
      ) : null}
    </div>
  );
}
