"use strict";
const byId = (id) => document.getElementById(id);

async function classify(file) {
  byId("answers").replaceChildren();
  byId("message").textContent = "…";
  byId("shown").src = URL.createObjectURL(file);
  byId("shown").hidden = false;
  const start = performance.now();
  try {
    const response = await fetch("classify", { method: "POST", body: file });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    for (const { label, score } of answer.predictions[0]) {
      const row = byId("answers").insertRow();
      row.insertCell().textContent = label;
      row.insertCell().textContent = score === null ? "no number" : `${(100 * score).toFixed(1)} %`;
    }
    byId("message").textContent = `${(performance.now() - start).toFixed(0)} ms`;
  } catch (error) {
    byId("message").textContent = error.message;
  }
}

byId("file").addEventListener("change", (event) => event.target.files.length && classify(event.target.files[0]));
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  byId("drop").addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) classify(event.dataTransfer.files[0]);
  });
}
fetch("health").then((response) => response.json()).then((facts) => { byId("title").textContent = facts.model; });
