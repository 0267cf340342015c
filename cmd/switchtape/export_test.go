package main

import (
	"archive/zip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestExportAndShare: a recording is exported by an API, by its database and bucket, and as
// a worker's job, and is heard by a link until that is revoked.
func TestExportAndShare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, bucket := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")), service.FileURL(filepath.Join(dir, "recordings"))
	p := serve(t, "--dir", dir, "--share-url", "http://calls.example.com")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	var made struct {
		JobID string `json:"job_id"`
	}
	body := `{"call_id":"c1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}],"outputs":[{"codec":"wav","layout":"mono"}]}`
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings", body, &made), p.log)
	var job ledger.Job
	require.Eventually(t, func() bool {
		request(t, http.MethodGet, p.url+"/v1/recordings/jobs/"+made.JobID, "", &job)
		return job.State == ledger.Done
	}, 60*time.Second, 20*time.Millisecond)

	// By the API, into a directory.
	var e exporthttp.Export
	out := filepath.Join(dir, "fetched")
	runJSON(t, &e, "export", "call", "c1", "--api", p.url, "--out", out)
	require.Equal(t, "completed", e.Status)
	require.EqualValues(t, 1, e.Counts.Recordings)
	require.Contains(t, string(readFile(t, filepath.Join(out, "index.html"))), "Export of call c1")
	require.NotEmpty(t, zipNames(t, filepath.Join(out, "part-0001.zip"), "calls/c1/recordings/"))
	code, _, errs := run(t, "export", "call", "c1", "--api", p.url, "--out", out)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is there already, and isn't overwritten: choose another --out")
	// By database and bucket, into a file, which isn't overwritten.
	file := filepath.Join(dir, "call.zip")
	code, said, errs := run(t, "export", "call", "c1", "--db", db, "--bucket", bucket, "--out", file)
	require.Zero(t, code, errs)
	require.Contains(t, said, "completed: 0 calls, 1 recordings")
	require.NotEmpty(t, zipNames(t, file, "calls/c1/recordings/"))
	code, _, errs = run(t, "export", "call", "c1", "--db", db, "--bucket", bucket, "--out", file)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "exists already")
	// A directory goes on with what it has, and takes nothing else.
	var done dataexport.Exported
	for range 2 {
		runJSON(t, &done, "export", "tenant", "--db", db, "--bucket", bucket, "--out", filepath.Join(dir, "all"))
		require.Len(t, done.Parts, 1)
		require.NotEmpty(t, zipNames(t, filepath.Join(dir, "all", "part-0001.zip"), "jobs/"+made.JobID+"/recordings/"))
	}
	code, _, errs = run(t, "export", "call", "c1", "--db", db, "--bucket", bucket, "--out", filepath.Join(dir, "all"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "another export")
	// By a worker.
	var enqueued struct{ ID string }
	runJSON(t, &enqueued, "export", "number", "030 123456", "--region", "de", "--db", db)
	require.Eventually(t, func() bool {
		request(t, http.MethodGet, p.url+"/v1/exports/"+enqueued.ID, "", &e)
		return e.State == string(ledger.Done)
	}, 60*time.Second, 20*time.Millisecond)
	require.Equal(t, "+4930123456", e.Number)
	require.Equal(t, "absent", e.Status)
	code, _, errs = run(t, "export", "number", "030 123456", "--db", db)
	require.Equal(t, 2, code, errs)
	// A number is as it is dialled in the tenant's own region.
	require.Equal(t, http.StatusCreated, request(t, http.MethodPut, p.url+"/v1/tenants/default", `{"defaults":{"region":"DE"}}`, &struct{}{}), p.log)
	runJSON(t, &enqueued, "export", "number", "030 123457", "--db", db)
	request(t, http.MethodGet, p.url+"/v1/exports/"+enqueued.ID, "", &e)
	require.Equal(t, "+4930123457", e.Number)
	require.Eventually(t, func() bool { // once the API has heard of the change
		code, said, _ = run(t, "export", "number", "030 123458", "--api", p.url, "--json")
		return code == 0
	}, 60*time.Second, 50*time.Millisecond)
	require.NoError(t, json.Unmarshal([]byte(said), &e))
	require.Equal(t, "+4930123458", e.Number)

	// Links.
	var shared sharehttp.WithLink
	runJSON(t, &shared, "shares", "create", made.JobID, "--from", "500ms", "--to", "1.5s", "--max-openings", "1", "--api", p.url)
	require.Equal(t, "http://calls.example.com/s/"+shared.Token, shared.URL)
	at := p.url + "/s/" + shared.Token
	require.Contains(t, httpText(t, at), "<audio")
	status, audio := fetch(t, at+"/audio")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, audio, 44+8000*2, "a second of 8 kHz, and no more")
	var page sharehttp.Page
	runJSON(t, &page, "shares", "list", "--db", db)
	require.Len(t, page.Shares, 1)
	require.EqualValues(t, 1, page.Shares[0].Openings)
	code, said, errs = run(t, "shares", "create", made.JobID, "--db", db, "--share-url", "https://calls.example.com")
	require.Zero(t, code, errs)
	id, link, _ := strings.Cut(strings.TrimSpace(said), "  ")
	token := strings.TrimPrefix(link, "https://calls.example.com/s/")
	status, audio = fetch(t, p.url+"/s/"+token+"/audio")
	require.Equal(t, http.StatusOK, status)
	require.Greater(t, len(audio), 44+8000*2)
	code, _, errs = run(t, "shares", "revoke", id, "--api", p.url)
	require.Zero(t, code, errs)
	status, _ = fetch(t, p.url+"/s/"+token+"/audio")
	require.Equal(t, http.StatusGone, status)
	require.NotContains(t, p.log.String(), shared.Token)
}

// TestSharesAreOff: without a URL for them there are no links.
func TestSharesAreOff(t *testing.T) {
	t.Parallel()
	p := serve(t, "--dir", t.TempDir())
	status, text := fetch(t, p.url+"/s/x")
	require.NotEqual(t, http.StatusOK, status)
	require.NotContains(t, string(text), "link")
	code, _, errs := run(t, "shares", "create", "j1", "--api", p.url)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "--share-url")
}

func fetch(t *testing.T, at string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, b
}

// zipNames are the files of an export's zip that begin so; every file is in its index.
func zipNames(t *testing.T, path, prefix string) (names []string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	f, err := z.Open("index.json")
	require.NoError(t, err)
	var index struct{ Files []dataexport.File }
	require.NoError(t, json.NewDecoder(f).Decode(&index))
	require.Len(t, z.File, len(index.Files)+2)
	for _, f := range index.Files {
		if strings.HasPrefix(f.Path, prefix) {
			names = append(names, f.Path)
		}
	}
	return names
}
