package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Counters of the table, in packets, by their names.
func (t *Table) Counters() (map[string]uint64, error) {
	c, err := conn()
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	objects, err := c.GetNamedObjects(t.table)
	if err != nil {
		return nil, t.explain(fmt.Errorf("nftables: counters of inet %s: %w", sentry.Table, err))
	}
	counters := map[string]uint64{}
	for _, o := range objects {
		named, is := o.(*nftables.NamedObj)
		if !is {
			continue
		}
		if counter, is := named.Obj.(*expr.Counter); is {
			counters[named.Name] = counter.Packets
		}
	}
	if len(counters) == 0 {
		return nil, t.explain(fmt.Errorf("nftables: inet %s has no counters", sentry.Table))
	}
	return counters, nil
}

func header(family uint8) []byte { return []byte{family, unix.NFNETLINK_V0, 0, 0} }

const (
	subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	// typeMask of an attribute's kind: the two bits above it are flags.
	typeMask = 0x3fff
)

// generation is the ruleset's number, which grows with each transaction of anybody.
func generation() (uint32, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, fmt.Errorf("netlink: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, fmt.Errorf("netlink: %w", err)
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: subsystem | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   header(unix.NFPROTO_UNSPEC),
	})
	if err != nil {
		return 0, fmt.Errorf("nftables: the ruleset's number: %w", err)
	}
	for _, m := range answers {
		if len(m.Data) < 4 {
			continue
		}
		attributes, err := netlink.NewAttributeDecoder(m.Data[4:])
		if err != nil {
			return 0, fmt.Errorf("nftables: the ruleset's number: %w", err)
		}
		attributes.ByteOrder = binary.BigEndian
		for attributes.Next() {
			if attributes.Type() == unix.NFTA_GEN_ID {
				return attributes.Uint32(), nil
			}
		}
	}
	return 0, errors.New("nftables: the kernel gave no number of the ruleset")
}

// Proven counts the addresses that were served lately. It reads the set piece by piece and keeps none of it: a set can hold a quarter of a
// million. Kernels before 6.16 tell no size of a set.
func (t *Table) Proven() (int, error) {
	n, err := count(sentry.Table, sentry.SetProven)
	if err != nil {
		return 0, t.explain(fmt.Errorf("nftables: set %s of inet %s: %w", sentry.SetProven, sentry.Table, err))
	}
	return n, nil
}

func count(table, set string) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(answerTime.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return 0, err
	}
	names, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_SET_ELEM_LIST_TABLE, Data: []byte(table + "\x00")},
		{Type: unix.NFTA_SET_ELEM_LIST_SET, Data: []byte(set + "\x00")},
	})
	if err != nil {
		return 0, err
	}
	question := netlink.Message{
		Header: netlink.Header{Type: subsystem | unix.NFT_MSG_GETSETELEM, Flags: netlink.Request | netlink.Dump, Sequence: 1},
		Data:   append(header(unix.NFPROTO_INET), names...),
	}
	question.Header.Length = uint32(unix.NLMSG_HDRLEN + len(question.Data)) //nolint:gosec // two names
	raw, err := question.MarshalBinary()
	if err != nil {
		return 0, err
	}
	if err := unix.Sendto(fd, raw, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	total, buffer := 0, make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		found, done, err := countElements(buffer[:n])
		if total += found; err != nil || done {
			return total, err
		}
	}
}

// countElements counts in one piece of the kernel's answer; done says that it was the last.
func countElements(piece []byte) (n int, done bool, err error) {
	messages, err := unixMessages(piece)
	if err != nil {
		return 0, false, err
	}
	for _, m := range messages {
		switch {
		case m.kind == unix.NLMSG_DONE:
			return n, true, nil
		case m.kind == unix.NLMSG_ERROR && len(m.data) >= 4:
			return n, true, unix.Errno(-int32(binary.NativeEndian.Uint32(m.data))) //nolint:gosec // the kernel's own negative number
		case m.kind != subsystem|unix.NFT_MSG_NEWSETELEM || len(m.data) < 4:
			continue
		}
		n += countList(m.data[4:])
	}
	return n, false, nil
}

type message struct {
	kind uint16
	data []byte
}

// unixMessages splits what a netlink socket gave.
func unixMessages(piece []byte) ([]message, error) {
	var all []message
	for len(piece) >= unix.NLMSG_HDRLEN {
		length := int(binary.NativeEndian.Uint32(piece))
		if length < unix.NLMSG_HDRLEN || length > len(piece) {
			return nil, errors.New("netlink: a message is cut off")
		}
		all = append(all, message{binary.NativeEndian.Uint16(piece[4:]), piece[unix.NLMSG_HDRLEN:length]})
		piece = piece[min(len(piece), (length+3)&^3):]
	}
	return all, nil
}

// countList counts the elements of one message.
func countList(attributes []byte) int {
	n := 0
	each(attributes, func(kind uint16, data []byte) {
		if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			each(data, func(kind uint16, _ []byte) {
				if kind == unix.NFTA_LIST_ELEM {
					n++
				}
			})
		}
	})
	return n
}

func each(attributes []byte, do func(kind uint16, data []byte)) {
	for len(attributes) >= unix.NLA_HDRLEN {
		length := int(binary.NativeEndian.Uint16(attributes))
		if length < unix.NLA_HDRLEN || length > len(attributes) {
			return
		}
		do(binary.NativeEndian.Uint16(attributes[2:])&typeMask, attributes[unix.NLA_HDRLEN:length])
		attributes = attributes[min(len(attributes), (length+3)&^3):]
	}
}
