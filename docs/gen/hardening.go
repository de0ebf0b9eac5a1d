package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/hardening"
)

const controlsIntro = `# Controls

What hosts are hardened by; how that works is on [another page](README.md). Parameters are set, and controls left out, in the stack file's
` + "`icon:hardening`" + ` ([keys](../configuration.md#hardening)). Numbers of benchmarks are those of the requirements that a control is
for: CIS Debian Linux 12 Benchmark v1.1.0, ANSSI BP-028 v2.0, and dev-sec's Linux and SSH baselines.

`

// controls is docs/hardening/controls.md.
func controls() string {
	var b strings.Builder
	b.WriteString(notice("hardening") + controlsIntro)
	var rows [][]string
	for _, c := range hardening.Controls() {
		notes := []string{}
		if c.Access {
			notes = append(notes, "under trial")
		}
		if c.Required != "" {
			notes = append(notes, "required")
		}
		rows = append(rows, []string{fmt.Sprintf("[%s](#%s)", c.ID, c.ID), cell(c.Title), strings.Join(notes, ", ")})
	}
	b.WriteString(table([]string{"control", "is", ""}, rows))
	b.WriteString("\n*Under trial*: applied last, and rolled back unless a new login confirms it. *Required*: can't be left out.\n")
	b.WriteString(profiles())
	for _, c := range hardening.Controls() {
		b.WriteString(control(c))
	}
	return b.String()
}

// profiles says what each profile is for, and what differs in it.
func profiles() string {
	var rows [][]string
	for _, p := range hardening.Profiles() {
		var differs []string
		for _, id := range slices.Sorted(maps.Keys(p.Parameters)) {
			for _, name := range slices.Sorted(maps.Keys(p.Parameters[id])) {
				differs = append(differs, fmt.Sprintf("`%s.%s` is %s", id, name, value(p.Parameters[id][name])))
			}
		}
		for _, id := range slices.Sorted(maps.Keys(p.Without)) {
			differs = append(differs, fmt.Sprintf("without %s: %s", id, cell(p.Without[id])))
		}
		if len(differs) == 0 {
			differs = []string{"nothing"}
		}
		rows = append(rows, []string{"`" + p.Name + "`", cell(p.What), strings.Join(differs, "<br>")})
	}
	return "\n## Profiles\n\nEvery profile holds all controls with the defaults below, but for what differs.\n\n" +
		table([]string{"profile", "is for", "differs"}, rows)
}

// control is the section of one control.
func control(c hardening.Control) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n\n## `%s`\n\n**%s.** %s\n", c.ID, c.ID, cell(strings.TrimSuffix(c.Title, ".")), cell(c.Why))
	line := func(head string, items ...string) {
		if text := strings.Join(items, ", "); text != "" {
			fmt.Fprintf(&b, "- %s: %s\n", head, text)
		}
	}
	b.WriteString("\n")
	line("May get in the way of", cell(strings.TrimSuffix(c.Breaks, ".")))
	line("Can't be left out", cell(strings.TrimSuffix(c.Required, ".")))
	line("Needs", linked(c.Needs)...)
	line("Installs", quotedAll(c.Packages)...)
	line("Removes", quotedAll(c.Purge)...)
	for _, benchmark := range []hardening.Benchmark{hardening.CIS, hardening.ANSSI, hardening.DevSec} {
		var ids []string
		for _, item := range c.Items {
			if item.Benchmark == benchmark {
				ids = append(ids, item.ID)
			}
		}
		line(string(benchmark), ids...)
	}
	var rows [][]string
	for _, p := range c.Params {
		rows = append(rows, []string{"`" + p.Name + "`", cell(p.Wanted()), value(p.Default), cell(p.What)})
	}
	if len(rows) > 0 {
		b.WriteString("\n" + table([]string{"parameter", "takes", "default", "is"}, rows))
	}
	return b.String()
}

func linked(ids []string) []string {
	links := make([]string, len(ids))
	for i, id := range ids {
		links[i] = fmt.Sprintf("[%s](#%s)", id, id)
	}
	return links
}

func quotedAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return quoted
}

// value is a parameter's value as a stack file writes it.
func value(v any) string {
	text := fmt.Sprint(v)
	switch v := v.(type) {
	case []string:
		text = "[" + strings.Join(v, ", ") + "]"
	case string:
		if v == "" || strings.ContainsAny(v, "\n:#") {
			text = fmt.Sprintf("%q", v)
		}
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
