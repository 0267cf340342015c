package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// database is what is asked of it.
type database interface {
	String() string
	Ping(ctx context.Context) error
	CheckSchema(ctx context.Context) error
	Now(ctx context.Context) (time.Time, error)
	Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error)
	Close() error
}

const (
	// Clocks that are further apart than this make leases, ages and signed links wrong.
	clockWarning = time.Second
	clockFault   = 10 * time.Second
	// slowDatabase is what one round trip may take before every call is slow for it.
	slowDatabase = 20 * time.Millisecond
	// A certificate that ends within this time must be renewed now.
	certificateWarning = 21 * 24 * time.Hour
)

func (e *examination) close() {
	if e.db != nil {
		_ = e.db.Close() // it was only asked
	}
}

// database tries the database, its schema and its clock.
func (e *examination) database(ctx context.Context) {
	const check = "database"
	if e.plan.DB.DB == "" {
		e.fault(check, "there is none", "give --db")
		return
	}
	if file, ok := strings.CutPrefix(e.plan.DB.DB, "sqlite://"); ok {
		file, _, _ = strings.Cut(file, "?")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) { // opening it would make it
			if e.plan.Migrates {
				e.ok(check, "%s doesn't exist yet; the first start makes it", file)
			} else {
				e.fault(check, file+" doesn't exist", "switchtape migrate up --db "+e.plan.DB.DB+" makes it, if this is its place")
			}
			return
		}
	}
	db, err := calldb.Open(ctx, e.plan.DB.DB, nil)
	if err == nil {
		if err = db.Ping(ctx); err != nil {
			_ = db.Close() // it doesn't answer
		}
	}
	if err != nil {
		e.fault(check, err.Error(), "see that it runs, that this machine reaches it, and that user, password and name in --db are right")
		return
	}
	e.db = db
	begun := e.plan.Now()
	if err := db.Ping(ctx); err != nil {
		e.fault(check, err.Error(), "see that it stays up")
		return
	}
	if trip := e.plan.Now().Sub(begun); trip > slowDatabase {
		e.warn(check, fmt.Sprintf("%s answers after %s", db, trip.Round(time.Millisecond)), "every call waits for it: bring it nearer, or see what keeps it busy")
	} else {
		e.ok(check, "%s answers", db)
	}
	e.schema(ctx)
	e.clock(ctx)
}

func (e *examination) schema(ctx context.Context) {
	const check = "schema"
	err := e.db.CheckSchema(ctx)
	switch {
	case err == nil:
		e.ok(check, "this program runs on it")
	case callmodel.CodeOf(err) == callmodel.CodeConflict:
		e.fault(check, err.Error(), "install the program's newer version")
	case e.plan.Migrates:
		e.ok(check, "the start brings it up to date (%s)", err)
	default:
		e.fault(check, err.Error(), "switchtape migrate up --db …")
	}
}

func (e *examination) clock(ctx context.Context) {
	const check = "clock"
	before := e.plan.Now()
	theirs, err := e.db.Now(ctx)
	if err != nil {
		e.warn(check, "the database doesn't say its time: "+err.Error(), "")
		return
	}
	ours := e.plan.Now()
	apart := theirs.Sub(before.Add(ours.Sub(before) / 2)).Abs()
	says := fmt.Sprintf("%s from the database's", apart.Round(time.Millisecond))
	const fix = "have both keep time by NTP (chrony, systemd-timesyncd)"
	switch {
	case apart > clockFault:
		e.fault(check, says, fix)
	case apart > clockWarning:
		e.warn(check, says, fix)
	default:
		e.ok(check, "%s", says)
	}
}

// buckets tries the bucket, and the one that stands in for it.
func (e *examination) buckets(ctx context.Context) {
	const check = "bucket"
	if e.plan.Bucket.Bucket == "" {
		if e.plan.Program == "switchtape-api" {
			e.ok(check, "none: recordings are served by nobody here")
			return
		}
		e.fault(check, "there is none", "give --bucket")
		return
	}
	e.bucket(ctx, check, "--bucket", e.plan.Bucket.Bucket)
	if b := e.plan.Bucket.BackupBucket; b != "" {
		e.bucket(ctx, "backup bucket", "--backup-bucket", b)
	}
}

// secretKeys reads the keys of secrets.
func (e *examination) secretKeys(ctx context.Context) {
	const check = "secret keys"
	keys, err := e.plan.DB.KeysOfSecrets(ctx)
	switch {
	case err != nil:
		e.fault(check, err.Error(), "correct --secret-keys, or let the program use --secret-keeper")
	case keys != nil:
		if e.plan.DB.SecretKeeper == "" {
			e.plan.Private = append(e.plan.Private, Private{"--secret-keys", e.plan.DB.SecretKeys})
		}
		e.ok(check, "the secrets of webhooks are encrypted")
	}
}

