package service_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// What --spool says, as options and as a file, is what the jobs are.
func TestSpoolsSayWhatIsMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flag    string
		file    string // of YAML, instead
		leg     string
		want    record.Spec // of which the tenant, the outputs and the start are compared
		queue   string
		outputs []record.OutputSpec // the place's
	}{
		"options": {
			flag: "pbx 1?pattern={call}_{leg:in|out}_{time:20060102}.wav&tenant=acme&queue=pbx-7&host_software=Asterisk+20.9.1&codec=flac&layout=mono&zone=Europe/Berlin&quiet=1ms&wait=1ms",
			leg:  "pbx 1/5_in_20260701.wav", queue: "pbx-7",
			want: record.Spec{
				TenantID: "acme", Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}}, HostSoftware: "Asterisk 20.9.1",
				StartedAt: time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC),
			},
		},
		"the place's": {
			flag: "pbx?pattern=vicidial&quiet=1ms&wait=1ms", leg: "pbx/20260701-100000_5-in.wav", queue: "here",
			outputs: []record.OutputSpec{{Codec: record.CodecWAV}},
			want: record.Spec{
				TenantID: "local", Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
				StartedAt: time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC),
			},
		},
		"a file": {
			file: "dir: pbx\npattern: fusionpbx\ntenants: {a.example: acme}\nquiet: 1ms\nwait: 1ms\n" +
				"outputs: [{codec: mp3}]\noutputs_of:\n  acme: [{codec: flac, sample_rate_hz: 16000}, {codec: peaks-json}]\n",
			leg: "pbx/a.example/archive/2026/Jul/01/x.wav", queue: "here",
			want: record.Spec{
				TenantID: "acme", Outputs: []record.OutputSpec{
					{Codec: record.CodecFLAC, Layout: record.LayoutMono, SampleRateHz: 16000}, {Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
				},
				StartedAt: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs, db := t.TempDir(), memdb.New(nil)
			flag := c.flag
			if c.file != "" {
				flag = filepath.Join(t.TempDir(), "spool.yaml")
				require.NoError(t, os.WriteFile(flag, []byte(c.file), 0o600))
			}
			path := filepath.Join(legs, filepath.FromSlash(c.leg))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
			require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
			m := ops.NewMetrics()
			s, err := service.OpenSpools(service.SpoolOptions{Spool: []string{flag}},
				service.SpoolPlace{Legs: "file://" + legs, Queue: "here", Tenant: "local", Outputs: c.outputs}, db, func() {}, m, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			stop := until(t, s.Run)
			var jobs []ledger.Job
			require.Eventually(t, func() bool {
				jobs, err = db.Jobs(t.Context(), ledger.Filter{})
				require.NoError(t, err)
				return len(jobs) > 0
			}, time.Minute, time.Millisecond)
			stop()
			require.NoError(t, s.Close())
			got, err := record.SpecOf(&jobs[0])
			require.NoError(t, err)
			assert.Equal(t, c.want.TenantID, got.TenantID)
			assert.Equal(t, c.want.Outputs, got.Outputs)
			assert.Equal(t, c.want.StartedAt, got.StartedAt)
			assert.Equal(t, c.leg, got.Legs[0].Segments[0].URI)
			assert.True(t, strings.HasPrefix(c.leg, got.LegsBelow+"/"), got.LegsBelow)
			assert.Equal(t, c.queue, jobs[0].Queue)
			families, err := m.Registry.Gather()
			require.NoError(t, err)
			handed := false
			for _, f := range families {
				handed = handed || f.GetName() == "switchtape_spool_calls_total"
			}
			assert.True(t, handed)
		})
	}
}

