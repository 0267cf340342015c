//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
)

// The exit codes of sysexits.h that say what becomes of the job.
const (
	exDataErr  = 65
	exTempFail = 75
)

// bounded sets the limits and becomes the program, so that they hold from its beginning
// and for all that it starts. The program and its arguments are the shell's own: no text
// of theirs is read as a command.
const bounded = `ulimit -c 0 && if [ "$1" != 0 ]; then ulimit -v "$1"; fi && if [ "$2" != 0 ]; then ulimit -f "$2"; fi && shift 2 && exec "$@"`

// Why a program was killed.
var (
	errTooLong = errors.New("it took too long")
	errTooMuch = errors.New("it wrote too much")
)

// run runs the program, and returns what it wrote to its standard output.
func (r *runner) run(ctx context.Context, argv []string, dir string, env []string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Timeout, fmt.Errorf("%w: more than %v", errTooLong, r.opts.Timeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	g, err := newGroup(ctx)
	if err != nil {
		return nil, err
	}
	defer g.end()
	args := []string{"-c", bounded, "sh", units(r.opts.MaxMemory, 1024), units(r.opts.MaxFile, 512)}
	cmd := exec.CommandContext(ctx, "/bin/sh", append(args, argv...)...) //nolint:gosec // the worker's configuration says what is run
	cmd.Dir, cmd.Env, cmd.SysProcAttr, cmd.Cancel = dir, env, g.member(), g.kill
	out := &limited{most: r.opts.MaxOutput, full: func() { stop(fmt.Errorf("%w: more than %d bytes", errTooMuch, r.opts.MaxOutput)) }}
	faults := &limited{most: maxErrorOutput, full: func() {}}
	err = capture(cmd, g, out, faults)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return out.bytes(), verdict(err, faults.bytes())
}

// verdict is what an ended program's error is for its job.
func verdict(err error, said []byte) error {
	if err == nil {
		return nil
	}
	fault := fmt.Errorf("%w: %s", err, said)
	if len(said) == 0 {
		fault = err
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case !ok:
	case exit.ExitCode() == exDataErr:
		return callmodel.Permanent(fault)
	case exit.ExitCode() == exTempFail:
		return callmodel.RetryAfter(fault, 0)
	}
	return fault
}

// units is a limit as ulimit takes it; "0" for none.
func units(bytes, unit int64) string {
	if bytes < 0 {
		return "0"
	}
	return strconv.FormatInt(max(bytes/unit, 1), 10)
}
