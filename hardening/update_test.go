package hardening_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// scenario runs a control's functions in a throw-away place.
func scenario(t *testing.T, id, profile string, parameters map[string]any, script string) string {
	t.Helper()
	program := controlProgram(t, profile, hardening.Live{}, parameters, id)
	out, code := host.Scenario(t, map[string]string{"p": program}, ". $FILES/p\n"+script)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	return out
}

func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("wanted %q, in this order, in\n%s", part, text)
		}
		rest = after
	}
}

// What apt makes of our file on top of the distribution's.
func TestOnlySecurityUpdatesAreTakenWhateverTheDistributionsFileSays(t *testing.T) {
	out := scenario(t, "security-updates", "prep", map[string]any{"keep": []any{"docker.io", "g++"}, "hour": 23}, `
		pretend systemctl 'case "$*" in show*) printf "UnitFileState=enabled\nActiveState=active\n" ;; esac'
		mkdir -p /etc/apt/apt.conf.d
		cat >/etc/apt/apt.conf.d/50unattended-upgrades <<'CONF'
Unattended-Upgrade::Origins-Pattern { "origin=Debian,codename=${distro_codename},label=Debian"; };
Unattended-Upgrade::Allowed-Origins { "x:y"; };
Unattended-Upgrade::Package-Blacklist { "libc6"; };
Unattended-Upgrade::Automatic-Reboot "true";
CONF
		ORDER=4; HALF=apply; security_updates; security_updates_apply; half=$CHANGES
		apt-config dump | grep -E '^Unattended-Upgrade::(Orig|Allow|Pack|Automatic-Reboot )|force-conf|Periodic::Unatt'
		grep Calendar=. /etc/systemd/system/apt-daily-upgrade.timer.d/icon.conf
		HALF=verify; security_updates; security_updates_verify; echo "changed $half, drifts $DRIFTS"
		printf 'Unattended-Upgrade::Automatic-Reboot "true";\nUnattended-Upgrade::Allowed-Origins { "any"; };\n' >/etc/apt/apt.conf.d/99zz
		security_updates; security_updates_verify; echo "drifts $DRIFTS"`)
	inOrder(t, out, `APT::Periodic::Unattended-Upgrade "1"`,
		"force-confdef", "force-confold",
		`Origins-Pattern:: "origin=Debian,codename=${distro_codename}-security,label=Debian-Security"`,
		`Unattended-Upgrade::Automatic-Reboot "false"`, "OnCalendar=*-*-* 00:20:00 UTC", "changed 3, drifts 0",
		"apt: Unattended-Upgrade::Automatic-Reboot\tfalse\ttrue", "apt: origins of unattended upgrades\torigin=Debian", "drifts 2")
	for _, want := range []string{`Package-Blacklist:: "^docker[.]io$"`, `Package-Blacklist:: "^g[+][+]$"`} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %s in\n%s", want, out)
		}
	}
	before, _, _ := strings.Cut(out, "drifts 0")
	for _, unwanted := range []string{"label=Debian\"", "x:y", "libc6"} {
		if strings.Contains(before, unwanted) {
			t.Errorf("%s is left of the distribution's settings:\n%s", unwanted, before)
		}
	}
}

func TestUbuntusSecurityArchivesAreTakenOnUbuntu(t *testing.T) {
	out := scenario(t, "security-updates", "citizen", nil, `OS=ubuntu-24.04 HALF=apply; security_updates
		cat /etc/apt/apt.conf.d/99icon-updates
		perl -we 'our %nrconf; do "/etc/needrestart/conf.d/icon.conf" or die; print "restart $nrconf{restart}\n"'`)
	inOrder(t, out, `"origin=Ubuntu,archive=${distro_codename}-security";`, "restart l\n")
	if strings.Contains(out, "Debian") {
		t.Errorf("Debian's archive on Ubuntu:\n%s", out)
	}
}

