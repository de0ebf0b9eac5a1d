// Command manager is what the stand-in image starts. It keeps the contract of the official image iconloop/icon2-node as its own code has
// it (icon-project/icon2-docker: ctx/config, ctx/init_manager.py, ctx/manager/chain_init.py, s6), so that a deployment made for that image
// is tested in all that it can get wrong:
//   - it fetches $CONFIG_URL/$SERVICE/default_configure.yml at every start, and does not start without it;
//   - it writes the variables it has taken, the key's password among them, to its standard error and to logs/booting.log;
//   - it writes the password to config/keysecret, readable by everyone who can read the directory;
//   - it fetches $CONFIG_URL/$SERVICE/icon_genesis.zip at every start;
//   - it starts goloop, whose own log goes to logs/goloop.log;
//   - it joins the network with SEEDS and ROLE over the control socket, and changes both at later starts, with the chain stopped.
//
// It differs in this: it has no contract engines, health check, clock, log rotation and snapshots; it joins with goloop's platform basic
// and goleveldb in place of icon and rocksdb; and it refuses to start where the official image would ask the internet for its address.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	base    = "/goloop"
	genesis = base + "/config/icon_genesis.zip"
	secret  = base + "/config/keysecret"
	socket  = base + "/data/cli.sock"
)

func main() {
	if err := run(); err != nil {
		say("[Exception] %v", err)
		os.Exit(1)
	}
}

// say writes to standard error and to the log, as the official image's own logger does.
func say(format string, args ...any) {
	line := time.Now().UTC().Format("20060102-15:04:05.000000") + " " + fmt.Sprintf(format, args...) + "\n"
	fmt.Fprint(os.Stderr, line)
	log, err := os.OpenFile(base+"/logs/booting.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = io.WriteString(log, line)
		err = errors.Join(err, log.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func run() error {
	if err := initialize(); err != nil {
		return err
	}
	log, err := os.OpenFile(base+"/logs/goloop.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := saveSettings(); err != nil {
		return err
	}
	server := exec.Command("goloop", "server", "start")
	server.Stdout, server.Stderr = os.Stdout, log
	server.Env = append(os.Environ(), "GOLOOP_NODE_SOCK="+socket)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	failed := make(chan error, 1)
	go func() {
		if err := join(); err != nil {
			failed <- err
		}
	}()
	for stopping := false; ; {
		select {
		case sig := <-stop:
			stopping = true
			if err := server.Process.Signal(sig); err != nil {
				return err
			}
		case err := <-failed:
			return errors.Join(err, server.Process.Kill(), <-ended)
		case err := <-ended:
			if stopping {
				return nil
			}
			return err
		}
	}
}

// saveSettings writes goloop's own settings file, once, from the environment.
func saveSettings() error {
	settings := os.Getenv("GOLOOP_CONFIG")
	if _, err := os.Stat(settings); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	save := exec.Command("goloop", "server", "save", settings) //nolint:gosec // whoever starts the container says what it fetches and runs
	save.Env = append(os.Environ(), "GOLOOP_CONFIG=", "GOLOOP_NODE_SOCK="+socket)
	if out, err := save.CombinedOutput(); err != nil {
		return fmt.Errorf("goloop server save: %w: %s", err, out)
	}
	return nil
}

// initialize is the official image's init_manager.
func initialize() error {
	url := os.Getenv("CONFIG_URL") + "/" + os.Getenv("SERVICE")
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		say("[CheckType] [Update] %s = '%s' (str)", name, value)
	}
	if err := fetch(url+"/default_configure.yml", base+"/configure.yml"); err != nil {
		return err
	}
	if os.Getenv("GOLOOP_P2P") == "" {
		return errors.New("GOLOOP_P2P is not set: the official image would announce what http://checkip.amazonaws.com says")
	}
	keystore := filepath.Join(base, "config", os.Getenv("KEY_STORE_FILENAME"))
	if _, err := os.Stat(keystore); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte(os.Getenv("KEY_PASSWORD")), 0o664); err != nil {
		return err
	}
	if _, err := goloop("ks", "verify", "--secret", secret, keystore); err != nil {
		return err
	}
	return fetch(url+"/icon_genesis.zip", genesis)
}

func fetch(url, path string) error {
	answer, err := http.Get(url) //nolint:gosec // whoever starts the container says what it fetches and runs
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("API status code is %d. (%s)", answer.StatusCode, url)
	}
	return os.WriteFile(path, body, 0o664)
}

// join is the official image's ChainInit.
func join() error {
	if err := waitForSocket(); err != nil {
		return err
	}
	cid, role, seeds := os.Getenv("CID"), os.Getenv("ROLE"), os.Getenv("SEEDS")
	chain, err := goloop("chain", "inspect", "-s", socket, cid)
	if err != nil {
		say("[CC] Join the Network, %s", os.Getenv("SERVICE"))
		_, err := goloop("chain", "join", "-s", socket, "--genesis", genesis, "--channel", "icon_dex", "--auto_start",
			"--role", role, "--seed", seeds)
		if err != nil {
			return err
		}
	} else if !strings.Contains(chain, `"seedAddress": "`+seeds+`"`) || !strings.Contains(chain, `"role": `+role) {
		steps := [][]string{
			{"chain", "stop", "-s", socket, cid},
			{"chain", "config", "-s", socket, cid, "seedAddress", seeds},
			{"chain", "config", "-s", socket, cid, "role", role},
		}
		for _, step := range steps {
			if _, err := goloop(step...); err != nil {
				return err
			}
		}
		say("[CC] Successful Change to role %s, seeds %s", role, seeds)
	}
	// A chain that runs already refuses; whether it runs is what the deploy's own verification looks at.
	if out, err := goloop("chain", "start", "-s", socket, cid); err != nil {
		say("[CC] START: %v", err)
	} else {
		say("[CC] START %s", out)
	}
	return nil
}

func waitForSocket() error {
	for range 200 {
		if _, err := goloop("system", "info", "-s", socket); err == nil {
			return nil
		}
		time.Sleep(time.Second / 4)
	}
	return fmt.Errorf("[CC] Socket connection failed. %s", socket)
}

func goloop(args ...string) (string, error) {
	out, err := exec.Command("goloop", args...).CombinedOutput() //nolint:gosec // whoever starts the container says what it fetches and runs
	if err != nil {
		err = fmt.Errorf("goloop %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}
