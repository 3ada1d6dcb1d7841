/** What the header's button opens: new chat, the conversations that are kept, the language. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Kept, KeptSession, ViewOptions } from "../state/types";
import { ago } from "./ago";
import { useShared } from "./context";
import { isComposing } from "./keys";

const LANGUAGES = ["auto", "en", "zh"] as const satisfies readonly ViewOptions["lang"][];

/** `kept` is left out where no other conversation can be had. */
export function Menu({ kept }: { kept: Kept | undefined }) {
  const { lang, say, words } = useShared();
  const [open, setOpen] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const find = (selector: string) => [
    ...(menu.current?.querySelectorAll<HTMLElement>(selector) ?? []),
  ];
  useEffect(() => {
    if (open) find(".kernelchat-panel button")[0]?.focus();
  }, [open]);

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const all = find(".kernelchat-panel :is(button, input)");
      const at = all.findIndex((one) => one.matches(":focus"));
      all.at((at + step) % all.length)?.focus();
      setOpen(true);
    } else if (event.key === "Escape" && open) {
      setOpen(false);
      find("button")[0]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears what its buttons are told
    <div
      class="kernelchat-menu"
      ref={menu}
      // A click in here must leave the focus in here, also where buttons do not take it.
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onFocusOut={({ relatedTarget }) => {
        if (!menu.current?.contains(relatedTarget as Node | null)) setOpen(false);
      }}
    >
      <button
        type="button"
        aria-label={words.menu}
        title={words.menu}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        ⋯
      </button>
      {open && (
        <div class="kernelchat-panel" role="dialog" aria-label={words.menu}>
          {kept && (
            <Conversations
              kept={kept}
              stay={() => menu.current?.focus()}
              leave={() => {
                const root = menu.current?.closest(".kernelchat");
                setOpen(false);
                root?.querySelector("textarea")?.focus();
              }}
            />
          )}
          <fieldset class="kernelchat-languages" aria-label={words.language}>
            {LANGUAGES.map((one) => (
              <button type="button" key={one} aria-pressed={one === lang} onClick={() => say(one)}>
                {{ auto: words.automatic, en: "English", zh: "中文" }[one]}
              </button>
            ))}
          </fieldset>
        </div>
      )}
    </div>
  );
}

/** One and the same function, so that it is called once. */
const focus = (input: HTMLInputElement | null) => input?.select();

interface ConversationsProps {
  readonly kept: Kept;
  /** Before what has the focus goes. */
  stay(): void;
  /** For the composer. */
  leave(): void;
}

function Conversations({ kept, stay, leave }: ConversationsProps) {
  const { chat, fail, language, words } = useShared();
  const [list, setList] = useState<readonly KeptSession[]>();
  /** The one row that is being renamed, or whose deletion waits for a second click. */
  const [chosen, choose] = useState<{ id: string; rename: boolean }>();

  const load = () => kept.list().then(setList, fail);
  // Also when the chat turns, as it does where the one that it shows is deleted.
  useEffect(() => void load(), [chat.sessionId]);

  const show = (id: string | null) => {
    leave();
    kept.show(id).catch(fail);
  };
  const change = (changing?: Promise<void>, then = load) => {
    stay();
    choose(undefined);
    changing?.then(then, fail);
  };

  function row({ session_id: id, title, updated_at }: KeptSession) {
    const name = title || words.title;
    const rename = chosen?.id === id && chosen.rename;
    const sure = chosen?.id === id && !rename;
    return (
      <li key={id}>
        {rename ? (
          <input
            ref={focus}
            aria-label={words.rename}
            maxLength={200}
            defaultValue={title}
            onKeyDown={(event) => {
              if (isComposing(event)) return;
              const { value } = event.currentTarget;
              if (event.key === "Enter") change(kept.rename(id, value));
              else if (event.key === "Escape") change();
              else return;
              event.preventDefault();
              event.stopPropagation();
            }}
          />
        ) : (
          <button
            type="button"
            class="kernelchat-kept"
            aria-current={id === chat.sessionId}
            onClick={() => show(id)}
          >
            <span>{name}</span> <small>{ago(updated_at, language)}</small>
          </button>
        )}
        <button
          type="button"
          aria-label={`${words.rename}: ${name}`}
          title={words.rename}
          onClick={() => choose({ id, rename: true })}
        >
          ✎
        </button>
        <button
          type="button"
          aria-label={`${sure ? words.sure : words.delete}: ${name}`}
          title={words.delete}
          onClick={() => {
            if (!sure) choose({ id, rename: false });
            else change(kept.delete(id), id === chat.sessionId ? async () => {} : load);
          }}
        >
          {sure ? words.sure : "✕"}
        </button>
      </li>
    );
  }

  return (
    <>
      <button type="button" class="kernelchat-new" onClick={() => show(null)}>
        {words.newChat}
      </button>
      <p>{list?.length === 0 ? words.nothingKept : words.conversations}</p>
      <ul>{list?.map(row)}</ul>
    </>
  );
}
