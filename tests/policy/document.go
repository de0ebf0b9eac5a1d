package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// document is a policy of AWS: of IAM, of a key, of a bucket.
type document struct {
	statements []statement
}

// statement is one of a policy's statements. What may be one text or a list of them is a list.
type statement struct {
	sid, effect                                  string
	actions, notActions, resources, notResources []string
	// principals are "type:name", "*" for anybody; notPrincipals likewise.
	principals, notPrincipals []string
	// conditions by operator and key.
	conditions map[string]map[string][]string
}

func (s statement) allows() bool { return strings.EqualFold(s.effect, "Allow") }

// name is how a message calls a statement.
func (s statement) name(i int) string {
	if s.sid != "" {
		return "statement " + s.sid
	}
	return fmt.Sprintf("statement %d", i+1)
}

// parseDocument reads a policy. What AWS would refuse or read in another way is an error: other elements than a policy's, an element
// twice, other effects than Allow and Deny, text after the end.
func parseDocument(text string) (*document, error) {
	if err := noDuplicates(text); err != nil {
		return nil, err
	}
	var raw struct {
		Version, ID json.RawMessage
		Statement   json.RawMessage
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return nil, fmt.Errorf("is no policy: %w", err)
	}
	list := []json.RawMessage{raw.Statement}
	if trimmed := bytes.TrimSpace(raw.Statement); len(trimmed) > 0 && trimmed[0] == '[' {
		list = nil
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return nil, fmt.Errorf("Statement: %w", err)
		}
	}
	d := &document{}
	for i, one := range list {
		s, err := parseStatement(one)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

func parseStatement(text json.RawMessage) (statement, error) {
	var raw struct {
		Sid, Effect                              string
		Action, NotAction, Resource, NotResource words
		Principal, NotPrincipal                  principals
		Condition                                map[string]map[string]words
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return statement{}, err
	}
	if raw.Effect != "Allow" && raw.Effect != "Deny" {
		return statement{}, fmt.Errorf("its Effect is %q; Allow or Deny is wanted", raw.Effect)
	}
	if len(raw.Action)+len(raw.NotAction) == 0 {
		return statement{}, errors.New("it has neither Action nor NotAction")
	}
	s := statement{
		sid: raw.Sid, effect: raw.Effect, actions: raw.Action, notActions: raw.NotAction, resources: raw.Resource,
		notResources: raw.NotResource, principals: raw.Principal, notPrincipals: raw.NotPrincipal,
		conditions: map[string]map[string][]string{},
	}
	for operator, keys := range raw.Condition {
		s.conditions[operator] = map[string][]string{}
		for key, values := range keys {
			s.conditions[operator][key] = values
		}
	}
	return s, nil
}

// words are one text or a list of texts; truth values and numbers, as conditions have them, are texts too.
type words []string

// UnmarshalJSON reads them.
func (w *words) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	*w = words{}
	for _, one := range list {
		var plain any
		if err := json.Unmarshal(one, &plain); err != nil {
			return err
		}
		switch plain.(type) {
		case string, bool, float64:
			*w = append(*w, fmt.Sprint(plain))
		default:
			return fmt.Errorf("%s is neither a text nor a list of texts", one)
		}
	}
	return nil
}

// principals are "*", or lists of names by type.
type principals []string

// UnmarshalJSON reads them.
func (p *principals) UnmarshalJSON(text []byte) error {
	var all string
	if json.Unmarshal(text, &all) == nil {
		if all != "*" {
			return fmt.Errorf("the principal %q is neither \"*\" nor an object", all)
		}
		*p = principals{"*"}
		return nil
	}
	var byType map[string]words
	if err := json.Unmarshal(text, &byType); err != nil {
		return err
	}
	*p = principals{}
	for kind, names := range byType {
		for _, name := range names {
			if name == "*" {
				*p = append(*p, "*")
				continue
			}
			*p = append(*p, kind+":"+name)
		}
	}
	slices.Sort(*p)
	return nil
}

