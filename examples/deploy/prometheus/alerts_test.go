package prometheus_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	runbooks = "../../docs/runbooks.md"
	metrics  = "../../docs/metrics.md" // of the code, which its own test sees to
	pages    = "https://github.com/switchtape/switchtape/blob/main/examples/docs/runbooks.md#"
)

type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	require.NoError(t, yaml.Unmarshal([]byte(text(t, "alerts.yaml")), &file))
	var list []alert
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	require.NotEmpty(t, list)
	return list
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// TestPromtool: Prometheus' own tool finds nothing wrong with the alerts, and of series of a
// fleet that is well none fires, of each fault those that should.
func TestPromtool(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			t.Fatal("promtool is not installed; it is in Debian's package prometheus")
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: alerts are tested by promtool; install prometheus, or run .ci/run")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// TestEveryAlertFiresInATest: for each alert there is a fault in alerts_test.yaml.
func TestEveryAlertFiresInATest(t *testing.T) {
	t.Parallel()
	tests := text(t, "alerts_test.yaml")
	for _, a := range alerts(t) {
		assert.Contains(t, tests, `{alertname="`+a.Alert+`"`)
	}
}

// TestRunbooks: each alert has a section that says what was seen, what it means, what to
// look at and what to do, and there is none of an alert that isn't.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, part := range strings.Split(text(t, runbooks), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		sections[title], _, _ = strings.Cut(body, "\n# ")
	}
	for _, a := range alerts(t) {
		body, ok := sections[a.Alert]
		if !assert.True(t, ok, "%s has no runbook", a.Alert) {
			continue
		}
		delete(sections, a.Alert)
		for _, part := range []string{"**Seen.**", "**Means.**", "**Look at.**", "**Do.**"} {
			assert.Contains(t, body, part, a.Alert)
		}
		assert.Equal(t, pages+strings.ToLower(a.Alert), a.Annotations["runbook_url"])
		assert.NotEmpty(t, a.Annotations["summary"])
		assert.NotEmpty(t, a.Annotations["description"])
		assert.Contains(t, []string{"page", "ticket"}, a.Labels["severity"], a.Alert)
	}
	assert.Empty(t, sections, "runbooks of no alert")
}

// TestMetricsExist: alerts and runbooks name metrics that the programs have.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(switchtape_[a-z_]+)` \\| ([a-z]+) ").FindAllStringSubmatch(text(t, metrics), -1) {
		known[row[1]] = true
		if row[2] == "histogram" {
			for _, series := range []string{"_bucket", "_sum", "_count"} {
				known[row[1]+series] = true
			}
		}
	}
	require.NotEmpty(t, known)
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml", runbooks} {
		for _, name := range regexp.MustCompile(`switchtape_[a-z_]+`).FindAllString(text(t, file), -1) {
			assert.True(t, known[name], "%s: there is no metric %s", file, name)
		}
	}
}
