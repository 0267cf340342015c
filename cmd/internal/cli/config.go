package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// ConfigFile is the flag of a program that has its settings in a file, too. Its tag
// program:"NAME" names the program's own section:
//
//	db: postgres://switchtape@db/switchtape   # of every program that reads the file
//	api:
//	  listen: 0.0.0.0:8080                    # of one, which goes before
//	  auth-keys: /etc/switchtape/keys
//	worker:
//	  queues: [pbx-1, default]
//
// Names are those of the flags. An argument goes before the environment, that before the
// file, and the file before what is said by nobody.
type ConfigFile string

// given is what a file says of one flag.
type given struct {
	values []string // one for each time the flag would be given
	list   bool     // each is one element, whatever separates them in an argument
	line   int
}

// sections are those of the programs that read such files.
func sections() []string { return []string{"api", "worker", "serve"} }

// readConfig reads what the file says to the program: of its own section, and of no section.
func readConfig(path, program string) (map[string]given, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("--config: %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil // nothing is said
	}
	common, own, err := mapping(path, doc.Content[0], sections())
	if err != nil {
		return nil, err
	}
	for name, section := range own {
		settings, _, err := mapping(path, section, nil)
		if err != nil {
			return nil, err
		}
		if name != program {
			continue
		}
		maps.Copy(common, settings)
	}
	return common, nil
}

// mapping reads a mapping's settings, and its sections of those names.
func mapping(path string, node *yaml.Node, names []string) (settings map[string]given, sections map[string]*yaml.Node, err error) {
	if node.Kind != yaml.MappingNode {
		return nil, nil, fmt.Errorf("--config: %s:%d: must be names with their values, as \"db: sqlite:///var/lib/calls.db\"", path, node.Line)
	}
	settings, sections = map[string]given{}, map[string]*yaml.Node{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		_, twice := settings[key.Value]
		if sections[key.Value] != nil || twice {
			return nil, nil, fmt.Errorf("--config: %s:%d: %s is there twice", path, key.Line, key.Value)
		}
		if slices.Contains(names, key.Value) {
			if value.Tag != "!!null" {
				sections[key.Value] = value
			}
			continue
		}
		values, err := texts(value)
		if err != nil {
			return nil, nil, fmt.Errorf("--config: %s:%d: %s: %w", path, value.Line, key.Value, err)
		}
		if values != nil {
			settings[key.Value] = given{values: values, list: value.Kind != yaml.ScalarNode, line: key.Line}
		}
	}
	return settings, sections, nil
}

// texts are the values that a flag has: nil for none, one of a scalar, each of a list, and
// KEY=VALUE of a mapping.
func texts(node *yaml.Node) ([]string, error) {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil, nil
	case node.Kind == yaml.ScalarNode:
		return []string{node.Value}, nil
	case node.Kind == yaml.SequenceNode:
		list := []string{}
		for _, n := range node.Content {
			if n.Kind != yaml.ScalarNode {
				return nil, errors.New("a list holds texts and numbers, nothing else")
			}
			list = append(list, n.Value)
		}
		return list, nil
	case node.Kind == yaml.MappingNode:
		list := []string{}
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i+1].Kind != yaml.ScalarNode {
				return nil, errors.New("a mapping holds texts and numbers, nothing else")
			}
			list = append(list, node.Content[i].Value+"="+node.Content[i+1].Value)
		}
		return list, nil
	}
	return nil, errors.New("must be a text, a number, a list or a mapping")
}

// Where a setting's value is from.
const (
	byArgument    = "argument"
	byEnvironment = "environment" // with the variable behind it
	byDefault     = "default"
)

// Setting is what one flag of a command has come to.
type Setting struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // one, or those of a list; of a secret "…"
	Origin string   `json:"origin"` // argument, environment NAME, FILE:LINE, default
	Secret bool     `json:"secret,omitempty"`
	List   bool     `json:"-"`

	flag *kong.Flag
}

// Default reports whether nobody has given the setting.
func (s *Setting) Default() bool { return s.Origin == byDefault }

// configFlag is the name of a [ConfigFile] among the flags, and configEnv in the environment.
const configFlag, configEnv = "config", "SWITCHTAPE_CONFIG"

