// A button that changes something: it asks first where that matters, and names the command that does the same.

import { Button, Group, Modal, Text, Textarea, TextInput, type ButtonProps } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type ReactNode } from "react";
import { post } from "../api/client";
import type { Posts } from "../api/types";
import { Command, Fault } from "./basics";

/** The name that people act under, kept in this browser. */
export function useName(): [string, (name: string) => void] {
  const [name, setName] = useLocalStorage({ key: "flyball-name", defaultValue: "", getInitialValueInEffect: false, serialize: (name) => name, deserialize: (name) => name ?? "" });
  return [name, setName];
}

export interface ActProps<K extends keyof Posts> {
  children: ReactNode;
  verb: K;
  takes: Posts[K]["takes"];
  /** The same as a command. */
  twin: string;
  question?: string;
  /** The argument that a text goes into, and what it is called. */
  text?: { name: string; label: string; isNeeded?: boolean };
  /** Whether it is asked who does it. */
  by?: boolean;
  button?: ButtonProps;
  onDone?: (answer: Posts[K]["gives"]) => void;
}

export const REASON = { name: "reason", label: "Reason" };

export function Act<K extends keyof Posts>({ children, verb, takes, twin, question, text, by, button, onDone }: ActProps<K>) {
  const [isOpen, setOpen] = useState(false);
  const [said, setSaid] = useState("");
  const [name, setName] = useName();
  const queries = useQueryClient();
  const form = useId();
  const doing = useMutation({
    mutationFn: () => post(verb, { ...takes, ...(text && said.trim() ? { [text.name]: said.trim() } : {}), ...(by ? { by: name.trim() } : {}) } as Posts[K]["takes"]),
    onSuccess: (answer) => {
      setOpen(false);
      setSaid("");
      void queries.invalidateQueries();
      onDone?.(answer);
    },
  });
  const isAsking = Boolean(question ?? text ?? by);
  return (
    <>
      <Button variant="default" title={twin} loading={!isAsking && doing.isPending} onClick={() => (isAsking ? setOpen(true) : doing.mutate())} {...button}>{children}</Button>
      {!isAsking && doing.error ? <Fault of={doing.error} /> : null}
      <Modal opened={isOpen} onClose={() => setOpen(false)} title={question ?? children} classNames={{ title: "modal-title" }}>
        <form id={form} onSubmit={(event) => {
          event.preventDefault();
          doing.mutate();
        }}>
          {text ? <Textarea label={text.label} required={text.isNeeded} autosize minRows={2} maxRows={8} mb="sm" data-autofocus value={said} onChange={(e) => setSaid(e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key === "Enter" && !e.shiftKey) {
                e.preventDefault();
                e.currentTarget.form?.requestSubmit();
              }
            }} /> : null}
          {by ? <TextInput label="Your name" required mb="sm" autoComplete="name" value={name} onChange={(e) => setName(e.currentTarget.value)} /> : null}
          <Text size="xs" c="dimmed" mb={4}>In a terminal</Text>
          <Command>{twin}</Command>
          {doing.error ? <Fault of={doing.error} /> : null}
          <Group justify="flex-end" mt="md">
            <Button variant="default" onClick={() => setOpen(false)}>Leave it</Button>
            <Button type="submit" loading={doing.isPending}>{children}</Button>
          </Group>
        </form>
      </Modal>
    </>
  );
}
