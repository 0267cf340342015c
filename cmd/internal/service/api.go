package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports/reporthttp"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/keyhttp"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/publish"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/routing/rulehttp"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/routing/subprocess"
	"github.com/switchtape/switchtape/routing/trunk"
	"github.com/switchtape/switchtape/storage/calldb"
)

// The stores are what the services need: storage and routing never import each
// other, so this is said where both are joined.
var (
	_ callservice.Stores        = (*calldb.DB)(nil)
	_ callservice.RulesSnapshot = (*snapshot.Dir)(nil)
	_ callservice.Journal       = (*lateJournal)(nil)
	_ recordinghttp.Ledger      = (*calldb.DB)(nil)
	_ recordinghttp.Keeper      = (*calldb.DB)(nil)
	_ keyhttp.Keys              = (*calldb.DB)(nil)
	_ reporthttp.Store          = (*calldb.DB)(nil)
	_ auth.Store                = (*calldb.DB)(nil)
	_ intake.Ledger             = (*calldb.DB)(nil)
	_ intake.DeadLetters        = (*calldb.DB)(nil)
	_ intake.Desk               = (*calldb.DB)(nil)
	_ publish.Outbox            = (*calldb.DB)(nil)
)

// APIOptions configure the call handling service.
type APIOptions struct {
	Rules          string   `help:"Rule set (YAML, JSON or lines of JSON, by gzip or not) for all tenants without one of their own, put in service at the start if there is none yet." type:"path" placeholder:"FILE"`
	ReplaceRules   bool     `help:"Put the rule set of --rules in service at the start whatever is there."`
	Region         string   `help:"Country in which numbers are dialled when a request doesn't say, as ISO 3166-1 alpha-2." placeholder:"CC"`
	Emergency      []string `help:"SIP URIs that take emergency calls which no rule for emergency calls takes, in the order to try them." placeholder:"URI"`
	RulesSnapshot  string   `help:"Directory in which the rule sets in service are kept, so that the service starts without its database. Default: it doesn't." type:"path" placeholder:"DIR"`
	JournalReserve int64    `help:"Disk space in MB that the journal takes in advance, so that it goes on where somebody else fills its disk." default:"64"`
	Journal        string   `help:"Directory, this process's own and on a disk that stays, in which emergency calls and events are kept until the database has them. Default: in memory only." type:"path" placeholder:"DIR"`

	LaneOptions
	ReplicaOptions
	RetentionOptions
	AuthOptions
	AdminOptions
	ListenOptions
	NumberingOptions
	PriorityOptions
	RecordOptions
	LegOptions
	RoutingOptions
	SettingsOptions
	IntakeOptions
	WebhookOptions
	ShareOptions
	ConsoleOptions
	VerifyOptions
	AccessLog  bool `help:"Log every request: method, route, status, how long it took, bytes, who asked, and the ids of the request and of its call or job. Neither paths nor queries, in which there are numbers."`
	NoWebhooks bool `help:"Leave the delivery of webhooks to other processes."`
}

// validate reports what can't be meant.
func (o *APIOptions) validate() error {
	if o.Lane == LaneHigh && (len(o.Emergency) == 0 || o.Journal == "") {
		return cli.Usagef("--lane %s answers emergency calls whatever else is away: give it --emergency, for somewhere to go, and --journal, in which they are kept", LaneHigh)
	}
	return errors.Join(o.LaneOptions.validate(o.Journal), o.RetentionOptions.validate(), o.ShareOptions.validate(), o.ConsoleOptions.validate(&o.AuthOptions))
}

// RecordOptions say how calls are recorded that don't say it themselves.
type RecordOptions struct {
	RecordCodec   string `help:"Codec of recordings that don't ask for one." default:"mp3" enum:"mp3,wav,mulaw,alaw,flac"`
	RecordLayout  string `help:"Layout of such recordings." default:"stereo" enum:"mono,stereo,multichannel"`
	RecordRate    int    `help:"Sample rate of such recordings in Hz. 0: that of the legs." default:"0"`
	RecordBitrate int    `help:"Bitrate of such recordings in bit/s. 0: the codec's default." default:"0"`
	RecordPeaks   bool   `help:"Make the waveform of such recordings, too (peaks-dat), so that players draw it without decoding the audio." default:"true" negatable:""`

	RecordAnalysis bool `help:"Measure such recordings, too (analysis): who talks when, silence, overlap, levels, loudness."`
}

