/** Every word the view says. The type holds the languages together. */

import type { ViewOptions } from "../state/types";

const en = {
  title: "AI chat",
  avatar: "AI",
  userAvatar: "U",
  disconnected: "Disconnected",
  connected: "Connected",
  responding: "Responding…",
  connectionError: "Connection error",

  connecting: "Connecting",
  lost: "Connection lost, trying again",
  gone: "Re-run the cell",
  closed: "This chat was closed. Re-run the cell",
  ready: "Ready",
  thinking: "Thinking",
  retrying: "Trying the model again",
  writing: "Writing",
  done: "Done",
  stopped: "Stopped",
  failed: "Failed",
  waiting: "waits for the running cell",
  firstToken: (seconds: string) => `first token ${seconds} s`,
  rate: (rate: string) => `${rate} tokens/s`,
  direct: "live",
  proxy: "via Jupyter",
  comm: "via kernel",
  directDetail: "direct: a stream from the kernel's own server",
  proxyDetail: "proxy: a stream through jupyter-server-proxy",
  commDetail: "comm: through Jupyter's kernel connection",

  greeting: "Ask something to begin.",
  noModel: "No model is connected.",
  connectModel:
    "To connect one, set OPENAI_API_KEY and run the cell again, or pass a model: " +
    'Chat("gpt-5-mini"), Chat("qwen3", base_url="…"), Chat(my_function).',
  placeholder: "Ask something",
  send: "Send",
  queue: "Send: waits until this answer is done",
  stop: "Stop",
  messages: "Messages",
  you: "You",
  assistant: "Assistant",
  system: "System",
  typing: "The answer is on its way",
  answerDone: "The answer is complete",
  thought: "Thoughts",
  copy: "Copy",
  copied: "Copied",
  code: "code",
  image: (host: string) => `image from ${host} · click to load`,
  regenerate: "Regenerate",
  retry: "Retry",
  previousBranch: "Previous version",
  nextBranch: "Next version",
  cutOff: "Cut off at the length limit",
  filtered: "Held back by the model's content filter",
  error: "The answer failed.",
  latest: "Jump to latest",
  earlier: "Show earlier messages",
  next: "Next:",
  edit: "edit",
  remove: "remove",
  editQuestion: "Edit",
  editing: "Editing a question",
  cancel: "cancel",
  good: "Good answer",
  bad: "Bad answer",
  dismiss: "Dismiss",
  refused: "That was not accepted.",
  copyFailed: "The browser did not allow copying. Select the text and copy it by hand.",
};

export type Words = typeof en;

const zh: Words = {
  title: "智能助手",
  avatar: "服",
  userAvatar: "我",
  disconnected: "已断开",
  connected: "已连接",
  responding: "响应中…",
  connectionError: "连接错误",

  connecting: "正在连接",
  lost: "连接中断，正在重试",
  gone: "请重新运行单元格",
  closed: "此对话已关闭，请重新运行单元格",
  ready: "就绪",
  thinking: "思考中",
  retrying: "正在重试模型",
  writing: "回答中",
  done: "已完成",
  stopped: "已停止",
  failed: "失败",
  waiting: "等待正在运行的单元格",
  firstToken: (seconds) => `首字 ${seconds} 秒`,
  rate: (rate) => `${rate} token/秒`,
  direct: "直连",
  proxy: "经 Jupyter",
  comm: "经内核",
  directDetail: "direct：直接连接内核自带的服务器",
  proxyDetail: "proxy：经由 jupyter-server-proxy",
  commDetail: "comm：经由 Jupyter 的内核连接",

  greeting: "请输入问题，开始对话。",
  noModel: "尚未连接模型。",
  connectModel:
    "如需连接，请设置 OPENAI_API_KEY 后重新运行单元格，或指定模型：" +
    'Chat("gpt-5-mini")、Chat("qwen3", base_url="…")、Chat(my_function)。',
  placeholder: "请输入您的问题…",
  send: "发送",
  queue: "发送：当前回答完成后再提问",
  stop: "停止",
  messages: "消息",
  you: "我",
  assistant: "助手",
  system: "系统",
  typing: "正在回答",
  answerDone: "回答已完成",
  thought: "思考过程",
  copy: "复制",
  copied: "已复制",
  code: "代码",
  image: (host) => `图片来自 ${host} · 点击加载`,
  regenerate: "重新生成",
  retry: "重试",
  previousBranch: "上一个版本",
  nextBranch: "下一个版本",
  cutOff: "已达长度上限，回答被截断",
  filtered: "内容被模型的安全策略拦截",
  error: "回答失败。",
  latest: "跳到最新",
  earlier: "显示更早的消息",
  next: "接下来：",
  edit: "编辑",
  remove: "移除",
  editQuestion: "编辑",
  editing: "正在编辑问题",
  cancel: "取消",
  good: "回答有用",
  bad: "回答没用",
  dismiss: "关闭",
  refused: "未被接受。",
  copyFailed: "浏览器不允许复制，请选中文字后手动复制。",
};

export type Language = "en" | "zh";

const languages: Record<Language, Words> = { en, zh };

export function words(language: Language): Words {
  return languages[language];
}

/** The language to speak: as set, else the page's, else the browser's. */
export function chooseLanguage(
  choice: ViewOptions["lang"],
  page: string = document.documentElement.lang,
  browser: string = navigator.language,
): Language {
  if (choice !== "auto") return choice;
  return /^zh\b/i.test(page || browser) ? "zh" : "en";
}
