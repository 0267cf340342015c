package service

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// TLSOptions name the server's certificate, and whose certificates clients must have.
type TLSOptions struct {
	TLSCert     string `help:"Certificate (PEM, with its chain) to serve HTTPS with; read again at SIGHUP. Default: HTTP." type:"path" placeholder:"FILE"`
	TLSKey      string `help:"Private key (PEM) of --tls-cert." type:"path" placeholder:"FILE"`
	TLSClientCA string `help:"Certificates (PEM) of which one must have signed each client's, beside its API key; read again at SIGHUP. Default: clients need none." type:"path" placeholder:"FILE"`
	Insecure    bool   `help:"Take API keys in clear at an address that other machines can reach: for a proxy in front that speaks TLS."`
}

// Certificate is a certificate that can be read again while it is in use.
type Certificate struct {
	opts   TLSOptions
	config atomic.Pointer[tls.Config]
}

// OpenCertificate reads the certificate; nil if there is none.
func (o TLSOptions) OpenCertificate() (*Certificate, error) {
	switch {
	case o.TLSCert == "" && o.TLSKey == "" && o.TLSClientCA == "":
		return nil, nil //nolint:nilnil // it is said so above
	case o.TLSCert == "" || o.TLSKey == "":
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "--tls-cert and --tls-key go together, and --tls-client-ca with them")
	}
	c := &Certificate{opts: o}
	return c, c.Reload()
}

// Reload reads the files again. On an error what is in use stays.
func (c *Certificate) Reload() error {
	if c == nil {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.opts.TLSCert, c.opts.TLSKey)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if c.opts.TLSClientCA != "" {
		text, err := os.ReadFile(c.opts.TLSClientCA)
		if err != nil {
			return fmt.Errorf("the clients' certificates: %w", err)
		}
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return callmodel.Errorf(callmodel.CodeInvalid, "the clients' certificates: %s holds none in PEM", c.opts.TLSClientCA)
		}
	}
	c.config.Store(config)
	return nil
}

// expiry is when the first of the certificates in use expires.
func (c *Certificate) expiry() time.Time {
	var first time.Time
	for _, pair := range c.config.Load().Certificates {
		if leaf := pair.Leaf; leaf != nil && (first.IsZero() || leaf.NotAfter.Before(first)) {
			first = leaf.NotAfter
		}
	}
	return first
}

// Listener serves TLS on l with the certificates as they are at each handshake; l
// itself without one.
func (c *Certificate) Listener(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.config.Load(), nil },
	})
}

// notInClear refuses to take API keys in clear at an address that other machines can
// reach: whoever listens in between would have them.
func (o TLSOptions) notInClear(addr net.Addr, guarded bool) error {
	if !guarded || o.Insecure || o.TLSCert != "" || onLoopback(addr) == nil {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeInvalid, "API keys would come to %s in clear; give --tls-cert and --tls-key, listen on 127.0.0.1, "+
		"or say --insecure where a proxy in front of it speaks TLS", addr)
}
