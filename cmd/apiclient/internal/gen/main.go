// Command gen writes the client's code: it joins the handlers' OpenAPI files and has
// oapi-codegen make Go of them, formatted by gofumpt: both must be in the path.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/cmd/internal/apidocs"
)

func main() {
	if err := generate("oapi-codegen.yaml"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(config string) error {
	whole, err := apidocs.Join(apidocs.Contracts()...)
	if err != nil {
		return err
	}
	if whole, err = simpler(whole); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "apiclient")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "openapi.yaml")
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		return err
	}
	out, err := exec.Command("oapi-codegen", "-config", config, file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("oapi-codegen: %w: %s", err, bytes.TrimSpace(out))
	}
	if out, err := exec.Command("gofumpt", "-w", "client_gen.go").CombinedOutput(); err != nil {
		return fmt.Errorf("gofumpt: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// simpler is the file without what only makes the code long, or can't be said in Go.
// Schemas that take several types, or null, keep the first: a client needs to send no
// other, and null decodes into what is nil. Answers that are refusals are left out, as
// all are a Problem: see Error; and so are the types of answers that aren't JSON, which
// would be decoded as well, and are in Body.
func simpler(openAPI []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(openAPI, &doc); err != nil {
		return nil, err
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			switch v := n.Content[i+1]; {
			case n.Content[i].Value == "type" && v.Kind == yaml.SequenceNode && len(v.Content) > 0:
				n.Content[i+1] = v.Content[0]
			case n.Content[i].Value == "responses" && v.Kind == yaml.MappingNode:
				n.Content[i+1] = successes(v)
			}
		}
		for _, inner := range slices.Clone(n.Content) {
			walk(inner)
		}
	}
	walk(&doc)
	return yaml.Marshal(&doc)
}

// successes are the responses without those from 400 on.
func successes(responses *yaml.Node) *yaml.Node {
	some := *responses
	some.Content = nil
	for i := 0; i+1 < len(responses.Content); i += 2 {
		if status := responses.Content[i].Value; status < "400" || status > "599" {
			some.Content = append(some.Content, responses.Content[i], onlyJSON(responses.Content[i+1]))
		}
	}
	return &some
}

// onlyJSON is the response without contents that are something else.
func onlyJSON(response *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(response.Content); i += 2 {
		content := response.Content[i+1]
		if response.Content[i].Value != "content" {
			continue
		}
		for k := 0; k+1 < len(content.Content); k += 2 {
			if content.Content[k].Value == "application/json" {
				content.Content = content.Content[k : k+2]
				return response
			}
		}
		response.Content = slices.Delete(response.Content, i, i+2)
		return response
	}
	return response
}
