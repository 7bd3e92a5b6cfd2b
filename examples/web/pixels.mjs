// From an image to a network's input, as the model's preprocessing says: resize, centre crop, channels, mean and deviation.

/** Width and height after the resize: a number is the length of the shorter side. */
export function resized(width, height, resize) {
  if (resize === null) return [width, height];
  if (Array.isArray(resize)) return [resize[1], resize[0]];
  return width <= height
    ? [resize, Math.max(1, Math.trunc((resize * height) / width))]
    : [Math.max(1, Math.trunc((resize * width) / height)), resize];
}

/** Draw an image as the steps say, and read its pixels: RGBA, of the network's height and width. */
export function pixelsOf(image, steps, canvas) {
  const [width, height] = resized(image.width, image.height, steps.resize);
  const [rows, columns] = steps.crop ?? [height, width];
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, columns, rows); // black, where the image is transparent or too small
  context.imageSmoothingQuality = "high";
  context.drawImage(image, Math.round((columns - width) / 2), Math.round((rows - height) / 2), width, height);
  return context.getImageData(0, 0, columns, rows).data;
}

/** The input of a network: a Float32Array by channel, row, column. */
export function inputOf(rgba, steps) {
  const planes = { RGB: [0, 1, 2], BGR: [2, 1, 0], L: [grey] }[steps.mode];
  const count = rgba.length / 4;
  const input = new Float32Array(planes.length * count);
  planes.forEach((plane, channel) => {
    for (let i = 0; i < count; i++) {
      const pixel = typeof plane === "number" ? rgba[4 * i + plane] : plane(rgba, 4 * i);
      input[channel * count + i] = (pixel * steps.scale - steps.mean[channel]) / steps.std[channel];
    }
  });
  return input;
}

/** Luma by ITU-R BT.601 in whole numbers, as Pillow computes it. */
function grey(rgba, i) {
  return (rgba[i] * 19595 + rgba[i + 1] * 38470 + rgba[i + 2] * 7471 + 0x8000) >> 16;
}

/** Probabilities of scores. */
export function softmax(scores) {
  const most = Math.max(...scores);
  const parts = [...scores].map((score) => Math.exp(score - most));
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}