func TestPackageSourcesWithoutSignatureAreNamed(t *testing.T) {
	out := scenario(t, "packages", "prep", map[string]any{"unsignedSources": []any{"http://known.example/"}}, `
		rm -rf /etc/apt/sources.list /etc/apt/sources.list.d; mkdir /etc/apt/sources.list.d; cd /etc/apt/sources.list.d; HALF=verify
		packages_sources; echo "none: $DRIFTS"
		printf '%s\n' 'deb [signed-by=/k trusted=yes] http://one.example/debian ./' '# deb [trusted=yes] http://comment.example x' \
			'deb [ allow-insecure=yes ] http://two.example x' 'deb http://good.example x main' 'deb [trusted=yes] http://known.example/x y' >a.list
		printf '%s\n' 'Types: deb' 'URIs: http://three.example/debian' 'Trusted: yes' '' 'Types: deb' 'URIs: http://good.example' >b.sources
		packages_sources; echo "some: $DRIFTS"
		CONTAINER=systemd-nspawn DRIFTS=0; packages_sources; echo "here: $DRIFTS $ABSENT_HERE"`)
	inOrder(t, out, "none: 0\n", "\tnone\thttp://one.example/debian http://two.example http://three.example/debian\n", "some: 1\n",
		"here: 0 packages without signature come from http://one.example/debian")
}

func TestAPackageThatIsToStayIsNotPurged(t *testing.T) {
	out := scenario(t, "packages", "prep", map[string]any{"keep": []any{"rsync", "ftp"}}, `echo "purge:$PURGE"`)
	if strings.Contains(out, " rsync ") || strings.Contains(out, " ftp ") || !strings.Contains(out, " tnftp ") {
		t.Errorf("%s", out)
	}
}

func TestAMaskOfTheKeysAtTheConsoleIsNotOneOfTheRestartItself(t *testing.T) {
	out := scenario(t, "services", "prep", map[string]any{"keep": []any{"cups.service"}}, `
		mkdir -p /usr/local/lib/systemd/system; cd /usr/local/lib/systemd/system
		touch ctrl-alt-del.target rsync.service cups.service sshd.service; cd /
		pretend systemctl 'case "$*" in
			*Id=*) exit 1 ;;
			show\ -p*) shift 3; for u; do printf "Id=other\nActiveState=inactive\nLoadState=loaded\n\n"; done ;;
			show*) printf "loaded\ninactive\n" ;;
			*mask*) echo "$@" >>/var/tmp/masked ;; esac'
		HALF=apply; services >/dev/null; cat /var/tmp/masked`)
	inOrder(t, out, "mask ctrl-alt-del.target\n", "mask rsync.service\n")
	if strings.Contains(out, "cups.service") || strings.Contains(out, "reboot") || strings.Contains(out, "sshd") {
		t.Errorf("%s", out)
	}
}

func TestWhatADeployMayStillNeedIsNotTakenForALeftover(t *testing.T) {
	out := scenario(t, "leftovers", "prep", nil, `mkdir -p /var/tmp/icon-upload; cd /var/tmp/icon-upload; touch new; touch -d '2 days ago' old
		HALF=verify; leftovers; HALF=apply; leftovers; ls; HALF=verify; leftovers; echo "drifts $DRIFTS"`)
	inOrder(t, out, "drift\tleftovers\t/var/tmp/icon-upload/old\tnothing\tleft by a deploy on ", "/var/tmp/icon-upload/old removed\n",
		"new\ndrifts 1\n")
}

func TestARebootWindowWithoutASlotForThisHostIsRefused(t *testing.T) {
	for want, c := range map[string]struct {
		order  int
		values map[string]any
	}{
		"": {order: 62},
		"is 180: with slots of 20 minutes on 7 days the window has room for 63 hosts, this one is number 64": {order: 63},
		"is 20: with slots of 30 minutes on 7 days the window has room for 0 hosts": {
			values: map[string]any{"minutes": 20, "slotMinutes": 30},
		},
		"is empty: name a day":          {values: map[string]any{"days": []any{}}},
		"names Mon twice":               {values: map[string]any{"days": []any{"Mon", "Mon"}}},
		`is "Monday"; wanted`:           {values: map[string]any{"days": []any{"Monday"}}},
		`is "24:00"; wanted: a time`:    {values: map[string]any{"from": "24:00"}},
		`is "always"; wanted: one of`:   {values: map[string]any{"mode": "always"}},
		`is 10; wanted: a whole number`: {values: map[string]any{"slotMinutes": 10}},
	} {
		o := hardening.Overrides{Parameters: map[string]map[string]any{"reboot-window": c.values}}
		s, problems := hardening.Resolve("citizen", hardening.Facts{Order: c.order}, o)
		if want == "" {
			if s == nil {
				t.Errorf("%v", problems)
			}
			continue
		}
		if !strings.Contains(fmt.Sprint(problems), want) {
			t.Errorf("%v, wanted %q", problems, want)
		}
	}
	// Where nothing restarts by itself there is nothing to find a slot for.
	if s, problems := hardening.Resolve("prep", hardening.Facts{Order: 500}); s == nil || s.Word("reboot-window", "mode") != "never" {
		t.Errorf("%v", problems)
	}
}

