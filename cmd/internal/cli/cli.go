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
	"reflect"
	"slices"
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

// Interactive reports whether a person reads both Out and Err, so that a command may go on
// until it is told to end.
func (s Streams) Interactive() bool {
	f, ok := s.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && s.Terminal()
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

// program is a command line that is parsed, maybe more than once.
type program struct {
	name, description string
	grammar           any
	s                 Streams
}

// parser makes the grammar's parser. kong's parsers keep what they have parsed.
func (p *program) parser() (*kong.Kong, error) {
	parser, err := kong.New(p.grammar,
		kong.Name(p.name), kong.Description(p.description), kong.Writers(p.s.Out, p.s.Err), kong.UsageOnError(),
		kong.Embed(&struct {
			Version kong.VersionFlag `help:"Print the version, and what it was built of." env:"-"`
		}{}),
		kong.Vars{"version": p.name + " " + version()},
		kong.DefaultEnvars("SWITCHTAPE"),
		kong.NamedMapper("private", kong.MapperFunc(private)),
		kong.NamedMapper("path", kong.MapperFunc(path)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { panic(exited{code}) }),
	)
	if err == nil {
		parser.Model.Detail = "It ends with 0 when all is done, with 1 when it failed or something is wrong, " +
			"and with 2 when it was told something that can't be meant."
		p.examples(parser.Model)
	}
	return parser, err
}

// Exampled is a grammar that knows examples of its commands, by their names without the
// program's.
type Exampled interface{ Examples() map[string][]string }

// examples puts the commands' examples behind what their help says else.
func (p *program) examples(model *kong.Application) {
	grammar, ok := p.grammar.(Exampled)
	if !ok {
		return
	}
	all := grammar.Examples()
	for _, n := range model.Leaves(true) {
		lines := all[strings.TrimPrefix(n.FullPath(), p.name+" ")]
		if len(lines) == 0 {
			continue
		}
		if n.Detail != "" {
			n.Detail += "\n\n"
		}
		n.Detail += "For example:\n\n    " + strings.Join(lines, "\n    ")
	}
}

// parse parses args, with what the file of settings says that they name.
func (p *program) parse(args []string) (*kong.Context, *Configuration, error) {
	parser, err := p.parser()
	if err != nil {
		return nil, nil, err
	}
	all, origins, err := p.fromConfig(args)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parser.Parse(all)
	if err == nil {
		err = secretsInArguments(parsed, args)
	}
	if err != nil {
		return nil, nil, err
	}
	origins = origin(parsed, origins)
	argumentsInstead(parsed, origins)
	return parsed, &Configuration{program: p, args: args, settings: describe(parsed, origins)}, nil
}

// Run is Main under the caller's context.
func Run(ctx context.Context, name, description string, grammar any, args []string, s Streams) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			code = e.code
		default:
			panic(e) // a fault of the program, which isn't to look like success
		}
	}()
	p := &program{name: name, description: description, grammar: grammar, s: s}
	parsed, configuration, err := p.parse(args)
	if err != nil {
		err = Hinted(err)
		if slices.Contains(args, "--json") {
			return s.failJSON(err, ExitUsage)
		}
		fmt.Fprintf(s.Err, "%s: %v\n(%s --help lists what there is)\n", name, err, name)
		return ExitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = Hinted(parsed.Run(s, configuration))
	for _, f := range parsed.Flags() {
		if f.Name == "json" && f.IsBool() && f.Target.Bool() && err != nil && !errors.Is(err, errSilent) {
			return s.failJSON(err, exitOf(err))
		}
	}
	return exitCode(name, err, s)
}

// failJSON says what went wrong to a program that asked for JSON: one object in one line of
// Err, as Out is for results.
func (s Streams) failJSON(err error, code int) int {
	failure := struct {
		Error  string                 `json:"error"`
		Code   string                 `json:"code,omitempty"` // of callmodel's; "": the error has none
		Fields []callmodel.FieldError `json:"fields,omitempty"`
		Exit   int                    `json:"exit"`
	}{Error: err.Error(), Code: string(callmodel.CodeOf(err)), Exit: code}
	if fields, ok := errors.AsType[callmodel.FieldErrors](err); ok {
		failure.Fields = fields
	}
	switch {
	case code == ExitUsage:
		failure.Code = string(callmodel.CodeInvalid)
	case failure.Code == string(callmodel.CodeInternal):
		failure.Code = "" // that of every error without one
	}
	enc := json.NewEncoder(s.Err)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&failure); err != nil {
		return ExitFailed // nobody hears it
	}
	return code
}

func exitOf(err error) int {
	if _, ok := errors.AsType[*UsageError](err); ok {
		return ExitUsage
	}
	return ExitFailed
}

func exitCode(name string, err error, s Streams) int {
	var fields callmodel.FieldErrors
	var nested exitError
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, errSilent):
		return ExitFailed
	case errors.As(err, &nested):
		return int(nested)
	case errors.As(err, &fields) && len(fields) > 1:
		fmt.Fprintf(s.Err, "%s: %d faults:\n", name, len(fields))
		for _, f := range fields {
			fmt.Fprintf(s.Err, "  %s\n", f)
		}
	default:
		fmt.Fprintf(s.Err, "%s: %v\n", name, err)
	}
	return exitOf(err)
}

// path maps a flag of type:"path": a path that is the same whatever directory is gone to
// later. Nothing stays nothing, as where a variable of the environment is there and empty.
func path(ctx *kong.DecodeContext, target reflect.Value) error {
	var value string
	if err := ctx.Scan.PopValueInto("file", &value); err != nil {
		return err
	}
	if value != "" && value != "-" {
		value = kong.ExpandPath(value)
	}
	if target.Kind() == reflect.Pointer { // nil says that nothing was given
		target.Set(reflect.ValueOf(&value))
		return nil
	}
	target.SetString(value)
	return nil
}
