package policy

import (
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// hostRules are about what machines of an ICON plan are, and what stands around them.
func hostRules() []Rule {
	return []Rule{
		{
			ID: "ICON.14", Source: "icon", Title: "A P-Rep has no public address of any kind.",
			Why: "A validator that can be found can be attacked; its sentries are what the network sees.", Check: over(prepHidden),
		},
		{
			ID: "ICON.15", Source: "icon", Title: "Chain data is on a volume of its own.",
			Why: "It outlives the machine, and a full chain does not stop the system.", Check: over(dataApart),
		},
		{
			ID: "ICON.16", Source: "icon", Title: "A newer image or changed user data replaces no running machine.",
			Why: "Otherwise the day when Debian publishes an image is the day when all validators go.", Check: each(pinned, typeInstance),
		},
		{
			ID: "ICON.17", Source: "icon", Title: "Each instance moves to other hardware when its own fails.",
			Why: "AWS does so within minutes, with the same addresses and volumes; people take longer.", Check: each(recovers, typeInstance),
		},
		{
			ID: "CloudWatch.15", Source: "Security Hub CloudWatch.15", Title: "Every alarm does something.",
			Why: "An alarm that nobody hears is none.", Check: each(alarmActs, typeAlarm),
		},
		{
			ID: "EC2.28", Source: "Security Hub EC2.28", Title: "A snapshot policy covers every data volume, daily, and keeps what it makes.",
			Why: "To fetch a chain anew takes days; a snapshot takes minutes.", Check: each(snapshotted, typeVolume),
		},
	}
}

func prepHidden(l *look) {
	for _, r := range l.machines(rolePRep) {
		for _, a := range l.addressesOf(r) {
			l.at(r, "it has the elastic address %s", a.Name)
		}
		if v := input(r, "associatePublicIpAddress"); v.given() && !v.no() {
			l.at(r, "associatePublicIpAddress is %s; false is wanted", v)
		}
		if subnet := l.refer(r, input(r, "subnetId"), typeSubnet); subnet != nil {
			hops, _ := l.defaultRoutes(subnet)
			if slices.ContainsFunc(hops, func(h hop) bool { return h.internet.given() }) {
				l.at(r, "its subnet %s routes to an internet gateway; one without is wanted", subnet.Name)
			}
		}
		if input(r, "networkInterfaces").given() || len(l.interfacesOf(r)) > 0 {
			l.at(r, "it has network interfaces that were made apart from it: their addresses can't be judged")
		}
		for _, target := range l.all(targetTypes...) {
			if l.means(target, input(target, "targetId"), r) {
				l.at(target, "the P-Rep %s is behind a load balancer: that one's addresses are its own, then", r.Name)
			}
		}
	}
}

func dataApart(l *look) {
	for _, r := range l.machines(rolePRep, roleCitizen) {
		attached := slices.ContainsFunc(l.all(typeAttachment), func(a *graph.Resource) bool {
			return l.means(a, input(a, "instanceId"), r) && l.refer(a, input(a, "volumeId"), typeVolume) != nil
		})
		if !attached {
			l.at(r, "no Volume is attached to it: its chain would be on the root volume")
		}
		if input(r, "ebsBlockDevices").given() {
			l.at(r, "ebsBlockDevices are deleted with the instance: a Volume with a VolumeAttachment is wanted")
		}
	}
}

// pinned takes an image that is not the one which the recorder's search finds for one that was named.
func pinned(l *look, r *graph.Resource) {
	if image := input(r, "ami"); !slices.Contains(r.IgnoreChanges, "ami") && (image.unknown() || image.is(graph.AMI)) {
		l.at(r, "its image was searched for, and changes of ami are not ignored")
	}
	for _, key := range []string{"userData", "userDataBase64"} {
		if input(r, key).given() && !slices.Contains(r.IgnoreChanges, key) {
			l.at(r, "changes of %s are not ignored: they would stop or replace it", key)
		}
	}
	if v := input(r, "userDataReplaceOnChange"); v.given() && !v.no() {
		l.at(r, "userDataReplaceOnChange is %s; false is wanted", v)
	}
}

// sees says that an alarm goes off at a status of 1: the status is 0 or 1.
func sees(alarm *graph.Resource) bool {
	n, known := input(alarm, "threshold").number()
	switch by := input(alarm, "comparisonOperator"); {
	case by.is("GreaterThanOrEqualToThreshold"):
		return known && n == 1
	case by.is("GreaterThanThreshold"):
		return known && n == 0
	default:
		return false
	}
}

func recovers(l *look, r *graph.Resource) {
	for _, alarm := range l.all(typeAlarm) {
		if !input(alarm, "metricName").is("StatusCheckFailed_System") || !l.means(alarm, input(alarm, "dimensions", "InstanceId"), r) {
			continue
		}
		if !sees(alarm) {
			continue
		}
		for _, action := range several(input(alarm, "alarmActions")) {
			if action.unknown() || strings.HasSuffix(action.text(), ":ec2:recover") {
				return
			}
		}
	}
	l.at(r, "no alarm on its StatusCheckFailed_System recovers it (action arn:aws:automate:<region>:ec2:recover)")
}

func alarmActs(l *look, r *graph.Resource) {
	if !input(r, "alarmActions").given() {
		l.at(r, "alarmActions is %s; at least one is wanted", input(r, "alarmActions"))
	}
	if v := input(r, "actionsEnabled"); v.given() && !v.yes() {
		l.at(r, "actionsEnabled is %s; true, the default, is wanted", v)
	}
}

func snapshotted(l *look, volume *graph.Resource) {
	for _, policy := range l.all(typeSnapshots) {
		details := input(policy, "policyDetails")
		if state := input(policy, "state"); state.given() && !state.is("ENABLED") {
			continue
		}
		if !slices.ContainsFunc(details.at("resourceTypes").list(), func(v value) bool { return v.is("VOLUME") }) {
			continue
		}
		if covered(details.at("targetTags"), input(volume, "tags")) && keepsSome(details.at("schedules")) {
			return
		}
	}
	l.at(volume, "no enabled LifecyclePolicy for volumes has one of its tags among targetTags, "+
		"a createRule of at most 24 hours and a retainRule")
}

// covered says that one of the target tags is among a volume's.
func covered(target, tags value) bool {
	if !target.v.IsObject() {
		return false
	}
	for key := range target.v.ObjectValue() {
		if want := target.at(string(key)).text(); want != "" && tags.at(string(key)).text() == want {
			return true
		}
	}
	return false
}

func keepsSome(schedules value) bool {
	return slices.ContainsFunc(schedules.list(), func(s value) bool {
		count, _ := s.at("retainRule", "count").number()
		interval, _ := s.at("retainRule", "interval").number()
		every, known := s.at("createRule", "interval").number()
		daily := known && every <= 24 || s.at("createRule", "cronExpression").given()
		return daily && (count > 0 || interval > 0)
	})
}
