import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        // No DOM here: the state and the transports must not come to need one.
        test: {
          name: "node",
          environment: "node",
          include: ["test/state/**/*.test.ts", "test/transport/**/*.test.ts"],
        },
      },
      {
        // Of the build. Not in jsdom, whose Uint8Array is not the one that esbuild checks for.
        test: { name: "build", environment: "node", include: ["test/build.test.ts"] },
      },
      {
        test: {
          name: "dom",
          environment: "jsdom",
          include: ["test/**/*.test.{ts,tsx}"],
          exclude: ["test/state/**", "test/transport/**", "test/build.test.ts"],
        },
      },
    ],
  },
});
