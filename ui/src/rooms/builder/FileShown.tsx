// A project file to read, copy and download.

import { Button, CopyButton, Group, Text } from "@mantine/core";

export function FileShown({ text, name }: { text: string; name: string }) {
  const download = () => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/x-python" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
    URL.revokeObjectURL(address);
  };
  return (
    <div className="file-shown">
      <Group justify="space-between" mb={6}><Text size="sm" fw={550}>{name}</Text><Group gap="xs"><CopyButton value={text}>{({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? "Copied" : "Copy"}</Button>}</CopyButton><Button variant="default" onClick={download}>Download</Button></Group></Group>
      <pre className="block" tabIndex={0} aria-label={name}>{text}</pre>
    </div>
  );
}
