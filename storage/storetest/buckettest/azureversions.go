package buckettest

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// azureAccount is a storage account with blob versioning, in memory, and no more of it than
// the tests of versions need: Put Blob, Get Blob, Get Blob Properties, Delete Blob and List
// Blobs with include=versions, as Microsoft's REST reference has them. azurite knows no
// versions. It checks no signatures.
type azureAccount struct {
	mu    sync.Mutex
	blobs map[string][]*azureVersion // by name, the oldest first
	made  int
}

type azureVersion struct {
	id          string
	body        []byte
	contentType string
	metadata    map[string]string
	modified    time.Time
	current     bool
}

// AzureVersions is a container of an account with blob versioning. See azureAccount for what
// it can do.
func AzureVersions(t testing.TB) *Versioned {
	t.Helper()
	a := &azureAccount{blobs: map[string][]*azureVersion{}}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	addr := strings.TrimPrefix(srv.URL, "http://")
	return &Versioned{&Server{
		URL: "azblob://" + bucket + "?protocol=http&localemu=true&domain=" + addr,
		Env: azureEnv(), // gocloud reads the account once in a process
	}, a.remove, func(key, text string, metadata map[string]string) error {
		a.put(key, &azureVersion{body: []byte(text), contentType: "application/octet-stream", metadata: metadata})
		return nil
	}}
}

func (a *azureAccount) put(name string, v *azureVersion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made++
	v.modified = time.Date(2026, 3, 1, 12, 0, a.made, 0, time.UTC)
	v.id, v.current = v.modified.Format("2006-01-02T15:04:05.0000000Z"), true
	for _, old := range a.blobs[name] {
		old.current = false
	}
	a.blobs[name] = append(a.blobs[name], v)
}

func (a *azureAccount) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.find(name, "")
	if v == nil {
		return errors.New("there is no such blob: " + name)
	}
	v.current = false
	return nil
}

// removeVersion deletes a version for good. What is current can't be deleted as one.
func (a *azureAccount) removeVersion(w http.ResponseWriter, name, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch v := a.find(name, id); {
	case v == nil:
		refuse(w, http.StatusNotFound, "BlobNotFound")
	case v.current:
		refuse(w, http.StatusForbidden, "OperationNotAllowedOnRootBlob")
	default:
		a.blobs[name] = slices.DeleteFunc(a.blobs[name], func(o *azureVersion) bool { return o == v })
		w.WriteHeader(http.StatusAccepted)
	}
}

// find is a version, or what is current for "".
func (a *azureAccount) find(name, id string) *azureVersion {
	for _, v := range a.blobs[name] {
		if id == "" && v.current || id != "" && v.id == id {
			return v
		}
	}
	return nil
}

func (a *azureAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/") // the account
	container, name, _ := strings.Cut(name, "/")
	switch {
	case container != bucket:
		refuse(w, http.StatusNotFound, "ContainerNotFound")
	case r.Method == http.MethodGet && q.Get("comp") == "list":
		a.list(w, q.Get("prefix"), q.Get("marker"), q.Get("maxresults"), strings.Contains(q.Get("include"), "versions"))
	case r.Method == http.MethodPut && q.Get("comp") == "":
		a.putBlob(w, r, name)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		a.get(w, r, name, q.Get("versionid"))
	case r.Method == http.MethodDelete && q.Get("versionid") != "":
		a.removeVersion(w, name, q.Get("versionid"))
	case r.Method == http.MethodDelete:
		if a.remove(name) != nil {
			refuse(w, http.StatusNotFound, "BlobNotFound")
			return
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

func (a *azureAccount) putBlob(w http.ResponseWriter, r *http.Request, name string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	a.mu.Lock()
	taken := r.Header.Get("If-None-Match") == "*" && a.find(name, "") != nil
	a.mu.Unlock()
	if taken {
		refuse(w, http.StatusConflict, "BlobAlreadyExists")
		return
	}
	v := &azureVersion{body: body, contentType: r.Header.Get("x-ms-blob-content-type"), metadata: map[string]string{}}
	for h, value := range r.Header {
		if key, ok := strings.CutPrefix(strings.ToLower(h), "x-ms-meta-"); ok {
			v.metadata[key] = value[0]
		}
	}
	a.put(name, v)
	w.Header().Set("x-ms-version-id", v.id)
	w.WriteHeader(http.StatusCreated)
}

func (a *azureAccount) get(w http.ResponseWriter, r *http.Request, name, id string) {
	a.mu.Lock()
	v := a.find(name, id)
	a.mu.Unlock()
	if v == nil {
		refuse(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	h := w.Header()
	for key, value := range v.metadata {
		h.Set("x-ms-meta-"+key, value)
	}
	h.Set("Content-Type", v.contentType)
	h.Set("ETag", `"`+v.id+`"`)
	h.Set("x-ms-version-id", v.id)
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-creation-time", v.modified.Format(http.TimeFormat))
	if part := r.Header.Get("x-ms-range"); part != "" {
		r.Header.Set("Range", part)
	}
	http.ServeContent(w, r, "", v.modified, strings.NewReader(string(v.body)))
}

// azureList is an answer of List Blobs.
type azureList struct {
	XMLName    xml.Name    `xml:"EnumerationResults"`
	Blobs      []azureItem `xml:"Blobs>Blob"`
	NextMarker string
}

type azureItem struct {
	Name             string
	VersionID        string `xml:"VersionId,omitempty"`
	IsCurrentVersion bool   `xml:",omitempty"`
	Properties       struct {
		Modified string `xml:"Last-Modified"`
		Etag     string
		Length   int    `xml:"Content-Length"`
		Type     string `xml:"Content-Type"`
		BlobType string
	}
}

// list gives the versions, by name and from the oldest on. A marker is the place of the next
// one among them all.
func (a *azureAccount) list(w http.ResponseWriter, prefix, marker, most string, versions bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []azureItem
	for name, list := range a.blobs {
		for _, v := range list {
			if !strings.HasPrefix(name, prefix) || !v.current && !versions {
				continue
			}
			one := azureItem{Name: name}
			if versions {
				one.VersionID, one.IsCurrentVersion = v.id, v.current
			}
			one.Properties.Modified, one.Properties.Etag = v.modified.Format(http.TimeFormat), v.id
			one.Properties.Length, one.Properties.Type, one.Properties.BlobType = len(v.body), v.contentType, "BlockBlob"
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(x, y azureItem) int {
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return strings.Compare(x.VersionID, y.VersionID)
	})
	from, limit := 0, 5000
	if b, err := base64.URLEncoding.DecodeString(marker); err == nil && marker != "" {
		from, _ = strconv.Atoi(string(b))
	}
	if n, err := strconv.Atoi(most); err == nil {
		limit = n
	}
	answer := azureList{Blobs: all[min(from, len(all)):min(from+limit, len(all))]}
	if from+limit < len(all) {
		answer.NextMarker = base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(from + limit)))
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(answer)
}
