// The page's behaviour. Everything that comes from the server or the user is set as text, never as
// HTML: there is no innerHTML here, and the policy of the page allows no other script.
const $ = (id) => document.getElementById(id);
const KINDS = ["chat", "completion", "classify", "regress", "tag", "answer", "score", "embedding"];
const SECTIONS = ["chat", "completion", "judged"];
const state = {
  language: localStorage.getItem("language") || (navigator.language.startsWith("es") ? "es" : "en"),
  theme: localStorage.getItem("theme") || "",
  key: sessionStorage.getItem("key") || "",
  models: [], model: null, kind: null, turns: [], running: null, snippet: "curl",
};

const word = (name, values = {}) =>
  Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value),
    WORDS[state.language][name]);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function complain(text) {
  $("trouble").textContent = text || "";
  $("trouble").hidden = !text;
}

// ---------------------------------------------------------------------------- the server

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, body, signal) {
  const headers = { "content-type": "application/json" };
  if (state.key) headers.authorization = `Bearer ${state.key}`;
  const options = body ? { method: "POST", headers, body: JSON.stringify(body), signal } : { headers };
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, word("unreachable"));
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new Refused(response.status, answer?.error?.message || `HTTP ${response.status}`);
}

async function* events(path, body, signal) {
  const reader = (await ask(path, body, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (held + value).split("\n");
    held = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Refused(200, event.error.message);
      yield event;
    }
  }
}

// Runs one request of a form: its buttons, its errors, its stop.
async function run(form, stop, work) {
  if (state.running) return;
  const submit = form.querySelector("[type=submit]");
  state.running = new AbortController();
  submit.disabled = true;
  if (stop) stop.hidden = false;
  complain("");
  try {
    await work(state.running.signal);
  } catch (error) {
    if (error.name !== "AbortError") {
      complain(error.message);
      if (error.status === 401) askKey();
    }
  } finally {
    state.running = null;
    submit.disabled = false;
    if (stop) stop.hidden = true;
  }
}

// ---------------------------------------------------------------------------- requests

const limits = () => {
  const chosen = {};
  const most = $("max-tokens").valueAsNumber;
  if (most >= 1) chosen.max_tokens = Math.floor(most);
  const heat = $("temperature").valueAsNumber;
  if (heat > 0) chosen.temperature = heat;
  return chosen;
};

const REQUESTS = {
  chat() {
    const system = $("system").value.trim();
    const head = system ? [{ role: "system", content: system }] : [];
    const text = $("chat-text").value.trim();
    return ["/v1/chat/completions", { messages: [...head, ...state.turns, { role: "user", content: text }], ...limits() }];
  },
  completion: () => ["/v1/completions", { prompt: $("completion-text").value || "…", max_tokens: 64, ...limits() }],
  classify: () => ["/v1/classify", { input: judgedInput() }],
  regress: () => ["/v1/regress", { input: judgedInput() }],
  tag: () => ["/v1/tag", { input: judgedText() }],
  answer: () => ["/v1/answer", { input: { question: judgedText(), context: moreText() } }],
  score: () => ["/v1/score", { input: { messages: [{ role: "user", content: judgedText() }, { role: "assistant", content: moreText() }] } }],
  embedding: () => ["/v1/rerank", { query: judgedText(), documents: otherTexts() }],
};
const judgedText = () => $("judged-text").value.trim() || word("oneText");
// What stands in the second field, by what is asked; a model that learned from pairs wants both texts.
const MORE = { embedding: "otherTexts", answer: "toRead", score: "toJudge" };
const readsPairs = () => (state.kind === "classify" || state.kind === "regress") && state.model.afina.pairs === true;
const more = () => MORE[state.kind] || (readsPairs() ? "secondText" : null);
const moreText = () => $("judged-others").value.trim() || word(more());
const judgedInput = () => (readsPairs() ? { text: judgedText(), text_b: moreText() } : judgedText());
const otherTexts = () => {
  const lines = $("judged-others").value.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length ? lines : [word("otherTexts")];
};

function request(extra = {}) {
  const [path, body] = REQUESTS[state.kind]();
  return [path, { model: state.model.id, ...body, ...extra }];
}

