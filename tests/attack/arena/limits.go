package arena

import (
	"io"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// limitLine is what HAProxy tells of a limit: its name and how often it was met.
var limitLine = regexp.MustCompile(`key=(\S+) .*gpc0=(\d+)`)

// limits asks the proxy of sentry 1 how often each limit was met; nothing where it keeps no such table.
func (a *Arena) limits() map[string]int {
	all := map[string]int{}
	if len(a.fronts) == 0 || a.fronts[0].spec.Agent == nil {
		return all
	}
	conn, err := net.DialTimeout("unix", within(a.fronts[0].dir).Replace(sentry.AdminSocket), time.Second)
	if err != nil {
		return all
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "show table "+sentry.LimitsTable+"\n"); err != nil {
		return all
	}
	text, _ := io.ReadAll(conn)
	for _, found := range limitLine.FindAllSubmatch(text, -1) {
		all[string(found[1])], _ = strconv.Atoi(string(found[2]))
	}
	return all
}
