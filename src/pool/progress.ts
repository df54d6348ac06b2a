/** A progress bar on stderr, for maps. */
import type { MapOptions } from './options.js';

type OnProgress = NonNullable<MapOptions['onProgress']>;

export interface ProgressBar {
  readonly onProgress: OnProgress;
  /** Resolves when the bar shows what was done in the end. */
  stop(): Promise<void>;
}

/** Null where stderr is no terminal. The bar appears with the first progress. */
export function progressBar(name: string): ProgressBar | null {
  if (!process.stderr.isTTY) return null;
  let isStarted = false;
  let latest: Parameters<OnProgress>[0] | null = null;
  let show: OnProgress = () => undefined;
  const format = `${name} {bar} {percentage} % | {value} of {total} | {duration_formatted} + {eta_formatted}`;
  const loaded = import('cli-progress').then(({ default: { SingleBar, Presets } }) => {
    const bar = new SingleBar({ format, hideCursor: true, stream: process.stderr }, Presets.shades_classic);
    show = ({ done, total }) => {
      if (!isStarted) bar.start(total ?? done, 0);
      isStarted = true;
      bar.setTotal(total ?? done);
      bar.update(done);
    };
    if (latest !== null) show(latest);
    return bar;
  });
  return {
    onProgress(progress) {
      latest = progress;
      show(progress);
    },
    async stop() {
      const bar = await loaded;
      if (isStarted) bar.stop();
    },
  };
}
