import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Writes each file a second and a third time, compressed: the server hands them out as they are. */
function compressed(): Plugin {
  let built = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved(config) {
      built = config.build.outDir;
    },
    closeBundle() {
      const folder = join(built, "page");
      for (const name of readdirSync(folder).filter((one) => /\.(js|css|svg|json)$/.test(one))) {
        const content = readFileSync(join(folder, name));
        if (content.length < 1000) continue;
        writeFileSync(join(folder, `${name}.gz`), gzipSync(content, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(content, { params }));
      }
    },
  };
}

export default defineConfig({
  base: "./", // the page may stand below any address
  plugins: [react(), compressed()],
  build: {
    outDir: "../src/flyball/server/_page",
    assetsDir: "page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8080", "/blobs": "http://127.0.0.1:8080", "/files": "http://127.0.0.1:8080" } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
