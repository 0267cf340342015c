package dataexport

import (
	_ "embed"
	"html/template"
	"io"
	"sync"
)

//go:embed page.html
var pageText string

// pages are the templates of the indexes for people. They escape whatever they are given.
var pages = sync.OnceValues(func() (*template.Template, error) { return template.New("page").Parse(pageText) }) //nolint:gochecknoglobals // it is constant

func writePage(w io.Writer, name string, v any) error {
	t, err := pages()
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, v)
}

func writePartPage(w io.Writer, index *partIndex) error { return writePage(w, "part", index) }

func writeWholePage(w io.Writer, index *wholeIndex) error {
	type row struct {
		Name string
		Part
	}
	rows := make([]row, len(index.Parts))
	for i := range index.Parts {
		rows[i] = row{PartName(i + 1), index.Parts[i]}
	}
	return writePage(w, "whole", struct {
		*wholeIndex

		Rows []row
	}{index, rows})
}