// noDuplicates refuses JSON in which an object has a key twice, in whatever case: readers differ about which of them counts.
func noDuplicates(text string) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := noDuplicatesIn(decoder); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after its end")
	}
	return nil
}

func noDuplicatesIn(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	var keys []string
	for decoder.More() {
		if delimiter == '{' {
			key, err := decoder.Token()
			if err != nil {
				return fmt.Errorf("is no JSON: %w", err)
			}
			name := fmt.Sprint(key)
			if slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, name) }) {
				return fmt.Errorf("has the key %q twice", name)
			}
			keys = append(keys, name)
		}
		if err := noDuplicatesIn(decoder); err != nil {
			return err
		}
	}
	if _, err = decoder.Token(); err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	return nil
}

// anybody says that a statement's principals contain everyone.
func (s statement) anybody() bool {
	return slices.Contains(s.principals, "*") || s.allows() && len(s.notPrincipals) > 0
}

// narrowing are the condition keys that hold a request to somebody in particular.
var narrowing = []string{
	"aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner",
	"aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:userid", "kms:CallerAccount",
}

// narrowed says that a condition holds anybody to somebody: with an operator that wants the key to be there and to be of given values.
func (s statement) narrowed() bool {
	for operator, keys := range s.conditions {
		if !slices.Contains([]string{"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"}, operator) {
			continue
		}
		for key, values := range keys {
			known := slices.ContainsFunc(narrowing, func(n string) bool { return strings.EqualFold(n, key) })
			if known && len(values) > 0 && !slices.ContainsFunc(values, fitsStrangers) {
				return true
			}
		}
	}
	return false
}

// fitsStrangers says that a condition's value is met by more than one account, or by all of a service's resources.
func fitsStrangers(value string) bool {
	parts := strings.SplitN(value, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" {
		return allWildcard(value) || strings.ContainsAny(parts[4], "*?") || parts[4] == "" && wildcardResource(value)
	}
	return strings.Trim(value, "*?:") == "" || len(parts) == 1 && strings.HasPrefix(strings.TrimLeft(value, "?"), "*")
}

// wildcardResource says that a pattern of resources fits everything, everything of a service or everything of a type: nothing but
// wildcards follows the type in the ARN's last part. A bucket of S3 is no type.
func wildcardResource(pattern string) bool {
	parts := strings.SplitN(pattern, ":", 6)
	if len(parts) < 6 {
		return strings.ContainsAny(pattern, "*?") && (parts[0] == "arn" || allWildcard(pattern))
	}
	last := parts[5]
	if i := strings.IndexAny(last, "/:"); i >= 0 && parts[2] != "s3" {
		last = last[i+1:]
	}
	return allWildcard(pattern) || last != "" && strings.Trim(last, "*?/:") == ""
}

// allWildcard says that a pattern fits everything, or every ARN: it has nothing but wildcards after the ARN's partition and service.
func allWildcard(pattern string) bool {
	if parts := strings.SplitN(pattern, ":", 6); len(parts) == 6 && strings.HasPrefix(pattern, "arn:") {
		pattern = parts[3] + parts[4] + parts[5]
		pattern = strings.TrimLeft(pattern, ":")
	}
	return pattern != "" && strings.Trim(pattern, "*?") == ""
}

// wholeService says that an action is everything, or everything of a service.
func wholeService(action string) bool {
	_, verb, named := strings.Cut(action, ":")
	if !named {
		verb = action
	}
	return verb != "" && strings.Trim(verb, "*?") == ""
}

// does says that a statement's actions contain one of these.
func (s statement) does(wanted ...string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool {
		return slices.ContainsFunc(s.actions, func(a string) bool {
			return matchesAction(a, w)
		})
	})
}

// matchesAction says that a pattern of actions fits an action. Both wildcards of AWS; case does not matter.
func matchesAction(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	p, a, star, mark := 0, 0, -1, 0
	for a < len(action) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, a
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == action[a]):
			p, a = p+1, a+1
		case star >= 0:
			mark++
			p, a = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
