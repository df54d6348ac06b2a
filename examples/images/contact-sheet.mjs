// All images of the array on one sheet, as a PNG file.
import sharp from 'sharp';
import { byteOf, channels, height, width } from './prepare.mjs';

/** So many pixels of an image, in each direction, make one on the sheet. */
const scale = 10;
const gap = 10;
const [thumbWidth, thumbHeight] = [width / scale, height / scale];

export async function writeContactSheet(images, file) {
  const [count] = images.shape;
  const columns = Math.round(Math.sqrt((count * thumbHeight) / thumbWidth));
  const rows = Math.ceil(count / columns);
  const sheetWidth = columns * (thumbWidth + gap) + gap;
  const sheetHeight = rows * (thumbHeight + gap) + gap;
  const sheet = new Uint8Array(sheetWidth * sheetHeight * channels).fill(255);
  for (let i = 0; i < count; i++) {
    const left = gap + (i % columns) * (thumbWidth + gap);
    const top = gap + Math.floor(i / columns) * (thumbHeight + gap);
    for (let y = 0; y < thumbHeight; y++)
      sheet.set(thumbRow(images.subarray(i).data, y), ((top + y) * sheetWidth + left) * channels);
  }
  const raw = { width: sheetWidth, height: sheetHeight, channels };
  await sharp(sheet, { raw }).png().toFile(file);
}

/** Each pixel the mean of `scale` × `scale`. */
function thumbRow(image, row) {
  const sums = new Float64Array(thumbWidth * channels);
  for (let y = row * scale; y < (row + 1) * scale; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        sums[Math.floor(x / scale) * channels + c] += image[(y * width + x) * channels + c];
  return sums.map((sum, i) => byteOf(sum / scale ** 2, i % channels));
}
