package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/spool"
)

// SpoolOptions say which directories jobs are made of.
type SpoolOptions struct {
	Spool []string `help:"Directory, below that of the legs, in which a telephone server leaves the legs of its calls: each call becomes a recording. As DIR?pattern=P&tenant=T with P one of asterisk, freeswitch, fusionpbx, rtpengine and vicidial, or a pattern like {call}-{leg:in|out}.wav; or a YAML file. More: queue, host_software, priority, codec, layout, rate, bitrate, quiet, renamed, wait, legs, every, zone, json, index; what they mean, and the form of the JSON file beside the legs, is in the README, \"The keys of a spool\". May be repeated." placeholder:"DIR?OPTIONS|FILE" sep:"none"`
}

// SpoolPlace is where spools are.
type SpoolPlace struct {
	Legs    string              // the directory of the legs
	Queue   string              // of jobs whose spool names none
	Tenant  callmodel.TenantID  // of calls whose spool names none; "" for none
	Outputs []record.OutputSpec // of recordings whose spool names none; nil for an MP3
}

// SpoolOutputs are the outputs of recordings whose spool names none. For stereo they have
// what fits the number of legs, as many calls are one file.
func (o RecordOptions) SpoolOutputs() []record.OutputSpec {
	list := o.outputs()
	for i := range list {
		if list[i].Layout == record.LayoutStereo {
			list[i].Layout = ""
		}
	}
	return list
}

// SpoolPlace is where the spools are of an API with a worker in its process.
func (o *APIOptions) SpoolPlace(legs string) SpoolPlace {
	p := SpoolPlace{Legs: legs, Outputs: o.SpoolOutputs()}
	if !o.Guarded() {
		p.Tenant = DefaultTenant
	}
	return p
}

// spoolConfig is a spool as its options, or its file, say it.
type spoolConfig struct {
	Dir       string                         `json:"dir"`
	Pattern   string                         `json:"pattern"`
	Tenant    string                         `json:"tenant"`
	Tenants   map[string]callmodel.TenantID  `json:"tenants"`
	Queue     string                         `json:"queue"`
	Software  string                         `json:"host_software"`
	Priority  int                            `json:"priority"`
	Outputs   []record.OutputSpec            `json:"outputs"`
	OutputsOf map[callmodel.TenantID]outputs `json:"outputs_of"`
	Quiet     string                         `json:"quiet"`
	Wait      string                         `json:"wait"`
	Every     string                         `json:"every"`
	Renamed   bool                           `json:"renamed"`
	Legs      int                            `json:"legs"`
	JSON      string                         `json:"json"`
	Zone      string                         `json:"zone"`
	Index     string                         `json:"index"`
}

type outputs = []record.OutputSpec

// noIndex is an index that is kept in memory alone.
const noIndex = "none"

// Spools are a process's spools.
type Spools struct {
	list []*spool.Spool
}

// OpenSpools wires the spools, whose jobs go to the ledger and which ring the worker of
// the process. None: it runs nothing.
func OpenSpools(o SpoolOptions, at SpoolPlace, l spool.Ledger, ring func(), m *ops.Metrics, log *slog.Logger) (*Spools, error) {
	s := &Spools{}
	for _, text := range o.Spool {
		dir, opts, err := at.spool(text)
		if err == nil {
			opts.Enqueued, opts.Logger = ring, log
			var one *spool.Spool
			if one, err = spool.New(dir, l, &opts); err == nil {
				s.list = append(s.list, one)
				spoolMetrics(dir, one, m)
				continue
			}
		}
		return nil, errors.Join(cli.Usagef("--spool %s: %w", text, err), s.Close())
	}
	return s, nil
}

// Run watches them all until ctx ends.
func (s *Spools) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range s.list {
		group.Go(func() error { return one.Run(ctx) })
	}
	return group.Wait()
}

// Close closes their indexes.
func (s *Spools) Close() error {
	var err error
	for _, one := range s.list {
		err = errors.Join(err, one.Close())
	}
	return err
}

