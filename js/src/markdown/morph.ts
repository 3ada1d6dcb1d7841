/**
 * Makes `current` equal to `next` while keeping the nodes that need no change: a selection in the
 * open block, or the focus on its Copy button, outlives the next token.
 */
export function morph(current: Element, next: Element): void {
  const kept = current.childNodes;
  const wanted = [...next.childNodes];
  wanted.forEach((to, index) => {
    const from = kept[index];
    if (!from) current.append(to);
    else if (from instanceof Text && to instanceof Text) setText(from, to.data);
    else if (from instanceof Element && to instanceof Element && sameTag(from, to)) morph(from, to);
    else if (!stillLoaded(from, to)) current.replaceChild(to, from);
  });
  while (kept.length > wanted.length) current.lastChild?.remove();
}

function setText(node: Text, data: string): void {
  if (data === node.data) return;
  if (data.startsWith(node.data)) node.appendData(data.slice(node.data.length));
  else node.data = data;
}

function sameTag(from: Element, to: Element): boolean {
  return (
    from.tagName === to.tagName &&
    from.attributes.length === to.attributes.length &&
    [...to.attributes].every(({ name, value }) => from.getAttribute(name) === value)
  );
}

/** The reader asked for this image; drawing its block again must not take it away. */
function stillLoaded(from: Node, to: Node): boolean {
  return (
    from instanceof HTMLImageElement &&
    to instanceof Element &&
    from.dataset.kernelchatSrc !== undefined &&
    from.dataset.kernelchatSrc === to.getAttribute("data-kernelchat-src")
  );
}
