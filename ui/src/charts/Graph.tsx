// Boxes and arrows, laid out by dagre and shown by React Flow: steps of a pipeline, lineage.

import dagre from "@dagrejs/dagre";
import { Background, Controls, Handle, Position, ReactFlow, type Edge, type Node, type NodeProps } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { memo, useMemo } from "react";
import { useIsDark } from "./size";

export interface Box {
  id: string;
  title: string;
  note?: string;
  colour?: string;
  to?: string;
}
export interface Arrow {
  from: string;
  to: string;
  label?: string;
}

const WIDTH = 180, HEIGHT = 58;
type BoxNode = Node<{ box: Box }, "box">;

const Shown = memo(({ data: { box } }: NodeProps<BoxNode>) => {
  const inside = <><strong>{box.title}</strong>{box.note ? <span>{box.note}</span> : null}</>;
  return (
    <div className="box" style={{ borderLeftColor: box.colour ?? "var(--soft)" }} title={`${box.title}\n${box.note ?? ""}`}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      {box.to ? <a href={box.to} className="nopan">{inside}</a> : inside}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});
const TYPES = { box: Shown };

export default function Graph({ boxes, arrows, label }: { boxes: Box[]; arrows: Arrow[]; label: string }) {
  const isDark = useIsDark();
  const { nodes, edges, height } = useMemo(() => laidOut(boxes, arrows), [boxes, arrows]);
  return (
    <div className="graph" style={{ height }} role="group" aria-label={label}>
      <ReactFlow key={boxes.map((b) => b.id).join()} nodes={nodes} edges={edges} nodeTypes={TYPES} fitView fitViewOptions={{ maxZoom: 1, padding: 0.12 }} minZoom={0.15} nodesDraggable={false} nodesConnectable={false} edgesFocusable={false} nodesFocusable={false} elementsSelectable={false} zoomOnScroll={false} preventScrolling={false} colorMode={isDark ? "dark" : "light"} proOptions={{ hideAttribution: true }}>
        <Background gap={18} size={1} /><Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function laidOut(boxes: Box[], arrows: Arrow[]): { nodes: BoxNode[]; edges: Edge[]; height: number } {
  const graph = new dagre.graphlib.Graph().setGraph({ rankdir: "LR", nodesep: 18, ranksep: 62 }).setDefaultEdgeLabel(() => ({}));
  const known = new Set(boxes.map((box) => box.id));
  boxes.forEach((box) => graph.setNode(box.id, { width: WIDTH, height: HEIGHT }));
  const drawn = arrows.filter((arrow) => known.has(arrow.from) && known.has(arrow.to));
  drawn.forEach((arrow) => graph.setEdge(arrow.from, arrow.to));
  dagre.layout(graph);
  return {
    nodes: boxes.map((box) => {
      const { x, y } = graph.node(box.id);
      return { id: box.id, type: "box", position: { x: x - WIDTH / 2, y: y - HEIGHT / 2 }, data: { box }, width: WIDTH, height: HEIGHT };
    }),
    height: Math.max(150, Math.min(460, (graph.graph().height ?? 0) + 70)),
    edges: drawn.map((arrow) => ({ id: `${arrow.from} ${arrow.to} ${arrow.label ?? ""}`, source: arrow.from, target: arrow.to, label: arrow.label, type: "default" })),
  };
}
