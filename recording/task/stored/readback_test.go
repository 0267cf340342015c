package stored_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// An MP3 file whose bytes are those that were stored is damaged if its frames can't be
// walked, or hold something else; others are held against their hashes alone.
func TestReadBackWalksTheFrames(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const frames = 8000
	var b bytes.Buffer
	e, err := mp3.New(&b, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: frames, BitrateBps: 32000})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(make([]float32, frames)))
	require.NoError(t, e.Finish())
	whole := b.Bytes()
	l := stored.NewLibrary(h.db, h.store)
	for name, c := range map[string]struct {
		data    []byte
		frames  int64
		encoder string
		codec   record.Codec
		unsound string
	}{
		"whole":                 {whole, frames, mp3.EncoderVersion, record.CodecMP3, ""},
		"cut":                   {whole[:len(whole)*2/3], frames, mp3.EncoderVersion, record.CodecMP3, "mp3: frame"},
		"empty":                 {whole[:0], frames, mp3.EncoderVersion, record.CodecMP3, "no layer III frame"},
		"of another length":     {whole, frames + 1, mp3.EncoderVersion, record.CodecMP3, "stored with 8001"},
		"somebody else's":       {whole[:len(whole)*2/3], frames, "", record.CodecMP3, ""},
		"in another codec":      {whole[:len(whole)*2/3], frames, mp3.EncoderVersion, record.CodecWAV, ""},
		"with rubbish behind":   {append(bytes.Clone(whole), "rubbish"...), frames, mp3.EncoderVersion, record.CodecMP3, "mp3: frame"},
		"a lot of rubbish only": {bytes.Repeat([]byte("rubbish"), 100_000), frames, mp3.EncoderVersion, record.CodecMP3, "mp3: frame 0"},
	} {
		key := "acme/" + hex.EncodeToString([]byte(name)) + ".mp3"
		_, err := h.store.PutNamed(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error { _, err := w.Write(c.data); return err })
		require.NoError(t, err)
		sum := sha256.Sum256(c.data)
		o := stored.Object{
			Key: key, Bytes: int64(len(c.data)), SHA256: hex.EncodeToString(sum[:]),
			Output: &record.OutputResult{Codec: c.codec, Encoder: c.encoder, Frames: c.frames, Rate: 8000, Channels: 1},
		}
		err = l.ReadBack(t.Context(), &o)
		if c.unsound == "" {
			require.NoError(t, err, name)
		} else {
			var damage *stored.DamageError
			require.ErrorAs(t, err, &damage, name)
			assert.Equal(t, stored.DefectObjectUnsound, damage.Code, name)
			require.ErrorContains(t, err, c.unsound, name)
		}
		o.SHA256 = hex.EncodeToString(make([]byte, sha256.Size))
		var damage *stored.DamageError
		require.ErrorAs(t, l.ReadBack(t.Context(), &o), &damage, name)
		assert.Equal(t, stored.DefectObjectDiffers, damage.Code, name)
	}
}
