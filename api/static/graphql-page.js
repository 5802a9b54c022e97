"use strict";

// The example queries: GraphiQL opens one tab for each, once; what people write stays in their browser.
const EXAMPLES = [
  `# An answer with its citations,
# and the path that led to each hit.
query Answer {
  answer(question: "Where does the ferry to Skerrow leave from?") {
    text
    found
    citations {
      marker
      quote
      passage { speaker at source { title } }
    }
    recall {
      degraded
      hits {
        score
        path { words weight to { label } }
        note { text }
      }
    }
  }
}
`,
  `# What memory holds on a question: ranked notes,
# the exact spans they came from, their links.
query Recall($question: String!) {
  recall(question: $question, limit: 5) {
    support
    degraded
    hits {
      score
      note {
        id
        text
        keywords
        validFrom
        passages { text start end quote source { title } }
        links { totalCount edges { kind weight reason node { text } } }
      }
      paths { weight steps { kind weight to { label } } }
    }
  }
}
`,
  `# Remember one turn: the next recall finds it.
# The same ref and text again change nothing.
mutation Remember {
  remember(
    text: "I moved to Zurich in May."
    speaker: "Ada"
    at: "2026-05-12"
    ref: "example-1"
  ) {
    passageIds
    notes
    entities
    skipped
    seconds
  }
}
`,
  `# What there is, and the jobs that brought it in.
query Stats {
  stats { version space counts { name count } }
  jobs { id state opened items { key state cursor error } }
}
`,
];

const fetcher = GraphiQL.createFetcher({ url: "/graphql" });
const asked = new URLSearchParams(window.location.search);
const tabs = EXAMPLES.map((query) => ({
  query,
  variables: query.includes("$question") ? '{ "question": "How does one get to Skerrow?" }' : "{}",
}));

ReactDOM.render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultTabs: asked.get("query")
      ? [{ query: asked.get("query"), variables: asked.get("variables") || "{}" }]
      : tabs,
    defaultEditorToolsVisibility: "variables",
    isHeadersEditorEnabled: false,
    shouldPersistHeaders: false,
    forcedTheme: "light",
  }),
  document.getElementById("graphiql"),
);
