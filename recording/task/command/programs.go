package command

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Programs are the programs that jobs may name: for each name the program and its
// arguments. A program without a slash is looked for in the PATH of Options.Env; another
// path must be absolute, as the working directory is the job's.
type Programs map[string][]string

// ParsePrograms reads programs as flags have them: "NAME=PROGRAM ARG…", with spaces
// between the arguments and no quotes. What needs more is put into a script. A relative
// path with a slash is from the working directory of this process.
func ParsePrograms(flags []string) (Programs, error) {
	p := Programs{}
	var e callmodel.FieldErrors
	for _, flag := range flags {
		name, argv, ok := strings.Cut(flag, "=")
		words := strings.Fields(argv)
		switch {
		case !ok || len(words) == 0:
			e.Add("command", "%.64q is not NAME=PROGRAM", flag)
		case !callmodel.ValidID(name):
			e.CheckID("command", name)
		case p[name] != nil:
			e.Add("command", "two programs have the name %q", name)
		}
		if len(words) > 0 && strings.ContainsRune(words[0], filepath.Separator) {
			if abs, err := filepath.Abs(words[0]); err == nil {
				words[0] = abs
			}
		}
		p[name] = words
	}
	return p, e.Err()
}

// Check reports every program that isn't there, or that can't be run, by its name, as
// FieldErrors: a job would find that out alone, each time anew. It looks where the programs
// are looked for when jobs run with these options, which may be nil.
func (p Programs) Check(o *Options) error {
	var e callmodel.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if len(p[name]) == 0 {
			e.Add("command", "%s has no program", name)
			continue
		}
		if err := lookFor(p[name][0], o.env()); err != nil {
			e.Add("command", "%s can't be run: %v", name, err)
		}
	}
	return e.Err()
}

// lookFor reports why there is no such program in an environment.
func lookFor(program string, env []string) error {
	if strings.ContainsRune(program, filepath.Separator) {
		_, err := exec.LookPath(program)
		return err
	}
	dirs := ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			dirs = value
		}
	}
	for _, dir := range filepath.SplitList(dirs) {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return nil
		}
	}
	return &exec.Error{Name: program, Err: os.ErrNotExist}
}
