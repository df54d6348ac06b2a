/** A progress bar on stderr, for maps. */
import type { MapOptions } from './options.js';

type OnProgress = NonNullable<MapOptions['onProgress']>;

export interface ProgressBar {
  readonly onProgress: OnProgress;
  stop(): void;
}

/** Null where stderr is no terminal. The bar appears with the first progress. */
export async function progressBar(name: string): Promise<ProgressBar | null> {
  if (!process.stderr.isTTY) return null;
  const { SingleBar, Presets } = (await import('cli-progress')).default;
  const format = `${name} {bar} {percentage} % | {value} of {total} | {duration_formatted} + {eta_formatted}`;
  const bar = new SingleBar({ format, hideCursor: true, stream: process.stderr }, Presets.shades_classic);
  let isStarted = false;
  return {
    onProgress({ done, total }) {
      if (!isStarted) bar.start(total ?? done, 0);
      isStarted = true;
      bar.setTotal(total ?? done);
      bar.update(done);
    },
    stop() {
      if (isStarted) bar.stop();
    },
  };
}
