"use strict";

const EXAMPLES = [
  "Where does the ferry to Skerrow leave from?",
  "When did Tobias start cello lessons?",
  "Where was the potter who founded the Saltworks born?",
  "What colour is Ruta's car?",
];
const FOUND = `query ($question: String!) { recall(question: $question, limit: 5) { hits {
  score note { text } path { kind weight to { kind label } } } } }`;

const by = (id) => document.getElementById(id);
let stream = null;

function add(parent, tag, text, className) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  parent.append(node);
  return node;
}

function ask(question) {
  if (stream) stream.close();
  by("answer").hidden = false;
  by("text").textContent = "";
  by("text").classList.remove("failed");
  by("cites").replaceChildren();
  by("hits").replaceChildren();
  by("go").disabled = true;
  stream = new EventSource(`/answer/stream?question=${encodeURIComponent(question)}`);
  stream.addEventListener("token", (event) => { by("text").textContent += JSON.parse(event.data).text; });
  stream.addEventListener("citations", (event) => showCitations(JSON.parse(event.data)));
  stream.addEventListener("done", (event) => {
    by("text").textContent = JSON.parse(event.data).text;
    finish();
  });
  // The server's own `error` event carries data; a broken connection has none.
  stream.addEventListener("error", (event) => {
    const told = event.data ? JSON.parse(event.data) : { message: "the server did not answer" };
    by("text").textContent = told.hint ? `${told.message}. ${told.hint}` : told.message;
    by("text").classList.add("failed");
    finish();
  });
  showPaths(question);
}

function finish() {
  if (stream) stream.close();
  stream = null;
  by("go").disabled = false;
}

function showCitations(citations) {
  for (const citation of citations) {
    const item = add(by("cites"), "li", `[${citation.marker}] “${citation.quote}”`);
    const { passage } = citation;
    const at = passage.at ? passage.at.slice(0, 16).replace("T", " ") : null;
    const source = passage.source.title || passage.source.outside_id;
    add(item, "span", [passage.speaker, at, source, passage.section].filter(Boolean).join(" · "), "where");
  }
}

async function showPaths(question) {
  const reply = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: FOUND, variables: { question } }),
  });
  const { data } = await reply.json();
  if (!data) return;
  for (const hit of data.recall.hits) {
    const item = add(by("hits"), "li", hit.note.text);
    for (const step of hit.path) {
      add(item, "span", `${step.kind} × ${step.weight.toFixed(3)} → ${step.to.label}`, "step");
    }
  }
}

for (const example of by("chips").dataset.sampled === "true" ? EXAMPLES : []) {
  const chip = add(by("chips"), "button", example, "chip");
  chip.type = "button";
  chip.addEventListener("click", () => { by("question").value = example; ask(example); });
}
by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(by("question").value);
});
