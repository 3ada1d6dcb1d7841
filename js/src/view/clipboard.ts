/** Copying, also where a page may not use the asynchronous clipboard. Rejects when nothing works. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // Forbidden in this frame: the older way may still be allowed.
    }
  }
  copyByEvent(text);
}

function copyByEvent(text: string): void {
  let copied = false;
  const fill = (event: ClipboardEvent): void => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
    copied = true;
  };
  document.addEventListener("copy", fill, { capture: true, once: true });
  try {
    document.execCommand?.("copy");
  } finally {
    document.removeEventListener("copy", fill, { capture: true });
  }
  if (!copied) throw new Error("The browser did not allow copying.");
}
