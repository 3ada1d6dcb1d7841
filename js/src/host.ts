/** What the page tells about itself. The only place outside the views that looks at the document. */

import { isFields } from "./state/message";
import type { PageFacts } from "./transport/probe";

/** Jupyter's base URL as JupyterLab and Notebook 7 leave it in the page, null on any other page. */
function jupyterBase(): string | null {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  if (!text) return null;
  try {
    const config: unknown = JSON.parse(text);
    return isFields(config) && typeof config.baseUrl === "string" ? config.baseUrl : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Asks the browser, never the user: a query raises no prompt, a fetch would. */
async function loopbackGranted(): Promise<boolean> {
  try {
    const name = "loopback-network" as PermissionName;
    return (await navigator.permissions.query({ name })).state === "granted";
  } catch (error) {
    // A browser that does not know the name has no such permission to give; nor has one without
    // `permissions`, as pages over plain http are.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

export function pageFacts(): PageFacts {
  const { protocol, hostname } = window.location;
  return { protocol, hostname, jupyterBase: jupyterBase(), loopbackGranted };
}

/** Calls `listener` when the reader comes back to the page or the machine to the net. */
export function onLook(listener: () => void): () => void {
  const visible = () => {
    if (document.visibilityState === "visible") listener();
  };
  window.addEventListener("focus", listener);
  window.addEventListener("online", listener);
  document.addEventListener("visibilitychange", visible);
  return () => {
    window.removeEventListener("focus", listener);
    window.removeEventListener("online", listener);
    document.removeEventListener("visibilitychange", visible);
  };
}
