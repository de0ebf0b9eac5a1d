//go:build sandbox

package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

// aws is what the stand-in for AWS has its machines, volumes and addresses carried out by: hosts of the lab, loop devices, and the lab's
// internet segment.
type aws struct {
	t *testing.T
	// dir holds what the stand-in keeps, and the volumes' files.
	dir string
	// mu guards the maps. Machines by instance id, volumes by theirs.
	mu       sync.Mutex
	machines map[string]*machine
	volumes  map[string]*volume
	// boots are machines to boot, which are gathered: those that come together boot together.
	boots chan boot
}

type machine struct {
	host    string
	private netip.Addr
	public  netip.Addr
	// devices are its volume's, as systemd-tmpfiles makes them; empty without.
	devices string
}

type volume struct {
	file, device string
	held         *os.File
}

type boot struct {
	spec lab.HostSpec
	done chan error
}

// order is what the stand-in asks for, as tools/cloud-plugin has it.
type order struct {
	Op       string
	Resource struct {
		Type, ID, Name string
		Properties     map[string]any
	}
}

func (o order) text(key string) string {
	s, _ := o.Resource.Properties[key].(string)
	return s
}

// newAWS is a cloud with nothing in it, which has machines until the test ends.
func newAWS(t *testing.T) *aws {
	t.Helper()
	a := &aws{t: t, dir: t.TempDir(), machines: map[string]*machine{}, volumes: map[string]*volume{}, boots: make(chan boot)}
	socket := filepath.Join(t.TempDir(), "machines")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o order
		err := json.NewDecoder(r.Body).Decode(&o)
		if err == nil {
			err = a.carryOut(r.Context(), o)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})}
	go server.Serve(listener)
	go a.bootAll()
	t.Cleanup(func() {
		server.Close()
		close(a.boots)
		for _, v := range a.volumes {
			v.close()
		}
		if t.Failed() { // the next test begins with nothing
			box.Tools = nil
			if err := box.Down(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	box.Engine.Env = append(box.Tools.Env(), "ICON_CLOUD_DIR="+a.dir, "ICON_CLOUD_MACHINES="+socket)
	return a
}

func (a *aws) carryOut(ctx context.Context, o order) error {
	begin := time.Now()
	kind := strings.Split(o.Resource.Type, ":")[2]
	act := map[string]func(context.Context, order) error{
		"create Instance": a.run, "delete Instance": a.terminate,
		"create Volume": a.makeVolume, "update Volume": a.growVolume, "delete Volume": a.removeVolume,
		"create VolumeAttachment": a.attach, "delete VolumeAttachment": a.detach,
		"create InstanceState":  a.start,
		"create EipAssociation": a.associate, "delete EipAssociation": a.disassociate,
	}[o.Op+" "+kind]
	if act == nil {
		return nil
	}
	err := act(ctx, o)
	a.t.Logf("%s %s: %.1f s (%v)", o.Op, o.Resource.Name, time.Since(begin).Seconds(), err)
	return err
}

// bootAll boots what is asked for within a moment at once: the lab makes one change at a time.
func (a *aws) bootAll() {
	for first := range a.boots {
		all, specs := []boot{first}, []lab.HostSpec{first.spec}
		for wait := time.After(time.Second); wait != nil; {
			select {
			case b, open := <-a.boots:
				if !open {
					return
				}
				all, specs = append(all, b), append(specs, b.spec)
			case <-wait:
				wait = nil
			}
		}
		err := box.Lab.Boot(context.Background(), specs...)
		for _, b := range all {
			b.done <- err
		}
	}
}

// imageConfig is what Debian's image for EC2 says otherwise: where user-data comes from. The lab gives addresses and packages.
const imageConfig = "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\nlocale: C.UTF-8\napt_preserve_sources_list: true\n"

func (a *aws) run(_ context.Context, o order) error {
	tags, _ := o.Resource.Properties["tags"].(map[string]any)
	host, _ := tags["Host"].(string)
	private, err := netip.ParseAddr(o.text("privateIp"))
	if err != nil {
		return err
	}
	const seed = "/var/lib/cloud/seed/nocloud/"
	b := boot{done: make(chan error, 1), spec: lab.HostSpec{Name: host, Private: private, Files: map[string]lab.File{
		seed + "user-data":                  {Content: []byte(o.text("userData")), Mode: 0o600},
		seed + "meta-data":                  {Content: []byte("instance-id: " + o.Resource.ID + "\n"), Mode: 0o600},
		"/etc/cloud/cloud.cfg.d/99-lab.cfg": {Content: []byte(imageConfig)},
	}}}
	a.boots <- b
	if err := <-b.done; err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machines[o.Resource.ID] = &machine{host: host, private: private}
	return nil
}

// machine is one that there is.
func (a *aws) machine(id string) (*machine, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.machines[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("InvalidInstanceID.NotFound: %s", id)
}

func (a *aws) terminate(ctx context.Context, o order) error {
	m, err := a.machine(o.Resource.ID)
	if err != nil {
		return err
	}
	if err := errors.Join(a.stop(ctx, m), box.Lab.Remove(ctx, m.host)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.machines, o.Resource.ID)
	return nil
}

// stop shuts a machine down as AWS does: it is asked first.
func (a *aws) stop(ctx context.Context, m *machine) error {
	if h, err := box.Lab.Host(m.host); err != nil || !h.Running {
		return err
	}
	if _, err := box.Lab.Exec(ctx, m.host, nil, "systemctl", "poweroff", "--no-block"); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		h, err := box.Lab.Host(m.host)
		if err != nil {
			return err
		}
		if !h.Running {
			break
		}
		if time.Now().After(deadline) {
			a.t.Errorf("%s did not shut down within 30 s", m.host)
			break
		}
	}
	return box.Lab.Kill(ctx, m.host)
}

// start boots a machine that was stopped; one that runs is left alone.
func (a *aws) start(ctx context.Context, o order) error {
	m, err := a.machine(o.text("instanceId"))
	if err != nil {
		return err
	}
	if h, err := box.Lab.Host(m.host); err != nil || h.Running {
		return err
	}
	if err := box.Lab.Start(ctx, m.host); err != nil {
		return err
	}
	return m.plug(ctx)
}

// associate gives a machine an elastic address, and the administrators' machine the way to it that the internet would be.
func (a *aws) associate(ctx context.Context, o order) error {
	m, err := a.machine(o.text("instanceId"))
	if err != nil {
		return err
	}
	if m.public, err = netip.ParseAddr(o.text("publicIp")); err != nil {
		return err
	}
	if err := box.Lab.Connect(ctx, m.host, m.public); err != nil {
		return err
	}
	return exec.CommandContext(ctx, "ip", "route", "replace", m.public.String()+"/32", "via", m.private.String()).Run()
}

func (a *aws) disassociate(ctx context.Context, o order) error {
	m, err := a.machine(o.text("instanceId"))
	if err != nil {
		return err
	}
	err = exec.CommandContext(ctx, "ip", "route", "del", m.public.String()+"/32").Run()
	return errors.Join(err, box.Lab.Disconnect(ctx, m.host))
}
