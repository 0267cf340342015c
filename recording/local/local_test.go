package local_test

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

var (
	_ recording.LegOpener = local.Files{}
	_ recording.LegOpener = (*local.Dir)(nil)
	_ recording.Objects   = (*local.Target)(nil)
	_ recording.Objects   = (*local.Directory)(nil)
)

func TestPlacesKeepTheContract(t *testing.T) {
	t.Parallel()
	read := func(i record.ObjectInfo) ([]byte, error) {
		u, err := url.Parse(i.URL)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(filepath.FromSlash(u.Path))
	}
	count := func(dir string) func() (int, error) {
		return func() (n int, err error) {
			err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					n++ // of drafts too: nothing may be left
				}
				return err
			})
			return n, err
		}
	}
	t.Run("target", func(t *testing.T) {
		t.Parallel()
		recordingtest.ObjectsContract(t, func(t *testing.T) recordingtest.Place {
			t.Helper()
			dir := t.TempDir()
			return recordingtest.Place{
				Objects: local.NewTarget(filepath.Join(dir, "ein Gespräch*.wav"), nil), Read: read, Count: count(dir), NoVersions: true,
			}
		})
	})
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		recordingtest.ObjectsContract(t, func(t *testing.T) recordingtest.Place {
			t.Helper()
			dir := t.TempDir()
			return recordingtest.Place{Objects: local.NewDirectory(filepath.Join(dir, "new")), Read: read, Count: count(dir)}
		})
	})
}

func TestLegPlacesKeepTheContract(t *testing.T) {
	t.Parallel()
	put := func(dir string) func(string, []byte) error {
		return func(uri string, body []byte) error {
			path := filepath.Join(dir, filepath.FromSlash(uri))
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, body, 0o600))
		}
	}
	// What stands at the path while the legs are away.
	inItsPlace := map[string]func(path string) error{
		"gone":               func(string) error { return nil },
		"not mounted":        func(path string) error { return os.Mkdir(path, 0o750) },
		"something else":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link to nowhere":  func(path string) error { return os.Symlink(path+"-nowhere", path) },
		"a link to its self": func(path string) error { return os.Symlink(path, path) },
	}
	open := func(t *testing.T, legs func(dir string) *local.Dir) recordingtest.LegPlace {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "legs")
		require.NoError(t, os.Mkdir(dir, 0o750))
		require.NoError(t, os.Symlink("/", filepath.Join(dir, "root")))
		require.NoError(t, os.Symlink("circle", filepath.Join(dir, "circle")))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "2026"), 0o750))
		require.NoError(t, os.Symlink("../20261/agent.wav", filepath.Join(dir, "2026", "link.wav")))
		require.NoError(t, os.Symlink("..", filepath.Join(dir, "2026", "up")))
		d := legs(dir)
		t.Cleanup(func() { require.NoError(t, d.Close()) })
		p := recordingtest.LegPlace{
			Legs: d, Put: put(dir), Away: map[string]func() (func() error, error){},
			Never:      []string{"2026", ".", "..", "../legs/2026/agent.wav", "/etc/passwd", "root/etc/passwd", "circle", strings.Repeat("x", 256)},
			NeverBelow: []string{"2026/link.wav", "2026/up/20261/agent.wav"},
		}
		for name, instead := range inItsPlace {
			p.Away[name] = func() (func() error, error) {
				err := errors.Join(os.Rename(dir, dir+"-was"), instead(dir))
				return func() error { return errors.Join(os.RemoveAll(dir), os.Rename(dir+"-was", dir)) }, err
			}
		}
		return p
	}
	recordingtest.LegOpenerContract(t, func(t *testing.T) recordingtest.LegPlace { t.Helper(); return open(t, local.NewDir) })
}

// A share that is mounted after the program's start is read, and not what lay under it.
func TestDirIsMountedLater(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(share, "agent.wav"), []byte("agent"), 0o600))
	for name, before := range map[string]func(t *testing.T, path string){
		"nothing was there": func(*testing.T, string) {},
		"an empty directory was": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Mkdir(path, 0o750))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "legs")
			before(t, path)
			d := local.NewDir(path)
			defer d.Close()
			_, err := d.OpenLeg(t.Context(), "agent.wav")
			require.Error(t, err)
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, os.Symlink(share, path)) // as a mount does, this puts another directory at the path
			require.NoError(t, d.Check())
			f, err := d.OpenLeg(t.Context(), "agent.wav")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		})
	}
}

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestTargetOverwrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "call.mp3")
	key := record.ObjectKey{Ext: "mp3"}
	_, err := local.NewTarget(path, nil).Put(t.Context(), key, record.ObjectMeta{}, write("one"))
	require.NoError(t, err)
	_, err = local.NewTarget(path, nil).Put(t.Context(), key, record.ObjectMeta{}, write("two"))
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, path)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	_, err = local.NewTarget(path, &local.TargetOptions{Overwrite: true}).Put(t.Context(), key, record.ObjectMeta{}, write("two"))
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "two", string(got))
	_, err = local.NewTarget(filepath.Join(path, "below", "a.mp3"), nil).Put(t.Context(), key, record.ObjectMeta{}, write("x"))
	require.ErrorContains(t, err, "can't be written to "+path)
}

func TestTargetNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, name, ext, want string
	}{
		{"out/call.mp3", "", "mp3", "out/call.mp3"},
		{"out/call.mp3", "", "flac", "out/call.flac"},
		{"out/call.mp3", "", "peaks.json", "out/call.peaks.json"},
		{"out/call.mp3", "", "manifest.json", "out/call.manifest.json"},
		{"out/call.mp3", "mono", "mp3", "out/call-mono.mp3"},
		{"out/call.mp3", "mono", "wav", "out/call-mono.wav"},
		{"out/call.mp3", "play", "mp3", "elsewhere/playback.mp3"},
		{"out/call.2026", "", "mp3", "out/call.2026"}, // the program knows what it calls it
		{"out/call", "", "wav", "out/call"},
		{"out/call", "", "analysis.json", "out/call.analysis.json"},
	} {
		target := local.NewTarget(filepath.FromSlash(c.path), &local.TargetOptions{Also: map[string]string{"play": "elsewhere/playback.mp3"}})
		assert.Equal(t, c.want, filepath.ToSlash(target.Path(record.ObjectKey{Name: c.name, Ext: c.ext})), "%+v", c)
	}
}

func TestFilesOpensAnyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"plain.wav", "with spaces.wav", "stern*.wav", "Gespräch.wav", "a%20b?.wav", "-x.wav", "#1@2s.wav"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
		for _, uri := range []string{path, (&url.URL{Scheme: "file", Path: path}).String()} {
			f, err := local.Files{}.OpenLeg(t.Context(), uri)
			require.NoError(t, err, uri)
			got, err := io.ReadAll(f)
			require.NoError(t, errors.Join(err, f.Close()))
			assert.Equal(t, name, string(got))
		}
	}
	_, err := local.Files{}.OpenLeg(t.Context(), filepath.Join(dir, "missing.wav"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "missing.wav")
	_, err = local.Files{}.OpenLeg(t.Context(), dir)
	require.ErrorContains(t, err, "is a directory")
	var permanent *callmodel.PermanentError
	require.ErrorAs(t, err, &permanent)
}

// A FIFO without a writer would hold its opener for ever.
func TestPipesAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.wav"), 0o600))
	d, err := local.OpenDir(dir)
	require.NoError(t, err)
	defer d.Close()
	for _, open := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) {
			return local.Files{}.OpenLeg(t.Context(), filepath.Join(dir, "pipe.wav"))
		},
		func() (io.ReadCloser, error) { return d.OpenLeg(t.Context(), "pipe.wav") },
	} {
		_, err := open()
		var permanent *callmodel.PermanentError
		require.ErrorAs(t, err, &permanent)
		require.ErrorContains(t, err, "pipe or a device")
	}
}

func TestDirIsNotLeft(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	legs := filepath.Join(outer, "legs")
	require.NoError(t, os.MkdirAll(filepath.Join(legs, "a"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(outer, "secret.wav"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(legs, "a", "agent.wav"), []byte("agent"), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(outer, "secret.wav"), filepath.Join(legs, "out.wav")))
	require.NoError(t, os.Symlink("a/agent.wav", filepath.Join(legs, "within.wav")))
	d, err := local.OpenDir(legs)
	require.NoError(t, err)
	defer d.Close()
	for _, uri := range []string{"a/agent.wav", "within.wav"} {
		f, err := d.OpenLeg(t.Context(), uri)
		require.NoError(t, err)
		got, err := io.ReadAll(f)
		require.NoError(t, errors.Join(err, f.Close()))
		assert.Equal(t, "agent", string(got))
	}
	for _, uri := range []string{"../secret.wav", "out.wav", filepath.Join(outer, "secret.wav")} {
		_, err := d.OpenLeg(t.Context(), uri)
		require.Error(t, err, uri)
	}
	for _, uri := range []string{"none.wav", "a/agent.wav/below.wav", "b/agent.wav"} {
		_, err := d.OpenLeg(t.Context(), uri)
		require.ErrorIs(t, err, fs.ErrNotExist, uri)
	}
	_, err = local.OpenDir(filepath.Join(outer, "nowhere"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Two legs to an MP3, its peaks and a FLAC: what a stranger would write.
func TestTwoLegsOfAnyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	agent, customer := filepath.Join(dir, "Ägent 1.wav"), filepath.Join(dir, "kunde*.wav")
	pcm := make([]byte, 16000)
	require.NoError(t, os.WriteFile(agent, wav(pcm), 0o600))
	require.NoError(t, os.WriteFile(customer, wav(pcm), 0o600))
	spec := record.Spec{
		TenantID: "local", CallID: "call", RecordingID: "recording", StartedAt: time.Unix(0, 0),
		Legs: []record.LegSpec{record.NewLeg("agent", agent), record.NewLeg("customer", customer)},
		Outputs: []record.OutputSpec{
			{Codec: record.CodecMP3, Layout: record.LayoutStereo}, {Codec: record.CodecFLAC, Layout: record.LayoutStereo},
		},
	}
	p := recording.NewProcessor(local.Files{}, local.NewTarget(filepath.Join(dir, "ein Ruf.mp3"), nil), nil)
	for range 2 { // again: the same bytes, and nothing is touched
		r, err := p.Process(t.Context(), spec, nil)
		require.NoError(t, err)
		require.Equal(t, record.StatusCompleted, r.Status, "%+v", r.Defects)
	}
	names, err := filepath.Glob(filepath.Join(dir, "ein Ruf.*"))
	require.NoError(t, err)
	require.Len(t, names, 3, "%v", names)
}

// wav is 16-bit mono PCM at 8000 Hz in a WAV file.
func wav(pcm []byte) []byte {
	var b strings.Builder
	b.WriteString("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data")
	n := len(pcm)
	b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	b.Write(pcm)
	out := []byte(b.String())
	n = len(out) - 8
	out[4], out[5], out[6] = byte(n), byte(n>>8), byte(n>>16)
	return out
}
