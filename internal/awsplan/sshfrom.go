package awsplan

import "net/netip"

// zoneBits are those that tell the subnets of a tier apart: placesPerTier in binary.
const zoneBits = 3

// SSHFrom is every place where the bastion may stand, as one network (CIDR): the range of the public tier, or the operator's VPC. One that
// is made anew has another address, or stands in another zone. Empty where the network's range is not known.
func (d *Design) SSHFrom() string {
	for _, s := range d.Subnets {
		if subnet, err := netip.ParsePrefix(s.CIDR); err == nil && s.Tier == Public {
			return netip.PrefixFrom(subnet.Addr(), subnet.Bits()-zoneBits).Masked().String()
		}
	}
	return d.Settings.VPC.CIDR
}
