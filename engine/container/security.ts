// --security-opt: parsed; what cannot be honored is refused.

import { InvalidParameter, NotImplemented } from '../errors.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  unconfinedSystemPaths: boolean;
  /** a profile's JSON, 'unconfined', or undefined for the default */
  seccomp: unknown;
}

/** Throws InvalidParameter in Docker's words, NotImplemented for SELinux and AppArmor profiles. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const result: SecurityOptions = {
    noNewPrivileges: false,
    unconfinedSystemPaths: false,
    seccomp: undefined,
  };
  for (const option of options) {
    const match = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(option);
    const [, name = '', value] = match ?? [];
    switch (name) {
      case 'no-new-privileges':
        if (value !== undefined && !['true', 'false'].includes(value)) throw invalid(option);
        result.noNewPrivileges = value !== 'false';
        break;
      case 'systempaths':
        if (value !== 'unconfined') throw invalid(option);
        result.unconfinedSystemPaths = true;
        break;
      case 'seccomp':
        result.seccomp =
          value === 'unconfined' ? value : value === 'builtin' ? undefined : parseProfile(value);
        break;
      case 'apparmor':
      case 'label':
        // There is neither AppArmor nor SELinux in a lab host: turning them off changes nothing.
        if (value === 'unconfined' || value === 'disable') break;
        throw new NotImplemented(`--security-opt ${name}=${value ?? ''} is not supported by Berth`);
      default:
        throw invalid(option);
    }
  }
  return result;
}

function invalid(option: string): InvalidParameter {
  return new InvalidParameter(`invalid --security-opt 2: "${option}"`);
}

function parseProfile(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (error) {
    throw new InvalidParameter('Decoding seccomp profile failed: the profile is not JSON', { cause: error });
  }
}
