// What a lab host may reach on the internet, as nftables rules: the router's own, and the host's for what leaves the router.

/** Addresses that are nobody's on the internet, or somebody's next door (IANA's special-purpose registry, RFC 6890). */
const NOT_PUBLIC = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
];

/** How much one lab host may use. */
export interface UplinkLimits {
  /** bytes a second, each way */
  rate: number;
  /** at the same time */
  connections: number;
}

/** The interface of the router that leads to the host; those to lab hosts are called u and a number. */
export const WORLD = 'world';

/**
 * The router: from a lab host to public addresses and back, nothing else. It speaks to nobody itself, and what comes
 * from a lab host has that host's address (rp_filter) or is dropped. Too much of anything is dropped, which TCP takes as a sign to slow down.
 */
export function routerRules(limits: UplinkLimits, denied: readonly string[]): string {
  const rate = `limit rate over ${limits.rate} bytes/second burst ${limits.rate} bytes`;
  return `table inet berth {
  set refused {
    type ipv4_addr; flags interval; auto-merge;
    elements = { ${[...NOT_PUBLIC, ...denied].join(', ')} }
  }
  set uploads { type ipv4_addr; size 65535; flags dynamic; timeout 1m; }
  set downloads { type ipv4_addr; size 65535; flags dynamic; timeout 1m; }
  set connections { type ipv4_addr; size 65535; flags dynamic; }
  chain input {
    type filter hook input priority filter; policy drop;
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "u*" oifname "${WORLD}" jump outward
    iifname "${WORLD}" oifname "u*" jump inward
  }
  chain outward {
    meta nfproto != ipv4 drop
    ip daddr @refused reject with icmp admin-prohibited
    ct state invalid drop
    ct state new add @connections { ip saddr ct count over ${limits.connections} } reject with icmp admin-prohibited
    update @uploads { ip saddr ${rate} } drop
    accept
  }
  chain inward {
    ct state != { established, related } drop
    update @downloads { ip daddr ${rate} } drop
    accept
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${WORLD}" masquerade
  }
}
`;
}

/** The host's side: what comes from the router is sent on under the host's name, and never reaches the host itself. */
export function hostRules(table: string, device: string, routerAddress: string): string {
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname "${device}" drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname "${device}" ip daddr { ${NOT_PUBLIC.join(', ')} } drop
    iifname "${device}" ip saddr != ${routerAddress} drop
    oifname "${device}" ct state != { established, related } drop
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr ${routerAddress} oifname != "${device}" masquerade
  }
}
`;
}
