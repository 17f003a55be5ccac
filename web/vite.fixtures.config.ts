/** The wall without an Airflow: `make web-look`, with ?theme=dark, ?rows=300, ?run=x or ?run=x&task=y. */

import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { defineConfig, type Plugin } from "vite";
import { detail, plan, sampleNight } from "./test/sample";

async function read(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** A picture that says of which key it is. */
function picture(key: string): string {
  const hue = [...key].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180"><defs><linearGradient id="g" x2="1" y2="1">
    <stop stop-color="hsl(${hue} 45% 22%)"/><stop offset="1" stop-color="hsl(${hue + 40} 60% 62%)"/></linearGradient></defs>
    <rect width="320" height="180" fill="url(#g)"/><circle cx="${60 + (hue % 200)}" cy="90" r="42" fill="hsl(${hue + 90} 50% 70%)"/></svg>`;
}

const routes: Plugin = {
  name: "routes",
  configureServer(server) {
    server.middlewares.use("/renderjuice/wall", async (request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost");
      const asked = new URL(request.headers.referer ?? "http://localhost/").searchParams;
      const night = sampleNight(Number(asked.get("rows") ?? 60));
      night.now = new Date(Date.parse(night.now)).toISOString();
      if (asked.has("task")) night.rows = night.rows.slice(13, 14);
      if (asked.has("none")) night.rows = [];
      if (asked.has("down")) {
        night.farms = [
          { connection: "renderjuice_default", answers: false, age: 312, error: asked.get("down") },
        ];
      }
      const json = (body: unknown) => {
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify(body));
      };
      const [, first, second = ""] = url.pathname.split("/");
      if (first === "static") {
        response.setHeader("Content-Type", "text/javascript");
        response.end(readFileSync("../renderjuice_provider/wall/static/wall.js"));
      } else if (first === "pictures") {
        response.setHeader("Content-Type", "image/svg+xml");
        response.end(picture(decodeURIComponent(second)));
      } else if (first === "night") json(night);
      else if (first === "rows") {
        const found = night.rows.find((row) => row.id === decodeURIComponent(second));
        if (!found) response.statusCode = 404;
        json(found ? detail(found) : { error: "This row is gone: its DAG run was deleted." });
      } else if (first === "plan") json(plan(JSON.parse(await read(request)), night.rows));
      else json({ done: JSON.parse(await read(request)).rows, failed: [] });
    });
  },
};

export default defineConfig({
  root: "fixtures",
  appType: "spa",
  plugins: [routes],
  server: { host: "127.0.0.1" },
});
