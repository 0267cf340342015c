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

// Command is what is to be known of a command.
type Command struct {
	Name  string // without the program's
	Flags []Doc
}

// Commands lists the commands of a grammar that has some.
func Commands(name string, grammar any) ([]Command, error) {
	p := &program{name: name, grammar: grammar}
	parser, err := p.parser()
	if err != nil {
		return nil, err
	}
	var list []Command
	for _, n := range parser.Model.Leaves(true) {
		c := Command{Name: strings.TrimPrefix(n.FullPath(), name+" ")}
		for _, f := range n.Flags {
			c.Flags = append(c.Flags, docOf(f))
		}
		list = append(list, c)
	}
	return list, nil
}

// Parse is the fault of a command line, nil if it can be meant. Nothing is run.
func Parse(name string, grammar any, args []string) error {
	_, _, err := (&program{name: name, grammar: grammar}).parse(args)
	return err
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
