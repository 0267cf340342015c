package service_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/service"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{cert: cert, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// client is a certificate that the authority has signed.
func (a *authority) client(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClientCertificates: with --tls-client-ca only clients whose certificate it has
// signed come through, and after a reload those of the new one, at both doors.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	o := service.ListenOptions{EmergencyListen: "127.0.0.1:0", TLSOptions: service.TLSOptions{
		TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem"), TLSClientCA: ours.file,
	}}
	certify(t, o.TLSOptions, 1)
	l, err := service.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	doors, err := o.OpenDoors(t.Context(), l, false)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- doors.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), slog.New(slog.DiscardHandler))
	}()
	// status is what a client with the certificates gets; 0 for none that is let in.
	status := func(at net.Addr, certificates ...tls.Certificate) int {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, Certificates: certificates},
		}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+at.String()+"/v1/calls", nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for _, at := range []net.Addr{l.Addr(), doors.Emergency()} {
		assert.Equal(t, http.StatusTeapot, status(at, ours.client(t)))
		assert.Zero(t, status(at, others.client(t)), "signed by another")
		assert.Zero(t, status(at), "none")
	}
	text, err := os.ReadFile(others.file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(ours.file, text, 0o600))
	require.NoError(t, doors.Reload())
	assert.Equal(t, http.StatusTeapot, status(l.Addr(), others.client(t)))
	assert.Zero(t, status(l.Addr(), ours.client(t)))
	require.NoError(t, os.WriteFile(ours.file, []byte("damaged"), 0o600))
	require.ErrorContains(t, doors.Reload(), "none in PEM")
	assert.Equal(t, http.StatusTeapot, status(l.Addr(), others.client(t)), "those in use stay")
	cancel()
	require.NoError(t, <-done)
}

// TestKeysAreNotTakenInClear: an address that other machines can reach takes API keys
// by TLS alone, unless the operator says otherwise.
func TestKeysAreNotTakenInClear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certified := service.TLSOptions{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	certify(t, certified, 1)
	for name, c := range map[string]struct {
		listen, emergency, keys string
		tls                     service.TLSOptions
		refused                 string
	}{
		"keys in clear":            {"0.0.0.0:0", "", "keys", service.TLSOptions{}, "in clear"},
		"emergency keys in clear":  {"127.0.0.1:0", "0.0.0.0:0", "keys", service.TLSOptions{}, "in clear"},
		"a proxy speaks TLS":       {"0.0.0.0:0", "0.0.0.0:0", "keys", service.TLSOptions{Insecure: true}, ""},
		"TLS":                      {"0.0.0.0:0", "0.0.0.0:0", "keys", certified, ""},
		"on loopback":              {"127.0.0.1:0", "127.0.0.1:0", "keys", service.TLSOptions{}, ""},
		"insecure, but no keys":    {"127.0.0.1:0", "0.0.0.0:0", "", service.TLSOptions{Insecure: true}, "--keys"},
		"a client's CA and no key": {"127.0.0.1:0", "", "keys", service.TLSOptions{TLSClientCA: "x"}, "go together"},
	} {
		l, err := service.Listen(t.Context(), c.listen)
		require.NoError(t, err)
		_, err = service.ListenOptions{EmergencyListen: c.emergency, TLSOptions: c.tls}.OpenDoors(t.Context(), l, c.keys != "")
		require.NoError(t, l.Close())
		if c.refused == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.refused, name)
		}
	}
}
