package aws

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2transitgateway"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/remote"
)

// zoneBits are those that tell the subnets of a tier apart: there are places for eight zones.
const zoneBits = 3

// machine is what was made for one host.
type machine struct {
	design awsplan.HostDesign
	// keep says that its chain data outlives the machine.
	keep     bool
	instance *ec2.Instance
	hostKey  pulumi.StringOutput
	address  *ec2.Eip // nil for machines without
	// device of the chain-data volume, nil for machines without.
	device pulumi.StringInput
	// reachable are the ids of what comes after the machine and before its first step: volume attached, machine started, address associated.
	reachable []any
}

// spreads says that a role's machines must not stand in one rack.
func spreads(role string) bool { return role == awsplan.PRep || role == awsplan.Sentry }

func (b *builder) makePlacement() error {
	for _, h := range b.design.Hosts {
		if !spreads(h.Role) || b.placement[h.Role] != nil {
			continue
		}
		name := b.name + "-placement-" + h.Role
		group, err := ec2.NewPlacementGroup(b.ctx, name, &ec2.PlacementGroupArgs{
			Strategy: pulumi.String("spread"), Tags: b.tags(name, "Role", h.Role),
		}, b.options()...)
		if err != nil {
			return fmt.Errorf("placement group of %s: %w", h.Role, err)
		}
		b.placement[h.Role] = group
	}
	return nil
}

func (b *builder) makeMachines() error {
	images := b.newestImages()
	keep := map[string]bool{}
	for _, s := range b.spec.Hosts {
		keep[s.Name] = s.Data != nil && s.Data.Keep
	}
	for _, h := range b.design.Hosts {
		m := &machine{design: h, keep: keep[h.Name]}
		b.machines[h.Name] = m
		key, err := tls.NewPrivateKey(b.ctx, b.name+"-"+h.Name+"-host-key", &tls.PrivateKeyArgs{Algorithm: pulumi.String("ED25519")},
			b.kept()...)
		if err != nil {
			return fmt.Errorf("host key of %s: %w", h.Name, err)
		}
		m.hostKey = key.PublicKeyOpenssh.ApplyT(strings.TrimSpace).(pulumi.StringOutput)
		image := pulumi.String(h.Image).ToStringOutput()
		if h.Image == "" {
			image = images[h.Arch]
		}
		for _, part := range []func() error{
			func() error { return b.makeInstance(m, image, b.userData(h.Name, key)) },
			func() error { return b.makeVolume(m) },
			func() error { return b.makePublic(m) },
			func() error { return b.makeAlarm(m) },
		} {
			if err := part(); err != nil {
				return fmt.Errorf("host %s: %w", h.Name, err)
			}
		}
		b.made.Instances[h.Name] = m.instance
	}
	return nil
}

func (b *builder) makeInstance(m *machine, image, userData pulumi.StringOutput) error {
	h := m.design
	name := b.name + "-" + h.Name + "-instance"
	tags := func(name string) pulumi.StringMap { return b.tags(name, "Role", h.Role, "Host", h.Name) }
	// User-data is read at the first boot alone, and a change of it would stop the machine. Another key of the operator's would replace it.
	ignored := []string{"userData", "rootBlockDevice.kmsKeyId"}
	if h.Image == "" {
		ignored = append(ignored, "ami") // a newer image never replaces a machine by surprise
	}
	args := &ec2.InstanceArgs{
		Ami: image, InstanceType: pulumi.String(h.InstanceType), UserData: userData,
		SubnetId:              b.made.Subnets[h.Tier+"-"+letter(h.Zone)],
		VpcSecurityGroupIds:   pulumi.StringArray{b.made.Groups[h.Role].ID()},
		IamInstanceProfile:    b.profile,
		Monitoring:            pulumi.Bool(true),
		EbsOptimized:          pulumi.Bool(true),
		DisableApiTermination: pulumi.Bool(b.protect),
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
			InstanceMetadataTags: pulumi.String("disabled"),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(h.RootGB), Encrypted: pulumi.Bool(true), KmsKeyId: b.made.KeyARN,
			DeleteOnTermination: pulumi.Bool(true), Tags: tags(b.name + "-" + h.Name + "-root"),
		},
		InstanceInitiatedShutdownBehavior: pulumi.String("stop"),
		Tags:                              tags(name),
	}
	// Of a machine with an elastic address the provider reads that it has a public one, and would replace it for that if it was told no here;
	// the same where an operator gives one to a private machine.
	if !h.Exposed {
		args.AssociatePublicIpAddress = pulumi.BoolPtr(false)
		ignored = append(ignored, "associatePublicIpAddress")
	}
	if g := b.placement[h.Role]; g != nil {
		args.PlacementGroup = g.ID()
	}
	var err error
	m.instance, err = ec2.NewInstance(b.ctx, name, args, b.kept(
		pulumi.IgnoreChanges(ignored), pulumi.DeleteBeforeReplace(true), pulumi.DependsOn(b.beforeMachine(h)))...)
	if err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	return nil
}

