// Package aws is the platform that makes its machines on Amazon Web Services: a network of its own (or an existing one), machines with
// separate chain-data volumes, security groups made from the plan's edges, a key, flow logs and snapshots.
//
// Administrators reach the bastion by SSH, and the bastion reaches the others. Machines that the internet must reach stand in public
// subnets with an elastic address each; the others have no public address, and go out through a NAT gateway.
//
// What an attacker of the state would find: the state holds, encrypted as secrets, the machines' SSH host keys and the user-data that
// carries them to the machines. Node keys are born on the hosts and are never in it. A machine's user-data holds its own host key and
// the administrators' public keys, nothing else; whoever may call ec2:DescribeInstanceAttribute in the account can read it, and so can
// every process of the machine that reaches the instance metadata service.
//
// A machine is replaced by deleting it first (another image, another zone): two machines never hold one node key, and a volume is attached
// to one machine at a time. With Settings.Protect the engine refuses to replace it.
package aws
