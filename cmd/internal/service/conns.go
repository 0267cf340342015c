package service

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// ListenOptions say where a service that takes calls listens, and which of them it takes.
type ListenOptions struct {
	Lane            string `help:"Calls that this process is for: high for emergency calls alone, in a process that nothing else can slow down; low for the others, where those have processes of their own; both." enum:"both,high,low" default:"both"`
	EmergencyListen string `help:"A second address, for emergency calls and their events, with connections of its own: crowds at the first don't shut it out." placeholder:"ADDR"`
	MaxConns        int    `help:"Connections at the first address at once; a new one beyond them ends the one that has been idle longest. 0: what the limit of open files leaves." default:"0"`

	TLSOptions
}

// Doors are the listeners of a service, with how many connections each may have.
type Doors struct {
	main, emergency net.Listener
	high            bool // main is for emergency calls, too
	certificate     *Certificate
	most            int
	keptFree        int // connections of the emergency listener
}

// OpenDoors opens the emergency listener beside l, if there is to be one. Without API
// keys it must be on loopback as l must; with them neither may take them in clear from
// other machines: see TLSOptions.
func (o ListenOptions) OpenDoors(ctx context.Context, l net.Listener, guarded bool) (*Doors, error) {
	d := &Doors{main: l, most: o.MaxConns, high: o.Lane == LaneHigh}
	var err error
	if o.EmergencyListen != "" && (d.high || o.Lane == LaneLow) {
		return nil, cli.Usagef("--emergency-listen is for a process of both lanes: with --lane %s leave it out", o.Lane)
	}
	if d.certificate, err = o.OpenCertificate(); err != nil {
		return nil, err
	}
	if err := o.notInClear(l.Addr(), guarded); err != nil {
		return nil, err
	}
	files := openFiles()
	// Other files are the database's, the journal's, recordings that are served.
	d.keptFree = max(files/8, 8)
	if d.most <= 0 {
		d.most = max(files-files/4-d.keptFree, 8)
	}
	if o.EmergencyListen == "" {
		return d, nil
	}
	if d.emergency, err = Listen(ctx, o.EmergencyListen); err != nil {
		return nil, err
	}
	if err = o.notInClear(d.emergency.Addr(), guarded); err == nil && !guarded {
		err = onLoopback(d.emergency.Addr())
	}
	if err != nil {
		_ = d.emergency.Close() // nobody has connected yet
		return nil, err
	}
	return d, nil
}

// Metrics shows when the certificate expires, if there is one.
func (d *Doors) Metrics(m *ops.Metrics) {
	if c := d.certificate; c != nil {
		m.Gauge("switchtape_certificate_expiry_timestamp_seconds", func() float64 { return float64(c.expiry().Unix()) })
	}
}

// Reload reads the certificate again.
func (d *Doors) Reload() error { return d.certificate.Reload() }

// Emergency is the emergency listener's address; nil without one.
func (d *Doors) Emergency() net.Addr {
	if d.emergency == nil {
		return nil
	}
	return d.emergency.Addr()
}

// openFiles is how many files the process may have open.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// Serve answers requests at all doors until ctx ends.
func (d *Doors) Serve(ctx context.Context, h http.Handler, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	main := h
	if d.high {
		main = auth.EmergencyDoor(callsOnly(h, "GET /metrics"))
	}
	group.Go(func() error { return serve(ctx, d.certificate.Listener(d.main), bodiesInTime(main), d.most, log) })
	if d.emergency != nil {
		group.Go(func() error {
			return serve(ctx, d.certificate.Listener(d.emergency), bodiesInTime(auth.EmergencyDoor(callsOnly(h))), d.keptFree, log)
		})
	}
	return group.Wait()
}

// callsOnly is h for calls, their events, and whoever watches the process; and more.
func callsOnly(h http.Handler, more ...string) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range append([]string{"POST /v1/calls", "POST /v1/calls/{id}/events", "GET /healthz", "GET /readyz"}, more...) {
		mux.Handle(pattern, h)
	}
	mux.Handle("/", problem.Elsewhere(mux))
	return mux
}

// bodyTime is how long a body may take to come; large sets of rules have the
// server's whole time.
const bodyTime = 10 * time.Second

// bodiesInTime ends requests whose bodies don't come.
func bodiesInTime(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && r.ContentLength <= 1<<20 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // else the server's own holds
		}
		h.ServeHTTP(w, r)
	})
}

// conns bounds a server's connections. A new one beyond the bound takes the place
// of the one that has been idle longest; if none is idle it is closed itself.
type conns struct {
	most int // 0: no bound
	mu   sync.Mutex
	open map[net.Conn]*list.Element // its element in idle, nil while it works; without those that were ended
	idle *list.List                 // of net.Conn, the one that has been idle longest in front
}

func newConns(most int) *conns {
	return &conns{most: most, idle: list.New(), open: map[net.Conn]*list.Element{}}
}

// changed is the server's ConnState.
func (c *conns) changed(conn net.Conn, to http.ConnState) {
	if c.most == 0 {
		return
	}
	if ended := c.note(conn, to); ended != nil {
		_ = ended.Close() // a connection that nobody uses
	}
}

// note follows a connection and returns the one that has to end. A connection that
// was ended counts no longer, although the server hasn't seen it close yet: else a
// crowd that comes at once would end more than it needs.
func (c *conns) note(conn net.Conn, to http.ConnState) (ended net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, counted := c.open[conn]
	if element != nil {
		c.idle.Remove(element)
		c.open[conn] = nil
	}
	switch to {
	case http.StateNew:
		if len(c.open) >= c.most {
			oldest, ok := c.oldest()
			if !ok {
				return conn
			}
			delete(c.open, oldest)
			ended = oldest
		}
		c.open[conn] = c.idle.PushBack(conn) // it has said nothing yet
	case http.StateIdle:
		if counted {
			c.open[conn] = c.idle.PushBack(conn)
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	case http.StateActive:
	}
	return ended
}

// oldest takes the connection that has been idle longest from the list.
func (c *conns) oldest() (net.Conn, bool) {
	e := c.idle.Front()
	if e == nil {
		return nil, false
	}
	conn, ok := c.idle.Remove(e).(net.Conn)
	return conn, ok
}