func spoolMetrics(dir string, s *spool.Spool, m *ops.Metrics) {
	of := func(f func(spool.Stats) int64) func() float64 { return func() float64 { return float64(f(s.Stats())) } }
	labels := func(outcome string) map[string]string { return map[string]string{"spool": dir, "outcome": outcome} }
	const calls = "switchtape_spool_calls_total"
	m.CounterOf(calls, labels("handed_over"), of(func(s spool.Stats) int64 { return s.HandedOver }))
	m.CounterOf(calls, labels("known"), of(func(s spool.Stats) int64 { return s.Known }))
	m.CounterOf(calls, labels("refused"), of(func(s spool.Stats) int64 { return s.Refused }))
	only := map[string]string{"spool": dir}
	m.CounterOf("switchtape_spool_late_legs_total", only, of(func(s spool.Stats) int64 { return s.Late }))
	m.CounterOf("switchtape_spool_overflows_total", only, of(func(s spool.Stats) int64 { return s.Overflows }))
	m.GaugeOf("switchtape_spool_pending_calls", only, of(func(s spool.Stats) int64 { return s.Pending }))
	m.GaugeOf("switchtape_spool_left_files", only, of(func(s spool.Stats) int64 { return s.Left }))
	m.GaugeOf("switchtape_spool_unreadable_directories", only, of(func(s spool.Stats) int64 { return s.Unreadable }))
}

// spool reads what a flag says.
func (p *SpoolPlace) spool(text string) (dir string, o spool.Options, err error) {
	c, err := readSpool(text)
	if err != nil {
		return "", o, err
	}
	var faults callmodel.FieldErrors
	dir, o.Below, err = p.Below(c.Dir)
	faults.AddAll("dir", err)
	o.Patterns, err = spool.Patterns(c.Pattern)
	if err != nil {
		faults.Add("pattern", "%v", err)
	}
	o.Tenants = c.Tenants
	if o.Tenant = callmodel.TenantID(c.Tenant); o.Tenant == "" && len(c.Tenants) == 0 {
		o.Tenant = p.Tenant
	}
	o.Queue, o.Priority, o.Legs, o.Renamed, o.Sidecar = c.Queue, c.Priority, c.Legs, c.Renamed, spool.Sidecar(c.JSON)
	if o.Queue == "" {
		o.Queue = p.Queue
	}
	o.HostSoftware = c.Software
	o.Outputs, o.OutputsOf = c.Outputs, c.OutputsOf
	if len(o.Outputs) == 0 {
		o.Outputs = p.Outputs
	}
	if len(o.Outputs) == 0 {
		o.Outputs = []record.OutputSpec{{Codec: record.CodecMP3}}
	}
	for _, list := range append([]outputs{o.Outputs}, slices.Collect(maps.Values(o.OutputsOf))...) {
		list = slices.Clone(list)
		for i := range list {
			if list[i].Layout == "" && list[i].Codec != record.CodecAnalysis {
				list[i].Layout = record.LayoutStereo // as for two legs
			}
		}
		faults.AddAll("outputs", CheckOutputs(recording.NewProcessor(nil, nil, nil), list))
	}
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{{"quiet", c.Quiet, &o.Quiet}, {"wait", c.Wait, &o.Wait}, {"every", c.Every, &o.Every}} {
		if d.text == "" {
			continue
		}
		if *d.to, err = time.ParseDuration(d.text); err != nil || *d.to <= 0 {
			faults.Add(d.name, "%q is not a time above 0, as 10s", d.text)
		}
	}
	if o.Zone, err = time.LoadLocation(c.Zone); err != nil { // "" is UTC
		faults.Add("zone", "%q is not a time zone, as Europe/Berlin", c.Zone)
	}
	switch o.Index = c.Index; o.Index {
	case "":
		o.Index = filepath.Join(dir, ".switchtape", "handed-over")
	case noIndex:
		o.Index = ""
	}
	return dir, o, faults.Err()
}

