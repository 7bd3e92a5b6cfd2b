// The engines of the benchmark: each loads a model and answers one sample, in one thread.
import { load } from "./model.mjs";

const LOADERS = { dcz, "onnxruntime-web": onnxruntime };
const runs = {};

/** Load an engine and answer once; milliseconds of both together from the fetch on, and the answer. */
export async function start(engine) {
  const input = new Float32Array(await fetched("input.bin"));
  const begun = performance.now();
  runs[engine] = await LOADERS[engine](input);
  const answer = await runs[engine]();
  return { first_ms: performance.now() - begun, answer: [...answer], isolated: crossOriginIsolated };
}

/** Run an engine for some seconds, so that the browser has optimised it. */
export async function warm(engine, seconds) {
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) await runs[engine]();
}

/** Seconds that a number of answers take. */
export async function clock(engine, count) {
  const begun = performance.now();
  for (let i = 0; i < count; i++) await runs[engine]();
  return (performance.now() - begun) / 1000;
}

async function dcz(input) {
  const model = await load(await fetched("model.wasm"));
  return () => model.run(input)[0];
}

async function onnxruntime(input) {
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(await fetched("network.onnx")));
  const shape = session.inputMetadata[0].shape;
  const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", input, shape) };
  return async () => (await session.run(feeds))[session.outputNames[0]].data;
}

async function fetched(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.arrayBuffer();
}
