package hardening

// containerControls are listed in registry.
var containerControls = []Control{{
	ID:    "container-runtime",
	Title: "Container engine that opens nothing by itself",
	Why: "Out of the box docker forwards packets and writes firewall rules of its own, podman answers an API to root and exchanges images " +
		"by a timer, and both let a container's log fill the disk. Nodes use the host's network and images pinned by digest, so none of it is " +
		"needed. It holds for hosts whose node runs in a container; how that container is confined is in the unit of the node.",
	Breaks: "Containers of the machine's own on docker's default bridge or with published ports, podman's API and automatic updates of " +
		"images, image names without a registry. An /etc/docker/daemon.json of before is replaced but for its " +
		"data-root (the engine of the hardening keeps it). A docker that already runs containers takes most of it at " +
		"its next start, which is left to the operator because it stops the node.",
	Items: anssi("R62", "R63", "R66"),
	Params: []Param{
		{
			Name: "logSize", Kind: Int, Min: 1, Max: 1024, Default: 10,
			What: "MiB at which a container's log is begun anew; docker keeps two of before. The node's own container has no such log: it " +
				"writes files into its data directory",
		},
		{
			Name: "processes", Kind: Int, Min: 256, Max: 32768, Default: 4096,
			What: "processes and threads that one of podman's containers may have, if nothing else is said when it is made",
		},
	},
}}
