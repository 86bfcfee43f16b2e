// The nftables table of all bridges: publishing, masquerading, isolation, as one transaction.

import type { BridgeNetwork } from './bridge.ts';
import type { PublishedPort } from './ports.ts';

/** The name that Docker's own nftables driver uses. */
const TABLE = 'ip docker-bridges';

/**
 * The whole table as input of `nft -f`: deleted and made anew in one transaction, so that it is always what the state
 * says. Publishing works from the lab host itself (also by localhost: route_localnet, and the source is masqueraded),
 * and from other containers by the lab host's addresses (hairpin: masqueraded too, or the answer would go directly).
 * Bridges do not reach each other but by published ports.
 */
export function renderRuleset(networks: readonly BridgeNetwork[]): string {
  const publications = networks.flatMap((network) =>
    network.endpoints.flatMap(({ address, ports }) => ports.map((port) => ({ ...port, address }))),
  );
  // Those of one address go before those of all.
  publications.sort((a, b) => Number(a.hostIp === '0.0.0.0') - Number(b.hostIp === '0.0.0.0'));
  const bridges = networks.map(({ record }) => `"${record.bridge}"`).join(', ');
  return `table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  chain published {
${lines(publications.map(publishRule))}  }
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
${lines(networks.flatMap(masqueradeRules))}  }
  chain filter-forward {
    type filter hook forward priority filter; policy accept;
${lines(networks.filter(({ record }) => record.internal).flatMap(internalRules))}    oifname { ${bridges} } ct state established,related accept
    oifname { ${bridges} } ct status dnat accept
${lines(networks.map(withinRule))}    oifname { ${bridges} } drop
  }
}
`;
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `    ${rule}\n`).join('');
}

function publishRule({
  proto,
  hostIp,
  hostPort,
  containerPort,
  address,
}: PublishedPort & { address: string }): string {
  const destination = hostIp === '0.0.0.0' ? '' : `ip daddr ${hostIp} `;
  return `${destination}${proto} dport ${hostPort} dnat to ${address}:${containerPort}`;
}

function masqueradeRules(network: BridgeNetwork): string[] {
  const { bridge, subnet, internal } = network.record;
  const isMasqueraded = !internal && network.option('enable_ip_masquerade', true);
  return [
    ...(isMasqueraded ? [`ip saddr ${subnet} oifname != "${bridge}" masquerade`] : []),
    `oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
    `oifname "${bridge}" ip saddr ${subnet} ct status dnat masquerade`,
  ];
}

function internalRules({ record: { bridge, subnet } }: BridgeNetwork): string[] {
  return [`iifname "${bridge}" ip daddr != ${subnet} drop`, `oifname "${bridge}" ip saddr != ${subnet} drop`];
}

/** Between containers of one network (icc). */
function withinRule(network: BridgeNetwork): string {
  const { bridge } = network.record;
  const verdict = network.option('enable_icc', true) ? 'accept' : 'drop';
  return `iifname "${bridge}" oifname "${bridge}" ${verdict}`;
}
