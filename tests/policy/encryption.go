package policy

import (
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func encryptionRules() []Rule {
	return []Rule{
		{
			ID: "EC2.3", Source: "FSBP EC2.3", Title: "All volumes are encrypted, those of the system too.",
			Why: "Disks are copied, shared and thrown away; what is on them must not be readable.", Check: over(volumesEncrypted),
		},
		{
			ID: "EC2.181", Source: "FSBP EC2.181", Title: "Launch templates encrypt the volumes that they make.",
			Why: "What a template launches has its settings.", Check: each(templateEncrypted, typeTemplate),
		},
		{
			ID: "ICON.21", Source: "icon", Title: "Volumes and copies of snapshots are encrypted with a key of the operator's.",
			Why: "Access to AWS's own key can't be taken away, and its use is nobody's to see.", Check: over(ownKey),
		},
		{
			ID: "KMS.4", Source: "Security Hub KMS.4; CIS AWS 3.0.0 3.6", Title: "Keys rotate.",
			Why: "What one key encrypts, and one theft opens, stays a year's worth.", Check: each(keyRotates, typeKey),
		},
		{
			ID: "ACM.1", Source: "FSBP ACM.1", Title: "Certificates renew by themselves: they are AWS's, validated by DNS.",
			Why: "One that somebody must renew will run out.", Check: each(certificateRenews, typeCertificate),
		},
		{
			ID: "ACM.2", Source: "FSBP ACM.2", Title: "No certificate has an RSA key of less than 2,048 bits.",
			Why: "Shorter ones can be broken.", Check: each(certificateStrong, typeCertificate),
		},
	}
}

func volumesEncrypted(l *look) {
	for _, r := range l.all(typeVolume) {
		if v := input(r, "encrypted"); !v.yes() {
			l.at(r, "encrypted is %s; true is wanted", v)
		}
	}
	for _, r := range l.all(typeInstance) {
		if v := input(r, "rootBlockDevice", "encrypted"); !v.yes() {
			l.at(r, "rootBlockDevice.encrypted is %s; true is wanted", v)
		}
		for _, device := range several(input(r, "ebsBlockDevices")) {
			if v := device.at("encrypted"); !v.yes() {
				l.at(r, "ebsBlockDevices.encrypted is %s; true is wanted", v)
			}
		}
	}
}

func templateEncrypted(l *look, r *graph.Resource) {
	mapped := several(input(r, "blockDeviceMappings"))
	if len(mapped) == 0 {
		l.at(r, "it has no blockDeviceMappings: the root volume would be as the image says")
	}
	for _, m := range mapped {
		if v := m.at("ebs", "encrypted"); !v.yes() && !m.at("noDevice").given() && !m.at("virtualName").given() {
			l.at(r, "blockDeviceMappings.ebs.encrypted is %s; \"true\" is wanted", v)
		}
	}
}

// operators says that an input names a key that is not one of AWS's own.
func (v value) operators() bool { return v.given() && !strings.Contains(v.text(), "alias/aws/") }

func ownKey(l *look) {
	for _, r := range l.all(typeVolume) {
		if v := input(r, "kmsKeyId"); !v.operators() {
			l.at(r, "kmsKeyId is %s: a key of the stack's, or the operator's, is wanted", v)
		}
	}
	for _, r := range l.all(typeInstance) {
		if v := input(r, "rootBlockDevice", "kmsKeyId"); !v.operators() {
			l.at(r, "rootBlockDevice.kmsKeyId is %s: a key of the stack's, or the operator's, is wanted", v)
		}
		for _, device := range several(input(r, "ebsBlockDevices")) {
			if v := device.at("kmsKeyId"); !v.operators() {
				l.at(r, "ebsBlockDevices.kmsKeyId is %s: a key of the stack's, or the operator's, is wanted", v)
			}
		}
	}
	for _, r := range l.all(typeSnapshots) {
		for _, schedule := range several(input(r, "policyDetails", "schedules")) {
			for _, copied := range several(schedule.at("crossRegionCopyRules")) {
				if !copied.at("encrypted").yes() || !copied.at("cmkArn").operators() {
					l.at(r, "crossRegionCopyRules: encrypted is %s and cmkArn %s; true and a key are wanted", copied.at("encrypted"), copied.at("cmkArn"))
				}
			}
		}
	}
}

// keyRotates leaves out keys that AWS can't rotate: those for signing, of stores of the operator's.
func keyRotates(l *look, r *graph.Resource) {
	if spec := input(r, "customerMasterKeySpec"); spec.text() != "" && !spec.is("SYMMETRIC_DEFAULT") || input(r, "customKeyStoreId").given() {
		return
	}
	if v := input(r, "enableKeyRotation"); !v.yes() {
		l.at(r, "enableKeyRotation is %s; true is wanted", v)
	}
	if v := input(r, "rotationPeriodInDays"); v.given() {
		if days, known := v.number(); !known || days > 365 {
			l.at(r, "rotationPeriodInDays is %s; 365, the default, or less is wanted", v)
		}
	}
}

func certificateRenews(l *look, r *graph.Resource) {
	if input(r, "privateKey").given() || input(r, "certificateBody").given() {
		l.at(r, "it is imported: nobody but the operator can renew it; give domainName and let AWS make it")
		return
	}
	if v := input(r, "validationMethod"); !v.is("DNS") {
		l.at(r, "validationMethod is %s; \"DNS\" is wanted: with e-mail somebody must answer each time", v)
	}
}

func certificateStrong(l *look, r *graph.Resource) {
	if v := input(r, "keyAlgorithm"); v.is("RSA_1024") || v.unknown() {
		l.at(r, "keyAlgorithm is %s; RSA_2048, the default, or more is wanted", v)
	}
}
