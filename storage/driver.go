package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel"
)

// Driver opens the buckets of one scheme. A cloud's driver is a package of its
// own, so that a program links no SDK but those it uses: see s3, gcs and azure
// beside this package. drivertest has the tests that every driver must pass.
type Driver struct {
	// Scheme begins the bucket's URLs: "s3" those of s3://recordings. It is in
	// lower case, and neither "file" nor "mem".
	Scheme string
	// Open opens the bucket at u. Nil means gocloud's own opener of the scheme,
	// which importing its package has put in blob.DefaultURLMux; a part of the
	// bucket is then named by the URL's prefix, never by its path.
	Open func(ctx context.Context, u *url.URL) (*blob.Bucket, error)
	// OpenHTTP is Open for a bucket that is spoken to over HTTP, but for the URL's
	// prefix, which the Store sees to. tune gives a transport the time-outs of
	// Options.Stall; what timed out isn't to be tried again by the driver, and neither
	// is what came with a Retry-After. It goes before Open.
	OpenHTTP func(ctx context.Context, u *url.URL, tune func(*http.Transport)) (*blob.Bucket, error)
	// Fault says what an error of the bucket means; see HTTPFault. Nil: what
	// gocloud's code says is all that is known.
	Fault func(err error) Fault
	// SignedURL makes a URL that anybody can read the object with for as long as
	// expiry says. Of a bucket that can't sign it is a CodeUnsupported error, or
	// one of gocloud's code Unimplemented. Nil means blob.Bucket.SignedURL.
	SignedURL func(ctx context.Context, b *blob.Bucket, key string, expiry time.Duration) (string, error)
	// SignApart has SignedURL given a bucket that gocloud's own opener makes, as
	// OpenHTTP's doesn't know all that it takes to sign.
	SignApart bool
	// Sweep takes back the uploads to the bucket at u that were begun before that time
	// and neither finished nor taken back, if their keys are ours, and says how many.
	// Nil: the bucket forgets them by itself.
	Sweep func(ctx context.Context, b *blob.Bucket, u *url.URL, before time.Time, ours func(key string) bool) (swept int, err error)
	// Versions is how the bucket keeps what was overwritten or deleted. Nil: it doesn't, or
	// the driver doesn't know; then the objects alone are listed.
	Versions *Versions
	// Params are parameters of the bucket's URL that Uploads knows, and the opener doesn't.
	Params []string
	// Uploads reads them, once, and returns what is done before each upload, as by
	// blob.WriterOptions.BeforeWrite. over is the object that the upload is to replace,
	// and no other that has come in its place; nil: what is there doesn't matter, or is
	// seen to otherwise. Nil: nothing is done, and it isn't known what is replaced.
	Uploads func(params url.Values) (before func(as func(any) bool, over *blob.Attributes) error, err error)
	// LeavesParts says that an upload whose context is cancelled may leave the
	// parts it has sent in the bucket, as on S3. Such an upload is ended by its
	// reader's error alone. On other buckets that error would commit what was
	// sent so far, so that the upload is cancelled first.
	LeavesParts bool
}

// NotLinkedError says that a cloud's bucket can't be opened, since the program
// has no driver for it. Its code is CodeUnsupported.
type NotLinkedError struct {
	Scheme  string // of the bucket's URL, like "gs"
	Package string // import path of the driver
}

func (e *NotLinkedError) Error() string {
	return fmt.Sprintf("%s:// buckets need %s, which this program doesn't link", e.Scheme, e.Package)
}

// findDriver is the one for u among the program's, if it can open u.
func findDriver(drivers []Driver, u *url.URL) (Driver, error) {
	if err := checkDrivers(drivers); err != nil {
		return Driver{}, err
	}
	schemes := []string{"s3", "gs", "azblob"}
	for _, d := range drivers {
		if d.Scheme == u.Scheme {
			return d, d.checkPath(u)
		}
		if !slices.Contains(schemes, d.Scheme) {
			schemes = append(schemes, d.Scheme)
		}
	}
	if pkg := driverPackage(u.Scheme); pkg != "" {
		return Driver{}, callmodel.Errorf(callmodel.CodeUnsupported, "%w", &NotLinkedError{Scheme: u.Scheme, Package: pkg})
	}
	return Driver{}, callmodel.Errorf(callmodel.CodeInvalid, "bucket URL %s: the scheme must be %s, file or mem", u.Redacted(), strings.Join(schemes, ", "))
}

