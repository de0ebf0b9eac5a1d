package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
)

func TestAnArchiveIsRefusedForDockerWhichKeepsNoDigestOfIt(t *testing.T) {
	withHosts(t, nil, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		_, err := components.NewNodeKey(ctx, "key", &components.NodeKeyArgs{Host: hosts["prep-1"], Software: components.Software{
			Container: &components.Container{Image: "localhost/node@sha256:00", Engine: "docker", Archive: "node.tar"},
		}})
		if err == nil || !strings.Contains(err.Error(), "Software.Container.Archive: docker keeps no digest") {
			t.Errorf("the error does not name Software.Container.Archive: %v", err)
		}
		return nil
	})
}
