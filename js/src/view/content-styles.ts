/** How an answer's Markdown looks: close to the text around it, and indifferent to the host's rules. */

export const contentStyles = `
.kernelchat-content { overflow-wrap: anywhere; }
.kernelchat-message[data-role=assistant] .kernelchat-content > * { content-visibility: auto; contain-intrinsic-size: auto 24px; }
.kernelchat-body .kernelchat-content > * { margin: 0 0 10px; }
.kernelchat-body .kernelchat-content > :last-child { margin-bottom: 0; }
.kernelchat-content :is(p, ul, ol, blockquote) { margin: 0 0 10px; padding: 0; color: inherit; font-size: inherit; line-height: inherit; }
.kernelchat-content :is(li, blockquote) > :last-child { margin-bottom: 0; }
.kernelchat-content :is(ul, ol) { padding-inline-start: 24px; }
.kernelchat-content ul { list-style: disc; }
.kernelchat-content ul ul { list-style: circle; }
.kernelchat-content ol { list-style: decimal; }
.kernelchat-content li { margin: 2px 0; }
.kernelchat-content li > :is(p, ul, ol) { margin-bottom: 4px; }
.kernelchat-content :is(h1, h2, h3, h4, h5, h6) { margin: 16px 0 8px; padding: 0; border: 0; color: inherit; font: inherit; font-weight: 600; line-height: 1.4; }
.kernelchat-content > :is(h1, h2, h3, h4, h5, h6):first-child { margin-top: 0; }
.kernelchat-content h1 { font-size: 19px; }
.kernelchat-content h2 { font-size: 17px; }
.kernelchat-content h3 { font-size: 15px; }
.kernelchat-content blockquote { padding-inline-start: 12px; border-inline-start: 3px solid var(--k-border); background: none; color: var(--k-muted); }
.kernelchat-content hr { height: 0; margin: 14px 0; border: 0; border-top: 1px solid var(--k-border); background: none; }
.kernelchat-content :is(strong, th) { font-weight: 600; }
.kernelchat-content a { color: var(--k-accent); text-decoration: underline; text-underline-offset: 2px; }
.kernelchat-content .kernelchat-host { color: var(--k-muted); font-size: 12px; text-decoration: none; display: inline-block; white-space: pre; }

.kernelchat-content code { padding: 1px 5px; border: 0; border-radius: 4px; background: var(--k-soft); color: inherit; font: 12.5px/1.6 var(--jp-code-font-family, var(--vscode-editor-font-family, ui-monospace)), ui-monospace, Menlo, Consolas, monospace; white-space: break-spaces; }
.kernelchat-code { border: 1px solid var(--k-border); border-radius: 8px; background: var(--k-code); overflow: hidden; }
.kernelchat-content li .kernelchat-code, .kernelchat-content blockquote .kernelchat-code { margin: 4px 0 8px; }
.kernelchat-code-bar { display: flex; justify-content: space-between; gap: 12px; padding: 3px 12px; border-bottom: 1px solid var(--k-border); color: color-mix(in srgb, var(--k-text) 76%, var(--k-code)); font-size: 12px; }
.kernelchat-code-copy:hover { color: var(--k-text); }
.kernelchat .kernelchat-code pre { margin: 0; padding: 10px 12px; border: 0; background: none; overflow: auto hidden; scrollbar-width: thin; line-height: 1.6; }
.kernelchat .kernelchat-code code { display: block; width: max-content; min-width: 100%; padding: 0; background: none; white-space: pre; tab-size: 4; overflow-wrap: normal; }
.kernelchat-chunk { display: block; content-visibility: auto; contain-intrinsic-size: auto 400px; }
.kernelchat-table { overflow: auto hidden; scrollbar-width: thin; }
.kernelchat-content table { width: auto; margin: 0; border-collapse: collapse; border: 0; background: none; font-size: 13px; table-layout: auto; }
.kernelchat-content :is(th, td) { padding: 5px 11px; border: 1px solid var(--k-border); background: none; color: inherit; text-align: start; vertical-align: top; overflow-wrap: normal; min-width: 3em; max-width: 32em; white-space: normal; }
.kernelchat-content thead th { background: var(--k-soft); }
.kernelchat-content [align=right] { text-align: end; }
.kernelchat-content [align=center] { text-align: center; }
.kernelchat .kernelchat-image-box { display: inline-block; max-width: 100%; padding: 6px 12px; border: 1px dashed color-mix(in srgb, var(--k-text) 40%, var(--k-background)); border-radius: 8px; color: var(--k-muted); font-size: 13px; text-align: start; overflow-wrap: anywhere; }
.kernelchat .kernelchat-image-box::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-inline-end: 7px; border: 1px solid; border-radius: 2px; }
.kernelchat-image { display: block; max-width: 100%; border-radius: 8px; }

.kernelchat-cursor { color: var(--k-accent); animation: kernelchat-blink 1.06s steps(1) infinite; }
.kernelchat-cursor-bar { display: inline-block; width: 2px; height: 1.15em; margin-inline: 1px -3px; vertical-align: -.2em; background: var(--k-accent); }
@keyframes kernelchat-blink { 0%, 50% { opacity: 1; } 50.01%, 100% { opacity: 0; } }

.kernelchat-hl-keyword, .kernelchat-hl-built_in, .kernelchat-hl-doctag, .kernelchat-hl-template-tag, .kernelchat-hl-type, .kernelchat-hl-deletion { color: var(--k-red); }
.kernelchat-hl-string, .kernelchat-hl-regexp, .kernelchat-hl-addition, .kernelchat-hl-quote, .kernelchat-hl-selector-tag, .kernelchat-hl-name { color: var(--k-green); }
.kernelchat-hl-number, .kernelchat-hl-literal, .kernelchat-hl-attr, .kernelchat-hl-attribute, .kernelchat-hl-variable, .kernelchat-hl-symbol, .kernelchat-hl-bullet, .kernelchat-hl-link, .kernelchat-hl-meta { color: var(--k-blue); }
.kernelchat-hl-title, .kernelchat-hl-section, .kernelchat-hl-selector-id, .kernelchat-hl-selector-class { color: var(--k-purple); }
.kernelchat-hl-params, .kernelchat-hl-subst, .kernelchat-hl-property { color: inherit; }
.kernelchat-hl-template-variable, .kernelchat-hl-selector-attr, .kernelchat-hl-selector-pseudo { color: var(--k-orange); }
.kernelchat-hl-comment { color: color-mix(in srgb, var(--k-text) 66%, var(--k-code)); font-style: italic; }
.kernelchat-hl-emphasis { font-style: italic; }
.kernelchat-hl-strong { font-weight: 600; }
`;
