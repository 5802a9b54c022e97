"use strict";

const EXAMPLES = [
  "Where does the ferry to Skerrow leave from?",
  "When did Tobias start cello lessons?",
  "Where was the potter who founded the Saltworks born?",
  "What colour is Ruta's car?",
];
const FOUND = `query ($question: String!) { recall(question: $question) { hits {
  score note { text } passage { id } paths { weight steps { words weight to { id label } } } } } }`;
const PATHS_SHOWN = 4;

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
  stream.addEventListener("citations", (event) => {
    const citations = JSON.parse(event.data);
    showCitations(citations);
    showPaths(question, new Set(citations.map((citation) => citation.passage.id)));
  });
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

// How the cited evidence was found; how the best hits were, when the answer cites none.
async function showPaths(question, cited) {
  const reply = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: FOUND, variables: { question } }),
  });
  const { data } = await reply.json();
  if (!data) return;
  const hits = data.recall.hits.filter((hit) => cited.size === 0 || (hit.passage && cited.has(hit.passage.id)));
  for (const hit of hits) {
    const item = add(by("hits"), "li", `${hit.score.toFixed(3)}  ${hit.note.text}`);
    const paths = hit.paths.toSorted((one, other) => other.weight - one.weight).slice(0, PATHS_SHOWN);
    for (const path of paths) {
      add(item, "span", `+${path.weight.toFixed(3)}  ${path.steps.map((step) => inWords(step, hit)).join(", ")}`, "step");
    }
  }
}

function inWords(step, hit) {
  const end = hit.passage && step.to.id === hit.passage.id ? "this passage" : step.to.label;
  return `${step.words} × ${step.weight.toFixed(3)} → ${end}`;
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
