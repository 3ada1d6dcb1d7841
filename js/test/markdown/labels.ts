import type { Labels } from "../../src/markdown/labels";

export const labels: Labels = {
  copy: "copy",
  code: "code",
  image: (host) => `image from ${host}`,
};
