// A browser started without a locale may name one that is none ("en-US@posix"), at which formatters of libraries throw.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}

export {};
