package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// bodyLimit of an answer. All P-Reps of the main network take a tenth of a MiB.
	bodyLimit = 8 << 20
	// askTimeout is for one question, from dialling to the answer's last byte.
	askTimeout = 10 * time.Second
	// behindLimit is how old the last block of a node may be that is believed.
	behindLimit = 15 * time.Minute
	// ranks are how many P-Reps are asked for besides those of the term: who is in jail is behind these.
	ranks = 500
	// listed is how many endpoints of one answer are looked at.
	listed = 1000
	// governance is the contract that keeps the P-Reps.
	governance = "cx0000000000000000000000000000000000000000"
)

// newHTTP is a client that takes nobody's word for where to go.
func newHTTP() *http.Client {
	return &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			// No proxy, whatever the environment says; no connection is kept for the minutes until the next question.
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0].URL
			if r.URL.Host != first.Host || r.URL.Scheme != first.Scheme || len(via) > 3 {
				return fmt.Errorf("is led on to %s://%s, which is not asked: name that address if it is right", r.URL.Scheme, shorten(r.URL.Host))
			}
			return nil
		},
	}
}

// ask sends a request and reads the answer, of any status below 500.
func ask(ctx context.Context, client *http.Client, method, address string, body []byte) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("User-Agent", "icon-sentry")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		// The error of net/http begins with the method and the address; who calls says that.
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(answer) > bodyLimit:
		return nil, 0, fmt.Errorf("the answer has more than %d MiB", bodyLimit>>20)
	}
	return answer, response.StatusCode, nil
}

// refusal is a node's own "no": it works, and has no P-Reps to tell of.
type refusal struct {
	code    int
	message string
}

func (r *refusal) Error() string { return fmt.Sprintf("error %d: %s", r.code, shorten(r.message)) }

// contract is a question to the one that keeps the P-Reps.
func contract(method string, params map[string]string) map[string]any {
	data := map[string]any{"method": method}
	if len(params) > 0 {
		data["params"] = params
	}
	return map[string]any{"to": governance, "dataType": "call", "data": data}
}

// call asks a node, and returns the result.
func call(ctx context.Context, client *http.Client, address, method string, params map[string]any) (json.RawMessage, error) {
	question := map[string]any{"jsonrpc": "2.0", "id": 1, "method": method}
	if params != nil {
		question["params"] = params
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	answer, status, err := ask(ctx, client, http.MethodPost, address, body)
	if err != nil {
		return nil, err
	}
	result, err := parseAnswer(answer)
	var no *refusal
	if err != nil && status != http.StatusOK && !errors.As(err, &no) {
		return nil, fmt.Errorf("HTTP status %d", status)
	}
	return result, err
}

func parseAnswer(answer []byte) (json.RawMessage, error) {
	var a struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("the answer is no JSON-RPC: %w", err)
	}
	if a.Error != nil {
		return nil, &refusal{a.Error.Code, a.Error.Message}
	}
	if len(a.Result) == 0 {
		return nil, errors.New("the answer is no JSON-RPC: it has neither a result nor an error")
	}
	return a.Result, nil
}

// errNone is a node's word that there are no P-Reps to be known by: a chain that has none at all, or none elected yet.
var errNone = errors.New("the chain has no elected P-Rep")