// beforeMachine is what a machine needs to be reached and to reach the outside, and does not name: its group's rules, its subnet's routes
// and gateways. It waits for them, so that its steps do.
func (b *builder) beforeMachine(h awsplan.HostDesign) []pulumi.Resource {
	return append(append([]pulumi.Resource{}, b.rules[h.Role]...), b.made.Ready[h.Tier+"-"+letter(h.Zone)]...)
}

// makeVolume makes and attaches the chain-data volume. It is formatted, if it is blank, and mounted by a step.
func (b *builder) makeVolume(m *machine) error {
	h := m.design
	if h.Data == nil {
		return nil
	}
	name := b.name + "-" + h.Name + "-data"
	tags := b.tags(name, "Role", h.Role, "Host", h.Name)
	if b.snapshotsWanted() {
		tags[snapshotTag] = pulumi.String(b.snapshotMark())
	}
	args := &ebs.VolumeArgs{
		AvailabilityZone: pulumi.String(h.Zone), Type: pulumi.String("gp3"), Size: pulumi.Int(h.Data.GB), Iops: pulumi.Int(h.Data.IOPS),
		Throughput: pulumi.Int(h.Data.Throughput), Encrypted: pulumi.Bool(true), KmsKeyId: b.made.KeyARN, Tags: tags,
	}
	if h.Data.RestoreFrom != "" {
		args.SnapshotId = pulumi.StringPtr(h.Data.RestoreFrom)
	}
	// A volume cannot change its key: another one of the operator's would replace all chain data by blank volumes.
	ignored := []string{"kmsKeyId"}
	if h.Data.RestoreFrom == "" {
		// A volume that was restored stays what it is when the stack no longer names the snapshot.
		ignored = append(ignored, "snapshotId")
	}
	volume, err := ebs.NewVolume(b.ctx, name, args, b.kept(pulumi.RetainOnDelete(m.keep), pulumi.IgnoreChanges(ignored))...)
	if err != nil {
		return fmt.Errorf("chain-data volume: %w", err)
	}
	// A volume is attached to one machine at a time, and a node that writes must stop before its volume goes.
	attached, err := ec2.NewVolumeAttachment(b.ctx, name+"-attachment", &ec2.VolumeAttachmentArgs{
		DeviceName: pulumi.String("/dev/sdf"), InstanceId: m.instance.ID(), VolumeId: volume.ID(), StopInstanceBeforeDetaching: pulumi.Bool(true),
	}, b.options(pulumi.DeleteBeforeReplace(true))...)
	if err != nil {
		return fmt.Errorf("attachment of the chain-data volume: %w", err)
	}
	if err := b.makeRunning(m, name, attached); err != nil {
		return err
	}
	// Linux names an NVMe device by its serial number, which is the volume's id without its dash; /dev/sdf is not there on such machines.
	m.device = volume.ID().ToStringOutput().ApplyT(func(id string) string {
		return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + strings.ReplaceAll(id, "-", "")
	}).(pulumi.StringOutput)
	return nil
}

// makeRunning starts the machine when its volume was exchanged: the provider stops it before it takes a volume away, and leaves it so.
// For a machine that runs nothing is done.
func (b *builder) makeRunning(m *machine, volume string, attached *ec2.VolumeAttachment) error {
	// Its id is the machine's own.
	running, err := ec2transitgateway.NewInstanceState(b.ctx, volume+"-running", &ec2transitgateway.InstanceStateArgs{
		InstanceId: m.instance.ID(), State: pulumi.String("running"),
		// Made anew with the attachment, and after it: its making is what starts the machine.
	}, b.options(pulumi.ReplacementTrigger(attached.ID()))...)
	if err != nil {
		return fmt.Errorf("start after the chain-data volume is attached: %w", err)
	}
	m.reachable = append(m.reachable, attached.ID(), running.ID())
	return nil
}

