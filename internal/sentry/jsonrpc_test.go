package sentry_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// goloopMethods are what goloop v1.4.4 answers below /api/v3 (server/v3/api_v3.go), in its order.
const goloopMethods = `icx_getLastBlock icx_getBlockByHeight icx_getBlockByHash icx_call icx_getBalance icx_getScoreApi icx_getTotalSupply
icx_getTransactionResult icx_getTransactionByHash icx_sendTransaction icx_sendTransactionAndWait icx_waitTransactionResult
icx_getDataByHash icx_getBlockHeaderByHeight icx_getVotesByHeight icx_getProofForResult icx_getProofForEvents icx_getScoreStatus
icx_getNetworkInfo btp_getNetworkInfo btp_getNetworkTypeInfo btp_getMessages btp_getHeader btp_getProof btp_getSourceInformation`

// classes are the inspector's.
func classes() map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) = "(\w+)",$`).FindAllStringSubmatch(sentry.LuaText, -1) {
		all[m[1]] = m[2]
	}
	return all
}

func TestEveryMethodOfGoloopIsPublishedAndNoOther(t *testing.T) {
	got, want := slices.Sorted(maps.Keys(classes())), strings.Fields(goloopMethods)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("published %v, wanted %v", got, want)
	}
}

// goloopRequest is goloop's jsonrpc.Request; read makes of a body what goloop does (server/middleware.go, server/jsonrpc).
type goloopRequest struct {
	Version string          `json:"jsonrpc"`
	Method  *string         `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
	ID      any             `json:"id"`
}

func read(body []byte) ([]goloopRequest, error) {
	var raw json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&raw); err != nil {
		return nil, err
	}
	var raws []json.RawMessage
	if json.Unmarshal(raw, &raws) != nil {
		raws = []json.RawMessage{raw}
	}
	var all []goloopRequest
	for _, raw := range raws {
		var r goloopRequest
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return nil, err
		}
		if r.Version != "2.0" || r.Method == nil {
			return nil, errors.New("not valid")
		}
		all = append(all, r)
	}
	return all, nil
}

// inspector is HAProxy with the real configuration, over sockets of the file system: it says what it saw to the citizen behind, which says
// what goloop would read.
type inspector struct {
	tb   testing.TB
	dir  string
	conn net.Conn
	r    *bufio.Reader
	// plain is how many bodies were let through by their form.
	plain int
}

func newInspector(tb testing.TB) *inspector {
	tb.Helper()
	dir := tb.TempDir()
	s := settings()
	s.Citizens = []string{"127.0.0.1:9199"}
	path := stage(tb, s, dir)
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	changed := strings.NewReplacer(
		"bind :7100 tcp-ut 5s", "bind unix@"+dir+"/p2p.sock", "bind :9000 proto h1 tcp-ut 5s", "bind unix@"+dir+"/api.sock proto h1",
		"bind "+sentry.HAProxyMetrics, "bind unix@"+dir+"/metrics.sock", "127.0.0.1:9199 check", "unix@"+dir+"/node.sock",
		"127.0.0.1:9199 track citizens/citizen0", "unix@"+dir+"/node.sock", "http-request set-header x-forwarded-for %[src]",
		"http-request set-header x-seen \"%[var(txn.rpc)] %[var(txn.class)] %[var(txn.calls)] %[var(txn.answer)]\"").Replace(string(text))
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		tb.Fatal(err)
	}
	node, err := net.Listen("unix", dir+"/node.sock")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = node.Close() })
	go func() {
		_ = http.Serve(node, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", r.Header.Get("X-Seen"))
			w.Header().Set("X-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body)
		}))
	}()
	run(tb, dir)
	i := &inspector{tb: tb, dir: dir}
	until(tb, "HAProxy", func() bool {
		_, err := os.Stat(filepath.Join(dir, "api.sock"))
		return err == nil
	})
	return i
}

