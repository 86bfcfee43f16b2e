// What is recorded of a network, and of a container's place on one.

import { z } from 'zod';

/** IPAM as it was asked for. */
const IpamConfig = z.object({
  Subnet: z.string().optional(),
  IPRange: z.string().optional(),
  Gateway: z.string().optional(),
  AuxiliaryAddresses: z.record(z.string(), z.string()).optional(),
});

/** A user-defined bridge network; a file each under the sandbox's records. */
export const NetworkRecord = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** RFC 3339 with nanoseconds */
  created: z.string(),
  internal: z.boolean(),
  attachable: z.boolean(),
  labels: z.record(z.string(), z.string()),
  options: z.record(z.string(), z.string()),
  ipamOptions: z.record(z.string(), z.string()),
  /** as inspect shows it */
  ipam: IpamConfig,
  /** a subnet was asked for, so containers may ask for addresses */
  hasOwnSubnet: z.boolean(),
  subnet: z.string(),
  gateway: z.string(),
  /** the part of the subnet that addresses are handed out from */
  range: z.string(),
  /** the interface in the lab host */
  bridge: z.string(),
});
export type NetworkRecord = z.infer<typeof NetworkRecord>;

const Port = z.object({
  proto: z.enum(['tcp', 'udp']),
  containerPort: z.number().int(),
  hostIp: z.string(),
  hostPort: z.number().int(),
});

/** A container's place on a bridge network while it runs. */
export const Endpoint = z.object({
  id: z.string(),
  address: z.string(),
  prefix: z.number().int().default(16),
  /** '' on an internal network */
  gateway: z.string().default('172.17.0.1'),
  mac: z.string(),
  /** the lab host's end of its cable */
  veth: z.string(),
  /** the container's end */
  device: z.string().default('eth0'),
  /** published ports: of the endpoint that has the default route only */
  ports: z.array(Port),
});
export type Endpoint = z.infer<typeof Endpoint>;

/** What a container wants of a network, and what it has while it runs. */
export const Attachment = z.object({
  /** '' while no network of that name is known, and for host, none and another container's */
  networkId: z.string(),
  name: z.string(),
  aliases: z.array(z.string()),
  /** legacy links on this network: `name:alias` */
  links: z.array(z.string()),
  /** asked for; '' is any */
  address: z.string(),
  mac: z.string(),
  driverOptions: z.record(z.string(), z.string()).nullable(),
  /** the highest has the default route */
  priority: z.number().int(),
  endpoint: Endpoint.nullable(),
});
export type Attachment = z.infer<typeof Attachment>;

/** An attachment that asks for nothing in particular. */
export function plainAttachment(name: string, networkId = ''): Attachment {
  return {
    networkId,
    name,
    aliases: [],
    links: [],
    address: '',
    mac: '',
    driverOptions: null,
    priority: 0,
    endpoint: null,
  };
}
