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

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

// begin starts a service up to where it serves, as the commands do.
func begin(t *testing.T, db string, o service.APIOptions) (r running, err error) {
	t.Helper()
	o.RecordOptions = service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}
	o.Region = "US"
	s, prepare, err := service.OpenForCalls(t.Context(), service.DBOptions{DB: db}, true, o)
	if err != nil {
		return r, err
	}
	m := ops.NewMetrics()
	api, err := service.NewAPI(t.Context(), s, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	api.Later("preparing the database", prepare)
	handlers, err := service.HTTP(s, api, nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, o.AdminOptions, m)
	if err == nil {
		r.h, r.admin = handlers.Public, handlers.Admin
		err = api.Start(t.Context())
	}
	if err != nil {
		require.NoError(t, s.Close())
		return r, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Run(ctx) }()
	r.stop = func() {
		cancel()
		assert.NoError(t, <-done)
		assert.NoError(t, s.Close())
	}
	return r, nil
}

// TestStartForEmergencyCallsAlone: with somewhere for them to go a service comes up
// without database, snapshot and rules, and keeps what it answers.
func TestStartForEmergencyCallsAlone(t *testing.T) {
	t.Parallel()
	const nowhere = "postgres://nobody@127.0.0.1:1/none"
	_, err := begin(t, nowhere, service.APIOptions{})
	require.Error(t, err, "without it there is nothing to come up for")
	o := service.APIOptions{Emergency: []string{"sip:psap.example"}, Journal: filepath.Join(t.TempDir(), "journal")}
	s, err := begin(t, nowhere, o)
	require.NoError(t, err)
	status, body := s.get(t, http.MethodPost, "/v1/calls", `{"to":"911"}`)
	require.Equal(t, http.StatusCreated, status, body)
	require.Contains(t, body, "sip:psap.example")
	status, body = s.get(t, http.MethodGet, "/readyz", "")
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, "database: degraded: ")
	s.stop()

	// It starts again where there is a database, and the call is stored there.
	url := calldb.SQLiteURL(filepath.Join(t.TempDir(), "calls.db"))
	s, err = begin(t, url, o)
	require.NoError(t, err)
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		page, err := db.Calls(t.Context(), service.DefaultTenant, calls.Filter{})
		return err == nil && len(page.Calls) == 1
	}, 30*time.Second, 5*time.Millisecond)
	s.stop()
	require.NoError(t, db.Close())
}

// TestJournalThatOpensLater: a journal whose directory can't be used at the start
// is opened as soon as it can be, and what an earlier process left there is stored.
func TestJournalThatOpensLater(t *testing.T) {
	t.Parallel()
	const nowhere = "postgres://nobody@127.0.0.1:1/none"
	dir := filepath.Join(t.TempDir(), "journal")
	o := service.APIOptions{Emergency: []string{"sip:psap.example"}, Journal: dir}
	s, err := begin(t, nowhere, o)
	require.NoError(t, err)
	call := func() {
		status, body := s.get(t, http.MethodPost, "/v1/calls", `{"to":"911"}`)
		require.Equal(t, http.StatusCreated, status, body)
	}
	call()
	s.stop()

	// Its disk isn't mounted, say: something else has its name.
	away := dir + ".away"
	require.NoError(t, os.Rename(dir, away))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	url := calldb.SQLiteURL(filepath.Join(t.TempDir(), "calls.db"))
	s, err = begin(t, url, o)
	require.NoError(t, err)
	call()
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Rename(away, dir))
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		page, err := db.Calls(t.Context(), service.DefaultTenant, calls.Filter{})
		return err == nil && len(page.Calls) == 2
	}, 30*time.Second, 5*time.Millisecond)
	s.stop()
	require.NoError(t, db.Close())
}

// TestRulesFileIsForTheFirstStart: the file doesn't undo what was changed since,
// and a start that fails changes nothing.
func TestRulesFileIsForTheFirstStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := calldb.SQLiteURL(filepath.Join(dir, "calls.db"))
	file := func(name string) string {
		path := filepath.Join(dir, name+".yaml")
		require.NoError(t, os.WriteFile(path, []byte(rulesNamed(name)), 0o600))
		return path
	}
	badKeys := filepath.Join(dir, "keys")
	require.NoError(t, os.WriteFile(badKeys, []byte("not a key\n"), 0o600))
	for _, c := range []struct {
		file    string
		replace bool
		keys    string
		active  string
	}{
		{"first", false, badKeys, ""},
		{"first", false, "", "first"},
		{"second", false, "", "first"},
		{"second", true, badKeys, ""},
		{"", false, "", "first"},
		{"second", true, "", "second"},
		{"first", false, "", "second"},
	} {
		o := service.APIOptions{ReplaceRules: c.replace, AuthOptions: service.AuthOptions{Keys: c.keys}}
		if c.file != "" {
			o.Rules = file(c.file)
		}
		s, err := begin(t, url, o)
		if c.active == "" {
			require.ErrorContains(t, err, "keys")
			continue
		}
		require.NoError(t, err)
		_, body := s.get(t, http.MethodGet, dryRun, "")
		assert.Contains(t, body, `"rule":"`+c.active+`"`, "%+v", c)
		s.stop()
	}
}

// certify writes a certificate for localhost with the serial number.
func certify(t *testing.T, o service.TLSOptions, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for path, b := range map[string]*pem.Block{o.TLSCert: {Type: "CERTIFICATE", Bytes: cert}, o.TLSKey: {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(b), 0o600))
	}
}

// TestCertificateIsReadAgain: the next handshake has the new one; a damaged file
// changes nothing.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := service.TLSOptions{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	certify(t, o, 1)
	c, err := o.OpenCertificate()
	require.NoError(t, err)
	plain, err := service.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	l := c.Listener(plain)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Serve(ctx, l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	serial := func() int64 {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		state, ok := conn.(*tls.Conn)
		require.True(t, ok)
		return state.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	assert.EqualValues(t, 1, serial())
	certify(t, o, 2)
	require.NoError(t, c.Reload())
	assert.EqualValues(t, 2, serial())
	require.NoError(t, os.WriteFile(o.TLSKey, []byte("damaged"), 0o600))
	require.Error(t, c.Reload())
	assert.EqualValues(t, 2, serial())
	_, err = service.TLSOptions{TLSCert: "x"}.OpenCertificate()
	require.ErrorContains(t, err, "go together")
	none, err := service.TLSOptions{}.OpenCertificate()
	require.NoError(t, err)
	require.NoError(t, none.Reload())
	cancel()
	require.NoError(t, <-done)
}
