// node run.mjs model.wasm input.bin: float32 numbers in, the best classes out; --raw writes the output as float32.
import { readFileSync } from "node:fs";

import { load } from "./model.mjs";

const [path, source, raw] = process.argv.slice(2);
const model = await load(readFileSync(path));
const bytes = readFileSync(source);
const [scores] = model.run(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
if (raw === "--raw") process.stdout.write(Buffer.from(scores.buffer));
else {
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 5);
  for (const i of order) console.log(`${model.facts.labels[i] ?? i}  ${scores[i]}`);
}
