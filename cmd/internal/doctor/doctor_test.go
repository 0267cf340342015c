package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/doctor"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/encrypt"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// place is a worker's, in which all is well, and the settings that say so.
func place(t *testing.T) *service.WorkerProgram {
	t.Helper()
	dir := t.TempDir()
	p := &service.WorkerProgram{Listen: "127.0.0.1:0"}
	p.DB, p.Bucket = calldb.SQLiteURL(filepath.Join(dir, "calls.db")), service.FileURL(filepath.Join(dir, "recordings"))
	p.Legs, p.Queues = filepath.Join(dir, "legs"), []string{"pbx-1", "default"}
	require.NoError(t, os.Mkdir(p.Legs, 0o750))
	db, err := service.OpenDB(t.Context(), p.DBOptions, true)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return p
}

// found are the findings that aren't well, each as "state check: says → fix".
func found(t *testing.T, p *doctor.Plan) []string {
	t.Helper()
	r := doctor.Examine(t.Context(), p)
	var bad []string
	for _, f := range r.Findings {
		// Beside other tests SQLite may answer later than a service would have it.
		busy := f.State == doctor.Warning && f.Check == "database" && strings.Contains(f.Says, "answers after")
		if f.State != doctor.OK && !busy {
			bad = append(bad, string(f.State)+" "+f.Check+": "+f.Says+" → "+f.Fix)
		}
	}
	return bad
}

func worker(p *service.WorkerProgram) *doctor.Plan {
	return doctor.OfWorker(p, service.Buckets{s3.Driver()}, time.Now)
}

// TestWell: where all is well there is nothing to say, and nothing is left behind.
func TestWell(t *testing.T) {
	t.Parallel()
	p := place(t)
	p.FinishedDir = filepath.Join(p.Legs, "..", "finished", "deep")
	assert.Empty(t, found(t, worker(p)))
	left, err := filepath.Glob(filepath.Join(p.Legs, "..", "recordings", "switchtape-doctor", "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NoDirExists(t, p.FinishedDir)
}

// TestIll: each fault is found, and what is to be done about it is said.
func TestIll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ill  func(t *testing.T, p *service.WorkerProgram)
		want []string // what each finding contains, in their order
	}{
		"no database": {func(_ *testing.T, p *service.WorkerProgram) { p.DB += "2" }, []string{"fault database: |doesn't exist → switchtape migrate up"}},
		"no server": {
			func(_ *testing.T, p *service.WorkerProgram) { p.DB = "postgres://nobody@127.0.0.1:1/calls" },
			[]string{"fault database: |→ see that it runs"},
		},
		"old schema": {func(t *testing.T, p *service.WorkerProgram) {
			p.DB = calldb.SQLiteURL(filepath.Join(t.TempDir(), "old.db"))
			db, err := calldb.Open(t.Context(), p.DB, nil)
			require.NoError(t, err)
			require.NoError(t, db.Ping(t.Context()))
			require.NoError(t, db.Close())
			require.FileExists(t, strings.TrimPrefix(p.DB, "sqlite://"))
		}, []string{"fault schema: |→ switchtape migrate up"}},
		"no bucket": {func(_ *testing.T, p *service.WorkerProgram) { p.Bucket = "gs://somewhere" }, []string{"fault bucket: |switchtape-worker and switchtape-api have it"}},
		"a file for a bucket": {func(t *testing.T, p *service.WorkerProgram) {
			file := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(file, nil, 0o600))
			p.Bucket = service.FileURL(filepath.Join(file, "recordings"))
		}, []string{"fault bucket: "}},
		"no legs": {func(_ *testing.T, p *service.WorkerProgram) { p.Legs += "2" }, []string{"fault legs: |no such file or directory → give --legs"}},
		"a leg that is a loop": {func(t *testing.T, p *service.WorkerProgram) {
			require.NoError(t, os.Symlink("loop.wav", filepath.Join(p.Legs, "loop.wav")))
		}, []string{"fault legs: |too many levels"}},
		"queues": {
			func(_ *testing.T, p *service.WorkerProgram) { p.Queues = []string{"pbx 1", "localhost"} },
			[]string{`fault queues: "pbx 1" can't be the host`, "warning queues: |every machine has"},
		},
		"a file for a directory": {func(t *testing.T, p *service.WorkerProgram) {
			p.FinishedDir = filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(p.FinishedDir, nil, 0o600))
		}, []string{"fault --finished-dir: |not a directory → let this user"}},
		"an address of another": {func(_ *testing.T, p *service.WorkerProgram) { p.Listen = "192.0.2.1:80" }, []string{"fault --listen: 192.0.2.1:80: "}},
		"an address that is taken": {func(t *testing.T, p *service.WorkerProgram) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, l.Close()) })
			p.Listen = l.Addr().String()
		}, []string{"warning --listen: |is taken → if it is this program"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place(t)
			c.ill(t, p)
			got := found(t, worker(p))
			require.Len(t, got, len(c.want), "%q", got)
			for i, want := range c.want {
				for part := range strings.SplitSeq(want, "|") {
					assert.Contains(t, got[i], part)
				}
			}
		})
	}
}

// TestClock: a clock that is another than the database's is found.
func TestClock(t *testing.T) {
	t.Parallel()
	p := place(t)
	for off, want := range map[time.Duration]string{3 * time.Second: "warning clock: 3", -90 * time.Minute: "fault clock: "} {
		plan := worker(p)
		plan.Now = func() time.Time { return time.Now().Add(off) }
		got := found(t, plan)
		require.Len(t, got, 1, "%q", got)
		assert.Contains(t, got[0], want)
		assert.Contains(t, got[0], "NTP")
	}
}

