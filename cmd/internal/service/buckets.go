package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/storage"
)

// Buckets are the drivers of the clouds that a binary links.
type Buckets []storage.Driver

// Open is storage.Open with the binary's drivers.
func (b Buckets) Open(ctx context.Context, bucketURL string, o *storage.Options) (*storage.Store, error) {
	opts := storage.Options{}
	if o != nil {
		opts = *o
	}
	opts.Drivers = b
	s, err := storage.Open(ctx, bucketURL, &opts)
	if _, ok := errors.AsType[*storage.NotLinkedError](err); ok {
		err = fmt.Errorf("%w; switchtape-worker and switchtape-api have it", err)
	}
	return s, err
}

// OpenRecordings is Open for a bucket of recordings that may be encrypted.
func (b Buckets) OpenRecordings(ctx context.Context, bucketURL string, keys EncryptionOptions) (*storage.Store, error) {
	k, err := keys.Encryption(ctx)
	if err != nil {
		return nil, err
	}
	return b.Open(ctx, bucketURL, &storage.Options{Encryption: k})
}

// objectsPath is where signed links of a file:// bucket lead.
const objectsPath = "/objects"

// backupPath is objectsPath for a file:// bucket that is the backup.
const backupPath = "/backup-objects"

// OpenBucket opens the bucket of the recordings and its backup, whose signed links lead
// to objectsPath and backupPath below the server's public URL if they are file:// buckets.
func (s *Stores) OpenBucket(ctx context.Context, b Buckets, o BucketOptions, log *slog.Logger) (err error) {
	s.SpoolDir = o.SpoolDir
	if s.keys, err = newCurrentKeys(ctx, o.EncryptionOptions); err != nil {
		return err
	}
	keys := s.keys.encryption()
	if o.BackupBucket != "" {
		if s.Backup, err = b.openBucket(ctx, o.BackupBucket, o, backupPath, keys, nil, log); err != nil {
			return fmt.Errorf("the backup bucket: %w", err)
		}
	}
	if s.Objects, err = b.openBucket(ctx, o.Bucket, o, objectsPath, keys, s.Backup, log); err != nil {
		return err
	}
	if s.Backup != nil && s.Backup.String() == s.Objects.String() {
		return callmodel.FieldErrors{{
			Path: "--backup-bucket", Message: "has the bucket's own name, " + s.Objects.String() + "; give one of another name, which is what tells where a recording is",
		}}
	}
	return nil
}

func (b Buckets) openBucket(ctx context.Context, bucket string, o BucketOptions, signed string, keys storage.Encryption, backup *storage.Store, log *slog.Logger) (*storage.Store, error) {
	opts := &storage.Options{SpoolDir: o.SpoolDir, Stall: o.BucketStall, Logger: log, SignSecret: []byte(o.SignSecret), Backup: backup, Encryption: keys}
	if o.PublicURL != "" {
		base, err := url.Parse(strings.TrimSuffix(o.PublicURL, "/") + signed)
		if err != nil {
			return nil, callmodel.Errorf(callmodel.CodeInvalid, "--public-url: %w", err)
		}
		opts.SignBase = base
	}
	return b.Open(ctx, bucket, opts)
}

// Within makes a connection that stands still fail within an attempt of that
// length. Otherwise the attempt would end first, and what is the bucket's fault
// would be counted against the recording. An attempt has a few requests.
func (o BucketOptions) Within(attempt time.Duration) BucketOptions {
	if within := attempt / stallsInAttempt; within > 0 {
		o.BucketStall = min(cmp.Or(o.BucketStall, within), within)
	}
	return o
}

// stallsInAttempt is how many requests of an attempt can each stand still until
// they fail, before the attempt's time is over.
const stallsInAttempt = 4

// OpenLegs opens a directory or a bucket of legs, whose connections fail when they
// stand still for the time of stall; 0 means the store's default. The directory
// needn't be there yet.
func (b Buckets) OpenLegs(ctx context.Context, where string, stall time.Duration) (Legs, error) {
	if strings.Contains(where, "://") && !strings.HasPrefix(where, "file://") {
		s, err := b.Open(ctx, where, &storage.Options{Stall: stall})
		if err != nil {
			return nil, fmt.Errorf("legs: %w", err)
		}
		return s, nil
	}
	return local.NewDir(strings.TrimPrefix(where, "file://")), nil
}