// encryption tries the keys of each tenant on a few bytes.
func (e *examination) encryption(ctx context.Context) {
	const check = "encryption"
	keys, err := e.plan.Bucket.RecordingKeys(ctx)
	if err != nil {
		e.fault(check, err.Error(), "correct --encrypt-keys, or let the program use --encrypt-keeper")
		return
	}
	if keys == nil {
		return
	}
	if e.plan.Bucket.EncryptKeeper == "" {
		e.plan.Private = append(e.plan.Private, Private{"--encrypt-keys", e.plan.Bucket.EncryptKeys})
	}
	for _, t := range keys.Try() {
		switch check := check + " " + t.Tenant; {
		case t.Err != nil:
			e.fault(check, t.Err.Error(), "give the tenant an identity that is one of its recipients', or take the others out, so that the program only stores")
		case t.Plain:
			e.ok(check, "stored as they are")
		case t.Recipients == 0:
			e.ok(check, "decrypted here, and stored by others")
		case !t.Decrypts:
			e.ok(check, "encrypted to %d recipients; this program can't decrypt them", t.Recipients)
		default:
			e.ok(check, "encrypted to %d recipients, and decrypted", t.Recipients)
		}
	}
}

// bucket puts an object, reads it, has it refused a second time, and deletes it.
func (e *examination) bucket(ctx context.Context, check, flag, at string) {
	s, err := e.plan.Buckets.Open(ctx, at, &storage.Options{SpoolDir: e.plan.Bucket.SpoolDir, Stall: each})
	if err != nil {
		e.fault(check, err.Error(), "correct "+flag)
		return
	}
	defer s.Close() //nolint:errcheck // it was only asked
	if err := s.Check(ctx); err != nil {
		e.fault(check, err.Error(), "see that the bucket exists, and what its credentials may do")
		return
	}
	e.object(ctx, check, s)
}

func (e *examination) object(ctx context.Context, check string, s *storage.Store) {
	name := "switchtape-doctor/" + strings.ToLower(rand.Text())
	put := func(text string) error {
		_, err := s.PutNamed(ctx, name, record.ObjectMeta{ContentType: "text/plain"}, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		return err
	}
	if err := put("one"); err != nil {
		e.fault(check+" put", err.Error(), "let the program's credentials put objects")
		return
	}
	e.ok(check+" put", "%s", s.URL(name))
	if r, err := s.Open(ctx, name); err != nil {
		e.fault(check+" get", err.Error(), "let the program's credentials get objects: each is read back after its upload")
	} else {
		got, err := io.ReadAll(r)
		err = errors.Join(err, r.Close())
		switch {
		case err != nil:
			e.fault(check+" get", err.Error(), "let the program's credentials get objects: each is read back after its upload")
		case !bytes.Equal(got, []byte("one")):
			e.fault(check+" get", fmt.Sprintf("3 bytes were put, %d others came back", len(got)), "see what stands between: a cache, a gateway")
		default:
			e.ok(check+" get", "what was put came back")
		}
	}
	if err := put("another"); callmodel.CodeOf(err) == callmodel.CodeConflict {
		e.ok(check+" lock", "an object that exists isn't overwritten")
	} else {
		e.fault(check+" lock", fmt.Sprintf("an object that exists was overwritten (%v)", err), "use a store with conditional writes (If-None-Match): two workers could overwrite one another's recording")
	}
	size, at, err := s.StatLeg(ctx, "", name)
	removed := false
	if err == nil {
		removed, err = s.RemoveLeg(ctx, "", name, size, at)
	}
	switch {
	case err != nil:
		e.warn(check+" delete", err.Error(), "recordings can't be deleted by the program; take "+s.URL(name)+" away by hand, if the bucket's lock lets you")
	case !removed:
		e.warn(check+" delete", "the object was changed meanwhile by somebody else", "take "+s.URL(name)+" away by hand")
	default:
		e.ok(check+" delete", "the object is gone again")
	}
}

// directories tries each directory that is written to, and the space on its disk.
func (e *examination) directories(context.Context) {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	for _, d := range append([]Dir{{Flag: "temporary directory", Path: os.TempDir(), Reserve: someSpace}}, e.plan.Dirs...) {
		place := below(d.Path, exists)
		if err := write(place); err != nil {
			e.fault(d.Flag, err.Error(), fmt.Sprintf("let this user (%d) write to %s, on a disk that has space", os.Getuid(), place))
			continue
		}
		if place != d.Path {
			e.ok(d.Flag, "%s doesn't exist yet, and can be made", d.Path)
		}
		e.space(d.Flag, place, d.Reserve)
	}
}

// write writes a file there, has it reach the disk, and takes it away.
func write(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".switchtape-doctor-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, 64<<10)); err != nil {
		return err
	}
	return f.Sync()
}

