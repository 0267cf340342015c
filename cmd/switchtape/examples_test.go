package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// Each command has examples, which can be meant, and its help shows them.
func TestEachCommandHasExamples(t *testing.T) {
	t.Parallel()
	dir, there := t.TempDir(), []string{}
	for _, name := range []string{"dump.sql", "rules.yaml", "webhook-secret"} { // that must be there
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
		there = append(there, " "+name, " "+filepath.Join(dir, name), "@"+name, "@"+filepath.Join(dir, name))
	}
	placed := strings.NewReplacer(there...)
	_, page, _ := run(t, "man")
	all, err := cli.Commands("switchtape", &commands{})
	require.NoError(t, err)
	examples := (&commands{}).Examples()
	for _, c := range all {
		require.NotEmpty(t, examples[c.Name], c.Name)
		for _, line := range examples[c.Name] {
			require.True(t, strings.HasPrefix(line, "switchtape "+c.Name), line)
			if command, _, piped := strings.Cut(line, " | "); piped {
				line = command
			}
			assert.NoError(t, cli.Parse("switchtape", &commands{}, words(t, placed.Replace(line))[1:]), line)
			assert.Contains(t, page, strings.ReplaceAll(line, "-", `\-`))
		}
		delete(examples, c.Name)
	}
	assert.Empty(t, examples, "of no command")
	_, help, _ := run(t, "jobs", "add", "--help")
	assert.Contains(t, help, "\n    transcode: {", "what else it says stays")
	assert.Contains(t, help, "\n    switchtape jobs add transcode --key call-1.small")
}

// Each command that lists or shows what there is does so as JSON, too.
func TestListsAreJSON(t *testing.T) {
	t.Parallel()
	all, err := cli.Commands("switchtape", &commands{})
	require.NoError(t, err)
	for _, c := range all {
		if slices.Contains([]string{
			"serve",             // which goes on
			"completion", "man", // text for other programs
			"doctor", "config print", "config check", // their flags are the program's, below
			"webhooks new-key", "encryption new", "encryption rotate", "encryption writers", "encryption wrap", // make files
		}, c.Name) {
			continue
		}
		assert.True(t, slices.ContainsFunc(c.Flags, func(d cli.Doc) bool { return d.Name == "json" }), c.Name)
	}
	for _, args := range [][]string{{"doctor", "serve"}, {"config", "print", "serve"}} {
		code, help, errs := run(t, append(args, "--help")...)
		require.Zero(t, code, errs)
		assert.Contains(t, help, "--json")
	}
}

// words are those of a line of a shell, in which ' is all that quotes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		list = append(list, strings.Fields(part)...)
	}
	return list
}