// outputs are the audio, whose URL the call gets as the first, and its waveform. Both have
// the same channels and the same rate: what is seen of a channel is what is heard of it.
func (o RecordOptions) outputs() []record.OutputSpec {
	list := []record.OutputSpec{{
		Codec: record.Codec(o.RecordCodec), Layout: record.Layout(o.RecordLayout),
		SampleRateHz: o.RecordRate, BitrateBps: o.RecordBitrate,
	}}
	if o.RecordPeaks {
		list = append(list, record.OutputSpec{Codec: record.CodecPeaksDAT, Layout: list[0].Layout, SampleRateHz: o.RecordRate})
	}
	if o.RecordAnalysis {
		list = append(list, record.OutputSpec{Codec: record.CodecAnalysis})
	}
	return list
}

// API is the call handling service.
type API struct {
	calls   *callservice.Service
	users   *directory.Directory
	mux     *http.ServeMux
	opts    APIOptions
	book    *auth.Book // the keys of the database; nil: none are asked for
	gate    *auth.Gate // nil: requests need no credentials
	store   *calldb.DB
	sealer  *sealer
	promise *promiseWatch
	hooks   *webhook.Deliverer // nil: others deliver
	shares  *sharehttp.Public  // nil: no links are opened here

	unreadable *unreadable
	verify     *Verifier    // nil: it doesn't compare
	journal    *lateJournal // nil: there is none
	door       *intake.Door
	vouched    []callmodel.TenantID // whom subscriptions take messages of
	log        *slog.Logger
	later      []chore
}

// chore is what could not be done at the start, for want of the database.
type chore struct {
	name string
	do   func(ctx context.Context) error
}

// Later has Run do f until it succeeds. A nil f is none.
func (a *API) Later(name string, f func(ctx context.Context) error) {
	if f != nil {
		a.later = append(a.later, chore{name, f})
	}
}

