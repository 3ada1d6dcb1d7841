/**
 * Builds the browser half into the Python package: `npm run build`, also run by the wheel's build.
 *
 *   widget.js  the anywidget module; it travels as one trait, styles and all
 *   page.js    the same chat as a page of its own, with page.html around it
 *   client.js  ChatClient, for pages that people write themselves
 */

import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bytes. Jupyter sends widget.js once per widget, uncompressed, and may save it in the notebook. */
export const WIDGET_LIMIT = 230_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const target = here("../src/kernelchat/static");

/** Throws when the widget's module is too large to travel with every instance. */
export function checkSize(bytes) {
  if (bytes > WIDGET_LIMIT) {
    throw new Error(
      `widget.js has ${bytes} bytes, ${bytes - WIDGET_LIMIT} more than the ${WIDGET_LIMIT} that may ` +
        "travel with every widget: drop a dependency or load it over the transport when it is needed.",
    );
  }
}

/** Bundles everything; returns the files as esbuild gives them, and writes them when `write`. */
export async function bundle({ write }) {
  const result = await build({
    absWorkingDir: here("."),
    entryPoints: {
      widget: "src/widget.ts",
      page: "src/page.ts",
      client: "src/transport/client.ts",
    },
    outdir: target,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    jsx: "automatic",
    jsxImportSource: "preact",
    metafile: true,
    logLevel: write ? "info" : "silent",
    write,
  });
  const output = Object.entries(result.metafile.outputs);
  checkSize(output.find(([path]) => path.endsWith("/widget.js"))[1].bytes);
  return result;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await bundle({ write: true });
  await cp(here("src/page.html"), `${target}/page.html`);
}
