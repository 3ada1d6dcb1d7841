/** The view of one chat: header, messages, composer, status line. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { path, queued, runningMessage } from "../state/select";
import type { Chat, CommandRequest, Message, OptionsSource, ViewOptions } from "../state/types";
import { Composer } from "./composer";
import { Shared, type ViewContext } from "./context";
import { frame } from "./frames";
import { Header } from "./header";
import { chooseLanguage, type Words, words as wordsOf } from "./i18n";
import { isComposing, PRIVATE_EVENTS } from "./keys";
import { Log } from "./log";
import { Notice } from "./notice";
import { isResponding, type Phase, phaseOf } from "./phase";
import { Queue } from "./queue";
import { StatusLine } from "./status";
import { useHostLook } from "./theme";

export function App({ chat, source }: { chat: Chat; source: OptionsSource }) {
  useChanges(chat.subscribe.bind(chat), source.subscribe.bind(source));
  const state = chat.state();
  const connection = chat.connection();
  const options = useStable(source.get());
  const [said, say] = useState<ViewOptions["lang"]>();
  const lang = said ?? options.lang;
  const language = chooseLanguage(lang);
  const words = wordsOf(language);
  const title = options.title || words.title;
  // Chats on one page are landmarks of their own: their names must differ.
  const [place] = useState(() => 1 + document.querySelectorAll(".kernelchat").length);
  const look = useHostLook(options.theme);
  const [sentence, tell] = useState("");
  const [edited, setEdited] = useState<string>();

  const shared = useMemo<ViewContext>(() => {
    const fail = (error: unknown) =>
      tell((error as { message?: string })?.message || words.refused);
    const run = (request: CommandRequest) =>
      chat.command(request).then(
        () => true,
        (error: unknown) => {
          fail(error);
          return false;
        },
      );
    const edit = ({ id }: Message) => setEdited(id);
    return { chat, options, lang, language, words, run, edit, tell, fail, say };
  }, [chat, options, lang, words]);

  const phase = phaseOf(state, connection);
  const responding = isResponding(state);
  const waiting = queued(state);
  const questions = [...path(state).filter(({ role }) => role === "user"), ...waiting];
  const editing = questions.find(({ id }) => id === edited);
  const stop = () => {
    const running = runningMessage(state);
    void shared.run(running ? { type: "stop", message_id: running.id } : { type: "stop" });
  };
  const root = usePrivateEvents((event) => {
    if (event.key !== "Escape" || isComposing(event)) return;
    if (!editing && !responding) return;
    event.preventDefault();
    if (editing) setEdited(undefined);
    else stop();
  });

  return (
    <Shared.Provider value={shared}>
      <section
        class="kernelchat"
        ref={root}
        aria-label={place > 1 ? `${title} ${place}` : title}
        lang={language === "zh" ? "zh-CN" : "en"}
        style={{ height: options.height > 0 ? `${options.height}px` : "100%" }}
        data-transport={connection.transport}
        data-phase={phase}
        data-theme={options.theme}
        data-scheme={look}
        data-lm-suppress-shortcuts="true"
      >
        <Header state={state} connection={connection} />
        <Log key={chat.sessionId} state={state} />
        <footer class="kernelchat-foot">
          <Queue messages={waiting} editing={editing?.id} />
          <Notice state={state} sentence={sentence} />
          {options.input && (
            <Composer
              disabled={phase === "gone" || phase === "closed" ? words[phase] : undefined}
              responding={responding}
              editing={editing}
              latest={questions.at(-1)}
              onEdited={() => setEdited(undefined)}
              onStop={stop}
            />
          )}
          <StatusLine state={state} connection={connection} phase={phase} />
        </footer>
        <Announcer key={`${chat.sessionId} `} responding={responding} phase={phase} words={words} />
      </section>
    </Shared.Provider>
  );
}

/** Start and end of an answer for those who listen; not each token, nor what was there before. */
function Announcer({ responding, phase, words }: AnnouncerProps) {
  const heard = useRef(false);
  if (responding) heard.current = true;
  const end = phase === "done" ? words.answerDone : words[phase];
  return (
    <div class="kernelchat-announcer" role="status">
      {heard.current && (responding ? words.typing : end)}
    </div>
  );
}

interface AnnouncerProps {
  readonly responding: boolean;
  readonly phase: Phase;
  readonly words: Words;
}

/** Draws again at most once a frame, however many events come. */
function useChanges(...subscribes: readonly ((listener: () => void) => () => void)[]): void {
  const [, draw] = useState(0);
  useEffect(() => {
    const next = frame(() => draw((count) => count + 1));
    const ends = subscribes.map((subscribe) => subscribe(next.request));
    // Something may have changed between the first drawing and now.
    next.request();
    return () => {
      next.cancel();
      for (const end of ends) end();
    };
  }, []);
}

/** The same object while its fields are the same: sources make a new one for each call. */
function useStable<T extends object>(value: T): T {
  return useMemo(() => value, [JSON.stringify(value)]);
}

/** What is typed here must not reach the notebook's shortcuts; `onKey` sees every key press first. */
function usePrivateEvents(onKey: (event: KeyboardEvent) => void) {
  const root = useRef<HTMLElement>(null);
  const latest = useRef(onKey);
  latest.current = onKey;
  useLayoutEffect(() => {
    const element = root.current;
    if (!element) return undefined;
    const hold = (event: Event): void => {
      if (event.type === "keydown") latest.current(event as KeyboardEvent);
      event.stopPropagation();
    };
    for (const name of PRIVATE_EVENTS) element.addEventListener(name, hold);
    return () => {
      for (const name of PRIVATE_EVENTS) element.removeEventListener(name, hold);
    };
  }, []);
  return root;
}