// preps returns the endpoints of the P-Reps whose place on the list is earned: those of the term, main and sub, and those in jail, who were
// there before and have to come back. A candidate costs its owner a fee and nothing else, so it comes as a stranger.
func preps(ctx context.Context, client *http.Client, address string, now time.Time) ([]string, error) {
	block, err := call(ctx, client, address, "icx_getLastBlock", nil)
	if err == nil {
		err = current(block, now)
	}
	if err != nil {
		return nil, fmt.Errorf("icx_getLastBlock: %w", err)
	}
	term, err := call(ctx, client, address, "icx_call", contract("getPRepTerm", nil))
	var no *refusal
	if err != nil && !errors.As(err, &no) {
		return nil, fmt.Errorf("getPRepTerm: %w", err)
	}
	ranked, second := call(ctx, client, address, "icx_call",
		contract("getPReps", map[string]string{"startRanking": "0x1", "endRanking": fmt.Sprintf("0x%x", ranks)}))
	if second != nil && !errors.As(second, &no) {
		return nil, fmt.Errorf("getPReps: %w", second)
	}
	if err != nil && second != nil {
		return nil, fmt.Errorf("%w: getPReps: %w", errNone, second)
	}
	var all []string
	for _, result := range []json.RawMessage{term, ranked} {
		if result == nil {
			continue
		}
		endpoints, err := parsePReps(result)
		if err != nil {
			return nil, err
		}
		for _, e := range endpoints {
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	if len(all) == 0 {
		return nil, errNone
	}
	return all, nil
}

// current refuses a node that is still catching up: its P-Reps are those of long ago.
func current(block json.RawMessage, now time.Time) error {
	var b struct {
		// Microseconds.
		Time int64 `json:"time_stamp"`
	}
	if err := json.Unmarshal(block, &b); err != nil {
		return fmt.Errorf("the block can't be read: %w", err)
	}
	if behind := now.Sub(time.UnixMicro(b.Time)); behind > behindLimit {
		return fmt.Errorf("the last block is %s old, more than %s: is the node still catching up?", behind.Round(time.Second), behindLimit)
	}
	return nil
}

// some is an array of which no more than most elements are kept, so that an answer takes no more memory than it has bytes.
type some[T any] []T

// UnmarshalJSON reads all elements: one of a wrong kind makes the whole unreadable.
func (s *some[T]) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	switch start, err := decoder.Token(); {
	case err != nil || start == nil:
		return err
	case start != json.Delim('['):
		return fmt.Errorf("%v where a list is wanted", start)
	}
	for decoder.More() {
		var one T
		if err := decoder.Decode(&one); err != nil {
			return err
		}
		if len(*s) < most {
			*s = append(*s, one)
		}
	}
	return nil
}

type prep struct {
	Grade     string `json:"grade"`
	Status    string `json:"status"`
	JailFlags string `json:"jailFlags"`
	Endpoint  string `json:"p2pEndpoint"`
}

// parsePReps reads the result of getPReps or getPRepTerm.
func parsePReps(result json.RawMessage) ([]string, error) {
	var r struct {
		PReps some[prep] `json:"preps"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return nil, fmt.Errorf("the list of P-Reps can't be read: %w", err)
	}
	var all []string
	for _, p := range r.PReps {
		// Numbers are hexadecimal text. Grade 0 is main, 1 sub, 2 candidate; status 0 is active.
		jailed := p.JailFlags != "" && number(p.JailFlags) != 0
		if number(p.Status) != 0 || number(p.Grade) > 1 && !jailed || p.Endpoint == "" || len(all) == listed {
			continue
		}
		all = append(all, p.Endpoint)
	}
	return all, nil
}

// number of "0x…"; what is none is larger than any.
func number(text string) uint64 {
	hex, found := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || !found {
		return 1 << 32
	}
	return n
}

// observed asks an own node which validators it is connected to.
func observed(ctx context.Context, client *http.Client, node, channel string) ([]string, error) {
	address := strings.TrimSuffix(node, "/") + "/admin/chain/" + url.PathEscape(channel) + "?informal=true"
	answer, status, err := ask(ctx, client, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d: %s", status, shorten(string(answer)))
	}
	return parseObserved(answer)
}

// roleRoot is the bit of a peer's role that goloop sets by the chain's own list of validators, after the peer has proven its key. The other
// roles are each peer's own claim.
const roleRoot = 2

type peer struct {
	Address string `json:"addr"`
	Role    int    `json:"role"`
}

// parseObserved reads a chain's inspection. Only who was proven to be a validator counts: lists of seeds and roots also hold what other
// peers, of whom nothing is known, have told. The node's own seeds are its operator's.
func parseObserved(answer []byte) ([]string, error) {
	var a struct {
		Module struct {
			Network *struct {
				P2P struct {
					Friends    some[peer]        `json:"friends"`
					Parent     peer              `json:"parent"`
					Children   some[peer]        `json:"children"`
					Uncles     some[peer]        `json:"uncles"`
					Nephews    some[peer]        `json:"nephews"`
					Others     some[peer]        `json:"others"`
					TrustSeeds map[string]string `json:"trustSeeds"`
				} `json:"p2p"`
			} `json:"network"`
		} `json:"module"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("the answer can't be read: %w", err)
	}
	if a.Module.Network == nil {
		return nil, errors.New("the node's chain has no network: is it started?")
	}
	p2p := a.Module.Network.P2P
	var all []string
	for _, group := range []some[peer]{p2p.Friends, {p2p.Parent}, p2p.Uncles, p2p.Children, p2p.Nephews, p2p.Others} {
		for _, p := range group {
			if p.Role&roleRoot != 0 && p.Address != "" && len(all) < listed {
				all = append(all, p.Address)
			}
		}
	}
	for seed := range p2p.TrustSeeds {
		if len(all) < listed {
			all = append(all, seed)
		}
	}
	return all, nil
}
