package goloop

// Sandboxing is what systemd takes away from every service of ours: the file system but for what the unit names, devices, kernel
// settings, privileges, other users, and the system calls that no network server needs. The sentries' unit uses it, too. It leaves
// `systemd-analyze security` with 1.1 (node) and 1.2 (sentry) of 10; what remains is the network itself, and:
//
//   - IPAddressDeny: an exception for 169.254.169.254 would take the name server of some clouds away, too; the firewall keeps all users but
//     root from that address's port 80.
//   - NoExecPaths is the whole system: each unit names in ExecPaths what it may run.
//   - LimitCORE: a core file would hold the key. KeyringMode: nobody shares a kernel keyring with root's sessions.
//   - OOMScoreAdjust: half of the machine's memory is pardoned, so that something else is ended first where memory runs out.
const Sandboxing = `NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
NoExecPaths=/
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateUsers=yes
DevicePolicy=closed
KeyringMode=private
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
LimitCORE=0
OOMScoreAdjust=-500
`

// podmanSandboxing is what systemd can take away from podman and all that it starts: the container's processes are in the unit and
// inherit it. `systemd-analyze security` gives 4.2 of 10 (9.6 without); what a container's own start needs stays: mounts, namespaces (not
// those of users and networks), changing users.
//
//   - RestrictSUIDSGID would keep the official image from starting: s6's event directories have the set-group-ID bit.
//   - MemoryDenyWriteExecute would keep Java's engine from compiling, ProcSubset and ProtectKernelTunables the engine from giving the
//     container a /proc of its own.
//   - PrivateUsers, and user namespaces of the engine: see ContainerUnit.
//   - IPAddressDeny: a cloud's metadata hold the host's SSH key. The firewall keeps all users but root away from them; the image's root
//     it cannot tell apart.
//
// The format's argument is the data directory.
const podmanSandboxing = `NoNewPrivileges=yes
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_MKNOD CAP_SETGID CAP_SETPCAP CAP_SETUID
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_RESOURCE
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths=%[1]s /var/lib/containers -/etc/containers/networks /run /dev/shm
ProtectHome=yes
PrivateTmp=yes
DevicePolicy=closed
KeyringMode=private
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=cgroup ipc mnt pid uts
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
LimitCORE=0
OOMScoreAdjust=-500
TasksMax=4096
IPAddressDeny=169.254.169.254
`

// dockerSandboxing is for docker's client, which needs the daemon's socket and nothing else: the daemon starts the container, outside
// the unit. What holds for the container is said to the daemon (ContainerUnit) and to the slice (service.sh).
const dockerSandboxing = Sandboxing + `ExecPaths=/usr/bin/docker /usr/lib /usr/lib64
Environment=DOCKER_CONFIG=/nonexistent
PrivateNetwork=yes
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX
SystemCallFilter=~@privileged @resources
UMask=0077
TasksMax=256
`
