package callservice

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/lane"
	"github.com/switchtape/switchtape/routing/trunk"
)

// Options configure a Service. The zero value works.
type Options struct {
	// DefaultRegion is where numbers are dialled when a request doesn't say, as
	// ISO 3166-1 alpha-2. "": such numbers must be international.
	DefaultRegion string
	// Numbering says what is known of a tenant's numbers besides the world's numbering
	// plans: emergency numbers that are added and removed, and what is dialled for an
	// outside line. It must not wait. Nil, or a nil answer: nothing.
	Numbering func(t callmodel.TenantID) *normalize.Numbering
	// Users knows whose numbers are whose, what rules may ask of them, and what holds
	// for a tenant's calls that don't say: its region, its outside lines, how they are
	// recorded. Nil: nobody.
	Users Users
	// UserVersions reads what a user was, for explanations: see userhttp.Store. Nil: of
	// a user that has changed since nothing is known but that it was.
	UserVersions func(ctx context.Context, t callmodel.TenantID, id users.ID, before int64, limit int) ([]users.Version[users.User], error)
	// PlatformTenant owns the rule set for tenants that have none of their own.
	// "": there is none.
	PlatformTenant callmodel.TenantID
	// DefaultOutputs are the recordings of calls that are recorded and don't
	// say how. Nil: one stereo MP3.
	DefaultOutputs []record.OutputSpec
	// CheckOutputs refuses outputs that no worker can make, as FieldErrors.
	// Nil: only what callmodel checks.
	CheckOutputs func([]record.OutputSpec) error
	// LegsBelow says in which directory of the place of the legs, or below it, a
	// tenant's legs are on a host ("" for none): an ended event that names others is
	// refused, and so are links out of it when they are opened. "" is the whole place.
	// It must not wait. Nil: the whole place, for all; so tenants can have each
	// other's legs recorded for themselves.
	LegsBelow func(t callmodel.TenantID, host string) (dir string, err error)
	// EmergencyDestinations take emergency calls that no rule for emergency calls
	// takes: see [routing.Router.RouteEmergency]. Nil: every rule may take them.
	EmergencyDestinations []calls.Destination
	// EmergencyWait is how long an emergency call waits for the stores, where it
	// does: see [Service.CreateEmergency]. 0 means 50 ms.
	EmergencyWait time.Duration
	// EmergencyCalls stores emergency calls, and events that were accepted while
	// the stores were away: on connections of its own, so that the normal lane
	// can't take them all. Nil: the stores given to New.
	EmergencyCalls CallStore
	// Journal keeps emergency calls, and events that come while the stores are
	// away, before they are answered: see [Service.LoadJournal]. Nil: they are in
	// memory alone, and such events are refused.
	Journal Journal
	// MaxUnstored bounds the emergency calls that wait in memory for the stores,
	// and half of it the events. More wait in the journal; without one they are
	// lost, calls, or refused, events. 0 means 65536.
	MaxUnstored int
	// CallsFromMemory has calls that are no emergencies created without the stores too
	// while these are away: see "While the stores are away" above. It needs a Journal.
	CallsFromMemory bool
	// MaxInFlight is how many places the normal lane has at most. 0 means 256. How many
	// it has is found out by how long creating calls and events takes.
	MaxInFlight int
	// MinInFlight is how many it has at least. 0 means 32, or MaxInFlight if that is
	// less.
	MinInFlight int
	// QueueWait is how long a request may wait for a place in the normal lane
	// before it is refused. 0 means 500 ms: as long as a disk that is busy may take.
	QueueWait time.Duration
	// MaxQueued bounds the requests that wait for a place, and a quarter of it those of
	// one tenant. 0 means four times MaxInFlight.
	MaxQueued int
	// RequestTimeout bounds the work on a request of the normal lane, so that
	// stores that hang can't hold its places. 0 means 10 s.
	RequestTimeout time.Duration
	// MaxRuleBytes bounds the bytes of rules that are worked on at once for callers:
	// see [Service.RuleWork]. 0 means 64 MiB.
	MaxRuleBytes int64
	// RulesRefresh is how often the active rule sets are looked up, so that a
	// change made elsewhere is taken up. 0 means 2 s.
	RulesRefresh time.Duration
	// Compile compiles sets of 1 MiB and more apart from the calls: see package
	// routing/subprocess. It returns the set's binary form, too. Faults are those of
	// routing.CompileAndPack; after an error of CodeUnavailable, which is logged, the set
	// is compiled by the service itself, as it is if this is nil.
	Compile func(ctx context.Context, text []byte) (*routing.Router, encoding.BinaryMarshaler, error)
	// Snapshot keeps the rule sets in service on a local disk, for starts without
	// the stores: see [Service.LoadSnapshot]. Run writes it. Nil: nowhere.
	Snapshot RulesSnapshot
	// ReapAfter is how long after it was made a call is ended by Run that nobody has
	// ended, by the actor "reaper" and with a cause that says so. 0 means 48 h;
	// negative: never.
	ReapAfter time.Duration
	// Decider is asked where calls go before the rules are, emergency calls
	// aside. Nil: the rules decide.
	Decider routing.Decider
	// Settings is asked how calls are recorded, emergency calls aside, at the moments
	// SettingsAt: nil for the start alone. It is asked after the call was routed, or
	// before its end is stored; not about calls whose own request says that they are not
	// recorded, nor at the end of one that was never answered and left no legs. What it
	// says of a setting holds unless the call's request says it, and what it doesn't say
	// is said by the call's users, its tenant and DefaultOutputs. It doesn't have a call
	// recorded to which a user's consent is refused. Nil: nobody is asked.
	Settings   SettingsService
	SettingsAt []SettingsMoment
	// Trunks configure what is kept of destinations while calls run: their
	// limits, health and quality, in this process. Nil: the defaults. Its Now
	// and Changed are not used: see Now and TrunkChanged here.
	Trunks *trunk.Options
	// Instances says how many processes decide with the same rules, this one among them,
	// and which of them it is, from 0 (below 0: that isn't known). Run asks every 5 s, and
	// each process enforces its part of all limits. After an error, or of nobody, the
	// parts stay as they were. Nil: Trunks.Share says how many, and that stays.
	Instances func(ctx context.Context) (index, of int, err error)
	// TrunkChanged is called when a destination's health or quality level
	// changes; it must not wait. Nil for nobody.
	TrunkChanged func(owner callmodel.TenantID, c trunk.Change)
	// Decided is called with every decision, or failure to decide, but for dry
	// runs; it must not wait. Nil for nobody.
	Decided func(d *calls.Decision, err error)
	// EmergencyTaken is called with every emergency call that was taken, and how long it
	// took to route it and to keep it; it must not wait. Nil for nobody.
	EmergencyTaken func(id callmodel.CallID, elapsed time.Duration)
	// JobEnqueued is called after a recording job was stored, so that a worker
	// in the same process needn't wait for its next poll. Nil for nobody.
	JobEnqueued func()
	// Tracer makes spans of decisions, of what is stored and of services that are asked, but
	// of no emergency call, and names the request's in the jobs of calls that end. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Now is the clock that routes by time of day. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil logs nothing.
	Logger *slog.Logger
}

