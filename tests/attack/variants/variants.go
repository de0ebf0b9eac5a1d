// Package variants has the proxies that this project's sentries are compared with under attack: what an operator would set up by hand, and
// what was recommended before. Each listens on 7100 and 9000.
package variants

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

// Variant is a proxy to compare with.
type Variant struct {
	// Name as in the report; About says in a few words what it is.
	Name, About string
	// Files to be written into an empty directory, by their name. Argv runs them, in the foreground, with "{dir}" for that directory.
	Files map[string]string
	Argv  []string
}

//go:embed *.tmpl
var files embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(files, "*.tmpl"))

// NginxPlain is nginx as its package sets it up, with a proxy for each port.
func NginxPlain(prep string, citizens ...string) (Variant, error) {
	return nginx("nginx-plain", "nginx with its package's own settings, and no limits", prep, citizens)
}

// NginxPredecessor has the limits of the sentries that there were before, which are those that ICON's guide recommends: 200 requests a
// second of each address (50 more at most, of which 10 at once), 100 connections of each address to 7100, bodies of up to 100 MB.
func NginxPredecessor(prep string, citizens ...string) (Variant, error) {
	return nginx("nginx-predecessor", "nginx with the limits that ICON's guide and this project's predecessor had", prep, citizens)
}

// HAProxyPlain is HAProxy with a proxy for each port.
func HAProxyPlain(prep string, citizens ...string) (Variant, error) {
	text, err := render("haproxy-plain.cfg.tmpl", prep, citizens)
	return Variant{
		Name: "haproxy-plain", About: "HAProxy with no limits but those of its sockets",
		Files: map[string]string{"haproxy.cfg": text}, Argv: []string{"haproxy", "-W", "-db", "-f", "{dir}/haproxy.cfg"},
	}, err
}

// All of them, with the P-Rep ("address:port") and the citizens behind.
func All(prep string, citizens ...string) ([]Variant, error) {
	var all []Variant
	for _, of := range []func(string, ...string) (Variant, error){NginxPlain, HAProxyPlain, NginxPredecessor} {
		v, err := of(prep, citizens...)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func nginx(name, about, prep string, citizens []string) (Variant, error) {
	text, err := render(name+".conf.tmpl", prep, citizens)
	return Variant{
		Name: name, About: about, Files: map[string]string{"nginx.conf": text},
		Argv: []string{"nginx", "-p", "{dir}", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"},
	}, err
}

func render(name, prep string, citizens []string) (string, error) {
	if prep == "" || len(citizens) == 0 {
		return "", fmt.Errorf("%s: wanted a P-Rep and at least one citizen", strings.TrimSuffix(name, ".tmpl"))
	}
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name, struct {
		PRep     string
		Citizens []string
	}{prep, citizens})
	return b.String(), err
}
