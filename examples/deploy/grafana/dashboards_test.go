package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// metricsReference is made of the code, which its own test sees to.
const metricsReference = "../../docs/metrics.md"

// TestDashboardsAreCurrent: the files are what the code says. SWITCHTAPE_UPDATE=1 writes them.
func TestDashboardsAreCurrent(t *testing.T) {
	t.Parallel()
	want := t.TempDir()
	require.NoError(t, writeAll(want))
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.RemoveAll("dashboards"))
		require.NoError(t, writeAll("dashboards"))
	}
	made, err := os.ReadDir(want)
	require.NoError(t, err)
	kept, err := os.ReadDir("dashboards")
	require.NoError(t, err)
	assert.Len(t, kept, len(made))
	for _, f := range made {
		a, err := os.ReadFile(filepath.Join(want, f.Name()))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join("dashboards", f.Name()))
		require.NoError(t, err)
		assert.Equal(t, string(a), string(b), f.Name())
	}
}

// TestDashboards: each has an id of its own, panels within the grid, each with a title and
// queries, and the data source of its variable.
func TestDashboards(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, b := range boards() {
		text, err := encode(&b)
		require.NoError(t, err)
		var d struct {
			UID, Title string
			Panels     []struct {
				Type, Title string
				Datasource  struct{ UID string }
				GridPos     struct{ X, Y, W, H int }
				Targets     []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &d))
		assert.False(t, seen[d.UID], d.UID)
		seen[d.UID] = true
		places, titles := map[[2]int]string{}, map[string]bool{}
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			assert.NotEmpty(t, p.Title)
			assert.False(t, titles[p.Title], "%s: %s is there twice", d.Title, p.Title)
			titles[p.Title] = true
			assert.NotEmpty(t, p.Targets, p.Title)
			assert.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
			assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					assert.Empty(t, places[[2]int{x, y}], "%s: %s lies on it", d.Title, p.Title)
					places[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// TestMetricsExist: queries name metrics that the programs have, or the exporters that one
// dashboard is for; and each metric is shown somewhere.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	reference, err := os.ReadFile(metricsReference)
	require.NoError(t, err)
	known, unseen := map[string]bool{"up": true, "process_cpu_seconds_total": true, "process_resident_memory_bytes": true}, map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(switchtape_[a-z_]+)` \\| ([a-z]+) ").FindAllStringSubmatch(string(reference), -1) {
		known[row[1]], unseen[row[1]] = true, true
		if row[2] == "histogram" {
			known[row[1]+"_bucket"], known[row[1]+"_sum"], known[row[1]+"_count"] = true, true, true
		}
	}
	require.NotEmpty(t, unseen)
	names := regexp.MustCompile(`\b(?:switchtape|process|node|pg|go)_[A-Za-z_]+|\bup\b`)
	for _, b := range boards() {
		for _, q := range queriesOf(&b) {
			for _, name := range names.FindAllString(q.Expr, -1) {
				exporter := strings.HasPrefix(name, "node_") || strings.HasPrefix(name, "pg_")
				assert.True(t, known[name] || exporter && b.UID == machinesUID, "%s: there is no metric %s", b.Title, name)
				delete(unseen, name)
				for _, series := range []string{"_bucket", "_sum", "_count"} {
					delete(unseen, strings.TrimSuffix(name, series))
				}
			}
		}
	}
	assert.Empty(t, unseen, "metrics that no dashboard shows")
}

func queriesOf(b *board) []query {
	var list []query
	for _, r := range b.Rows {
		for _, p := range r.Panels {
			list = append(list, p.Queries...)
		}
	}
	return list
}
