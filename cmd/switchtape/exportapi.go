package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/task/dataexport"
)

// askEvery is how often an API is asked whether an export is done.
const askEvery = time.Second

// fetchTimeout bounds the fetching of a file.
const fetchTimeout = 6 * time.Hour

// ask has an API make the export, and fetches it if it is to go somewhere.
func (o *exportOptions) ask(ctx context.Context, s cli.Streams, p *dataexport.Payload, region string) error {
	api, tenant, err := o.ofAPI()
	if err != nil {
		return err
	}
	e, _, err := answered[exporthttp.Export](api.CreateExportWithResponse(ctx, apiclient.NewExport{
		Of: apiclient.ExportOf(p.Of), CallId: given(string(p.CallID)), Number: given(p.Number), Since: givenTime(p.Since), Until: givenTime(p.Until),
		Region: given(region), PartBytes: given(o.PartBytes), KeepDays: given(o.KeepDays), Key: given(o.Key),
	}, tenant))
	if err != nil {
		return err
	}
	if o.Out != "" {
		if e, err = o.await(ctx, api, tenant, &e); err != nil {
			return err
		}
		var size int64
		for i := range e.Files {
			size += e.Files[i].Bytes
		}
		bar := progress.New(s, "fetching", progress.Bytes, size)
		err := o.fetch(ctx, &e, bar)
		bar.Done()
		if err != nil {
			return err
		}
	}
	if o.JSON {
		return s.JSON(e)
	}
	if e.Counts == nil {
		s.Printf("%s  %s\n", e.ID, e.State)
		return nil
	}
	printExported(s, e.Status, e.Counts, e.Bytes, e.Missing)
	for i := range e.Files {
		s.Printf("%s  %d bytes  sha256 %s\n", e.Files[i].Name, e.Files[i].Bytes, e.Files[i].SHA256)
	}
	return nil
}

// await asks until the export is done.
func (o *exportOptions) await(ctx context.Context, api *apiclient.ClientWithResponses, tenant apiclient.RequestEditorFn, e *exporthttp.Export) (exporthttp.Export, error) {
	for {
		switch e.State {
		case string(ledger.Done):
			return *e, nil
		case string(ledger.Queued), string(ledger.Running):
		default:
			return *e, callmodel.Errorf(callmodel.CodeConflict, "the export %s is %s: %s", e.ID, e.State, e.LastError)
		}
		select {
		case <-ctx.Done():
			return *e, callmodel.Errorf(callmodel.CodeUnavailable, "the export %s goes on without this command: %w", e.ID, ctx.Err())
		case <-time.After(askEvery):
		}
		now, _, err := answered[exporthttp.Export](api.GetExportWithResponse(ctx, string(e.ID), tenant))
		if err != nil {
			return *e, err
		}
		e = &now
	}
}

// fetch fetches the files of an export, and holds them against their hashes.
func (o *exportOptions) fetch(ctx context.Context, e *exporthttp.Export, bar *progress.Bar) error {
	api, err := o.clientFor(fetchTimeout)
	if err != nil {
		return err
	}
	zips := 0
	for i := range e.Files {
		if strings.HasSuffix(e.Files[i].Name, ".zip") {
			zips++
		}
	}
	if o.zipped() && zips > 1 {
		return callmodel.Errorf(callmodel.CodeTooLarge, "the export %s has %d zips: name a directory to fetch them to", e.ID, zips)
	}
	if !o.zipped() {
		const private = 0o700
		if err := os.MkdirAll(o.Out, private); err != nil {
			return err
		}
	}
	for i := range e.Files {
		f := &e.Files[i]
		path := filepath.Join(o.Out, filepath.Base(f.Name))
		if o.zipped() {
			if path = o.Out; !strings.HasSuffix(f.Name, ".zip") {
				continue // it is in the zip
			}
		}
		if err := o.fetchFile(ctx, api, e, f, path, bar); err != nil {
			return err
		}
	}
	return nil
}

func (o *exportOptions) fetchFile(ctx context.Context, api *apiclient.ClientWithResponses, e *exporthttp.Export, f *exporthttp.File, path string, bar *progress.Bar) error {
	resp, err := api.GetExportFile(ctx, string(e.ID), f.Name, nil, func(_ context.Context, r *http.Request) error {
		if o.Tenant != "" {
			r.Header.Set("Switchtape-Tenant", o.Tenant)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sum := sha256.New()
	if resp.StatusCode != http.StatusOK {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the API answered %s for %s of the export %s", resp.Status, f.Name, e.ID)
	} else {
		err = save(path, io.TeeReader(bar.Reader(resp.Body), sum))
	}
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return errors.Join(callmodel.Errorf(callmodel.CodeConflict, "%s has the SHA-256 %s, and should have %s: fetch it again", path, got, f.SHA256), os.Remove(path))
	}
	return nil
}
