// Package cli is what the commands share: parsing, exit codes, and output for
// people and machines. Exit 0 is done, 1 failed, 2 wrong usage.
package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/switchtape/switchtape/callmodel"
)

// The exit codes.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Streams are where a command reads and writes.
type Streams struct {
	Out io.Writer // results
	Err io.Writer // progress, logs and errors
	In  io.Reader // answers; nil, or a file that is no terminal: there is nobody to ask
}

// Confirm asks a person, on Err, and reports whether the answer is "yes". With nobody to
// ask, asked is false.
func (s Streams) Confirm(question string) (yes, asked bool) {
	if f, ok := s.In.(*os.File); s.In == nil || ok && !term.IsTerminal(int(f.Fd())) {
		return false, false
	}
	fmt.Fprintf(s.Err, "%s [yes/no] ", question)
	answer, _ := bufio.NewReader(s.In).ReadString('\n') // the end of the input is no yes
	return strings.TrimSpace(answer) == "yes", true
}

// Terminal reports whether progress can be drawn on Err.
func (s Streams) Terminal() bool {
	f, ok := s.Err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// JSON prints v as one indented JSON value.
func (s Streams) JSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Printf prints to Out.
func (s Streams) Printf(format string, args ...any) { fmt.Fprintf(s.Out, format, args...) }

// UsageError is a wrong usage that only the command itself can see.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a *UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// errSilent fails without another word: the command has said it all.
var errSilent = errors.New("failed")

// Silent ends a command with ExitFailed when its output has said why already.
func Silent() error { return errSilent }

// Main parses args into grammar, a kong grammar whose commands have
// Run(context.Context, Streams) error, and runs the chosen one until it is
// done or the process is told to end. It returns the exit code.
func Main(name, description string, grammar any, args []string, s Streams) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, name, description, grammar, args, s)
}

// exited carries kong's wish to end the process (after --help) out of it.
type exited struct{ code int }

// Run is Main under the caller's context.
func Run(ctx context.Context, name, description string, grammar any, args []string, s Streams) (code int) {
	defer func() {
		if e, ok := recover().(exited); ok {
			code = e.code
		}
	}()
	parser, err := kong.New(grammar,
		kong.Name(name), kong.Description(description), kong.Writers(s.Out, s.Err), kong.UsageOnError(),
		kong.DefaultEnvars("SWITCHTAPE"),
		kong.NamedMapper("private", kong.MapperFunc(private)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { panic(exited{code}) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %v\n", name, err)
		return ExitFailed
	}
	parsed, err := parser.Parse(args)
	if err == nil {
		err = secretsInArguments(parsed, args)
	}
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %v\n(%s --help lists what there is)\n", name, err, name)
		return ExitUsage
	}
	argumentsInstead(parsed)
	return exitCode(name, parsed.Run(), s)
}

func exitCode(name string, err error, s Streams) int {
	var fields callmodel.FieldErrors
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, errSilent):
		return ExitFailed
	case errors.As(err, &fields) && len(fields) > 1:
		fmt.Fprintf(s.Err, "%s: %d faults:\n", name, len(fields))
		for _, f := range fields {
			fmt.Fprintf(s.Err, "  %s\n", f)
		}
	default:
		fmt.Fprintf(s.Err, "%s: %v\n", name, err)
	}
	if _, ok := errors.AsType[*UsageError](err); ok {
		return ExitUsage
	}
	return ExitFailed
}
