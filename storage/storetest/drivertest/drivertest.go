// Package drivertest is what a bucket must be like for a [storage.Store], as
// tests. Files, memory and the drivers of s3, gcs and azure run them, and so
// should a driver of your own, against a real server:
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, drivertest.Harness{Open: func() *storage.Store {
//			return drivertest.Open(t, "mystore://recordings", mystore.Driver())
//		}})
//	}
package drivertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// Harness is one empty bucket.
type Harness struct {
	// Open opens the bucket, each time as another process would if it can.
	Open func() *storage.Store
	// Leftovers lists what the bucket's server keeps of uploads that were neither
	// finished nor taken back. Nil where that can't be looked at.
	Leftovers func() []string
}

// Open opens a bucket for [Harness] until the test ends. Its spool keeps so
// little in memory that large objects go through a file.
func Open(t testing.TB, url string, drivers ...storage.Driver) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), url, &storage.Options{
		Drivers: drivers, SpoolMemory: 1 << 20, SpoolDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func testKey(id string) record.ObjectKey {
	return record.ObjectKey{
		TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
		StartedAt: time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
	}
}

func write(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Run holds the bucket to every promise of a Store.
func Run(t *testing.T, h Harness) {
	t.Helper()
	s := h.Open()
	ctx := t.Context()
	small, large := []byte("a small object"), bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB: several parts
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"channel_map": "0=agent,1=customer"}}

	for i, data := range [][]byte{small, large, {}} {
		k := testKey(fmt.Sprintf("c%d", i))
		info, err := s.Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		assert.Equal(t, k, info.Key)
		assert.Equal(t, int64(len(data)), info.Bytes)
		assert.Equal(t, sum(data), info.SHA256)
		assert.False(t, info.Existed)
		assert.True(t, strings.HasSuffix(info.URL, k.String()), info.URL)
		r, err := s.Open(ctx, k.String())
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, bytes.Equal(data, got))
		head, err := s.Stat(ctx, k.String())
		require.NoError(t, err)
		assert.Equal(t, info.SHA256, head.SHA256)
		assert.Equal(t, "audio/wav", head.ContentType)
		assert.Equal(t, "0=agent,1=customer", head.Metadata["channel_map"])

		again, err := h.Open().Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		assert.True(t, again.Existed, "the same bytes again are a success that writes nothing")
		assert.Equal(t, info.URL, again.URL)
	}

	t.Run("other bytes become a new version", func(t *testing.T) {
		k := testKey("versions")
		_, err := s.Put(ctx, k, meta, write([]byte("first")))
		require.NoError(t, err)
		info, err := s.Put(ctx, k, meta, write([]byte("other")))
		require.NoError(t, err)
		assert.Equal(t, 2, info.Key.Version)
		info, err = s.Put(ctx, k, meta, write([]byte("other")))
		require.NoError(t, err)
		assert.Equal(t, 2, info.Key.Version)
		assert.True(t, info.Existed)
		r, err := s.Open(ctx, k.String())
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		assert.Equal(t, "first", string(got), "the existing object stays")
	})

	t.Run("a failing writer stores nothing", func(t *testing.T) {
		boom := errors.New("boom")
		for _, n := range []int{0, 10, 20 << 20} {
			_, err := s.Put(ctx, testKey("failed"), meta, func(w io.Writer) error {
				if _, err := w.Write(make([]byte, n)); err != nil {
					return err
				}
				return boom
			})
			require.ErrorIs(t, err, boom)
		}
		_, err := s.Stat(ctx, testKey("failed").String())
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(err))
	})

	t.Run("a cancelled upload stores nothing", func(t *testing.T) {
		for _, n := range []int{10, 20 << 20} {
			cancelled, cancel := context.WithCancel(ctx)
			_, err := s.Put(cancelled, testKey("cancelled"), meta, func(w io.Writer) error {
				_, err := w.Write(make([]byte, n))
				cancel()
				return err
			})
			require.ErrorIs(t, err, context.Canceled)
		}
		_, err := s.Stat(ctx, testKey("cancelled").String())
		require.ErrorIs(t, err, fs.ErrNotExist)
	})

	// Every read of an upload asks the caller's context, so that a first upload
	// tells how often that is, and the others can end at any part of their way.
	t.Run("an upload cancelled on its way stores nothing", func(t *testing.T) {
		data := bytes.Repeat([]byte("cancelled on the way"), 1_000_000) // 20 MB: several parts
		whole := &endingContext{Context: ctx}
		_, err := s.Put(whole, testKey("whole"), meta, write(data))
		require.NoError(t, err)
		asked := whole.asked.Load()
		require.Greater(t, asked, int64(3))
		for _, after := range []int64{1, asked / 4, asked / 2, asked * 3 / 4} {
			_, err := s.Put(&endingContext{Context: ctx, after: after}, testKey("way"), meta, write(data))
			require.ErrorIs(t, err, context.Canceled, "after %d of %d reads", after, asked)
		}
		_, err = s.Stat(ctx, testKey("way").String())
		require.ErrorIs(t, err, fs.ErrNotExist)
	})

	t.Run("racing writers leave every version whole", func(t *testing.T) {
		var created, existed atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				info, err := s.Put(ctx, testKey("race"), meta, write([]byte{'0' + byte(i%2)}))
				switch {
				case err != nil:
					t.Error(err)
				case info.Existed:
					existed.Add(1)
				default:
					created.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 2, created.Load())
		assert.EqualValues(t, 6, existed.Load())
	})

	t.Run("list", func(t *testing.T) {
		var keys []string
		require.NoError(t, s.List(ctx, "acme/", func(key string, _ int64) bool { keys = append(keys, key); return true }))
		assert.Len(t, keys, 8)
		assert.IsNonDecreasing(t, keys)
	})

	t.Run("names are taken once", func(t *testing.T) {
		_, err := s.PutNamed(ctx, "named/x.wav", meta, write(small))
		require.NoError(t, err)
		info, err := s.PutNamed(ctx, "named/x.wav", meta, write(small))
		require.NoError(t, err)
		assert.True(t, info.Existed)
		_, err = s.PutNamed(ctx, "named/x.wav", meta, write(large))
		assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
		_, err = s.PutNamed(ctx, "../x.wav", meta, write(small))
		require.ErrorContains(t, err, "clean path")
	})

	t.Run("bad keys are refused", func(t *testing.T) {
		k := testKey("x")
		k.TenantID = "../../etc"
		_, err := s.Put(ctx, k, meta, write(small))
		require.ErrorContains(t, err, "tenant_id")
		var permanent *callmodel.PermanentError
		require.ErrorAs(t, err, &permanent)
	})
	if h.Leftovers != nil {
		assert.Empty(t, h.Leftovers())
	}
}

// endingContext is cancelled once it has been asked so many times; 0: never.
type endingContext struct {
	context.Context //nolint:containedctx // it is a context

	after int64
	asked atomic.Int64
}

func (c *endingContext) Err() error {
	if n := c.asked.Add(1); c.after > 0 && n > c.after {
		return context.Canceled
	}
	return c.Context.Err()
}
