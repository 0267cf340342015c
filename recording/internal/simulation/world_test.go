package simulation

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/publish"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

const (
	leaseTTL  = 30 * time.Second
	keepLegs  = time.Hour
	mostTries = 10
	// trouble is for how long there are faults, and patience how long after that all must
	// be at its end.
	trouble  = 110 * time.Minute
	patience = 5 * time.Hour
)

// config is a run. The same config gives the same run.
type config struct {
	seed    uint64
	jobs    int
	workers int
	// faults is how many calls of ten thousand meet a fault.
	faults uint64
	// mostSteps is after how many steps a run that goes on has failed.
	mostSteps int
	// only are the faults that may happen; nil for all.
	only map[string]bool
	// without are the calls that aren't made; nil for none.
	without map[string]bool
	trace   bool
	bug     *bug
}

// calls is how many calls there are.
func (c *config) calls() int { return c.jobs - len(c.without) }

// callName is the name of the call of that number, and of its recording.
func callName(i int) string { return fmt.Sprintf("c%02d", i) }

// configOf is the config that belongs to the seed.
func configOf(seed uint64) config {
	w := world{cfg: config{seed: seed}}
	return config{
		seed: seed, jobs: 8 + int(w.draw("jobs")%25), workers: 2 + int(w.draw("workers")%2),
		faults: []uint64{0, 40, 150, 400, 1000}[w.draw("faults")%5], mostSteps: 60_000,
	}
}

// state is what the processes share, and what is known of it.
type state struct {
	dir     string
	lives   map[string]*process
	dbs     map[string]*calldb.DB
	raw     *sql.DB
	journal *sql.Stmt
	looked  int64
	latest  time.Time // by the database's clock

	bucket *bucket
	files  map[string]*file
	queue  *queue
	bells  map[string]func()
	// outages are when a place answers nobody.
	outages []outageOf

	jobs    map[int64]*known
	byName  map[string]*known
	entries map[string]*record.CallEntry
	letters map[string]string
	events  []string
	sent    int
}

// outageOf is when a place answers nobody.
type outageOf struct {
	name, place string
	from, to    time.Time
}

// report is how a run went.
type report struct {
	cfg   config
	steps int // without claims that found nothing
	hit   []string
	wrong *violation
	trace []string
	jobs  map[string]int // by how they ended
}

// simulate runs the config in a lane, which no other run may use meanwhile.
func simulate(t *testing.T, lane int, cfg config) (r report) {
	t.Helper()
	body, err := template()
	require.NoError(t, err)
	dir, err := os.MkdirTemp(memoryDir(), "simulation-") //nolint:usetesting // that is on a disk
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.db")
	require.NoError(t, os.WriteFile(path, body, 0o600))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Duration(lane)*laneTime + 24*time.Hour)
		clocks[lane].ahead.Store(0)
		w := &world{
			cfg: cfg, clock: &clocks[lane], began: time.Now(), calmAt: time.Now().Add(trouble), arrived: make(chan struct{}, 1),
			made: map[string]int{}, hits: map[string]bool{},
			state: &state{
				dir: dir, lives: map[string]*process{}, dbs: map[string]*calldb.DB{},
				bucket: &bucket{objects: map[string]*object{}, uploads: map[int]*upload{}}, files: map[string]*file{}, queue: &queue{}, bells: map[string]func(){},
				jobs: map[int64]*known{}, byName: map[string]*known{}, entries: map[string]*record.CallEntry{}, letters: map[string]string{},
			},
		}
		w.open(t, path)
		w.populate()
		w.run()
		w.close(t)
		r = report{cfg: cfg, steps: w.steps - w.idle, hit: w.hit, wrong: w.wrong, trace: w.trace, jobs: w.outcomes()}
	})
	return r
}

// memoryDir is a directory that needs no disk, if there is one.
func memoryDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// open opens the ledger for each process, as if they were on machines of their own.
func (w *world) open(t *testing.T, path string) {
	t.Helper()
	for _, name := range []string{"services", "w0", "w1", "w2"} {
		if len(name) == 2 && int(name[1]-'0') >= w.cfg.workers {
			continue
		}
		db, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), nil)
		require.NoError(t, err)
		w.dbs[name] = db
	}
	var err error
	w.raw, err = sql.Open("sqlite", path)
	require.NoError(t, err)
	w.raw.SetMaxOpenConns(1)
	w.journal, err = w.raw.Prepare(readJournal)
	require.NoError(t, err)
}

