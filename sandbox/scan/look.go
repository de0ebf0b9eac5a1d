package scan

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Look is what the scanners found of one host.
type Look struct {
	CIS, ANSSI *Compliance
	Lynis      *Lynis
	SSH        *SSHAudit
	// Ports by the place that they were looked at from.
	Ports map[string]*Ports
	// Units by name: level of `systemd-analyze security`.
	Units map[string]float64
	// Seconds that the scanners took.
	Seconds float64
}

// Findings of all scanners.
func (l *Look) Findings() []Finding {
	return slices.Concat(l.CIS.Open, l.ANSSI.Open, l.Lynis.Open, l.SSH.Open)
}

// onHost is where the scanners are on a scanned host: in memory, so that the host's disk is as it was.
const onHost = "/run/scan"

// placeForScanners unpacks the scanners on a host. A machine's /run, other than a container's, runs no programs.
const placeForScanners = `mkdir -p ` + onHost + `
[[ $(findmnt --noheadings --output OPTIONS /run) != *noexec* ]] || mount -t tmpfs -o nosuid,nodev,exec,mode=0700 tmpfs ` + onHost + `
exec tar --extract --directory ` + onHost

// oscapScript evaluates one profile. OpenSCAP ends with 2 when a rule fails.
const oscapScript = `cd /run/scan
export "$2" OSCAP_XSLT_PATH=$PWD/usr/share/openscap/xsl OSCAP_CPE_PATH=$PWD/usr/share/openscap/cpe
code=0
usr/bin/oscap xccdf eval --skip-validation --profile "xccdf_org.ssgproject.content_profile_$1" --results "$1.xml" \
  usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml >"$1.log" 2>&1 || code=$?
[[ $code == [02] ]] || { tail -n 5 "$1.log" >&2; exit "$code"; }
exec cat "$1.xml"`

const lynisScript = `cd /run/scan/usr/share/lynis
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh /run/scan/usr/sbin/lynis audit system --quick --no-colors \
  --plugindir /run/scan/etc/lynis/plugins --profile /run/scan/etc/lynis/default.prf --log-file /run/scan/lynis.log \
  --report-file /run/scan/lynis-report.dat >/run/scan/lynis.out 2>&1 || { tail -n 5 /run/scan/lynis.out >&2; exit 1; }
exec cat /run/scan/lynis-report.dat`

// look scans a host from inside and its SSH server from the workstation. It leaves nothing on the host.
func (r *run) look(name string) (*Look, error) {
	begin := time.Now()
	kit, err := os.Open(r.tools.kit())
	if err != nil {
		return nil, err
	}
	defer kit.Close()
	if _, err := r.exec(name, kit, "bash", "-euc", placeForScanners); err != nil {
		return nil, err
	}
	defer func() { _, _ = r.exec(name, nil, "bash", "-c", "umount "+onHost+" 2>/dev/null; rm -rf "+onHost) }()
	look := &Look{}
	// Two at a time, on two cores: Lynis takes as long as both profiles.
	errs := make([]error, 2)
	var wait sync.WaitGroup
	wait.Go(func() { errs[0] = r.lynis(name, look) })
	wait.Go(func() { errs[1] = errors.Join(r.oscap(name, look), r.sshAudit(name, look)) })
	wait.Wait()
	look.Seconds = time.Since(begin).Seconds()
	return look, errors.Join(errs...)
}

func (r *run) lynis(name string, look *Look) error {
	text, err := r.exec(name, nil, "bash", "-euc", lynisScript, "lynis")
	if err != nil {
		return err
	}
	r.keep("lynis-"+name+".dat", text)
	log, err := r.exec(name, nil, "cat", onHost+"/lynis.log")
	if err != nil {
		return err
	}
	r.keep("lynis-"+name+".log", log)
	if look.Lynis, err = ParseLynis(strings.NewReader(text)); err != nil {
		return err
	}
	return look.Lynis.ReadPoints(strings.NewReader(log))
}

func (r *run) oscap(name string, look *Look) error {
	for _, p := range []struct {
		scanner, profile string
		into             **Compliance
	}{{CIS, "cis_level2_server", &look.CIS}, {ANSSI, "anssi_bp28_enhanced", &look.ANSSI}} {
		text, err := r.exec(name, nil, "bash", "-euc", oscapScript, "oscap", p.profile, libraries(onHost))
		if err != nil {
			return err
		}
		r.keep(p.scanner+"-"+name+".xml", text)
		if *p.into, err = ParseOpenSCAP(strings.NewReader(text), p.scanner); err != nil {
			return err
		}
	}
	return nil
}

