package remote

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// For the tests, which are outside the package because their tools import it.
var SummaryValue = summaryValue

// Online takes back Offline, which the recorder sets: the hosts of some tests are servers of their own process.
func Online(ctx *pulumi.Context) *pulumi.Context { return ctx.WithValue(offlineKey{}, nil) }
