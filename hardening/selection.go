package hardening

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Overrides are what an operator changes of a profile, by name.
type Overrides struct {
	// Parameters by control and name.
	Parameters map[string]map[string]any `json:"parameters,omitempty"`
	// LeaveOut are controls that are neither applied nor verified, each with the reason, which every report repeats.
	LeaveOut map[string]string `json:"leaveOut,omitempty"`
}

// Problem is a mistake in overrides.
type Problem struct {
	// Path of the key below the overrides: "parameters.ssh-server.maxStartups".
	Path string
	// Text begins with a verb: "is 3; wanted: …".
	Text string
}

// Selection is what one host is hardened by: controls with the values of all their parameters.
type Selection struct {
	Profile string
	Facts   Facts
	// Controls in the order in which they are applied.
	Controls []Control
	// Values by control and parameter.
	Values map[string]Params
	// LeftOut are controls that are not applied, with the reason: the profile's or the operator's.
	LeftOut map[string]string
}

// Has tells whether a control is part of the selection.
func (s *Selection) Has(id string) bool {
	_, ok := s.Values[id]
	return ok
}

// Int is a parameter's value, as Bool, Word and Words are. A name that does not exist is a mistake in the calling program, and panics.
func (s *Selection) Int(control, param string) int { return s.Values[control][param].(int) }

// Bool as Int.
func (s *Selection) Bool(control, param string) bool { return s.Values[control][param].(bool) }

// Word as Int.
func (s *Selection) Word(control, param string) string { return s.Values[control][param].(string) }

// Words as Int.
func (s *Selection) Words(control, param string) []string { return s.Values[control][param].([]string) }

// Resolve puts together what a host of a profile is hardened by. Later overrides take precedence. All problems are told at once, each with
// its path and the number of the overrides that it is in.
func Resolve(profile string, facts Facts, overrides ...Overrides) (*Selection, [][]Problem) {
	p, ok := FindProfile(profile)
	if !ok {
		names := make([]string, len(profiles))
		for i := range profiles {
			names[i] = profiles[i].Name
		}
		return nil, [][]Problem{{{Path: "profile", Text: fmt.Sprintf("is %s, which is no profile: %s",
			wording.Quote(profile), wording.DidYouMean(profile, names))}}}
	}
	r := &resolver{
		Selection: &Selection{
			Profile: profile, Facts: facts.withDefaults(), Values: map[string]Params{}, LeftOut: maps.Clone(p.Without),
		},
		problems: make([][]Problem, max(1, len(overrides))), set: map[string]int{}, left: map[string]int{},
	}
	if r.LeftOut == nil {
		r.LeftOut = map[string]string{}
	}
	for _, c := range Controls() {
		values := Params{}
		for _, param := range c.Params {
			values[param.Name] = param.Default
		}
		maps.Copy(values, p.Parameters[c.ID])
		r.Values[c.ID] = values
	}
	for i, o := range overrides {
		r.leaveOut(i, o.LeaveOut)
		r.setAll(i, o.Parameters)
	}
	r.choose()
	for _, list := range r.problems {
		if len(list) > 0 {
			return nil, r.problems
		}
	}
	return r.Selection, nil
}

type resolver struct {
	*Selection
	problems [][]Problem
	// set and left tell which overrides a parameter ("control.param") or a control was last named in.
	set, left map[string]int
}

func (r *resolver) add(i int, path, format string, args ...any) {
	r.problems[i] = append(r.problems[i], Problem{path, fmt.Sprintf(format, args...)})
}

func (r *resolver) leaveOut(i int, leave map[string]string) {
	for _, id := range slices.Sorted(maps.Keys(leave)) {
		path := wording.Under("leaveOut", id)
		c, ok := Find(id)
		switch {
		case !ok:
			r.add(i, path, "is no control: %s", wording.DidYouMean(id, controlIDs()))
		case strings.TrimSpace(leave[id]) == "" || strings.ContainsAny(leave[id], "\n\t"):
			r.add(i, path, "needs a reason, one line: it is repeated in every report, so that nobody wonders later why this is not done")
		case c.Required != "":
			r.add(i, path, "cannot be left out: %s", c.Required)
		default:
			r.LeftOut[id], r.left[id] = leave[id], i
		}
	}
}

func (r *resolver) setAll(i int, parameters map[string]map[string]any) {
	for _, id := range slices.Sorted(maps.Keys(parameters)) {
		path := wording.Under("parameters", id)
		c, ok := Find(id)
		if !ok {
			r.add(i, path, "is no control: %s", wording.DidYouMean(id, controlIDs()))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(parameters[id])) {
			param := c.param(name)
			if param == nil {
				names := make([]string, len(c.Params))
				for i := range c.Params {
					names[i] = c.Params[i].Name
				}
				r.add(i, wording.Under(path, name), "is no parameter of the control %s: %s", id, wording.DidYouMean(name, names))
				continue
			}
			value, problem := param.read(parameters[id][name])
			if problem != "" {
				r.add(i, wording.Under(path, name), "%s", problem)
				continue
			}
			r.Values[id][name], r.set[id+"."+name] = value, i
		}
	}
}

// choose drops what is left out, orders the rest, and finds contradictions.
func (r *resolver) choose() {
	all := Controls()
	for id := range r.LeftOut {
		delete(r.Values, id)
	}
	for _, access := range []bool{false, true} {
		for _, c := range all {
			if c.Access == access && r.Has(c.ID) {
				r.Controls = append(r.Controls, c)
			}
		}
	}
	for key, i := range r.set {
		id, _, _ := strings.Cut(key, ".")
		// What later overrides leave out, earlier ones may have set for others.
		if left, byOverride := r.left[id]; !r.Has(id) && (!byOverride || left <= i) {
			r.add(i, "parameters."+key, "sets a parameter of a control that is left out (%s): set one or leave out the other", r.LeftOut[id])
		}
	}
	for _, c := range r.Controls {
		for _, need := range c.Needs {
			if i, left := r.left[need]; left {
				r.add(i, "leaveOut."+need, "is needed by the control %s: leave that out too, or keep both", c.ID)
			}
		}
		if c.Check == nil {
			continue
		}
		for _, conflict := range c.Check(r.Selection) {
			path := "parameters." + c.ID
			if conflict.Param != "" {
				path += "." + conflict.Param
			}
			r.add(r.set[c.ID+"."+conflict.Param], path, "%s", conflict.Text)
		}
	}
	for i := range r.problems {
		slices.SortFunc(r.problems[i], func(a, b Problem) int { return strings.Compare(a.Path+a.Text, b.Path+b.Text) })
	}
}
