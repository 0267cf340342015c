package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/durablefile"
)

// Options are optional.
type Options struct {
	// SpoolDir is where objects larger than SpoolMemory wait for their upload,
	// in files without names. "" means the system's temporary directory.
	SpoolDir string
	// SpoolMemory is how many bytes of an object are kept in memory. 0 means 4 MiB.
	SpoolMemory int
	// Stall is for how long no byte may move in either direction on a connection to a
	// cloud's bucket that is asked for something: then it is broken, and the attempt
	// fails. Transfers that go on are never cut. It bounds what the server may take to
	// begin its answer, too; making a connection may take 10 s at most. 0 means 30 s.
	Stall time.Duration
	// Logger is told of conflicts. Nil: nothing is logged.
	Logger *slog.Logger
	// Drivers are those of the clouds that the program links, like s3.Driver(),
	// each with a scheme of its own. Files and memory need none.
	Drivers []Driver
	// SignBase and SignSecret sign URLs of file:// buckets: SignBase is the URL
	// under which [Store.ServeSigned] is mounted. Other buckets sign by themselves.
	SignBase   *url.URL
	SignSecret []byte
	// Backup is another bucket that recordings are in while they couldn't be stored in
	// this one: what isn't here, or can't be read here, is looked for there by Open, Stat,
	// SHA256, Size and SignedURL. Put never writes to it. It is its opener's to close.
	// Nil: there is none.
	Backup *Store
	// Encryption encrypts what Put and PutNamed store, and decrypts what is encrypted in
	// the bucket: see package encrypt. Objects that aren't encrypted are read as they are.
	// Nil: nothing is encrypted, and reading what is encrypted is an *EncryptionError.
	Encryption Encryption
}

// Store is a bucket of recordings. It may be used by any number of goroutines.
type Store struct {
	bucket *blob.Bucket
	// signing is the bucket again, where another one signs URLs; nil if it does.
	signing *blob.Bucket
	base    string   // URL of the bucket, without a query and a trailing slash
	prefix  string   // of every key, in a part of a bucket
	dir     string   // of a file:// bucket; "" otherwise
	url     *url.URL // of a cloud's bucket
	driver  Driver   // zero for file:// and mem://
	// before is what the driver does before each upload; nil: nothing.
	before func(as func(any) bool, over *blob.Attributes) error
	opts   Options
	signer fileblob.URLSigner
}

// Defaults of Options.
const (
	defaultSpoolMemory = 4 << 20
	// maxVersions bounds how often a key that is taken by other bytes is
	// stepped: more than a few mean that something else writes there.
	maxVersions = 100
)

// Open opens the bucket at rawURL. A directory of a file:// URL is made if it
// doesn't exist. A cloud's URL whose driver isn't in Options.Drivers is a
// *NotLinkedError.
func Open(ctx context.Context, rawURL string, o *Options) (*Store, error) {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.SpoolMemory = cmp.Or(opts.SpoolMemory, defaultSpoolMemory)
	opts.Stall = cmp.Or(opts.Stall, defaultStall)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "bucket URL: %w", err)
	}
	s := &Store{opts: opts}
	switch u.Scheme {
	case "file":
		err = s.openFile(u)
	case "mem":
		s.bucket, s.base = memblob.OpenBucket(nil), "mem://"+u.Host
	default:
		if s.driver, err = findDriver(opts.Drivers, u); err != nil {
			return nil, err
		}
		err = s.openCloud(ctx, u)
	}
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "opening bucket %s: %w", u.Redacted(), err)
	}
	return s, nil
}

func (s *Store) openFile(u *url.URL) error {
	if u.Host != "" && u.Host != "localhost" || u.Path == "" {
		return errors.New("a file URL has three slashes and an absolute path, like file:///var/lib/switchtape/recordings")
	}
	s.dir = filepath.FromSlash(u.Path)
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	s.base = "file://" + (&url.URL{Path: filepath.ToSlash(s.dir)}).EscapedPath()
	if s.opts.SignBase != nil && len(s.opts.SignSecret) > 0 {
		s.signer = fileblob.NewURLSignerHMAC(s.opts.SignBase, s.opts.SignSecret)
	}
	var err error
	s.bucket, err = durablefile.OpenBucket(s.dir, &durablefile.Options{Signer: s.signer})
	return err
}

// Close releases the bucket's connections.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if s.signing != nil {
		err = errors.Join(err, s.signing.Close())
	}
	return err
}

// String is the bucket's URL without a query, as its errors name it.
func (s *Store) String() string { return s.base }

// URL is where the object of key is.
func (s *Store) URL(key string) string {
	if s.dir != "" {
		return "file://" + (&url.URL{Path: filepath.ToSlash(durablefile.Path(s.dir, key))}).EscapedPath()
	}
	return s.base + "/" + s.prefix + key
}

// LocalPath is the file of an object in a file:// bucket, "" in any other.
func (s *Store) LocalPath(key string) string {
	if s.dir == "" {
		return ""
	}
	return durablefile.Path(s.dir, key)
}

