// What people say about a thing, whatever it is; @name tells somebody.

import { Text } from "@mantine/core";
import { ask, useAsked } from "../api/client";
import type { Comment } from "../api/types";
import { quoted } from "../format";
import { Act, useName } from "./act";
import { Panel, When } from "./basics";

const SMALL = { variant: "subtle", size: "compact-xs" } as const;

export function Talk({ about }: { about: string; twin?: string }) {
  const { data } = useAsked(ask("comments/list", { ref: about, limit: 200, deleted: true }));
  const me = useAsked({ ...ask("accounts/whoami", {}), staleTime: 300_000 }).data;
  const [name] = useName();
  const mine = me?.proven ? me.name : name;
  const said = data ?? [];
  const answers = (id: string): Comment[] => said.filter((one) => one.reply_to === id);
  const shown = said.filter((one) => !one.reply_to && (!one.deleted || answers(one.id).length));
  const one = (comment: Comment, depth: number) => (
    <div key={comment.id} className={`comment ${depth ? "answer" : ""}`}>
      <Text size="sm" className="notes" component="div">{comment.deleted ? <span className="soft">(taken back)</span> : marked(comment.text)}</Text>
      <Text size="xs" c="dimmed" component="div">{comment.by}, <When at={comment.at} />{comment.edited ? ", edited" : ""}
        {comment.deleted ? null : <> <Act verb="comments/add" takes={{ ref: about, text: "", by: mine, reply_to: comment.id }} twin={`flyball models comment ${about} TEXT --reply-to ${comment.id}`} question={`Answer ${comment.by}`} text={{ name: "text", label: "Text", isNeeded: true }} by={!me?.proven} button={SMALL}>Answer</Act>
          {comment.by === mine ? <Act verb="comments/delete" takes={{ comment: comment.id, by: mine }} twin={`flyball models comment ${about} ${quoted("")} --delete ${comment.id}`} question="Take it back?" button={SMALL}>Take back</Act> : null}</>}
      </Text>
      {answers(comment.id).map((answer) => one(answer, depth + 1))}
    </div>
  );
  return (
    <Panel title="Comments" aside={<Act verb="comments/add" takes={{ ref: about, text: "", by: mine }} twin={`flyball models comment ${about} TEXT`} question="What is to be said about it? @name tells somebody." text={{ name: "text", label: "Text", isNeeded: true }} by={!me?.proven}>Comment</Act>}>
      {shown.length ? shown.map((comment) => one(comment, 0)) : <Text size="sm" c="dimmed">Nobody has said anything yet.</Text>}
    </Panel>
  );
}

/** The text, with whom it names made visible. */
export function marked(text: string): React.ReactNode[] {
  return text.split(/((?<![\w@])@[\w][\w.-]*)/).map((part, i) => (i % 2 ? <strong key={i} className="mention">{part}</strong> : part));
}
