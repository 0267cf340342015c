package main

import (
	"context"
	"io"
	"net/url"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/storage"
)

// target is where the files of the command go.
type target interface {
	recording.Objects
	io.Closer
}

// openTarget opens the place of the file or object out. Objects are encrypted with the keys,
// if there are any.
func openTarget(ctx context.Context, out string, keys service.EncryptionOptions, o *local.TargetOptions) (target, error) {
	if path, isLocal := localPath(out); isLocal {
		if keys.EncryptKeys != "" {
			return nil, cli.Usagef("--encrypt-keys is for objects in a bucket, and --out is a file: encrypt that with age itself")
		}
		return files{local.NewTarget(path, o)}, nil
	}
	u, err := url.Parse(out)
	if err != nil {
		return nil, cli.Usagef("--out %s: %w", out, err)
	}
	bucket, key := splitBucketURL(u)
	if key == "" {
		return nil, cli.Usagef("--out %s: give the object's key behind the bucket's name", out)
	}
	s, err := buckets().OpenRecordings(ctx, bucket, keys)
	if err != nil {
		return nil, err
	}
	return bucketTarget{s, local.NewTarget(key, o)}, nil
}

// files are a target that needs no closing.
type files struct{ *local.Target }

func (files) Close() error { return nil }

// bucketTarget puts objects into a bucket under the names that files would have.
type bucketTarget struct {
	*storage.Store
	names *local.Target
}

func (b bucketTarget) Put(ctx context.Context, k record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	return b.PutNamed(ctx, filepath.ToSlash(b.names.Path(k)), m, write)
}