// close ends all processes: what they do from now on has no effect.
func (w *world) close(t *testing.T) {
	t.Helper()
	if w.wrong == nil {
		w.checkEnding(t)
	}
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	for _, name := range sorted(w.lives) {
		w.lives[name].die()
	}
	w.processes.Wait()
	require.NoError(t, errors.Join(w.journal.Close(), w.raw.Close()))
	for _, db := range w.dbs {
		require.NoError(t, db.Close())
	}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// populate starts the processes, and says what happens by itself.
func (w *world) populate() {
	for i := range w.cfg.workers {
		w.start("w"+strconv.Itoa(i), 1, runWorker)
	}
	w.start("intake", 1, runIntake)
	w.start("cleaner", 1, runCleaner)
	w.start("publisher", 1, runPublisher)
	w.start("operator", 1, runOperator)
	for i := range w.cfg.jobs {
		if !w.cfg.without[callName(i)] {
			w.submit(i)
		}
	}
	if w.cfg.faults == 0 {
		return
	}
	for i := range 3 {
		name := fmt.Sprintf("outage #%d", i)
		if w.draw(name, "happens")%2 == 0 {
			continue
		}
		from := w.began.Add(w.between(time.Minute, 100*time.Minute, name, "from"))
		if w.draw(name, "early")%2 == 0 {
			from = w.began.Add(w.between(time.Minute, 25*time.Minute, name, "from"))
		}
		w.outages = append(w.outages, outageOf{
			name: name, place: []string{"database", "bucket", "legs", "broker", "database"}[w.draw(name, "place")%5],
			from: from, to: from.Add(w.between(10*time.Second, 8*time.Minute, name, "for")),
		})
	}
	for i := range 4 {
		name := fmt.Sprintf("clock #%d", i)
		if w.draw(name, "happens")%2 == 0 {
			continue
		}
		by := w.between(-2*time.Minute, 8*time.Minute, name, "by")
		w.at(w.began.Add(w.between(0, trouble, name, "at")), name, func() {
			if w.permits(name) {
				w.note(name, clockJump)
				w.clock.jump(by)
			}
		})
	}
}

// submit has a call's recording asked for, or something that can't be taken.
func (w *world) submit(i int) {
	job := callName(i)
	sent := w.began.Add(w.between(time.Second, 25*time.Minute, job, "sent"))
	if w.draw(job, "burst")%3 == 0 {
		sent = w.began.Add(w.between(5*time.Minute, 6*time.Minute, job, "in the burst"))
	}
	spec := record.Spec{
		CallID: callmodel.CallID(job), RecordingID: callmodel.RecordingID(job),
		StartedAt: sent.Add(-time.Minute), EndedAt: sent,
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
	for k, name := range []string{"agent", "customer"} {
		uri := job + "/" + name + ".wav"
		spec.Legs = append(spec.Legs, record.NewLeg(name, uri))
		w.files[uri] = w.leg(job, name, sent)
		if k == 0 && w.draw(job, "legs")%4 == 0 {
			break // a call of one leg
		}
	}
	body, err := json.Marshal(&spec)
	if err != nil {
		w.fail("messages can be made", "%v", err)
		return
	}
	kind := w.draw(job, "message") % 12
	if kind == 0 {
		body, job = []byte(`{"call_id": `), ""
	}
	copies := 1
	if kind == 1 || kind == 2 {
		copies = 2 // whoever sent it wasn't sure
	}
	for n := range copies {
		id := fmt.Sprintf("m%02d.%d", i, n)
		w.at(sent.Add(time.Duration(n)*time.Second), "message "+id+" is sent", func() {
			w.queue.messages = append(w.queue.messages, &message{id: id, body: body, job: job, sent: time.Now()})
		})
	}
}

// leg is a call's leg: most are there when the call has ended, others are late, or never
// come, or crash who reads them.
func (w *world) leg(job, name string, ended time.Time) *file {
	f := &file{
		job: job, body: newFile(20+int(w.draw(job, name, "frames")%200), w.draw(job, name, "step")%5000), from: ended.Add(-time.Minute), whole: ended.Add(-30 * time.Second),
	}
	switch w.draw(job, name, "how") % 16 {
	case 0:
		f.from = time.Time{}
	case 1, 2:
		f.from = ended.Add(w.between(time.Second, 5*time.Minute, job, name, "late"))
		f.whole = f.from
	case 3:
		f.whole = ended.Add(w.between(time.Second, 4*time.Minute, job, name, "growing"))
	case 4:
		f.poison = w.cfg.faults > 0
	case 5:
		f.gone = ended.Add(w.between(time.Second, 5*time.Minute, job, name, "gone"))
	}
	return f
}

// poisonous reports whether a leg of the job crashes who reads it.
func (w *world) poisonous(job string) bool {
	for _, f := range w.files {
		if f.job == job && f.poison {
			return true
		}
	}
	return false
}

// buried is told of a process that was killed. What it has on its disk is its next life's.
func (w *world) buried(p *process) {
	w.tell("    %s is dead", p)
	_ = os.Rename(w.finishedDir(p), w.finishedDir(&process{name: p.name, life: p.life + 1}))
}

func (w *world) finishedDir(p *process) string { return filepath.Join(w.dir, "finished", p.String()) }

// ledger is the database as the process reaches it.
func (w *world) ledger(p *process) ledgerPort {
	db := w.dbs[p.name]
	if db == nil {
		db = w.dbs["services"]
	}
	if b := w.cfg.bug; b != nil && b.database != nil {
		return ledgerPort{p, b.database(w, db)}
	}
	return ledgerPort{p, db}
}

// store is the bucket as the process reaches it.
func (w *world) store(p *process) *storage.Store {
	d := bucketDriver(p, nil)
	if b := w.cfg.bug; b != nil && b.bucket != nil {
		d = bucketDriver(p, b.bucket)
	}
	s, err := storage.Open(p.ctx, "sim://recordings", &storage.Options{Drivers: []storage.Driver{d}})
	if err != nil {
		w.fail("the bucket can be opened", "%v", err)
	}
	return s
}

func (w *world) cleaner(p *process) *lifecycle.Legs {
	l := w.ledger(p)
	legs, err := lifecycle.NewLegs(l, legPort{p}, stored.NewLibrary(l, w.store(p)), lifecycle.Options{Keep: keepLegs, Now: time.Now})
	if err != nil {
		w.fail("legs can be looked after", "%v", err)
	}
	return legs
}

// runWorker is a worker that makes recordings and deletes legs.
func runWorker(p *process) {
	w := p.world
	kinds, err := task.NewKinds(w.cleaner(p).Kind())
	if err != nil {
		w.fail("there are kinds of jobs", "%v", err)
		return
	}
	var objects recording.Objects = w.store(p)
	var l worker.Ledger = w.ledger(p)
	if b := w.cfg.bug; b != nil && b.objects != nil {
		objects = b.objects(p, objects)
	}
	if b := w.cfg.bug; b != nil && b.ledger != nil {
		l = b.ledger(p, w.ledger(p))
	}
	o := &worker.Options{
		Name: p.name, Kinds: kinds, AllLegs: true, Concurrency: 2, LeaseTTL: leaseTTL, LedgerTimeout: 7 * time.Second, Poll: w.between(20*time.Second, 2*time.Minute, "poll"),
		MissingLegWait: 61 * time.Second, FollowGrowing: 10 * time.Minute, FollowPause: 5 * time.Second, JobTimeout: 5 * time.Minute,
		FinishedDir: w.finishedDir(p),
		Jitter: func(d time.Duration) time.Duration {
			return d - d/4 + time.Duration(w.draw("jitter", p.name, d.String())%uint64(d/2+1))
		},
	}
	if w.cfg.trace {
		o.Logger = slog.New(slog.NewTextHandler(tracer{w, p}, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		}}))
	}
	if w.draw("doorbell")%2 == 0 {
		o.Doorbell, o.IdlePoll = doorbell{p}, o.Poll
	}
	one := worker.New(l, recording.NewProcessor(legPort{p}, objects, &recording.Options{BlockFrames: 64}), o)
	w.mu.Lock()
	w.bells[p.name] = one.Ring
	w.mu.Unlock()
	_ = one.Run(p.ctx) // it has none
}

