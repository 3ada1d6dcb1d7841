/**
 * Builds the browser half into the Python package: `npm run build`, also run by the wheel's build.
 *
 *   widget.js  the anywidget module; it travels as one trait, styles and all
 *   page.js    the same chat as a page of its own, with page.html around it
 *   client.js  ChatClient, for pages that people write themselves
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

/** Bytes. Jupyter sends widget.js once per widget, uncompressed, and may save it in the notebook. */
export const WIDGET_LIMIT = 230_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const target = here("../src/kernelchat/static");

/** Throws when the widget's module is too large to travel with every instance. */
export function checkSize(bytes, limit = WIDGET_LIMIT) {
  if (bytes > limit) {
    throw new Error(
      `widget.js has ${bytes} bytes, ${bytes - limit} more than the ${limit} that may travel with ` +
        "every widget: drop a dependency or load it over the transport when it is needed.",
    );
  }
}

/**
 * Style sheets are the strings that `*styles.ts` exports; esbuild alone leaves strings as they are.
 * What they say all the time is left out, 3 KB in all; `mount` puts it in again.
 */
const minifyStyles = {
  name: "minify-styles",
  setup(on) {
    on.onLoad({ filter: /styles\.ts$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path), { loader: "ts", format: "esm" });
      const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
      const sheets = Object.entries(module).map(async ([name, css]) => {
        const small = await transform(css, { loader: "css", minify: true, charset: "utf8" });
        const short = small.code.trim().replaceAll(".kernelchat-", ".-").replaceAll("var(--", "^");
        return `export const ${name} = ${JSON.stringify(short)};`;
      });
      return { contents: (await Promise.all(sheets)).join("\n") };
    });
  },
};

/** Bundles everything in memory: a map from file names to texts. Throws where it cannot be used. */
export async function bundle() {
  const { outputFiles } = await build({
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
    plugins: [minifyStyles],
    logLevel: "silent",
    write: false,
  });
  const files = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  files.set("page.html", await readFile(here("src/page.html"), "utf8"));
  checkSize(Buffer.byteLength(files.get("widget.js")));
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await bundle();
  await mkdir(target, { recursive: true });
  for (const [name, text] of files) {
    await writeFile(join(target, name), text);
    console.log(`${name} ${Buffer.byteLength(text)} bytes`);
  }
}
