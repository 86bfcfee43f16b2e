// The nftables table of the default bridge: publishing, masquerading and forwarding, as one transaction.

import type { PublishedPort } from './ports.ts';

/** A published port and the container it leads to. */
export interface Publication extends PublishedPort {
  address: string;
}

/** The name that Docker's own nftables driver uses. */
const TABLE = 'ip docker-bridges';

/**
 * The whole table as input of `nft -f`: deleted and made anew in one transaction, so that it is always what the state
 * says. Publishing works from the lab host itself (also by localhost: route_localnet, and the source is masqueraded),
 * and from other containers by the lab host's addresses (hairpin: masqueraded too, or the answer would go directly).
 */
export function renderRuleset(bridge: string, subnet: string, ports: readonly Publication[]): string {
  const rules = [...ports].sort((a, b) => Number(a.hostIp === '0.0.0.0') - Number(b.hostIp === '0.0.0.0'));
  const publish = rules.map((port) => {
    const destination = port.hostIp === '0.0.0.0' ? '' : `ip daddr ${port.hostIp} `;
    return `${destination}${port.proto} dport ${port.hostPort} dnat to ${port.address}:${port.containerPort}`;
  });
  return `table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  chain published {
${publish.map((rule) => `    ${rule}\n`).join('')}  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump published
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump published
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade
    oifname "${bridge}" ip saddr ${subnet} ct status dnat masquerade
  }
  chain filter-forward {
    type filter hook forward priority filter; policy accept;
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" ct status dnat accept
    iifname "${bridge}" accept
    oifname "${bridge}" drop
  }
}
`;
}
