import "./locale";
import "@mantine/core/styles.css";
import "@mantine/spotlight/styles.css";
import "./style.css";
import { MantineProvider } from "@mantine/core";
import { keepPreviousData, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { follow } from "./api/live";
import { App } from "./App";
import { theme } from "./theme";

// The policy of the page lets in only those style elements that carry the number of this one answer.
const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")?.content ?? "";
setNonce(nonce);

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      placeholderData: keepPreviousData,
      // What the server has refused it will refuse again.
      retry: (times, error) => !(error instanceof ApiError && error.status < 500) && times < 2,
    },
  },
});
follow(queries);

// A page that was open while the server was brought up to date asks for files that are no more: it is loaded anew, once.
window.addEventListener("vite:preloadError", (event) => {
  if (sessionStorage.getItem("flyball-loaded-anew") === location.href) return;
  sessionStorage.setItem("flyball-loaded-anew", location.href);
  event.preventDefault();
  location.reload();
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
