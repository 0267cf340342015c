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
	value, err := fromFile(ctx)
	*s = Secret(value)
	return err
}

// private maps a flag of type:"private": a text that may hold a password, as a URL does.
// It comes as a [Secret] comes, or in an argument if it holds none.
func private(ctx *kong.DecodeContext, target reflect.Value) error {
	value, err := fromFile(ctx)
	target.SetString(value)
	return err
}

// fromFile takes the flag's value, or what is in the file that it names: @FILE.
func fromFile(ctx *kong.DecodeContext) (value string, err error) {
	if err := ctx.Scan.PopValueInto("secret", &value); err != nil {
		return "", err
	}
	path, ok := strings.CutPrefix(value, "@")
	if !ok {
		return value, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	if value = strings.TrimRight(string(text), "\r\n"); value == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return value, nil
}

// String hides the secret from whoever prints its flags.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "…"
}

// secretsInArguments is the error of a secret that stands in args: the value of a
// [Secret], or a URL with a password.
func secretsInArguments(parsed *kong.Context, args []string) error {
	for _, p := range parsed.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		_, secret := reflect.TypeAssert[Secret](p.Flag.Target)
		_, private := reflect.TypeAssert[[]Private](p.Flag.Target)
		name := "--" + p.Flag.Name
		for i, arg := range args {
			value, ok := strings.CutPrefix(arg, name+"=")
			if arg == name && i+1 < len(args) {
				value, ok = args[i+1], true
			}
			if !ok || strings.HasPrefix(value, "@") || !secret && !hasPassword(value) {
				continue
			}
			instead := strings.Join(p.Flag.Envs, " or ") + " in the environment"
			if secret || private || p.Flag.Tag.Type == "private" {
				instead = name + " @FILE, or " + instead
			}
			return fmt.Errorf("%s: a secret in an argument can be read by every user of this machine: give %s", name, instead)
		}
	}
	return nil
}

// hasPassword reports whether the text is a URL that holds one: before its host, or as
// PostgreSQL's parameter. NATS has tokens in the user's place.
func hasPassword(text string) bool {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return false
	}
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndex(rest, "@"); at > 0 && rest[0] != '/' {
		if _, password, _ := strings.Cut(rest[:at], ":"); password != "" || scheme == "nats" {
			return true
		}
	}
	for pair := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(pair, "password=") || strings.HasPrefix(pair, "sslpassword=") {
			return true
		}
	}
	return false
}

// Private is a flag's value that may hold a password, as a URL does: what type:"private"
// is for flags that may be given several times.
type Private string

// Decode implements kong.MapperValue.
func (p *Private) Decode(ctx *kong.DecodeContext) error {
	value, err := fromFile(ctx)
	*p = Private(value)
	return err
}