// ---------------------------------------------------------------------------- chat

function addTurn(role, text) {
  const turn = element("div", `turn ${role}`);
  const bubble = element("div", "bubble", text);
  turn.append(bubble);
  $("log").querySelector(".empty")?.remove();
  $("log").append(turn);
  $("log").scrollTop = $("log").scrollHeight;
  return [turn, bubble];
}

async function chat(signal) {
  const text = $("chat-text").value.trim();
  if (!text) return;
  const [path, body] = request({ stream: true, stream_options: { include_usage: true } });
  const turns = state.turns;
  turns.push({ role: "user", content: text });
  $("chat-text").value = "";
  addTurn("user", text);
  const [turn, bubble] = addTurn("assistant", "");
  turn.classList.add("writing");
  const began = performance.now();
  let answer = "", finish = "", tokens = 0;
  try {
    for await (const event of events(path, body, signal)) {
      answer += event.choices[0]?.delta.content || "";
      finish = event.choices[0]?.finish_reason || finish;
      tokens = event.usage?.completion_tokens ?? tokens;
      bubble.textContent = answer;
      $("log").scrollTop = $("log").scrollHeight;
    }
    if (!answer) bubble.textContent = word("noAnswer");
  } catch (error) {
    if (!answer) {
      // Nothing was answered: the message goes back to where it can be mended.
      turns.pop();
      turn.previousElementSibling?.remove();
      turn.remove();
      $("chat-text").value = text;
      throw error;
    }
    finish = "stopped";
    if (error.name !== "AbortError") complain(error.message);
  } finally {
    turn.classList.remove("writing");
  }
  turns.push({ role: "assistant", content: answer });
  turn.append(element("div", "figures", figures(tokens, began, finish)));
  showSnippet();
}

function figures(tokens, began, finish) {
  const seconds = (performance.now() - began) / 1000;
  const rate = { n: tokens, s: decimals(seconds, 1), r: decimals(tokens / seconds, 0) };
  const parts = tokens ? [word("figures", rate)] : [];
  if (finish === "length") parts.push(word("cut"));
  if (finish === "stopped") parts.push(word("stopped"));
  return parts.join(" · ");
}

function fresh() {
  state.running?.abort();
  state.turns = [];
  $("log").replaceChildren(element("p", "empty", word("chatEmpty")));
  complain("");
  showSnippet();
}

// ---------------------------------------------------------------------------- the other kinds

async function completion(signal) {
  if (!$("completion-text").value) return;
  const [path, body] = request({ stream: true });
  const added = element("mark", "", "");
  $("paper").replaceChildren(document.createTextNode(body.prompt), added);
  $("paper").hidden = false;
  for await (const event of events(path, body, signal)) added.textContent += event.choices[0]?.text || "";
}

const decimals = (value, places) => value.toLocaleString(state.language,
  { minimumFractionDigits: places, maximumFractionDigits: places });

function track(share) {
  const made = element("div", "track");
  const fill = element("div", "fill");
  fill.style.setProperty("--share", `${100 * share}%`);
  made.append(fill);
  return made;
}

function bar(name, share, shown, chosen) {
  const row = element("div", chosen ? "bar chosen" : "bar");
  const label = element("span", "name", name);
  label.title = name;
  row.append(label, track(share), element("span", "value", shown));
  return row;
}

// A text with its stretches marked. Places count code points, which a string of the page does not.
function marked(text, spans) {
  const letters = Array.from(text);
  const paper = element("p", "paper");
  let at = 0;
  for (const span of spans) {
    const found = element("mark", "", letters.slice(span.start, span.end).join(""));
    if (span.label) found.append(element("small", "", span.label));
    paper.append(letters.slice(at, span.start).join(""), found);
    at = span.end;
  }
  paper.append(letters.slice(at).join(""));
  return paper;
}

const drawnNumber = (value) =>
  element("p", "score", value.toLocaleString(state.language, { maximumSignificantDigits: 6 }));