// Service handles calls. Make one with New; Run must be running beside it. Its
// methods may be called by any number of goroutines.
//
// Methods are given the tenant whose data they are about, and those that write
// the actor for the audit log. Whether the one may act for the other is the
// caller's to check: package callhttp asks the request's Principal.
type Service struct {
	stores     Stores
	opts       Options
	rules      *ruleCache
	trunks     *trunks
	lane       *lane.Fair
	ruleWork   *lane.Budget
	keys       keysInUse
	answered   answeredKeys                      // of emergency calls
	stored     *lru.Cache[answeredKey, struct{}] // keys of the newest other calls; nil unless CallsFromMemory
	away       atomic.Bool                       // the stores did not answer when they were last asked for a call or an event
	later      waiting
	denials    callmodel.Denials
	reaped     time.Time // calls made before were looked at; Run's alone
	writing    writing
	numberings numberings
	loading    sync.Map // of each callmodel.TenantID whose rules emergency calls wait for, a channel closed at the end
}

// New makes the service. It starts nothing. o may be nil.
func New(stores Stores, o *Options) *Service {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.EmergencyWait = cmp.Or(opts.EmergencyWait, 50*time.Millisecond)
	opts.MaxUnstored = cmp.Or(opts.MaxUnstored, 65536)
	opts.ReapAfter = cmp.Or(opts.ReapAfter, 48*time.Hour)
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, 256)
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 10*time.Second)
	opts.MaxRuleBytes = cmp.Or(opts.MaxRuleBytes, 64<<20)
	opts.RulesRefresh = cmp.Or(opts.RulesRefresh, 2*time.Second)
	if opts.DefaultOutputs == nil {
		opts.DefaultOutputs = []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}}
	}
	if opts.CheckOutputs == nil {
		opts.CheckOutputs = func([]record.OutputSpec) error { return nil }
	}
	if opts.Numbering == nil {
		opts.Numbering = func(callmodel.TenantID) *normalize.Numbering { return nil }
	}
	if opts.Users == nil {
		opts.Users = nobody{}
	}
	if opts.SettingsAt == nil {
		opts.SettingsAt = []SettingsMoment{SettingsAtStart}
	}
	if opts.Decided == nil {
		opts.Decided = func(*calls.Decision, error) {}
	}
	if opts.EmergencyTaken == nil {
		opts.EmergencyTaken = func(callmodel.CallID, time.Duration) {}
	}
	if opts.JobEnqueued == nil {
		opts.JobEnqueued = func() {}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	t := newTrunks(&opts)
	s := &Service{
		stores: stores, opts: opts, rules: newRuleCache(stores, &opts, t), trunks: t,
		lane: lane.NewFair(lane.FairOptions{
			Most: opts.MaxInFlight, Least: opts.MinInFlight, Wait: opts.QueueWait, Queue: opts.MaxQueued, Now: opts.Now,
		}),
		later:    newWaiting(&opts),
		ruleWork: lane.NewBudget(opts.MaxRuleBytes, ruleWorkWait),
	}
	if opts.CallsFromMemory {
		s.stored, _ = lru.New[answeredKey, struct{}](maxAnswered) // it fails for a size below one only
	}
	return s
}

