// JSON schemas and docstrings, as people read them.

export interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  type?: string | string[];
  items?: Schema;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
}

export function typeOf(schema: Schema | undefined): string {
  if (!schema) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop() ?? "";
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type ?? "anything"].flat().join(" or ") + (schema.format ? ` (${schema.format})` : "");
}

/** What a docstring says, of each argument, and of each error. */
export function partsOf(text: string): { said: string; args: Record<string, string>; raises: Record<string, string> } {
  const [said = "", ...sections] = text.split(/\n\n?(?=(?:Args|Raises|Returns):\n)/);
  const of = (title: string) => Object.fromEntries((sections.find((s) => s.startsWith(`${title}:`)) ?? "").split("\n").slice(1).join("\n").split(/\n(?= {4}\S)/)
    .flatMap((entry): [string, string][] => {
      const found = /^(\w+): (.*)$/.exec(entry.trim().replace(/\s*\n\s*/g, " "));
      return found ? [[found[1]!, found[2]!]] : [];
    }));
  return { said, args: of("Args"), raises: of("Raises") };
}
