package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Completion is a command that prints what a shell needs to complete the program's commands,
// flags and their values. The shell asks the program itself, so that it knows what this
// build knows.
type Completion struct {
	Shell string   `arg:"" help:"${enum}." enum:"bash,zsh,fish"`
	Words []string `arg:"" optional:"" hidden:"" help:"What has been written so far, the word to complete last."`
}

// Help says how it is put in use.
func (*Completion) Help() string {
	return `By the shell:

    bash:  source <(switchtape completion bash)
    zsh:   source <(switchtape completion zsh)
    fish:  switchtape completion fish | source

Each may stand in the shell's own start file.`
}

// Run prints the script, or what the last word may become.
func (c *Completion) Run(_ context.Context, s Streams, k *kong.Kong) error {
	name := k.Model.Name
	if len(c.Words) > 0 {
		for _, w := range complete(k.Model.Node, c.Words[:len(c.Words)-1], c.Words[len(c.Words)-1]) {
			if c.Shell == "fish" || c.Shell == "zsh" {
				s.Printf("%s%s%s\n", w.text, map[string]string{"fish": "\t", "zsh": ":"}[c.Shell], w.help)
				continue
			}
			s.Printf("%s\n", w.text)
		}
		return nil
	}
	_, err := io.WriteString(s.Out, strings.ReplaceAll(scripts[c.Shell], "NAME", name))
	return err
}

// Words that begin with a dash are the program's own to complete, so they come behind --.
var scripts = map[string]string{
	"bash": `_NAME_complete() {
  local IFS=$'\n'
  local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}") word="${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(NAME completion bash -- "${before[@]}" "$word" 2>/dev/null))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _NAME_complete NAME
`,
	"zsh": `#compdef NAME
_NAME() {
  local -a found
  found=("${(@f)$(NAME completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${found[1]}" ]]; then _describe NAME found; else _files; fi
}
compdef _NAME NAME
`,
	"fish": `function __NAME_complete
  set -l words (commandline -opc) (commandline -ct)
  NAME completion fish -- $words[2..-1] 2>/dev/null
end
complete -c NAME -a '(__NAME_complete)'
`,
}

// candidate is what a word may become.
type candidate struct{ text, help string }

// complete lists what the word may become behind those before it, in the order of the help.
// Nothing is known of files, which the shell completes itself.
func complete(root *kong.Node, before []string, word string) []candidate {
	node := root
	flags := slices.Clone(root.Flags)
	var waiting *kong.Flag // for its value
	args := 0
	for _, w := range before {
		name, isFlag := strings.CutPrefix(w, "--")
		switch {
		case waiting != nil:
			waiting = nil
		case isFlag:
			if i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name }); i >= 0 && !flags[i].IsBool() {
				waiting = flags[i]
			}
		case strings.HasPrefix(w, "-"):
		default:
			if i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == w || slices.Contains(n.Aliases, w) }); i >= 0 {
				node = node.Children[i]
				flags = append(flags, node.Flags...)
				continue
			}
			args++
		}
	}
	var all []candidate
	values := func(v *kong.Value) {
		for _, e := range v.EnumSlice() {
			all = append(all, candidate{e, ""})
		}
	}
	switch name, value, has := strings.Cut(word, "="); {
	case waiting != nil:
		values(waiting.Value)
	case strings.HasPrefix(word, "--") && has:
		for _, f := range flags {
			if "--"+f.Name == name {
				for _, e := range f.EnumSlice() {
					all = append(all, candidate{name + "=" + e, ""})
				}
			}
		}
		_ = value // what has been written of it: the prefix below is all of the word
	case strings.HasPrefix(word, "-"):
		for _, f := range flags {
			if !f.Hidden {
				all = append(all, candidate{"--" + f.Name, firstSentence(f.Help)})
			}
		}
	default:
		for _, n := range node.Children {
			if !n.Hidden {
				all = append(all, candidate{n.Name, firstSentence(n.Help)})
			}
		}
		if args < len(node.Positional) {
			values(node.Positional[args])
		}
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return c.text == "" || !strings.HasPrefix(c.text, word) })
}

// firstSentence is enough for a list.
func firstSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// Man is a command that prints the program's page for man, with all its commands.
type Man struct{}

// Run prints the page.
func (*Man) Run(_ context.Context, s Streams, k *kong.Kong) error {
	w := &strings.Builder{}
	name := k.Model.Name
	fmt.Fprintf(w, ".TH %s 1 \"\" \"%s\" \"Switchtape\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), roff(version()), name, roff(strings.TrimSuffix(k.Model.Help, ".")))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n%s\n", name, roff(strings.TrimSpace(strings.TrimPrefix(k.Model.Summary(), name))))
	w.WriteString(".SH EXIT STATUS\n0: done. 1: failed. 2: wrong usage.\n.SH ENVIRONMENT\nEach flag is a variable, too: \\-\\-log\\-level is SWITCHTAPE_LOG_LEVEL. A flag goes before it.\n")
	w.WriteString(".SH OPTIONS\n")
	manFlags(w, k.Model.Flags)
	if len(k.Model.Children) > 0 {
		w.WriteString(".SH COMMANDS\n")
	}
	for _, n := range k.Model.Leaves(true) {
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(strings.TrimPrefix(n.FullPath(), name+" ")), roff(n.Help))
		if n.Detail != "" {
			fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(n.Detail))
		}
		for _, p := range n.Positional {
			if !p.Tag.Hidden {
				fmt.Fprintf(w, ".TP\n.I %s\n%s\n", roff(p.Name), roff(p.Help))
			}
		}
		manFlags(w, n.Flags)
	}
	_, err := io.WriteString(s.Out, w.String())
	return err
}

func manFlags(w io.Writer, flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		help := f.Help
		if f.HasDefault && f.Default != "" && f.Default != "0" && !f.IsBool() {
			help += " Default: " + f.Default + "."
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(f.String()), roff(help))
	}
}

// roff is the text where a page of man has text.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
