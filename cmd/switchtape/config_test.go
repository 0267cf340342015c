package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

const settingsReference = "../../examples/docs/settings.md"

// settingsTable is the file settings.md, from the code.
func settingsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Settings

All that the three programs can be told, as their code has it. Each is a flag (` + "`--region DE`" + `), a variable
of the environment (` + "`SWITCHTAPE_REGION=DE`" + `) and a name in the file of settings (` + "`region: DE`" + `) that
` + "`--config FILE`" + ` or ` + "`SWITCHTAPE_CONFIG`" + ` names. An argument goes before the environment, that before the file.

` + "```yaml" + `
db: "@/etc/switchtape/db-url"      # of every program that reads the file; @FILE: its value is in another
log-level: info
api:                               # of one program alone: api, worker or serve
  listen: 0.0.0.0:8080
  emergency: [sip:psap.example.com]
worker:
  bucket: s3://recordings?region=eu-central-1
  legs: /var/spool/asterisk/monitor
` + "```" + `

` + "```sh" + `
switchtape config check worker --config FILE    # say what is wrong with it
switchtape config print worker --config FILE    # all that the worker would do, and by whose word
switchtape doctor worker --config FILE          # try all that it needs here; or switchtape-worker --config FILE --doctor
` + "```" + `

Relative paths are those of the directory that the program is started in. A secret may stand in the
file if nobody else can read it, which doctor looks at. SIGHUP reads the file again: the log level is
what it says then, and of others that have changed the log says that they need a restart.
`)
	for _, p := range []struct {
		name, title string
		grammar     any
	}{
		{"api", "switchtape-api", &service.APIProgram{}}, {"worker", "switchtape-worker", &service.WorkerProgram{}}, {"serve", "switchtape serve", &serveFlags{}},
	} {
		list, err := cli.Reference(p.title, p.grammar)
		require.NoError(t, err)
		fmt.Fprintf(&b, "\n## %s (`%s:`)\n\n| setting | default | what it says |\n|---|---|---|\n", p.title, p.name)
		for _, d := range list {
			value := d.Default
			switch {
			case d.Required:
				value = "*must be given*"
			case value != "":
				value = "`" + value + "`"
			}
			help := strings.ReplaceAll(d.Help, "|", `\|`)
			if d.List {
				help += " *A list.*"
			}
			if d.Secret {
				help += " *A secret.*"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, value, help)
		}
	}
	return b.String()
}

// settings.md is what the code says: SWITCHTAPE_UPDATE=1 writes it.
func TestSettingsAreListed(t *testing.T) {
	t.Parallel()
	want := settingsTable(t)
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(settingsReference, []byte(want), 0o600))
	}
	got, err := os.ReadFile(settingsReference)
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
}

// TestConfigCommands: a file is checked, printed with its origins, and what is printed says
// the same again.
func TestConfigCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte("db: postgres://u:hidden@db/calls\napi:\n  emergency: [sip:psap]\nworker:\n  bucket: file:///r\n  legs: /l\nserve:\n  dir: /d\n"), 0o600))
	for _, program := range []string{"api", "worker", "serve"} {
		code, out, errs := run(t, "config", "check", program, "--config", path)
		require.Zero(t, code, errs)
		assert.Contains(t, out, "all are understood")

		code, printed, errs := run(t, "config", "print", program, "--config", path)
		require.Zero(t, code, errs)
		assert.NotContains(t, printed, "hidden")
		assert.Contains(t, printed, "# db: a secret  # "+path+":1\n")
		again := filepath.Join(dir, program+".yaml")
		require.NoError(t, os.WriteFile(again, []byte("db: postgres://u:hidden@db/calls\n"+printed), 0o600))
		var one, other struct{ Settings []cli.Setting }
		runJSON(t, &one, "config", "print", program, "--config", path)
		runJSON(t, &other, "config", "print", program, "--config", again)
		for i := range one.Settings {
			one.Settings[i].Origin, other.Settings[i].Origin = "", ""
		}
		assert.Equal(t, one, other, program)
	}
	code, out, errs := run(t, "config", "print", "worker", "--config", path, "--given", "--bucket", "file:///s")
	require.Zero(t, code, errs)
	assert.Equal(t, fmt.Sprintf("# db: a secret  # %[1]s:1\nbucket: file:///s  # argument\nlegs: /l  # %[1]s:6\n", path), out)

	require.NoError(t, os.WriteFile(path, []byte("db: sqlite:///a\nworker: {bucket: file:///r, legs: /l, legs-reserve: lots, legs-of: [7]}\n"), 0o600))
	code, _, errs = run(t, "config", "check", "worker", "--config", path)
	assert.Equal(t, cli.ExitFailed, code)
	assert.Contains(t, errs, "--legs-reserve: ")
	assert.Contains(t, errs, "--legs-of: ")
}

// TestDoctorCommand: it fails where something is wrong, and says what in either form.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, out, errs := run(t, "doctor", "serve", "--dir", filepath.Join(dir, "new"), "--listen", "127.0.0.1:0")
	require.Zero(t, code, "%s%s", out, errs)
	assert.Contains(t, out, ", 0 faults, ")
	code, out, _ = run(t, "doctor", "serve", "--dir", dir, "--listen", "127.0.0.1:0", "--legs", filepath.Join(dir, "none"), "--json")
	assert.Equal(t, cli.ExitFailed, code)
	assert.Contains(t, out, `"state": "fault"`)
	assert.Contains(t, out, `"fix": "give --legs the directory in which`)
}

// The waveform can be left out by an argument, the environment's word or a file's.
func TestPeaksCanBeLeftOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(file, []byte("record-peaks: false\n"), 0o600))
	printed := func(args ...string) string {
		t.Helper()
		code, out, errs := run(t, append([]string{"config", "print", "serve", "--dir", t.TempDir()}, args...)...)
		require.Zero(t, code, errs)
		return out
	}
	assert.Regexp(t, `record-peaks: +true`, printed())
	assert.Regexp(t, `record-peaks: +false`, printed("--no-record-peaks"))
	assert.Regexp(t, `record-peaks: +false`, printed("--config", file))
	assert.Regexp(t, `record-peaks: +true`, printed("--config", file, "--record-peaks"))
	t.Setenv("SWITCHTAPE_RECORD_PEAKS", "false")
	assert.Regexp(t, `record-peaks: +false`, printed())
}

// A program that is nearly named is hinted at.
func TestDidYouMeanAProgram(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"doctor"}, {"config", "check"}} {
		code, _, errs := run(t, append(command, "workr")...)
		assert.Equal(t, 2, code)
		assert.Contains(t, errs, `did you mean "worker"?`)
	}
}
