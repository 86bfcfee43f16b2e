// Which fields the answers of dockerd 26.1 have, object by object; Berth's have them all.

/** `object` is a path of names from the top of the answer; a list stands for its first element. */
export type Shape = readonly [path: string, object: string, fields: string];

export const SHAPES: readonly Shape[] = [
  [
    '/containers/{run}/json',
    '',
    'AppArmorProfile Args Config Created Driver ExecIDs GraphDriver HostConfig HostnamePath HostsPath Id Image LogPath MountLabel Mounts Name NetworkSettings Path Platform ProcessLabel ResolvConfPath RestartCount State',
  ],
  [
    '/containers/{run}/json',
    'Config',
    'AttachStderr AttachStdin AttachStdout Cmd Domainname Entrypoint Env ExposedPorts Hostname Image Labels OnBuild OpenStdin StdinOnce Tty User Volumes WorkingDir',
  ],
  ['/containers/{run}/json', 'GraphDriver', 'Data Name'],
  [
    '/containers/{run}/json',
    'HostConfig',
    'AutoRemove Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight BlkioWeightDevice CapAdd CapDrop Cgroup CgroupParent CgroupnsMode ConsoleSize ContainerIDFile CpuCount CpuPercent CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares CpusetCpus CpusetMems DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch ExtraHosts GroupAdd IOMaximumBandwidth IOMaximumIOps IpcMode Isolation Links LogConfig MaskedPaths Memory MemoryReservation MemorySwap MemorySwappiness NanoCpus NetworkMode OomKillDisable OomScoreAdj PidMode PidsLimit PortBindings Privileged PublishAllPorts ReadonlyPaths ReadonlyRootfs RestartPolicy Runtime SecurityOpt ShmSize UTSMode Ulimits UsernsMode VolumeDriver VolumesFrom',
  ],
  ['/containers/{run}/json', 'HostConfig.LogConfig', 'Config Type'],
  ['/containers/{run}/json', 'HostConfig.RestartPolicy', 'MaximumRetryCount Name'],
  [
    '/containers/{run}/json',
    'NetworkSettings',
    'Bridge EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen HairpinMode IPAddress IPPrefixLen IPv6Gateway LinkLocalIPv6Address LinkLocalIPv6PrefixLen MacAddress Networks Ports SandboxID SandboxKey SecondaryIPAddresses SecondaryIPv6Addresses',
  ],
  ['/containers/{run}/json', 'NetworkSettings.Networks', 'bridge'],
  [
    '/containers/{run}/json',
    'NetworkSettings.Networks.bridge',
    'Aliases DNSNames DriverOpts EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAMConfig IPAddress IPPrefixLen IPv6Gateway Links MacAddress NetworkID',
  ],
  [
    '/containers/{run}/json',
    'State',
    'Dead Error ExitCode FinishedAt OOMKilled Paused Pid Restarting Running StartedAt Status',
  ],
  [
    '/containers/{dead}/json',
    'State',
    'Dead Error ExitCode FinishedAt OOMKilled Paused Pid Restarting Running StartedAt Status',
  ],
  [
    '/containers/json?all=1&size=1&filters={"name":["{run}"]}',
    '0',
    'Command Created HostConfig Id Image ImageID Labels Mounts Names NetworkSettings Ports SizeRootFs State Status',
  ],
  ['/containers/json?all=1&size=1&filters={"name":["{run}"]}', '0.HostConfig', 'NetworkMode'],
  ['/containers/json?all=1&size=1&filters={"name":["{run}"]}', '0.NetworkSettings', 'Networks'],
  ['/containers/json?all=1&size=1&filters={"name":["{run}"]}', '0.NetworkSettings.Networks', 'bridge'],
  [
    '/containers/json?all=1&size=1&filters={"name":["{run}"]}',
    '0.NetworkSettings.Networks.bridge',
    'Aliases DNSNames DriverOpts EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAMConfig IPAddress IPPrefixLen IPv6Gateway Links MacAddress NetworkID',
  ],
  ['/containers/json?all=1&size=1&filters={"name":["{run}"]}', '0.Ports.0', 'PrivatePort Type'],
  [
    '/exec/{done}/json',
    '',
    'CanRemove ContainerID DetachKeys ExitCode ID OpenStderr OpenStdin OpenStdout Pid ProcessConfig Running',
  ],
  ['/exec/{done}/json', 'ProcessConfig', 'arguments entrypoint privileged tty'],
  ['/containers/{run}/top', '', 'Processes Titles'],
  [
    '/info',
    '',
    'Architecture BridgeNfIp6tables BridgeNfIptables CDISpecDirs CPUSet CPUShares CgroupDriver CgroupVersion ContainerdCommit Containers ContainersPaused ContainersRunning ContainersStopped CpuCfsPeriod CpuCfsQuota Debug DefaultRuntime DockerRootDir Driver DriverStatus ExperimentalBuild GenericResources HttpProxy HttpsProxy ID IPv4Forwarding Images IndexServerAddress InitBinary InitCommit Isolation KernelMemoryTCP KernelVersion Labels LiveRestoreEnabled LoggingDriver MemTotal MemoryLimit NCPU NEventsListener NFd NGoroutines Name NoProxy OSType OSVersion OomKillDisable OperatingSystem PidsLimit Plugins RegistryConfig RuncCommit Runtimes SecurityOptions ServerVersion SwapLimit Swarm SystemTime Warnings',
  ],
  ['/info', 'ContainerdCommit', 'Expected ID'],
  ['/info', 'InitCommit', 'Expected ID'],
  ['/info', 'Plugins', 'Authorization Log Network Volume'],
  [
    '/info',
    'RegistryConfig',
    'AllowNondistributableArtifactsCIDRs AllowNondistributableArtifactsHostnames IndexConfigs InsecureRegistryCIDRs Mirrors',
  ],
  ['/info', 'RuncCommit', 'Expected ID'],
  ['/info', 'Swarm', 'ControlAvailable Error LocalNodeState NodeAddr NodeID RemoteManagers'],
  [
    '/version',
    '',
    'ApiVersion Arch BuildTime Components GitCommit GoVersion KernelVersion MinAPIVersion Os Platform Version',
  ],
  ['/version', 'Components.0', 'Details Name Version'],
  [
    '/version',
    'Components.0.Details',
    'ApiVersion Arch BuildTime Experimental GitCommit GoVersion KernelVersion MinAPIVersion Os',
  ],
  ['/version', 'Platform', 'Name'],
];