// How an answer that is no text is drawn, by what was asked: the elements for the answer's JSON.
const DRAWN = {
  classify({ data: [{ labels, probabilities }] }) {
    const chosen = new Set(labels);
    const shown = probabilities.slice(0, 12);
    return [element("p", "said", labels.join(" · ") || word("noLabel")),
      ...shown.map((p) => bar(p.label, p.probability, `${decimals(100 * p.probability, 1)} %`, chosen.has(p.label)))];
  },
  regress: ({ data: [{ number }] }) => [drawnNumber(number)],
  score: ({ data: [{ score }] }) => [drawnNumber(score), element("p", "quiet", word("higher"))],
  tag: ({ data: [{ spans }] }, { input }) => [
    ...(spans.length ? [] : [element("p", "said", word("noLabel"))]), marked(input, spans)],
  answer: ({ data: [{ answer, start, end }] }, { input }) => [
    element("p", "said", answer || word("noAnswer")),
    marked(input.context, answer ? [{ start, end }] : [])],
  embedding: ({ results }) => [
    ...results.map((r, i) => bar(r.document.text, Math.max(r.relevance_score, 0), decimals(r.relevance_score, 3), !i)),
    element("p", "quiet", word("likeness"))],
};

async function judged(signal) {
  if (more() && !$("judged-others").value.trim()) return;
  if (!$("judged-text").value.trim()) return;
  const [path, body] = request();
  const answer = await (await ask(path, body, signal)).json();
  $("judged-answer").replaceChildren(...DRAWN[state.kind](answer, body));
  $("judged-answer").hidden = false;
}

// ---------------------------------------------------------------------------- snippets

const SDK = { chat: "client.chat.completions.create", completion: "client.completions.create" };
// Texts, numbers, lists and dictionaries of them are written in JSON as in Python.
const python = (value) => JSON.stringify(value, null, 4);

function snippet() {
  const [path, body] = request();
  if (state.kind === "chat") {
    // One question, not the whole conversation: what is being written, or what was asked last.
    const asked = body.messages.filter((m) => m.role === "user" && m.content).at(-1);
    const system = body.messages.filter((m) => m.role === "system");
    body.messages = [...system, asked || { role: "user", content: word("chatHint") }];
  }
  const key = state.key ? "$AFINA_API_KEY" : "";
  if (state.snippet === "curl") {
    const data = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
    const header = key ? ` \\\n  -H "Authorization: Bearer ${key}"` : "";
    return `curl ${location.origin}${path} \\\n  -H "Content-Type: application/json"${header} \\\n  -d '${data}'`;
  }
  const secret = key ? 'os.environ["AFINA_API_KEY"]' : '"none"';
  const head = `${key ? "import os\n\n" : ""}from openai import OpenAI\n\nclient = OpenAI(base_url="${location.origin}/v1", api_key=${secret})\n`;
  if (state.kind in DRAWN) {
    const part = state.kind === "embedding" ? "results" : "data";
    return `${head}answer = client.post("${path.slice(3)}", cast_to=object, body=${python(body)})\nprint(answer["${part}"][0])`;
  }
  const fields = Object.entries(body).map(([name, value]) => `    ${name}=${python(value).replaceAll("\n", "\n    ")},\n`);
  const shown = { chat: "choices[0].message.content", completion: "choices[0].text" };
  return `${head}answer = ${SDK[state.kind]}(\n${fields.join("")})\nprint(answer.${shown[state.kind]})`;
}

function showSnippet() {
  if (!state.model) return;
  $("snippet").textContent = snippet();
  for (const tab of document.querySelectorAll("[data-snippet]")) {
    tab.setAttribute("aria-pressed", tab.dataset.snippet === state.snippet);
  }
}

async function copy() {
  getSelection().selectAllChildren($("snippet"));
  // Browsers offer the clipboard to encrypted and local pages only; elsewhere the text is selected.
  if (!navigator.clipboard) return;
  await navigator.clipboard.writeText($("snippet").textContent);
  $("copy").textContent = word("copied");
  setTimeout(() => { $("copy").textContent = word("copy"); }, 1500);
}

// ---------------------------------------------------------------------------- what is shown

