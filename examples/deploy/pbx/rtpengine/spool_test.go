package main

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/recordingtest"
)

const pcapName = "one%40host-a91b7b97aded4a89.pcap"

// newSpool is a spool with one call that is over, whose clock is an hour ahead.
func newSpool(t *testing.T, pcap []byte) (s *spool, said *bytes.Buffer) {
	t.Helper()
	said = &bytes.Buffer{}
	s = &spool{
		dir: t.TempDir(), legs: t.TempDir(), settle: time.Second, pause: time.Minute,
		now: func() time.Time { return time.Now().Add(time.Hour) }, log: slog.New(slog.NewTextHandler(said, nil)),
	}
	for _, dir := range []string{"metadata", "pcaps"} {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, dir), 0o700))
	}
	text, err := os.ReadFile("testdata/metadata.txt")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "metadata", "one.txt"), text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "pcaps", pcapName), pcap, 0o600))
	closeSpool, err := s.open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, closeSpool()) })
	return s, said
}

func aCall() []byte {
	c := newCapture()
	for n := range 10 {
		c.rtp(time.Duration(n)*frame, toCallee, spoken(n))
		c.rtp(time.Duration(n)*frame, toCaller, spoken(n))
	}
	return c.Bytes()
}

// names are the files below a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != ".lock" {
			name, _ := filepath.Rel(dir, path)
			all = append(all, name)
		}
		return err
	}))
	return all
}

func TestSpool(t *testing.T) {
	s, said := newSpool(t, aCall())
	ahead := s.now
	s.now = func() time.Time { return time.Now().Add(-time.Second) }
	require.NoError(t, s.sweep(t.Context()))
	assert.Empty(t, names(t, s.legs), "its last packets may not be written yet")
	s.now = ahead
	require.NoError(t, s.sweep(t.Context()))
	assert.Equal(t, []string{"c-1/callee.wav", "c-1/caller.wav"}, names(t, s.legs))
	assert.Empty(t, names(t, s.dir))
	assert.Contains(t, said.String(), "call=c-1")
	_, err := s.open()
	assert.ErrorContains(t, err, "another process")
}

// TestKilled: a process that was killed between any two steps is followed by one that
// does the rest.
func TestKilled(t *testing.T) {
	pcap := aCall()
	made, _ := newSpool(t, pcap)
	require.NoError(t, made.sweep(t.Context()))
	for name, left := range map[string]func(s *spool){
		"with one leg": func(s *spool) {
			require.NoError(t, os.Mkdir(filepath.Join(s.legs, "c-1"), 0o700))
			leg, err := os.ReadFile(filepath.Join(made.legs, "c-1", "caller.wav"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(s.legs, "c-1", "caller.wav"), leg, 0o600))
		},
		"with both legs": func(s *spool) {
			require.NoError(t, s.sweep(t.Context()))
			other, _ := newSpool(t, pcap)
			s.dir = other.dir
		},
		"without the pcap": func(s *spool) {
			require.NoError(t, s.sweep(t.Context()))
			other, _ := newSpool(t, pcap)
			s.dir = other.dir
			require.NoError(t, os.Remove(filepath.Join(s.dir, "pcaps", pcapName)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, said := newSpool(t, pcap)
			left(s)
			require.NoError(t, s.sweep(t.Context()))
			assert.Equal(t, []string{"c-1/callee.wav", "c-1/caller.wav"}, names(t, s.legs))
			assert.Empty(t, names(t, s.dir))
			assert.NotContains(t, said.String(), "ERROR")
		})
	}
	t.Run("while it wrote", func(t *testing.T) {
		s := &spool{dir: t.TempDir(), legs: t.TempDir()}
		left := filepath.Join(s.work(), "call-1", "caller.wav")
		require.NoError(t, os.MkdirAll(filepath.Dir(left), 0o700))
		require.NoError(t, os.WriteFile(left, []byte("half"), 0o600))
		closeSpool, err := s.open()
		require.NoError(t, err)
		assert.NoFileExists(t, left)
		require.NoError(t, closeSpool())
	})
}

// TestKept: nothing is removed of which not all was read, and no leg is replaced.
func TestKept(t *testing.T) {
	t.Run("a pcap that breaks off", func(t *testing.T) {
		pcap := aCall()
		s, said := newSpool(t, pcap[:len(pcap)-100])
		require.NoError(t, s.sweep(t.Context()))
		assert.Equal(t, []string{"c-1/callee.wav", "c-1/caller.wav"}, names(t, s.legs))
		assert.Equal(t, []string{"kept/" + pcapName, "kept/one.txt"}, names(t, s.dir))
		assert.Contains(t, said.String(), "it breaks off in a packet")
	})
	t.Run("another leg of that name", func(t *testing.T) {
		s, said := newSpool(t, aCall())
		require.NoError(t, os.Mkdir(filepath.Join(s.legs, "c-1"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(s.legs, "c-1", "caller.wav"), []byte("longer"), 0o600))
		require.NoError(t, s.sweep(t.Context()))
		require.NoError(t, s.sweep(t.Context())) // not yet again
		assert.Equal(t, []string{"metadata/one.txt", "pcaps/" + pcapName}, names(t, s.dir))
		assert.Contains(t, said.String(), "is there already and is another")
		assert.Equal(t, 1, bytes.Count(said.Bytes(), []byte("ERROR")))
		leg, err := os.ReadFile(filepath.Join(s.legs, "c-1", "caller.wav"))
		require.NoError(t, err)
		assert.Equal(t, "longer", string(leg))
	})
	t.Run("a call of somebody else", func(t *testing.T) {
		s, said := newSpool(t, aCall())
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "metadata", "one.txt"), []byte("/"+pcapName+"\n"), 0o600))
		require.NoError(t, s.sweep(t.Context()))
		assert.Equal(t, []string{"metadata/one.txt", "pcaps/" + pcapName}, names(t, s.dir))
		assert.Contains(t, said.String(), "recorded for somebody else")
	})
}

func TestUsage(t *testing.T) {
	assert.ErrorIs(t, run(t.Context(), []string{"--spool", t.TempDir()}), errUsage)
	assert.ErrorIs(t, run(t.Context(), []string{"--nonsense"}), errUsage)
	assert.NoError(t, run(t.Context(), []string{"--help"}))
}

// TestUnit: systemd reads the unit, which leaves the program little that it doesn't need.
func TestUnit(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), recordingtest.Tool(t, "systemd-analyze", "systemd"),
		"security", "--offline=true", "--no-pager", "--threshold=10", "./switchtape-rtpengine.service").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