// fromConfig reads the file that args or the environment name, if the command of args has a
// [ConfigFile], and returns args with what it says, and from where each is.
func (p *program) fromConfig(args []string) (all []string, origins map[string]string, err error) {
	_, named := os.LookupEnv(configEnv)
	if !named && !slices.ContainsFunc(args, func(a string) bool { return a == "--"+configFlag || strings.HasPrefix(a, "--"+configFlag+"=") }) {
		return args, nil, nil
	}
	parser, err := p.parser() // of its own: a trace leaves its marks
	if err != nil {
		return nil, nil, err
	}
	trace, err := kong.Trace(parser, args)
	if err != nil {
		return nil, nil, err
	}
	if trace.Error != nil {
		return args, nil, nil //nolint:nilerr // it is said when they are parsed
	}
	said := map[string]bool{} // by who goes before the file
	byName := map[string]*kong.Flag{}
	var config *kong.Flag
	for _, f := range trace.Flags() {
		byName[f.Name] = f
		said[f.Name] = envName(f) != ""
		if _, ok := reflect.TypeAssert[ConfigFile](f.Target); ok {
			config = f
		}
	}
	path := os.Getenv(configEnv)
	for _, step := range trace.Path {
		if step.Flag != nil {
			said[step.Flag.Name] = true
			if step.Flag == config {
				path = fmt.Sprint(trace.FlagValue(config))
			}
		}
	}
	if config == nil || path == "" {
		return args, nil, nil
	}
	file, err := readConfig(path, config.Tag.Get("program"))
	if err != nil {
		return nil, nil, err
	}
	all, origins = slices.Clone(args), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(file)) { // faults are told in the same order each time
		g, f := file[name], byName[name]
		where := fmt.Sprintf("%s:%d", path, g.line)
		if f == nil || !isSetting(f) {
			return nil, nil, fmt.Errorf("--config: %s: there is no setting %q%s; what is another program's alone stands in its section", where, name, like(name, byName))
		}
		if said[name] {
			continue
		}
		origins[name] = where
		for _, v := range g.values {
			if sep := separator(f); sep != -1 && g.list {
				v = strings.ReplaceAll(v, string(sep), `\`+string(sep))
			}
			if err := f.Parse(kong.ScanAsType(kong.FlagValueToken, v), reflect.New(f.Target.Type()).Elem()); err != nil {
				return nil, nil, fmt.Errorf("--config: %s: %s: %w", where, name, err)
			}
			all = append(all, "--"+name+"="+v)
		}
	}
	return all, origins, nil
}

// separator is what is between a flag's values in one argument; -1 if nothing is.
func separator(f *kong.Flag) rune {
	switch {
	case f.IsSlice():
		return f.Tag.Sep
	case f.IsMap():
		return f.Tag.MapSep
	}
	return -1
}

// origin is where each flag's value is from, of those that aren't from a file.
func origin(parsed *kong.Context, origins map[string]string) map[string]string {
	all := map[string]string{}
	for _, f := range parsed.Flags() {
		all[f.Name] = byDefault
		if name := envName(f); name != "" {
			all[f.Name] = byEnvironment + " " + name
		}
	}
	for _, step := range parsed.Path {
		if step.Flag != nil {
			all[step.Flag.Name] = byArgument
		}
	}
	maps.Copy(all, origins)
	return all
}

// isSetting reports whether the flag says how the program is to work. Others, with the tag
// once:"", are of one start of it.
func isSetting(f *kong.Flag) bool {
	return !f.Tag.Has("once") && f.Name != "help" && f.Name != "version"
}

// envName is the variable that says what the flag is; "": none does.
func envName(f *kong.Flag) string {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return name
		}
	}
	return ""
}

// like is a hint at the name that is nearest, or "".
func like(name string, names map[string]*kong.Flag) string {
	return didYouMean(nearest(name, slices.Collect(maps.Keys(names)), nearly(name)))
}

// edits is the Levenshtein distance: how many letters must be put in, taken out or changed.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Configuration is what a command's flags have come to, and by whom. A command that wants
// it takes it as an argument of Run.
type Configuration struct {
	program  *program
	args     []string
	settings []Setting
}

// Settings are all, in the order of the help.
func (c *Configuration) Settings() []Setting { return c.settings }

// Changed reads file and environment again, and returns the settings that aren't any more
// what they were at the start, or at the last call that found a change.
func (c *Configuration) Changed() ([]Setting, error) {
	fresh := *c.program
	fresh.grammar = reflect.New(reflect.TypeOf(c.program.grammar).Elem()).Interface()
	_, now, err := fresh.parse(c.args)
	if err != nil {
		return nil, err
	}
	var changed []Setting
	for i, s := range now.settings {
		if !reflect.DeepEqual(value(s.flag), value(c.settings[i].flag)) {
			changed = append(changed, s)
		}
	}
	c.settings = now.settings
	return changed, nil
}

func value(f *kong.Flag) any { return f.Target.Interface() }

// describe lists what the flags of the parsed command hold.
func describe(parsed *kong.Context, origins map[string]string) []Setting {
	var list []Setting
	for _, f := range parsed.Flags() {
		if !isSetting(f) {
			continue
		}
		s := Setting{Name: f.Name, Origin: origins[f.Name], List: f.IsSlice() || f.IsMap(), flag: f, Values: []string{}}
		_, s.Secret = reflect.TypeAssert[Secret](f.Target)
		switch v := f.Target; v.Kind() {
		case reflect.Slice:
			for i := range v.Len() {
				s.Values = append(s.Values, fmt.Sprint(v.Index(i).Interface()))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				s.Values = append(s.Values, fmt.Sprintf("%v=%v", k.Interface(), v.MapIndex(k).Interface()))
			}
			slices.Sort(s.Values)
		default:
			s.Values = append(s.Values, fmt.Sprint(v.Interface()))
		}
		for i, v := range s.Values {
			if hasPassword(v) || s.Secret && v != "" {
				s.Secret, s.Values[i] = true, "…"
			}
		}
		list = append(list, s)
	}
	return list
}

// Text is the value as it stands in a file of settings.
func (s *Setting) Text() (string, error) {
	var v any = s.Values
	switch kind := s.flag.Target.Kind(); {
	case s.List:
	case kind == reflect.String || len(s.Values) == 0:
		v = strings.Join(s.Values, "")
	default: // numbers, durations and switches without quotes
		return s.Values[0], nil
	}
	text, err := yaml.Marshal(v)
	if s.List && err == nil {
		node := yaml.Node{}
		if err = node.Encode(v); err == nil {
			node.Style = yaml.FlowStyle
			text, err = yaml.Marshal(&node)
		}
	}
	return strings.TrimSpace(string(text)), err
}
