package adopt_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A bucket that another recorder has filled.
func Example() {
	dir, err := os.MkdirTemp("", "bucket-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "20261129-100000_5.wav"), samplecall.Agent(), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	bucket, err := storage.Open(ctx, (&url.URL{Scheme: "file", Path: dir}).String(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()

	patterns, err := spool.Patterns("{call:20060102-150405}.{ext}")
	if err != nil {
		fmt.Println(err)
		return
	}
	a := adopt.New(bucket, memdb.New(nil), &adopt.Options{Patterns: patterns, Tenant: "acme", Codecs: recording.BuiltinCodecs()})
	err = a.Run(ctx, "", true, func(f adopt.Found) error {
		fmt.Println(f.CallID, f.StartedAt, f.LeftOut)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 20261129-100000_5 2026-11-29 10:00:00 +0000 UTC
}
