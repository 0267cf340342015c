package durablefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/storage/storetest/smalldisk"
)

const childEnv = "DURABLEFILE_TEST_CHILD"

// TestMain turns the test binary into a writer that is there to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

// writeForEver writes objects whose content is told by their key, both
// create-only and over each other.
func writeForEver(dir string) {
	b, err := OpenBucket(dir, &Options{NoUnnamed: os.Getenv(childEnv+"_NAMED") != ""})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("d%d/object-%d", i%7, i)
		o := &blob.WriterOptions{ContentType: "text/plain", Metadata: map[string]string{"key": key}, IfNotExist: true}
		if err := b.Upload(context.Background(), key, strings.NewReader(content(key)), o); err != nil && gcerrors.Code(err) != gcerrors.FailedPrecondition {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func content(key string) string { return strings.Repeat(key+"\n", 2000) }

func TestKilledWriterLeavesWholeObjectsOnly(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for _, named := range []string{"", "1"} {
		dir := t.TempDir()
		for round := range 12 {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_NAMED="+named)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			before := countObjects(t, dir)
			require.Eventually(t, func() bool { return countObjects(t, dir) > before+3*round }, 20*time.Second, time.Millisecond)
			require.NoError(t, cmd.Process.Kill()) // SIGKILL
			_ = cmd.Wait()
			require.Empty(t, stderr.String())
		}
		b, err := OpenBucket(dir, nil) // sweeps
		require.NoError(t, err)
		list := b.List(nil)
		n := 0
		for {
			o, err := list.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			got, err := b.ReadAll(t.Context(), o.Key)
			require.NoError(t, err)
			require.Equal(t, content(o.Key), string(got))
			a, err := b.Attributes(t.Context(), o.Key)
			require.NoError(t, err)
			require.Equal(t, o.Key, a.Metadata["key"], "the attributes are there with the object")
			n++
		}
		require.Greater(t, n, 20)
		require.Empty(t, temps(t, dir))
	}
}

func countObjects(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "object-") {
			n++
		}
		return nil
	})
	return n
}

func temps(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), tempPrefix) {
			list = append(list, p)
		}
		return err
	}))
	return list
}

// A create-only write has one winner, among goroutines with buckets of their
// own as among processes, and the attributes are the winner's.
func TestCreateOnlyHasOneWinner(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	dir := t.TempDir()
	for race := range 200 {
		key := fmt.Sprintf("race/%d", race)
		var winners atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 4 {
			wg.Go(func() {
				b, err := OpenBucket(dir, &Options{NoUnnamed: i%2 == 1})
				if err != nil {
					t.Error(err)
					return
				}
				<-start
				me := fmt.Sprintf("writer %d", i)
				err = b.Upload(t.Context(), key, strings.NewReader(me), &blob.WriterOptions{
					ContentType: "text/plain", IfNotExist: true, Metadata: map[string]string{"who": me},
				})
				switch gcerrors.Code(err) {
				case gcerrors.OK:
					winners.Add(1)
					winner.Store(me)
				case gcerrors.FailedPrecondition:
				default:
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		require.EqualValues(t, 1, winners.Load())
		b, err := OpenBucket(dir, nil)
		require.NoError(t, err)
		got, err := b.ReadAll(t.Context(), key)
		require.NoError(t, err)
		a, err := b.Attributes(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, winner.Load(), string(got))
		assert.Equal(t, winner.Load(), a.Metadata["who"])
	}
	require.Empty(t, temps(t, dir))
}

func TestFailedWritesLeaveNothing(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		dir := t.TempDir()
		b, err := OpenBucket(dir, &Options{NoUnnamed: named})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.NewWriter(ctx, "cancelled", &blob.WriterOptions{ContentType: "text/plain"})
		require.NoError(t, err)
		_, err = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		require.NoError(t, err)
		cancel()
		require.Error(t, w.Close())

		require.Error(t, b.Upload(t.Context(), "md5", strings.NewReader("x"), &blob.WriterOptions{ContentType: "text/plain", ContentMD5: make([]byte, 16)}))

		own, stop := context.WithCancel(t.Context())
		boom := errors.New("boom")
		r := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), readerFunc(func([]byte) (int, error) {
			stop() // the safe put cancels the upload before its reader fails
			return 0, boom
		}))
		require.Error(t, b.Upload(own, "reader", r, &blob.WriterOptions{ContentType: "text/plain"}))

		o, err := b.List(nil).Next(t.Context())
		require.ErrorIs(t, err, io.EOF, "%v", o)
		require.Empty(t, temps(t, dir))
		require.NoFileExists(t, filepath.Join(dir, ".cancelled.attrs"))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestLiveWritersAreNotSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := OpenBucket(dir, &Options{NoUnnamed: true})
	require.NoError(t, err)
	w, err := b.NewWriter(t.Context(), "slow", &blob.WriterOptions{ContentType: "text/plain"})
	require.NoError(t, err)
	_, err = w.Write(bytes.Repeat([]byte("x"), 1<<16))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, tempPrefix+"dead"), []byte("x"), 0o600))
	_, err = OpenBucket(dir, nil)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, tempPrefix+"dead"))
	require.NoError(t, w.Close())
	got, err := b.ReadAll(t.Context(), "slow")
	require.NoError(t, err)
	require.Len(t, got, 1<<16)
}

