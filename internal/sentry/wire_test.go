package sentry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/host"
)

// The environment variable that has the test's own binary play the network inside the isolated place.
const playNetwork = "ICON_TEST_PLAY_NETWORK"

func TestMain(m *testing.M) {
	if config := os.Getenv(playNetwork); config != "" {
		if err := probeAll(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// firstPacket is goloop's first packet: a header of 30 bytes that begins with the protocol, then a msgpack array of four that begins
// with the chain id.
func firstPacket(protocol, channel string) []byte {
	packet := append([]byte(protocol), make([]byte, 26)...)
	packet = append(packet, 0x94, 0xa0|byte(len(channel)))
	return append(append(packet, channel...), 0x90, 0x90, 0x90)
}

const handshake = "\x00\x00\x01\x00"

// firsts are what peers may begin with; those that pass must reach the P-Rep byte for byte.
var firsts = map[string]struct {
	bytes  []byte
	passes bool
}{
	"ours":            {firstPacket(handshake, "1ecbb6"), true},
	"another network": {firstPacket(handshake, "1ecbb7"), false},
	"shorter id":      {firstPacket(handshake, "1ecbb"), false},
	"longer id":       {firstPacket(handshake, "1ecbb61"), false},
	"another packet":  {firstPacket("\x00\x00\x02\x00", "1ecbb6"), false},
	"HTTP":            {[]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: nobody\r\n\r\n"), false},
	"TLS":             {append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), make([]byte, 60)...), false},
	"half a header":   {[]byte(handshake + "\x00\x00"), false},
	"nothing":         {nil, false},
}

func TestOnlyHandshakesForOurNetworkPass(t *testing.T) {
	s := settings()
	s.PRep, s.CID, s.Limits.P2PNewPerSource = "127.0.0.1:7199", "0x1ecbb6", 100
	dir := t.TempDir()
	config := strings.ReplaceAll(render(t, s), "/run/icon-sentry/", dir+"/")
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := host.Isolated("sh", "-c", `ip link set lo up && exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), playNetwork+"="+path)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	var arrived map[string][]byte
	if err := json.Unmarshal(out.Bytes(), &arrived); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), log.String())
	}
	for name, first := range firsts {
		want := first.bytes
		if !first.passes {
			want = nil
		}
		if !bytes.Equal(arrived[name], want) {
			t.Errorf("%s: the P-Rep got %q, wanted %q", name, arrived[name], want)
		}
	}
}

// probeAll runs HAProxy and a P-Rep's port, sends every first packet and prints what arrived for each.
func probeAll(config string) error {
	prep, err := net.Listen("tcp", "127.0.0.1:7199")
	if err != nil {
		return err
	}
	go echoAll(prep)
	proxy := exec.Command("haproxy", "-W", "-f", config)
	proxy.Stdout, proxy.Stderr = os.Stderr, os.Stderr
	if err := proxy.Start(); err != nil {
		return err
	}
	defer func() { _ = proxy.Process.Kill() }()
	if err := await("127.0.0.1:7100"); err != nil {
		return err
	}
	arrived := map[string][]byte{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, first := range firsts {
		wg.Go(func() {
			got := probe(first.bytes)
			mu.Lock()
			arrived[name] = got
			mu.Unlock()
		})
	}
	wg.Wait()
	return json.NewEncoder(os.Stdout).Encode(arrived)
}

func echoAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

func await(address string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// probe sends a first packet and gives what comes back: everything, if the P-Rep was reached.
func probe(first []byte) []byte {
	conn, err := net.Dial("tcp", "127.0.0.1:7100")
	if err != nil {
		return []byte(err.Error())
	}
	defer func() { _ = conn.Close() }()
	// In two parts, as a slow network may bring them.
	for part := range slices.Chunk(first, max(1, len(first)*2/3)) {
		if _, err := conn.Write(part); err != nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	// A connection that is still open after the 3 s of the filter, and silent, has not been cut.
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	back := make([]byte, max(1, len(first)))
	n, err := io.ReadFull(conn, back)
	if os.IsTimeout(err) {
		return []byte("still open")
	}
	return back[:n]
}
