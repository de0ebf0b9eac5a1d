package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// computeRules are about instances and what they are launched from.
func computeRules() []Rule {
	return []Rule{
		{
			ID: "EC2.8", Source: "FSBP EC2.8; CIS AWS 3.0.0 5.6", Title: "Instances answer for metadata to session tokens only (IMDSv2).",
			Why: "With version 1 one forged request from the machine hands out its credentials.", Check: each(tokensRequired, typeInstance),
		},
		{
			ID: "EC2.170", Source: "FSBP EC2.170", Title: "Launch templates ask for session tokens (IMDSv2).",
			Why: "What a template launches has its settings.", Check: each(tokensRequired, typeTemplate),
		},
		{
			ID: "EC2.9", Source: "FSBP EC2.9", Title: "Only sentries and the bastion have a public address, and that an elastic one.",
			Why: "Every public address is another door; and one that AWS picks changes with each stop.", Check: each(publicAddress, typeInstance),
		},
		{
			ID: "EC2.25", Source: "FSBP EC2.25", Title: "Launch templates give no public address.",
			Why: "Whatever they launch would have one.", Check: each(templateAddress, typeTemplate),
		},
		{
			ID: "EC2.180", Source: "FSBP EC2.180", Title: "Network interfaces check source and destination.",
			Why:   "A machine that passes other machines' packets on is a way around the groups.",
			Check: each(sourceChecked, typeInstance, typeInterface),
		},
		{
			ID: "EC2.1", Source: "FSBP EC2.1", Title: "No snapshot of a volume is shared.",
			Why:   "A node's disk holds its key store.",
			Check: each(notShared, typeSnapshots, "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission"),
		},
		{
			ID: "CIS.1.18", Source: "CIS AWS 3.0.0 1.18", Title: "Instances have an instance profile.",
			Why:   "Where there is a role, nobody lays an access key on the disk; and AWS can take a role away.",
			Check: each(hasProfile, typeInstance),
		},
		{
			ID: "ICON.11", Source: "icon", Title: "Metadata goes one hop, and tells no tags.",
			Why:   "A container must not get at its host's metadata, and tags are for operators.",
			Check: each(metadataNarrow, typeInstance, typeTemplate),
		},
		{
			ID: "ICON.12", Source: "icon", Title: "Instances are monitored every minute.",
			Why:   "A P-Rep that stands still for five minutes has missed 150 blocks before anyone hears of it.",
			Check: each(monitored, typeInstance),
		},
		{
			ID: "ICON.13", Source: "icon", Title: "What holds a private key or an access key is marked secret.",
			Why: "The rest stands in the state and in every preview for all to read: user data above all.", Check: over(secretsMarked),
		},
	}
}

func tokensRequired(l *look, r *graph.Resource) {
	if input(r, "metadataOptions", "httpEndpoint").is("disabled") {
		return
	}
	if v := input(r, "metadataOptions", "httpTokens"); !v.is("required") {
		l.at(r, "metadataOptions.httpTokens is %s; \"required\" is wanted", v)
	}
}

func publicAddress(l *look, r *graph.Resource) {
	addresses, public := l.addressesOf(r), input(r, "associatePublicIpAddress")
	mayBePublic := slices.Contains([]string{roleSentry, roleBastion}, role(r))
	switch {
	case len(addresses) > 0 && !mayBePublic:
		l.at(r, "it has the elastic address %s; of role %q none is wanted", addresses[0].Name, role(r))
	case len(addresses) > 0 && public.no():
		l.at(r, "associatePublicIpAddress is false beside an elastic address: the provider would replace the instance; leave it out")
	case public.given() && !public.no():
		l.at(r, "associatePublicIpAddress is %s; false is wanted, or an elastic address", public)
	case len(addresses) == 0 && !public.given():
		subnet := l.refer(r, input(r, "subnetId"), typeSubnet)
		if subnet == nil {
			l.at(r, "associatePublicIpAddress is not given, and its subnet is none of the graph's: false is wanted")
		} else if v := input(subnet, "mapPublicIpOnLaunch"); v.given() && !v.no() {
			l.at(r, "its subnet %s gives it a public address: false is wanted for associatePublicIpAddress", subnet.Name)
		}
	}
}

func templateAddress(l *look, r *graph.Resource) {
	for _, i := range input(r, "networkInterfaces").list() {
		if v := i.at("associatePublicIpAddress"); v.given() && !v.no() {
			l.at(r, "networkInterfaces.associatePublicIpAddress is %s; \"false\" is wanted", v)
		}
	}
}

func sourceChecked(l *look, r *graph.Resource) {
	if v := input(r, "sourceDestCheck"); v.given() && !v.yes() {
		l.at(r, "sourceDestCheck is %s; true, the default, is wanted", v)
	}
}

func notShared(l *look, r *graph.Resource) {
	if r.Type != typeSnapshots {
		l.at(r, "it shares a snapshot with another account")
		return
	}
	for _, s := range input(r, "policyDetails", "schedules").list() {
		if s.at("shareRule").given() {
			l.at(r, "its shareRule shares snapshots with other accounts")
		}
	}
}

func hasProfile(l *look, r *graph.Resource) {
	if !input(r, "iamInstanceProfile").given() {
		l.at(r, "iamInstanceProfile is not given: a profile is wanted, if only of a role that may do nothing")
	}
}

func metadataNarrow(l *look, r *graph.Resource) {
	if n, known := input(r, "metadataOptions", "httpPutResponseHopLimit").number(); !known || n != 1 {
		l.at(r, "metadataOptions.httpPutResponseHopLimit is %s; 1 is wanted", input(r, "metadataOptions", "httpPutResponseHopLimit"))
	}
	if v := input(r, "metadataOptions", "instanceMetadataTags"); v.given() && !v.is("disabled") {
		l.at(r, "metadataOptions.instanceMetadataTags is %s; \"disabled\" is wanted", v)
	}
}

func monitored(l *look, r *graph.Resource) {
	if v := input(r, "monitoring"); !v.yes() {
		l.at(r, "monitoring is %s; true is wanted", v)
	}
}

// keyMaterial is what no clear text may hold: private keys, as text or as base64, and access keys of AWS.
var keyMaterial = regexp.MustCompile(
	`PRIVATE KEY|UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW|\b(AKIA|ASIA)[0-9A-Z]{16}\b|aws_secret_access_key`)

func secretsMarked(l *look) {
	for _, r := range l.g.Resources {
		if !isAWS(r) {
			continue
		}
		for _, one := range leaves(r) {
			if one.secret {
				continue
			}
			if keyMaterial.MatchString(one.text()) {
				l.at(r, "%s shows a private key or an access key in the clear: mark it secret", one.where())
			}
			if one.unknown() && strings.HasPrefix(one.key(), "userData") {
				l.at(r, "%s is not known yet and not marked secret: it may hold what a preview then shows", one.where())
			}
		}
	}
}
