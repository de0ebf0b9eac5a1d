package cost

import (
	"math"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func example() Cost {
	return Cost{
		Region: "eu-central-1", AsOf: "2026-11-22",
		Lines: []Line{
			{Kind: "EC2 m7i.2xlarge (prep-1)", Count: 730, Unit: "hours", USD: 352.59},
			{Kind: "EBS gp3", Count: 2400.5, Unit: "GiB-months", USD: 228.48},
			{Kind: "KMS keys", Count: 1, Unit: "months", USD: 1},
		},
		Note: "The first remark.\nThe second remark.",
	}
}

func TestACostIsPrintedAsATableWithItsSumAndItsNotes(t *testing.T) {
	golden.Check(t, "example.txt", example().String())
	golden.Check(t, "empty.txt", Cost{Region: "us-east-1", AsOf: "2026-11-22"}.String())
}

func TestTheTotalIsTheSumOfTheLines(t *testing.T) {
	if got := example().Total(); math.Abs(got-582.07) > 1e-9 {
		t.Errorf("total %v, wanted 582.07", got)
	}
}
