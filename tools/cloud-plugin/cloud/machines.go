package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Order is what the process that has machines is asked for.
type Order struct {
	// Op is create, update or delete.
	Op string
	// Resource is what there is to be, or, to be deleted, what there was.
	Resource *Resource
}

// machines is the way to the process that has machines.
type machines struct{ socket string }

// carryOut has an order carried out, and waits for it. Without a process there is nothing to do.
func (m machines) carryOut(ctx context.Context, op string, r *Resource) error {
	if m.socket == "" {
		return nil
	}
	text, err := json.Marshal(Order{Op: op, Resource: r})
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", m.socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://machines/", bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", MachinesVariable, err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(said))
	}
	return err
}
