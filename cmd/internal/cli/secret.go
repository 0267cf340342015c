package cli

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Secret is a flag's value that nobody else may read. It comes by the environment, or
// from a file: --flag @FILE. In an argument it would be in the list of processes, which
// every user of the machine can read, so there it is refused.
type Secret string

// Decode implements kong.MapperValue.
func (s *Secret) Decode(ctx *kong.DecodeContext) error {
	var value string
	if err := ctx.Scan.PopValueInto("secret", &value); err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(value, "@"); ok {
		text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return err
		}
		value = strings.TrimRight(string(text), "\r\n")
		if value == "" {
			return fmt.Errorf("%s is empty", path)
		}
	}
	*s = Secret(value)
	return nil
}

// String hides the secret from whoever prints its flags.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "…"
}

// secretsInArguments is the error of a secret that stands in args.
func secretsInArguments(parsed *kong.Context, args []string) error {
	for _, p := range parsed.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		if _, is := reflect.TypeAssert[Secret](p.Flag.Target); !is {
			continue
		}
		name := "--" + p.Flag.Name
		for i, arg := range args {
			value, ok := strings.CutPrefix(arg, name+"=")
			if arg == name && i+1 < len(args) {
				value, ok = args[i+1], true
			}
			if ok && !strings.HasPrefix(value, "@") {
				return fmt.Errorf("%s: a secret in an argument can be read by every user of this machine: give %s @FILE, or %s in the environment",
					name, name, strings.Join(p.Flag.Envs, " or "))
			}
		}
	}
	return nil
}
