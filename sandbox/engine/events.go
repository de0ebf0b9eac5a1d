package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"
)

// StepEvent is one operation on one resource.
type StepEvent struct {
	// Op is create, update, replace, delete, same, …
	Op string
	// URN of the resource; Name is its last part and Type its type token.
	URN, Name, Type string
	// Start and End of the operation, to the second, and Began and Ended, its places in the engine's log: what began after another
	// ended has a higher number.
	Start, End   time.Time
	Began, Ended int
	// Failed says that it did not succeed.
	Failed bool
}

// Changed are the steps that were no "same".
func (r *Result) Changed() []StepEvent {
	var changed []StepEvent
	for _, s := range r.Steps {
		if s.Op != "same" && s.Op != "read" {
			changed = append(changed, s)
		}
	}
	return changed
}

// readEvents reads the engine's own log of an update. An update that failed before it began has none.
func readEvents(path string) ([]StepEvent, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	type metadata struct {
		Metadata struct{ Op, URN, Type string } `json:"metadata"`
	}
	var steps []StepEvent
	started := map[string]StepEvent{}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 64<<20)
	for place := 0; scan.Scan(); place++ {
		var e struct {
			Timestamp   int64     `json:"timestamp"`
			ResourcePre *metadata `json:"resourcePreEvent"`
			ResOutputs  *metadata `json:"resOutputsEvent"`
			ResOpFailed *metadata `json:"resOpFailedEvent"`
		}
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			return nil, err
		}
		at := time.Unix(e.Timestamp, 0)
		switch {
		case e.ResourcePre != nil:
			started[e.ResourcePre.Metadata.Op+e.ResourcePre.Metadata.URN] = StepEvent{Start: at, Began: place}
		case e.ResOutputs != nil:
			steps = append(steps, end(e.ResOutputs.Metadata, started, StepEvent{End: at, Ended: place}))
		case e.ResOpFailed != nil:
			steps = append(steps, end(e.ResOpFailed.Metadata, started, StepEvent{End: at, Ended: place, Failed: true}))
		}
	}
	return steps, scan.Err()
}

func end(m struct{ Op, URN, Type string }, started map[string]StepEvent, e StepEvent) StepEvent {
	begin := started[m.Op+m.URN]
	e.Start, e.Began = begin.Start, begin.Began
	e.Op, e.URN, e.Type = m.Op, m.URN, m.Type
	e.Name = m.URN[strings.LastIndex(m.URN, "::")+2:]
	return e
}