// post gives the answer, and whether the body has reached the citizen.
func (i *inspector) post(body []byte) (a answer, reached bool) {
	i.tb.Helper()
	for try := 0; ; try++ {
		if i.conn == nil {
			var err error
			if i.conn, err = net.Dial("unix", i.dir+"/api.sock"); err != nil {
				i.tb.Fatal(err)
			}
			i.r = bufio.NewReader(i.conn)
		}
		_ = i.conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = i.conn.Write(append([]byte(message("POST", "/api/v3", "", fmt.Sprintf("Content-Length: %d", len(body)))), body...))
		a = receive(i.r)
		if a.status == 0 || a.header.Get("Connection") == "close" {
			_ = i.conn.Close()
			i.conn = nil
		}
		// A connection that was kept may have been at its end.
		if a.status != 0 || try == 2 {
			return a, a.header.Get("X-Seen") != ""
		}
	}
}

// check sends a body, and fails if the citizen reads anything else in it than what the inspector saw.
func (i *inspector) check(body []byte) bool {
	i.tb.Helper()
	a, reached := i.post(body)
	if !reached {
		var refusal struct {
			Error struct{ Code int }
			ID    any
		}
		if err := json.Unmarshal([]byte(a.body), &refusal); err != nil || refusal.Error.Code == 0 || a.status < 400 {
			i.tb.Errorf("%.200q is refused with %d %q: no error of JSON-RPC (%v)", body, a.status, a.body, err)
		}
		return false
	}
	calls, err := read(body)
	if err != nil {
		i.tb.Errorf("%.200q reached the citizen, which cannot read it: %v", body, err)
		return true
	}
	class := "cheap"
	if len(calls) > 1 {
		class = "expensive"
	}
	for _, c := range calls {
		of, ok := classes()[*c.Method]
		if !ok {
			i.tb.Errorf("%.200q has the citizen do %q", body, *c.Method)
		}
		if of == "expensive" {
			class = of
		}
	}
	// What is known by its form alone is one cheap call.
	by, rest, _ := strings.Cut(strings.Replace(a.header.Get("X-Seen"), "plain   ", "plain cheap 1 ", 1), " ")
	if by == "plain" {
		i.plain++
	}
	seen, rest, _ := strings.Cut(rest, " ")
	number, id, _ := strings.Cut(rest, " ")
	if seen != class || number != fmt.Sprint(len(calls)) || a.header.Get("X-Length") != fmt.Sprint(len(body)) {
		i.tb.Errorf("%.200q was taken for %s calls, %s; the citizen reads %d, %s", body, number, seen, len(calls), class)
	}
	var repeated any
	if err := json.Unmarshal([]byte(id), &repeated); err != nil {
		i.tb.Errorf("%.200q: the id %q is no JSON", body, id)
	} else if repeated != nil && (len(calls) != 1 || repeated != calls[0].ID) {
		i.tb.Errorf("%.200q: the id %q is not the caller's", body, id)
	}
	return true
}

// honest are bodies that clients send.
var honest = []string{
	lastBlock, dear, "[" + lastBlock + "]", "[" + lastBlock + ",\n" + dear + "]", " \r\n\t" + lastBlock + "\n",
	`{"id":1688,"params":{"to":"cx0000000000000000000000000000000000000000","dataType":"call",` +
		`"data":{"method":"getPReps","params":{"startRanking":"0x1"}}},"method":"icx_call","jsonrpc":"2.0"}`,
	`{ "jsonrpc" : "2.0",
	"method" : "icx_getBalance",
	"id" : "a b-c_ü",
	"params" : { "address" : "hx\u0030" , "x":[1,-2.5e+7,true,false,null,"\"\\"] } }`,
	`{"jsonrpc":"2.0","method":"icx_sendTransaction","params":{"Ünï":"日本語 \ud83d\ude00"}}`,
	`{"jsonrpc":"2.0","id":null,"method":"icx_getLastBlock","params":null}`,
	`{"jsonrpc":"2.0","id":-12,"method":"icx_getLastBlock","params":[]}`,
	`{"jsonrpc":"2.0","id":1.5,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":"a\\","method":"icx_getLastBlock","params":{"a\\\"b":"\\\\","c":"\/\b\f\n\r\t\u00e9\\u"}}`,
	`{"jsonrpc":"2.0","id":"~","method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","params":{"a":"` + strings.Repeat(`\ud55c\"`, 5000) + `"}}`,
}

