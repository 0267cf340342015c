package cli

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Doc is what is to be known of a setting.
type Doc struct {
	Name     string
	Env      string
	Help     string
	Default  string // "": none
	Required bool
	List     bool // it may have several values
	Secret   bool // it comes by the environment, or from a file: @FILE
}

// Reference lists the settings of a grammar that is a program's, without commands.
func Reference(name string, grammar any) ([]Doc, error) {
	p := &program{name: name, grammar: grammar}
	parser, err := p.parser()
	if err != nil {
		return nil, err
	}
	var list []Doc
	for _, group := range parser.Model.AllFlags(true) {
		for _, f := range group {
			if !isSetting(f) || slices.ContainsFunc(list, func(d Doc) bool { return d.Name == f.Name }) {
				continue
			}
			list = append(list, docOf(f))
		}
	}
	return list, nil
}

func docOf(f *kong.Flag) Doc {
	d := Doc{
		Name: f.Name, Env: strings.Join(f.Envs, ", "), Help: f.Help, Required: f.Required, List: f.IsSlice() || f.IsMap(),
		Default: f.Default,
	}
	_, d.Secret = reflect.TypeAssert[Secret](f.Target)
	if f.Enum != "" && !strings.Contains(f.Help, f.Enum) && !strings.Contains(f.OrigHelp, "${enum}") {
		d.Help += " One of " + strings.ReplaceAll(f.Enum, ",", ", ") + "."
	}
	return d
}