// sshAudit ends with 2 or 3 when it holds something against the server. Its test of the rate of connections is left out: it opens as many
// as it can, and the server would turn the scan itself away for a while.
func (r *run) sshAudit(name string, look *Look) error {
	target, err := r.sshTarget(name)
	if err != nil {
		return err
	}
	python := filepath.Join(r.tools.root, "usr/bin/python3")
	env := []string{"PYTHONHOME=" + filepath.Join(r.tools.root, "usr"), "PYTHONDONTWRITEBYTECODE=1"}
	env = append(env, "PYTHONPATH="+filepath.Join(r.tools.root, "usr/lib/python3/dist-packages"))
	argv := append([]string{python, "-m", "ssh_audit.ssh_audit", "--json", "--skip-rate-test", "--timeout", "10"}, target...)
	cmd := r.tools.command(r.ctx, env, argv...)
	text, err := output(cmd, 0, 2, 3)
	if err != nil {
		return fmt.Errorf("ssh-audit of %s: %w", name, err)
	}
	r.keep("ssh-audit-"+name+".json", text)
	look.SSH, err = ParseSSHAudit(strings.NewReader(text))
	return err
}

// output runs a command that may end with one of the codes.
func output(cmd *exec.Cmd, codes ...int) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(codes, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, lastLines(stderr.String(), 10))
	}
	return stdout.String(), err
}

// udpPorts are looked at beside all of TCP: a UDP port that says nothing takes nmap a second.
const udpPorts = "53,67,68,69,111,123,137,161,500,514,546,1900,4500,5353,7100"

// ports looks at a host from a network namespace, "" for the machine's own.
func (r *run) ports(netns, target string) (*Ports, error) {
	nmap := []string{
		filepath.Join(r.tools.root, "usr/bin/nmap"), "-n", "-Pn", "-sS", "-sU", "-p", "T:1-65535,U:" + udpPorts, "--min-rate", "4000",
		"--max-retries", "1", "--host-timeout", "180s", "-oX", "-", target,
	}
	if netns != "" {
		nmap = append([]string{"ip", "netns", "exec", netns}, nmap...)
	}
	cmd := r.tools.command(r.ctx, []string{"NMAPDIR=" + filepath.Join(r.tools.root, "usr/share/nmap")}, nmap...)
	text, err := output(cmd)
	if err != nil {
		return nil, err
	}
	return ParseNmap(strings.NewReader(text))
}

// lookFromSegments looks at a host's ports from the workstation, from the neighbour, and from the internet segment.
func (r *run) lookFromSegments(name string, look *Look) error {
	host, err := r.lab.Host(name)
	if err != nil {
		return err
	}
	other, err := r.lab.Host(neighbourHost)
	if err != nil {
		return err
	}
	from := []struct{ name, netns, target string }{
		{placeAdmin, "", host.Private.String()},
		{placeNeighbour, other.Netns, host.Private.String()},
		{placeInternet, other.Netns, host.Internet.String()},
	}
	// All at the same time: nmap mostly waits for answers that never come.
	found, errs := make([]*Ports, len(from)), make([]error, len(from))
	var wait sync.WaitGroup
	for i, place := range from {
		wait.Go(func() {
			if found[i], errs[i] = r.ports(place.netns, place.target); errs[i] != nil {
				errs[i] = fmt.Errorf("nmap of %s from %s: %w", name, place.name, errs[i])
			}
		})
	}
	wait.Wait()
	look.Ports = map[string]*Ports{}
	for i, place := range from {
		look.Ports[place.name] = found[i]
	}
	return errors.Join(errs...)
}

const (
	placeAdmin     = "the administrator's workstation"
	placeNeighbour = "the neighbour on the private segment"
	placeInternet  = "the internet segment"
)

// units asks systemd how exposed the units of the host's role are. They are put in place for it and not started.
func (r *run) units(name string, look *Look, units map[string]string) error {
	look.Units = map[string]float64{}
	for _, unit := range slices.Sorted(maps.Keys(units)) {
		put := `cat >"/etc/systemd/system/$1"; systemctl daemon-reload`
		if _, err := r.exec(name, strings.NewReader(units[unit]), "bash", "-euc", put, "put", unit); err != nil {
			return err
		}
		text, err := r.exec(name, nil, "systemd-analyze", "security", "--no-pager", unit)
		if err != nil {
			return err
		}
		if look.Units[unit], err = ParseExposure(text, unit); err != nil {
			return err
		}
	}
	return nil
}