// NewAPI wires the service. jobEnqueued rings a worker in the same process; it
// may be nil.
func NewAPI(ctx context.Context, s *Stores, o APIOptions, m *ops.Metrics, log *slog.Logger, jobEnqueued func()) (*API, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	checker := recording.NewProcessor(nil, nil, nil)
	emergency, err := EmergencyDestinations(o.Emergency)
	if err != nil {
		return nil, err
	}
	numbering, err := o.Numbering()
	if err != nil {
		return nil, err
	}
	urgent, err := o.urgent()
	if err != nil {
		return nil, err
	}
	outputs := o.outputs()
	if err := CheckOutputs(checker, outputs); err != nil {
		return nil, fmt.Errorf("the default recording can't be made: %w", err)
	}
	ask, err := o.decider(m)
	if err != nil {
		return nil, err
	}
	checkOutputs := func(list []record.OutputSpec) error { return CheckOutputs(checker, list) }
	settings, settingsAt, err := o.settings(m, checkOutputs)
	if err != nil {
		return nil, err
	}
	var kept callservice.RulesSnapshot
	if o.RulesSnapshot != "" {
		if kept, err = snapshot.Open(o.RulesSnapshot); err != nil {
			return nil, fmt.Errorf("--rules-snapshot: %w", err)
		}
	}
	a := &API{mux: http.NewServeMux(), opts: o, log: log, store: s.DB, users: directory.New(s.DB, &directory.Options{Now: clock.Now, Logger: log})}
	if a.vouched, err = o.tenants(); err != nil {
		return nil, err
	}
	dirs, err := o.legDirs(a.tenants)
	if err != nil {
		return nil, err
	}
	var written callservice.Journal
	if o.Journal != "" {
		if a.journal, err = openJournal(ctx, o.Journal, o.JournalReserve, log); err != nil {
			return nil, fmt.Errorf("--journal: %w", err)
		}
		written = a.journal
	}
	options := &callservice.Options{
		Users: a.users, UserVersions: s.DB.UserVersions,
		Journal: written, EmergencyCalls: s.emergencyCalls(), Snapshot: kept, Decider: ask, Trunks: o.trunks(), Instances: o.instances(s.DB.Fleet), Decided: m.Decision, EmergencyTaken: m.EmergencyCall, Tracer: m.Tracer,
		TrunkChanged: func(owner callmodel.TenantID, c trunk.Change) {
			m.TrunkChanged(owner, c)
			log.WarnContext(context.WithoutCancel(ctx), "a destination's "+c.Why+" changed", "ruleset_of", owner,
				"destination", c.Destination, "health", c.Health.String(), "level", c.Level)
		},
		DefaultRegion: strings.ToUpper(o.Region), Numbering: numbering, PlatformTenant: DefaultTenant, DefaultOutputs: outputs,
		LegsBelow:             dirs.below,
		CheckOutputs:          checkOutputs,
		Settings:              settings,
		SettingsAt:            settingsAt,
		EmergencyDestinations: emergency, MaxInFlight: o.MaxInFlight, MinInFlight: o.MinInFlight, QueueWait: o.QueueWait, CallsFromMemory: o.CallsFromMemory,
		JobEnqueued: jobEnqueued, Now: clock.Now, Logger: log,
	}
	if subprocess.Available() {
		options.Compile = subprocess.Compile
	}
	svc := callservice.New(s.DB, options)
	a.calls = svc
	if a.journal != nil {
		a.journal.found = svc.LoadJournal
	}
	if err := svc.LoadJournal(ctx); err != nil {
		log.ErrorContext(ctx, "a part of the journal can't be read; it stays there", "directory", o.Journal, "error", err)
	}
	if err := svc.LoadSnapshot(ctx); err != nil {
		log.ErrorContext(ctx, "a part of the snapshot of the rules can't be used", "directory", o.RulesSnapshot, "error", err)
	}
	if o.Guarded() {
		a.book = o.book(ctx, s.DB, o.RulesSnapshot, log)
	}
	kinds, err := Enqueued()
	if err != nil {
		return nil, err
	}
	a.unreadable = newUnreadable(m)
	recordings := recordinghttp.New(s.DB, &recordinghttp.Options{
		Check: checker.Check, Kinds: kinds, LegsBelow: dirs.below, Defaults: a.recordingDefaults(outputs), DeadLetters: s.DB, Keeper: s.DB,
		JobEnqueued: jobEnqueued, Media: s.media(), Now: clock.Now, Tracer: m.Tracer, Logger: log, Unreadable: a.unreadable.count,
	})
	s.warnBlind(ctx, log)
	for _, at := range []string{"/v1/recordings", "/v1/jobs", "/v1/dead-letters", "/v1/holds"} {
		a.mux.Handle(at, recordings)
		a.mux.Handle(at+"/", recordings)
	}
	a.door = intake.NewDoor(intake.Checks{Check: checker.Check, LegsBelow: dirs.below, Defaults: a.recordingDefaults(outputs), Now: clock.Now, Tracer: m.Tracer}, kinds)
	callhttp.New(svc, &callhttp.Options{Logger: log, Urgent: urgent, EmergencyOnly: o.Lane == LaneHigh, RecordingLink: func(id callmodel.JobID) string {
		return "/v1/recordings/jobs/" + string(id) + "/media"
	}}).Mount(a.mux)
	rulehttp.New(svc, &rulehttp.Options{Now: clock.Now, Logger: log}).Mount(a.mux)
	a.mountUsers(s, checker, m, log)
	reporthttp.New(s.DB, &reporthttp.Options{AccessDenied: svc.AccessDenied, Now: clock.Now, Logger: log}).Mount(a.mux)
	keyhttp.New(s.DB, &keyhttp.Options{AccessDenied: svc.AccessDenied, Now: clock.Now, Logger: log}).Mount(a.mux)
	webhookhttp.New(s.DB, &webhookhttp.Options{AccessDenied: svc.AccessDenied, Logger: log}).Mount(a.mux)
	a.mountSharing(s, svc, m, log, jobEnqueued)
	m.Holds(s.DB.HoldsInForce)
	m.Webhooks(s.DB.WebhookStats)
	if !o.NoWebhooks && o.Lane != LaneHigh {
		if a.hooks, err = o.Deliverer(s, o.Presence().Name, m, log); err != nil {
			return nil, err
		}
	}
	if o.Lane != LaneHigh {
		if a.verify, err = NewVerifier(s, o.VerifyOptions, VerifierOptions{o.Presence().Name, o.RecordOptions, o.KeepCalls}, m, log); err != nil {
			return nil, err
		}
	}
	a.mux.Handle("/", problem.Elsewhere(a.mux))
	m.Destinations(svc.Trunks)
	m.RuleSets(svc.RulesInService)
	watchReplica(s.DB, m)
	a.backlogMetrics(m)
	laneMetrics(svc, m)
	m.API()
	a.sealer = newSealer(s.DB, m, log)
	if o.Lane != LaneHigh {
		a.promise = newPromiseWatch(s.DB, m, log)
	}
	return a, nil
}

