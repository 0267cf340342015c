package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/storage"
)

// target is where the files of the command go.
type target interface {
	recording.Objects
	io.Closer
}

// place names the files: people name those that can be listened to, and what is
// about them lies beside the first, under its name.
type place struct {
	first string            // slash-separated
	also  map[string]string // by the output's name
}

// of is where the object of that key goes.
func (p place) of(k record.ObjectKey) (string, error) {
	to := p.first
	if k.Name != "" {
		var known bool
		if to, known = p.also[k.Name]; !known {
			return "", fmt.Errorf("there is no file for output %q", k.Name)
		}
	}
	for _, c := range record.Codecs() {
		if c.Audio() && c.Ext() == k.Ext {
			return to, nil
		}
	}
	return strings.TrimSuffix(to, path.Ext(to)) + "." + k.Ext, nil
}

// openTarget opens the place of the file or object out; also are further files,
// by the names of their outputs, in the same place.
func openTarget(ctx context.Context, out string, also map[string]string) (target, error) {
	if !strings.Contains(out, "://") {
		return fileTarget{place{filepath.ToSlash(out), also}}, nil
	}
	u, err := url.Parse(out)
	if err != nil {
		return nil, cli.Usagef("--out %s: %w", out, err)
	}
	if u.Scheme == "file" {
		return fileTarget{place{u.Path, also}}, nil
	}
	bucket, key := splitBucketURL(u)
	if key == "" {
		return nil, cli.Usagef("--out %s: give the object's key behind the bucket's name", out)
	}
	s, err := buckets().Open(ctx, bucket, nil)
	if err != nil {
		return nil, err
	}
	return bucketTarget{s, place{key, also}}, nil
}

type bucketTarget struct {
	*storage.Store
	place
}

func (b bucketTarget) Put(ctx context.Context, k record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	name, err := b.of(k)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return b.PutNamed(ctx, name, m, write)
}

// fileTarget writes a file that appears whole or not at all. One that is there
// already stays until the new one is complete.
type fileTarget struct{ place }

func (f fileTarget) Close() error { return nil }

func (f fileTarget) Put(_ context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (_ record.ObjectInfo, err error) {
	path, err := f.of(k)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	path = filepath.FromSlash(path)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".switchtape-*")
	if err != nil {
		return record.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	h := sha256.New()
	if err := write(io.MultiWriter(tmp, h)); err != nil {
		return record.ObjectInfo{}, err
	}
	info, err := tmp.Stat()
	if err != nil {
		return record.ObjectInfo{}, err
	}
	const readable = 0o644
	if err := errors.Join(tmp.Sync(), tmp.Chmod(readable)); err != nil {
		return record.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return record.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return record.ObjectInfo{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{
		Key: k, URL: (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String(), Bytes: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil)),
	}, nil
}
