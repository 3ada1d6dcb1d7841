/**
 * The frame of the chat. Ten variables set its look; each falls back from the user's
 * `--kernelchat-*` to the host's colours and then to our own, light or dark. The names `--k-*` are
 * internal: a variable set on an ancestor must reach us.
 */

export const styles = `
.kernelchat {
  --d-background: #fff; --d-text: #1f2328; --d-muted: #59636e; --d-border: #d8dee4;
  --d-soft: #f6f8fa; --d-accent: #3b5bdb; --d-accent-soft: #edf2ff; --d-code: #f6f8fa;
  --d-ok: #1a7f37; --d-error: #cf222e; --k-on-accent: #fff;
  --k-red: #b42332; --k-green: #17692f; --k-blue: #0550ae; --k-purple: #6639ba; --k-orange: #8a4600;
}
.kernelchat[data-scheme=dark] {
  --d-background: #111418; --d-text: #e6edf3; --d-muted: #99a3ad; --d-border: #2d333b;
  --d-soft: #171b20; --d-accent: #91a7ff; --d-accent-soft: #1e2748; --d-code: #171b20;
  --d-ok: #57c76c; --d-error: #ff8f87; --k-on-accent: #10142b;
  --k-red: #ff8f87; --k-green: #7ee09a; --k-blue: #86bdff; --k-purple: #d2b1ff; --k-orange: #ffb57a;
}
.kernelchat, .kernelchat[data-theme=light], .kernelchat[data-theme=dark], .kernelchat[data-theme=classic] {
  --k-background: var(--kernelchat-background, var(--d-background));
  --k-text: var(--kernelchat-text, var(--d-text));
  --k-muted: var(--kernelchat-muted, var(--d-muted));
  --k-border: var(--kernelchat-border, var(--d-border));
  --k-soft: var(--kernelchat-soft, var(--d-soft));
  --k-accent: var(--kernelchat-accent, var(--d-accent));
  --k-accent-soft: var(--kernelchat-accent-soft, var(--d-accent-soft));
  --k-code: var(--kernelchat-code, var(--d-code));
  --k-ok: var(--kernelchat-ok, var(--d-ok));
  --k-error: var(--kernelchat-error, var(--d-error));
}
.kernelchat[data-theme=auto] {
  --h-background: var(--jp-layout-color1, var(--vscode-editor-background, var(--d-background)));
  --h-text: var(--jp-ui-font-color1, var(--vscode-editor-foreground, var(--d-text)));
  --h-accent: var(--jp-brand-color1, var(--vscode-textLink-foreground, var(--vscode-focusBorder, var(--d-accent))));
  --k-background: var(--kernelchat-background, var(--h-background));
  --k-text: var(--kernelchat-text, var(--h-text));
  --k-muted: var(--kernelchat-muted, color-mix(in srgb, var(--h-text) 68%, var(--h-background)));
  --k-border: var(--kernelchat-border, var(--jp-border-color2, var(--vscode-contrastBorder, var(--vscode-widget-border, var(--d-border)))));
  --k-soft: var(--kernelchat-soft, color-mix(in srgb, var(--h-text) 4%, var(--h-background)));
  --k-accent: var(--kernelchat-accent, var(--h-accent));
  --k-accent-soft: var(--kernelchat-accent-soft, color-mix(in srgb, var(--h-accent) 12%, var(--h-background)));
  --k-code: var(--kernelchat-code, var(--jp-cell-editor-background, var(--vscode-textCodeBlock-background, var(--d-code))));
  --k-ok: var(--kernelchat-ok, var(--vscode-testing-iconPassed, var(--d-ok)));
  --k-error: var(--kernelchat-error, var(--vscode-errorForeground, var(--d-error)));
}
.kernelchat, .kernelchat * { box-sizing: border-box; }
.kernelchat {
  container: kernelchat / inline-size;
  position: relative; display: flex; flex-direction: column; overflow: hidden;
  min-height: 220px; max-width: 100%; border: 1px solid var(--k-border); border-radius: 8px;
  background: var(--k-background); color: var(--k-text); text-align: start; letter-spacing: normal;
  font: 14px/1.6 var(--jp-ui-font-family, var(--vscode-font-family, system-ui)), "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
}
.kernelchat :is(button, textarea, input) { font: inherit; color: inherit; margin: 0; letter-spacing: inherit; }
.kernelchat button { cursor: pointer; background: none; border: 0; padding: 0; transition: opacity .12s, background-color .12s, color .12s; }
.kernelchat button:disabled { cursor: default; }
.kernelchat :focus-visible { outline: 2px solid var(--k-accent); outline-offset: -2px; border-radius: 4px; }
.kernelchat svg { display: block; width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }

.kernelchat-header { flex: none; display: flex; align-items: baseline; gap: 10px; padding: 10px 16px; border-bottom: 1px solid var(--k-border); }
.kernelchat-title { font-weight: 600; }
.kernelchat-title, .kernelchat-model, .kernelchat-kept span, .kernelchat-queue .kernelchat-content { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.kernelchat-state { flex: none; color: var(--k-muted); font-size: 12px; }
.kernelchat-state[data-state=error] { color: var(--k-error); }
.kernelchat-model { margin-inline-start: auto; color: var(--k-muted); font-size: 12px; }

.kernelchat-menu { flex: none; outline: none; font-size: 13px; }
.kernelchat-menu button { min-width: 24px; padding: 2px 6px; border-radius: 6px; }
.kernelchat-menu button:hover { background: var(--k-accent-soft); }
.kernelchat-panel { position: absolute; z-index: 2; top: 40px; inset-inline-end: 12px; width: 320px; max-width: calc(100% - 24px); max-height: calc(100% - 52px); overflow: auto; padding: 6px; border: 1px solid var(--k-border); border-radius: 8px; background: var(--k-background); color: var(--k-text); }
.kernelchat-panel ul { list-style: none; margin: 0; padding: 0; }
.kernelchat-panel li { display: flex; margin: 0; gap: 2px; }
.kernelchat-panel p, .kernelchat-panel small { margin: 4px 6px; color: var(--k-muted); font-size: 12px; }
.kernelchat-panel small { margin: 0; white-space: nowrap; }
.kernelchat .kernelchat-new { width: 100%; text-align: start; }
.kernelchat-kept, .kernelchat-panel input { flex: 1; min-width: 0; border: 0; background: none; }
.kernelchat .kernelchat-kept { display: flex; justify-content: space-between; gap: 8px; text-align: start; }
.kernelchat-kept[aria-current=true], .kernelchat-languages [aria-pressed=true] { background: var(--k-soft); font-weight: 600; }
.kernelchat-panel li > button:not(.kernelchat-kept) { flex: none; color: var(--k-muted); }
.kernelchat-languages { display: flex; gap: 2px; margin: 6px 0 0; padding: 6px 0 0; border: 0; border-top: 1px solid var(--k-border); }

.kernelchat-main { flex: 1; min-height: 0; position: relative; display: flex; }
.kernelchat-log { flex: 1; min-width: 0; overflow: hidden auto; overflow-anchor: none; scrollbar-gutter: stable; scrollbar-width: thin; scrollbar-color: var(--k-border) transparent; }
.kernelchat-list { display: flex; flex-direction: column; gap: 16px; min-height: 100%; padding: 16px max(16px, 50cqw - 417px) 20px max(20px, 50cqw - 413px); }
.kernelchat-message { display: flex; gap: 12px; min-width: 0; }
.kernelchat-message[data-role=user] { justify-content: flex-end; }
.kernelchat-avatar { flex: none; display: grid; place-items: center; width: 26px; height: 26px; border-radius: 6px; background: var(--k-accent); color: var(--k-on-accent); font-size: 11px; font-weight: 600; overflow: hidden; user-select: none; }
.kernelchat-message[data-role=user] .kernelchat-avatar { margin-top: 6px; background: var(--k-accent-soft); color: var(--k-text); }
.kernelchat-bubble { max-width: 78%; padding: 7px 14px; border-radius: 14px 14px 4px; background: var(--k-accent-soft); white-space: pre-wrap; overflow-wrap: anywhere; }
.kernelchat-body { flex: 1; min-width: 0; max-width: 760px; padding-top: 2px; }
.kernelchat-reasoning { margin: 0 0 8px; padding-inline-start: 12px; border-inline-start: 2px solid var(--k-border); color: var(--k-muted); }
.kernelchat-reasoning summary { cursor: pointer; font-size: 13px; }
.kernelchat-reasoning div { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }

.kernelchat-dots { display: flex; gap: 5px; align-items: center; height: 22px; }
.kernelchat-dots i { width: 6px; height: 6px; border-radius: 50%; background: var(--k-muted); animation: kernelchat-dot 1.2s infinite both; }
.kernelchat-dots i:nth-child(2) { animation-delay: .16s; }
.kernelchat-dots i:nth-child(3) { animation-delay: .32s; }
@keyframes kernelchat-dot { 0%, 70%, 100% { opacity: .3; } 30% { opacity: 1; } }

.kernelchat-actions { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 6px; color: var(--k-muted); font-size: 12px; opacity: 0; transition: opacity .12s; }
.kernelchat-actions[data-last=true], .kernelchat-message:hover .kernelchat-actions, .kernelchat-actions:focus-within { opacity: 1; }
.kernelchat-actions button:hover:enabled { color: var(--k-text); }
.kernelchat-message[data-role=user] { position: relative; }
.kernelchat-message[data-role=user] .kernelchat-actions { position: absolute; top: 100%; inset-inline-end: 4px; margin: 0; line-height: 16px; }
.kernelchat-thumbs { display: inline-flex; align-items: center; gap: 10px; }
.kernelchat .kernelchat-thumb svg { width: 14px; height: 14px; stroke-width: 1.3; }
.kernelchat-thumb svg[data-value=down] { transform: rotate(180deg); }
.kernelchat .kernelchat-thumb[aria-pressed=true] { color: var(--k-accent); }
.kernelchat .kernelchat-thumb[aria-pressed=true] svg { fill: var(--k-accent-soft); }
.kernelchat-branches { display: inline-flex; gap: 2px; }
.kernelchat-branches button { min-width: 16px; }
.kernelchat-branches button:disabled { opacity: .4; }
.kernelchat-tag { display: inline-block; margin-top: 6px; padding: 0 8px; border: 1px solid var(--k-border); border-radius: 6px; color: var(--k-muted); font-size: 12px; line-height: 18px; }
.kernelchat-error { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin-top: 4px; padding: 7px 12px; border: 1px solid color-mix(in srgb, var(--k-error) 40%, var(--k-background)); border-radius: 8px; background: color-mix(in srgb, var(--k-error) 8%, var(--k-background)); overflow-wrap: anywhere; }
.kernelchat-error, .kernelchat .kernelchat-retry { color: color-mix(in srgb, var(--k-error) 85%, var(--k-text)); }
.kernelchat .kernelchat-retry { padding: 0 10px; border: 1px solid currentColor; border-radius: 6px; font-size: 12px; line-height: 20px; }

.kernelchat-empty { margin: auto; max-width: 560px; text-align: center; color: var(--k-muted); }
.kernelchat-empty p { margin: 0 0 12px; }
.kernelchat-empty p:first-child { color: var(--k-text); font-size: 15px; }
.kernelchat-note { padding: 8px 14px; border: 1px dashed var(--k-border); border-radius: 8px; font-size: 13px; overflow-wrap: anywhere; }
.kernelchat-prompts { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; }
.kernelchat-prompts button, .kernelchat .kernelchat-earlier { padding: 4px 12px; border: 1px solid var(--k-border); border-radius: 14px; color: var(--k-text); font-size: 13px; text-align: start; overflow-wrap: anywhere; }
.kernelchat-prompts button:hover, .kernelchat .kernelchat-earlier:hover { background: var(--k-accent-soft); }
.kernelchat .kernelchat-earlier { align-self: center; color: var(--k-muted); }
.kernelchat .kernelchat-latest { position: absolute; bottom: 10px; left: 50%; transform: translateX(-50%); padding: 3px 12px; border: 1px solid var(--k-border); border-radius: 14px; background: var(--k-background); font-size: 12px; white-space: nowrap; }

.kernelchat-foot { flex: none; padding: 10px max(15px, 50cqw - 418px) 8px; border-top: 1px solid var(--k-border); }
.kernelchat-queue { list-style: none; margin: 0 0 8px; padding: 0; display: grid; gap: 6px; max-height: 110px; overflow: auto; }
.kernelchat-queue li { display: flex; align-items: baseline; gap: 8px; margin: 0; padding: 4px 12px; border: 1px dashed var(--k-border); border-radius: 8px; color: var(--k-muted); font-size: 13px; }
.kernelchat-queue li[data-editing=true] { border-color: var(--k-accent); }
.kernelchat-queue-label { flex: none; }
.kernelchat .kernelchat-queue button { flex: none; text-decoration: underline; }
.kernelchat-notice { display: flex; align-items: baseline; gap: 10px; margin: 0 2px 8px; color: var(--k-muted); font-size: 13px; overflow-wrap: anywhere; }
.kernelchat-notice[data-level=error] { color: var(--k-error); }
.kernelchat-notice .kernelchat-cancel { text-decoration: underline; }
.kernelchat-notice button { margin-inline-start: auto; min-width: 24px; }

.kernelchat-composer { display: flex; align-items: flex-end; gap: 8px; padding: 6px; border: 1px solid color-mix(in srgb, var(--k-text) 58%, var(--k-background)); border-radius: 12px; transition: border-color .12s, box-shadow .12s; }
.kernelchat-composer:focus-within { border-color: var(--k-accent); box-shadow: 0 0 0 2px var(--k-accent-soft), 0 0 0 1px var(--k-accent); }
.kernelchat-composer[data-disabled=true] { border-color: var(--k-border); background: var(--k-soft); }
.kernelchat .kernelchat-composer textarea { flex: 1; min-width: 0; min-height: 0; max-height: 164px; padding: 4px 0 4px 6px; border: 0; background: none; box-shadow: none; resize: none; outline: none; line-height: 22px; overflow-y: auto; scrollbar-width: thin; }
.kernelchat-composer textarea::placeholder { color: var(--k-muted); opacity: 1; }
.kernelchat .kernelchat-composer button { flex: none; display: grid; place-items: center; width: 30px; height: 30px; border: 1px solid var(--k-accent); border-radius: 8px; }
.kernelchat .kernelchat-composer :focus-visible { outline-offset: 2px; border-radius: 8px; }
.kernelchat .kernelchat-composer textarea:focus-visible { outline: none; }
.kernelchat .kernelchat-send { background: var(--k-accent); color: var(--k-on-accent); }
.kernelchat .kernelchat-send:disabled { border-color: var(--k-border); background: var(--k-soft); color: var(--k-muted); }
.kernelchat .kernelchat-stop { color: var(--k-accent); }
.kernelchat-stop rect { fill: currentColor; }

.kernelchat-status { display: flex; gap: 12px; margin: 5px 4px 0; color: var(--k-muted); font-size: 12px; line-height: 18px; white-space: nowrap; overflow: hidden; }
.kernelchat-phase, .kernelchat-waiting { overflow: hidden; text-overflow: ellipsis; }
.kernelchat:is([data-phase=gone], [data-phase=closed]) .kernelchat-phase { color: var(--k-text); }
.kernelchat-road { flex: none; margin-inline-start: auto; display: inline-flex; align-items: center; gap: 6px; }
.kernelchat-road::before { content: ""; width: 7px; height: 7px; border-radius: 50%; background: var(--k-muted); }
.kernelchat-road[data-state=open]::before { background: var(--k-ok); }
.kernelchat-road[data-state=lost]::before { background: var(--k-error); }
.kernelchat-announcer { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.kernelchat[data-theme=classic] { --d-accent: #5a67d8; --d-accent-soft: #eceefc; }
.kernelchat[data-theme=classic] .kernelchat-header { border: 0; background: linear-gradient(135deg, #5a6fd6, #764ba2); color: #fff; }
.kernelchat[data-theme=classic] :is(.kernelchat-state, .kernelchat-model) { color: #fff; }
.kernelchat[data-theme=classic] :is(.kernelchat-avatar, .kernelchat-send:enabled) { border: 0; background: linear-gradient(135deg, #5a6fd6, #764ba2); color: #fff; }
.kernelchat[data-theme=classic] .kernelchat-message[data-role=assistant] .kernelchat-content:not(:empty) { padding: 8px 14px; border-radius: 4px 14px 14px; background: var(--k-soft); }

@media (hover: none) { .kernelchat-actions { opacity: 1; } }
@container kernelchat (max-width: 420px) {
  .kernelchat-avatar { display: none; }
  .kernelchat-list { padding-inline: 14px; }
  .kernelchat-bubble { max-width: 92%; }
  .kernelchat-pace { display: none; }
  .kernelchat-foot { padding-inline: 10px; }
}
@media (prefers-reduced-motion: reduce) {
  .kernelchat *, .kernelchat *::before { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .kernelchat-avatar, .kernelchat-bubble { border: 1px solid; }
  .kernelchat-cursor-bar { background: CanvasText; }
}
`;
