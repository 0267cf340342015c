package service

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/trunk"
)

// APIOptions configure the call handling service.
type APIOptions struct {
	Keys        string   `help:"File of API keys; without one the server must listen on loopback and trusts this machine's user." type:"path" placeholder:"FILE"`
	Rules       string   `help:"Rule set (YAML or JSON) to put in service at the start, for all tenants without one of their own." type:"path" placeholder:"FILE"`
	Region      string   `help:"Country in which numbers are dialled when a request doesn't say, as ISO 3166-1 alpha-2." placeholder:"CC"`
	Emergency   []string `help:"SIP URIs that take emergency calls which no rule takes, in the order to try them." placeholder:"URI"`
	MaxInFlight int      `help:"Requests that are served at once, emergency calls aside." default:"256"`

	RecordOptions
	RoutingOptions
}

// RecordOptions say how calls are recorded that don't say it themselves.
type RecordOptions struct {
	RecordCodec   string `help:"Codec of recordings that don't ask for one." default:"mp3" enum:"mp3,wav,mulaw,alaw,flac"`
	RecordLayout  string `help:"Layout of such recordings." default:"stereo" enum:"mono,stereo,multichannel"`
	RecordRate    int    `help:"Sample rate of such recordings in Hz. 0: that of the legs." default:"0"`
	RecordBitrate int    `help:"Bitrate of such recordings in bit/s. 0: the codec's default." default:"0"`
}

func (o RecordOptions) outputs() []callmodel.OutputSpec {
	return []callmodel.OutputSpec{{
		Codec: callmodel.Codec(o.RecordCodec), Layout: callmodel.Layout(o.RecordLayout),
		SampleRateHz: o.RecordRate, BitrateBps: o.RecordBitrate,
	}}
}

// API is the call handling service.
type API struct {
	handler *callhttp.Handler
	mux     *http.ServeMux
}

// NewAPI wires the service. jobEnqueued rings a worker in the same process; it
// may be nil.
func NewAPI(ctx context.Context, s *Stores, o APIOptions, m *ops.Metrics, log *slog.Logger, jobEnqueued func()) (*API, error) {
	checker := recording.NewProcessor(nil, nil, nil)
	var emergency []callmodel.Destination
	for i, uri := range o.Emergency {
		emergency = append(emergency, callmodel.Destination{ID: fmt.Sprintf("emergency-%d", i+1), URI: uri})
	}
	outputs := o.outputs()
	if err := CheckOutputs(checker, outputs); err != nil {
		return nil, fmt.Errorf("the default recording can't be made: %w", err)
	}
	ask, err := o.decider(m)
	if err != nil {
		return nil, err
	}
	h := callhttp.New(s.DB, &callhttp.Options{
		Decider: ask, Trunks: o.trunks(), Decided: m.Decision,
		TrunkChanged: func(owner callmodel.TenantID, c trunk.Change) {
			m.TrunkChanged(owner, c)
			log.WarnContext(context.WithoutCancel(ctx), "a destination's "+c.Why+" changed", "ruleset_of", owner, "destination", c.Destination, "health", c.Health.String(), "level", c.Level)
		},
		DefaultRegion: strings.ToUpper(o.Region), PlatformTenant: DefaultTenant, DefaultOutputs: outputs,
		CheckOutputs:          func(list []callmodel.OutputSpec) error { return CheckOutputs(checker, list) },
		EmergencyDestinations: emergency, MaxInFlight: o.MaxInFlight, JobEnqueued: jobEnqueued, Logger: log,
	})
	if o.Rules != "" {
		body, err := os.ReadFile(o.Rules)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		hash, err := h.InstallRules(ctx, DefaultTenant, body, "start")
		if err != nil {
			return nil, fmt.Errorf("rules in %s: %w", o.Rules, err)
		}
		log.InfoContext(ctx, "rules in service", "file", o.Rules, "ruleset", hash)
	}
	a := &API{handler: h, mux: http.NewServeMux()}
	recordings := recordinghttp.New(s.DB, &recordinghttp.Options{
		Check: checker.Check, JobEnqueued: jobEnqueued, Media: s.media(), Logger: log,
	})
	a.mux.Handle("/v1/recordings", recordings)
	a.mux.Handle("/v1/recordings/", recordings)
	a.mux.Handle("/", h)
	m.Destinations(h.Trunks)
	m.Gauge("switchtape_unstored_emergency_calls", "Emergency calls that were answered and are not stored yet.", func() float64 { return float64(h.Unstored()) })
	return a, nil
}

// media is the bucket as the API serves it; without one it serves no audio.
func (s *Stores) media() recordinghttp.Media {
	if s.Objects == nil {
		return nil
	}
	return s.Objects
}

// Handler serves the API. It expects a principal in the context.
func (a *API) Handler() http.Handler { return a.mux }

// InstallRules puts a rule set in service for all tenants without their own.
func (a *API) InstallRules(ctx context.Context, body []byte, actor string) (string, error) {
	return a.handler.InstallRules(ctx, DefaultTenant, body, actor)
}

// Run does the service's work beside its requests, until ctx ends.
func (a *API) Run(ctx context.Context) error { return a.handler.Run(ctx) }

// CheckOutputs refuses outputs that this build can't make, as FieldErrors.
func CheckOutputs(p *recording.Processor, outputs []callmodel.OutputSpec) error {
	leg := func(name string) callmodel.LegSpec {
		return callmodel.LegSpec{Name: name, Segments: []callmodel.SegmentSpec{{URI: name}}}
	}
	return p.Check(callmodel.RecordingSpec{
		TenantID: DefaultTenant, CallID: "check", RecordingID: "check", StartedAt: time.Unix(0, 0),
		Legs: []callmodel.LegSpec{leg("a"), leg("b")}, Outputs: outputs,
	})
}
