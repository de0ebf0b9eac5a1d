package remote

// For the tests, which are outside the package because their tools import it.
var (
	Launcher     = launcher
	SummaryValue = summaryValue
)