// space says how much is free on the disk of the directory.
func (e *examination) space(check, dir string, reserve uint64) {
	free, size, err := lifecycle.Usage(dir)
	if err != nil {
		e.warn(check, fmt.Sprintf("what is free on the disk of %s isn't known: %s", dir, err), "")
		return
	}
	says := fmt.Sprintf("%s: %s of %s free", dir, bytesOf(free), bytesOf(size))
	switch {
	case free < int64(reserve):
		e.fault(check, says, "make room: "+bytesOf(int64(reserve))+" are needed")
	case free < size/20:
		e.warn(check, says, "make room: it is nearly full")
	default:
		e.ok(check, "%s", says)
	}
}

func bytesOf(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for f >= unit && i < 4 {
		f, i = f/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[i])
}

// legs looks whether the legs' directory can be read, and what its newest file is.
func (e *examination) legs(ctx context.Context) {
	const check = "legs"
	if e.plan.Legs == "" {
		return
	}
	if strings.Contains(e.plan.Legs, "://") && !strings.HasPrefix(e.plan.Legs, "file://") {
		s, err := e.plan.Buckets.Open(ctx, e.plan.Legs, &storage.Options{Stall: each})
		if err == nil {
			err = errors.Join(s.Check(ctx), s.Close())
		}
		if err != nil {
			e.fault(check, err.Error(), "see that the bucket exists, and what its credentials may do")
			return
		}
		e.ok(check, "%s can be listed", e.plan.Legs)
		return
	}
	dir := strings.TrimPrefix(e.plan.Legs, "file://")
	var newest fs.FileInfo
	files, unreadable, name := 0, "", ""
	const most = 100_000 // more are not looked at: it is no survey
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil && path == dir {
			return err
		}
		if err != nil {
			unreadable = path
			return nil //nolint:nilerr // it is told, and the others are looked at
		}
		if d.IsDir() || files >= most {
			return ctx.Err()
		}
		files++
		if info, err := d.Info(); err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest, name = info, path
		}
		return nil
	})
	switch {
	case err != nil:
		e.fault(check, err.Error(), fmt.Sprintf("give --legs the directory in which the telephone server leaves them, and let this user (%d) read it", os.Getuid()))
		return
	case unreadable != "":
		e.fault(check, unreadable+" can't be read", fmt.Sprintf("let this user (%d) read it: recordings of its legs would wait", os.Getuid()))
		return
	case newest == nil:
		e.ok(check, "%s is there, and empty", dir)
	default:
		f, err := os.Open(name)
		if err != nil {
			e.fault(check, err.Error(), fmt.Sprintf("have the telephone server write legs that this user (%d) may read", os.Getuid()))
			return
		}
		_ = f.Close() // it was only opened
		e.ok(check, "%s: %d files can be seen, the newest of %s", dir, files, newest.ModTime().UTC().Format(time.RFC3339))
	}
	e.space(check, dir, 0)
}

// queues looks whether what a worker serves is what jobs are given to.
func (e *examination) queues(ctx context.Context) {
	const check = "queues"
	if len(e.plan.Queues) == 0 {
		return
	}
	all := false
	served := map[string]bool{}
	for _, q := range e.plan.Queues {
		all = all || q == worker.AllQueues
		served[q] = true
		if q != worker.AllQueues && !callmodel.ValidID(q) {
			e.fault(check, fmt.Sprintf("%q can't be the host of a call", q), "name it in --queues as calls name their host")
		}
		if q == "localhost" || strings.HasPrefix(q, "localhost.") {
			e.warn(check, "this machine's host name is "+q+", which every machine has", "give it a name of its own, or --queues with the name that calls have as host")
		}
	}
	e.ok(check, "served: %s", strings.Join(e.plan.Queues, ", "))
	if e.db == nil {
		return
	}
	states, err := e.db.Queues(ctx, ledger.QueueFilter{Limit: 1000})
	if err != nil {
		if callmodel.CodeOf(err) != callmodel.CodeUnavailable || e.db.CheckSchema(ctx) == nil {
			e.warn(check, err.Error(), "")
		}
		return
	}
	for i := range states {
		if q := &states[i]; q.Unserved() && !all && !served[q.Queue] {
			e.warn(check, fmt.Sprintf("%d jobs wait in %q, which nobody serves", q.Due, q.Queue), "have a worker serve it, or: switchtape jobs move --from "+q.Queue+" --to …")
		}
	}
}

