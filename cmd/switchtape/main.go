// Command switchtape is one command for one machine: a demonstration, the
// whole service, and the tools around it. See switchtape --help.
package main

import (
	"os"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/routing/subprocess"
)

// commands is the grammar of the command line.
type commands struct {
	Demo            demoCommand            `cmd:"" help:"Route and record one call made of real speech, with every part running for real, and leave a small day of calls behind."`
	Serve           serveCommand           `cmd:"" help:"Run API and worker in one process, with everything in one directory."`
	Record          recordCommand          `cmd:"" help:"Make a recording of legs, once, without any service."`
	Verify          verifyCommand          `cmd:"" help:"Compare calls, ledger, bucket, outbox and legs, and mend what can be mended."`
	VerifyRecording verifyRecordingCommand `cmd:"" help:"Hold a recording's files against its manifest."`
	Shadow          shadowCommand          `cmd:"" help:"Make recordings again that are done, and compare them with what is stored: the check before a rollout."`
	Probe           probeCommand           `cmd:"" help:"Say what a leg is, and what is wrong with it."`
	Route           routeCommand           `cmd:"" help:"Decide where a call goes, and say why."`
	Rules           rulesCommand           `cmd:"" help:"Check, compare, try out, import and export rule sets."`
	Calls           callsCommand           `cmd:"" help:"Look at the calls of an API."`
	Migrate         migrateCommand         `cmd:"" help:"Bring a database's schema up to date, or back."`
	Adopt           adoptCommand           `cmd:"" help:"Make recordings of the legs in a directory, or say which could be made."`
	Jobs            jobsCommand            `cmd:"" help:"Look after the recording jobs of a ledger, or of an API."`
	DeadLetters     deadLettersCommand     `cmd:"" help:"Look after messages from brokers that could not be taken."`
	Holds           holdsCommand           `cmd:"" help:"Place, list and lift legal holds: what they are on is not deleted."`
	Recordings      recordingsCommand      `cmd:"" help:"Delete and redact recordings, and see what was deleted."`
	Users           usersCommand           `cmd:"" help:"Look after the users of an API."`
	Tenants         tenantsCommand         `cmd:"" help:"Look after the tenants of an API."`
	Audit           auditCommand           `cmd:"" help:"Verify the audit log, and prune it."`
	Keys            keysCommand            `cmd:"" help:"Make, list, rotate and revoke the API keys of a database, or of an API."`
	Doctor          doctorCommand          `cmd:"" help:"Try all that a program's settings need, and say what to do about what doesn't work."`
	Config          configCommand          `cmd:"" help:"Check a program's settings, or print them with where they are from."`
	Capacity        capacityCommand        `cmd:"" help:"Say what so many calls a day take: processors, rows, bytes, requests and money."`
	Completion      cli.Completion         `cmd:"" help:"Print what a shell needs to complete this command."`
	Man             cli.Man                `cmd:"" help:"Print this command's page for man."`
	Export          exportCommand          `cmd:"" help:"Export a call, everything about a number, or a tenant's data."`
	Shares          sharesCommand          `cmd:"" help:"Share recordings by links, see who has which, and revoke them."`
	Webhooks        webhooksCommand        `cmd:"" help:"Make webhooks, see how their receivers do, and deliver again."`
	Encryption      encryptionCommand      `cmd:"" help:"Make, rotate and try the keys that recordings are encrypted with."`
}

const description = "Routes calls and records them."

func main() {
	if subprocess.Main() {
		return
	}
	os.Exit(cli.Main("switchtape", description, &commands{}, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr, In: os.Stdin}))
}