// recordingDefaults is what a recording has that is asked for by its call and legs alone:
// when its call began, and what that, its tenant or else the platform has made of calls.
func (a *API) recordingDefaults(outputs []record.OutputSpec) func(context.Context, callmodel.TenantID, callmodel.CallID) (intake.Defaults, error) {
	return func(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (intake.Defaults, error) {
		d := intake.Defaults{Outputs: outputs}
		if of := a.users.Defaults(t); of != nil && of.Recording != nil && len(of.Recording.Outputs) > 0 {
			d.Outputs = of.Recording.Outputs
		}
		call, err := a.store.Call(ctx, t, id)
		switch {
		case errors.Is(err, callmodel.ErrNotFound):
			return d, nil
		case err != nil:
			return d, err
		}
		if d.StartedAt = call.AnsweredAt; d.StartedAt.IsZero() {
			d.StartedAt = call.CreatedAt
		}
		if call.Recording != nil && len(call.Recording.Outputs) > 0 {
			d.Outputs = call.Recording.Outputs
		}
		return d, nil
	}
}

// emergencyCalls are the emergency lane's own connections, if it has any.
func (s *Stores) emergencyCalls() callservice.CallStore {
	if s.Emergency == nil {
		return nil
	}
	return s.Emergency
}

// EmergencyDestinations are the destinations of emergency calls with these URIs.
func EmergencyDestinations(uris []string) ([]calls.Destination, error) {
	var list []calls.Destination
	for i, uri := range uris {
		if err := routing.CheckURI(uri); err != nil {
			return nil, fmt.Errorf("--emergency: %q %w", uri, err)
		}
		list = append(list, calls.Destination{ID: fmt.Sprintf("emergency-%d", i+1), URI: uri})
	}
	return list, nil
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
	state, err := a.calls.InstallRules(ctx, DefaultTenant, body, actor, "")
	return state.ActiveHash(), err
}

// Start does what changes something for others: it puts the rules of the file in
// service, if there is one. It is called when everything else was checked, so
// that a process which can't start changes nothing. What the database is too far
// away for is done by Run.
func (a *API) Start(ctx context.Context) error {
	if a.opts.Rules == "" {
		return nil
	}
	body, err := ReadRules(a.opts.Rules)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	install := func(ctx context.Context) error { return a.installFile(ctx, body) }
	if len(a.later) > 0 || a.calls.RulesInService().FromSnapshot > 0 {
		a.Later("putting the rules of the file in service", install) // the start doesn't wait for them
		return nil
	}
	return install(ctx)
}

// installFile puts the rules in service, unless others are. A file that lies
// where it was at the first start must not undo what was changed since.
func (a *API) installFile(ctx context.Context, body []byte) error {
	if !a.opts.ReplaceRules {
		_, now, err := a.calls.RuleSets(ctx, DefaultTenant)
		if err != nil {
			return err
		}
		if now.Active != nil {
			a.log.InfoContext(ctx, "the rules of the file are left alone: there are rules in service; see --replace-rules",
				"file", a.opts.Rules, "ruleset", now.ActiveHash())
			return nil
		}
	}
	hash, err := a.InstallRules(ctx, body, "start")
	if err != nil {
		return fmt.Errorf("rules in %s: %w", a.opts.Rules, err)
	}
	a.log.InfoContext(ctx, "rules in service", "file", a.opts.Rules, "ruleset", hash)
	return nil
}

// guarded is the API behind its authentication, and the console behind the same; nil where
// there is to be none.
func (a *API) guarded(m *ops.Metrics, addr net.Addr, health func(context.Context) []console.Health) (h, pages http.Handler, err error) {
	guard, gate, tokens, err := a.opts.guard(auth.GateOptions{Audit: a.store.Audit, Refused: m.Refused, Now: clock.Now, Logger: a.log}, a.book, addr)
	if err != nil {
		return nil, nil, err
	}
	if a.gate = gate; gate != nil {
		gateMetrics(m, gate)
	}
	inside := actingFor(ops.Noted(a.Handler()))
	if pages, err = a.console(guard, tokens, inside, health); err != nil {
		return nil, nil, err
	}
	if pages != nil {
		pages = m.Logged(pages, a.accessLog())
	}
	return m.HTTP(guard(inside), a.accessLog()), pages, nil
}

// accessLog is where requests are logged; nil for nowhere.
func (a *API) accessLog() *slog.Logger {
	if !a.opts.AccessLog {
		return nil
	}
	return a.log
}

// Reload reads the keys again. On an error those in use stay.
func (a *API) Reload() error {
	if a.gate == nil {
		return nil
	}
	return a.gate.Reload()
}

// Door is the check of jobs that come by a broker: that of POST /v1/recordings.
func (a *API) Door() *intake.Door { return a.door }

// tenants is how many tenants there are API keys of, and subscriptions; without keys
// there is the default one.
func (a *API) tenants() int {
	if a.gate != nil {
		return a.gate.Tenants(a.vouched...)
	}
	n := 1
	for _, t := range a.vouched {
		if t != DefaultTenant {
			n++
		}
	}
	return n
}

// answersAlone reports whether emergency calls, or all, have somewhere to go without
// the database.
func (a *API) answersAlone() bool {
	return len(a.opts.Emergency) > 0 || (a.opts.RulesSnapshot != "" || a.opts.CallsFromMemory) && a.calls.RulesInService().Tenants > 0
}

// Run does the service's work beside its requests, until ctx ends.
func (a *API) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.calls.Run(ctx) })
	group.Go(func() error { return a.catchUp(ctx) })
	if a.opts.Lane != LaneHigh { // one for emergency calls has nothing else to do
		group.Go(func() error { return a.sealer.run(ctx) })
		group.Go(func() error { return countReports(ctx, a.store, a.log) })
		group.Go(func() error { return a.promise.run(ctx) })
		group.Go(func() error { return eraseExpired(ctx, a.store, a.opts.RetentionOptions, a.log) })
		group.Go(func() error { return forgetOld(ctx, a.store, a.opts.RetentionOptions, a.log) })
	}
	group.Go(func() error { return a.verify.Run(ctx) })
	if a.hooks != nil {
		group.Go(func() error { return a.hooks.Run(ctx) })
	}
	group.Go(func() error { return a.users.Run(ctx) })
	if a.gate != nil {
		group.Go(func() error { return a.gate.Run(ctx) })
	}
	err := group.Wait()
	if a.journal != nil {
		err = errors.Join(err, a.journal.Close())
	}
	return err
}

