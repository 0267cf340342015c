package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/switchtape/switchtape/callmodel"
)

// Hangups is the process's SIGHUPs. It is made before anything else, so that a
// SIGHUP at the start doesn't end the process either.
type Hangups chan os.Signal

// CatchHangups catches the signals from now on.
func CatchHangups() Hangups {
	c := make(Hangups, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// Reload is something that is read again at SIGHUP.
type Reload struct {
	Name string
	Do   func() error
}

// Run reads everything again at each signal, until ctx ends. What can't be read
// stays as it is, and is logged.
func (h Hangups) Run(ctx context.Context, log *slog.Logger, list ...Reload) error {
	defer signal.Stop(h)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h:
		}
		for _, r := range list {
			if err := r.Do(); err != nil {
				log.ErrorContext(ctx, r.Name+" can't be read again; those in use stay", "error", err)
				continue
			}
			log.InfoContext(ctx, r.Name+" read again")
		}
	}
}

// TLSOptions name the server's certificate.
type TLSOptions struct {
	TLSCert string `help:"Certificate (PEM, with its chain) to serve HTTPS with; read again at SIGHUP. Default: HTTP." type:"path" placeholder:"FILE"`
	TLSKey  string `help:"Private key (PEM) of --tls-cert." type:"path" placeholder:"FILE"`
}

// Certificate is a certificate that can be read again while it is in use.
type Certificate struct {
	opts TLSOptions
	pair atomic.Pointer[tls.Certificate]
}

// OpenCertificate reads the certificate; nil if there is none.
func (o TLSOptions) OpenCertificate() (*Certificate, error) {
	switch {
	case o == TLSOptions{}:
		return nil, nil //nolint:nilnil // it is said so above
	case o.TLSCert == "" || o.TLSKey == "":
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "--tls-cert and --tls-key go together")
	}
	c := &Certificate{opts: o}
	return c, c.Reload()
}

// Reload reads the files again. On an error the certificate in use stays.
func (c *Certificate) Reload() error {
	if c == nil {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.opts.TLSCert, c.opts.TLSKey)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

// Listener serves TLS on l with the certificate as it is at each handshake; l
// itself without one.
func (c *Certificate) Listener(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	})
}