// makePublic gives an exposed machine its elastic address.
func (b *builder) makePublic(m *machine) error {
	if !m.design.Exposed {
		return nil
	}
	name := b.name + "-" + m.design.Name + "-address"
	// Ready has the way to the internet gateway, without which an address cannot be associated.
	after := pulumi.DependsOn(b.made.Ready[m.design.Tier+"-"+letter(m.design.Zone)])
	// Of another generation, a new address is in use before the old one is given up. One that is protected can't be: whoever has named a
	// generation goes without protection for this address.
	options := pulumi.Composite(after, pulumi.ReplacementTrigger(pulumi.Int(m.design.Generation)))
	var err error
	m.address, err = b.makeAddress(name, m.design.Generation == 0, options, "Role", m.design.Role, "Host", m.design.Name)
	if err != nil {
		return err
	}
	b.made.Addresses[m.design.Name] = m.address
	associated, err := ec2.NewEipAssociation(b.ctx, name+"-association", &ec2.EipAssociationArgs{
		AllocationId: m.address.ID(), InstanceId: m.instance.ID(),
	}, b.options(pulumi.DeleteBeforeReplace(true))...)
	if err != nil {
		return fmt.Errorf("association of its elastic address: %w", err)
	}
	m.reachable = append(m.reachable, associated.ID())
	return nil
}

// makeAlarm has EC2 move the machine to other hardware, with its addresses and volumes, when the one below it fails.
func (b *builder) makeAlarm(m *machine) error {
	name := b.name + "-" + m.design.Name + "-alarm"
	_, err := cloudwatch.NewMetricAlarm(b.ctx, name, &cloudwatch.MetricAlarmArgs{
		AlarmDescription: pulumi.String("icon: recovers " + m.design.Name + " when its hardware fails"),
		Namespace:        pulumi.String("AWS/EC2"), MetricName: pulumi.String("StatusCheckFailed_System"), Statistic: pulumi.String("Maximum"),
		Dimensions: pulumi.StringMap{"InstanceId": m.instance.ID()}, Period: pulumi.Int(60), EvaluationPeriods: pulumi.Int(2),
		Threshold: pulumi.Float64(1), ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"),
		AlarmActions: pulumi.Array{pulumi.Sprintf("arn:%s:automate:%s:ec2:recover", b.partition, b.settings.Region)},
		Tags:         b.tags(name, "Role", m.design.Role, "Host", m.design.Name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("alarm: %w", err)
	}
	return nil
}

// makeHosts hands the machines out.
func (b *builder) makeHosts(parent pulumi.Resource) (map[string]*platform.Host, error) {
	made := make(map[string]*platform.Host, len(b.machines))
	bastion := b.machines[bastionOf(b.spec)]
	for _, s := range b.spec.Hosts {
		m := b.machines[s.Name]
		private := m.instance.PrivateIp
		public := private
		if m.address != nil {
			public = m.address.PublicIp
		}
		login := remote.Login{Address: m.once(private), User: user, HostKey: m.hostKey, Fresh: true}
		var sshFrom pulumi.StringInput
		if m == bastion {
			login.Address, sshFrom = m.once(public), pulumi.String(b.sshFrom())
		} else {
			login.Bastion = &remote.Bastion{Address: bastion.once(bastion.address.PublicIp), User: user, HostKey: bastion.hostKey}
		}
		if b.login != nil {
			login.PrivateKey = b.login
			if b.args.Passphrase != nil {
				login.Passphrase = b.args.Passphrase
			}
		}
		restored, size := false, 0
		if d := m.design.Data; d != nil {
			restored, size = d.RestoreFrom != "", d.GB
		}
		host, err := platform.NewHost(b.ctx, b.name+"-"+s.Name, &platform.HostArgs{
			Spec: s, Address: login.Address, PrivateAddress: private, PublicAddress: m.once(public), SSHFrom: sshFrom, Login: login,
			Protected:   b.protect,
			DeletedWith: m.instance, Zone: m.design.Zone, OS: os, Arch: m.design.Arch,
			DataDevice: m.device, DataRestored: restored, DataGiB: size,
		}, pulumi.Parent(parent))
		if err != nil {
			return nil, err
		}
		made[s.Name] = host
	}
	return made, nil
}

// sshFrom is every place where a bastion may stand: the range of the public tier, or the operator's VPC. One that is made anew has another
// address, or stands in another zone, and the hosts' own firewalls must not lock it out. The security groups let the bastion in alone.
func (b *builder) sshFrom() string {
	for _, s := range b.design.Subnets {
		if s.Tier == awsplan.Public {
			subnet := netip.MustParsePrefix(s.CIDR)
			return netip.PrefixFrom(subnet.Addr(), subnet.Bits()-zoneBits).Masked().String()
		}
	}
	return b.settings.VPC.CIDR
}

// once is an address when it can be used: whoever dials it waits for the volume and the elastic address, and by the machine for the way
// there.
func (m *machine) once(address pulumi.StringOutput) pulumi.StringOutput {
	return pulumi.All(append([]any{address}, m.reachable...)...).ApplyT(func(in []any) string {
		return in[0].(string)
	}).(pulumi.StringOutput)
}
