package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type configured struct {
	Config cli.ConfigFile `program:"api" once:""`

	DB     string            `help:"Database." type:"private" required:""`
	Secret cli.Secret        `help:"Secret."`
	Hosts  []string          `help:"Hosts."`
	Whole  []string          `help:"With commas." sep:"none"`
	Map    map[string]string `help:"A mapping."`
	Wait   time.Duration     `help:"Time." default:"30s"`
	Loud   bool              `help:"A switch."`
	Left   string            `help:"A place." instead:"right"`
	Right  string            `help:"Another." instead:"left"`
	Codec  string            `help:"One of some." enum:"mp3,wav" default:"mp3"`
	Path   string            `help:"A place." type:"path"`
	Once   bool              `help:"Of one start." once:""`

	seen func(*configured, *cli.Configuration) error
}

func (c *configured) Run(_ cli.Streams, all *cli.Configuration) error { return c.seen(c, all) }

// configure runs a command with that file of settings; seen looks at it meanwhile.
func configure(t *testing.T, file string, seen func(*configured, *cli.Configuration), args ...string) (path, errs string, code int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	var out, e bytes.Buffer
	grammar := &configured{seen: func(c *configured, all *cli.Configuration) error {
		seen(c, all)
		return nil
	}}
	code = cli.Run(context.Background(), "x", "", grammar, append([]string{"--config", path}, args...), cli.Streams{Out: &out, Err: &e})
	return path, e.String(), code
}

const settingsFile = `
db: sqlite:///a.db
hosts: a,b
wait: 1m
loud: yes
map: {tea: green, milk: "a,b;c"}
api:
  wait: 2m
  whole: ["a,b", c]
  secret: hidden
worker:
  queues: [pbx-1]   # which this program doesn't have
`

// TestConfigFile: an argument goes before the environment, that before the file, and a
// program's own section before what is said to all.
func TestConfigFile(t *testing.T) {
	t.Setenv("SWITCHTAPE_HOSTS", "c")
	t.Setenv("SWITCHTAPE_PATH", "") // nothing, and not this directory
	path, errs, code := configure(t, settingsFile, func(c *configured, all *cli.Configuration) {
		assert.Equal(t, "sqlite:///b.db", c.DB)
		assert.Equal(t, []string{"c"}, c.Hosts)
		assert.Equal(t, []string{"a,b", "c"}, c.Whole)
		assert.Equal(t, map[string]string{"tea": "green", "milk": "a,b;c"}, c.Map)
		assert.Equal(t, 2*time.Minute, c.Wait)
		assert.True(t, c.Loud)
		assert.Equal(t, cli.Secret("hidden"), c.Secret)
		got := map[string]string{}
		for _, s := range all.Settings() {
			got[s.Name] = strings.Join(s.Values, "|") + " by " + s.Origin[strings.LastIndex(s.Origin, "/")+1:]
		}
		assert.Equal(t, map[string]string{
			"db": "sqlite:///b.db by argument", "hosts": "c by environment SWITCHTAPE_HOSTS", "whole": "a,b|c by settings.yaml:9",
			"map": "milk=a,b;c|tea=green by settings.yaml:6", "wait": "2m0s by settings.yaml:8", "loud": "true by settings.yaml:5",
			"secret": "… by settings.yaml:10", "left": " by default", "right": " by default", "codec": "mp3 by default", "path": " by environment SWITCHTAPE_PATH",
		}, got)
	}, "--db", "sqlite:///b.db")
	assert.Zero(t, code, errs)

	t.Setenv("SWITCHTAPE_CONFIG", path)
	ran := false
	code = cli.Run(t.Context(), "x", "", &configured{seen: func(c *configured, _ *cli.Configuration) error {
		ran = true
		assert.Equal(t, "sqlite:///a.db", c.DB, "the file is named by the environment")
		return nil
	}}, nil, cli.Streams{})
	assert.Zero(t, code)
	assert.True(t, ran)
}

// TestConfigPrinted: what is printed is a file of settings that says the same.
func TestConfigPrinted(t *testing.T) {
	var printed strings.Builder
	var first configured
	file := strings.Replace(settingsFile, "worker:", "  left: \"odd: 'text' #1\"\n  codec: wav\nworker:", 1)
	_, errs, code := configure(t, file, func(c *configured, all *cli.Configuration) {
		first = *c
		for _, s := range all.Settings() {
			text, err := s.Text()
			assert.NoError(t, err)
			if !s.Secret {
				printed.WriteString(s.Name + ": " + text + "  # " + s.Origin + "\n")
			}
		}
	})
	require.Zero(t, code, errs)
	_, errs, code = configure(t, printed.String(), func(c *configured, _ *cli.Configuration) {
		second := *c
		second.Config, second.Secret, second.seen = first.Config, first.Secret, first.seen
		first.seen, second.seen = nil, nil
		assert.Equal(t, first, second)
	})
	assert.Zero(t, code, "%s\n%s", errs, printed.String())
}