// catchUp does what could not be done at the start. What waiting doesn't mend
// ends the service, as it would have at the start.
func (a *API) catchUp(ctx context.Context) error {
	for left, wait := a.later, time.Duration(0); len(left) > 0; wait = retryWait {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		var again []chore
		for _, t := range left {
			switch err := t.do(ctx); {
			case err == nil:
			case ctx.Err() != nil:
				return nil //nolint:nilerr // it was told to end
			case !mends(err):
				return err
			default:
				a.log.WarnContext(ctx, t.name+" must wait", "error", err)
				again = append(again, t)
			}
		}
		left = again
	}
	return nil
}

// rulesCheck says where the rules in service are from.
func (a *API) rulesCheck() ops.Check {
	return ops.Check{Name: "rules", Check: func(context.Context) error { return nil }, Detail: func() string {
		s := a.calls.RulesInService()
		if s.FromSnapshot == 0 {
			return ""
		}
		return fmt.Sprintf("rules from snapshot of %s; the database has not confirmed %d of %d sets",
			s.Oldest.UTC().Format(time.RFC3339), s.FromSnapshot, s.Tenants)
	}}
}

// CheckOutputs refuses outputs that this build can't make, as FieldErrors.
func CheckOutputs(p *recording.Processor, outputs []record.OutputSpec) error {
	leg := func(name string) record.LegSpec {
		return record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: name}}}
	}
	return p.Check(record.Spec{
		TenantID: DefaultTenant, CallID: "check", RecordingID: "check", StartedAt: time.Unix(0, 0),
		Legs: []record.LegSpec{leg("a"), leg("b")}, Outputs: outputs,
	})
}
