package s3

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage"
)

// versions are those of S3. They need the permissions s3:ListBucketVersions and, to go
// back to one, s3:GetObjectVersion and s3:PutObject, and to delete one s3:DeleteObject and
// s3:DeleteObjectVersion.
func versions() *storage.Versions {
	return &storage.Versions{List: listVersions, Open: openVersion, Remove: removeVersion}
}

// errNoClient is a bucket that was not opened by this package.
var errNoClient = errors.New("the bucket has no S3 client")

func clientOf(b *blob.Bucket) (*s3.Client, error) {
	var client *s3.Client
	if !b.As(&client) {
		return nil, errNoClient
	}
	return client, nil
}

// listVersions lists the versions and the marks of deletions, which S3 gives in two lists,
// in one order. A token is a key and a version, with a NUL between them.
func listVersions(ctx context.Context, b *blob.Bucket, u *url.URL, token string, limit int) (record.Listing, error) {
	client, err := clientOf(b)
	if err != nil {
		return record.Listing{}, err
	}
	prefix := u.Query().Get("prefix")
	in := &s3.ListObjectVersionsInput{Bucket: aws.String(u.Host), Prefix: aws.String(prefix), MaxKeys: aws.Int32(int32(limit))}
	if key, version, found := strings.Cut(token, "\x00"); found {
		in.KeyMarker = aws.String(key)
		if version != "" {
			in.VersionIdMarker = aws.String(version)
		}
	}
	out, err := client.ListObjectVersions(ctx, in)
	if e, ok := errors.AsType[smithy.APIError](err); ok { // objects may be listed all the same
		switch e.ErrorCode() {
		case "NotImplemented", "MethodNotAllowed":
			err = callmodel.Errorf(callmodel.CodeUnsupported, "versions: %w", err)
		case "AccessDenied":
			err = callmodel.Errorf(callmodel.CodeForbidden, "versions, which need s3:ListBucketVersions: %w", err)
		}
	}
	if err != nil {
		return record.Listing{}, err
	}
	page := record.Listing{Objects: make([]record.Listed, 0, len(out.Versions)+len(out.DeleteMarkers))}
	for i := range out.Versions {
		v := &out.Versions[i]
		page.Objects = append(page.Objects, record.Listed{
			Key: strings.TrimPrefix(aws.ToString(v.Key), prefix), Bytes: aws.ToInt64(v.Size), ModTime: aws.ToTime(v.LastModified),
			Version: versionOf(v.VersionId), Current: aws.ToBool(v.IsLatest),
		})
	}
	for i := range out.DeleteMarkers {
		d := &out.DeleteMarkers[i]
		page.Objects = append(page.Objects, record.Listed{
			Key: strings.TrimPrefix(aws.ToString(d.Key), prefix), ModTime: aws.ToTime(d.LastModified), Version: versionOf(d.VersionId), Deleted: true,
		})
	}
	slices.SortStableFunc(page.Objects, func(x, y record.Listed) int { return strings.Compare(x.Key, y.Key) })
	if aws.ToBool(out.IsTruncated) {
		page.Next = aws.ToString(out.NextKeyMarker) + "\x00" + aws.ToString(out.NextVersionIdMarker)
	}
	return page, nil
}

// versionOf is the name of a version. Objects of a bucket that never had versions have one
// by the name of null.
func versionOf(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// openVersion reads a version. It is put at its own key again by who asked: servers differ
// in whether they copy a version to the key that it is of.
func openVersion(ctx context.Context, b *blob.Bucket, u *url.URL, key, version string) (*storage.Version, error) {
	client, err := clientOf(b)
	if err != nil {
		return nil, err
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(u.Host), Key: aws.String(u.Query().Get("prefix") + key), VersionId: aws.String(cmp.Or(version, nullVersion)),
	})
	if err != nil {
		return nil, err
	}
	return &storage.Version{Body: got.Body, ContentType: aws.ToString(got.ContentType), Metadata: got.Metadata}, nil
}

// nullVersion is the version of what was put while the bucket had none.
const nullVersion = "null"

// removeVersion deletes a version. Of a bucket that never had versions it deletes the object.
func removeVersion(ctx context.Context, b *blob.Bucket, u *url.URL, o record.Listed) error {
	client, err := clientOf(b)
	if err != nil {
		return err
	}
	bucket, key, version := aws.String(u.Host), aws.String(u.Query().Get("prefix")+o.Key), aws.String(cmp.Or(o.Version, nullVersion))
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: version})
	if e, refused := errors.AsType[smithy.APIError](err); !refused || !slices.Contains([]string{"AccessDenied", "InvalidRequest", "ObjectLocked"}, e.ErrorCode()) {
		return err
	}
	head, unknown := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key, VersionId: version})
	if unknown != nil || head.ObjectLockRetainUntilDate == nil && head.ObjectLockLegalHoldStatus != types.ObjectLockLegalHoldStatusOn {
		return err // it is refused for something else
	}
	locked := &retention.LockedError{Object: retention.Object{Key: o.Key, Version: o.Version, Bytes: o.Bytes}, Until: aws.ToTime(head.ObjectLockRetainUntilDate)}
	if head.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn {
		locked.Until = time.Time{}
	}
	return locked
}
