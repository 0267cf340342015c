package service

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/otlp"
)

// TraceOptions say whether spans are made, and where they go.
type TraceOptions struct{ otlp.Options }

// Tracer is the process's, which is to be closed at its end. instance tells it from others
// of the program.
func (o *TraceOptions) Tracer(program, instance string, log *slog.Logger) (*otlp.Tracer, error) {
	return o.Open(otlp.Identity{Program: program, Version: cli.Software(), Instance: instance}, os.Getenv, log)
}

// APIProgram is all that switchtape-api can be told.
type APIProgram struct {
	Config cli.ConfigFile `help:"File of settings (YAML), by the names of these flags, which go before it; read again at SIGHUP." type:"path" placeholder:"FILE" program:"api" once:""`
	Doctor bool           `help:"Try all that these settings need, say what to do about what doesn't work, and end." env:"-" once:""`

	Listen  string `help:"Address to serve on." default:"127.0.0.1:8080" placeholder:"ADDR"`
	Migrate bool   `help:"Bring the database's schema up to date at the start."`

	Drain time.Duration `help:"How long it goes on serving once it is told to end, while /readyz fails: as long as what spreads the requests takes to see that, and longer than it asks in." default:"0"`

	Bucket string `help:"Bucket of the recordings, to serve them from. Default: none are served." placeholder:"URL"`

	BackupBucket string     `help:"The workers' backup bucket: recordings are served from it while theirs is away." placeholder:"URL"`
	PublicURL    string     `help:"URL under which this server is reached, for signed links to a file:// bucket." placeholder:"URL"`
	SignSecret   cli.Secret `help:"Secret that signs links to a file:// bucket; the same on every server. In a file, or in the environment." placeholder:"@FILE"`

	EncryptionOptions
	DBOptions
	APIOptions
	TraceOptions
	ops.LogOptions
}

// WorkerProgram is all that switchtape-worker can be told.
type WorkerProgram struct {
	Config cli.ConfigFile `help:"File of settings (YAML), by the names of these flags, which go before it; read again at SIGHUP." type:"path" placeholder:"FILE" program:"worker" once:""`
	Doctor bool           `help:"Try all that these settings need, say what to do about what doesn't work, and end." env:"-" once:""`

	Listen  string `help:"Address of /healthz, /readyz and /metrics." default:"127.0.0.1:8081" placeholder:"ADDR"`
	Migrate bool   `help:"Bring the database's schema up to date at the start."`
	// A telephone server often reaches nobody outside.
	Webhooks bool `help:"Deliver webhooks, too, as APIs do."`

	DBOptions
	BucketOptions
	WorkerOptions
	SpoolOptions
	AdminOptions
	IntakeOptions
	LegOptions
	WebhookOptions
	VerifyOptions
	// What a comparison has to know of the APIs' settings, and what becomes of a spool's calls.
	RecordOptions
	KeepCalls time.Duration `help:"--keep-calls of the APIs: with --verify-every objects of calls that they keep no more are not looked for. 0: they keep them all." default:"0"`

	TraceOptions
	ops.LogOptions
}

// Verifier compares now and then, if the worker is told to; nil if it isn't.
func (p *WorkerProgram) Verifier(s *Stores, m *ops.Metrics, log *slog.Logger) (*Verifier, error) {
	return NewVerifier(s, p.VerifyOptions, VerifierOptions{p.Presence().Name, p.RecordOptions, p.KeepCalls}, m, log)
}

// Check lists what can't be meant, as far as the settings alone tell.
func (p *WorkerProgram) Check() error {
	_, _, reserve := parseSize(p.LegsReserve)
	if reserve != nil {
		reserve = fmt.Errorf("--legs-reserve: %w", reserve)
	}
	_, dirs := p.legDirs(nil)
	_, hooks := p.allowed()
	return errors.Join(reserve, dirs, hooks, p.validate(true))
}

// Check lists what can't be meant, as far as the settings alone tell.
func (o *APIOptions) Check() error {
	_, certificate := o.OpenCertificate()
	_, dirs := o.legDirs(nil)
	_, hooks := o.allowed()
	return errors.Join(o.validate(), certificate, dirs, hooks)
}

// Reconfigure is the reload of a program's settings: of those that can change while it
// runs, which is the log level; of others it says that they wait for the next start.
func Reconfigure(c *cli.Configuration, level *ops.Level, log *slog.Logger) Reload {
	return Reload{Name: "the settings", Do: func() error {
		changed, err := c.Changed()
		if err != nil {
			return err
		}
		var waiting []string
		for _, s := range changed {
			if s.Name == "log-level" && len(s.Values) == 1 {
				level.Set(s.Values[0])
				log.Warn("the log level is another", "level", s.Values[0], "by", s.Origin)
				continue
			}
			waiting = append(waiting, s.Name)
		}
		if len(waiting) > 0 {
			log.Warn("settings have changed that need a restart", "settings", strings.Join(waiting, ", "))
		}
		return level.Reload()
	}}
}
