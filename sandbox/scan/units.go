package scan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// exposure is the last line of `systemd-analyze security UNIT`.
var exposure = regexp.MustCompile(`Overall exposure level for (\S+): (\d+(?:\.\d+)?) `)

// ParseExposure reads the output of `systemd-analyze security UNIT`: 0 is a unit that can do nothing, 10 one that can do anything.
func ParseExposure(text, unit string) (float64, error) {
	for line := range strings.Lines(text) {
		found := exposure.FindStringSubmatch(line)
		if found == nil || found[1] != unit {
			continue
		}
		level, err := strconv.ParseFloat(found[2], 64)
		if err != nil || level > 10 {
			return 0, fmt.Errorf("systemd-analyze security %s: level %q: want a number from 0 to 10", unit, found[2])
		}
		return level, nil
	}
	return 0, fmt.Errorf("systemd-analyze security %s: no line with its level: want a unit that systemd knows and that is a service", unit)
}
