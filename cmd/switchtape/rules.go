package main

// rulesCommand is what there is to do with rule sets besides serving them.
type rulesCommand struct {
	Check     rulesCheckCommand     `cmd:"" help:"Tell all that is wrong with a rule set, and what its author can't have meant."`
	Diff      rulesDiffCommand      `cmd:"" help:"Tell which recorded calls two rule sets route differently."`
	Simulate  rulesSimulateCommand  `cmd:"" help:"Send a day's recorded calls through a rule set, against its destinations' limits."`
	Emergency rulesEmergencyCommand `cmd:"" help:"Tell where every emergency call goes, and fail if one is refused or its digits are changed."`
	Import    rulesImportCommand    `cmd:"" help:"Make a rule set of the tables of another system, or of rate decks, and list what can't be said."`
	Export    rulesExportCommand    `cmd:"" help:"Write a rule set as CSV, or in its canonical form."`
	Versions  rulesVersionsCommand  `cmd:"" help:"List the versions that an API has, and which is active."`
	Get       rulesGetCommand       `cmd:"" help:"Print a version that an API has."`
	Put       rulesPutCommand       `cmd:"" help:"Put a rule set in service, at an API."`
	Show      rulesShowCommand      `cmd:"" help:"Print one rule of the active version, at an API."`
	Add       rulesAddCommand       `cmd:"" help:"Add one rule to the active version, at an API. The result is a version of its own."`
	Edit      rulesEditCommand      `cmd:"" help:"Change one rule of the active version, at an API."`
	Remove    rulesRemoveCommand    `cmd:"" help:"Remove rules of the active version, at an API."`
	Move      rulesMoveCommand      `cmd:"" help:"Move one rule of the active version before or behind another, at an API."`
	Activate  rulesActivateCommand  `cmd:"" help:"Go to a version, at an API."`
	Rollback  rulesRollbackCommand  `cmd:"" help:"Go back to the version before, at an API."`
}
