// Scales and ticks of the charts that are drawn as SVG.

export const extent = (numbers: readonly (number | null | undefined)[]): [number, number] => {
  let low = Infinity, high = -Infinity;
  for (const number of numbers) {
    if (number == null || Number.isNaN(number)) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low <= high ? [low, high] : [0, 1];
};

/** Round numbers that cover a range in about so many steps. */
export function ticks(low: number, high: number, about = 4): number[] {
  const rough = (high - low || Math.abs(high) || 1) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10) * power;
  const from = Math.floor(low / step + 1e-9), to = Math.max(from + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

export const linear = (from: [number, number], to: [number, number]) => (value: number): number =>
  to[0] + ((value - from[0]) / (from[1] - from[0] || 1)) * (to[1] - to[0]);
