package storage_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// A recording is put into a directory, under the key that its job gives it, and
// fetched by a link that anybody can open for a quarter of an hour. A bucket in a
// cloud is opened in the same way, with its driver in Options.Drivers, and signs
// its links itself.
func Example() {
	dir, err := os.MkdirTemp("", "recordings-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	base, _ := url.Parse(server.URL + "/objects")

	ctx := context.Background()
	store, err := storage.Open(ctx, "file://"+dir, &storage.Options{SignBase: base, SignSecret: []byte("a secret of the servers")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	mux.HandleFunc("/objects", store.ServeSigned)

	job := record.Spec{TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC)}
	key := job.Key(record.OutputSpec{Codec: record.CodecMP3})
	info, err := store.Put(ctx, key, record.ObjectMeta{ContentType: "audio/mpeg"}, func(w io.Writer) error {
		_, err := io.WriteString(w, "the audio")
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Key, info.Bytes, "bytes, sha256", info.SHA256[:8])

	link, err := store.SignedURL(ctx, info.Key.String(), 15*time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := http.Get(link)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.StatusCode, answer.Header.Get("Content-Type"), string(body))
	// Output:
	// acme/year=2026/month=03/day=01/hour=15/c1/c1.v1.mp3 9 bytes, sha256 5760035c
	// 200 audio/mpeg the audio
}
