package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// versions are those of S3. They need the permissions s3:ListBucketVersions and, to go
// back to one, s3:GetObjectVersion and s3:PutObject.
func versions() *storage.Versions {
	return &storage.Versions{List: listVersions, Restore: restore}
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
	if e, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains([]string{"NotImplemented", "MethodNotAllowed", "AccessDenied"}, e.ErrorCode()) {
		err = callmodel.Errorf(callmodel.CodeUnsupported, "versions: %w", err) // objects may be listed all the same
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
	slices.SortStableFunc(page.Objects, func(x, y record.Listed) int { return newestFirst(&x, &y) })
	if aws.ToBool(out.IsTruncated) {
		page.Next = aws.ToString(out.NextKeyMarker) + "\x00" + aws.ToString(out.NextVersionIdMarker)
	}
	return page, nil
}

// newestFirst is the order of versions: by key, and of one key from what is current back.
func newestFirst(x, y *record.Listed) int {
	switch {
	case x.Key != y.Key:
		return strings.Compare(x.Key, y.Key)
	case x.Current != y.Current && x.Current:
		return -1
	case x.Current != y.Current:
		return 1
	}
	return y.ModTime.Compare(x.ModTime)
}

// versionOf is the name of a version. Objects of a bucket that never had versions have one
// by the name of null.
func versionOf(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// restore reads the version and puts it at its own key again. Servers differ in whether
// they copy a version to the key that it is of.
func restore(ctx context.Context, b *blob.Bucket, u *url.URL, key, version, sum string) (bool, error) {
	client, err := clientOf(b)
	if err != nil {
		return false, err
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(u.Host), Key: aws.String(u.Query().Get("prefix") + key), VersionId: aws.String(version),
	})
	if err != nil {
		return false, err
	}
	defer got.Body.Close() //nolint:errcheck // only read from
	if got.Metadata["sha256"] != sum {
		return false, nil
	}
	err = b.Upload(ctx, key, &summed{r: got.Body, h: sha256.New(), want: sum}, &blob.WriterOptions{
		ContentType: aws.ToString(got.ContentType), Metadata: got.Metadata, BufferSize: partSize, MaxConcurrency: 1,
	})
	return err == nil, err
}

// partSize bounds the memory of a restoration.
const partSize = 5 << 20

// summed fails at the end of bytes that have another SHA-256 than they should: an upload
// that reads them is taken back then.
type summed struct {
	r    io.Reader
	h    hash.Hash
	want string
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.h.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if sum := hex.EncodeToString(s.h.Sum(nil)); sum != s.want {
			return n, fmt.Errorf("the version's bytes have the SHA-256 %s, and it was stored with %s", sum, s.want)
		}
	}
	return n, err
}