// TestNearlyFull: a disk with less than what is needed is found.
func TestNearlyFull(t *testing.T) {
	t.Parallel()
	plan := worker(place(t))
	plan.Dirs = append(plan.Dirs, doctor.Dir{Flag: "--journal", Path: t.TempDir(), Reserve: 1 << 62})
	got := found(t, plan)
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault --journal: ")
	assert.Contains(t, got[0], "→ make room: 4096.0 PiB are needed")
}

// TestUnserved: jobs that wait for nobody are found by the worker that could serve them.
func TestUnserved(t *testing.T) {
	t.Parallel()
	p := place(t)
	db, err := calldb.Open(t.Context(), p.DB, nil)
	require.NoError(t, err)
	_, _, err = db.Enqueue(t.Context(), ledger.Request{Kind: "verify", Queue: "pbx-9", TenantID: "default", Payload: []byte(`{}`), Key: "k"})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	assert.Empty(t, found(t, worker(p)), "it has waited for less than a minute")

	file, err := sql.Open("sqlite", strings.TrimPrefix(p.DB, "sqlite://"))
	require.NoError(t, err)
	_, err = file.ExecContext(t.Context(), "UPDATE jobs SET run_at = run_at - 120000000")
	require.NoError(t, errors.Join(err, file.Close()))
	got := found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], `warning queues: 1 jobs wait in "pbx-9", which nobody serves → have a worker serve it`)
	p.Queues = []string{"pbx-9"}
	assert.Empty(t, found(t, worker(p)), "it would serve them")
}

// certificate writes a certificate that ends then, and its key.
func certificate(t *testing.T, ends time.Time) (cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "api.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(pair)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	return cert, key
}

// TestCertificates: what ends soon or has ended is found, and a key that others can read.
func TestCertificates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends time.Time
		mode os.FileMode
		want string
	}{
		"well":     {time.Now().Add(90 * 24 * time.Hour), 0o600, ""},
		"soon":     {time.Now().Add(9 * 24 * time.Hour), 0o640, "warning certificate: |CN=api.example.com, until |→ renew it"},
		"ended":    {time.Now().Add(-time.Minute), 0o600, "fault certificate: |it has ended → renew it"},
		"readable": {time.Now().Add(90 * 24 * time.Hour), 0o644, "fault --tls-key: |→ chmod o= "},
	} {
		p := place(t)
		api := &service.APIProgram{Listen: "127.0.0.1:0", DBOptions: p.DBOptions}
		api.TLSCert, api.TLSKey = certificate(t, c.ends)
		api.TLSClientCA = api.TLSCert
		require.NoError(t, os.Chmod(api.TLSKey, c.mode))
		got := strings.Join(found(t, doctor.OfAPI(api, nil, time.Now)), "\n")
		if c.want == "" {
			assert.Empty(t, got, name)
		}
		for part := range strings.SplitSeq(c.want, "|") {
			assert.Contains(t, got, part, name)
		}
	}
}

// TestSettingsWithSecrets: a file of settings that holds a secret is its program's alone.
func TestSettingsWithSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	plan := worker(place(t))
	plan.Settings(path, []cli.Setting{{Name: "sign-secret", Secret: true, Origin: "environment X"}, {Name: "db", Origin: path + ":1"}})
	assert.Empty(t, found(t, plan))
	plan.Settings(path, []cli.Setting{{Name: "sign-secret", Secret: true, Origin: path + ":2"}})
	got := found(t, plan)
	require.Len(t, got, 1)
	assert.Contains(t, got[0], "fault --config: ")
}

// TestEncryption: the keys of each tenant are tried, and those that don't belong together
// are found.
func TestEncryption(t *testing.T) {
	t.Parallel()
	p := place(t)
	p.EncryptKeys = filepath.Join(p.Legs, "..", "keys.json")
	write := func(f *encrypt.File, mode os.FileMode) {
		b, err := json.Marshal(f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(p.EncryptKeys, b, mode))
		require.NoError(t, os.Chmod(p.EncryptKeys, mode))
	}
	f, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	f.Tenants["globex"] = encrypt.Entry{Plain: true}
	write(f, 0o600)
	assert.Empty(t, found(t, worker(p)))
	write(f, 0o644)
	got := found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault --encrypt-keys: ")
	write(f.WithoutIdentities(), 0o600)
	assert.Empty(t, found(t, worker(p)))

	other, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	f.Tenants["acme"] = encrypt.Entry{Recipients: f.Tenants["acme"].Recipients, Identities: other.Tenants["acme"].Identities}
	write(f, 0o600)
	got = found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault encryption acme: ")
	p.EncryptKeeper = "base64key://"
	got = found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault encryption: ")

	p.EncryptKeys, p.EncryptKeeper = "", ""
	p.SecretKeys = filepath.Join(p.Legs, "..", "secret-keys")
	got = found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault secret keys: ")
	require.NoError(t, os.WriteFile(p.SecretKeys, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600))
	assert.Empty(t, found(t, worker(p)))
}

// TestS3: a bucket on a server is put to, read, locked and cleaned up; wrong credentials
// are found.
func TestS3(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	p := place(t)
	p.Bucket = srv.URL
	assert.Empty(t, found(t, worker(p)))
	p.BackupBucket = "file:///dev/null/recordings"
	ill := found(t, worker(p))
	require.Len(t, ill, 1, "%q", ill)
	assert.Contains(t, ill[0], "fault backup bucket: ")
	p.BackupBucket = ""
	left, err := filepath.Glob(filepath.Join(srv.Dir, "switchtape-doctor", "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	got := found(t, worker(p))
	require.Len(t, got, 1, "%q", got)
	assert.Contains(t, got[0], "fault bucket: ")
}
