// Curves as an SVG file: from left to right seconds, upwards the loss on a logarithmic scale.
import { writeFileSync } from 'node:fs';

const [width, height, margin] = [720, 440, 60];
const colours = ['#c0392b', '#2471a3', '#1e8449', '#7d3c98'];
const marks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** @param curves `{ name, points: [{ seconds, loss }] }`, one each */
export function writeCurves(curves, title, file) {
  const points = curves.flatMap((curve) => curve.points);
  const longest = Math.max(...points.map(({ seconds }) => seconds));
  const [least, most] = [Math.min, Math.max].map((pick) => Math.log(pick(...points.map(({ loss }) => loss))));
  const x = (seconds) => margin + (seconds / longest) * (width - 2 * margin);
  const y = (loss) => margin + ((most - Math.log(loss)) / (most - least)) * (height - 2 * margin);

  const parts = [text(width / 2, margin / 2, title, 'font-size="16" text-anchor="middle"')];
  for (const mark of marks.filter((mark) => y(mark) >= margin && y(mark) <= height - margin)) {
    parts.push(`<path d="M${margin},${y(mark)} H${width - margin}" stroke="#ddd"/>`);
    parts.push(text(margin - 8, y(mark) + 4, mark, 'text-anchor="end"'));
  }
  for (let i = 0; i <= 4; i++) {
    const seconds = (longest * i) / 4;
    parts.push(text(x(seconds), height - margin + 20, `${seconds.toFixed(1)} s`, 'text-anchor="middle"'));
  }
  for (const [i, { name, points }] of curves.entries()) {
    const colour = colours[i % colours.length];
    const line = points.map(({ seconds, loss }) => `${x(seconds).toFixed(1)},${y(loss).toFixed(1)}`);
    parts.push(`<polyline points="${line.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
    parts.push(text(width - margin, margin + 20 * i, name, `text-anchor="end" fill="${colour}"`));
  }
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  writeFileSync(
    file,
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`,
  );
}

function text(x, y, content, attributes) {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${content}</text>`;
}