// What can't be meant is told at the start, all at once.
func TestSpoolsThatCannotBe(t *testing.T) {
	t.Parallel()
	legs := t.TempDir()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("dir: x\npatern: asterisk\n"), 0o600))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(legs, "out")))
	require.NoError(t, os.Mkdir(filepath.Join(legs, "within"), 0o750))
	require.NoError(t, os.Symlink("within", filepath.Join(legs, "link")))
	for flag, parts := range map[string][]string{
		"out?pattern=asterisk&tenant=a":             {"leads out of " + legs},
		"out/later?pattern=asterisk&tenant=a":       {"leads out of " + legs},
		"x?pattern=asterisk&tenant=a&priority=10":   {"priority: is 10"},
		"x?pattern=asterisk&tenant=a&priority=-1":   {"priority: is -1"},
		"x?pattern=asterisk&tenant=a&legs=-1":       {"legs: are -1"},
		"x?pattern=asterisk&tenant=a&legs=9999":     {"legs: are 9999"},
		"x?pattern=asterisk&tenants=a.example=acme": {"tenants: are given"},
		"/elsewhere?pattern=asterisk&tenant=a":      {"is not in " + legs},
		"../x?pattern=asterisk&tenant=a":            {"is not in"},
		"x":                                         {"is no pattern"},
		"x?pattern=asterisk":                        {"tenant: is missing"},
		"x?pattern=fusionpbx&tenant=a":              {"tenants: are missing"},
		"x?pattern=fusionpbx&tenants=a.example":     {"NAME=TENANT"},
		"x?patern=asterisk":                         {"patern: is no option"},
		"x?pattern=asterisk&tenant=a&quiet=soon":    {"quiet:"},
		"x?pattern=asterisk&tenant=a&zone=Berlin":   {"zone:"},
		"x?pattern=asterisk&tenant=a&codec=aiff":    {"codec"},
		"x?pattern=asterisk&tenant=a&legs=two":      {"not a number"},
		"x?%zz":                                     {"options can't be read"},
		bad:                                         {"patern"},
		"none.yaml":                                 {"no such file"},
	} {
		_, err := service.OpenSpools(service.SpoolOptions{Spool: []string{flag}}, service.SpoolPlace{Legs: legs}, memdb.New(nil), nil, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		for _, part := range parts {
			assert.ErrorContains(t, err, part, flag)
		}
	}
	_, err := service.OpenSpools(service.SpoolOptions{Spool: []string{"x?pattern=asterisk&tenant=a"}}, service.SpoolPlace{Legs: "s3://bucket"}, memdb.New(nil), nil, ops.NewMetrics(), slog.New(slog.DiscardHandler))
	assert.ErrorContains(t, err, "in a bucket")
	for _, flag := range []string{"link?pattern=asterisk&tenant=a", "later?pattern=asterisk&tenant=a&priority=9&legs=32"} {
		s, err := service.OpenSpools(service.SpoolOptions{Spool: []string{flag}}, service.SpoolPlace{Legs: legs}, memdb.New(nil), nil, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		require.NoError(t, err, flag)
		require.NoError(t, s.Close())
	}
}

// The README has all keys of a spool, and no others.
func TestKeysOfASpoolInTheREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "#### The keys of a spool\n")
	require.True(t, found)
	table, _, _ := strings.Cut(section, "The JSON file")
	var keys []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) > 2 && strings.Contains(cells[1], "`") {
			for key := range strings.SplitSeq(cells[1], ",") {
				keys = append(keys, strings.Trim(key, "` "))
			}
		}
	}
	assert.Len(t, keys, 18)
	help, _ := reflect.TypeFor[service.SpoolOptions]().FieldByName("Spool")
	for _, key := range keys {
		_, err := service.OpenSpools(service.SpoolOptions{Spool: []string{"x?" + key + "=?"}}, service.SpoolPlace{Legs: t.TempDir()}, memdb.New(nil), nil, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		require.Error(t, err, key)
		assert.NotContains(t, err.Error(), "is no option", key)
		assert.Contains(t, help.Tag.Get("help"), strings.TrimSuffix(key, "s"), key)
	}
}

// until runs what is run until it is told to stop.
func until(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}
