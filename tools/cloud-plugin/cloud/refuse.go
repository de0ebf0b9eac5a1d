package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

func cidr(key string) func(map[string]any) error {
	return func(in map[string]any) error {
		text, given := in[key].(string)
		if !given {
			return nil
		}
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Masked() != p || p.Bits() < 16 || p.Bits() > 28 {
			return fmt.Errorf("InvalidParameterValue: %s %q: wanted a network of /16 to /28", key, text)
		}
		return nil
	}
}

// descriptions are what EC2 takes in those of security groups and rules.
var descriptions = regexp.MustCompile(`^[0-9A-Za-z_ .:/()#,@\[\]+=&;{}!$*-]{0,255}$`)

func described(in map[string]any) error {
	if text, _ := in["description"].(string); !descriptions.MatchString(text) {
		return fmt.Errorf("InvalidParameterValue: Invalid rule description %q", text)
	}
	return nil
}

// fewEntries keeps to the quota of a network ACL in each direction.
func fewEntries(in map[string]any) error {
	for _, key := range []string{"ingress", "egress"} {
		if entries, _ := in[key].([]any); len(entries) > 20 {
			return fmt.Errorf("NetworkAclEntryLimitExceeded: %s has %d entries", key, len(entries))
		}
	}
	return nil
}

func document(key string) func(map[string]any) error {
	return func(in map[string]any) error {
		if text, known := in[key].(string); known && !json.Valid([]byte(text)) {
			return fmt.Errorf("MalformedPolicyDocument: %s is no JSON", key)
		}
		return nil
	}
}

var lifecycleDescription = regexp.MustCompile(`^[0-9A-Za-z _-]{1,500}$`)

func lifecycle(in map[string]any) error {
	if text, _ := in["description"].(string); !lifecycleDescription.MatchString(text) {
		return fmt.Errorf("InvalidRequestException: description %q", text)
	}
	return nil
}

func userData(in map[string]any) error {
	if text, _ := in["userData"].(string); len(text) > 16*1024 {
		return fmt.Errorf("InvalidParameterValue: user data is limited to 16384 bytes, and has %d", len(text))
	}
	return nil
}

func subnetInVPC(s *state, r, _ *Resource) error {
	mine, err := netip.ParsePrefix(r.text("cidrBlock"))
	if err != nil {
		return err
	}
	vpc, err := netip.ParsePrefix(s.Resources[r.text("vpcId")].text("cidrBlock"))
	if err != nil {
		return err
	}
	if !vpc.Contains(mine.Addr()) || mine.Bits() < vpc.Bits() {
		return fmt.Errorf("InvalidSubnet.Range: %s is not in %s", mine, vpc)
	}
	for _, other := range s.ofType(r.Type) {
		if p, err := netip.ParsePrefix(other.text("cidrBlock")); other.ID != r.ID && (err != nil || p.Overlaps(mine)) {
			return fmt.Errorf("InvalidSubnet.Conflict: %s conflicts with %s", mine, other.Name)
		}
	}
	return nil
}

// gateway is the internet gateway of a subnet's VPC, nil if there is none.
func (s *state) gateway(subnet string) *Resource {
	for _, g := range s.ofType("aws:ec2/internetGateway:InternetGateway") {
		if found := s.Resources[subnet]; found != nil && g.text("vpcId") == found.text("vpcId") {
			return g
		}
	}
	return nil
}

func gatewayAttached(key string) func(s *state, r, old *Resource) error {
	return func(s *state, r, _ *Resource) error {
		if s.gateway(r.text(key)) == nil {
			return errors.New("Gateway.NotAttached: the network has no internet gateway attached")
		}
		return nil
	}
}

// noMappedAddresses: a gateway is not detached under public addresses that are in use.
func noMappedAddresses(s *state, gateway *Resource) error {
	subnets := map[string]string{}
	for _, a := range s.ofType("aws:ec2/eipAssociation:EipAssociation") {
		if machine := s.Resources[a.text("instanceId")]; machine != nil {
			subnets[a.Name] = machine.text("subnetId")
		}
	}
	for _, n := range s.ofType("aws:ec2/natGateway:NatGateway") {
		subnets[n.Name] = n.text("subnetId")
	}
	for name, subnet := range subnets {
		if s.gateway(subnet) == gateway {
			return fmt.Errorf("DependencyViolation: the network has some mapped public address(es): %s", name)
		}
	}
	return nil
}

func notProtected(key string) func(*state, *Resource) error {
	return func(_ *state, r *Resource) error {
		if r.Properties[key] == true {
			return fmt.Errorf("OperationNotPermitted: %s may not be deleted: change its %s", r.ID, key)
		}
		return nil
	}
}

func volumesGrow(_ *state, r, old *Resource) error {
	if old == nil {
		return nil
	}
	was, _ := old.Properties["size"].(float64)
	if is, _ := r.Properties["size"].(float64); is < was {
		return fmt.Errorf("InvalidParameterValue: new size %v GiB is smaller than existing size %v GiB", is, was)
	}
	return nil
}

func oneMachineInTheZone(s *state, r, old *Resource) error {
	if old != nil {
		return nil
	}
	volume, machine := s.Resources[r.text("volumeId")], s.Resources[r.text("instanceId")]
	if machine == nil {
		return fmt.Errorf("InvalidInstanceID.NotFound: %s", r.text("instanceId"))
	}
	if users := s.users(AWS(), volume); len(users) > 0 {
		return fmt.Errorf("VolumeInUse: %s is already attached (%s)", volume.ID, users[0])
	}
	subnet := s.Resources[machine.text("subnetId")]
	if zone := subnet.text("availabilityZone"); zone != volume.text("availabilityZone") {
		return fmt.Errorf("InvalidVolume.ZoneMismatch: %s is not in %s, as %s is", volume.ID, zone, machine.ID)
	}
	return nil
}

// quota is AWS's default of elastic addresses.
func quota(s *state, r, old *Resource) error {
	if all := s.ofType(r.Type); old == nil && len(all) >= 5 {
		return errors.New("AddressLimitExceeded: the maximum number of addresses has been reached")
	}
	return nil
}

func associable(s *state, r, old *Resource) error {
	if old != nil {
		return nil
	}
	machine := s.Resources[r.text("instanceId")]
	if machine == nil {
		return fmt.Errorf("InvalidInstanceID.NotFound: %s", r.text("instanceId"))
	}
	for _, other := range s.ofType(r.Type) {
		if other.text("allocationId") == r.text("allocationId") || other.text("instanceId") == r.text("instanceId") {
			return fmt.Errorf("Resource.AlreadyAssociated: %s", other.Name)
		}
	}
	if s.gateway(machine.text("subnetId")) == nil {
		return errors.New("Gateway.NotAttached: the network is not attached to any internet gateway")
	}
	return nil
}