// Attributes that belong to another file than the one they stand beside, as
// after a file was replaced by hand, are not believed.
func TestForeignAttributesAreIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := OpenBucket(dir, nil)
	require.NoError(t, err)
	require.NoError(t, b.WriteAll(t.Context(), "a.wav", []byte("RIFF"),
		&blob.WriterOptions{ContentType: "audio/wav", Metadata: map[string]string{"sha256": "x"}}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.wav"), []byte("other"), 0o600))
	a, err := b.Attributes(t.Context(), "a.wav")
	require.NoError(t, err)
	require.Empty(t, a.Metadata)
	require.EqualValues(t, 5, a.Size)
	// Garbage in the sidecar is no attributes at all.
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".a.wav.attrs"), []byte("{"), 0o600))
	_, err = b.Attributes(t.Context(), "a.wav")
	require.NoError(t, err)
}

func TestObjectsArePlainFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := OpenBucket(dir, nil)
	require.NoError(t, err)
	key := "acme/year=2026/month=03/c 1/r1~a.v1.wav"
	require.NoError(t, b.WriteAll(t.Context(), key, []byte("RIFF"), nil))
	require.FileExists(t, filepath.Join(dir, "acme/year=2026/month=03/c%201/r1~a.v1.wav"))
	require.Equal(t, filepath.Join(dir, "acme/year=2026/month=03/c%201/r1~a.v1.wav"), Path(dir, key))
}

func TestHostileKeysStayInside(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "bucket")
	require.NoError(t, os.Mkdir(dir, 0o750))
	b, err := OpenBucket(dir, nil)
	require.NoError(t, err)
	for _, key := range []string{"../escape", "a/../../escape", "/etc/passwd", ".", ".lock", ".a.attrs", "a//b", "%", "%2E%2E/x", "a\\..\\b", "\x00"} {
		require.NoError(t, b.WriteAll(t.Context(), key, []byte(key), nil), "%q", key)
		got, err := b.ReadAll(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, key, string(got))
	}
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written beside the bucket")
	require.Error(t, b.WriteAll(t.Context(), strings.Repeat("x", 300), nil, nil))
}

// A full disk fails the write, leaves nothing and harms nothing.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	smalldisk.Run(t, 1, fillDisk)
}

func fillDisk(t *testing.T, dir string) {
	t.Helper()
	b, err := OpenBucket(dir, nil)
	require.NoError(t, err)
	require.NoError(t, b.WriteAll(t.Context(), "kept", []byte("kept"), nil))
	err = b.WriteAll(t.Context(), "big", make([]byte, 4<<20), nil)
	require.ErrorContains(t, err, "no space left")
	_, err = b.Attributes(t.Context(), "big")
	require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
	require.Empty(t, temps(t, dir))
	require.NoError(t, b.WriteAll(t.Context(), "after", make([]byte, 1<<19), nil), "the space is free again")
	got, err := b.ReadAll(t.Context(), "kept")
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
}

func FuzzKeyNames(f *testing.F) {
	for _, s := range []string{"a", "", ".", "..", "%", "%2E", "a b", "é", "\x00\xff", "x.attrs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, part string) {
		if strings.Contains(part, "/") {
			return
		}
		name := escapeName(part)
		got, ok := unescapeName(name)
		if !ok || got != part {
			t.Fatalf("%q → %q → %q, %v", part, name, got, ok)
		}
		if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") {
			t.Fatalf("%q → %q", part, name)
		}
		unescapeName(part) // whatever stands in a directory must not panic
	})
}

func Example() {
	dir, err := os.MkdirTemp("", "bucket")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	bucket, err := OpenBucket(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	once := &blob.WriterOptions{ContentType: "text/plain", IfNotExist: true}
	ctx := context.Background()
	fmt.Println(bucket.Upload(ctx, "acme/c1.txt", strings.NewReader("first"), once))
	fmt.Println(gcerrors.Code(bucket.Upload(ctx, "acme/c1.txt", strings.NewReader("second"), once)))
	fmt.Println(filepath.Rel(dir, Path(dir, "acme/c1.txt")))
	// Output:
	// <nil>
	// FailedPrecondition
	// acme/c1.txt <nil>
}

// Directories go with their last object: their names are those of calls. Writers who have
// begun there, and those who begin meanwhile, aren't disturbed.
func TestEmptyDirectoriesGo(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*Options{"unnamed": nil, "named": {NoUnnamed: true}} {
		dir := t.TempDir()
		b, err := OpenBucket(dir, opts)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		ctx := t.Context()
		require.NoError(t, b.WriteAll(ctx, "acme/2026/c1/c1.wav", []byte("x"), nil))
		require.NoError(t, b.WriteAll(ctx, "acme/other", []byte("x"), nil))
		w, err := b.NewWriter(ctx, "acme/2026/c1/late.wav", nil)
		require.NoError(t, err)
		_, err = w.Write([]byte("late"))
		require.NoError(t, err)
		require.NoError(t, b.Delete(ctx, "acme/2026/c1/c1.wav"))
		require.NoError(t, w.Close(), name)
		got, err := b.ReadAll(ctx, "acme/2026/c1/late.wav")
		require.NoError(t, err)
		require.Equal(t, "late", string(got))
		require.NoError(t, b.Delete(ctx, "acme/2026/c1/late.wav"))
		require.NoDirExists(t, filepath.Join(dir, "acme", "2026"), name)
		require.DirExists(t, filepath.Join(dir, "acme"))

		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				key := "acme/2026/c2/" + strconv.Itoa(i)
				for range 50 {
					assert.NoError(t, b.WriteAll(ctx, key, []byte(key), &blob.WriterOptions{IfNotExist: i%2 == 0}))
					got, err := b.ReadAll(ctx, key)
					assert.NoError(t, err)
					assert.Equal(t, key, string(got))
					assert.NoError(t, b.Delete(ctx, key))
				}
			})
		}
		all.Wait()
		require.NoDirExists(t, filepath.Join(dir, "acme", "2026"), name)
	}
}
