// A compiled model in a browser or in node: no library, no server that computes.
//
//     dcz compile model.dcz -o model.wasm --target wasm32
//     const model = await load(bytes);           // bytes of model.wasm
//     const [scores] = model.run(input);         // Float32Arrays, one for each input and output

/** Load a module made by `dcz compile`; `prefix` is that of its names. */
export async function load(bytes, prefix = "dcz_") {
  const { instance } = await WebAssembly.instantiate(bytes, {});
  const { memory, __heap_base: heap, _initialize: initialize } = instance.exports;
  const call = (name, ...given) => instance.exports[prefix + name](...given);
  if (initialize) initialize();
  const facts = JSON.parse(text(memory, call("description")));
  const size = (end) => end.shape.reduce((product, axis) => product * axis, 1);
  let end = heap.value;
  const place = (nbytes) => {
    const start = Math.ceil(end / facts.alignment) * facts.alignment;
    end = start + nbytes;
    return start;
  };
  const inputs = facts.inputs.map((input) => [place(4 * size(input)), size(input)]);
  const outputs = facts.outputs.map((output) => [place(4 * size(output)), size(output)]);
  const arena = place(facts.arena_bytes);
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  const addresses = [...inputs, ...outputs].map(([start]) => start);
  return {
    facts,
    run(...given) {
      inputs.forEach(([start, count], i) => new Float32Array(memory.buffer, start, count).set(given[i]));
      const failed = call("run", ...addresses, arena);
      if (failed) throw new RangeError(`dcz_run: error ${failed}`);
      return outputs.map(([start, count]) => new Float32Array(memory.buffer, start, count).slice());
    },
  };
}

function text(memory, start) {
  const bytes = new Uint8Array(memory.buffer, start);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
}