function say() {
  document.documentElement.lang = state.language;
  for (const at of document.querySelectorAll("[data-word]")) at.textContent = word(at.dataset.word);
  for (const at of document.querySelectorAll("[data-hint]")) at.placeholder = word(at.dataset.hint);
  for (const at of document.querySelectorAll("[data-label]")) at.setAttribute("aria-label", word(at.dataset.label));
  for (const at of document.querySelectorAll("[data-title]")) {
    at.title = word(at.dataset.title);
    at.setAttribute("aria-label", at.title);
  }
  $("language").textContent = word("other");
  const empty = $("log").querySelector(".empty");
  if (empty) empty.textContent = word("chatEmpty");
  if (state.model) choose(state.model.id, state.kind);
}

function paint() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function choose(id, kind) {
  const same = state.model?.id === id, before = state.kind;
  state.model = state.models.find((model) => model.id === id);
  const can = KINDS.filter((one) => state.model.afina.kinds.includes(one));
  state.kind = can.includes(kind) ? kind : can[0];
  $("facts").textContent = `${state.model.afina.base} · ${word("context", { n: state.model.afina.context_length })}`;
  $("kinds").replaceChildren(...(can.length > 1 ? can : []).map((one) => {
    const tab = element("button", "plain", word(`${one}Tab`));
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", one === state.kind);
    tab.addEventListener("click", () => choose(id, one));
    return tab;
  }));
  const shown = state.kind in DRAWN ? "judged" : state.kind;
  for (const one of SECTIONS) $(one).hidden = one !== shown;
  $("judged-others").hidden = !more();
  $("judged-others").placeholder = more() ? word(more()) : "";
  $("judged-others").setAttribute("aria-label", $("judged-others").placeholder);
  $("judged-texts").className = more() ? "pair" : "";
  if (state.kind !== before || !same) $("judged-answer").hidden = true;
  const writes = state.kind === "chat" || state.kind === "completion";
  $("settings").hidden = !writes;
  $("system-label").hidden = state.kind !== "chat";
  $("max-tokens").placeholder = state.kind === "completion" ? "64" : "1024";
  $("code").hidden = false;
  if (!same) fresh();
  showSnippet();
}

function askKey() {
  for (const one of [...SECTIONS, "settings", "code"]) $(one).hidden = true;
  $("kinds").replaceChildren();
  $("key").hidden = false;
  $("key-field").focus();
}

async function load() {
  try {
    state.models = (await (await ask("/v1/models")).json()).data;
  } catch (error) {
    if (error.status !== 401) { complain(error.message); return; }
    if (state.key) complain(word("wrongKey"));
    askKey();
    return;
  }
  complain("");
  $("key").hidden = true;
  const usable = state.models.filter((model) => model.afina.kinds.length);
  $("model").replaceChildren(...usable.map((model) => new Option(model.id, model.id)));
  if (usable.length) choose(usable[0].id);
  else complain(word("none"));
}

// ---------------------------------------------------------------------------- wiring

const FORMS = { chat: [chat, $("chat-stop")], completion: [completion, $("completion-stop")], judged: [judged, null] };
for (const [kind, [work, stop]] of Object.entries(FORMS)) {
  const form = $(`${kind}-form`);
  form.addEventListener("submit", (event) => { event.preventDefault(); run(form, stop, work); });
  form.addEventListener("input", showSnippet);
  stop?.addEventListener("click", () => state.running?.abort());
}
$("chat-text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("chat-form").requestSubmit();
});
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = $("key-field").value.trim();
  sessionStorage.setItem("key", state.key);
  load();
});
$("fresh").addEventListener("click", fresh);
$("copy").addEventListener("click", copy);
$("settings").addEventListener("input", showSnippet);
$("model").addEventListener("change", () => choose($("model").value, state.kind));
for (const tab of document.querySelectorAll("[data-snippet]")) {
  tab.addEventListener("click", () => { state.snippet = tab.dataset.snippet; showSnippet(); });
}
$("language").addEventListener("click", () => {
  state.language = state.language === "es" ? "en" : "es";
  localStorage.setItem("language", state.language);
  say();
});
$("theme").addEventListener("click", () => {
  state.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", state.theme);
  paint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
paint();
say();
load();
