import { createTheme, type MantineColorsTuple } from "@mantine/core";

const teal: MantineColorsTuple = [
  "#e8f7f8", "#d3edef", "#a6dbdf", "#75c8cf", "#4db7c0", "#33adb7", "#1f9aa5", "#0b7f8a", "#07707a", "#005d66",
];
// A little blue in the greys of the dark scheme: text on them is easier to look at for long.
const dark: MantineColorsTuple = [
  "#d5dae0", "#b3bac3", "#8d96a1", "#5e6772", "#3d454f", "#2d343d", "#232930", "#1a1f25", "#14181d", "#0e1216",
];

export const theme = createTheme({
  colors: { teal, dark },
  primaryColor: "teal",
  primaryShade: 8,
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "19px" },
  headings: {
    fontWeight: "620",
    sizes: {
      h1: { fontSize: "22px", lineHeight: "1.3" },
      h2: { fontSize: "15px", lineHeight: "1.4" },
      h3: { fontSize: "14px", lineHeight: "1.4" },
    },
  },
  defaultRadius: "md",
  cursorType: "pointer",
  autoContrast: true,
  components: {
    Modal: { defaultProps: { centered: true, transitionProps: { duration: 100 } } },
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs" } },
    MultiSelect: { defaultProps: { size: "xs" } },
    SegmentedControl: { defaultProps: { size: "xs" } },
    Switch: { defaultProps: { size: "xs" } },
    Checkbox: { defaultProps: { size: "xs" } },
    NumberInput: { defaultProps: { size: "xs" } },
    Tooltip: { defaultProps: { openDelay: 200, withArrow: true, multiline: true, maw: 360 } },
  },
});

/** One colour for each of several things, told apart also by those who see few colours. */
export const COLOURS = ["#0b7f8a", "#d9580d", "#6b4fd8", "#2f8f3f", "#c42b66", "#a67c00", "#2271c9", "#7d6a5b", "#0fa37f", "#8a3ab9"];
export const colourOf = (place: number): string => COLOURS[place % COLOURS.length]!;