// rebootProgram is what the host's timer runs, with other values where a test says so.
const rebootProgram = `HALF=apply; reboot_window >/dev/null; reboot=/usr/local/lib/icon/reboot
`

// One host after the other has another day.
func TestEveryHostHasOneSlotInTheWeekAndNoTwoShareOne(t *testing.T) {
	// From 23:10 on, so that the slots of Sunday end on Monday. Ten minutes at a time, all hosts of the window at each.
	window := map[string]any{"days": []any{"Wed", "Sun"}, "from": "23:10", "minutes": 90, "slotMinutes": 30}
	out := scenario(t, "reboot-window", "citizen", window, rebootProgram+`
		sed '$d' $reboot >/var/tmp/lib; . /var/tmp/lib
		for ((d = 1; d <= 7; d++)); do for ((h = 0; h < 24; h++)); do for ((m = 0; m < 60; m += 10)); do
			for ORDER in 0 1 2 3 4 5; do if slot_open $d $h $m; then echo "$d $h:$m host $ORDER"; fi; done
		done; done; done`)
	want := "1 0:10 host 5\n1 0:20 host 5\n3 23:10 host 0\n3 23:20 host 0\n3 23:40 host 2\n3 23:50 host 2\n" +
		"4 0:10 host 4\n4 0:20 host 4\n7 23:10 host 1\n7 23:20 host 1\n7 23:40 host 3\n7 23:50 host 3\n"
	if out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

// A citizen's node is played by HAProxy, the machine by pretended commands. It is Monday, 03:00 UTC, in the slot of the first host.
const rebootDay = rebootProgram + `
	pretend date 'echo "$(cat /run/now) 1 03 00"'; echo 1700000000 >/run/now
	pretend systemctl 'case "$1" in is-system-running) echo running ;; reboot) echo REBOOTED ;; is-active) exit 1 ;; esac'
	sed -i "s,^SOCKETS=.*,SOCKETS='/run/sessions /run/none'," $reboot; mkdir -p /run/icon-reboot; : >/run/sessions
	node() { # STATE LAST-BLOCK: listens on 9000
		local answer=' http-request return status 200 content-type application/json string'
		printf '%s\n' 'defaults' ' mode http' ' timeout client 2s' ' timeout server 2s' ' timeout connect 2s' 'frontend x' \
			' bind 127.0.0.1:9000' "$answer '[{\"state\":\"$1\"}]' if { path /admin/chain } { method GET }" \
			"$answer '{\"result\":{\"time_stamp\":${2}000000}}' if { path /api/v3 } { method POST }" >/run/node.cfg
		if [[ -e /run/pid ]]; then kill "$(</run/pid)"; while listens; do sleep 0.02; done; fi
		haproxy -db -f /run/node.cfg & echo $! >/run/pid
		until listens; do sleep 0.02; done
	}
	listens() { (exec 6<>/dev/tcp/127.0.0.1/9000) 2>/dev/null; }
	sed -i 's/^NODE=.*/NODE=true/' $reboot
	look() {
		echo "== $1"; bash $reboot 2>&1 || echo "exit $?"
		sed -nE 's/^icon_reboot_(required\{.*|held.*|last_ok.*)/\1/p' $METRICS/reboot.prom | paste -sd ' '
	}
`

func TestAHostRestartsInItsSlotOnlyIfItIsWellAndNobodyIsAtIt(t *testing.T) {
	out := scenario(t, "reboot-window", "citizen", nil, rebootDay+`
		node started 1699999990
		look 'nothing waits'
		touch /run/reboot-required
		echo '   0: 0100007F:0016 0101007F:C350 0A x' >/run/sessions; look 'listening only'; rm -f $STATE/reboot /run/icon-reboot/asked
		echo '   0: 0100007F:0016 0101007F:C350 01 x' >/run/sessions; look 'somebody is logged in'; : >/run/sessions
		mkdir -p $STATE/rollback; touch $STATE/rollback/armed; look 'a trial'; rm $STATE/rollback/armed
		node started 1699999000; look 'behind'
		node stopped 1699999990; look 'stopped'
		kill "$(</run/pid)"; rm /run/pid; while listens; do sleep 0.02; done; look 'no answer'
		node started 1699999990
		sed -i 's/^MODE=.*/MODE=never/' $reboot; look 'never'; sed -i 's/^MODE=.*/MODE=window/' $reboot
		sed -i 's/^ORDER=.*/ORDER=1/' $reboot; look 'not its slot'; sed -i 's/^ORDER=.*/ORDER=0/' $reboot
		look 'well'; look 'asked already'`)
	inOrder(t, out, "== nothing waits\nrequired{mode=\"window\"} 0 held 0 last_ok 1\n",
		"== listening only\nrestarting", "== somebody is logged in\nheld: somebody is logged in on port 22\nrequired{mode=\"window\"} 1 held 1 ",
		"== a trial\nheld: a change of access is under way\n", "== behind\nnot well: the last block is older than a minute\n",
		"== stopped\nnot well: the chain is not started\n", "== no answer\nnot well: the node does not answer\n",
		"== never\nrequired{mode=\"never\"} 1 held 0", "== not its slot\nrequired{mode=\"window\"} 1 held 0",
		"== well\nrestarting: ", "REBOOTED\nrequired", "== asked already\nrequired")
	if strings.Count(out, "REBOOTED") != 2 {
		t.Errorf("restarted %d times\n%s", strings.Count(out, "REBOOTED"), out)
	}
}

func TestAfterARestartTheMetricTellsWhetherTheHostIsWellAgain(t *testing.T) {
	out := scenario(t, "reboot-window", "citizen", nil, rebootDay+`
		left() { ls $STATE | grep reboot; }
		echo 1699999900 >$STATE/reboot; look 'not yet'
		node started 1699999990; look 'well again'; left
		echo 1699999900 >$STATE/reboot; node started 1; look 'ill'; echo 1700003600 >/run/now; look 'given up'; left
		echo 1700003500 >$STATE/reboot; touch /run/icon-reboot/asked; node started 1700003599; look 'on its way down'; left`)
	inOrder(t, out, "== not yet\nnot well: the node does not answer\n", "last_ok 1\n", "== well again\n", "last_ok 1\nrebooted\n",
		"== ill\n", "== given up\n", "the machine was not well again in time", "last_ok 0\nrebooted\n",
		"== on its way down\n", "reboot\nrebooted\n")
}

func TestASentryIsWellOnlyIfTheNodeBehindItAnswers(t *testing.T) {
	out := scenario(t, "reboot-window", "sentry", nil, rebootDay+`
		sed -i 's/^NODE=.*/NODE=false/' $reboot; touch /run/reboot-required; mkdir -p /etc/icon/sentry
		pretend systemctl 'case "$1" in is-system-running) echo running ;; reboot) echo REBOOTED ;; esac'
		printf '%s\n' 'frontend p2p' 'backend prep' '	server prep 127.0.0.1:9000 check' 'listen relay0' '	server seed 127.0.0.1:1 check' \
			>/etc/icon/sentry/haproxy.cfg
		look 'its node is away'; node started 1; look 'its node is there'`)
	inOrder(t, out, "not well: 127.0.0.1:9000 does not answer\n", "held 1", "== its node is there\nrestarting", "REBOOTED")
}

func TestTheUnitsOfUpdatesAndTheFirewallAreTakenBySystemd(t *testing.T) {
	out := scenario(t, "reboot-window", "sentry", nil, rebootProgram+`cd /etc/systemd/system
		cat icon-reboot.service; echo =====; cat icon-reboot.timer; echo =====; printf '%s\n' "$FIREWALL_UNIT"`)
	parts := strings.Split(out, "=====\n")
	if len(parts) != 3 {
		t.Fatal(out)
	}
	host.VerifyUnit(t, "icon-reboot.service", parts[0], []string{"/bin/bash"}, nil)
	host.VerifyUnit(t, "icon-reboot.timer", parts[1], nil, []string{"icon-reboot.service"})
	host.VerifyUnit(t, "icon-firewall.service", parts[2], []string{"/usr/sbin/nft"}, nil)
}

func TestTheRestartsProgramIsCleanBash(t *testing.T) {
	out := scenario(t, "reboot-window", "sentry", nil, rebootProgram+"cat $reboot")
	path := filepath.Join(t.TempDir(), "reboot")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	host.Accepted(t, exec.Command("shellcheck", "--severity", "style", path))
}
