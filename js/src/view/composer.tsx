/** The box in which questions are written. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat, Message } from "../state/types";
import { useShared } from "./context";
import { enterGuard } from "./keys";

interface ComposerProps {
  /** Why nothing can be asked any more. */
  readonly disabled: string | undefined;
  readonly responding: boolean;
  /** The question whose text is being changed, waiting or asked. */
  readonly editing: Message | undefined;
  /** The one that ArrowUp brings back. */
  readonly latest: Message | undefined;
  onEdited(): void;
  onStop(): void;
}

/** What was typed and not sent, so that a view drawn anew still has it. */
const drafts = new WeakMap<Chat, string>();

export function Composer(props: ComposerProps) {
  const { disabled, responding, editing, latest, onEdited, onStop } = props;
  const { chat, edit, run, tell, words } = useShared();
  const box = useRef<HTMLTextAreaElement>(null);
  const [guard] = useState(enterGuard);
  const [empty, setEmpty] = useState(!drafts.get(chat)?.trim());
  /** What stood in the box before a waiting question took its place. */
  const aside = useRef("");

  function put(text: string): void {
    if (!box.current) return;
    box.current.value = text;
    changed();
  }

  function changed(): void {
    if (!box.current) return;
    const { value } = box.current;
    if (!editing) drafts.set(chat, value);
    setEmpty(!value.trim());
    grow(box.current);
  }

  useLayoutEffect(() => put(drafts.get(chat) ?? ""), [chat]);
  useLayoutEffect(() => {
    if (!editing || !box.current) return undefined;
    aside.current = box.current.value;
    put(editing.text);
    box.current.focus();
    return () => put(aside.current);
  }, [editing?.id]);

  async function send(): Promise<void> {
    const text = box.current?.value.trim() ?? "";
    if (!text || disabled !== undefined) return;
    tell("");
    if (editing) {
      const type = editing.status === "queued" ? "queue_edit" : "edit";
      const changing = run({ type, message_id: editing.id, text });
      onEdited();
      if (!(await changing)) putBack(text);
      return;
    }
    put("");
    if (!(await run({ type: "send", text }))) putBack(text);
  }

  /** The words are not lost when the kernel refused them, nor what was typed meanwhile. */
  function putBack(text: string): void {
    const typed = box.current?.value ?? drafts.get(chat) ?? "";
    const draft = typed.trim() ? `${text}\n${typed}` : text;
    drafts.set(chat, draft);
    put(draft);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (guard.sends(event)) {
      event.preventDefault();
      void send();
    } else if (event.key === "ArrowUp" && latest && !editing && box.current?.value === "") {
      event.preventDefault();
      edit(latest);
    }
  }

  return (
    <>
      {editing && (
        <div class="kernelchat-notice">
          <span>{words.editing}</span>
          <button type="button" class="kernelchat-cancel" onClick={onEdited}>
            {words.cancel}
          </button>
        </div>
      )}
      <div class="kernelchat-composer" data-disabled={disabled !== undefined}>
        <textarea
          ref={box}
          rows={1}
          disabled={disabled !== undefined}
          placeholder={disabled ?? words.placeholder}
          aria-label={editing ? words.editing : words.placeholder}
          onInput={changed}
          onKeyDown={onKeyDown}
          onKeyUp={guard.keyUp}
          onCompositionEnd={guard.compositionEnd}
        />
        {responding && (
          <button
            type="button"
            class="kernelchat-stop"
            aria-label={words.stop}
            title={`${words.stop} (Esc)`}
            onClick={onStop}
          >
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <rect x="4" y="4" width="8" height="8" rx="1" />
            </svg>
          </button>
        )}
        <button
          type="button"
          class="kernelchat-send"
          aria-label={words.send}
          title={responding ? words.queue : words.send}
          disabled={disabled !== undefined || empty}
          onClick={() => void send()}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M8 13V3.5M4 7.2l4-4 4 4" />
          </svg>
        </button>
      </div>
    </>
  );
}

/** As high as its text; the style sheet holds the limit. */
function grow(box: HTMLTextAreaElement): void {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}
