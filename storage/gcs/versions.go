package gcs

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gcstorage "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage"
)

// versions are those of buckets with Object Versioning, which Google calls generations. They
// need storage.objects.list, storage.objects.get and, to go back to one,
// storage.objects.create and delete. What soft delete keeps besides isn't looked at, and
// can't be deleted: a bucket whose recordings are to be gone at once has none.
func versions() *storage.Versions {
	return &storage.Versions{List: listVersions, Open: openVersion, Remove: removeVersion}
}

// errNoClient is a bucket that was not opened by this package.
var errNoClient = errors.New("the bucket has no client of Google's")

func bucketOf(b *blob.Bucket, u *url.URL) (*gcstorage.BucketHandle, error) {
	var client *gcstorage.Client
	if !b.As(&client) {
		return nil, errNoClient
	}
	return client.Bucket(u.Host), nil
}

// listVersions lists the generations: by name, and of one name from the oldest to what is
// live. A deletion leaves no mark; the newest generation isn't live then.
func listVersions(ctx context.Context, b *blob.Bucket, u *url.URL, token string, limit int) (record.Listing, error) {
	bucket, err := bucketOf(b, u)
	if err != nil {
		return record.Listing{}, err
	}
	prefix := u.Query().Get("prefix")
	q := &gcstorage.Query{Prefix: prefix, Versions: true, Projection: gcstorage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Size", "Updated", "Generation", "Deleted"}); err != nil {
		return record.Listing{}, err
	}
	var list []*gcstorage.ObjectAttrs
	next, err := iterator.NewPager(bucket.Objects(ctx, q), limit, token).NextPage(&list)
	if err != nil {
		return record.Listing{}, err
	}
	page := record.Listing{Objects: make([]record.Listed, 0, len(list)), Next: next}
	for _, o := range list {
		page.Objects = append(page.Objects, record.Listed{
			Key: strings.TrimPrefix(o.Name, prefix), Bytes: o.Size, ModTime: o.Updated,
			Version: strconv.FormatInt(o.Generation, 10), Current: o.Deleted.IsZero(),
		})
	}
	return page, nil
}

func openVersion(ctx context.Context, b *blob.Bucket, u *url.URL, key, version string) (*storage.Version, error) {
	bucket, err := bucketOf(b, u)
	if err != nil {
		return nil, err
	}
	generation, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "%q is no generation of an object", version)
	}
	o := bucket.Object(u.Query().Get("prefix") + key).Generation(generation)
	head, err := o.Attrs(ctx)
	if err != nil {
		return nil, err
	}
	r, err := o.NewReader(ctx)
	if err != nil {
		return nil, err
	}
	return &storage.Version{Body: r, ContentType: head.ContentType, Metadata: maps.Clone(head.Metadata)}, nil
}

// removeVersion deletes a generation.
func removeVersion(ctx context.Context, b *blob.Bucket, u *url.URL, o record.Listed) error {
	bucket, err := bucketOf(b, u)
	if err != nil {
		return err
	}
	generation, err := strconv.ParseInt(o.Version, 10, 64)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeInvalid, "%q is no generation of an object", o.Version)
	}
	one := bucket.Object(u.Query().Get("prefix") + o.Key).Generation(generation)
	err = one.Delete(ctx)
	if errors.Is(err, gcstorage.ErrObjectNotExist) {
		return nil
	}
	if e, refused := errors.AsType[*googleapi.Error](err); !refused || e.Code != http.StatusForbidden && e.Code != http.StatusPreconditionFailed {
		return err
	}
	head, unknown := one.Attrs(ctx)
	if unknown != nil {
		return err
	}
	locked := &retention.LockedError{Object: retention.Object{Key: o.Key, Version: o.Version, Bytes: o.Bytes}, Until: head.RetentionExpirationTime}
	if r := head.Retention; r != nil && r.RetainUntil.After(locked.Until) {
		locked.Until = r.RetainUntil
	}
	if head.TemporaryHold || head.EventBasedHold {
		locked.Until = time.Time{}
	} else if locked.Until.IsZero() {
		return err // it is refused for something else
	}
	return locked
}
