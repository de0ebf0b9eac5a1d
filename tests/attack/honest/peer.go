package honest

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"net/netip"
	"strings"
)

// peer comes to the P2P port as a validator does, and is content when goloop answers its first packet.
func (l *load) peer(ctx context.Context, from netip.Addr) error {
	packet, err := FirstPacket(l.config.CID)
	if err != nil {
		return err
	}
	conn, err := dialer(from).DialContext(ctx, "tcp4", l.config.P2P.String())
	if err != nil {
		return plain(err)
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	if _, err := conn.Write(packet); err != nil {
		return plain(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return plain(err)
	}
	if !bytes.Equal(answer, []byte{0, 0, 2, 0}) {
		return errors.New("the answer is no SecureResponse")
	}
	return nil
}

// FirstPacket is what goloop's dialling side begins with: a SecureRequest for the network's channel, with a key of its own.
func FirstPacket(cid string) ([]byte, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	channel := strings.TrimPrefix(cid, "0x")
	public := key.PublicKey().Bytes()
	payload := append([]byte{0x94, 0xa0 | byte(len(channel))}, channel...)
	// Suites none, tls and ecdhe; then the ciphers.
	payload = append(payload, 0xc4, 3, 1, 2, 3, 0xc4, 3, 1, 2, 3, 0xc4, byte(len(public)))
	payload = append(payload, public...)
	id := make([]byte, 20)
	_, _ = rand.Read(id)
	packet := append([]byte{0, 0, 1, 0}, id...)
	packet = append(packet, 0xff, 1)
	packet = binary.BigEndian.AppendUint32(packet, uint32(len(payload)))
	packet = append(packet, payload...)
	sum := fnv.New64a()
	_, _ = sum.Write(packet)
	packet = binary.BigEndian.AppendUint64(packet, sum.Sum64())
	return append(packet, 0, 0), nil
}