// TestConfigRefused: what a file can't mean is said with its line.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	const db = "db: sqlite:///a.db\n"
	for file, want := range map[string]string{
		db + "hostz: a":                  `settings.yaml:2: there is no setting "hostz", did you mean "hosts"?`,
		db + "queues: [a]":               `there is no setting "queues"; what is another program's alone stands in its section`,
		db + "wait: soon":                `settings.yaml:2: wait: `,
		db + "codec: ogg":                `--codec must be one of "mp3","wav"`,
		db + "loud: maybe":               `settings.yaml:2: loud: `,
		db + "db: sqlite:///b.db":        `settings.yaml:2: db is there twice`,
		db + "hosts: [[a]]":              `settings.yaml:2: hosts: a list holds texts and numbers`,
		db + "api: {hosts: {a: {b: c}}}": `a mapping holds texts and numbers`,
		db + "worker: 7":                 `settings.yaml:2: must be names with their values`,
		db + "worker: {a: [[b]]}":        `settings.yaml:2: a: a list holds`,
		db + "config: other.yaml":        `there is no setting "config"`,
		db + "once: true":                `there is no setting "once"`,
		"- a":                            `settings.yaml:1: must be names with their values`,
		"a: b: c":                        `settings.yaml: yaml: `,
		"":                               `missing flags: --db=STRING`,
		"db:\n":                          `missing flags: --db=STRING`,
		db + "secret: '@/nonexistent/the-secret'": `settings.yaml:2: secret: `,
	} {
		_, errs, code := configure(t, file, func(*configured, *cli.Configuration) { t.Errorf("%q ran", file) })
		assert.Equal(t, cli.ExitUsage, code, "%q", file)
		assert.Contains(t, errs, want, "%q", file)
	}
	var errs bytes.Buffer
	assert.Equal(t, cli.ExitUsage, cli.Run(t.Context(), "x", "", &configured{}, []string{"--config", "/nonexistent"}, cli.Streams{Err: &errs}))
	assert.Contains(t, errs.String(), "--config: open /nonexistent")
}

// TestConfigInstead: of two settings that go in one another's place the one counts that
// goes before, and two of one file are the command's to refuse.
func TestConfigInstead(t *testing.T) {
	t.Setenv("SWITCHTAPE_RIGHT", "env")
	for want, args := range map[string][]string{"/env": nil, "arg/": {"--left", "arg"}} {
		_, errs, code := configure(t, "db: sqlite:///a.db\nleft: file\n", func(c *configured, _ *cli.Configuration) {
			assert.Equal(t, want, c.Left+"/"+c.Right)
		}, args...)
		assert.Zero(t, code, errs)
	}
}

// TestConfigChanged: what is another in the file since the start is found, once.
func TestConfigChanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write("db: sqlite:///a.db\nwait: 1m\n")
	code := cli.Run(t.Context(), "x", "", &configured{seen: func(c *configured, all *cli.Configuration) error {
		changed, err := all.Changed()
		require.NoError(t, err)
		assert.Empty(t, changed)
		write("db: sqlite:///a.db\nhosts: [a]\n")
		changed, err = all.Changed()
		require.NoError(t, err)
		require.Len(t, changed, 2)
		assert.Equal(t, "hosts", changed[0].Name)
		assert.Equal(t, []string{"a"}, changed[0].Values)
		assert.Equal(t, []string{"30s"}, changed[1].Values)
		assert.True(t, changed[1].Default())
		assert.Equal(t, time.Minute, c.Wait, "what runs stays as it is")
		changed, err = all.Changed()
		require.NoError(t, err)
		assert.Empty(t, changed, "it was told")
		write("db: [")
		_, err = all.Changed()
		require.Error(t, err)
		return nil
	}}, []string{"--config", path}, cli.Streams{Err: os.Stderr})
	assert.Zero(t, code)
}

// TestVersion: --version says what the program was built of.
func TestVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	assert.Zero(t, cli.Run(t.Context(), "x", "", &configured{}, []string{"--version"}, cli.Streams{Out: &out}))
	assert.Regexp(t, `^x \S+.*, go1\.\d+\S* \w+/\w+\n$`, out.String())
}
