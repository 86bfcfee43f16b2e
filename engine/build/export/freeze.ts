// A step's layer becomes an image's: its archive is digested, and its files move to where private layers lie.

import { SystemError } from '../../errors.ts';
import { Digester } from '../../image/bytes.ts';
import { layerProcess, privateLayerDir } from '../../image/layer-tool.ts';
import type { LayerHold } from '../../image/layers.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { ExecuteParts } from '../execute/executor.ts';
import type { StepLayer } from '../execute/snapshot.ts';

const FREEZING = new WeakMap<StepLayer, Promise<string>>();
/** later than any file */
const NEVER = '9223372036854775807';

/** The diff id of a layer, which is an image's from then on. Done once, whoever asks. */
export async function freezeLayer(
  parts: Pick<ExecuteParts, 'sandbox' | 'gate'>,
  layer: StepLayer,
  hold: LayerHold,
  sourceDateEpoch: number | undefined,
): Promise<string> {
  const known = layer.diffId ?? (await FREEZING.get(layer));
  if (known !== undefined) {
    await hold.keep([known]);
    return known;
  }
  const freezing = freeze(parts, layer, hold, sourceDateEpoch);
  FREEZING.set(layer, freezing);
  freezing.catch(() => FREEZING.delete(layer));
  return freezing;
}

async function freeze(
  { sandbox: { init }, gate }: Pick<ExecuteParts, 'sandbox' | 'gate'>,
  layer: StepLayer,
  hold: LayerHold,
  sourceDateEpoch: number | undefined,
): Promise<string> {
  const directory = `${IN_SANDBOX.dockerRoot}/${layer.location.replace(/\/files$/, '')}`;
  const digester = new Digester();
  const said: string[] = [];
  // of a pack that was cut short
  await init.start([{ kind: 'rmtree', path: `${directory}/split` }]);
  const latest = sourceDateEpoch === undefined ? NEVER : String(sourceDateEpoch);
  const archive = layerProcess(init, ['pack', `${directory}/files`, `${directory}/split`, latest], {
    onMessage: (text) => said.push(text),
  });
  for await (const _ of digester.pass(archive));
  const size = Number(/^(\d{1,15})\n$/.exec(said.join(''))?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw new SystemError('the sandbox answered nonsense to a packing');
  const diffId = digester.digest();
  await gate.exclusive(async () => {
    await hold.adopt({ diffId, archiveSize: digester.size, size, directory });
    layer.location = privateLayerDir(diffId).slice(IN_SANDBOX.dockerRoot.length + 1);
    layer.diffId = diffId;
    layer.size = size;
  });
  return diffId;
}