// codecs encodes a second with each, and says which this build lacks.
func (e *examination) codecs(context.Context) {
	registry := recording.BuiltinCodecs()
	var works []string
	for _, c := range registry.Codecs() {
		hz := registry.FitRate(c, 8000)
		f := &goaudio.Format{NumChannels: 1, SampleRate: hz}
		enc, err := registry.NewEncoder(c, io.Discard, f, codec.Options{Frames: int64(hz)})
		if err == nil {
			err = enc.WriteFrames(make([]float32, hz))
		}
		if err == nil {
			err = enc.Finish()
		}
		if err != nil {
			e.fault("codecs", fmt.Sprintf("%s: %s", c, err), "this is a fault of the program: report it")
			continue
		}
		works = append(works, string(c))
	}
	if c := e.plan.Codec; c != "" && registry.Check(c, &goaudio.Format{NumChannels: 1, SampleRate: registry.FitRate(c, 8000)}, codec.Options{Frames: codec.FramesUnknown}) != nil {
		e.fault("codecs", string(c)+" is what recordings are made in, and this build can't", "choose another in --record-codec, or the build that has it")
	}
	e.ok("codecs", "%s", strings.Join(works, ", "))
}

// certificates looks at the server's certificate and its clients' authorities.
func (e *examination) certificates(context.Context) {
	o := e.plan.TLS
	if o.TLSCert == "" && o.TLSKey == "" && o.TLSClientCA == "" {
		return
	}
	if _, err := o.OpenCertificate(); err != nil {
		e.fault("certificate", err.Error(), "give --tls-cert and --tls-key of the same key, in PEM")
		return
	}
	pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
	if err != nil {
		e.fault("certificate", err.Error(), "give --tls-cert and --tls-key of the same key, in PEM")
		return
	}
	for _, der := range pair.Certificate {
		e.until("certificate", o.TLSCert, der)
	}
	if o.TLSClientCA == "" {
		return
	}
	text, err := os.ReadFile(o.TLSClientCA)
	if err != nil {
		e.fault("client authorities", err.Error(), "let this user read it")
		return
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			e.until("client authorities", o.TLSClientCA, block.Bytes)
		}
	}
}

// until says when the certificate begins and ends.
func (e *examination) until(check, file string, der []byte) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		e.fault(check, file+": "+err.Error(), "have it issued anew")
		return
	}
	now := e.plan.Now()
	says := fmt.Sprintf("%s: %s, until %s", file, c.Subject, c.NotAfter.UTC().Format(time.RFC3339))
	switch {
	case now.Before(c.NotBefore):
		e.fault(check, fmt.Sprintf("%s: %s begins at %s", file, c.Subject, c.NotBefore.UTC().Format(time.RFC3339)), "see this machine's clock, or have the certificate issued anew")
	case now.After(c.NotAfter):
		e.fault(check, says+": it has ended", "renew it, and send the process SIGHUP")
	case c.NotAfter.Sub(now) < certificateWarning:
		e.warn(check, says, "renew it, and send the process SIGHUP")
	default:
		e.ok(check, "%s", says)
	}
}

// secrets looks whether others can read what only this program may.
func (e *examination) secrets(context.Context) {
	for _, p := range e.plan.Private {
		info, err := os.Stat(p.Path)
		switch {
		case err != nil:
			e.fault(p.Flag, err.Error(), fmt.Sprintf("let this user (%d) read it", os.Getuid()))
		case info.Mode().Perm()&0o007 != 0:
			e.fault(p.Flag, fmt.Sprintf("%s holds secrets, and every user of this machine can get at it (%s)", p.Path, info.Mode().Perm()), "chmod o= "+p.Path)
		default:
			e.ok(p.Flag, "%s (%s)", p.Path, info.Mode().Perm())
		}
	}
}

// addresses looks whether the program can listen where it is to.
func (e *examination) addresses(ctx context.Context) {
	for _, a := range e.plan.Listen {
		l, err := service.Listen(ctx, a.Address)
		switch {
		case err == nil:
			_ = l.Close() // nobody has called
			e.ok(a.Flag, "%s is free", a.Address)
		case errors.Is(err, syscall.EADDRINUSE):
			e.warn(a.Flag, a.Address+" is taken", "if it is this program that runs, all is well; otherwise choose another")
		default:
			if opError, ok := errors.AsType[*net.OpError](err); ok {
				err = opError.Err
			}
			e.fault(a.Flag, fmt.Sprintf("%s: %s", a.Address, err), "name an address of this machine, and a port that this user may have")
		}
	}
}
