package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/publish"
)

// IntakeOptions say by which brokers jobs come, and to which ones results go.
type IntakeOptions struct {
	Intake  []cli.Private `help:"Subscription by which recordings are asked for, as POST /v1/recordings takes them: nats://host:4222?stream=JOBS&consumer=switchtape, awssqs://, azuresb://, gcppubsub:// or rabbit://. It says whose its messages are: tenant=acme, or tenants=acme,beta, which they may claim. With a password: @FILE, or in the environment. May be repeated." placeholder:"URL" sep:"none"`
	Publish []cli.Private `help:"Topic to which the outbox's events go, of recordings that were made: nats://host:4222?subject=switchtape.events, or as --intake. Processes that publish the same share the work by the topic's name in the database: reader=NAME, publish by default. May be repeated." placeholder:"URL" sep:"none"`
}

// defaultReader is the name under which the outbox is read to be published.
const defaultReader = "publish"

// subscribed is a subscription's URL, and whose its messages are.
type subscribed struct {
	url     *broker.URL
	name    string
	tenants intake.Tenants
}

// subscriptions reads --intake.
func (o *IntakeOptions) subscriptions() ([]subscribed, error) {
	var list []subscribed
	for _, raw := range o.Intake {
		u, err := broker.ParseURL(string(raw))
		if err != nil {
			return nil, fmt.Errorf("--intake: %w", err)
		}
		s := subscribed{url: u, name: u.String()}
		if s.tenants, err = intake.TakeTenants(u); err != nil {
			return nil, fmt.Errorf("--intake %s: %w", s.name, err)
		}
		if slices.ContainsFunc(list, func(other subscribed) bool { return other.name == s.name }) {
			return nil, cli.Usagef("--intake %s is given twice", s.name)
		}
		list = append(list, s)
	}
	return list, nil
}

// tenants are all that messages may be of, each once.
func (o *IntakeOptions) tenants() ([]callmodel.TenantID, error) {
	list, err := o.subscriptions()
	if err != nil {
		return nil, err
	}
	var all []callmodel.TenantID
	for i := range list {
		all = append(all, list[i].tenants.All()...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// WorkerDoor is the check of a worker's messages: that of the API's POST /v1/recordings,
// with the legs' directories as l says. The tenants are those of its subscriptions.
func (o *IntakeOptions) WorkerDoor(l LegOptions, t tracing.Tracer) (*intake.Door, error) {
	tenants, err := o.tenants()
	if err != nil {
		return nil, err
	}
	return NewDoor(l, len(tenants), t)
}

// NewDoor is the check of messages and dead letters of so many tenants.
func NewDoor(l LegOptions, tenants int, t tracing.Tracer) (*intake.Door, error) {
	dirs, err := l.legDirs(func() int { return tenants })
	if err != nil {
		return nil, err
	}
	kinds, err := Enqueued()
	if err != nil {
		return nil, err
	}
	return intake.NewDoor(intake.Checks{Check: recording.NewProcessor(nil, nil, nil).Check, LegsBelow: dirs.below, Now: clock.Now, Tracer: t}, kinds), nil
}

// Brokers are a process's intakes and publishers. A broker that is away keeps nothing
// else from working.
type Brokers struct {
	intakes    []*intake.Intake
	publishers []*publish.Publisher
}

// OpenBrokers wires what o names, by the binary's drivers. It connects to nothing: what
// is away is tried again by Run. name is the process's; rung is called for each job that
// was stored, and may be nil.
func (o *IntakeOptions) OpenBrokers(s *Stores, drivers broker.Drivers, door *intake.Door, name string, rung func(), m *ops.Metrics, log *slog.Logger) (*Brokers, error) {
	list, err := o.subscriptions()
	if err != nil {
		return nil, err
	}
	b := &Brokers{}
	for i := range list {
		sub, err := drivers.Subscribe(list[i].url)
		if err != nil {
			return nil, fmt.Errorf("--intake %s: %w", list[i].name, elsewhere(err))
		}
		in, err := intake.New(s.DB, s.DB, door, intake.Source{Name: list[i].name, Subscription: sub, Tenants: list[i].tenants},
			&intake.Options{JobEnqueued: rung, Tracer: m.Tracer, Now: clock.Now, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("--intake %s: %w", list[i].name, err)
		}
		b.intakes = append(b.intakes, in)
		intakeMetrics(m, in)
	}
	var readers []string
	for _, raw := range o.Publish {
		u, err := broker.ParseURL(string(raw))
		if err != nil {
			return nil, fmt.Errorf("--publish: %w", err)
		}
		at, reader := u.String(), cmp.Or(u.Take("reader"), defaultReader)
		switch {
		case !callmodel.ValidID(reader):
			return nil, cli.Usagef("--publish %s: reader must be 1 to %d letters, digits, '.', '_' or '-'", at, callmodel.MaxIDLen)
		case slices.Contains(readers, reader):
			return nil, cli.Usagef("--publish %s: another topic is read for as %q; give it reader=NAME of its own, or each event goes to one of them alone", at, reader)
		}
		readers = append(readers, reader)
		topic, err := drivers.OpenTopic(u)
		if err != nil {
			return nil, fmt.Errorf("--publish %s: %w", at, elsewhere(err))
		}
		p := publish.New(s.DB, reader, topic, at, publish.Options{Holder: name, Tracer: m.Tracer, Now: clock.Now, Logger: log})
		b.publishers = append(b.publishers, p)
		publishMetrics(m, p)
	}
	return b, nil
}

// elsewhere says who has a driver that this program doesn't link.
func elsewhere(err error) error {
	if _, ok := errors.AsType[*broker.NotLinkedError](err); ok {
		return fmt.Errorf("%w; switchtape-worker and switchtape-api have it", err)
	}
	return err
}

// Run takes messages and publishes events until ctx ends.
func (b *Brokers) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, in := range b.intakes {
		group.Go(func() error { return in.Run(ctx) })
	}
	for _, p := range b.publishers {
		group.Go(func() error { return p.Run(ctx) })
	}
	return group.Wait()
}

func intakeMetrics(m *ops.Metrics, in *intake.Intake) {
	for _, c := range []struct {
		name string
		of   func(intake.Counts) int64
	}{
		{"received", func(c intake.Counts) int64 { return c.Received }},
		{"taken", func(c intake.Counts) int64 { return c.Taken }},
		{"doubles", func(c intake.Counts) int64 { return c.Doubles }},
		{"dead", func(c intake.Counts) int64 { return c.Dead }},
		{"let_go", func(c intake.Counts) int64 { return c.LetGo }},
		{"unacked", func(c intake.Counts) int64 { return c.Unacked }},
	} {
		m.CounterOf("switchtape_intake_"+c.name+"_total", map[string]string{"source": in.Source()}, func() float64 { return float64(c.of(in.Counts())) })
	}
	m.GaugeOf("switchtape_intake_away_seconds", map[string]string{"source": in.Source()}, func() float64 {
		away, _ := in.Away()
		return away.Seconds()
	})
}

func publishMetrics(m *ops.Metrics, p *publish.Publisher) {
	labels := map[string]string{"reader": p.Reader()}
	m.CounterOf("switchtape_published_events_total", labels, func() float64 {
		n, _ := p.Sent()
		return float64(n)
	})
	m.CounterOf("switchtape_publish_failures_total", labels, func() float64 {
		_, n := p.Sent()
		return float64(n)
	})
	m.GaugeOf("switchtape_publish_away_seconds", labels, func() float64 {
		away, _ := p.Away()
		return away.Seconds()
	})
}
