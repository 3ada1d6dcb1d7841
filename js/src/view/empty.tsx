/** The chat before its first question. */

import { useShared } from "./context";

export function Empty() {
  const { options, run, words } = useShared();
  return (
    <div class="kernelchat-empty">
      <p>{options.greeting || words.greeting}</p>
      {!options.model_connected && (
        <p class="kernelchat-note">
          <strong>{words.noModel}</strong> {words.connectModel}
        </p>
      )}
      {options.input && options.prompts.length > 0 && (
        <div class="kernelchat-prompts">
          {options.prompts.map((prompt) => (
            <button type="button" key={prompt} onClick={() => run({ type: "send", text: prompt })}>
              {prompt}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
