package rulehttp

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// importRequest is the body of POST /v1/rules/import. Its options are those of
// dialimport.Options.
type importRequest struct {
	Format           dialimport.Format             `json:"format"` // one of dialimport.Formats
	Files            []importFile                  `json:"files"`
	Name             string                        `json:"name"`
	Tenant           callmodel.TenantID            `json:"tenant"`
	Groups           map[string]callmodel.TenantID `json:"groups"`
	Access           *string                       `json:"access"`
	ShortCodes       bool                          `json:"short_codes"`
	TimeZone         string                        `json:"timezone"`
	Weights          bool                          `json:"weights"`
	SortOrder        int                           `json:"sort_order"`
	PriorityOrdering bool                          `json:"priority_ordering"`
	Algorithm        string                        `json:"algorithm"`
	Columns          map[string]string             `json:"columns"`
	Destinations     map[string]string             `json:"destinations"`
	Deck             string                        `json:"deck"`
	Currency         string                        `json:"currency"`
	MonthFirst       bool                          `json:"month_first"`
	Country          string                        `json:"country"`
	Accept           []dialimport.PriceChange      `json:"accept"`
}

// importFile is one file of an import.
type importFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// imported is the answer to an import. Its rule set can be the body of PUT /v1/rules.
type imported struct {
	RuleSet  json.RawMessage   `json:"ruleset"`
	Fragment bool              `json:"fragment,omitempty"` // rates only, to be put into a set
	Lossless bool              `json:"lossless"`
	Report   dialimport.Report `json:"report"`
}

// importRules turns other systems' tables into a rule set, and stores nothing:
// somebody has to read what is lost before the set goes to PUT /v1/rules.
func (h *Handler) importRules(w http.ResponseWriter, r *http.Request, _ callmodel.Principal) error {
	return h.onBody(w, r, func(_ context.Context, text []byte) error {
		var in importRequest
		if err := callmodel.DecodeJSON(text, &in); err != nil {
			return err
		}
		var faults callmodel.FieldErrors
		if !slices.Contains(dialimport.Formats(), in.Format) {
			faults.Add("format", "%q is not one of %v", in.Format, dialimport.Formats())
		}
		if len(in.Files) == 0 {
			faults.Add("files", "is empty; give what is to be imported, each with its name and text")
		}
		if err := faults.Err(); err != nil {
			return err
		}
		sources := make([]dialimport.Source, len(in.Files))
		for i, f := range in.Files {
			sources[i] = dialimport.Source{Name: f.Name, R: bytes.NewReader([]byte(f.Text))}
		}
		result, err := dialimport.Import(in.Format, sources, &dialimport.Options{
			Name: in.Name, Tenant: in.Tenant, Groups: in.Groups, Access: in.Access, ShortCodes: in.ShortCodes, TimeZone: in.TimeZone,
			Weights: in.Weights, SortOrder: in.SortOrder, PriorityOrdering: in.PriorityOrdering, Now: h.opts.Now().UTC(),
			Columns: in.Columns, Destinations: in.Destinations, Deck: in.Deck, Currency: in.Currency, MonthFirst: in.MonthFirst,
			Country: in.Country, Accept: in.Accept, Algorithm: in.Algorithm,
		})
		if err != nil {
			return importFault(err, result)
		}
		var rules bytes.Buffer
		if err := dialimport.WriteJSON(&rules, result.Rules); err != nil {
			return err
		}
		problem.WriteJSON(w, http.StatusOK, imported{
			RuleSet: rules.Bytes(), Fragment: result.Fragment, Lossless: result.Report.Lossless(), Report: result.Report,
		})
		return nil
	})
}

// maxImportFaults bounds the notes that an import that fails is answered with.
const maxImportFaults = 100

// importFault gives a fault of the files the code of a malformed request. Where the
// report says why nothing came of them, or which prices would change, its notes are
// the faults.
func importFault(err error, result *dialimport.Result) error {
	if callmodel.CodeOf(err) != callmodel.CodeInternal {
		return err
	}
	var notes []dialimport.Note
	if result != nil {
		notes = slices.Concat(result.Report.Prices.List, result.Report.Skipped.List)
	}
	if len(notes) == 0 {
		return callmodel.Errorf(callmodel.CodeMalformed, "the files can't be imported: %w", err)
	}
	faults := callmodel.FieldErrors{{Path: "files", Message: err.Error()}}
	for _, n := range notes[:min(len(notes), maxImportFaults)] {
		faults = append(faults, callmodel.FieldError{Path: "files", Message: n.String()})
	}
	return faults
}

// exportRules answers with a version of the rules: as JSON, as YAML, as the text that was
// put, or as a ZIP archive of CSV files, with what these can't hold in report.json.
func (h *Handler) exportRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	stored, err := h.rules.RuleSet(r.Context(), p.TenantID, r.PathValue("hash"))
	if err != nil {
		return err
	}
	format := problem.Values(r).Get("format")
	if format == "text" {
		w.Header().Set("Content-Type", mediaText)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, err = w.Write(stored.Body)
		return err
	}
	rs, err := routing.Parse(stored.Body)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	contentType := problem.JSON
	switch format {
	case "", "json":
		err = dialimport.WriteJSON(&out, rs)
	case "yaml":
		contentType = mediaYAML
		err = dialimport.WriteYAML(&out, rs)
	case "csv":
		contentType = mediaZIP
		err = zipCSV(&out, rs)
	default:
		return callmodel.FieldErrors{{Path: "format", Message: "must be json, yaml, text or csv"}}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	_, err = w.Write(out.Bytes())
	return err
}

func zipCSV(to io.Writer, rs *routing.RuleSet) error {
	z := zip.NewWriter(to)
	report, err := dialimport.ExportCSV(rs, func(name string) (io.WriteCloser, error) {
		f, err := z.Create(name)
		return archived{f}, err
	})
	if err != nil {
		return err
	}
	f, err := z.Create("report.json")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(report); err != nil {
		return err
	}
	return z.Close()
}

// archived is a file of an archive. It ends where the next begins.
type archived struct{ io.Writer }

func (archived) Close() error { return nil }
