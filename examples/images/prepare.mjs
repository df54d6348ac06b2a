// One image into its place: decoded, upright, cut to 1400 × 2100, normalised. It knows nothing of processes.
import sharp from 'sharp';

export const [height, width, channels] = [2100, 1400, 3];

/** Of ImageNet's photographs, by channel, where black is 0 and white 1: what most networks expect. */
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** By channel: what each value of a byte becomes. */
const [red, green, blue] = mean.map((average, c) =>
  Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - average) / deviation[c]),
);

/** Each result is decoded anew, by one thread: what is measured is the work, not who has it cached. */
export function useOneThread() {
  sharp.concurrency(1);
  sharp.cache(false);
}

/** @param {Float32Array} target height × width × channels */
export async function prepare(file, target) {
  const pixels = await decode(file);
  for (let i = 0; i < target.length; i += channels) {
    target[i] = red[pixels[i]];
    target[i + 1] = green[pixels[i + 1]];
    target[i + 2] = blue[pixels[i + 2]];
  }
}

/** The way back: the byte that a normalised value was. */
export function byteOf(value, channel) {
  return Math.round((value * deviation[channel] + mean[channel]) * 255);
}

async function decode(file) {
  try {
    return await sharp(file)
      .autoOrient()
      .resize(width, height)
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (error) {
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
}