func checkDrivers(drivers []Driver) error {
	for i, d := range drivers {
		switch {
		case d.Scheme == "", d.Scheme != strings.ToLower(d.Scheme), d.Scheme == "file", d.Scheme == "mem":
			return callmodel.Errorf(callmodel.CodeInvalid, "bucket driver %q: it needs a scheme in lower case that is neither file nor mem", d.Scheme)
		case slices.ContainsFunc(drivers[:i], func(other Driver) bool { return other.Scheme == d.Scheme }):
			return callmodel.Errorf(callmodel.CodeInvalid, "two bucket drivers have the scheme %s", d.Scheme)
		}
	}
	return nil
}

// checkPath refuses a path that gocloud's openers would pass over: objects
// would lie elsewhere than their URLs say.
func (d Driver) checkPath(u *url.URL) error {
	path := strings.Trim(u.Path, "/")
	if d.Open != nil && d.OpenHTTP == nil || path == "" {
		return nil
	}
	part := url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: url.Values{"prefix": {path + "/"}}.Encode()}
	return callmodel.Errorf(callmodel.CodeInvalid, "bucket URL %s: a bucket has no path; write %s for a part of it", u.Redacted(), &part)
}

func (s *Store) openCloud(ctx context.Context, u *url.URL) (err error) {
	if s.driver.Uploads != nil {
		var own url.Values
		u, own = apart(u, s.driver.Params)
		if s.before, err = s.driver.Uploads(own); err != nil {
			return callmodel.Errorf(callmodel.CodeInvalid, "%w", err)
		}
	}
	s.url = u
	s.base = u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/")
	if s.driver.Open != nil && s.driver.OpenHTTP == nil {
		s.bucket, err = s.driver.Open(ctx, u)
		return err
	}
	s.prefix = u.Query().Get("prefix")
	mux := blob.DefaultURLMux()
	if s.driver.OpenHTTP != nil {
		if s.driver.SignApart {
			if s.signing, err = mux.OpenBucketURL(ctx, u); err != nil {
				return err
			}
		}
		mux = &blob.URLMux{}
		mux.RegisterBucket(u.Scheme, httpOpener{s.driver, steady(s.opts.Stall)})
	}
	s.bucket, err = mux.OpenBucketURL(ctx, u)
	if err != nil && s.signing != nil {
		err = errors.Join(err, s.signing.Close())
	}
	return err
}

// apart are the URL without some of its parameters, and those.
func apart(u *url.URL, params []string) (*url.URL, url.Values) {
	rest, own := u.Query(), url.Values{}
	for _, p := range params {
		if v, ok := rest[p]; ok {
			own[p] = v
			rest.Del(p)
		}
	}
	if len(own) == 0 {
		return u, own
	}
	without := *u
	without.RawQuery = rest.Encode()
	return &without, own
}

// httpOpener opens buckets by Driver.OpenHTTP, below gocloud's own reading of URLs.
type httpOpener struct {
	driver Driver
	tune   func(*http.Transport)
}

func (o httpOpener) OpenBucketURL(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	return o.driver.OpenHTTP(ctx, u, o.tune)
}

// driverPackage is the import path of the driver that this module has for the
// scheme, "" if it has none.
func driverPackage(scheme string) string {
	const storage = "github.com/switchtape/switchtape/storage/"
	switch scheme {
	case "s3":
		return storage + "s3"
	case "gs":
		return storage + "gcs"
	case "azblob":
		return storage + "azure"
	default:
		return ""
	}
}
