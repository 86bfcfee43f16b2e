// Resolves a seccomp profile in the containers-common / Docker format to what an OCI runtime takes.

import { z } from 'zod';
import type { OciSeccomp, OciSyscallRule } from './oci.ts';

const Condition = z.object({
  caps: z.array(z.string()).optional(),
  arches: z.array(z.string()).optional(),
  minKernel: z.string().optional(),
});

const Argument = z.object({
  index: z.number().int(),
  value: z.number(),
  valueTwo: z.number().optional(),
  op: z.string(),
});

/** Docker's and containers-common's `seccomp.json`: OCI's, with rules that hold under conditions. */
export const SeccompProfile = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.number().int().optional(),
  archMap: z
    .array(z.object({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() }))
    .nullish(),
  architectures: z.array(z.string()).nullish(),
  flags: z.array(z.string()).nullish(),
  syscalls: z
    .array(
      z.object({
        names: z.array(z.string()).optional(),
        name: z.string().optional(),
        action: z.string(),
        errnoRet: z.number().int().optional(),
        args: z.array(Argument).nullish(),
        includes: Condition.nullish(),
        excludes: Condition.nullish(),
      }),
    )
    .default([]),
});
export type SeccompProfile = z.infer<typeof SeccompProfile>;

/** What a profile's conditions are asked about. */
export interface SeccompContext {
  /** the process's capabilities, CAP_… */
  capabilities: readonly string[];
  /** Node's name of the architecture (process.arch) */
  arch: string;
  /** os.release(), for `minKernel` */
  kernel: string;
}

/** libseccomp's and Go's names of what Node calls x64 and arm64. */
const ARCHITECTURES: Record<string, { scmp: string; go: string }> = {
  x64: { scmp: 'SCMP_ARCH_X86_64', go: 'amd64' },
  arm64: { scmp: 'SCMP_ARCH_AARCH64', go: 'arm64' },
};

/** The native architecture's libseccomp name; throws for one that Berth has no table for. */
export function seccompArchitecture(arch: string): { scmp: string; go: string } {
  const known = ARCHITECTURES[arch];
  if (!known) throw new Error(`no seccomp architecture is known for ${arch}`);
  return known;
}

/**
 * The profile for one process: conditional rules are kept or dropped, architectures are the native one and those
 * it can run. Throws a ZodError when the profile is not one.
 */
export function resolveSeccomp(profile: unknown, context: SeccompContext): OciSeccomp {
  const parsed = SeccompProfile.parse(profile);
  const native = seccompArchitecture(context.arch);
  const mapped = parsed.archMap?.find((entry) => entry.architecture === native.scmp);
  const architectures = mapped
    ? [mapped.architecture, ...(mapped.subArchitectures ?? [])]
    : (parsed.architectures ?? []);
  const syscalls = parsed.syscalls.filter((rule) => applies(rule, context, native.go)).map(toOciRule);
  return {
    defaultAction: parsed.defaultAction,
    ...(parsed.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: parsed.defaultErrnoRet }),
    ...(architectures.length > 0 ? { architectures } : {}),
    ...(parsed.flags?.length ? { flags: parsed.flags } : {}),
    syscalls,
  };
}

type Rule = SeccompProfile['syscalls'][number];

function toOciRule(rule: Rule): OciSyscallRule {
  return {
    names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
    action: rule.action,
    ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args?.length
      ? {
          args: rule.args.map(({ index, value, valueTwo, op }) => ({
            index,
            value,
            op,
            ...(valueTwo === undefined ? {} : { valueTwo }),
          })),
        }
      : {}),
  };
}

/** As moby's profiles/seccomp: all included capabilities are held and no excluded one is; likewise the others. */
function applies(rule: Rule, context: SeccompContext, goArch: string): boolean {
  const { includes, excludes } = rule;
  const holds = (name: string) => context.capabilities.includes(name);
  if (includes?.caps && !includes.caps.every(holds)) return false;
  if (excludes?.caps?.some(holds)) return false;
  if (includes?.arches?.length && !includes.arches.includes(goArch)) return false;
  if (excludes?.arches?.includes(goArch)) return false;
  if (includes?.minKernel && !isAtLeast(context.kernel, includes.minKernel)) return false;
  if (excludes?.minKernel && isAtLeast(context.kernel, excludes.minKernel)) return false;
  return true;
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [0, 0];
  const [major = 0, minor = 0] = numbers(kernel);
  const [wantedMajor = 0, wantedMinor = 0] = numbers(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
