package attack

// The report's prose.
const (
	howText = `Network namespaces on one machine: a real goloop network of four validators (1 s blocks) of which one is the P-Rep behind
two sentries, a citizen behind the same, honest users and peers with addresses of their own, and attackers with 65,536 addresses in each
cell. Sentry 1, the P-Rep and the citizen share one processor, on which all packets to them are received, too; attackers have the other
one. So this is a sentry and its nodes on one core in all; the nodes' work comes before the sentry's there. Attackers and honest
ones come to sentry 1 alone. Each attack lasts some seconds, after 4 s with honest ones alone; every operation counts from the
attack's first moment on, and its time from when it was due. Users wait 1 s, websockets 3 s, newcomers 5 s. Nodes may take 4 GiB each.

Honest ones: registered users with 40 requests a second (one in five on a new connection), strangers who ask again and again with 20,
newcomers with 10, each from an address that was never seen, websockets that wait for a block, and validators' handshakes with the P-Rep
from registered and from new addresses. Attackers forge the addresses of two of them. This project's sentries have their hosts' firewall,
too; the comparison variants have none.

Behind the comparison variants, and without sentries, goloop allows its own 10 websockets; behind this project's it is told to allow those
of the sentries' limits. Behind the comparison variants the P-Rep has a way out of its own, behind this project's it has none.
`
	busyText = `In %d of %d cells other work used more than %d %% of a processor; times of these show that, too, and aren't held against
the promises.
`
	defaultText = `Worst of %d run(s) of each attack. *Known* are registered users, their websockets and registered peers; p50 and p99 are of
their single requests, in ms. *Strangers* are all others. *Victims* are the new connections of the two addresses that forged packets
name. *Reached* are connections to the P-Rep's port, with those that honest ones can have made. CPU is of one processor: the sentry's
programs, and the kernel's work on packets of sentry and nodes. *Dropped* are attackers' addresses that the kernel dropped, and the time
until that was 95 %% of them.
`
	defaultHead = "| attack | known served | p50 / p99 | strangers served | victims | P-Rep missed | reached P-Rep (honest) " +
		"| MiB P-Rep / citizen | CPU sentry + packets | attackers dropped | after | false bans |"
	costText = `Without an attack a single request takes %.2f ms in the median, with HAProxy without limits %.2f (%+.2f ms; promised: at
most +0.4). Registered users on 8 connections get %.0f answers a second, without limits %.0f: %.2f of it (promised: 0.9). Median of %d
rounds by turns, before the same citizen.
`
	comparedText = `
The default's worst of its runs, one run of each other. Known ones served, in percent; p99 of registered users' requests in ms; blocks
that the P-Rep missed, if any; † for a node or proxy that did not survive.
`
)
