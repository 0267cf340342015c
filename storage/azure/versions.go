package azure

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	gcblob "gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage"
)

// versions are those of accounts with blob versioning. They need the permissions to list and
// to read, and with a token of Azure's also that to read versions. What soft delete keeps
// besides isn't looked at, and can't be deleted: a container whose recordings are to be gone at
// once has none.
func versions() *storage.Versions {
	return &storage.Versions{List: listVersions, Open: openVersion, Remove: removeVersion}
}

// errNoClient is a container that was not opened by this package.
var errNoClient = errors.New("the container has no client of Azure's")

func clientOf(b *gcblob.Bucket) (*container.Client, error) {
	var client *container.Client
	if !b.As(&client) {
		return nil, errNoClient
	}
	return client, nil
}

// listVersions lists the versions: by name, and of one name from the oldest on. A deletion
// leaves no mark; no version is the current one then. In an account without versioning the
// blobs have no version.
func listVersions(ctx context.Context, b *gcblob.Bucket, u *url.URL, token string, limit int) (record.Listing, error) {
	client, err := clientOf(b)
	if err != nil {
		return record.Listing{}, err
	}
	prefix, most := u.Query().Get("prefix"), int32(limit)
	o := &container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Versions: true}, MaxResults: &most}
	if prefix != "" {
		o.Prefix = &prefix
	}
	if token != "" {
		o.Marker = &token
	}
	list, err := client.NewListBlobsFlatPager(o).NextPage(ctx)
	if err != nil {
		return record.Listing{}, err
	}
	page := record.Listing{Objects: make([]record.Listed, 0, len(list.Segment.BlobItems)), Next: value(list.NextMarker)}
	for _, item := range list.Segment.BlobItems {
		one := record.Listed{
			Key: strings.TrimPrefix(value(item.Name), prefix), Version: value(item.VersionID),
			Current: value(item.IsCurrentVersion) || item.VersionID == nil,
		}
		if p := item.Properties; p != nil {
			one.Bytes, one.ModTime = value(p.ContentLength), value(p.LastModified)
		}
		page.Objects = append(page.Objects, one)
	}
	return page, nil
}

// value is what p points to; the zero value if it points to nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func openVersion(ctx context.Context, b *gcblob.Bucket, u *url.URL, key, version string) (*storage.Version, error) {
	client, err := clientOf(b)
	if err != nil {
		return nil, err
	}
	one, err := client.NewBlobClient(u.Query().Get("prefix") + key).WithVersionID(version)
	if err != nil {
		return nil, err
	}
	got, err := one.DownloadStream(ctx, &blob.DownloadStreamOptions{})
	if err != nil {
		return nil, err
	}
	meta := make(map[string]string, len(got.Metadata))
	for name, v := range got.Metadata { // which come as headers do
		meta[strings.ToLower(name)] = value(v)
	}
	return &storage.Version{Body: got.Body, ContentType: value(got.ContentType), Metadata: meta}, nil
}

// removeVersion deletes a version. What is current, with its snapshots, is deleted first, and
// leaves a version behind then, if the account keeps any.
func removeVersion(ctx context.Context, b *gcblob.Bucket, u *url.URL, o record.Listed) error {
	client, err := clientOf(b)
	if err != nil {
		return err
	}
	one := client.NewBlobClient(u.Query().Get("prefix") + o.Key)
	if o.Current {
		snapshots := blob.DeleteSnapshotsOptionTypeInclude
		_, err = one.Delete(ctx, &blob.DeleteOptions{DeleteSnapshots: &snapshots})
	}
	if o.Version != "" && (err == nil || bloberror.HasCode(err, bloberror.BlobNotFound)) {
		if one, err = one.WithVersionID(o.Version); err == nil {
			_, err = one.Delete(ctx, nil)
		}
	}
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil
	}
	if !bloberror.HasCode(err, "BlobImmutableDueToPolicy", "BlobHasLegalHold") {
		return err
	}
	locked := &retention.LockedError{Object: retention.Object{Key: o.Key, Version: o.Version, Bytes: o.Bytes}}
	if head, unknown := one.GetProperties(ctx, nil); unknown == nil && !value(head.LegalHold) {
		locked.Until = value(head.ImmutabilityPolicyExpiresOn)
	}
	return locked
}
