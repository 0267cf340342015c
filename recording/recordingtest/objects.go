package recordingtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Objects is recording.Objects, which this package can't import.
type Objects interface {
	Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
}

// Place is an implementation of recording.Objects to hold against its contract.
type Place struct {
	Objects Objects
	// Read reads the object that Put described.
	Read func(record.ObjectInfo) ([]byte, error)
	// Count is how many objects can be seen, whole or not.
	Count func() (int, error)
	// NoVersions says that other bytes under a key are a CodeConflict error, where
	// others keep them as a later version.
	NoVersions bool
}

// ObjectsContract holds an implementation of recording.Objects against its
// contract. open makes an empty place.
func ObjectsContract(t *testing.T, open func(t *testing.T) Place) {
	t.Helper()
	key := record.ObjectKey{
		TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
	}
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"call_id": "c1"}}
	put := func(ctx context.Context, p Place, body []byte) (record.ObjectInfo, error) {
		return p.Objects.Put(ctx, key, meta, func(w io.Writer) error {
			for part := range bytes.SplitAfterSeq(body, []byte("\n")) { // in pieces of any size
				if _, err := w.Write(part); err != nil {
					return err
				}
			}
			return nil
		})
	}
	one, other := bytes.Repeat([]byte("the first\n"), 50_000), []byte("another\n")
	holds := func(t *testing.T, p Place, info record.ObjectInfo, body []byte) {
		t.Helper()
		got, err := p.Read(info)
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, got), "%s has other bytes than were put", info.URL)
		sum := sha256.Sum256(body)
		assert.Equal(t, hex.EncodeToString(sum[:]), info.SHA256)
		assert.EqualValues(t, len(body), info.Bytes)
		assert.NotEmpty(t, info.URL)
	}
	count := func(t *testing.T, p Place, want int) {
		t.Helper()
		n, err := p.Count()
		require.NoError(t, err)
		require.Equal(t, want, n, "objects that can be seen")
	}

	t.Run("an object is whole", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		info, err := put(t.Context(), p, one)
		require.NoError(t, err)
		assert.Equal(t, key, info.Key)
		assert.False(t, info.Existed)
		holds(t, p, info, one)
		count(t, p, 1)
	})
	t.Run("the same bytes again change nothing", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		_, err := put(t.Context(), p, one)
		require.NoError(t, err)
		info, err := put(t.Context(), p, one)
		require.NoError(t, err)
		assert.True(t, info.Existed)
		holds(t, p, info, one)
		count(t, p, 1)
	})
	t.Run("other bytes never replace an object", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		first, err := put(t.Context(), p, one)
		require.NoError(t, err)
		info, err := put(t.Context(), p, other)
		holds(t, p, first, one)
		if p.NoVersions {
			require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
			count(t, p, 1)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, key.Next(), info.Key)
		holds(t, p, info, other)
		count(t, p, 2)
	})
	t.Run("what fails leaves nothing", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		broken := errors.New("broken")
		_, err := p.Objects.Put(t.Context(), key, meta, func(w io.Writer) error {
			if _, err := w.Write(one); err != nil {
				return err
			}
			return broken
		})
		require.ErrorIs(t, err, broken)
		count(t, p, 0)
	})
	t.Run("what is given up leaves nothing", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := p.Objects.Put(ctx, key, meta, func(w io.Writer) error {
			_, err := w.Write(one)
			cancel()
			return err
		})
		require.ErrorIs(t, err, context.Canceled)
		count(t, p, 0)
	})
	t.Run("of a race each object is whole", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		const racers = 8
		infos, errs := [racers]record.ObjectInfo{}, [racers]error{}
		bodies := [racers][]byte{}
		var wg sync.WaitGroup
		for i := range racers {
			bodies[i] = bytes.Repeat([]byte{byte('a' + i)}, 1000+i)
			wg.Go(func() { infos[i], errs[i] = put(t.Context(), p, bodies[i]) })
		}
		wg.Wait()
		won := 0
		for i := range racers {
			if p.NoVersions && callmodel.CodeOf(errs[i]) == callmodel.CodeConflict {
				continue
			}
			require.NoError(t, errs[i])
			holds(t, p, infos[i], bodies[i])
			won++
		}
		if p.NoVersions {
			require.Equal(t, 1, won, "one of them has the name")
		}
		count(t, p, won)
	})
}
