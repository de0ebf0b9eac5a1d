package proxy

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Entry of a stick table.
type Entry struct {
	// Key as HAProxy writes it.
	Key string
	// Expires is when the entry ends if nothing is noted of it until then.
	Expires time.Duration
	// GPT0 and GPC0 are the tag and the counter; 0 where the table has none.
	GPT0, GPC0 uint64
	// Rate is how much the counter has grown in the time for which the table says so, 0 where it does not.
	Rate uint64
}

// Table gives the entries of a stick table whose GPC0 is at least so many.
func (c *Client) Table(ctx context.Context, name string, atLeast int) ([]Entry, error) {
	return c.table(ctx, name, "gpc0", atLeast)
}

// Offenders gives the entries whose Rate is at least so many. It asks for no more than that, because a large table takes HAProxy's time.
func (c *Client) Offenders(ctx context.Context, name string, atLeast int) ([]Entry, error) {
	return c.table(ctx, name, "gpc0_rate", atLeast)
}

func (c *Client) table(ctx context.Context, name, counter string, atLeast int) ([]Entry, error) {
	if err := words(name); err != nil {
		return nil, err
	}
	command := fmt.Sprintf("show table %s data.%s ge %d", name, counter, atLeast)
	said, err := c.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(said, "# table: "+name+",") {
		return nil, &Refusal{command, said}
	}
	return parseTable(said)
}

// ForgetStrikes sets the counter of some of a table's keys to 0. An entry that is in use, which could not be removed, is treated like any
// other.
func (c *Client) ForgetStrikes(ctx context.Context, name string, addresses []netip.Addr) error {
	if err := words(name); err != nil {
		return err
	}
	commands := make([]string, 0, len(addresses))
	for _, a := range addresses {
		commands = append(commands, fmt.Sprintf("set table %s key %s data.gpc0 0 data.gpc0_rate 0 data.gpt0 0", name, a))
	}
	return c.silent(ctx, commands)
}

// parseTable reads what "show table" says. A line that is cut off, as by a HAProxy that ends, is left out.
func parseTable(said string) ([]Entry, error) {
	var all []Entry
	lines := bufio.NewScanner(strings.NewReader(said))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		e, whole, err := parseEntry(line)
		if err != nil {
			return nil, err
		}
		if whole {
			all = append(all, e)
		}
	}
	return all, lines.Err()
}

// parseEntry reads one line: "0x55d4: key=192.0.2.7 use=0 exp=59870 shard=0 gpt0=3 gpc0=21 gpc0_rate(60000)=21".
func parseEntry(line string) (e Entry, whole bool, err error) {
	for field := range strings.FieldsSeq(line) {
		name, value, found := strings.Cut(field, "=")
		if !found {
			continue
		}
		var target *uint64
		// A rate's name has the milliseconds that it is of: "gpc0_rate(60000)".
		name, _, _ = strings.Cut(name, "(")
		switch name {
		case "key":
			e.Key = value
			continue
		case "exp":
			ms, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return e, false, fmt.Errorf("HAProxy's table: %q in %q is no time in milliseconds", field, line)
			}
			e.Expires = time.Duration(ms) * time.Millisecond
			continue
		case "gpt0":
			target = &e.GPT0
		case "gpc0":
			target = &e.GPC0
		case "gpc0_rate":
			target = &e.Rate
		default:
			continue
		}
		if *target, err = strconv.ParseUint(value, 10, 64); err != nil {
			return e, false, fmt.Errorf("HAProxy's table: %q in %q is no number", field, line)
		}
		whole = whole || name == "gpc0"
	}
	return e, whole && e.Key != "", nil
}