// evasions try to have the inspector see something else than the citizen does, or nothing.
var evasions = []string{
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","method":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","METHOD":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"Method":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","\u006dethod":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"\u006dethod":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getProofFor\u0045vents"}`,
	`{"jſonrpc":"2.0","id":1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}{"jsonrpc":"2.0","id":1,"method":"icx_getProofForEvents"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"} x`, `{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}]`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock",}`,
	`{"jsonrpc":"2.0" "id":1}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"`,
	`{"jsonrpc":"2.0","id":1,"method":"debug_getTrace"}`,
	`{"jsonrpc":"2.0","id":1,"method":"debug_estimateStep"}`,
	`{"jsonrpc":"2.0","id":1,"method":""}`,
	`{"jsonrpc":"2.0","id":1,"method":null}`,
	`{"jsonrpc":"2.0","id":1,"method":["icx_getLastBlock"]}`,
	`{"jsonrpc":"1.0","id":1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":2.0,"id":1,"method":"icx_getLastBlock"}`,
	`{"id":1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":[1],"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":{"a":1},"method":"icx_getLastBlock"}`, `{"jsonrpc":"2.0","id":true,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","params":"x"}`, `{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","more":1}`,
	`{"jsonrpc":"2.0","id":01,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":+1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1.,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1e999,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":` + strings.Repeat("9", 400) + `,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":0x1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1e,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":NaN,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":"\x41","method":"icx_getLastBlock"}`, `{"jsonrpc":"2.0","id":"\u00","method":"icx_getLastBlock"}`,
	"{\"jsonrpc\":\"2.0\",\"id\":\"\x01\",\"method\":\"icx_getLastBlock\"}",
	"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"icx_getLastBlock\"}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"icx_getLastBlock\xff\"}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"icx_getLastBlock\x00\"}",
	"\xef\xbb\xbf" + lastBlock, "\x00" + lastBlock, "\v" + lastBlock, "\u00a0" + lastBlock, "/**/" + lastBlock, "'" + lastBlock + "'",
	`{"jsonrpc":"2.0","id":"\u00\\41","method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":"\","method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":\"1","method":"icx_getLastBlock"}`,
	`{\"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}\n`,
	`{"jsonrpc":"2.0","id":1,"method":"icx\\getLastBlock"}`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock\\"}`,
	`[` + strings.Repeat("{},", 20_000) + `{}]`,
	`[]`,
	`[1]`,
	`[null]`,
	`[[` + lastBlock + `]]`,
	`[` + lastBlock + `,]`,
	`[` + lastBlock + ` ` + lastBlock + `]`,
	`[` + lastBlock + `,1]`,
	`[{"jsonrpc":"2.0","id":1,"method":"debug_getTrace"}]`, `[` + lastBlock + `,{"jsonrpc":"2.0","id":1,"method":"debug_getTrace"}]`,
	`null`, `true`, `1`, `"icx_getLastBlock"`, ``, ` `, `{}`, `{`, `[`, `]`, `"`, `{"`, `{"a"`, `{"a":`, `-`, `tru`, `nulll`,
	`{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","params":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	strings.Repeat("[", 60_000), strings.Repeat(`{"a":`, 10_000),
}

func TestNothingReachesTheCitizenAsSomethingElseThanWhatWasInspected(t *testing.T) {
	t.Parallel()
	i := newInspector(t)
	for _, body := range honest {
		if !i.check([]byte(body)) {
			t.Errorf("%q is refused", body)
		}
	}
	for _, body := range evasions {
		if i.check([]byte(body)) {
			t.Errorf("%.200q is let through", body)
		}
	}
	// Large numbers and much space are what they are.
	for _, body := range []string{
		strings.Replace(lastBlock, "7", strings.Repeat("9", 40), 1), strings.Replace(lastBlock, "7", strings.Repeat(" ", 60_000)+"7", 1),
		strings.Replace(lastBlock, "7", `"`+strings.Repeat("x", 60_000)+`"`, 1),
	} {
		if !i.check([]byte(body)) {
			t.Errorf("%.80q… is refused", body)
		}
	}
	// The same, with some bytes changed.
	random := rand.New(rand.NewSource(1))
	all := slices.Concat(honest, honest, plain, plain, plain, evasions[:60])
	let := 0
	i.plain = 0
	const n = 4000
	for range n {
		if i.check(mutated(random, all)) {
			let++
		}
	}
	if i.plain < n/50 {
		t.Errorf("%d of %d changed bodies were known by their form: they test nothing", i.plain, n)
	}
	if let < n/50 || let > n*9/10 {
		t.Errorf("%d of %d changed bodies were let through: they test nothing", let, n)
	}
}

// plain are bodies that are known by their form.
var plain = []string{
	lastBlock, " \r\n\t" + lastBlock + "\n",
	`{"jsonrpc":"2.0","method":"icx_call","id":1688,"params":{"to":"cx0000000000000000000000000000000000000000","dataType":"call",` +
		`"data":{"method":"getPReps","params":{"startRanking":"0x1"}}}}`,
	`{"jsonrpc":"2.0","method":"icx_getBalance","params":{"address":"hx0000000000000000000000000000000000000000"},"id":"a b-~"}`,
	`{ "id" : -12 , "jsonrpc" : "2.0" , "method" : "icx_getBlockByHeight" , "params" : { "height" : "0x1" , "x" : { } } }`,
	`{"jsonrpc":"2.0","id":null,"method":"icx_getTotalSupply","params":{}}`,
	`{"jsonrpc":"2.0","method":"icx_getLastBlock","id":0}`,
}

func TestWhatNearlyAllSendIsKnownByItsFormAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	i := newInspector(t)
	for n, body := range plain {
		if !i.check([]byte(body)) || i.plain != n+1 {
			t.Errorf("%q is refused, or is not known by its form", body)
		}
	}
	i.plain = 0
	// Expensive methods, what is escaped, more than ASCII, other values, larger bodies and other orders are for the inspector.
	for _, body := range slices.Concat(evasions, []string{
		dear, "[" + lastBlock + "]", strings.Replace(lastBlock, "7", `"\u0041"`, 1), strings.Replace(lastBlock, "7", `"ü"`, 1), "=" + lastBlock,
		"=7", strings.Replace(lastBlock, "7", strings.Repeat(" ", 1000)+"7", 1), strings.Replace(lastBlock, "}", `,"params":{"a":1}}`, 1),
		strings.Replace(lastBlock, "}", `,"params":{"a":{"b":{"c":{"d":"e"}}}}}`, 1), lastBlock + "\x00", lastBlock + "\n\v",
		`{"jsonrpc":"2.0","id":7,"method":"icx_getLastBlock","params":{},"id":8}`,
		`{"jsonrpc":"2.0","id":7,"method":"icx_getLastBlock","params":{"a":"b",}}`,
		`{"jsonrpc":"2.0","id":-01,"method":"icx_getLastBlock"}`, `{"jsonrpc":"2.0","id":--1,"method":"icx_getLastBlock"}`,
		`{"jsonrpc":"2.0","id":7,"method":"icx_getLastBlock"}` + strings.Repeat("\n", 1200) + `{`,
	}) {
		if i.check([]byte(body)); i.plain != 0 {
			t.Fatalf("%.200q is known by its form", body)
		}
	}
}

// mutated is one of the bodies, with a few of its bytes or parts changed for those of others.
func mutated(random *rand.Rand, all []string) []byte {
	pieces := []string{
		`"`, `\`, `\\`, `~`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, "\n", "\x00", "\xc5\xbf", `\u0065`, `"method"`, `"METHOD"`, `"id"`, `null`, `1e9`,
		`"icx_getProofForEvents"`, `"params":{}`, " ", "\t", "", "", `,"method":"btp_getProof"`,
	}
	body := []byte(all[random.Intn(len(all))])
	for range 1 + random.Intn(2) {
		at := random.Intn(len(body) + 1)
		// Between two parts, half of the time, where something may fit in.
		if next := bytes.IndexAny(body[at:], ",:{}[]"); next >= 0 && random.Intn(2) == 0 {
			at += next
		}
		end := min(len(body), at+max(0, random.Intn(6)-3))
		body = slices.Concat(body[:at], []byte(pieces[random.Intn(len(pieces))]), body[end:])
	}
	return body
}

func FuzzWhatWasInspectedIsWhatTheCitizenReads(f *testing.F) {
	for _, body := range slices.Concat(honest, plain, evasions) {
		f.Add([]byte(body))
	}
	i := newInspector(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 65536 {
			return
		}
		i.tb = t
		i.check(body)
	})
}
