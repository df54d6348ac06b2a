// Draws landscapes, for machines that have no photographs: JPEG files of the size and the grain of a camera's.
import sharp from 'sharp';

const ridges = 6;

/** Writes the landscape of this number; there is no end of them. */
export async function drawLandscape(file, number, width = 4000, height = 3000) {
  sharp.concurrency(1);
  const picture = sharp(Buffer.from(scene(number)))
    .resize(width, height, { fit: 'fill' })
    .removeAlpha();
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  addGrain(new Uint8ClampedArray(data.buffer, data.byteOffset, data.length));
  await sharp(data, { raw: info }).jpeg({ quality: 90 }).toFile(file);
}

/** What makes the files as large, and as slow to decode, as photographs. */
function addGrain(values) {
  // A prime number, so that no pattern is seen where it begins anew.
  const grain = Float32Array.from({ length: 65_521 }, () => 12 * (Math.random() + Math.random() - 1));
  for (let i = 0; i < values.length; i++) values[i] += grain[i % grain.length];
}

/** A sky, a sun, and ridges one before the other, the nearer the darker. */
function scene(number) {
  const hue = (200 + number * 47) % 360;
  const paths = Array.from({ length: ridges }, (_, depth) => {
    const colour = `hsl(${hue + 6 * depth}, 40%, ${65 - (depth * 55) / ridges}%)`;
    return `<path d="${ridge(number, depth)}" fill="${colour}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 75" width="1000" height="750">
    <linearGradient id="sky" x2="0" y2="1">
      <stop offset="0" stop-color="hsl(${hue}, 55%, 55%)"/>
      <stop offset="0.6" stop-color="hsl(${(hue + 180) % 360}, 70%, 85%)"/>
    </linearGradient>
    <rect width="100" height="75" fill="url(#sky)"/>
    <circle cx="${30 + ((number * 17) % 40)}" cy="18" r="5" fill="hsl(45, 100%, 92%)"/>
    ${paths.join('\n')}
  </svg>`;
}

function ridge(number, depth) {
  const crest = [];
  for (let x = 0; x <= 100; x += 0.25) {
    let y = 30 + depth * 8;
    for (let wave = 1; wave <= 64; wave *= 2)
      y += (4 / wave ** 0.8) * Math.sin((x * wave) / 9 + (number + 3) * (depth + 2) * wave ** 1.5);
    crest.push(`${x},${y.toFixed(2)}`);
  }
  return `M0,75 L${crest.join(' L')} L100,75 Z`;
}