// Open reads an object, decrypted if it is encrypted. A missing one is an error that wraps
// fs.ErrNotExist. The reader has a method Encrypted() bool, is an io.Seeker, and reads no more of the object than it must:
// a request for each place that is sought, and for each of the windows that grow from there.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return orBackup(s, func(s *Store) (io.ReadCloser, error) { return s.open(ctx, key) })
}

func (s *Store) open(ctx context.Context, key string) (io.ReadCloser, error) {
	o, err := s.openObject(ctx, key)
	if err != nil {
		return nil, err
	}
	if !isEncrypted(o.head) {
		return o, nil
	}
	return s.decrypt(o)
}

// Head is what is known of an object without reading it.
type Head struct {
	Bytes       int64  // of the plaintext, if it is encrypted
	SHA256      string // of the plaintext, in hex; "" if the object's writer didn't say
	Encrypted   bool   // by an Encryption, as the object's metadata say
	StoredBytes int64  // as the bucket has it
	ContentType string
	Metadata    map[string]string
	ModTime     time.Time
}

// Stat describes an object. A missing one is an error that wraps fs.ErrNotExist.
func (s *Store) Stat(ctx context.Context, key string) (Head, error) {
	return orBackup(s, func(s *Store) (Head, error) { return s.stat(ctx, key) })
}

func (s *Store) stat(ctx context.Context, key string) (Head, error) {
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return Head{}, s.fault("describing", key, err)
	}
	h := Head{
		Bytes: a.Size, StoredBytes: a.Size, SHA256: a.Metadata[metaSHA256], ContentType: a.ContentType,
		Metadata: maps.Clone(a.Metadata), ModTime: a.ModTime,
	}
	if plain, ok := DecryptedSize(a.Size); ok && a.Metadata[metaEncryption] == encryptionAge {
		h.Bytes, h.Encrypted = plain, true
	}
	return h, nil
}

// List calls f for every object below prefix, in the order of the keys, until
// f returns false. The sizes are those in the bucket: see DecryptedSize.
func (s *Store) List(ctx context.Context, prefix string, f func(key string, bytes int64) bool) error {
	it := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.fault("listing", prefix, err)
		}
		if !f(o.Key, o.Size) {
			return nil
		}
	}
}

// SignedURL is a URL that anybody can read the object with until it expires.
// A CodeUnsupported error where the bucket can't sign, and for an encrypted object: whoever
// had the URL would get it encrypted.
func (s *Store) SignedURL(ctx context.Context, key string, expiry time.Duration) (string, error) {
	head, err := s.stat(ctx, key) // a signature doesn't ask whether there is an object, or what it is
	if b := s.opts.Backup; b != nil && err != nil {
		if _, err := b.stat(ctx, key); err == nil {
			return b.SignedURL(ctx, key, expiry)
		}
	}
	if err == nil && head.Encrypted {
		return "", callmodel.Errorf(callmodel.CodeUnsupported, "%s in %s is encrypted: only a program with its keys can serve it", key, s.base)
	}
	if err != nil && s.opts.Encryption != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err // it may be encrypted
	}
	sign := s.driver.SignedURL
	if sign == nil {
		sign = signPlainly
	}
	u, err := sign(ctx, cmp.Or(s.signing, s.bucket), key, expiry)
	if gcerrors.Code(err) == gcerrors.Unimplemented || callmodel.CodeOf(err) == callmodel.CodeUnsupported {
		return "", callmodel.Errorf(callmodel.CodeUnsupported, "bucket %s can't sign URLs: %w", s.base, err)
	}
	if err != nil {
		return "", s.fault("signing a URL for", key, err)
	}
	return u, nil
}

func signPlainly(ctx context.Context, b *blob.Bucket, key string, expiry time.Duration) (string, error) {
	return b.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: expiry})
}

// ServeSigned serves the objects of a file:// bucket to whoever has a signed
// URL. It is mounted where Options.SignBase says.
func (s *Store) ServeSigned(w http.ResponseWriter, r *http.Request) {
	if s.signer == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	key, err := s.signer.KeyFromURL(r.Context(), r.URL)
	if err != nil || r.URL.Query().Get("method") != "" && r.URL.Query().Get("method") != http.MethodGet {
		http.Error(w, "the link is not valid, or no longer", http.StatusForbidden)
		return
	}
	head, err := s.stat(r.Context(), key)
	if err != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	opened, err := s.open(r.Context(), key)
	body, ok := opened.(io.ReadSeekCloser)
	if err != nil || !ok {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	defer body.Close() //nolint:errcheck // only read from
	w.Header().Set("Content-Type", contentType(key, head.ContentType))
	http.ServeContent(w, r, "", head.ModTime, body)
}

// contentType is the media type of an object: the one that it was stored with, or, of one
// that something else has put there without any, that of its key's ending.
func contentType(key, stored string) string {
	if stored != "" && stored != defaultContentType {
		return stored
	}
	for _, c := range record.Codecs() {
		if strings.HasSuffix(strings.ToLower(key), "."+c.Ext()) {
			return c.ContentType()
		}
	}
	return defaultContentType
}
