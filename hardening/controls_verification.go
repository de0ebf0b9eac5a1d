package hardening

// verificationControls are about the host looking at itself.
var verificationControls = []Control{{
	ID:    "verification",
	Title: "The host compares itself with what the deploy wanted, again and again",
	Why: "Between two deploys somebody may change a host by hand, or an update may. The host notices within the hour, says so in its " +
		"journal, and leaves a number for the monitoring to alarm by.",
	Breaks: "Nothing: it changes nothing, runs with the lowest priority, and waits for a step that is running.",
	Params: []Param{{
		Name: "everyMinutes", Kind: Int, What: "minutes from one comparison to the next; the first comes as long after a boot",
		Default: 60, Min: 5, Max: 24 * 60,
	}},
}}