// doorbell rings for new jobs, and has a worker remember when those run again that it has
// put back.
type doorbell struct{ p *process }

// Listen implements worker.Doorbell.
func (d doorbell) Listen(ctx context.Context, _ []string, rung func()) error {
	w := d.p.world
	w.mu.Lock()
	w.bells[d.p.name] = rung
	w.mu.Unlock()
	rung()
	<-ctx.Done()
	return context.Cause(ctx)
}

// tracer puts a worker's log in the trace.
type tracer struct {
	w *world
	p *process
}

func (t tracer) Write(line []byte) (int, error) {
	if !t.p.isDead() {
		t.w.tell("    %s: %.300s", t.p, strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

func runIntake(p *process) {
	w := p.world
	l := w.ledger(p)
	var s intake.Source
	s.Name, s.Tenants.One = "sim://queue", "acme"
	s.Subscription = brokerPort{p, w.queue}
	if b := w.cfg.bug; b != nil && b.subscription != nil {
		s.Subscription = b.subscription(s.Subscription)
	}
	in, err := intake.New(l, l, intake.NewDoor(intake.Checks{}, task.Kinds{}), s, &intake.Options{
		Concurrency: 2, MaxTries: mostTries, Now: time.Now, JobEnqueued: w.ring,
	})
	if err != nil {
		w.fail("messages can be taken in", "%v", err)
		return
	}
	_ = in.Run(p.ctx) // it has none
}

// ring tells the workers of a new job.
func (w *world) ring() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range sorted(w.bells) {
		w.bells[name]()
	}
}

func runPublisher(p *process) {
	_ = publish.New(p.world.ledger(p), "events", topicPort{p}, "sim://topic", publish.Options{Holder: p.String(), Poll: 97 * time.Second, Now: time.Now}).Run(p.ctx) // it has none
}

// pause waits; false if the process is to end first.
func (p *process) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func runCleaner(p *process) {
	legs := p.world.cleaner(p)
	for p.pause(13 * time.Minute) {
		_, _ = legs.Sweep(p.ctx) // it is tried again
	}
}

// runOperator is a person who retries jobs and sets some aside, while there is trouble.
func runOperator(p *process) {
	w := p.world
	for i := 0; p.pause(w.between(time.Minute, 12*time.Minute, p.String(), "pause", strconv.Itoa(i))); i++ {
		if !time.Now().Before(w.calmAt) {
			continue
		}
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		w.byHand(ctx, p, i)
		cancel()
	}
}

// byHand retries a job, or sets one aside.
func (w *world) byHand(ctx context.Context, p *process, turn int) {
	var act func() error
	l := w.ledger(p)
	err := p.ask(ctx, port{op: "look at jobs", wrong: always(errDatabaseAway)}, func(context.Context) error {
		k := w.choose(p, turn)
		name := fmt.Sprintf("%s by hand #%d", p, turn)
		if k == nil || !w.permits(name) {
			return nil
		}
		list, err := w.dbs["services"].Jobs(context.Background(), jobsOf(k))
		if err != nil || len(list) != 1 {
			w.fail("the ledger can be read", "%s: %d jobs, %v", k, len(list), err)
			return nil
		}
		switch j := &list[0]; {
		case k.state == "quarantined" || k.state == "done" && record.Retriable(j):
			w.note(name, retryByHand)
			act = func() error { return l.Retry(ctx, j.ID, "a person") }
		case k.state != "done" && w.draw(name, "set aside")%5 == 0:
			w.note(name, retryByHand)
			act = func() error { return l.Quarantine(ctx, j) }
		}
		return nil
	})
	if err == nil && act != nil {
		_ = act() // it may be refused
	}
}

// choose is a recording's job; nil if there is none yet.
func (w *world) choose(p *process, turn int) *known {
	var seqs []int64
	for seq, k := range w.jobs {
		if k.kind == record.Kind {
			seqs = append(seqs, seq)
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	slices.Sort(seqs)
	return w.jobs[seqs[w.draw(p.String(), "which", strconv.Itoa(turn))%uint64(len(seqs))]]
}
