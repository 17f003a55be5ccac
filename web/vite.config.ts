import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** What Airflow's page brings: the bundle takes these from it, and so stays small. */
const HOST: Record<string, string> = {
  react: "React",
  "react/jsx-runtime": "ReactJSXRuntime",
  "react-router-dom": "ReactRouterDOM",
};

/**
 * A digest of all that the bundle is made of. `tests/plugin/test_bundle.py` computes the same without node,
 * and so sees a bundle that is older than its sources.
 */
function sourceDigest(): string {
  const names = readdirSync("src").sort();
  const paths = ["package.json", "vite.config.ts", ...names.map((name) => `src/${name}`)];
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}

/** The bundle's first line, after it was made small, which drops comments. */
const firstLine: Plugin = {
  name: "first-line",
  enforce: "post",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk") {
        file.code = `/*! Renderjuice's render wall, Apache-2.0; "make web" built it from ${sourceDigest()} */\n${file.code}`;
      }
    }
  },
};

export default defineConfig({
  plugins: [firstLine],
  define: { "process.env.NODE_ENV": '"production"' },
  build: {
    outDir: "../renderjuice_provider/wall/static",
    emptyOutDir: false,
    target: "es2022",
    copyPublicDir: false,
    lib: { entry: "src/index.tsx", formats: ["iife"], name: "RenderjuiceWall", fileName: () => "wall.js" },
    rollupOptions: {
      external: Object.keys(HOST),
      output: {
        globals: Object.fromEntries(Object.entries(HOST).map(([name, its]) => [name, `globalThis.${its}`])),
      },
    },
  },
  test: { environment: "happy-dom", include: ["test/*.test.{ts,tsx}"], setupFiles: ["test/setup.ts"] },
});
