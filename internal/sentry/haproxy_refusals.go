package sentry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Refusal is how the API says no: an object of JSON-RPC's form, with the caller's id where the body was read.
type Refusal struct {
	// Status of HTTP, Code of JSON-RPC, and Message.
	Status, Code int
	Message      string
}

// JSON-RPC's codes of refusals. The first four are of its specification, the next is EIP-1474's.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeMethod   = -32601
	codeInternal = -32603
	codeLimit    = -32005
	// codeBusy is not the asker's fault: again in a second.
	codeBusy = -32050
	// codeKey is about an API key.
	codeKey = -32040
)

// Refusals lists everything that the sentry answers by itself, by what is wrong. Messages have no comma, colon, quote or backslash, which
// would be HAProxy's.
func Refusals() map[string]Refusal {
	return map[string]Refusal{
		"key":        {403, codeKey, "this API key is not known here"},
		"no key":     {403, codeKey, "an API key is required in the header X-API-Key"},
		"quota":      {429, codeLimit, "the quota of this API key is used up for the next 10 seconds"},
		"requests":   {429, codeLimit, "too many requests from this address in 10 seconds"},
		"errors":     {429, codeLimit, "too many requests from this address were wrong"},
		"expensive":  {429, codeLimit, "too many expensive requests from this address in 10 seconds"},
		"websockets": {429, codeLimit, "too many websockets from this address"},
		"busy":       {503, codeBusy, "busy with others. Try again in a second"},
		"path":       {404, codeMethod, "this path is not published"},
		"verb":       {405, codeRequest, "wanted POST for a call or GET for a websocket"},
		"upgrade":    {400, codeRequest, "this path is for websockets"},
		"headers":    {431, codeRequest, "the headers are too large"},
		"length":     {411, codeRequest, "a call has a Content-Length and anything else has no body"},
		"size":       {413, codeRequest, "the body is too large"},
		"json":       {400, codeParse, "the body is not JSON"},
		"request":    {400, codeRequest, "the body is no JSON-RPC 2.0 request"},
		"method":     {400, codeMethod, "this method is not published"},
		"batch":      {400, codeRequest, "too many calls in one batch"},
		"inspector":  {500, codeInternal, "the request was not inspected"},
	}
}

// httpError is an error that HAProxy gives by itself.
type httpError struct {
	Status, Code int
	Message      string
}

func httpErrors() []httpError {
	return []httpError{
		{400, codeRequest, "this is no HTTP request"},
		{408, codeRequest, "the request did not arrive in time"},
		{500, codeInternal, "an error of the sentry"},
		{502, codeBusy, "the citizen gave no answer"},
		{503, codeBusy, "busy with others. Try again in a second"},
		{504, codeBusy, "the citizen did not answer in time"},
	}
}

func refusalStatuses() []int {
	var all []int
	for _, r := range Refusals() {
		all = append(all, r.Status)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// blameless are verdicts that say that others take too much: they are counted, but never against who asked.
func blameless(name string) bool { return name == "p2p-stranger" || name == "api-stranger" }

// verdictText is how HAProxy carries a verdict from where it is found to where it is counted: "code:name"; the code 0 blames nobody.
func verdictText(name string) (string, error) {
	for _, v := range Verdicts() {
		if v.Name == name {
			if blameless(name) {
				return "0:" + name, nil
			}
			return fmt.Sprintf("%d:%s", v.Code, name), nil
		}
	}
	return "", fmt.Errorf("there is no verdict %q", name)
}

// refusalText is the same for the API, with what to answer, as an expression. Without a verdict the fault is the sentry's own.
func refusalText(verdict, what string) (string, error) {
	r, ok := Refusals()[what]
	if !ok {
		return "", fmt.Errorf("there is no refusal %q", what)
	}
	counted := "0:sentry"
	if verdict != "" {
		var err error
		if counted, err = verdictText(verdict); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("str(%s:%d:%d:%s)", counted, r.Status, r.Code, r.Message), nil
}

// strike is a verdict that blames a source, as the configuration needs it: HAProxy 2.6 takes no expression for the code of a connection
// that it refuses.
type strike struct {
	Text string
	Code int
}

func strikes(names ...string) ([]strike, error) {
	var all []strike
	for _, name := range names {
		text, err := verdictText(name)
		if err != nil {
			return nil, err
		}
		code, _, _ := strings.Cut(text, ":")
		number, err := strconv.Atoi(code)
		if err != nil {
			return nil, err
		}
		all = append(all, strike{text, number})
	}
	return all, nil
}