// How long Run works on what is left once it is to end.
const (
	lastTry   = 2 * time.Second // storing what was accepted
	lastWrite = 5 * time.Second // writing the snapshot, meanwhile, and then the journal
)

// Run keeps the rule sets fresh and their snapshot written, brings the journal to
// its disk, stores what was accepted and could not be stored at once, gives the
// places of calls back that ended elsewhere, ends calls that never end, and probes destinations if that is
// configured, until ctx ends. Then it stores and writes what is left, for five
// seconds at most, and returns nil.
func (s *Service) Run(ctx context.Context) error {
	probing, keeping, journalling := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(probing)
		s.trunks.probe(ctx)
	}()
	// The keeper ends after the last refresh, which may have something to write.
	keep, endKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer endKeeping()
	go func() {
		defer close(keeping)
		s.rules.keeper.run(keep)
	}()
	go func() {
		defer close(journalling)
		s.runJournal(keep)
	}()
	tick := time.NewTicker(s.opts.RulesRefresh)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			s.catchUp(ctx)
			s.rules.refresh(ctx)
			s.shareLimits(ctx)
			s.reconcile(ctx)
			s.reap(ctx)
		}
	}
	writing, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer stop()
	<-probing
	last, cancel := context.WithTimeout(writing, lastTry)
	defer cancel()
	s.storeLast(last)
	endKeeping()
	for what, done := range map[string]chan struct{}{"the snapshot of the rules": keeping, "the journal": journalling} {
		select {
		case <-done:
		case <-writing.Done(): // a disk that hangs must not keep the process from ending
			s.opts.Logger.ErrorContext(ctx, what+" is not written to the end")
		}
	}
	return nil
}

// runJournal brings the journal to its disk until ctx ends.
func (s *Service) runJournal(ctx context.Context) {
	if s.opts.Journal == nil {
		return
	}
	if err := s.opts.Journal.Run(ctx); err != nil {
		s.opts.Logger.ErrorContext(ctx, "the journal could not be synced to its disk", "error", err)
	}
}

// catchUp has what waits tried again.
func (s *Service) catchUp(ctx context.Context) {
	if err := s.refill(); err != nil {
		s.opts.Logger.ErrorContext(ctx, "a part of the journal can't be read; it stays there", "error", err)
	}
	s.later.wake(false)
	s.work(ctx)
}

// newCallID is a new call's id: it sorts by time and can't be guessed.
func (s *Service) newCallID() callmodel.CallID {
	var made [6 + 10]byte // the milliseconds since 1970, and chance
	binary.BigEndian.PutUint64(made[:], uint64(s.opts.Now().UnixMilli())<<16)
	_, _ = rand.Read(made[6:]) // never fails: it ends the process instead
	text := append(make([]byte, 0, len("c-")+12+1+20), "c-"...)
	text = append(hex.AppendEncode(text, made[:6]), '-')
	return callmodel.CallID(hex.AppendEncode(text, made[6:]))
}

// madeAt is when newCallID made the id; false if it is nothing that it makes.
func madeAt(id callmodel.CallID) (time.Time, bool) {
	rest, ok := strings.CutPrefix(string(id), "c-")
	if !ok || len(rest) != 12+1+20 || rest[12] != '-' {
		return time.Time{}, false
	}
	if _, err := hex.DecodeString(rest[13:]); err != nil {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(rest[:12], 16, 64)
	return time.UnixMilli(ms), err == nil
}
