"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const id = (name) => document.getElementById(name);
const memory = "afina-judge-" + data.form;
let state = { language: data.language, judge: "", choices: {}, at: 0 };
try { state = { ...state, ...JSON.parse(localStorage.getItem(memory) || "{}") }; } catch { /* kept in the page alone */ }

function keep() { try { localStorage.setItem(memory, JSON.stringify(state)); } catch { /* as above */ } }
function word(key) { return data.words[key][state.language === "es" ? 1 : 0]; }
function left() { return data.items.filter((item) => !state.choices[item.item]).length; }

function draw() {
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset.language === state.language));
  const item = data.items[state.at];
  for (const part of ["question", "a", "b"]) id(part).textContent = item[part] || word("empty");
  for (const button of document.querySelectorAll("[data-choice]")) button.setAttribute("aria-pressed", String(state.choices[item.item] === button.dataset.choice));
  id("where").textContent = `${state.at + 1} / ${data.items.length}`;
  id("done").value = 1 - left() / data.items.length;
  id("left").textContent = left() ? `${word("left")} ${left()}` : word("complete");
  id("back").disabled = state.at === 0;
  id("next").disabled = state.at === data.items.length - 1;
  id("open").disabled = !left();
}

function go(to) { state.at = Math.min(Math.max(to, 0), data.items.length - 1); keep(); draw(); }
function choose(choice) {
  state.choices[data.items[state.at].item] = choice;
  go(state.at + 1);
}
function open() {
  const after = data.items.findIndex((item, n) => n > state.at && !state.choices[item.item]);
  const first = data.items.findIndex((item) => !state.choices[item.item]);
  if (first >= 0) go(after >= 0 ? after : first);
  id("item").focus();
}
function save() {
  const judge = state.judge.trim();
  if (!judge) { id("judge").focus(); id("left").textContent = word("no_name"); return; }
  const value = { form: data.form, judge, choices: state.choices };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(value, null, 1)], { type: "application/json" }));
  link.download = `${data.form}-${judge.replace(/[^\p{L}\p{N}]+/gu, "_")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

id("judge").value = state.judge;
id("judge").addEventListener("input", (event) => { state.judge = event.target.value; keep(); });
id("back").addEventListener("click", () => go(state.at - 1));
id("next").addEventListener("click", () => go(state.at + 1));
id("open").addEventListener("click", open);
id("save").addEventListener("click", save);
for (const button of document.querySelectorAll("[data-choice]")) button.addEventListener("click", () => choose(button.dataset.choice));
for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => { state.language = button.dataset.language; keep(); draw(); });
const keys = { 1: "a", a: "a", 2: "b", b: "b", 0: "tie", t: "tie", "=": "tie" };
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key in keys) { event.preventDefault(); choose(keys[key]); }
  if (event.key === "ArrowLeft") go(state.at - 1);
  if (event.key === "ArrowRight") go(state.at + 1);
});
go(state.at);
