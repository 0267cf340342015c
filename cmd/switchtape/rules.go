package main

// rulesCommand is the group of commands about rule sets.
type rulesCommand struct {
	Import rulesImportCommand `cmd:"" help:"Make a rule set of the tables of another system, or of rate decks, and list what can't be said."`
	Export rulesExportCommand `cmd:"" help:"Write a rule set as CSV, or in its canonical form."`
}
