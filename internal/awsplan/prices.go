package awsplan

import (
	"bytes"
	_ "embed" // the table of prices
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// pricesAsOf is the day when the table's prices were looked up.
const pricesAsOf = "2026-11-22"

// pricesFor is the region whose prices stand for those of regions without any here.
const pricesFor = "us-east-1"

//go:embed prices.csv
var pricesFile []byte

// price is what one unit costs.
type price struct {
	usd  float64
	unit string
	// unread says that it was found in no source.
	unread bool
}

// readPrices is the table by region and item. It is read once; a mistake in it is a mistake of this library's, which its test finds.
var readPrices = sync.OnceValues(func() (map[string]map[string]price, error) {
	reader := csv.NewReader(bytes.NewReader(pricesFile))
	reader.Comment = '#'
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("prices.csv: %w", err)
	}
	table := map[string]map[string]price{}
	for _, row := range rows[1:] {
		for column := 2; column < len(row)-1; column++ {
			text, unread := strings.CutSuffix(row[column], "?")
			usd, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("prices.csv: %s: %w", row[0], err)
			}
			name := rows[0][column]
			if table[name] == nil {
				table[name] = map[string]price{}
			}
			table[name][row[0]] = price{usd: usd, unit: row[1], unread: unread}
		}
	}
	return table, nil
})

// prices are those of one region.
type prices struct {
	items map[string]price
	// missing are the items asked for that the table lacks; unread is what they were asked for where no source was found.
	missing, unread []string
}

// pricesOf are the region's prices, and the region that they are of.
func pricesOf(region string) (*prices, string) {
	table, err := readPrices()
	if err != nil {
		return &prices{}, region
	}
	if items, ok := table[region]; ok {
		return &prices{items: items}, region
	}
	return &prices{items: table[pricesFor]}, pricesFor
}

// of is the price of an item for a kind of resource; one that is not in the table costs nothing, and is noted.
func (p *prices) of(item, kind string) price {
	found, ok := p.items[item]
	switch {
	case !ok && !slices.Contains(p.missing, item):
		p.missing = append(p.missing, item)
	case found.unread:
		p.unread = append(p.unread, kind)
	}
	return found
}

// text is a price in words, "0.006 per NLCU-hour"; "about" says that it was found in no source.
func (p *prices) text(item string) string {
	found := p.items[item]
	unit := strings.Replace(strings.Replace(found.unit, "-hours", "-hour", 1), "-months", "-month", 1)
	about := ""
	if found.unread {
		about = "about "
	}
	return fmt.Sprintf("%s%s per %s", about, strconv.FormatFloat(found.usd, 'f', -1, 64), unit)
}
