package brokertest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// How long whatever is waited for may take, and how often it is looked at.
const (
	Within = 30 * time.Second
	Tick   = 5 * time.Millisecond

	within = Within
)

// NATSServer is a NATS server with JetStream on loopback, in the test's process.
type NATSServer struct {
	opts server.Options
	run  *server.Server
}

// NATS starts a server of its own, which keeps its streams in a directory of the test's.
func NATS(t testing.TB) *NATSServer {
	t.Helper()
	return NATSOn(t, server.RANDOM_PORT)
}

// NATSOn is NATS on a port of loopback.
func NATSOn(t testing.TB, port int) *NATSServer {
	t.Helper()
	s := &NATSServer{opts: server.Options{
		ServerName: "one", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	}}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// NATSCluster starts three servers that keep three copies of each stream.
func NATSCluster(t testing.TB) []*NATSServer {
	t.Helper()
	const size = 3
	servers := make([]*NATSServer, size)
	routes := make([]int, size)
	for i := range routes {
		routes[i] = freePort(t)
	}
	for i := range servers {
		o := server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: routes[i]},
		}
		for j, port := range routes {
			if j != i {
				o.Routes = append(o.Routes, server.RoutesFromStr(fmt.Sprintf("nats://127.0.0.1:%d", port))...)
			}
		}
		servers[i] = &NATSServer{opts: o}
		servers[i].Start(t)
		t.Cleanup(servers[i].Kill)
	}
	return servers
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody has connected
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP address")
	}
	return addr.Port
}

// Start starts the server, again at the same address with what it has stored.
func (s *NATSServer) Start(t testing.TB) {
	t.Helper()
	opts := s.opts
	run, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	run.Start()
	if !run.ReadyForConnections(within) {
		t.Fatal("the NATS server does not listen")
	}
	s.run = run
	addr, ok := run.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP address")
	}
	s.opts.Port = addr.Port
}

// Kill ends the server.
func (s *NATSServer) Kill() {
	s.run.Shutdown()
	s.run.WaitForShutdown()
}

// Host is the server's address, as URLs name it.
func (s *NATSServer) Host() string { return fmt.Sprintf("127.0.0.1:%d", s.opts.Port) }

// Stream is a stream of a server with a sender's connection of its own.
type Stream struct {
	Name string
	js   jetstream.JetStream
}

// NewStream makes a stream on the servers that takes the subject and all below it, and
// keeps as many copies as there are servers. A cluster is waited for.
func NewStream(t testing.TB, name, subject string, servers ...*NATSServer) *Stream {
	t.Helper()
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = "nats://" + s.Host()
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{Name: name, js: js}
	s.insist(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{subject, subject + ".>"}, Replicas: len(servers), Retention: jetstream.LimitsPolicy,
		})
		return err
	})
	return s
}

// insist tries until it succeeds: a server may be starting, or choosing its leader.
func (s *Stream) insist(t testing.TB, do func(context.Context) error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatal(err)
		case <-again.C:
		}
	}
}

// Send puts a message in the stream.
func (s *Stream) Send(t testing.TB, subject, id string, body []byte, headers map[string]string) {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = body
	for name, value := range headers {
		m.Header.Set(name, value)
	}
	s.insist(t, func(ctx context.Context) error {
		var opts []jetstream.PublishOpt
		if id != "" {
			opts = append(opts, jetstream.WithMsgID(id))
		}
		_, err := s.js.PublishMsg(ctx, m, opts...)
		return err
	})
}

// Messages are all that the stream has, in its order.
func (s *Stream) Messages(t testing.TB) []*jetstream.RawStreamMsg {
	t.Helper()
	var all []*jetstream.RawStreamMsg
	s.insist(t, func(ctx context.Context) error {
		all = nil
		stream, err := s.js.Stream(ctx, s.Name)
		if err != nil {
			return err
		}
		state := stream.CachedInfo().State
		for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
			m, err := stream.GetMsg(ctx, seq)
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	return all
}

// Unacked is how many messages a consumer of the stream has still to get or to
// acknowledge.
func (s *Stream) Unacked(t testing.TB, consumer string) (n int) {
	t.Helper()
	s.insist(t, func(ctx context.Context) error {
		c, err := s.js.Consumer(ctx, s.Name, consumer)
		if err != nil {
			return err
		}
		info := c.CachedInfo()
		n = int(info.NumPending) + info.NumAckPending
		return nil
	})
	return n
}