// Below is a spool's directory, which may be named from that of the legs, and how it is
// named below that.
func (p *SpoolPlace) Below(dir string) (abs, below string, err error) {
	var faults callmodel.FieldErrors
	if strings.Contains(p.Legs, "://") && !strings.HasPrefix(p.Legs, "file://") {
		faults.Add("", "the legs are in a bucket; a spool is a directory below that of the legs")
		return "", "", faults
	}
	legs, err := filepath.Abs(strings.TrimPrefix(p.Legs, "file://"))
	if err != nil {
		return "", "", err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(legs, dir)
	}
	rel, err := filepath.Rel(legs, filepath.Clean(dir))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		faults.Add("", "is not in %s, where the worker takes legs from; give a directory below it, or have --legs above both", legs)
		return "", "", faults
	}
	if !staysBelow(legs, dir) {
		faults.Add("", "is a link, or behind one, that leads out of %s, where the worker takes legs from; have --legs above where it leads, or mount it there", legs)
		return "", "", faults
	}
	if rel == "." {
		rel = ""
	}
	return filepath.Clean(dir), filepath.ToSlash(rel), nil
}

// staysBelow reports whether dir, or as much of it as is there, is in legs with all links
// followed.
func staysBelow(legs, dir string) bool {
	top, err := filepath.EvalSymlinks(legs)
	if err != nil {
		return true // it isn't there yet
	}
	for there := filepath.Clean(dir); there != legs && there != filepath.Dir(there); there = filepath.Dir(there) {
		at, err := filepath.EvalSymlinks(there)
		if err != nil {
			continue
		}
		rel, err := filepath.Rel(top, at)
		return err == nil && filepath.IsLocal(rel)
	}
	return true
}

// readSpool reads DIR?OPTIONS, or a YAML file.
func readSpool(text string) (c spoolConfig, err error) {
	if ext := filepath.Ext(text); ext == ".yaml" || ext == ".yml" {
		return readSpoolFile(text)
	}
	dir, query, _ := strings.Cut(text, "?")
	c.Dir = dir
	values, err := url.ParseQuery(query)
	if err != nil {
		return c, fmt.Errorf("the options can't be read: %w; write %%26 for & and %%2B for +", err)
	}
	var faults callmodel.FieldErrors
	number := func(key, text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			faults.Add(key, "%q is not a number", text)
		}
		return n
	}
	out := record.OutputSpec{Codec: record.CodecMP3}
	for key, list := range values {
		v := list[len(list)-1]
		switch key {
		case "pattern":
			c.Pattern = v
		case "tenant":
			c.Tenant = v
		case "tenants":
			c.Tenants = map[string]callmodel.TenantID{}
			for pair := range strings.SplitSeq(strings.Join(list, ","), ",") {
				text, tenant, ok := strings.Cut(pair, "=")
				if !ok {
					faults.Add(key, "%q is not NAME=TENANT", pair)
				}
				c.Tenants[text] = callmodel.TenantID(tenant)
			}
		case "queue":
			c.Queue = v
		case "host_software":
			c.Software = v
		case "priority":
			c.Priority = number(key, v)
		case "legs":
			c.Legs = number(key, v)
		case "quiet":
			c.Quiet = v
		case "wait":
			c.Wait = v
		case "every":
			c.Every = v
		case "zone":
			c.Zone = v
		case "json":
			c.JSON = v
		case "index":
			c.Index = v
		case "renamed":
			if c.Renamed, err = strconv.ParseBool(v); err != nil {
				faults.Add(key, "%q is not true or false", v)
			}
		case "codec":
			out.Codec = record.Codec(v)
		case "layout":
			out.Layout = record.Layout(v)
		case "rate":
			out.SampleRateHz = number(key, v)
		case "bitrate":
			out.BitrateBps = number(key, v)
		default:
			faults.Add(key, "is no option of a spool")
		}
	}
	if out != (record.OutputSpec{Codec: record.CodecMP3}) || values.Has("codec") {
		c.Outputs = []record.OutputSpec{out}
	}
	return c, faults.Err()
}

// readSpoolFile reads the options of a spool from YAML.
func readSpoolFile(file string) (c spoolConfig, err error) {
	b, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return c, err
	}
	var tree any
	if err := yaml.Unmarshal(b, &tree); err != nil {
		return c, err
	}
	if b, err = json.Marshal(tree); err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return c, d.Decode(&c)
}
