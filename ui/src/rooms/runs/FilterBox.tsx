import { Combobox, TextInput, useCombobox } from "@mantine/core";
import { useEffect, useState } from "react";
import type { RunColumns } from "../../api/types";
import { complete } from "./filter";

export function FilterBox({ value, known, onSubmit, error }: { value: string; known: RunColumns; onSubmit: (filter: string) => void; error?: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const { from, options } = complete(text, known);
  const take = (option: string) => {
    setText(`${text.slice(0, from)}${option} `);
    box.resetSelectedOption();
  };
  return (
    <Combobox store={box} onOptionSubmit={take} shadow="md">
      <Combobox.Target withAriaAttributes={false}>
        <TextInput className="grow filter" label="Filter" placeholder="metrics.roc_auc > 0.7 AND params.depth = 5" value={text} spellCheck={false} autoComplete="off" error={error}
          onFocus={() => box.openDropdown()} onClick={() => box.openDropdown()} onBlur={() => box.closeDropdown()}
          onChange={(event) => {
            setText(event.currentTarget.value);
            box.openDropdown();
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && box.getSelectedOptionIndex() === -1) {
              event.preventDefault();
              box.closeDropdown();
              onSubmit(text.trim());
            } else if (event.key === "Tab" && options.length && box.dropdownOpened && text.slice(from)) {
              event.preventDefault();
              take(options[0]!);
            }
          }} />
      </Combobox.Target>
      <Combobox.Dropdown hidden={!options.length}>
        <Combobox.Options mah={260} className="scrolls" aria-label="What may come next">{options.map((option) => <Combobox.Option key={option} value={option}><code>{option}</code></Combobox.Option>)}</Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
