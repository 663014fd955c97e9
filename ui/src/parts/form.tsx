// A dialog with fields that changes something, and names the command that does the same.

import { Button, Group, Modal, Text, type ButtonProps } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type ReactNode } from "react";
import { post } from "../api/client";
import type { Posts } from "../api/types";
import { Command, Fault } from "./basics";

export interface FormProps<K extends keyof Posts> {
  /** What stands on the button that opens it. */
  children: ReactNode;
  title: string;
  verb: K;
  takes: () => Posts[K]["takes"];
  /** The same as a command. */
  twin: string;
  fields: ReactNode;
  /** What stands on the button that does it. */
  yes?: string;
  button?: ButtonProps;
  onDone?: (answer: Posts[K]["gives"]) => void;
  /** What is shown of the answer, for what is told this once only. */
  told?: (answer: Posts[K]["gives"]) => ReactNode;
}

export function FormAct<K extends keyof Posts>({ children, title, verb, takes, twin, fields, yes, button, onDone, told }: FormProps<K>) {
  const [isOpen, setOpen] = useState(false);
  const queries = useQueryClient();
  const form = useId();
  const doing = useMutation({
    mutationFn: () => post(verb, takes()),
    onSuccess: (answer) => {
      if (!told) setOpen(false);
      void queries.invalidateQueries();
      onDone?.(answer);
    },
  });
  const close = () => {
    setOpen(false);
    doing.reset();
  };
  return (
    <>
      <Button variant="default" title={twin} onClick={() => setOpen(true)} {...button}>{children}</Button>
      <Modal opened={isOpen} onClose={close} title={title} size="lg" classNames={{ title: "modal-title" }}>
        {told && doing.data !== undefined ? <>{told(doing.data)}<Group justify="flex-end" mt="md"><Button onClick={close}>Close</Button></Group></> : (
          <form id={form} onSubmit={(event) => {
            event.preventDefault();
            event.stopPropagation();
            doing.mutate();
          }}>
            <div className="stack tight">{fields}</div>
            <Text size="xs" c="dimmed" mt="sm" mb={4}>In a terminal</Text>
            <Command>{twin}</Command>
            {doing.error ? <Fault of={doing.error} /> : null}
            <Group justify="flex-end" mt="md"><Button variant="default" onClick={close}>Leave it</Button><Button type="submit" loading={doing.isPending}>{yes ?? children}</Button></Group>
          </form>
        )}
      </Modal>
    </>
  );
}
