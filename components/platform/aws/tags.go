package aws

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// snapshotTag marks the volumes that daily snapshots are made of.
const snapshotTag = "Snapshots"

// tags are those of every resource: the operator's, and the library's, which win. More are pairs of names and values.
func (b *builder) tags(name string, more ...string) pulumi.StringMap {
	tags := pulumi.StringMap{}
	for k, v := range b.settings.Tags {
		tags[k] = pulumi.String(v)
	}
	own := append([]string{"Name", name, "Project", "icon", "Stack", b.ctx.Stack(), "ManagedBy", "pulumi"}, more...)
	for i := 0; i < len(own); i += 2 {
		tags[own[i]] = pulumi.String(own[i+1])
	}
	return tags
}
